#!/bin/sh
# Puts the programs of this archive into place, and takes them away again. As root:
#
#   ./install.sh [--prefix DIR] [client] [gateway] [relay]    without a word: the client
#   ./install.sh --uninstall                                  what this script has installed; keys and invites stay
#   ./install.sh --purge                                      these too
#
# Programs go below /usr/local or DIR, systemd's units into /etc/systemd/system, settings into /etc/lanparty. Where /usr/local
# cannot be written, as on a Steam Deck, take a folder that can, and that an update leaves alone: --prefix /home/.lanparty
set -eu

here=$(cd "$(dirname "$0")" && pwd)
units=/etc/systemd/system
settings=/etc/lanparty
kept=/etc/lanparty/installed-files
prefix=/usr/local
action=install
parts=

die() {
    echo "error: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -gt 1 ] || die "--prefix needs a folder"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --uninstall) action=uninstall ;;
    --purge) action=purge ;;
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    client | gateway | relay) parts="$parts $1" ;;
    *) die "what is $1? See $0 --help" ;;
    esac
    shift
done

case $prefix in
/*) prefix=${prefix%/} ;;
*) die "--prefix $prefix does not begin with /" ;;
esac
[ "$(id -u)" = 0 ] || die "this changes the system: run it as root (sudo $0)"

has_systemd() {
    [ -d /run/systemd/system ]
}

# Makes a folder, and remembers what of it was not there.
folder() {
    [ -d "$1" ] && return 0
    folder "$(dirname "$1")"
    mkdir "$1"
    echo "$1/" >>"$kept"
}

# put MODE FROM TO: a file in its place, remembered, with the programs where this prefix has them.
put() {
    folder "$(dirname "$3")"
    case $2 in
    *.desktop) sed "s#/usr/local/bin/#$prefix/bin/#g; s#^Icon=.*#Icon=$(icon)#" "$2" >"$3" ;;
    *.service) sed "s#/usr/local/bin/#$prefix/bin/#g" "$2" | at_home >"$3" ;;
    *.socket | *.policy) sed "s#/usr/local/bin/#$prefix/bin/#g" "$2" >"$3" ;;
    *) cp "$2" "$3.new" && mv -f "$3.new" "$3" ;;
    esac
    chmod "$1" "$3"
    grep -qxF "$3" "$kept" || echo "$3" >>"$kept"
}

# Desktops look into /usr/local, and into the home of whoever called sudo, and not below other folders.
applications() {
    home=$(getent passwd "${SUDO_USER:-nobody}" | cut -d: -f6)
    case $prefix in
    /usr | /usr/local) echo "$prefix/share/applications" ;;
    *) if [ -d "$home/.local/share/applications" ]; then
        echo "$home/.local/share/applications"
    else
        echo "$prefix/share/applications"
    fi ;;
    esac
}

# A unit that sees nothing of /home sees no program there either.
at_home() {
    case $prefix in
    /home/* | /root/*)
        sed "s#^ProtectHome=.*#ProtectHome=tmpfs\\
BindReadOnlyPaths=$prefix\\
Environment=PATH=$prefix/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin#"
        ;;
    *) cat ;;
    esac
}

# By its name it is found below /usr and /usr/local only.
icon() {
    case $prefix in
    /usr | /usr/local) echo lanparty ;;
    *) echo "$prefix/share/icons/hicolor/scalable/apps/lanparty.svg" ;;
    esac
}

# polkit reads no other folder but these, and the second one only since version 126. A file of the system's own packages stays.
polkit_action() {
    for to in "/usr/share/polkit-1/actions/$1" "/etc/polkit-1/actions/$1"; do
        if [ ! -e "$to" ] || grep -qxF "$to" "$kept"; then
            if [ -w "$(dirname "$to")" ] || [ "${to#/etc/}" != "$to" ]; then
                echo "$to"
                return
            fi
        fi
    done
}

install_part() {
    part=$1
    [ -d "$here/$part" ] || die "this archive has no $part"
    for folder in bin share lib; do
        [ -d "$here/$part/$folder" ] || continue
        (cd "$here/$part" && find "$folder" -type f) | while read -r file; do
            case $file in
            bin/*) put 755 "$here/$part/$file" "$prefix/$file" ;;
            share/applications/*) put 644 "$here/$part/$file" "$(applications)/${file##*/}" ;;
            share/polkit-1/actions/*)
                to=$(polkit_action "${file##*/}")
                [ -z "$to" ] || put 644 "$here/$part/$file" "$to"
                ;;
            lib/systemd/network/*) put 644 "$here/$part/$file" "/etc/systemd/network/${file##*/}" ;;
            lib/NetworkManager/conf.d/*) put 644 "$here/$part/$file" "/etc/NetworkManager/conf.d/${file##*/}" ;;
            lib/sysusers.d/*) put 644 "$here/$part/$file" "/etc/sysusers.d/${file##*/}" ;;
            *) put 644 "$here/$part/$file" "$prefix/$file" ;;
            esac
        done
    done
    for file in "$here/$part"/units/*; do
        [ -f "$file" ] && put 644 "$file" "$units/${file##*/}"
    done
    # Settings are their owner's: an old file stays as it is.
    if [ -d "$here/$part/settings/lanparty" ]; then
        for file in "$here/$part"/settings/lanparty/*; do
            to=$settings/${file##*/}
            [ -e "$to" ] && continue
            cp "$file" "$to"
            chmod 644 "$to"
        done
    fi
}

# Who manages networks reads again which adapter is not theirs.
tell_managers() {
    if [ -d /run/systemd/netif ] && command -v networkctl >/dev/null; then
        networkctl reload >/dev/null 2>&1 || true
    fi
    if [ -d /run/NetworkManager ] && command -v nmcli >/dev/null; then
        nmcli general reload conf >/dev/null 2>&1 || true
    fi
}

start_part() {
    part=$1
    if [ "$part" = client ]; then
        if command -v systemd-sysusers >/dev/null; then
            systemd-sysusers || true
        fi
        getent group lanparty >/dev/null || groupadd --system lanparty
        menu=$(applications)
        if command -v update-desktop-database >/dev/null && [ -d "$menu" ]; then
            [ -e "$menu/mimeinfo.cache" ] || echo "$menu/mimeinfo.cache" >>"$kept"
            update-desktop-database -q "$menu" || true
        fi
        tell_managers
    fi
    has_systemd || return 0
    systemctl daemon-reload
    for file in "$here/$part"/units/*; do
        unit=${file##*/}
        case $unit in
        # Which party it is must be said first.
        *@* | lanparty-gateway.service) systemctl try-restart "$(echo "$unit" | sed 's/@/@*/')" ;;
        *)
            if grep -q '^\[Install\]' "$file"; then
                systemctl enable --quiet "$unit"
                systemctl restart "$unit"
            else
                systemctl try-restart "$unit"
            fi
            ;;
        esac
    done
}

has_program() {
    PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin command -v "$1" >/dev/null
}

say_what_next() {
    case $1 in
    client)
        echo "The client is installed: lanparty-client --help. Who may join without a password: usermod -aG lanparty USER"
        ;;
    gateway) echo "The gateway is installed: lanparty-gateway setup asks what is needed and has the party." ;;
    relay) echo "The relay is installed; its pin is in its log: journalctl -u lanparty-relay" ;;
    esac
    case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "$prefix/bin is not in your PATH: call it $prefix/bin/lanparty-$1." ;;
    esac
}

install_all() {
    mkdir -p "$settings"
    touch "$kept"
    (folder "$prefix/bin") 2>/dev/null && [ -w "$prefix/bin" ] ||
        die "$prefix cannot be written on this system: take another folder, like --prefix /home/.lanparty"
    for part in ${parts:-client}; do
        install_part "$part"
    done
    for part in ${parts:-client}; do
        start_part "$part"
        say_what_next "$part"
    done
}

uninstall() {
    [ -f "$kept" ] || die "this script has installed nothing here"
    menu=$(sed -n 's#/lanparty\.desktop$##p' "$kept")
    if has_systemd; then
        grep "^$units/" "$kept" | while read -r file; do
            unit=${file##*/}
            systemctl disable --quiet --now "$(echo "$unit" | sed 's/@/@*/')" 2>/dev/null || true
        done
    fi
    grep -v '/$' "$kept" | while read -r file; do
        rm -f "$file"
    done
    # The deepest first; what others have put something into stays.
    grep '/$' "$kept" | sort -r | while read -r made; do
        rmdir "${made%/}" 2>/dev/null || true
    done
    rm -f "$kept" "$units"/*.wants/lanparty-*
    if has_systemd; then
        systemctl daemon-reload
    fi
    tell_managers
    if getent group lanparty >/dev/null; then
        groupdel lanparty || true
    fi
    rmdir "$settings" 2>/dev/null || true
    # Others' links go on being known.
    if [ -e "$menu/mimeinfo.cache" ] && command -v update-desktop-database >/dev/null; then
        update-desktop-database -q "$menu" || true
    fi
}

purge() {
    uninstall
    rm -rf "$settings" /var/lib/lanparty /var/lib/lanparty-* /var/lib/private/lanparty /var/lib/private/lanparty-*
}

case $action in
install) install_all ;;
uninstall) uninstall ;;
purge) purge ;;
esac

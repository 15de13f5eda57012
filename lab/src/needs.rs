//! What the machine must bring for the lab, and in which Debian package it is.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

/// Programs of the lab and the Debian packages that have them.
const PACKAGES: &[(&str, &str)] = &[
    // The window's tests: a desktop without a screen.
    (
        "/usr/lib/python3/dist-packages/pyatspi/__init__.py",
        "python3-pyatspi",
    ),
    ("/usr/libexec/at-spi-bus-launcher", "at-spi2-core"),
    // OpenTTD needs pictures, with a screen or without.
    (
        "/usr/share/games/openttd/baseset/opengfx/opengfx.obg",
        "openttd-opengfx",
    ),
    ("DDNet-Server", "ddnet-server"),
    ("Xvfb", "xvfb"),
    ("armagetronad-dedicated", "armagetronad-dedicated"),
    ("/lib/systemd/systemd", "systemd"),
    ("/lib/systemd/systemd-networkd", "systemd"),
    ("NetworkManager", "network-manager"),
    ("arping", "iputils-arping"),
    ("bridge", "iproute2"),
    ("bzfs", "bzflag-server"),
    ("caddy", "caddy"),
    ("chromedriver", "chromium-driver"),
    ("chromium", "chromium"),
    ("conntrack", "conntrack"),
    ("dbus-daemon", "dbus-daemon"),
    ("dhclient", "isc-dhcp-client"),
    ("dhcpcd", "dhcpcd-base"),
    ("dnsmasq", "dnsmasq-base"),
    ("etcd", "etcd-server"),
    ("etcdctl", "etcd-client"),
    ("ethtool", "ethtool"),
    ("freeciv-server", "freeciv-server"),
    ("ip", "iproute2"),
    ("iperf3", "iperf3"),
    ("keepalived", "keepalived"),
    // The package starts nothing unless it is told to.
    ("miniupnpd", "miniupnpd-nftables"),
    ("nft", "nftables"),
    ("nginx", "nginx"),
    ("nmcli", "network-manager"),
    ("nsenter", "util-linux"),
    ("nstat", "iproute2"),
    ("openbox", "openbox"),
    ("openarena-server", "openarena-server"),
    ("openssl", "openssl"),
    ("openttd", "openttd"),
    ("ping", "iputils-ping"),
    ("promtool", "prometheus"),
    ("quakestat", "qstat"),
    ("script", "bsdutils"),
    ("setcap", "libcap2-bin"),
    ("setpriv", "util-linux"),
    ("squid", "squid"),
    ("strace", "strace"),
    ("taskset", "util-linux"),
    ("tc", "iproute2"),
    ("teeworlds-server", "teeworlds-server"),
    // The program without the service.
    ("tinyproxy", "tinyproxy-bin"),
    ("udhcpc", "udhcpc"),
    ("unshare", "util-linux"),
    ("xclip", "xclip"),
    ("xdotool", "xdotool"),
    ("zbarimg", "zbar-tools"),
];

/// Of these programs, those that Debian runs as services when their packages are installed, under the same names.
pub const SERVERS: [&str; 4] = ["caddy", "etcd", "nginx", "squid"];

/// What makes machines and cables.
const ALWAYS: [&str; 2] = ["ip", "ethtool"];

/// What a suite, a demo or a benchmark cannot do without.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    programs: &'static [&'static str],
}

impl Needs {
    /// Root, namespaces, and these programs besides `ip` and `ethtool`.
    pub const fn programs(programs: &'static [&'static str]) -> Self {
        Self { programs }
    }

    /// Every program that the lab ever starts.
    pub fn everything() -> impl Iterator<Item = &'static str> {
        PACKAGES.iter().map(|(program, _)| *program)
    }

    /// Why this machine will not do, in one sentence, or nothing.
    pub fn missing(&self) -> Option<String> {
        if !is_root() {
            return Some("the lab makes network namespaces and needs root".into());
        }
        if !Path::new("/dev/net/tun").exists() {
            return Some("this kernel has no /dev/net/tun".into());
        }
        let absent: Vec<_> = ALWAYS
            .iter()
            .chain(self.programs)
            .filter(|name| find(name).is_none())
            .collect();
        let first = absent.first()?;
        let package = package_of(first).unwrap_or("unknown");
        let more = if absent.len() > 1 {
            format!(" (and {} more)", absent.len() - 1)
        } else {
            String::new()
        };
        Some(format!(
            "the program {first}{more} is missing: `cargo xtask setup` installs package {package}"
        ))
    }

    /// Debian packages of what of it this machine lacks.
    pub fn missing_packages(&self) -> Vec<&'static str> {
        packages_of(ALWAYS.iter().chain(self.programs).copied())
    }
}

/// Whether we may make network namespaces.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this machine has a program.
pub fn has_program(name: &str) -> bool {
    find(name).is_some()
}

/// Debian packages of all the programs that this machine lacks.
pub fn missing_packages() -> Vec<&'static str> {
    packages_of(Needs::everything())
}

fn packages_of(programs: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let absent = programs.filter(|program| find(program).is_none());
    let packages: BTreeSet<_> = absent.filter_map(package_of).collect();
    packages.into_iter().collect()
}

/// The path of a program; games and administration tools count even when PATH leaves them out.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/games"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn package_of(program: &str) -> Option<&'static str> {
    PACKAGES
        .iter()
        .find(|(name, _)| *name == program)
        .map(|(_, package)| *package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_we_name_has_a_package() {
        assert!(Needs::everything().all(|program| package_of(program).is_some()));
    }

    #[test]
    fn a_package_is_named_once() {
        let programs = ["ip", "no-such-program", "bridge", "nstat"];
        let packages = programs.into_iter().filter_map(package_of);
        assert_eq!(packages.collect::<BTreeSet<_>>().len(), 1);
        assert!(packages_of(["sh", "no-such-program"].into_iter()).is_empty());
    }

    #[test]
    fn finds_programs_and_says_when_there_are_none() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}

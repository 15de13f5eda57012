//! What a package does besides laying files down, in the words of debhelper's scripts.

use super::contents::{Package, Unit};

/// The scripts' names in the package, and what they say; one that has nothing to do is not there.
pub(super) fn of(package: &Package) -> Vec<(&'static str, String)> {
    let scripts = [
        ("postinst", postinst(package)),
        ("prerm", prerm(package)),
        ("postrm", postrm(package)),
    ];
    let there = scripts.into_iter().filter(|(_, text)| !text.is_empty());
    there
        .map(|(name, text)| (name, format!("#!/bin/sh\nset -e\n{text}")))
        .collect()
}

/// Has network managers read their files again, where they run.
const RELOAD_MANAGERS: &str = "\
if [ -d /run/systemd/netif ] && command -v networkctl >/dev/null; then
    networkctl reload >/dev/null 2>&1 || true
fi
if [ -d /run/NetworkManager ] && command -v nmcli >/dev/null; then
    nmcli general reload conf >/dev/null 2>&1 || true
fi
";

/// Has systemd see which units there are now, where it runs.
const RELOAD_SYSTEMD: &str = "\
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
fi
";

fn tells_managers(package: &Package) -> bool {
    let mut places = package.files.iter().map(|file| file.to);
    places.any(|to| to.starts_with("usr/lib/systemd/network/"))
}

fn postinst(package: &Package) -> String {
    let mut text = String::new();
    if package.group.is_some() {
        text += &format!("systemd-sysusers {}.conf\n", package.name);
    }
    if tells_managers(package) {
        text += RELOAD_MANAGERS;
    }
    for unit in package.units.iter().filter(|unit| unit.is_enabled()) {
        text += &format!(
            "\
if deb-systemd-helper --quiet was-enabled '{name}'; then
    deb-systemd-helper enable '{name}' >/dev/null || true
else
    deb-systemd-helper update-state '{name}' >/dev/null || true
fi
",
            name = unit.name()
        );
    }
    if !package.units.is_empty() {
        text += "\
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
";
        let plain = named(package, Unit::is_enabled);
        if !plain.is_empty() {
            text += &format!(
                "    if [ -n \"$2\" ]; then
{}    else
        deb-systemd-invoke start {plain} >/dev/null || true
    fi
",
                renewed(package)
            );
        }
        // Whoever has started one of these wants it, and nobody else does.
        let others = named(package, |unit| !unit.is_enabled()).replace('@', "@*");
        if !others.is_empty() {
            text += &format!(
                "    if [ -n \"$2\" ]; then
        deb-systemd-invoke try-restart {others} >/dev/null || true
    fi
"
            );
        }
        text += "fi\n";
    }
    when(
        "configure abort-upgrade abort-deconfigure abort-remove",
        &text,
    )
}

/// What runs becomes the new program; where that can take over, nobody is sent away.
fn renewed(package: &Package) -> String {
    let mut text = String::new();
    for unit in package.units.iter().filter(|unit| unit.is_enabled()) {
        let name = unit.name();
        let restart = format!("deb-systemd-invoke restart '{name}' >/dev/null || true");
        text += &match unit.is_handed_over() {
            true => format!(
                "\
        if ! systemctl --quiet is-active '{name}' || ! systemctl --system reload '{name}' >/dev/null; then
            {restart}
        fi
"
            ),
            false => format!("        {restart}\n"),
        };
    }
    text
}

fn prerm(package: &Package) -> String {
    if package.units.is_empty() {
        return String::new();
    }
    let plain = named(package, |unit| !unit.is_template());
    let all = [plain, instances(package)];
    let all: Vec<_> = all.into_iter().filter(|names| !names.is_empty()).collect();
    format!(
        "\
if [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop {} >/dev/null || true
fi
",
        all.join(" ")
    )
}

fn postrm(package: &Package) -> String {
    let mut text = String::new();
    if tells_managers(package) {
        text += &when("remove", RELOAD_MANAGERS);
    }
    let mut purge = String::new();
    for unit in package.units.iter().filter(|unit| unit.is_enabled()) {
        purge += &format!(
            "deb-systemd-helper purge '{}' >/dev/null || true\n",
            unit.name()
        );
    }
    for unit in package.units.iter().filter(|unit| !unit.is_enabled()) {
        let name = unit.name().replace('@', "@*");
        purge += &format!("rm -f /etc/systemd/system/*.wants/{name}\n");
    }
    for state in package.state {
        purge += &format!("rm -rf {state}\n");
    }
    if !package.state.is_empty() {
        purge += "rmdir --ignore-fail-on-non-empty /etc/lanparty 2>/dev/null || true\n";
    }
    if let Some(group) = package.group {
        purge += &format!(
            "\
if getent group {group} >/dev/null; then
    groupdel {group} || true
fi
"
        );
    }
    text += &when("purge", &purge);
    if !package.units.is_empty() {
        // A purge takes the links to the units as well: systemd would go on looking for what they name.
        text += &when("remove purge", RELOAD_SYSTEMD);
    }
    text
}

/// The text for these words as the script's first.
fn when(words: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let tests: Vec<_> = words
        .split_whitespace()
        .map(|word| format!("[ \"$1\" = {word} ]"))
        .collect();
    let body: String = text.lines().map(|line| format!("    {line}\n")).collect();
    format!("if {}; then\n{body}fi\n", tests.join(" || "))
}

fn named(package: &Package, which: impl Fn(&Unit) -> bool) -> String {
    let units = package.units.iter().filter(|unit| which(unit));
    let names: Vec<_> = units.map(|unit| format!("'{}'", unit.name())).collect();
    names.join(" ")
}

/// Every running one of a template.
fn instances(package: &Package) -> String {
    named(package, Unit::is_template).replace('@', "@*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::contents::packages;

    #[test]
    fn every_script_is_one_that_a_shell_can_read() {
        for package in packages() {
            for (name, text) in of(&package) {
                let mut shell = std::process::Command::new("sh");
                let read = shell.args(["-n", "-c", &text]).output().unwrap();
                assert!(read.status.success(), "{} {name}:\n{text}", package.name);
            }
        }
    }

    /// deb-systemd-invoke asks the machine's owner first (policy-rc.d); lintian sees to it too.
    #[test]
    fn systemctl_itself_is_only_told_to_look_again() {
        for package in packages() {
            for (name, text) in of(&package) {
                let mut own = text.lines().map(str::trim_start);
                let other = own
                    .find(|line| line.starts_with("systemctl ") && !line.contains("daemon-reload"));
                assert_eq!(other, None, "{} {name}", package.name);
            }
        }
    }

    #[test]
    fn after_a_purge_systemd_looks_again_and_after_the_links_are_gone() {
        for package in packages() {
            let scripts = of(&package);
            let (_, postrm) = scripts.iter().find(|(name, _)| *name == "postrm").unwrap();
            let (before, after) = postrm.split_once("daemon-reload").unwrap();
            let gone = ["deb-systemd-helper purge", ".wants/"];
            assert!(gone.iter().any(|gone| before.contains(gone)), "{postrm}");
            assert!(gone.iter().all(|gone| !after.contains(gone)), "{postrm}");
            assert!(before.contains("[ \"$1\" = remove ] || [ \"$1\" = purge ]"));
        }
    }

    #[test]
    fn a_relay_is_started_and_restarted_and_leaves_nothing() {
        let packages = packages();
        let relay = packages
            .iter()
            .find(|package| package.name == "lanparty-relay");
        let scripts = of(relay.unwrap());
        let of = |name| &scripts.iter().find(|(own, _)| *own == name).unwrap().1;
        assert!(of("postinst").contains("was-enabled 'lanparty-relay.service'"));
        let takes_over = "|| ! systemctl --system reload 'lanparty-relay.service' >/dev/null; then\n            \
             deb-systemd-invoke restart 'lanparty-relay.service'";
        let postinst = of("postinst").replace("\n    ", "\n");
        assert!(postinst.contains(takes_over), "{postinst}");
        assert!(of("prerm").contains("deb-systemd-invoke stop 'lanparty-relay.service'"));
        assert!(of("postrm").contains("rm -rf /var/lib/lanparty\n"));
    }

    #[test]
    fn network_managers_hear_of_the_clients_files_when_they_come_and_go() {
        let packages = packages();
        let client = packages
            .iter()
            .find(|package| package.name == "lanparty-client");
        for (name, text) in of(client.unwrap()) {
            let reloads = text.contains("networkctl reload") && text.contains("nmcli general");
            assert_eq!(reloads, name != "prerm", "{name}:\n{text}");
        }
    }

    #[test]
    fn gateways_are_the_hosts_to_start() {
        let packages = packages();
        let gateway = packages
            .iter()
            .find(|package| package.name == "lanparty-gateway");
        let scripts = of(gateway.unwrap());
        let postinst = &scripts
            .iter()
            .find(|(name, _)| *name == "postinst")
            .unwrap()
            .1;
        assert!(
            postinst
                .contains("try-restart 'lanparty-gateway.service' 'lanparty-gateway@*.service'"),
            "{postinst}"
        );
        assert!(!postinst.contains("invoke start"), "{postinst}");
        assert!(!postinst.contains("was-enabled"), "{postinst}");
    }
}

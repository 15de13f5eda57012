//! The firewalls that people switch on, as far as they can be seen; the rules themselves only by who has the rights.

use super::nftables::{self, Chain, INPUT};
use super::passage;
use crate::facts::Firewall;
use std::fs;

pub(crate) fn firewall(adapter: Option<&str>) -> Firewall {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (switch, defaults) = (read("/etc/ufw/ufw.conf"), read("/etc/default/ufw"));
    if ufw_is_strict(&switch, &defaults) {
        // Only root reads these.
        let rules = read("/etc/ufw/user.rules");
        return match adapter.is_some_and(|adapter| ufw_lets_in(&rules, adapter)) {
            true => Firewall::LetsTheParty("ufw".to_owned()),
            false => Firewall::Strict("ufw".to_owned()),
        };
    }
    if runs("firewalld") {
        return Firewall::Strict("firewalld".to_owned());
    }
    match nftables::chains() {
        Ok(chains) => by_chains(&chains, adapter),
        // Only who has the rights may ask.
        Err(_) => Firewall::Unseen,
    }
}

/// By the chains that no program sees to. Without an adapter all of them are in its way that could be.
fn by_chains(chains: &[Chain], adapter: Option<&str>) -> Firewall {
    const NAME: &str = "nftables";
    let shut = passage::shut(chains, adapter.unwrap_or_default());
    if shut
        .iter()
        .any(|chain| chain.drops && chain.hook == Some(INPUT))
    {
        return Firewall::Strict(NAME.to_owned());
    }
    if !shut.is_empty() {
        return Firewall::Choosy(NAME.to_owned());
    }
    let lets_it = |chain: &Chain| {
        let mut passes = chain.passes.iter();
        passes.any(|passes| Some(passes.as_str()) == adapter)
    };
    match chains.iter().any(lets_it) {
        true => Firewall::LetsTheParty(NAME.to_owned()),
        false => Firewall::Unseen,
    }
}

fn ufw_is_strict(switch: &str, defaults: &str) -> bool {
    let says = |text: &str, line: &str| {
        let mut lines = text.lines().map(|line| line.trim().replace('"', ""));
        lines.any(|said| said.eq_ignore_ascii_case(line))
    };
    says(switch, "ENABLED=yes") && !says(defaults, "DEFAULT_INPUT_POLICY=ACCEPT")
}

fn ufw_lets_in(rules: &str, adapter: &str) -> bool {
    rules.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.starts_with(&["-A", "ufw-user-input", "-i", adapter]) && words.ends_with(&["ACCEPT"])
    })
}

/// Whether a process of this name runs; its name is what anybody may read.
fn runs(name: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.map(|entry| entry.path()).filter(|path| {
        path.file_name()
            .is_some_and(|n| n.as_encoded_bytes()[0].is_ascii_digit())
    });
    let mut names = numbers.filter_map(|path| fs::read_to_string(path.join("comm")).ok());
    names.any(|comm| comm.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ufw_says_in_its_files_what_it_does() {
        let strict = "DEFAULT_INPUT_POLICY=\"DROP\"\n";
        assert!(ufw_is_strict("# on?\nENABLED=yes\n", strict));
        assert!(!ufw_is_strict("ENABLED=no\n", strict));
        assert!(!ufw_is_strict(
            "ENABLED=yes\n",
            "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n"
        ));
        assert!(!ufw_is_strict("", ""));
        let rules = "-A ufw-user-input -i lanparty0 -j ACCEPT\n";
        assert!(ufw_lets_in(rules, "lanparty0"));
        assert!(!ufw_lets_in(rules, "lanparty"));
    }

    #[test]
    fn chains_that_no_program_sees_to_are_strict_choosy_or_open() {
        let chain = |drops, refuses, passes: &[&str]| Chain {
            family: 1,
            table: "filter".to_owned(),
            name: "input".to_owned(),
            hook: Some(INPUT),
            drops,
            refuses,
            passes: passes.iter().map(|name| (*name).to_owned()).collect(),
        };
        let of = |chain: Chain| by_chains(&[chain], Some("lanparty0"));
        let name = || "nftables".to_owned();
        assert_eq!(of(chain(true, false, &[])), Firewall::Strict(name()));
        assert_eq!(
            of(chain(true, true, &["lanparty"])),
            Firewall::Strict(name())
        );
        assert_eq!(of(chain(false, true, &[])), Firewall::Choosy(name()));
        let open = chain(true, true, &["lanparty0"]);
        assert_eq!(of(open.clone()), Firewall::LetsTheParty(name()));
        assert_eq!(by_chains(&[open], None), Firewall::Strict(name()));
        assert_eq!(of(chain(false, false, &[])), Firewall::Unseen);
    }
}

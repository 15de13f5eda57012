//! The firewalls that people switch on, as far as they can be seen; the rules themselves only by who has the rights.

use super::{has_net_admin, says};
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
    let chains = has_net_admin().then(|| says("nft", &["list", "chains"]));
    match chains
        .flatten()
        .is_some_and(|chains| nft_is_strict(&chains))
    {
        true => Firewall::Strict("nftables".to_owned()),
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

fn nft_is_strict(chains: &str) -> bool {
    let is_input = |line: &str| line.contains("hook input") && line.contains("policy drop");
    chains.lines().any(is_input)
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
    fn nft_drops_by_a_policy() {
        let chain = "\t\ttype filter hook input priority filter; policy drop;\n";
        assert!(nft_is_strict(chain));
        assert!(!nft_is_strict(&chain.replace("drop", "accept")));
        assert!(!nft_is_strict(&chain.replace("input", "forward")));
    }
}

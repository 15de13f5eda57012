//! Whose rules keep the party away, by what nftables has, and what helps.

use super::nftables::{Chain, INPUT, OUTPUT, chains, family_name};
use crate::facts::{Culprit, Opening};
use std::fs;

/// Who keeps back what comes by this adapter, or leaves by it.
pub(crate) fn culprit(adapter: &str, is_out: bool) -> Option<Culprit> {
    let chains = chains().ok()?;
    let switch = fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    let mut lines = switch.lines();
    let has_ufw = lines.any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"));
    find(&chains, has_ufw, adapter, is_out)
}

/// VPNs whose kill switch has a table of this name, and what lets the party past it.
const VPNS: [(&str, &str, &str); 4] = [
    (
        "mullvad",
        "Mullvad's VPN",
        "say `mullvad lan set allow`, or disconnect it.",
    ),
    (
        "nordvpn",
        "NordVPN",
        "say `nordvpn set killswitch off`, or disconnect it.",
    ),
    (
        "protonvpn",
        "Proton VPN",
        "switch off its kill switch, or disconnect it.",
    ),
    (
        "wg-quick",
        "WireGuard's wg-quick",
        "disconnect it, or take its kill switch out of its configuration.",
    ),
];

/// A chain that ufw alone has, and the table that is firewalld's.
const UFWS: &str = "ufw-user-input";
const FIREWALLDS: &str = "firewalld";

/// The VPN whose table a chain is in.
fn vpn(chain: &Chain) -> Option<&'static (&'static str, &'static str, &'static str)> {
    VPNS.iter().find(|(table, ..)| chain.table.contains(table))
}

/// The VPN that has a kill switch now, and what lets the party past it.
pub(crate) fn kill_switch() -> Option<Culprit> {
    kill_switch_of(&chains().ok()?)
}

fn kill_switch_of(chains: &[Chain]) -> Option<Culprit> {
    let mut strict = chains.iter().filter(|chain| {
        matches!(chain.hook, Some(INPUT | OUTPUT)) && (chain.drops || chain.refuses)
    });
    let (_, name, cure) = strict.find_map(vpn)?;
    Some(Culprit {
        name: (*name).to_owned(),
        cure: (*cure).to_owned(),
        opening: None,
    })
}

/// Whether no program sees to a chain that takes rules back, or complains of others'.
pub(super) fn is_plain(chains: &[Chain], chain: &Chain) -> bool {
    let is_beside = |other: &&Chain| other.family == chain.family && other.table == chain.table;
    let is_ufws = chains
        .iter()
        .filter(is_beside)
        .any(|other| other.name.starts_with("ufw"));
    !is_ufws && chain.table != FIREWALLDS && vpn(chain).is_none()
}

fn find(chains: &[Chain], has_ufw: bool, adapter: &str, is_out: bool) -> Option<Culprit> {
    let hook = if is_out { OUTPUT } else { INPUT };
    let at_hook = || chains.iter().filter(|chain| chain.hook == Some(hook));
    let culprit = |name: &str, cure: String, opening| {
        Some(Culprit {
            name: name.to_owned(),
            cure,
            opening,
        })
    };
    let strict = || at_hook().filter(|chain| chain.drops || chain.refuses);
    if let Some((_, name, cure)) = strict().find_map(vpn) {
        return culprit(name, (*cure).to_owned(), None);
    }
    if has_ufw || chains.iter().any(|chain| chain.name == UFWS) {
        let way = if is_out { "out" } else { "in" };
        let opening = (!is_out).then_some(Opening::ByAdmin);
        return culprit(
            "ufw",
            format!("say `sudo ufw allow {way} on {adapter}`."),
            opening,
        );
    }
    if at_hook().any(|chain| chain.table == FIREWALLDS) {
        let cure = format!("say `sudo firewall-cmd --zone=trusted --change-interface={adapter}`.");
        return culprit("firewalld", cure, Some(Opening::ByAdmin));
    }
    let by_policy = at_hook().find(|chain| chain.drops);
    let Chain {
        family,
        table,
        name,
        ..
    } = by_policy.or_else(|| strict().next())?;
    let place = format!("{} {table} {name}", family_name(*family)?);
    let end = if is_out { "oifname" } else { "iifname" };
    culprit(
        &format!("nftables, {place}"),
        format!(
            "say `sudo nft insert rule {place} {end} \"{adapter}\" accept`, or `sudo lanparty-client doctor --fix`."
        ),
        Some(Opening::Here),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(table: &str, name: &str, hook: u32) -> Chain {
        Chain {
            family: 1,
            table: table.to_owned(),
            name: name.to_owned(),
            hook: Some(hook),
            ..Chain::default()
        }
    }

    fn found(chains: &[Chain], is_out: bool) -> (String, String) {
        let found = find(chains, false, "lanparty0", is_out).unwrap();
        assert!(found.cure.ends_with('.'), "{found:?}");
        (found.name, found.cure)
    }

    #[test]
    fn a_policy_counts_before_a_rule_and_each_hook_for_itself() {
        let refusing = |hook| Chain {
            refuses: true,
            ..chain("own", "it", hook)
        };
        let dropping = Chain {
            drops: true,
            ..chain("filter", "input", INPUT)
        };
        let chains = [refusing(INPUT), dropping, refusing(OUTPUT)];
        let (name, cure) = found(&chains, false);
        assert_eq!(name, "nftables, inet filter input");
        assert!(
            cure.contains("insert rule inet filter input iifname \"lanparty0\" accept"),
            "{cure}"
        );
        let (name, cure) = found(&chains, true);
        assert!(
            name == "nftables, inet own it" && cure.contains("oifname"),
            "{cure}"
        );
        assert!(find(&[], false, "lanparty0", false).is_none());
        assert!(find(&[chain("own", "it", INPUT)], false, "lanparty0", false).is_none());
    }

    #[test]
    fn programs_of_firewalls_and_vpns_are_named_with_their_own_words() {
        let ufw = Chain {
            hook: None,
            ..chain("filter", "ufw-user-input", 0)
        };
        assert_eq!(
            found(&[ufw], false),
            ("ufw".into(), "say `sudo ufw allow in on lanparty0`.".into())
        );
        let (name, cure) = found(&[chain("firewalld", "filter_INPUT", INPUT)], false);
        assert!(
            name == "firewalld" && cure.contains("--zone=trusted"),
            "{cure}"
        );
        let vpn = Chain {
            drops: true,
            ..chain("mullvad", "output", OUTPUT)
        };
        let vpn = [vpn];
        assert!(found(&vpn, true).0.contains("Mullvad"));
        assert!(kill_switch_of(&vpn).unwrap().name.contains("Mullvad"));
        assert!(!is_plain(&vpn, &vpn[0]));
        assert_eq!(kill_switch_of(&[chain("mullvad", "output", OUTPUT)]), None);
    }
}

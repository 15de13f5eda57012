//! The way through this machine's firewall that a person has asked for: a rule in front of each plain chain of nftables
//! that may keep the party away. It goes with the session that it was made for. The rules name the adapter, so those
//! whose adapter is gone are a killed run's.

use super::culprit::is_plain;
use super::nftables::{self, Chain, INPUT, OUTPUT, Rule, family_name};
use std::io;
use std::path::Path;

/// What the rules' comments begin with: `nft list ruleset` shows whose they are.
const NOTE: &str = "lanparty: ";

/// Lets an adapter through; answers with the chains that have a rule now.
pub(crate) fn open(adapter: &str) -> io::Result<Vec<String>> {
    let chains = nftables::chains()?;
    let shut = shut(&chains, adapter);
    nftables::let_through(&shut, adapter, &format!("{NOTE}{adapter}"))?;
    Ok(shut.into_iter().filter_map(place).collect())
}

/// As `nft` names a chain.
fn place(chain: &Chain) -> Option<String> {
    let family = family_name(chain.family)?;
    Some(format!("{family} {} {}", chain.table, chain.name))
}

/// The plain chains that may keep an adapter away. One that accepts has no say for the next one, so all of them count, and
/// what one jumps to is in its table.
pub(super) fn shut<'a>(chains: &'a [Chain], adapter: &str) -> Vec<&'a Chain> {
    let refuses_behind = |chain: &Chain| {
        chains.iter().any(|other| {
            other.hook.is_none()
                && other.refuses
                && (other.family, &other.table) == (chain.family, &chain.table)
        })
    };
    let is_shut = |chain: &&Chain| {
        matches!(chain.hook, Some(INPUT | OUTPUT))
            && family_name(chain.family).is_some()
            && (chain.drops || chain.refuses || refuses_behind(chain))
            && !chain.passes.iter().any(|passes| passes == adapter)
            && is_plain(chains, chain)
    };
    chains.iter().filter(is_shut).collect()
}

/// Takes back what was made for an adapter.
pub fn close(adapter: &str) -> io::Result<()> {
    remove(|of| of == adapter).map(drop)
}

/// Takes back what was made for adapters that are gone; answers with how much.
pub fn remove_leftovers() -> io::Result<usize> {
    remove(is_gone)
}

/// How much there is for adapters that are gone.
pub(crate) fn leftovers() -> io::Result<usize> {
    Ok(ours(is_gone)?.len())
}

fn remove(is_it: impl Fn(&str) -> bool) -> io::Result<usize> {
    let rules = ours(is_it)?;
    nftables::remove(&rules)?;
    Ok(rules.len())
}

fn ours(is_it: impl Fn(&str) -> bool) -> io::Result<Vec<Rule>> {
    let mut rules = nftables::rules()?;
    rules.retain(|rule| {
        let adapter = rule.comment.as_deref().and_then(|it| it.strip_prefix(NOTE));
        // Whoever writes such a comment elsewhere has written more of their own.
        adapter.is_some_and(|adapter| rule.passes.as_deref() == Some(adapter) && is_it(adapter))
    });
    Ok(rules)
}

fn is_gone(adapter: &str) -> bool {
    !Path::new("/sys/class/net").join(adapter).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(table: &str, name: &str, hook: Option<u32>) -> Chain {
        Chain {
            family: 1,
            table: table.to_owned(),
            name: name.to_owned(),
            hook,
            ..Chain::default()
        }
    }

    #[test]
    fn every_plain_chain_that_may_keep_the_party_away_is_opened() {
        let dropping = |table, name, hook| Chain {
            drops: true,
            ..chain(table, name, Some(hook))
        };
        let refusing = |table, name, hook| Chain {
            refuses: true,
            ..chain(table, name, hook)
        };
        let chains = [
            dropping("filter", "input", INPUT),
            dropping("filter", "output", OUTPUT),
            dropping("filter", "forward", 2),
            chain("jumps", "input", Some(INPUT)),
            refusing("jumps", "refuse", None),
            refusing("rules", "it", Some(INPUT)),
            chain("open", "input", Some(INPUT)),
            dropping("firewalld", "filter_INPUT", INPUT),
            dropping("mullvad", "output", OUTPUT),
            dropping("ufws", "INPUT", INPUT),
            chain("ufws", "ufw-user-input", None),
        ];
        let of = |chains: &[Chain]| {
            let shut = shut(chains, "lanparty0").into_iter();
            shut.filter_map(place).collect::<Vec<_>>()
        };
        let expected = [
            "inet filter input",
            "inet filter output",
            "inet jumps input",
            "inet rules it",
        ];
        assert_eq!(of(&chains), expected);
        let open = chains.map(|chain| Chain {
            passes: vec!["lanparty0".to_owned()],
            ..chain
        });
        assert!(of(&open).is_empty());
    }
}

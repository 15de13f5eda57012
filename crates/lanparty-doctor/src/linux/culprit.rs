//! Whose rules keep the party away, by what nftables has, and what helps.
//!
//! Asked of the kernel itself: a client that is confined starts no program. What `iptables-legacy` has is not seen.

use crate::facts::Culprit;
use netlink_sys::Socket;
use std::fs;
use std::io;

/// Who keeps back what comes by this adapter, or leaves by it.
pub(crate) fn culprit(adapter: &str, is_out: bool) -> Option<Culprit> {
    let chains = chains().ok()?;
    let switch = fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    let mut lines = switch.lines();
    let has_ufw = lines.any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"));
    find(&chains, has_ufw, adapter, is_out)
}

/// A chain of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chain {
    family: u8,
    table: String,
    name: String,
    /// The hook at which it begins, if it begins at one.
    hook: Option<u32>,
    /// Whether it drops what no rule speaks of.
    drops: bool,
    /// Whether a rule in it drops or refuses something.
    refuses: bool,
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

fn find(chains: &[Chain], has_ufw: bool, adapter: &str, is_out: bool) -> Option<Culprit> {
    let hook = if is_out { OUTPUT } else { INPUT };
    let at_hook = || chains.iter().filter(|chain| chain.hook == Some(hook));
    let culprit = |name: &str, cure: String| {
        Some(Culprit {
            name: name.to_owned(),
            cure,
        })
    };
    let is_vpn = |chain: &Chain| VPNS.iter().find(|(table, ..)| chain.table.contains(table));
    let strict = || at_hook().filter(|chain| chain.drops || chain.refuses);
    if let Some((_, name, cure)) = strict().find_map(is_vpn) {
        return culprit(name, (*cure).to_owned());
    }
    if has_ufw || chains.iter().any(|chain| chain.name == "ufw-user-input") {
        let way = if is_out { "out" } else { "in" };
        return culprit("ufw", format!("say `sudo ufw allow {way} on {adapter}`."));
    }
    if at_hook().any(|chain| chain.table == "firewalld") {
        let cure = format!("say `sudo firewall-cmd --zone=trusted --change-interface={adapter}`.");
        return culprit("firewalld", cure);
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
        format!("say `sudo nft insert rule {place} {end} \"{adapter}\" accept`."),
    )
}

/// The hooks of what comes to this machine and what leaves it (linux/netfilter.h).
const INPUT: u32 = 1;
const OUTPUT: u32 = 3;

fn family_name(family: u8) -> Option<&'static str> {
    match family {
        1 => Some("inet"),
        2 => Some("ip"),
        10 => Some("ip6"),
        _ => None,
    }
}

// linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
const NETFILTER: isize = 12;
const NFTABLES: u16 = 10 << 8;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const HEADER_LEN: usize = 16;
const GENERIC_LEN: usize = 4;
const REQUEST_DUMP: u16 = 0x301;

/// All chains of this machine.
fn chains() -> io::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    dump(GET_CHAIN, |family, message| {
        chains.extend(chain(family, message));
    })?;
    dump(GET_RULE, |family, message| {
        let is_it = |chain: &&mut Chain| {
            chain.family == family
                && text(message, 1).as_ref() == Some(&chain.table)
                && text(message, 2).as_ref() == Some(&chain.name)
        };
        if refuses(message)
            && let Some(chain) = chains.iter_mut().find(is_it)
        {
            chain.refuses = true;
        }
    })?;
    Ok(chains)
}

/// Asks for all of a kind, and hands out family and attributes of each.
fn dump(kind: u16, mut each: impl FnMut(u8, &[u8])) -> io::Result<()> {
    let mut socket = Socket::new(NETFILTER)?;
    socket.bind_auto()?;
    let len = (HEADER_LEN + GENERIC_LEN) as u32;
    let mut question = len.to_ne_bytes().to_vec();
    question.extend((NFTABLES | kind).to_ne_bytes());
    question.extend(REQUEST_DUMP.to_ne_bytes());
    question.extend([0; 8 + GENERIC_LEN]);
    socket.send(&question, 0)?;
    loop {
        let (answer, _) = socket.recv_from_full()?;
        let mut rest = &answer[..];
        while let Some(header) = rest.first_chunk::<HEADER_LEN>() {
            let [a, b, c, d, e, f, ..] = *header;
            let len = u32::from_ne_bytes([a, b, c, d]) as usize;
            let kind = u16::from_ne_bytes([e, f]);
            let message = rest
                .get(HEADER_LEN..len)
                .ok_or(io::ErrorKind::InvalidData)?;
            match kind {
                DONE => return Ok(()),
                ERROR => return Err(io::ErrorKind::PermissionDenied.into()),
                kind if [NEW_CHAIN, NEW_RULE].contains(&(kind & 0xff)) => {
                    if let Some((generic, attributes)) = message.split_first_chunk::<GENERIC_LEN>()
                    {
                        each(generic[0], attributes);
                    }
                }
                _ => {}
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

fn chain(family: u8, message: &[u8]) -> Option<Chain> {
    let hook = attribute(message, 4).and_then(|hook| number(hook, 1));
    Some(Chain {
        family,
        table: text(message, 1)?,
        name: text(message, 3)?,
        hook,
        drops: hook.is_some() && number(message, 5) == Some(0),
        refuses: false,
    })
}

/// Whether a rule ends in `drop`, or in `reject`.
fn refuses(rule: &[u8]) -> bool {
    let expressions = attributes(attribute(rule, 4).unwrap_or(&[]));
    expressions.into_iter().any(|(_, expression)| {
        let verdict = || {
            let data = attribute(attribute(expression, 2)?, 2)?;
            number(attribute(data, 2)?, 1)
        };
        match text(expression, 1).as_deref() {
            Some("reject") => true,
            Some("immediate") => verdict() == Some(0),
            _ => false,
        }
    })
}

fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let Some(&[a, b, c, d]) = bytes.first_chunk() {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = bytes.get(4..len) else {
            break;
        };
        all.push((u16::from_ne_bytes([c, d]) & 0x3fff, value));
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    all
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    let all = attributes(bytes);
    let found = all.into_iter().find(|(found, _)| *found == kind);
    found.map(|(_, value)| value)
}

fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    let value = attribute(bytes, kind)?.first_chunk()?;
    Some(u32::from_be_bytes(*value))
}

fn text(bytes: &[u8], kind: u16) -> Option<String> {
    let value = attribute(bytes, kind)?;
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    String::from_utf8(value.to_vec()).ok()
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
        assert!(found(&[vpn], true).0.contains("Mullvad"));
    }

    #[test]
    fn what_the_kernel_says_of_a_rule_is_read_and_nonsense_does_no_harm() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let rule = |code: u32| {
            let verdict = attribute(2, &attribute(1, &code.to_be_bytes()));
            let data = [attribute(1, &[0; 4]), attribute(2, &verdict)].concat();
            let expression = [attribute(1, b"immediate\0"), attribute(2, &data)].concat();
            attribute(4, &attribute(1, &expression))
        };
        assert!(refuses(&rule(0)) && !refuses(&rule(1)));
        let dropping = rule(0);
        for end in 0..dropping.len() {
            let _ = (refuses(&dropping[..end]), super::chain(1, &dropping[..end]));
        }
    }
}

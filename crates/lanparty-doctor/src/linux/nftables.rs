//! What nftables has, asked of the kernel itself by netlink: a client that is confined starts no program. What
//! `iptables-legacy` has is not seen.

use netlink_sys::Socket;
use std::io;

/// A chain of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) family: u8,
    pub(super) table: String,
    pub(super) name: String,
    /// The hook at which it begins, if it begins at one.
    pub(super) hook: Option<u32>,
    /// Whether it drops what no rule speaks of.
    pub(super) drops: bool,
    /// Whether a rule in it drops or refuses something.
    pub(super) refuses: bool,
    /// The interfaces that a rule in it lets through whole.
    pub(super) passes: Vec<String>,
}

/// A rule, as far as we care.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) family: u8,
    pub(super) table: String,
    pub(super) chain: String,
    /// The kernel's name for it.
    pub(super) handle: Vec<u8>,
    /// Whether it ends in `drop` or in `reject`.
    pub(super) refuses: bool,
    /// The interface that it lets through whole, whatever comes by it or leaves by it.
    pub(super) passes: Option<String>,
    /// Its comment.
    pub(super) comment: Option<String>,
}

/// The hooks of what comes to this machine and what leaves it (linux/netfilter.h).
pub(super) const INPUT: u32 = 1;
pub(super) const OUTPUT: u32 = 3;

/// As `nft` calls a family, where it has IP.
pub(super) fn family_name(family: u8) -> Option<&'static str> {
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
const DELETE_RULE: u16 = 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const HEADER_LEN: usize = 16;
const GENERIC_LEN: usize = 4;
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
/// Without the flag for the end a rule comes first.
const CREATE: u16 = 0x400;
const NESTED: u16 = 0x8000;
const COME_BY: u32 = 6;
const LEAVE_BY: u32 = 7;
const ACCEPT: u32 = 1;
/// As long as an interface's name may be, with its end.
const NAME_LEN: usize = 16;

/// All chains of this machine.
pub(super) fn chains() -> io::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    dump(GET_CHAIN, |family, message| {
        chains.extend(chain(family, message));
    })?;
    for rule in rules()? {
        let is_it = |chain: &&mut Chain| {
            (chain.family, &chain.table, &chain.name) == (rule.family, &rule.table, &rule.chain)
        };
        if let Some(chain) = chains.iter_mut().find(is_it) {
            chain.refuses |= rule.refuses;
            chain.passes.extend(rule.passes);
        }
    }
    Ok(chains)
}

/// All rules of this machine.
pub(super) fn rules() -> io::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    dump(GET_RULE, |family, message| {
        rules.extend(rule(family, message));
    })?;
    Ok(rules)
}

/// Puts a rule in front of each of these chains, all of them or none, that lets an interface through.
pub(super) fn let_through(chains: &[&Chain], interface: &str, comment: &str) -> io::Result<()> {
    let orders = chains.iter().map(|chain| {
        let end = if chain.hook == Some(OUTPUT) {
            LEAVE_BY
        } else {
            COME_BY
        };
        let said = [
            put_text(1, &chain.table),
            put_text(2, &chain.name),
            put(4 | NESTED, &passing(end, interface)),
            put(7, &written(comment)),
        ];
        message(
            NFTABLES | NEW_RULE,
            REQUEST | ACKNOWLEDGE | CREATE,
            chain.family,
            &said.concat(),
        )
    });
    order(&orders.collect::<Vec<_>>())
}

/// Removes these rules, all of them or none.
pub(super) fn remove(rules: &[Rule]) -> io::Result<()> {
    let orders = rules.iter().map(|rule| {
        let said = [
            put_text(1, &rule.table),
            put_text(2, &rule.chain),
            put(3, &rule.handle),
        ];
        message(
            NFTABLES | DELETE_RULE,
            REQUEST | ACKNOWLEDGE,
            rule.family,
            &said.concat(),
        )
    });
    order(&orders.collect::<Vec<_>>())
}

/// `iifname` or `oifname` of this interface, `accept`.
fn passing(end: u32, interface: &str) -> Vec<u8> {
    let number = |kind, number: u32| put(kind, &number.to_be_bytes());
    let mut name = interface.as_bytes().to_vec();
    name.resize(NAME_LEN, 0);
    let expression = |name: &str, data: &[Vec<u8>]| {
        let said = [put_text(1, name), put(2 | NESTED, &data.concat())];
        put(1 | NESTED, &said.concat())
    };
    let value = put(3 | NESTED, &put(1, &name));
    let verdict = put(2 | NESTED, &put(2 | NESTED, &number(1, ACCEPT)));
    [
        expression("meta", &[number(2, end), number(1, 1)]),
        expression("cmp", &[number(1, 1), number(2, 0), value]),
        expression("immediate", &[number(1, 0), verdict]),
    ]
    .concat()
}

/// A comment as `nft` keeps it (libnftnl's udata).
fn written(comment: &str) -> Vec<u8> {
    let len = u8::try_from(comment.len() + 1).unwrap_or(0);
    let mut bytes = vec![0, len];
    bytes.extend(comment.bytes().chain([0]));
    bytes
}

/// Gives orders that are carried out together.
fn order(orders: &[Vec<u8>]) -> io::Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let socket = open()?;
    let limit = |kind| {
        let mut said = message(kind, REQUEST, 0, &[]);
        // In place of the version and what follows: which part of netfilter is meant.
        said[HEADER_LEN..].copy_from_slice(&[0, 0, 0, 10]);
        said
    };
    let all = [limit(BATCH_BEGIN), orders.concat(), limit(BATCH_END)].concat();
    socket.send(&all, 0)?;
    let mut open = orders.len();
    while open > 0 {
        let (answer, _) = socket.recv_from_full()?;
        messages(&answer, |kind, said| {
            if kind == ERROR {
                let code = said
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 {
                    return Err(io::Error::from_raw_os_error(-code));
                }
                open = open.saturating_sub(1);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The kernel answers within the call that asks, so nothing is ever waited for.
fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETFILTER)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

/// Asks for all of a kind, and hands out family and attributes of each.
fn dump(kind: u16, mut each: impl FnMut(u8, &[u8])) -> io::Result<()> {
    let socket = open()?;
    socket.send(&message(NFTABLES | kind, REQUEST | DUMP, 0, &[]), 0)?;
    let mut is_over = false;
    while !is_over {
        let (answer, _) = socket.recv_from_full()?;
        messages(&answer, |kind, said| {
            match kind {
                DONE => is_over = true,
                ERROR => return Err(io::ErrorKind::PermissionDenied.into()),
                kind if [NEW_CHAIN, NEW_RULE].contains(&(kind & 0xff)) => {
                    if let Some((generic, attributes)) = said.split_first_chunk::<GENERIC_LEN>() {
                        each(generic[0], attributes);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn message(kind: u16, flags: u16, family: u8, attributes: &[u8]) -> Vec<u8> {
    let len = (HEADER_LEN + GENERIC_LEN + attributes.len()) as u32;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

/// Hands out kind and content of each message.
fn messages(mut rest: &[u8], mut each: impl FnMut(u16, &[u8]) -> io::Result<()>) -> io::Result<()> {
    while let Some(header) = rest.first_chunk::<HEADER_LEN>() {
        let [a, b, c, d, e, f, ..] = *header;
        let len = u32::from_ne_bytes([a, b, c, d]) as usize;
        let said = rest.get(HEADER_LEN..len);
        each(
            u16::from_ne_bytes([e, f]),
            said.ok_or(io::ErrorKind::InvalidData)?,
        )?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(())
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
        passes: Vec::new(),
    })
}

fn rule(family: u8, message: &[u8]) -> Option<Rule> {
    Some(Rule {
        family,
        table: text(message, 1)?,
        chain: text(message, 2)?,
        handle: attribute(message, 3)?.to_vec(),
        refuses: refuses(message),
        passes: passes(message),
        comment: attribute(message, 7).and_then(comment),
    })
}

/// Whether a rule ends in `drop`, or in `reject`.
fn refuses(rule: &[u8]) -> bool {
    let mut expressions = expressions(rule).into_iter();
    expressions.any(|(name, data)| match name.as_str() {
        "reject" => true,
        "immediate" => verdict(data) == Some(0),
        _ => false,
    })
}

/// The interface that a rule lets through whole: it asks for nothing else, and accepts.
fn passes(rule: &[u8]) -> Option<String> {
    let mut expressions = expressions(rule);
    expressions.retain(|(name, _)| name != "counter");
    let [(meta, end), (cmp, interface), (immediate, accept)] = expressions.as_slice() else {
        return None;
    };
    let is_it = [meta, cmp, immediate] == ["meta", "cmp", "immediate"]
        && matches!(number(end, 2), Some(COME_BY | LEAVE_BY))
        && number(interface, 2) == Some(0)
        && verdict(accept) == Some(ACCEPT);
    let value = attribute(attribute(interface, 3)?, 1)?;
    // One that goes on does so without its end.
    let end = value.iter().position(|byte| *byte == 0)?;
    let name = String::from_utf8(value[..end].to_vec()).ok()?;
    is_it.then_some(name)
}

fn verdict(data: &[u8]) -> Option<u32> {
    let data = attribute(attribute(data, 2)?, 2)?;
    number(data, 1)
}

fn expressions(rule: &[u8]) -> Vec<(String, &[u8])> {
    let all = attributes(attribute(rule, 4).unwrap_or(&[]));
    let named = all.into_iter().filter_map(|(_, expression)| {
        let data = attribute(expression, 2).unwrap_or(&[]);
        Some((text(expression, 1)?, data))
    });
    named.collect()
}

fn comment(mut data: &[u8]) -> Option<String> {
    loop {
        let (&[kind, len], rest) = data.split_first_chunk()?;
        let value = rest.get(..usize::from(len))?;
        if kind == 0 {
            let value = value.strip_suffix(&[0]).unwrap_or(value);
            return String::from_utf8(value.to_vec()).ok();
        }
        data = &rest[usize::from(len)..];
    }
}

fn put(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn put_text(kind: u16, text: &str) -> Vec<u8> {
    put(kind, &[text.as_bytes(), &[0]].concat())
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

    #[test]
    fn what_the_kernel_says_of_a_rule_is_read_and_nonsense_does_no_harm() {
        let rule = |code: u32| {
            let verdict = put(2, &put(1, &code.to_be_bytes()));
            let data = [put(1, &[0; 4]), put(2, &verdict)].concat();
            let expression = [put_text(1, "immediate"), put(2, &data)].concat();
            put(4, &put(1, &expression))
        };
        assert!(refuses(&rule(0)) && !refuses(&rule(1)));
        assert_eq!(passes(&rule(1)), None);
        let whole = put(4, &passing(COME_BY, "lanparty0"));
        assert_eq!(passes(&whole).as_deref(), Some("lanparty0"));
        let noted = [whole, rule(0), put(7, &written("of us"))].concat();
        for end in 0..noted.len() {
            let cut = &noted[..end];
            let _ = (
                refuses(cut),
                passes(cut),
                chain(1, cut),
                super::rule(1, cut),
            );
        }
    }

    #[test]
    fn a_comment_is_read_as_it_is_written() {
        assert_eq!(comment(&written("of us")).as_deref(), Some("of us"));
        let behind = [vec![3, 1, 9], written("of us")].concat();
        assert_eq!(comment(&behind).as_deref(), Some("of us"));
        assert_eq!(comment(&[]), None);
        assert_eq!(comment(&[0, 9, 1]), None);
    }
}

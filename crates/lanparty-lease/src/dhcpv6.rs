//! DHCP for IPv6, from a server to a client (RFC 8415).

use crate::Refused;
use std::ops::Range;

/// Type and transaction; options follow.
const FIELDS_LEN: usize = 4;
const OPTION_HEADER_LEN: usize = 4;
/// Messages between relay agents and servers, which look otherwise.
const RELAYED: Range<u8> = 12..14;

/// A number that no option has (IANA DHCPv6 parameters), and that clients step over: there is no padding.
pub(crate) const NOBODYS: u16 = 0xffff;

/// Options have options: addresses in what asks for them, and a status in those.
const MAX_DEPTH: usize = 3;

/// Edits a message.
pub(crate) fn edit(message: &mut [u8]) -> Result<(), Refused> {
    match message.split_first_chunk_mut::<FIELDS_LEN>() {
        Some(([kind, ..], options)) if !RELAYED.contains(kind) => edit_options(options, MAX_DEPTH),
        _ => Err(Refused::Broken),
    }
}

fn edit_options(mut options: &mut [u8], depth: usize) -> Result<(), Refused> {
    if depth == 0 && !options.is_empty() {
        return Err(Refused::Broken);
    }
    while !options.is_empty() {
        let header = options.first_chunk::<OPTION_HEADER_LEN>();
        let &[k0, k1, l0, l1] = header.ok_or(Refused::Broken)?;
        let (kind, len) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([l0, l1]));
        let (option, rest) = options
            .split_at_mut_checked(OPTION_HEADER_LEN + usize::from(len))
            .ok_or(Refused::Broken)?;
        let (number, value) = option.split_at_mut(OPTION_HEADER_LEN);
        if is_taken(kind) {
            number[..2].copy_from_slice(&NOBODYS.to_be_bytes());
            value.fill(0);
        } else if let Some(fields) = fields_before_options(kind) {
            // Some clients take from there what belongs to the message.
            let inner = value.get_mut(fields..).ok_or(Refused::Broken)?;
            edit_options(inner, depth - 1)?;
        }
        options = rest;
    }
    Ok(())
}

/// How long the fields are in front of an option's own options: addresses for long and for a while, and an address.
fn fields_before_options(kind: u16) -> Option<usize> {
    match kind {
        3 => Some(12),
        4 => Some(4),
        5 => Some(24),
        _ => None,
    }
}

/// The same question as for IPv4's options, with the same measure.
///
/// Left: addresses and their times (1 to 8, 11 to 14, 19, 20, 32, 82, 83, 138 to 140, 148), who asks and who answers
/// (15, 16, 18, 37 to 39, 43 to 48, 53, 66, 68, 79 to 81, 100 and more of relay agents), what only a machine reads that boots
/// from the net (59 to 62), and where something stands (36, 63).
pub(crate) fn is_taken(kind: u16) -> bool {
    matches!(
        kind,
        9           // a message in a message
        | 17        // a maker's own
        | 21 | 22   // SIP
        | 23        // DNS servers
        | 24        // domains to search
        | 25 | 26   // prefixes: a player is no router
        | 27..=30   // NIS, NIS+
        | 31        // SNTP
        | 33 | 34   // broadcast of mobile networks
        | 40        // PANA
        | 41 | 42   // time zone
        | 49 | 50   // mobile IP: all traffic
        | 51        // LoST
        | 54 | 55   // mobility services
        | 56        // NTP
        | 57        // the access network's domain
        | 58        // SIP
        | 64        // IPv4 through the LAN: DS-Lite
        | 65        // a domain for re-authentication
        | 67        // prefixes
        | 69..=73   // mobile IP
        | 74        // which DNS server for what
        | 75..=78   // Kerberos
        | 84 | 85   // which addresses the whole machine prefers (RFC 7078)
        | 86        // port control
        | 87 | 88   // a DHCP message for IPv4 in it (RFC 7341)
        | 89..=99   // IPv4 through the LAN: MAP, 4rd, lightweight 4over6
        | 103       // captive portal
        | 111       // IPv4 through the LAN, in which order
        | 113       // IPv4 through the LAN: NAT64
        | 136       // who sets the machine up
        | 137       // IPv4 through the LAN
        | 141 | 142 // DOTS
        | 143       // which network to prefer
        | 144       // encrypted DNS
        | 145..=147 // DNS of a home network (RFC 9527)
    )
}

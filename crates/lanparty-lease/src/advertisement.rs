//! Router advertisements (RFC 4861 §4.2).
//!
//! Flags that ask for DHCPv6 stay: on some LANs that is the only way to an address, and its answers are edited too. Hop
//! limit and timers stay, which hold for the adapter alone.

use crate::Refused;
use std::ops::Range;

const FIELDS_LEN: usize = 16;
const FLAGS: usize = 5;
/// The two bits of the preference in the flags (RFC 4191 §2.2); 0 is medium.
const PREFERENCE: u8 = 0x18;
const LIFETIME: Range<usize> = 6..8;

/// A type for experiments (RFC 4727 §5): there is no padding, and hosts step over what they do not know.
pub(crate) const NOBODYS: u8 = 253;

const PREFIX: u8 = 3;
const PREFIX_LEN: usize = 32;
const ON_LINK: u8 = 0x80;
/// The widest prefix that one LAN has: all that somebody's provider gave them.
const WIDEST: u8 = 48;

/// So many prefixes of one router are more than a LAN has; each costs every machine a route and an address.
const MAX_PREFIXES: usize = 8;

/// Edits an advertisement, with its ICMPv6 header.
pub(crate) fn edit(message: &mut [u8]) -> Result<(), Refused> {
    let fields = message.split_first_chunk_mut::<FIELDS_LEN>();
    let (fields, mut options) = fields.ok_or(Refused::Broken)?;
    fields[FLAGS] &= !PREFERENCE;
    fields[LIFETIME].fill(0);
    let mut prefixes = 0;
    while !options.is_empty() {
        let len = options
            .get(1)
            .map_or(0, |&eighths| usize::from(eighths) * 8);
        let split = options.split_at_mut_checked(len).filter(|_| len > 0);
        let (option, rest) = split.ok_or(Refused::Broken)?;
        prefixes += usize::from(option[0] == PREFIX);
        let is_too_many = option[0] == PREFIX && prefixes > MAX_PREFIXES;
        if is_taken(option) || is_too_many {
            option[0] = NOBODYS;
            option[2..].fill(0);
        }
        options = rest;
    }
    Ok(())
}

/// Whether a player's machine is better off without an option (IANA IPv6 neighbour discovery option formats).
///
/// Left: whose address it is (1), how often it is sent (7), more flags (26), what is signed by whom (11 to 16), what only
/// routers and sensors read (8, 33 to 36, 39 and others), and what nobody has a number for.
pub(crate) fn is_taken(option: &[u8]) -> bool {
    match option[0] {
        PREFIX => is_no_lans(option),
        5       // MTU of the link: the room has its own
        | 21    // a whole advertisement in it (RFC 8801)
        | 23    // mobility anchor: all traffic
        | 24    // routes (RFC 4191)
        | 25    // DNS servers (RFC 8106)
        | 31    // domains to search
        | 37    // captive portal
        | 38    // IPv4 through the LAN: NAT64 (RFC 8781)
        | 144   // encrypted DNS (RFC 9463)
        => true,
        _ => false,
    }
}

/// A prefix by which hosts would look for the internet on this link: too wide, or no addresses of any LAN, as NAT64's
/// (64:ff9b::/96) or those at which some systems look for DNS servers (fec0:0:0:ffff::/64).
fn is_no_lans(option: &[u8]) -> bool {
    let Some(&[_, _, len, flags, ..]) = option.first_chunk::<PREFIX_LEN>() else {
        return true;
    };
    // Global, local and of the link (IANA IPv6 address space).
    let is_usual = matches!(
        option[16..18],
        [0x20..0x40, _] | [0xfc..0xfe, _] | [0xfe, 0x80..0xc0]
    );
    option.len() != PREFIX_LEN || flags & ON_LINK != 0 && (len < WIDEST || !is_usual)
}

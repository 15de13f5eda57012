//! Where a packet's upper header stands: one walk over IPv4 options and IPv6 extension headers.
//!
//! Strict on purpose: what a host would have to guess about is [`Unclear`], so that a filter never
//! sees another header than the host behind it.

use std::ops::Range;

/// TCP (IANA protocol numbers, like all of these).
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP for IPv4.
pub const ICMPV4: u8 = 1;
/// IGMP.
pub const IGMP: u8 = 2;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// The fixed header of IPv6 (RFC 8200 §3).
pub const IPV6_HEADER_LEN: usize = 40;
/// The shortest header of IPv4 (RFC 791 §3.1).
pub const IPV4_HEADER_LEN: usize = 20;

/// More extension headers than any real packet has; a longer chain is there to tire a filter.
const MAX_EXTENSIONS: usize = 8;
const FRAGMENT_HEADER_LEN: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// The packet is cut short, contradicts itself, or its header chain does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear;

/// Which part of a packet a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it, without a fragment header.
    Whole,
    /// A fragment that begins with the upper header.
    First,
    /// A fragment from so many bytes on; it shows no upper header.
    Later(u16),
}

/// What stands behind the IP headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upper {
    /// The protocol of the header at the start of `range`, or for [`Part::Later`] what the fragment
    /// header names.
    pub protocol: u8,
    /// Where in the packet; padding behind the packet is left out.
    pub range: Range<usize>,
    /// Whether the packet is all there is.
    pub part: Part,
    /// True when an authentication header covers what follows it: whoever changes that breaks it.
    pub authenticated: bool,
}

/// Looks behind an IPv4 header, its options (RFC 791 §3.1) and authentication headers (RFC 4302).
///
/// # Errors
/// [`Unclear`] when a host would have to guess.
pub fn ipv4(packet: &[u8]) -> Result<Upper, Unclear> {
    let header = packet.first_chunk::<IPV4_HEADER_LEN>().ok_or(Unclear)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4
        || header_len < IPV4_HEADER_LEN
        || !(header_len..=packet.len()).contains(&total_len)
    {
        return Err(Unclear);
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let more = fragment & 0x2000 != 0;
    let mut upper = Upper {
        protocol: header[9],
        range: header_len..total_len,
        part: match (fragment & 0x1fff, more) {
            (0, false) => Part::Whole,
            (0, true) => Part::First,
            (eighths, _) => Part::Later(eighths << 3),
        },
        authenticated: false,
    };
    if let Part::Later(_) = upper.part {
        return Ok(upper);
    }
    for _ in 0..=MAX_EXTENSIONS {
        if upper.protocol != AUTHENTICATION {
            return Ok(upper);
        }
        let rest = &packet[upper.range.clone()];
        upper.pass(authentication_len(rest), rest)?;
    }
    Err(Unclear)
}

/// Looks behind an IPv6 header and its extension headers (RFC 8200 §4, RFC 4302, RFC 6564).
///
/// # Errors
/// [`Unclear`] when a host would have to guess.
pub fn ipv6(packet: &[u8]) -> Result<Upper, Unclear> {
    let header = packet.first_chunk::<IPV6_HEADER_LEN>().ok_or(Unclear)?;
    let end = IPV6_HEADER_LEN + usize::from(u16::from_be_bytes([header[4], header[5]]));
    // A jumbogram (RFC 2675) says 0 here, and ends before its hop-by-hop options: unclear, below.
    if header[0] >> 4 != 6 || end > packet.len() {
        return Err(Unclear);
    }
    let mut upper = Upper {
        protocol: header[6],
        range: IPV6_HEADER_LEN..end,
        part: Part::Whole,
        authenticated: false,
    };
    for _ in 0..=MAX_EXTENSIONS {
        let rest = &packet[upper.range.clone()];
        let len = match upper.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                rest.get(1).map(|&eighths| (usize::from(eighths) + 1) * 8)
            }
            AUTHENTICATION => authentication_len(rest),
            FRAGMENT if upper.part == Part::Whole => Some(FRAGMENT_HEADER_LEN),
            // A fragment of a fragment: no honest stack makes one.
            FRAGMENT => None,
            _ => return Ok(upper),
        };
        if let (FRAGMENT, &[_, _, high, low, ..]) = (upper.protocol, rest) {
            let offset = u16::from_be_bytes([high, low]) & 0xfff8;
            upper.part = if offset == 0 {
                Part::First
            } else {
                Part::Later(offset)
            };
        }
        upper.pass(len, rest)?;
        if let Part::Later(_) = upper.part {
            return Ok(upper);
        }
    }
    Err(Unclear)
}

impl Upper {
    /// Steps over an extension header at the start of `rest`, whose first byte names the next one.
    fn pass(&mut self, len: Option<usize>, rest: &[u8]) -> Result<(), Unclear> {
        let extension = len.and_then(|len| rest.get(..len)).ok_or(Unclear)?;
        self.authenticated |= self.protocol == AUTHENTICATION;
        self.protocol = extension[0];
        self.range.start += extension.len();
        Ok(())
    }
}

fn authentication_len(header: &[u8]) -> Option<usize> {
    let quarters = usize::from(*header.get(1)?);
    Some((quarters + 2) * 4)
}

//! A lease that is only for games (spec R130): what the LAN's DHCP servers and routers tell a player's machine loses
//! all that would send the player's own internet through the party.
//!
//! A player wants an address among the others, and nothing else. What else stands in a lease some systems take as soon
//! as they see it, whatever is set on the adapter: a default route, a name server, a proxy, a clock. So it is edited
//! before the machine sees it, in place: no length changes. Relay, gateway and their switches have learnt from the
//! original. [`games_only`] is the one entry; [`concerns`] says cheaply whether there is anything to do for it.
//!
//! | from the LAN | what becomes of it | file |
//! | --- | --- | --- |
//! | DHCP to a client (UDP port 68) | options that go beyond the address become padding; a mask is /8 at the least | `dhcp` |
//! | DHCPv6 to a client (UDP port 546) | the same; options get a number that nobody reads | `dhcpv6` |
//! | router advertisement | no router any more; prefixes stay, all else gets a type that nobody reads | `advertisement` |
//! | redirect, IPv4's router discovery | refused: a player goes nowhere through the LAN's routers | `find` |
//! | any of these in pieces, or that cannot be read to its end | refused: somebody laxer may read it | all |
//!
//! Everything else passes as it came, byte for byte. mDNS, LLMNR, NetBIOS and WPAD by name are not touched: they answer
//! about names of the LAN, which games need as well.

mod advertisement;
mod dhcp;
mod dhcpv6;
mod find;
#[cfg(test)]
mod tests;

use find::{Found, Message};
use lanparty_proto::checksum::{self, Sum};

const UDP_HEADER_LEN: usize = 8;
/// Where the checksums stand in UDP's header (RFC 768) and in ICMPv6's (RFC 4443 §2.1).
const UDP_CHECKSUM: usize = 6;
const ICMPV6_CHECKSUM: usize = 2;

/// Why a frame must not reach the player's machine at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A lease or an advertisement that comes in pieces, is signed, or cannot be read to its end.
    Broken,
    /// A header chain that hides what the packet is.
    Hidden,
    /// What would make one of the LAN's machines the player's router, and has no other use.
    Router,
}

/// True for the few frames about which [`games_only`] has anything to say.
pub fn concerns(frame: &[u8]) -> bool {
    !matches!(find::find(frame), Ok(None))
}

/// Takes out of a frame what goes beyond an address among the others; true when that was anything.
///
/// # Errors
/// [`Refused`] when the machine must not see the frame; it may be half edited then.
pub fn games_only(frame: &mut [u8]) -> Result<bool, Refused> {
    let Some(Found { message, upper }) = find::find(frame)? else {
        return Ok(false);
    };
    let upper = &mut frame[upper];
    let before = upper.to_vec();
    match message {
        Message::Dhcp => dhcp::edit(datagram(upper)?)?,
        Message::Dhcpv6 => dhcpv6::edit(datagram(upper)?)?,
        Message::Advertisement => advertisement::edit(upper)?,
    }
    if *upper == before[..] {
        return Ok(false);
    }
    match message {
        Message::Dhcp | Message::Dhcpv6 => mend_udp(upper, &before),
        Message::Advertisement => mend(upper, &before, ICMPV6_CHECKSUM),
    }
    Ok(true)
}

/// What a datagram carries; both of its lengths must say the same, as a host may believe either.
fn datagram(upper: &mut [u8]) -> Result<&mut [u8], Refused> {
    let (header, message) = upper
        .split_first_chunk_mut::<UDP_HEADER_LEN>()
        .ok_or(Refused::Broken)?;
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    match len == UDP_HEADER_LEN + message.len() {
        true => Ok(message),
        false => Err(Refused::Broken),
    }
}

/// UDP may do without a checksum, and says so by 0; a checksum of 0 is then written as 0xffff (RFC 768).
fn mend_udp(upper: &mut [u8], before: &[u8]) {
    let field = UDP_CHECKSUM..UDP_CHECKSUM + 2;
    if before[field.clone()] == [0; 2] {
        return;
    }
    mend(upper, before, UDP_CHECKSUM);
    if upper[field.clone()] == [0; 2] {
        upper[field].fill(0xff);
    }
}

/// Repairs the checksum by the difference (RFC 1624), so that one that was wrong is as wrong as before.
fn mend(upper: &mut [u8], before: &[u8], at: usize) {
    let old = u16::from_be_bytes([before[at], before[at + 1]]);
    let [was, is] = [before, upper].map(|bytes: &[u8]| Sum::of(bytes).folded());
    let new = checksum::updated(old, was, is);
    upper[at..at + 2].copy_from_slice(&new.to_be_bytes());
}

//! May this frame cross? What it says is read once, and asked whether this speaker may say it.
//!
//! It looks through 802.3 with LLC and SNAP, IPv4 options, and the extension headers of IPv4 and
//! IPv6. It does not look into tunnels (IPv6 in IPv4, GRE, ESP, Teredo): their insides are payload
//! for one host that agreed to unpack them. Nothing is remembered between frames, so IP fragments
//! are judged one by one: the first must show its upper header and is judged by it, later ones pass
//! unless they begin where that header stands, and overlaps further on are refused by the receiver
//! (RFC 5722).

use crate::said::Said;
use crate::{arp, ip, llc, router, vlan};
use lanparty_obs::DropReason;
use lanparty_proto::ethernet::{self, ether_type};
use lanparty_proto::{Content, EthernetFrame, MacAddr};

/// Who speaks at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A player's machine, and the MAC that it registered.
    Player(MacAddr),
    /// The party's LAN, through its gateway.
    Lan,
}

/// Judges a frame by itself, without a memory: a checked view of it, or why it may not cross.
///
/// Two questions are asked of every frame: is it one that stays on its own cable (switch and link
/// control, tags, jumbo), and, from a player, does it say what only the LAN may (DHCP server, router,
/// somebody else's address). Whether its source is the sender's own MAC, and where it goes, only a
/// [`Switch`](crate::Switch) knows.
///
/// # Errors
/// The first reason that applies; lengths come first, then the source, then the type, then the
/// destination, then what the frame carries.
pub fn classify(bytes: &[u8], speaker: Speaker) -> Result<EthernetFrame<'_>, DropReason> {
    let frame = check_outside(bytes)?;
    check(&read(frame), frame, speaker)?;
    Ok(frame)
}

/// Whether a frame may take a direct path between one player and the LAN, as far as it says so itself: to one machine, and
/// of no concern to others. Whose that machine is only a [`Switch`](crate::Switch) knows.
pub fn goes_direct(frame: EthernetFrame<'_>) -> bool {
    is_for_one(frame, &read(frame))
}

/// The same of a frame that was read.
pub(crate) fn is_for_one(frame: EthernetFrame<'_>, said: &Said<'_>) -> bool {
    !frame.destination().is_group() && !said.concerns_all()
}

/// What addresses and length show, to who sees no more: the length is that of the longest frame, which is tagged.
pub(crate) fn check_sealed(frame: EthernetFrame<'_>, speaker: Speaker) -> Result<(), DropReason> {
    if frame.bytes().len() > ethernet::MAX_TAGGED_LEN {
        return Err(DropReason::Jumbo);
    }
    check_destination(frame.destination(), speaker)
}

/// What length and source show.
pub(crate) fn check_outside(bytes: &[u8]) -> Result<EthernetFrame<'_>, DropReason> {
    let frame = EthernetFrame::parse(bytes).map_err(|_| DropReason::Runt)?;
    if frame.is_jumbo() {
        return Err(DropReason::Jumbo);
    }
    if !frame.source().is_valid_source() {
        return Err(DropReason::InvalidSourceMac);
    }
    Ok(frame)
}

/// What a frame says.
pub(crate) fn read(frame: EthernetFrame<'_>) -> Said<'_> {
    match Content::of(frame) {
        Content::Typed(ether_type, payload) => typed(frame, ether_type, payload),
        Content::Llc(access_point, payload) => llc::read(access_point, payload),
        Content::Snap(organisation) => router::snap(organisation),
        Content::Empty => Said::Anything,
    }
}

fn typed<'a>(frame: EthernetFrame<'a>, kind: u16, payload: &'a [u8]) -> Said<'a> {
    match kind {
        ether_type::IPV4 => ip::read_v4(frame, payload),
        ether_type::IPV6 => ip::read_v6(frame, payload),
        ether_type::ARP | ether_type::REVERSE_ARP => {
            arp::read(payload).map_or_else(Said::OnlyTheLan, Said::Arp)
        }
        // A gateway's way to keep switches informed (spec R46).
        ether_type::LOCAL_EXPERIMENTAL_1 => Said::OnlyTheLan(DropReason::CamRefresh),
        _ => vlan::read(kind)
            .or_else(|| llc::link_control(kind))
            .unwrap_or_else(|| router::ether_type(kind, payload)),
    }
}

/// May this one say it, to that destination?
pub(crate) fn check(
    said: &Said<'_>,
    frame: EthernetFrame<'_>,
    speaker: Speaker,
) -> Result<(), DropReason> {
    if let Said::OnOneCable(reason) = *said {
        return Err(reason);
    }
    check_destination(frame.destination(), speaker)?;
    match speaker {
        Speaker::Player(own) => said.check_player(own),
        Speaker::Lan => Ok(()),
    }
}

fn check_destination(destination: MacAddr, speaker: Speaker) -> Result<(), DropReason> {
    llc::check_destination(destination)?;
    match speaker {
        Speaker::Player(_) => router::destination(destination),
        Speaker::Lan => Ok(()),
    }
}

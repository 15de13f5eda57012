//! What a frame says, read once: what may be said, what is claimed and what is learnt are asked of the
//! same reading.
//!
//! It looks through 802.3 with LLC and SNAP, IPv4 options, and the extension headers of IPv4 and
//! IPv6. It does not look into tunnels (IPv6 in IPv4, GRE, ESP, Teredo): their insides are payload
//! for one host that agreed to unpack them. Nothing is remembered between frames, so IP fragments
//! are judged one by one: the first must show its upper header and is judged by it, later ones pass
//! unless they begin where that header stands, and overlaps further on are refused by the receiver
//! (RFC 5722).

use crate::dhcp::Lease;
use crate::llc::Content;
use crate::{arp, ip, llc, nd, router, vlan};
use lanparty_obs::DropReason;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::IpAddr;

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
    Said::of(frame).check(frame, speaker)?;
    Ok(frame)
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

/// The one thing that a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// What nobody here has an opinion about.
    Anything,
    /// What stays on one cable, whoever says it.
    OnOneCable(DropReason),
    /// What only the LAN may say.
    OnlyTheLan(DropReason),
    /// ARP for IPv4.
    Arp(arp::Message),
    /// Neighbour discovery, and a host's question for routers.
    Neighbour(nd::Message<'a>),
    /// Which groups somebody listens to, or does not any more.
    Membership,
    /// A DHCP server's answer: the lease that it confirms, if it does.
    DhcpAnswer(Option<Lease>),
}

/// Who says to have which IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The address.
    pub(crate) address: IpAddr,
}

impl<'a> Said<'a> {
    pub(crate) fn of(frame: EthernetFrame<'a>) -> Self {
        match Content::of(frame) {
            Content::Typed(ether_type, payload) => Self::typed(frame, ether_type, payload),
            Content::Llc(access_point, payload) => llc::read(access_point, payload),
            Content::Snap(organisation) => router::snap(organisation),
            Content::Empty => Said::Anything,
        }
    }

    fn typed(frame: EthernetFrame<'a>, kind: u16, payload: &'a [u8]) -> Self {
        match kind {
            ether_type::IPV4 => ip::read_v4(frame, payload),
            ether_type::IPV6 => ip::read_v6(frame, payload),
            ether_type::ARP => arp::read(payload),
            // A gateway's way to keep switches informed (spec R46).
            ether_type::LOCAL_EXPERIMENTAL_1 => Said::OnlyTheLan(DropReason::CamRefresh),
            _ => vlan::read(kind)
                .or_else(|| llc::link_control(kind))
                .unwrap_or_else(|| router::ether_type(kind, payload)),
        }
    }

    /// May this one say it, to that destination?
    pub(crate) fn check(
        &self,
        frame: EthernetFrame<'_>,
        speaker: Speaker,
    ) -> Result<(), DropReason> {
        if let Said::OnOneCable(reason) = *self {
            return Err(reason);
        }
        llc::check_destination(frame.destination())?;
        match speaker {
            Speaker::Player(own) => {
                router::destination(frame.destination())?;
                self.check_player(own)
            }
            Speaker::Lan => Ok(()),
        }
    }

    fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        match self {
            Said::Anything | Said::Membership => Ok(()),
            Said::OnOneCable(reason) | Said::OnlyTheLan(reason) => Err(*reason),
            Said::Arp(message) => message.check_player(own),
            Said::Neighbour(message) => message.check_player(own),
            Said::DhcpAnswer(_) => Err(DropReason::DhcpServerReply),
        }
    }

    /// Who says by it to have which address.
    ///
    /// Neighbours learn where an address is from ARP and neighbour discovery, and believe whoever spoke
    /// last. What is read here is exactly what they learn from.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let claim = match self {
            Said::Arp(message) => message.claim(),
            Said::Neighbour(message) => message.claim(),
            Said::Anything
            | Said::OnOneCable(_)
            | Said::OnlyTheLan(_)
            | Said::Membership
            | Said::DhcpAnswer(_) => return None,
        };
        // Whoever first asks whether an address is free claims nothing yet: an ARP probe comes from
        // 0.0.0.0 (RFC 5227 §2.1), duplicate address detection from `::` (RFC 4862 §5.4.2).
        Some(claim).filter(|claim| !claim.address.is_unspecified())
    }

    /// The lease that it confirms.
    pub(crate) fn lease(&self) -> Option<Lease> {
        match *self {
            Said::DhcpAnswer(lease) => lease,
            _ => None,
        }
    }

    /// What cannot be read for what it is.
    pub(crate) const HIDDEN: Self = Said::OnlyTheLan(DropReason::HiddenUpperHeader);
}

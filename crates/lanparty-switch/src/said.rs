//! What a frame says, read once: what may be said, what is claimed and what is learnt are asked of the
//! same reading.

use crate::claim::Claim;
use crate::dhcp::Lease;
use crate::{arp, nd};
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;

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

impl Said<'_> {
    /// May a player say it, who has this MAC?
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
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

//! What a frame says, read once: what may be said, what is claimed and what is learnt are asked of the
//! same reading.

use crate::claim::Claim;
use crate::dhcp::Lease;
use crate::{arp, dhcp, dhcpv6, nd};
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;

/// The one thing that a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// What nobody here has an opinion about.
    Anything,
    /// What systems say by themselves, to find each other.
    Chatter,
    /// What stays on one cable, whoever says it.
    OnOneCable(DropReason),
    /// What only the LAN may say.
    OnlyTheLan(DropReason),
    /// ARP for IPv4, and reverse ARP.
    Arp(arp::Message),
    /// Neighbour discovery, and a host's question for routers.
    Neighbour(nd::Message<'a>),
    /// Which groups somebody listens to, or does not any more.
    Membership,
    /// A DHCP client asks, or gives up an address.
    DhcpQuestion(dhcp::Question),
    /// A DHCPv6 client does.
    Dhcpv6Question(dhcpv6::Question<'a>),
    /// A DHCP server offers an address.
    DhcpOffer(dhcp::Offer),
    /// A DHCP server's other answer: the lease that it confirms, if it does.
    DhcpAnswer(Option<Lease>),
}

/// What kind of talk it is, for who pays for it and who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// What keeps a machine on the LAN at all.
    Control,
    /// The same, about groups.
    Membership,
    /// What systems say by themselves.
    Chatter,
    /// All else.
    Other,
}

impl Said<'_> {
    /// What kind of talk it is.
    pub(crate) fn talk(&self) -> Talk {
        use DropReason::{
            ArpSpoof, DhcpServerReply, Dhcpv6ServerReply, GroupQuery, RouterAdvertisement,
        };
        match self {
            Said::Arp(_)
            | Said::Neighbour(_)
            | Said::DhcpQuestion(_)
            | Said::Dhcpv6Question(_)
            | Said::DhcpOffer(_)
            | Said::DhcpAnswer(_)
            | Said::OnlyTheLan(
                ArpSpoof | Dhcpv6ServerReply | DhcpServerReply | GroupQuery | RouterAdvertisement,
            ) => Talk::Control,
            Said::Membership => Talk::Membership,
            Said::Chatter => Talk::Chatter,
            Said::Anything | Said::OnOneCable(_) | Said::OnlyTheLan(_) => Talk::Other,
        }
    }

    pub(crate) fn of_dhcp(message: dhcp::Message) -> Self {
        match message {
            dhcp::Message::Question(question) => Said::DhcpQuestion(question),
            dhcp::Message::Offer(offer) => Said::DhcpOffer(offer),
            dhcp::Message::Answer(lease) => Said::DhcpAnswer(lease),
        }
    }

    /// May a player say it, who has this MAC?
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        match self {
            Said::Anything | Said::Chatter | Said::Membership => Ok(()),
            Said::OnOneCable(reason) | Said::OnlyTheLan(reason) => Err(*reason),
            Said::Arp(message) => message.check_player(own),
            Said::Neighbour(message) => message.check_player(own),
            Said::DhcpQuestion(question) => question.check_player(own),
            Said::Dhcpv6Question(question) => question.check_player(),
            Said::DhcpOffer(_) | Said::DhcpAnswer(_) => Err(DropReason::DhcpServerReply),
        }
    }

    /// Who says by it to have which address.
    ///
    /// Neighbours learn where an address is from ARP and neighbour discovery, and believe whoever spoke
    /// last. What is read here is exactly what they learn from.
    pub(crate) fn claim(&self, source: MacAddr) -> Option<Claim> {
        let claim = match self {
            Said::Arp(message) => message.claim(),
            Said::Neighbour(message) => Some(message.claim(source)),
            _ => None,
        };
        // Whoever first asks whether an address is free claims nothing yet: an ARP probe comes from
        // 0.0.0.0 (RFC 5227 §2.1), duplicate address detection from `::` (RFC 4862 §5.4.2).
        claim.filter(|claim| !claim.address.is_unspecified())
    }

    /// A MAC that the DHCP client's machine says to have had once.
    pub(crate) fn machine(&self) -> Option<MacAddr> {
        match self {
            Said::DhcpQuestion(question) => question.machine(),
            Said::Dhcpv6Question(question) => question.machine(),
            _ => None,
        }
    }

    /// True for what others must know of to judge by it: who has which address, and who listens to which group.
    pub(crate) fn concerns_all(&self) -> bool {
        match self {
            Said::Anything | Said::Chatter | Said::OnOneCable(_) | Said::OnlyTheLan(_) => false,
            Said::Arp(_)
            | Said::Neighbour(_)
            | Said::Membership
            | Said::DhcpQuestion(_)
            | Said::Dhcpv6Question(_)
            | Said::DhcpOffer(_)
            | Said::DhcpAnswer(_) => true,
        }
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

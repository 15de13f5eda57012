//! What is known of the running session.

use super::minute::Minute;
use lanparty_client_control::Member;
use lanparty_games::Game;
use lanparty_obs::{Diagnostics, PlayerStatus, Way};
use std::net::IpAddr;
use std::time::Instant;

/// What a session has to tell.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// How it does.
    pub(crate) status: PlayerStatus,
    /// The facts behind that.
    pub(crate) facts: Diagnostics,
    /// The adapter's MAC address.
    pub(crate) mac: String,
    /// What the player is called.
    pub(crate) name: Option<String>,
    /// Who else is in the room.
    pub(crate) members: Vec<Member>,
    /// Which games are on.
    pub(crate) games: Vec<Game>,
}

/// The last news, and what became of them over time.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) news: Option<News>,
    pub(super) minute: Minute,
    pub(super) has_been_connected: bool,
    /// Since when there is a LAN, and no address on it.
    pub(super) homeless_since: Option<Instant>,
}

impl Progress {
    pub(super) fn hear(&mut self, now: Instant, mut news: News) {
        // The gateway, which is the LAN, first; then by name, so that rows stay where they are.
        news.members.sort_by_cached_key(|member| {
            let name = member.name.as_deref().unwrap_or_default().to_lowercase();
            (!member.is_gateway, name, member.mac.clone())
        });
        self.news = Some(news);
        let is_homeless = self.is_on_the_lan() && self.lan_address().is_none();
        self.homeless_since = is_homeless.then(|| self.homeless_since.unwrap_or(now));
        if let Some(us) = self.ping_us() {
            self.minute.note(now, us);
        }
    }

    /// The session has ended: what belonged to it holds no more.
    pub(super) fn lose_link(&mut self) {
        self.news = None;
        self.homeless_since = None;
    }

    /// The facts, while the link stands.
    pub(super) fn facts(&self) -> Option<&Diagnostics> {
        let news = self.news.as_ref()?;
        let is_linked = match news.status {
            PlayerStatus::Connecting { .. }
            | PlayerStatus::LookingUp { .. }
            | PlayerStatus::NotReachable { .. }
            | PlayerStatus::LookingForParty { .. }
            | PlayerStatus::LookingElsewhere { .. }
            | PlayerStatus::NoRelay { .. }
            | PlayerStatus::Awake
            | PlayerStatus::Refused { .. }
            | PlayerStatus::AdapterAway => false,
            PlayerStatus::WaitingForGateway { .. }
            | PlayerStatus::SilentGateway { .. }
            | PlayerStatus::LookingBeside { .. }
            | PlayerStatus::StrangeGateway { .. }
            | PlayerStatus::Hindered { .. }
            | PlayerStatus::NoLanAddress
            | PlayerStatus::SelfAssigned { .. }
            | PlayerStatus::AddressMissing(_)
            | PlayerStatus::AdapterDown { .. }
            | PlayerStatus::OnTheLan { .. } => true,
        };
        (is_linked && !news.facts.relay_faint).then_some(&news.facts)
    }

    /// True with a link and the party's gateway.
    pub(super) fn is_on_the_lan(&self) -> bool {
        self.facts().is_some_and(|facts| facts.gateway_present)
    }

    /// An address on the LAN, for IPv4: most games know nothing else.
    pub(super) fn lan_address(&self) -> Option<IpAddr> {
        self.facts()?.lan_address()
    }

    /// One for IPv6, which a router gives where no DHCP server gives the other.
    pub(super) fn ipv6_address(&self) -> Option<IpAddr> {
        let mut addresses = self.addresses();
        addresses.find(|address| address.is_ipv6() && !is_made_up(address))
    }

    /// What is worth showing, and whether the adapter has given it to itself.
    pub(super) fn any_address(&self) -> Option<(IpAddr, bool)> {
        let address = self.lan_address().or_else(|| self.ipv6_address())?;
        Some((address, is_made_up(&address)))
    }

    /// The address that the adapter has given itself, where it has no other one.
    pub(super) fn self_assigned(&self) -> Option<IpAddr> {
        self.lan_address().filter(is_made_up)
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let facts = self.facts();
        facts
            .into_iter()
            .flat_map(|facts| facts.addresses.iter().copied())
    }

    /// To the gateway and back by the way that is taken, as far as that is known, in microseconds.
    pub(super) fn ping_us(&self) -> Option<u32> {
        self.facts()?.ways.now().rtt_us
    }

    /// Of packets that were sent in the last minute, how many of 1000 were lost.
    pub(super) fn loss_permille(&self) -> Option<u16> {
        let facts = self.facts()?;
        match facts.ways.way {
            Way::Direct => facts.ways.direct.loss_permille,
            Way::Relay | Way::RelayOverTcp | Way::Here | Way::HereOverTcp | Way::Other => {
                facts.loss_permille
            }
        }
    }
}

fn is_made_up(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

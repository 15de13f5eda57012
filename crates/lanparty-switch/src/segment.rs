//! Who may send from which address, and where a frame goes (spec R27, R28).

use crate::addresses::Addresses;
use crate::dhcp::{DhcpTalk, Lease};
use crate::judge::{Speaker, check, check_outside, check_sealed, is_for_one, read};
use crate::said::{Said, Talk};
use crate::table::LanTable;
use crate::view::View;
use foldhash::HashMap;
use lanparty_obs::DropReason;
use lanparty_proto::{EthernetFrame, MacAddr, PeerId};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a machine may take to find that somebody has what it was offered: it asks for it within seconds, and looks
/// for a few more.
const OFFERED: Duration = Duration::from_secs(60);

/// A room's addresses and the peers behind them.
#[derive(Debug)]
pub(crate) struct Segment {
    view: View,
    players: HashMap<MacAddr, PeerId>,
    gateway: Option<PeerId>,
    lan: LanTable,
    addresses: Addresses,
    /// What the LAN's DHCP server has offered to whom last, and when.
    offers: HashMap<MacAddr, (IpAddr, Instant)>,
    /// What the claim was about that was refused last.
    refused: Option<IpAddr>,
    /// Whose lease was withheld last, and of what.
    withheld: Option<(MacAddr, IpAddr)>,
    /// What passed last between a player and a DHCP server.
    dhcp: Option<DhcpTalk>,
    /// True while players reach the LAN but not each other.
    pub(crate) isolated: bool,
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To this peer, which has the address or the LAN with it.
    Known(PeerId),
    /// To the gateway, on the chance that the LAN has the address.
    Unknown(PeerId),
    /// To every peer but the sender.
    Group,
    /// To the LAN, and to the other players that want this group: [`Switch::hears`](crate::Switch::hears).
    Members {
        /// The group.
        group: IpAddr,
        /// True when it goes to those as well of whom nobody knows it.
        unsure: bool,
    },
    /// To the LAN alone, if there is one: to a group, from a player that is kept apart.
    GroupOfLan,
}

impl Segment {
    pub(crate) fn new(now: Instant, view: View) -> Self {
        Segment {
            view,
            players: HashMap::default(),
            gateway: None,
            lan: LanTable::new(now),
            addresses: Addresses::new(now),
            offers: HashMap::default(),
            refused: None,
            withheld: None,
            dhcp: None,
            isolated: false,
        }
    }

    pub(crate) fn gateway(&self) -> Option<PeerId> {
        self.gateway
    }

    pub(crate) fn players(&self) -> usize {
        self.players.len()
    }

    pub(crate) fn macs_of_players(&self) -> impl Iterator<Item = MacAddr> {
        self.players.keys().copied()
    }

    /// Who is in the place that this newcomer wants.
    pub(crate) fn holder(&self, who: Speaker) -> Option<PeerId> {
        match who {
            Speaker::Player(mac) => self.players.get(&mac).copied(),
            Speaker::Lan => self.gateway,
        }
    }

    pub(crate) fn plug_in(&mut self, peer: PeerId, who: Speaker) {
        match who {
            Speaker::Player(mac) => {
                self.players.insert(mac, peer);
                self.addresses.come(mac);
            }
            Speaker::Lan => self.gateway = Some(peer),
        }
    }

    pub(crate) fn unplug(&mut self, who: Speaker) {
        match who {
            Speaker::Player(mac) => {
                self.players.remove(&mac);
                self.offers.remove(&mac);
                self.addresses.leave(mac);
            }
            Speaker::Lan => self.gateway = None,
        }
    }

    /// What the LAN has said is worth nothing any more.
    pub(crate) fn forget_lan(&mut self) {
        self.lan.clear();
        self.addresses.forget_lan();
        self.offers.clear();
    }

    /// Judges a frame and says where it goes, and what talk it is; learns from it.
    pub(crate) fn route(
        &mut self,
        now: Instant,
        from: PeerId,
        who: Speaker,
        frame: &[u8],
    ) -> Result<(Route, Talk), DropReason> {
        let frame = EthernetFrame::parse(frame).map_err(|_| DropReason::Runt)?;
        self.check_source(who, frame.source())?;
        let said = match self.view.reads() {
            true => read(check_outside(frame.bytes())?),
            false => Said::Anything,
        };
        match self.view.reads() {
            true => check(&said, frame, who)?,
            false => check_sealed(frame, who)?,
        }
        self.check_direct(frame, who, &said)?;
        match who {
            Speaker::Player(mac) => self.check_claims(now, mac, &said)?,
            Speaker::Lan => self.learn(now, frame.source(), &said)?,
        }
        let route = self.find(now, from, who, frame.destination());
        let route = route.ok_or(DropReason::UnknownDestination)?;
        Ok((route, said.talk()))
    }

    /// True when a frame goes from a player to another one, while they are kept apart.
    pub(crate) fn keeps_apart(&self, who: Speaker, route: Route) -> bool {
        let to_a_player = matches!(route, Route::Known(peer) if self.gateway != Some(peer));
        self.isolated && who != Speaker::Lan && to_a_player
    }

    /// True for the MAC of a machine that was heard on the LAN of late.
    pub(crate) fn is_on_lan(&self, now: Instant, mac: MacAddr) -> bool {
        self.lan.knows(now, mac)
    }

    /// The gateway has heard this MAC on the LAN.
    pub(crate) fn learn_of_lan(&mut self, now: Instant, mac: MacAddr) {
        self.lan.learn(now, mac);
    }

    /// The machines that were heard on the LAN of late.
    pub(crate) fn lan(&self, now: Instant) -> impl Iterator<Item = MacAddr> {
        self.lan.known(now)
    }

    /// The address in the claim that was refused last, once.
    pub(crate) fn take_refused(&mut self) -> Option<IpAddr> {
        self.refused.take()
    }

    /// Whose lease was withheld last and of which address, once.
    pub(crate) fn take_withheld(&mut self) -> Option<(MacAddr, IpAddr)> {
        self.withheld.take()
    }

    /// What passed last between a player and a DHCP server, once.
    pub(crate) fn take_dhcp(&mut self) -> Option<DhcpTalk> {
        self.dhcp.take()
    }

    /// Which IP addresses a client is held to have.
    pub(crate) fn addresses_of(&self, now: Instant, mac: MacAddr) -> impl Iterator<Item = IpAddr> {
        self.addresses.of(now, mac)
    }

    fn check_source(&self, who: Speaker, source: MacAddr) -> Result<(), DropReason> {
        if !source.is_valid_source() {
            return Err(DropReason::InvalidSourceMac);
        }
        let authorised = match who {
            Speaker::Player(mac) => source == mac,
            Speaker::Lan => !self.players.contains_key(&source),
        };
        match authorised {
            true => Ok(()),
            false => Err(DropReason::UnauthorizedSourceMac),
        }
    }

    /// On a direct path only what concerns one player and the LAN.
    fn check_direct(
        &self,
        frame: EthernetFrame<'_>,
        who: Speaker,
        said: &Said<'_>,
    ) -> Result<(), DropReason> {
        let destination = frame.destination();
        let to_a_player = self.players.contains_key(&destination);
        let between_players = who != Speaker::Lan && to_a_player;
        let is_direct = is_for_one(frame, said) && !between_players;
        match is_direct || !self.view.is_direct() {
            true => Ok(()),
            false => Err(DropReason::NotDirect),
        }
    }

    /// Lets a player claim an IP address that is nobody else's, and give up none but its own.
    fn check_claims(
        &mut self,
        now: Instant,
        own: MacAddr,
        said: &Said<'_>,
    ) -> Result<(), DropReason> {
        if !self.view.remembers() {
            return Ok(());
        }
        let machine = said.machine().filter(|&mac| mac != own);
        if machine.is_some_and(|mac| self.players.contains_key(&mac)) {
            return Err(DropReason::DhcpSpoof);
        }
        if let Said::DhcpQuestion(question) = said
            && question.wants()
        {
            self.dhcp = Some(DhcpTalk::Asked(own));
        }
        let (addresses, refused) = (&mut self.addresses, &mut self.refused);
        // Who finds that somebody has what it was offered must be able to say so, or is offered it for ever.
        let offered = self.offers.get(&own);
        let offered = offered.filter(|&&(_, at)| now.saturating_duration_since(at) < OFFERED);
        let offered = offered.map(|&(address, _)| address);
        if let Said::DhcpQuestion(question) = said
            && let Some(declined) = question.declines().map(IpAddr::from)
            && offered == Some(declined)
        {
            let _ = addresses.give_up(now, own, declined);
            return Ok(());
        }
        let mut give_up = |address| {
            let given_up = addresses.give_up(now, own, address);
            given_up.inspect_err(|_| *refused = Some(address))
        };
        match said {
            Said::DhcpQuestion(question) => question
                .gives_up()
                .map_or(Ok(()), |address| give_up(address.into())),
            Said::Dhcpv6Question(question) => question
                .gives_up()
                .try_for_each(|address| give_up(address.into())),
            _ => match said.claim(own) {
                Some(claim) => addresses
                    .claim(now, own, claim.address)
                    .inspect_err(|_| *refused = Some(claim.address)),
                None => Ok(()),
            },
        }
    }

    /// Learns from the LAN who is there, and who has which IP address. Its DHCP server may not give a
    /// player what somebody else here has.
    fn learn(&mut self, now: Instant, source: MacAddr, said: &Said<'_>) -> Result<(), DropReason> {
        self.lan.learn(now, source);
        if !self.view.remembers() {
            return Ok(());
        }
        let players = &self.players;
        // What another has got was offered in vain.
        if let Some(Lease { mac, address, .. }) = said.lease() {
            let is_another = |(offered, _)| offered == IpAddr::from(address);
            self.offers
                .retain(|&whose, offer| whose == mac || !is_another(*offer));
        }
        if let Said::DhcpOffer(offer) = said
            && players.contains_key(&offer.mac)
        {
            self.offers.insert(offer.mac, (offer.address.into(), now));
            self.dhcp = Some(DhcpTalk::Offered(offer.mac));
        } else if let Some(claim) = said.claim(source) {
            // An access point's answer for a player, say, is that player's claim and not the LAN's.
            if !players.contains_key(&claim.mac) {
                self.addresses.claim_from_lan(now, claim);
            }
        } else if let Some(lease) = said.lease()
            && players.contains_key(&lease.mac)
        {
            let is_here = |mac| players.contains_key(&mac);
            let (mac, address) = (lease.mac, lease.address.into());
            let leased = self.addresses.lease(now, lease, is_here);
            leased.inspect_err(|_| self.withheld = Some((mac, address)))?;
            self.dhcp = Some(lease.into());
        }
        Ok(())
    }

    fn find(
        &mut self,
        now: Instant,
        from: PeerId,
        who: Speaker,
        destination: MacAddr,
    ) -> Option<Route> {
        if destination.is_group() {
            return Some(match self.isolated && who != Speaker::Lan {
                true => Route::GroupOfLan,
                false => Route::Group,
            });
        }
        if let Some(&peer) = self.players.get(&destination) {
            return (peer != from).then_some(Route::Known(peer));
        }
        let gateway = self.gateway.filter(|&gateway| gateway != from)?;
        match self.lan.knows(now, destination) {
            true => Some(Route::Known(gateway)),
            false => Some(Route::Unknown(gateway)),
        }
    }
}

//! Who may send from which address, and where a frame goes (spec R27, R28).

use super::addresses::Addresses;
use super::allowance::Traffic;
use super::lan_table::LanTable;
use lanparty_ctrl::message::Newcomer;
use lanparty_obs::DropReason;
use lanparty_proto::class::{claimed_address, confirmed_lease};
use lanparty_proto::{EthernetFrame, MacAddr, Origin, PeerId, classify};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// A room's addresses and the peers behind them.
#[derive(Debug)]
pub(super) struct Switch {
    clients: HashMap<MacAddr, PeerId>,
    gateway: Option<PeerId>,
    lan: LanTable,
    addresses: Addresses,
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To this peer, which has the address or the LAN with it.
    Known(PeerId),
    /// To the gateway, on the chance that the LAN has the address.
    Unknown(PeerId),
    /// To every peer but the sender.
    Group,
}

impl Route {
    pub(super) fn traffic(self) -> Traffic {
        match self {
            Route::Known(_) => Traffic::Known,
            Route::Unknown(_) => Traffic::Unknown,
            Route::Group => Traffic::Group,
        }
    }
}

impl Switch {
    pub(super) fn new(now: Instant) -> Self {
        Switch {
            clients: HashMap::new(),
            gateway: None,
            lan: LanTable::new(now),
            addresses: Addresses::new(now),
        }
    }

    pub(super) fn gateway(&self) -> Option<PeerId> {
        self.gateway
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Who is in the place that this newcomer wants.
    pub(super) fn holder(&self, who: Newcomer) -> Option<PeerId> {
        match who {
            Newcomer::Client(mac) => self.clients.get(&mac.addr()).copied(),
            Newcomer::Gateway => self.gateway,
        }
    }

    pub(super) fn plug_in(&mut self, peer: PeerId, who: Newcomer) {
        match who {
            Newcomer::Client(mac) => {
                self.clients.insert(mac.addr(), peer);
            }
            Newcomer::Gateway => self.gateway = Some(peer),
        }
    }

    pub(super) fn unplug(&mut self, who: Newcomer) {
        match who {
            Newcomer::Client(mac) => {
                self.clients.remove(&mac.addr());
            }
            Newcomer::Gateway => {
                self.gateway = None;
                self.lan.clear();
                self.addresses.forget_lan();
            }
        }
    }

    /// Judges a frame and says where it goes; learns from the gateway's.
    pub(super) fn route(
        &mut self,
        now: Instant,
        from: PeerId,
        who: Newcomer,
        frame: &[u8],
    ) -> Result<Route, DropReason> {
        let view = EthernetFrame::parse(frame).map_err(|_| DropReason::Runt)?;
        self.check_source(who, view.source())?;
        match who {
            Newcomer::Client(mac) => {
                classify(frame, Origin::Client(mac.addr()))?;
                self.check_claim(now, view)?;
            }
            Newcomer::Gateway => {
                classify(frame, Origin::Lan)?;
                self.learn(now, view);
            }
        }
        self.find(now, from, view.destination())
            .ok_or(DropReason::UnknownDestination)
    }

    /// True when a frame goes from a client to another one.
    pub(super) fn is_between_clients(&self, who: Newcomer, route: Route) -> bool {
        match (who, route) {
            (Newcomer::Client(_), Route::Known(peer)) => self.gateway != Some(peer),
            (Newcomer::Client(_), Route::Unknown(_) | Route::Group) | (Newcomer::Gateway, _) => {
                false
            }
        }
    }

    /// Which IP addresses a client is held to have.
    pub(super) fn addresses_of(&self, now: Instant, mac: MacAddr) -> impl Iterator<Item = IpAddr> {
        self.addresses.of(now, mac)
    }

    fn check_source(&self, who: Newcomer, source: MacAddr) -> Result<(), DropReason> {
        if !source.is_valid_source() {
            return Err(DropReason::InvalidSourceMac);
        }
        let authorised = match who {
            Newcomer::Client(mac) => source == mac.addr(),
            Newcomer::Gateway => !self.clients.contains_key(&source),
        };
        match authorised {
            true => Ok(()),
            false => Err(DropReason::UnauthorizedSourceMac),
        }
    }

    /// Lets a client claim an IP address that is nobody else's.
    fn check_claim(&mut self, now: Instant, frame: EthernetFrame<'_>) -> Result<(), DropReason> {
        match claimed_address(frame) {
            Some(address) => self.addresses.claim(now, frame.source(), address),
            None => Ok(()),
        }
    }

    /// Learns from the LAN who is there, and who has which IP address.
    fn learn(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        self.lan.learn(now, frame.source());
        if let Some(address) = claimed_address(frame) {
            self.addresses.claim_from_lan(now, address);
        } else if let Some(lease) = confirmed_lease(frame)
            && self.clients.contains_key(&lease.mac)
        {
            self.addresses.lease(now, lease);
        }
    }

    fn find(&mut self, now: Instant, from: PeerId, destination: MacAddr) -> Option<Route> {
        if destination.is_group() {
            return Some(Route::Group);
        }
        if let Some(&peer) = self.clients.get(&destination) {
            return (peer != from).then_some(Route::Known(peer));
        }
        let gateway = self.gateway.filter(|&gateway| gateway != from)?;
        match self.lan.knows(now, destination) {
            true => Some(Route::Known(gateway)),
            false => Some(Route::Unknown(gateway)),
        }
    }
}

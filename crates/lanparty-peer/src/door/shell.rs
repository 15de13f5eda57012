//! What is done about direct paths beside frames: said to the relay, asked of the machine, tried.

use super::addresses::{Around, named};
use super::calls::Room;
use super::doors::{Doors, HANDSHAKES, News, Told, Tried};
use super::enter::NotIn;
use super::meetings::{Due, FAR_HOPS, NEAR_HOPS, ROUND, ready};
use super::nat::Question;
use super::why::refusal;
use crate::link::RelayLink;
use crate::peer::{PeerCore, PeerHost};
use crate::relay_args::RelayConfig;
use lanparty_ctrl::door::{DOOR_ALPN, Door as Offer, Go, Meet, Met, NoMeeting};
use lanparty_ctrl::{DOORS, HERE, PeerMessage, RelayMessage};
use lanparty_edge::source_address::source_towards;
use lanparty_obs::NotDirect;
use lanparty_quic::Endpoint;
use std::net::SocketAddr;
use std::time::Instant;

/// Meetings that wait for whom they are about, at most.
const MAX_HELD: usize = 64;

/// Who is asked and told.
pub(crate) struct Hands<'a, C, H> {
    pub(crate) core: &'a mut C,
    pub(crate) host: &'a mut H,
    pub(crate) relay: &'a RelayConfig,
    pub(crate) link: &'a RelayLink,
}

impl<C: PeerCore, H: PeerHost<C>> Hands<'_, C, H> {
    fn room(&self) -> Room {
        Room {
            code: self.relay.room.clone(),
            key: self.host.room_key().or(self.relay.key.clone()),
            host: self.relay.host,
            host_key: self.relay.host_key.clone(),
        }
    }

    /// Whether this peer wants direct paths. In a room that anybody may enter nobody is shown where others are.
    fn wants_any(&self) -> bool {
        self.relay.door.is_some() && self.relay.key.is_some()
    }
}

impl Doors {
    /// The relay has let us in: it hears whether and where others may find us.
    pub(crate) fn begin<C: PeerCore, H: PeerHost<C>>(&mut self, by: &mut Hands<'_, C, H>) {
        self.held.clear();
        self.leave_room();
        let link = by.link;
        let can = link.relay_can(DOORS) && !link.relay_can(HERE);
        let Some(endpoint) = link.endpoint().filter(|_| can && by.core.knows_doors()) else {
            return;
        };
        let welcome = link.welcome();
        if by.wants_any() && self.serves(by, endpoint) {
            let numbers = (welcome.peer_id, welcome.room_id);
            self.come_in((endpoint.clone(), link.relay()), numbers);
        }
        self.announce(by);
        self.ask_about_nat(by);
    }

    /// Asks what our NAT does, where that can be found out: once for each link, and again from another address of this machine.
    fn ask_about_nat<C, H>(&mut self, by: &Hands<'_, C, H>) {
        let number = self.at.as_ref().and_then(|_| self.nat.due());
        let question = number.and_then(|_| Question::new(by.link, by.relay));
        let (Some(number), Some(question)) = (number, question) else {
            return;
        };
        let news = self.news.clone();
        self.spawn(async move {
            let finding = question.ask().await;
            let _ = news.send(News(Told::Found(number, finding))).await;
        });
    }

    /// True when guests can come, or need not.
    fn serves<C, H>(&mut self, by: &Hands<'_, C, H>, endpoint: &Endpoint) -> bool {
        if !self.is_gateway {
            return true;
        }
        let own = by
            .relay
            .door
            .as_ref()
            .and_then(|door| door.identity.clone());
        let Some(identity) = self.identity(own) else {
            return false;
        };
        let served = endpoint.serve(&identity, DOOR_ALPN);
        served
            .inspect_err(|error| tracing::warn!(%error, "No door can be opened"))
            .is_ok()
    }

    /// Says to the relay where we are; that it is said again asks for another round.
    fn announce<C: PeerCore, H: PeerHost<C>>(&mut self, by: &mut Hands<'_, C, H>) {
        let offer = match self.own_addresses(by) {
            Some(addresses) => {
                self.told.clone_from(&addresses);
                Offer {
                    open: true,
                    addresses,
                    pin: self.pin(),
                    nat: self.nat.mapping(),
                }
            }
            None => Offer {
                open: false,
                addresses: Vec::new(),
                pin: None,
                nat: None,
            },
        };
        by.link.send_message(PeerMessage::Door(offer));
    }

    fn own_addresses<C: PeerCore, H: PeerHost<C>>(
        &self,
        by: &mut Hands<'_, C, H>,
    ) -> Option<Vec<SocketAddr>> {
        let port = self.at.as_ref()?.endpoint.local_address().ok()?.port();
        let own = by.host.named_addresses(port);
        Some(named(&own, |ip| by.host.is_inside(ip)))
    }

    /// Looks once a second whether the machine is found elsewhere by now, which the relay has to hear.
    pub(crate) fn tell_news<C: PeerCore, H: PeerHost<C>>(&mut self, by: &mut Hands<'_, C, H>) {
        let own = self.own_addresses(by);
        if own.is_some_and(|own| own != self.told) {
            self.announce(by);
        }
        self.ask_about_nat(by);
    }

    /// Why there is no path to anybody, whoever that is; nothing while there may be.
    pub(crate) fn why_none<C: PeerCore, H: PeerHost<C>>(by: &Hands<'_, C, H>) -> Option<NotDirect> {
        let link = by.link;
        if link.relay_can(HERE) || link.endpoint().is_none() || !by.core.knows_doors() {
            return None;
        }
        Some(match by.relay.door.is_some() {
            _ if by.relay.key.is_none() => NotDirect::OpenRoom,
            true if !link.relay_can(DOORS) => NotDirect::OldRelay,
            true if link.connection().is_carried() => NotDirect::OverTcp,
            true => NotDirect::NotYet,
            false if by.core.newcomer() == lanparty_ctrl::message::Newcomer::Gateway => {
                NotDirect::HostOff
            }
            false => NotDirect::PlayerOff,
        })
    }

    /// The relay has said something; the core knows already.
    pub(crate) fn handle_control<C: PeerCore, H: PeerHost<C>>(
        &mut self,
        now: Instant,
        by: &mut Hands<'_, C, H>,
        message: &RelayMessage,
    ) {
        if self.at.is_none() {
            return;
        }
        match message {
            RelayMessage::Meet(meet) if self.held.len() < MAX_HELD => {
                self.held.insert(meet.peer_id, Meet::clone(meet));
            }
            RelayMessage::Go(go) => self.go(now, *go),
            RelayMessage::NoMeeting(refused) => self.hear_refusal(now, by.link, *refused),
            RelayMessage::Pings(pings) => {
                let rtts = pings.rtt_us.iter();
                rtts.for_each(|&(peer, rtt_us)| self.hear_rtt(peer, rtt_us));
            }
            RelayMessage::PeerLeft(left) => {
                self.held.remove(&left.peer_id);
                self.forget(left.peer_id);
            }
            _ => {}
        }
        // Whom it is about may have been announced, or have proved who it is, just now.
        let known = self.held.keys().copied();
        let known: Vec<_> = known
            .filter(|&peer| by.core.meets(peer).is_some())
            .collect();
        for peer in known {
            if let Some(meet) = self.held.remove(&peer) {
                self.meet(now, by, meet);
            }
        }
    }

    /// Opens our NAT towards the other one.
    fn meet<C: PeerCore, H: PeerHost<C>>(
        &mut self,
        now: Instant,
        by: &mut Hands<'_, C, H>,
        meet: Meet,
    ) {
        let (Some(at), Some(player)) = (&self.at, by.core.meets(meet.peer_id)) else {
            return;
        };
        let around = Around {
            relay: at.relay,
            is_inside: |ip| by.host.is_inside(ip),
            source: source_towards,
            is_at_home: self.is_gateway,
        };
        let addresses = around.worth_trying(&meet.addresses);
        let is_complete = self.is_gateway || meet.pin.is_some();
        self.hear_rtt(meet.peer_id, meet.rtt_us);
        if addresses.is_empty() || !is_complete {
            self.whys.insert(meet.peer_id, NotDirect::NoAnswer);
            return;
        }
        let (ready, gateway) = (ready(&meet), meet.peer_id);
        self.meetings.met(now, meet, player, addresses.clone());
        by.host.keep_outside(&self.addresses(now));
        let Some(at) = &mut self.at else { return };
        if self.is_gateway {
            let mut guests: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
            guests.sort_unstable();
            guests.dedup();
            for guest in guests {
                at.endpoint.expect(guest, now + ROUND, HANDSHAKES);
            }
        } else {
            let punches = at.endpoint.hear_punches(&addresses, now + ROUND);
            at.punches = Some((gateway, punches));
        }
        punch(&at.endpoint, &addresses, &NEAR_HOPS);
        by.link.send_message(PeerMessage::Ready(ready));
    }

    fn go(&mut self, now: Instant, go: Go) {
        if !self.meetings.go(now, go) {
            return;
        }
        if let (Some(at), Some(meeting)) = (&self.at, self.meetings.with(now, go.peer_id)) {
            punch(&at.endpoint, &meeting.addresses, &FAR_HOPS);
        }
    }

    fn hear_refusal(&mut self, now: Instant, link: &RelayLink, refused: NoMeeting) {
        self.meetings.refused(now, refused.why);
        let is_over_tcp = link.connection().is_carried();
        if let Some(why) = refusal(self.is_gateway, is_over_tcp, refused.why) {
            self.whys.insert(refused.peer_id, why);
        }
    }

    /// Does what is due about meetings.
    pub(crate) fn look_after<C: PeerCore, H: PeerHost<C>>(
        &mut self,
        now: Instant,
        by: &mut Hands<'_, C, H>,
    ) {
        for due in self.meetings.poll(now) {
            match due {
                Due::Punch(addresses) => {
                    if let Some(at) = &self.at {
                        addresses.iter().for_each(|&address| {
                            let _ = at.endpoint.punch(address, None);
                        });
                    }
                }
                Due::Call(peer) => self.call(now, peer, by.room()),
                Due::Ask => self.announce(by),
            }
        }
    }

    /// A task has something to tell.
    pub(crate) fn handle_news<C: PeerCore, H: PeerHost<C>>(
        &mut self,
        now: Instant,
        by: &mut Hands<'_, C, H>,
        news: News,
    ) {
        match news.0 {
            Told::Tried(tried) => self.handle_tried(now, by, tried),
            Told::Came(caller) => {
                let cap = by.relay.budget_cap;
                if !self.hear_caller(by.core, now, *caller, by.room(), cap) {
                    return;
                }
            }
            Told::Found(number, finding) => {
                if self.nat.hear(number, finding) {
                    self.announce(by);
                }
                return;
            }
        }
        by.host.keep_outside(&self.addresses(now));
    }

    fn handle_tried<C: PeerCore, H: PeerHost<C>>(
        &mut self,
        now: Instant,
        by: &mut Hands<'_, C, H>,
        tried: Tried,
    ) {
        let Tried {
            door,
            round,
            connection,
        } = tried;
        let numbers = self.at.as_ref().map(|at| (at.own_id, at.room_id));
        let is_ours = numbers == Some((door.client, door.room));
        let path = match connection {
            Ok(path) if is_ours && by.core.meets(door.gateway) == Some(door.player) => path,
            // Dropping it closes it.
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(%error, "There is no direct path");
                if is_ours {
                    let why = match error {
                        NotIn::Unproven => NotDirect::Unproven,
                        NotIn::NoAnswer(_) | NotIn::Greeting(_) => NotDirect::NoAnswer,
                    };
                    self.meetings.failed(now, door.gateway);
                    self.whys.insert(door.gateway, why);
                }
                return;
            }
        };
        self.meetings.succeeded(door.gateway);
        self.open(by.core, now, path, (door, door.client), by.relay.budget_cap);
        by.link.send_message(PeerMessage::Met(Met {
            peer_id: door.gateway,
            round,
        }));
    }
}

/// Opens NATs so many routers far.
fn punch(endpoint: &Endpoint, addresses: &[SocketAddr], hops: &[u8]) {
    for &address in addresses {
        for &hops in hops {
            if let Err(error) = endpoint.punch(address, Some(hops)) {
                tracing::trace!(%error, %address, "Nothing was sent there");
            }
        }
    }
}

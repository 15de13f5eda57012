//! The relay's shell: who is admitted, what is said to whom, and where datagrams go.

use super::Evening;
use super::network::{Said, Side};
use bytes::Bytes;
use lanparty_ctrl::message::{Disconnect, Hello, Reject};
use lanparty_ctrl::{
    ChannelBinding, DisconnectReason, HostOrder, LeaveReason, PeerMessage, RelayMessage,
    ResumeToken,
};
use lanparty_proto::{DatagramBudget, Header, fragment};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Departure, LinkHealth, Step, Verdict};
use lanparty_relay::{Limits, Rates, Registry};
use std::collections::BTreeMap;

pub(super) struct Relay {
    pub(super) registry: Registry<u32>,
    pub(super) seats: BTreeMap<u32, Seat>,
    /// Places that it gave and took back.
    pub(super) gone: Vec<Seat>,
    pub(super) is_up: bool,
}

impl Relay {
    pub(super) fn new() -> Self {
        Relay {
            registry: Registry::new(Limits::default(), Rates::default()),
            seats: BTreeMap::new(),
            gone: Vec::new(),
            is_up: true,
        }
    }
}

impl Evening {
    pub(super) fn relay_hears(&mut self, link: u32) {
        let found = self.network.links.get_mut(&link);
        let said = found.and_then(|link| link.to_relay.pop_front());
        if !self.network.is_open(link) || !self.relay.is_up {
            return;
        }
        match said {
            Some(Said::Handshake) => self.shake_hands(link),
            Some(Said::Message(PeerMessage::Hello(hello))) => self.admit(link, *hello),
            Some(Said::Message(PeerMessage::Stats(stats))) => {
                let now = self.instant();
                if let Some(&place) = self.relay.seats.get(&link) {
                    self.relay
                        .registry
                        .handle_stats(now, place, *stats, LinkHealth::default());
                }
            }
            Some(Said::Message(PeerMessage::Host(order))) => self.obey(link, order),
            Some(Said::Message(PeerMessage::Vouch(_) | PeerMessage::NewKey(_))) => {
                unreachable!("nobody has asked who the host is")
            }
            Some(Said::Message(PeerMessage::Door(door))) => {
                if let Some(&place) = self.relay.seats.get(&link) {
                    self.relay.registry.handle_door(place, door);
                    self.the_relay_introduces();
                }
            }
            Some(Said::Message(PeerMessage::Ready(ready))) => {
                if let Some(&place) = self.relay.seats.get(&link) {
                    self.relay.registry.handle_ready(place, ready);
                    self.the_relay_introduces();
                }
            }
            Some(Said::Message(PeerMessage::Met(met))) => {
                if let Some(&place) = self.relay.seats.get(&link) {
                    self.relay.registry.handle_met(place, met);
                }
            }
            Some(Said::Message(
                PeerMessage::Look | PeerMessage::Find(_) | PeerMessage::Enter(_),
            )) => {
                unreachable!("this is no door, and nobody only looks")
            }
            Some(Said::Message(PeerMessage::Disconnect(goodbye))) => {
                self.give_up_seat(link, goodbye.reason.into());
                self.network.say_to_peer(&mut self.dice, link, Said::Close);
            }
            Some(Said::Close) => self.give_up_seat(link, LeaveReason::Closed),
            None => {}
        }
    }

    fn shake_hands(&mut self, link: u32) {
        let found = self.network.links.get_mut(&link).expect("it is open");
        if !std::mem::replace(&mut found.is_greeted, true) {
            self.network
                .say_to_peer(&mut self.dice, link, Said::Handshake);
        }
    }

    pub(super) fn relay_gets(&mut self, link: u32, datagram: Bytes) {
        let Some(&place) = self.relay.seats.get(&link) else {
            return;
        };
        if !self.network.is_open(link) {
            return;
        }
        let now = self.instant();
        match self.relay.registry.handle_datagram(now, place, datagram) {
            Verdict::Forward(forward) => {
                assert!(!forward.targets.contains(&link), "nothing returns");
                for target in forward.targets {
                    self.pass_on(target, &forward.datagram, forward.frame_id);
                }
            }
            Verdict::Pending | Verdict::Drop(_) => {}
            Verdict::Echo(_) => unreachable!("nobody asks for the path"),
            Verdict::Expel(reason) => panic!("an honest peer is expelled for {reason}"),
        }
        self.check_record(place);
    }

    pub(super) fn relay_gives_up(&mut self, link: u32) {
        self.give_up_seat(link, LeaveReason::TimedOut);
    }

    fn admit(&mut self, link: u32, hello: Hello) {
        let entry = hello.check(ChannelBinding([0; 32])).unwrap().unwrap();
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.dice.bits().to_be_bytes());
        let token = ResumeToken::from_random(random);
        let (now, source) = (self.instant(), [192, 0, 2, 1].into());
        let admitted = self.relay.registry.admit(now, &entry, source, token, link);
        let admission = match admitted {
            Ok(admission) => admission,
            Err(reason) => {
                self.tally.count(format!("refused: {reason:?}"));
                let text = reason.to_string().into();
                let reject = RelayMessage::Reject(Reject { reason, text });
                self.network
                    .say_to_peer(&mut self.dice, link, Said::Message(reject));
                return;
            }
        };
        self.note(|| format!("link {link} is admitted: {:?}", admission.place));
        if let Some(replaced) = admission.replaced {
            self.tally.count("resumed");
            self.say(link, replaced.steps);
            let goodbye = RelayMessage::Disconnect(Disconnect {
                reason: DisconnectReason::Replaced,
                text: "".into(),
            });
            let old = replaced.link;
            self.network
                .say_to_peer(&mut self.dice, old, Said::Message(goodbye));
            let place = self.relay.seats.remove(&old).expect("it had a seat");
            self.relay.gone.push(place);
        }
        self.say(link, admission.steps);
        self.relay.seats.insert(link, admission.place);
        self.send_out(link, admission.kicked);
    }

    fn obey(&mut self, link: u32, order: HostOrder) {
        let (now, Some(&place)) = (self.instant(), self.relay.seats.get(&link)) else {
            return;
        };
        let obeyed = self.relay.registry.handle_order(now, place, order);
        let obeyed = obeyed.expect("only the gateway's program orders");
        self.say(link, obeyed.steps);
        self.send_out(link, obeyed.kicked);
    }

    /// By the order of whoever has this link.
    fn send_out(&mut self, host: u32, kicked: Vec<Departure<u32>>) {
        for departure in kicked {
            self.tally.count("kicked");
            let out = departure.link;
            self.note(|| format!("link {out} is sent out"));
            let goodbye = RelayMessage::Disconnect(Disconnect {
                reason: DisconnectReason::Kicked,
                text: "".into(),
            });
            self.network
                .say_to_peer(&mut self.dice, out, Said::Message(goodbye));
            let place = self.relay.seats.remove(&out).expect("it had a seat");
            self.relay.gone.push(place);
            self.say(host, departure.steps);
        }
    }

    fn say(&mut self, newcomer: u32, steps: Vec<Step<u32>>) {
        for step in steps {
            let (link, message) = match step {
                Step::Answer(message) => (newcomer, message),
                Step::Tell(link, message) => (link, message),
            };
            self.network
                .say_to_peer(&mut self.dice, link, Said::Message(message));
        }
    }

    fn give_up_seat(&mut self, link: u32, reason: LeaveReason) {
        let Some(place) = self.relay.seats.remove(&link) else {
            return;
        };
        self.note(|| format!("link {link} leaves: {reason}"));
        let departure = self.relay.registry.leave(place, reason).unwrap();
        self.relay.gone.push(place);
        self.say(link, departure.steps);
    }

    fn pass_on(&mut self, target: u32, datagram: &Bytes, frame_id: u16) {
        let (header, frame) = Header::decode(datagram).unwrap();
        let budget = self.network.links[&target].budget;
        for piece in cut(header, frame_id, frame, budget) {
            if self.network.send(&mut self.dice, target, Side::Peer, piece) {
                self.ledger.doubled(frame);
            }
        }
    }
}

/// A frame as datagrams that fit.
pub(super) fn cut(
    header: Header,
    frame_id: u16,
    frame: &[u8],
    budget: DatagramBudget,
) -> Vec<Bytes> {
    let whole = [&header.encode()[..], frame].concat();
    match whole.len() <= budget.bytes() {
        true => vec![whole.into()],
        false => fragment::cut(header, frame_id, frame, budget).collect(),
    }
}

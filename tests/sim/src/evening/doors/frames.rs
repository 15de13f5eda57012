//! What goes by direct paths, and what goes wrong there.

use super::super::network::Event;
use super::super::peer::{Peer, Stage};
use super::super::relay::cut;
use super::super::{CLIENTS, Evening, GATEWAYS, client_mac, lan_mac};
use super::{At, BELIEVES, Parcel, Path, Turn};
use crate::dice::Dice;
use crate::frames::{BROADCAST, Frame, KINDS, Kind, Mac};
use lanparty_ctrl::{HostOrder, LeaveReason, PeerMessage, RelayMessage};
use lanparty_obs::DropReason;
use lanparty_peer::door::Door;
use lanparty_peer::ways::Quality;
use lanparty_proto::{Header, PeerId};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the better way is looked for.
const JUDGED: u64 = 250;
/// After so long an announcement has been heard.
const HEARD: u64 = 1_000;

impl Evening {
    pub(super) fn end_plans(&mut self, path: u32, at: At) {
        let now = self.network.now;
        let Some(end) = self.doors.end(path, at) else {
            return;
        };
        let asks_at = end.ways.poll_timeout();
        let wakes_at = self.moment(asks_at).min(now + JUDGED * 4).max(now + 1);
        let Some(end) = self.doors.end(path, at) else {
            return;
        };
        if wakes_at < end.wakes_at {
            end.wakes_at = wakes_at;
            self.network
                .at(wakes_at, Event::Door(Turn::Wakes(path, at)));
        }
    }

    pub(super) fn end_wakes(&mut self, path: u32, at: At) {
        let (now, instant) = (self.network.now, self.instant());
        let Some(end) = self.doors.end(path, at).filter(|end| end.wakes_at <= now) else {
            return;
        };
        end.wakes_at = u64::MAX;
        let number = self.doors.paths[&path].peers[at as usize];
        if self.peers[number].is_asleep(now) {
            let until = self.peers[number].asleep_until;
            let end = self.doors.end(path, at).expect("it was just there");
            end.wakes_at = until;
            return self.network.at(until, Event::Door(Turn::Wakes(path, at)));
        }
        self.core_wakes(number);
        self.doors_settle(number);
        let relay = self.quality_of_relay(path);
        let Some(end) = self.doors.end(path, at) else {
            return;
        };
        let was_direct = end.ways.is_direct();
        let question = end.ways.poll(instant, 0);
        if end.judged_at + JUDGED <= now {
            end.judged_at = now;
            end.is_only = relay.is_none();
            if let Some(relay) = relay {
                end.ways.judge(instant, relay, 0);
            }
        }
        match (was_direct, end.ways.is_direct()) {
            (false, true) => self.tally.count("frames go straight"),
            (true, false) => self.tally.count("frames go back to the relay"),
            _ => {}
        }
        if let Some(question) = question {
            self.sends(path, at, Parcel::Question(question.number));
        }
        self.end_plans(path, at);
    }

    /// Of the two links to the relay together, while both stand.
    fn quality_of_relay(&self, path: u32) -> Option<Quality> {
        let mut rtt = 0;
        for number in self.doors.paths[&path].peers {
            let peer = &self.peers[number];
            let link = peer.link.filter(|_| peer.stage == Stage::Joined)?;
            rtt += self.network.links.get(&link)?.rtt();
        }
        Some(Quality {
            rtt: Duration::from_millis(rtt),
            loss_permille: 0,
        })
    }

    fn sends(&mut self, path: u32, at: At, parcel: Parcel) {
        let calm = self.network.is_calm;
        let Some(found) = self.doors.paths.get(&path) else {
            return;
        };
        let ((least, most), lost) = (found.delay, found.lost_one_in);
        if found.is_broken || !calm && self.dice.one_in(lost) {
            return;
        }
        let delay = self.dice.between(least, most) as u64;
        let arrives = Turn::Arrives(path, at.other(), parcel);
        self.network.after(delay, Event::Door(arrives));
    }

    // Frames.

    /// Sends a frame straight that its core has let through, if that is its way; false when it has to go by the relay.
    pub(in super::super) fn sends_straight(
        &mut self,
        number: usize,
        id: u64,
        frame: &[u8],
    ) -> bool {
        let now = self.instant();
        let player = self.peers[number].core.direct_player(now, frame);
        let path = player.and_then(|player| self.doors.of(number, player));
        let Some((path, at)) = path else {
            return false;
        };
        let end = self.doors.end(path, at).expect("it has just been found");
        if !end.is_only && !end.ways.is_direct() {
            return false;
        }
        end.ways.note_sent(now);
        end.last_frame_id = end.last_frame_id.wrapping_add(1);
        let frame_id = end.last_frame_id;
        let known = self.known_to(number);
        self.ledger.goes_straight(id, &known);
        let is_alone = self.peers[number].stage != Stage::Joined;
        self.tally.count(match is_alone {
            true => "frame went straight without a relay",
            false => "frame went straight",
        });
        let header = self.header_of(path, at);
        for piece in cut(header, frame_id, frame, self.doors.paths[&path].budget) {
            self.sends(path, at, Parcel::Datagram(piece));
        }
        self.end_plans(path, at);
        true
    }

    /// The players whom this peer knows to be in the room, as it has had the time to hear of them.
    fn known_to(&self, number: usize) -> BTreeSet<Mac> {
        let now = self.network.now;
        let is_settled = |peer: &Peer| {
            let is_open = peer.link.is_some_and(|link| {
                self.network.is_open(link) && self.relay.seats.contains_key(&link)
            });
            let is_in = peer.stage == Stage::Joined && is_open;
            is_in && peer.joined().max(peer.asleep_until) + HEARD <= now
        };
        let knows = is_settled(&self.peers[number]);
        let others = self.peers.iter().filter(|peer| knows && is_settled(peer));
        others.filter_map(|peer| peer.mac).collect()
    }

    fn header_of(&self, path: u32, at: At) -> Header {
        let Door {
            client,
            gateway,
            room,
            ..
        } = self.doors.paths[&path].door;
        Header {
            peer: if at == At::Client { client } else { gateway },
            room,
            fragment: false,
        }
    }

    pub(super) fn end_gets(&mut self, path: u32, at: At, parcel: Parcel) {
        let (now, instant) = (self.network.now, self.instant());
        if self.doors.end(path, at).is_none() {
            return;
        }
        let Path { peers, door, .. } = &self.doors.paths[&path];
        let (peers, player) = (*peers, door.player);
        let number = peers[at as usize];
        if self.peers[number].is_asleep(now) {
            return;
        }
        let known = self.known_to(number);
        match parcel {
            Parcel::Question(asked) => self.sends(path, at, Parcel::Echo(asked)),
            Parcel::Echo(asked) => {
                let end = self.doors.end(path, at).expect("it is there");
                end.ways.handle_echo(instant, asked);
            }
            Parcel::Datagram(datagram) => {
                let peer = &mut self.peers[number];
                peer.counts.datagrams += 1;
                match peer.core.handle_direct(instant, player, datagram) {
                    Ok(Some(frame)) => {
                        peer.counts.frames_delivered += 1;
                        let mac = peer.mac;
                        let sender = peers[at.other() as usize];
                        let is_out = self.doors.out.contains(&(number, sender));
                        assert!(at == At::Client || !is_out, "who is out is not heard");
                        self.ledger.comes_straight(&frame, sender, &known);
                        self.ledger.delivered(now, number, mac, &frame);
                    }
                    Ok(None) => peer.counts.waiting += 1,
                    Err(reason) => {
                        peer.counts.drops += 1;
                        if reason == DropReason::NotDirect {
                            self.tally.count("refused at a door");
                        }
                    }
                }
                self.perform(number);
                self.doors_settle(number);
            }
        }
        self.end_plans(path, at);
    }

    /// A player and a machine of the LAN play for a while.
    pub(in super::super) fn two_play(&mut self) {
        let client = self.dice.between(0, CLIENTS - 1);
        let (player, station) = (client_mac(client), lan_mac(self.dice.between(1, 3)));
        for _ in 0..self.dice.between(1, 16) {
            for (number, source, destination) in [
                (GATEWAYS + client, player, station),
                (0, station, player),
                (1, station, player),
            ] {
                if !self.peers[number].is_asleep(self.network.now) {
                    let frame = Frame::new(&mut self.dice, Kind::Game, destination, source);
                    self.send(number, frame);
                }
            }
            self.time_passes(60);
        }
    }

    /// With nothing lost any more, what two have to say to each other arrives.
    pub(in super::super) fn everybody_plays(&mut self) {
        let paths = self.doors.paths.iter();
        let paths: Vec<_> = paths.map(|(&id, path)| (id, path.peers[0])).collect();
        for (path, client) in paths {
            let ends = [At::Client, At::Gateway].map(|at| self.doors.end(path, at).is_some());
            if ends != [true, true] {
                continue;
            }
            let [_, gateway] = self.doors.paths[&path].peers;
            // One whose place another one has may keep its players' paths for a minute.
            if self.peers[gateway].stage != Stage::Joined {
                continue;
            }
            let (player, station) = (client_mac(client - GATEWAYS), lan_mac(1));
            for (number, source, destination, to) in [
                (client, player, station, gateway),
                (gateway, station, player, client),
            ] {
                let frame = Frame::new(&mut self.dice, Kind::Game, destination, source);
                let id = self.send(number, frame);
                self.run(self.network.now + 400);
                assert_eq!(self.ledger.arrived(id), [to], "from {number}");
            }
        }
    }

    /// Routers are well again.
    pub(in super::super) fn paths_heal(&mut self) {
        for path in self.doors.paths.values_mut() {
            path.is_broken = false;
        }
    }

    // Mishaps.

    /// Its machine sleeps so long that the other ends give it up.
    pub(in super::super) fn doors_fall_silent(&mut self, number: usize) {
        let ends: Vec<_> = self.doors.ends(number).collect();
        for (path, _) in ends {
            for at in [At::Client, At::Gateway] {
                let silence = Event::Door(Turn::Ends(path, at));
                self.network.after(BELIEVES, silence);
            }
        }
    }

    /// A router drops everything from now on, or forgets the two; or lets them through again.
    pub(in super::super) fn a_direct_path_breaks(&mut self) {
        let paths: Vec<_> = self.doors.paths.keys().copied().collect();
        let Some(&path) = self.dice.any(&paths) else {
            return;
        };
        let found = self.doors.paths.get_mut(&path).expect("it was picked");
        found.is_broken = !found.is_broken;
        if found.is_broken {
            self.tally.count("direct path broken");
            self.note(|| format!("the direct path {path} carries nothing any more"));
            if self.dice.one_in(2) {
                for at in [At::Client, At::Gateway] {
                    self.network
                        .after(BELIEVES, Event::Door(Turn::Ends(path, at)));
                }
            }
        }
    }

    /// Somebody's program is not ours, and says whatever it likes by its direct path.
    pub(in super::super) fn somebody_misuses_a_direct_path(&mut self) {
        let paths: Vec<_> = self.doors.paths.keys().copied().collect();
        let Some(&path) = self.dice.any(&paths) else {
            return;
        };
        let at = match self.dice.one_in(4) {
            true => At::Gateway,
            false => At::Client,
        };
        let number = self.doors.paths[&path].peers[at as usize];
        let header = self.header_of(path, at);
        for _ in 0..self.dice.between(1, 8) {
            let (frame, is_own) = a_lie(&mut self.dice, number);
            let (id, bytes) = self.ledger.sent(self.network.now, number, frame);
            self.ledger.is_forced_straight(id, is_own);
            let header = match self.dice.one_in(8) {
                true => Header {
                    peer: PeerId::new(self.dice.between(1, 12) as u16).expect("not zero"),
                    ..header
                },
                false => header,
            };
            let budget = self.doors.paths[&path].budget;
            for piece in cut(header, self.dice.bits() as u16, &bytes, budget) {
                self.sends(path, at, Parcel::Datagram(piece));
            }
        }
        self.tally.count("direct path misused");
    }

    /// The gateway hears that a player is gone. Who has lost the relay alone may play on.
    pub(in super::super) fn a_gateway_hears(&mut self, number: usize, message: &RelayMessage) {
        use LeaveReason::{Closed, Draining, Replaced, TimedOut};
        if let RelayMessage::PeerLeft(left) = message
            && !matches!(left.reason, Closed | Draining | Replaced | TimedOut)
        {
            self.is_out(number, left.peer_id);
        }
    }

    /// The gateway's own program tells the relay that, and does at once itself what it can.
    pub(in super::super) fn gateway_orders(&mut self, number: usize, message: &PeerMessage) {
        let now = self.instant();
        if let PeerMessage::Host(HostOrder::Kick { peer_id }) = message {
            self.is_out(number, *peer_id);
        }
        self.peers[number].core.handle_own(now, message);
        self.perform(number);
        self.doors_settle(number);
    }

    fn is_out(&mut self, number: usize, gone: PeerId) {
        let paths = self
            .doors
            .ends(number)
            .filter(|&(path, at)| at == At::Gateway && self.doors.paths[&path].door.client == gone);
        let peers: Vec<_> = paths
            .map(|(path, _)| self.doors.paths[&path].peers[0])
            .collect();
        self.doors
            .out
            .extend(peers.into_iter().map(|client| (number, client)));
    }
}

/// A frame of any kind from anybody to anybody; and whether it has its sender's MAC.
fn a_lie(dice: &mut Dice, number: usize) -> (Frame, bool) {
    let kind = match *dice.pick(KINDS) {
        // No cutter of ours cuts the longest.
        Kind::Runt | Kind::Jumbo | Kind::Joins | Kind::Leaves | Kind::Stream => Kind::ArpOwn,
        other => other,
    };
    let destination = match dice.between(0, 3) {
        0 => BROADCAST,
        1 => client_mac(dice.between(0, CLIENTS - 1)),
        _ => lan_mac(dice.between(1, 3)),
    };
    let own = number.checked_sub(GATEWAYS).map(client_mac);
    let source = match dice.between(0, 3) {
        // Nobody can tell it of a gateway, whose LAN may have anything.
        0 if own.is_some() => client_mac(dice.between(0, CLIENTS - 1)),
        1 => lan_mac(dice.between(1, 3)),
        _ => own.unwrap_or(lan_mac(dice.between(1, 3))),
    };
    let frame = Frame::new(dice, kind, destination, source);
    (frame, own.is_none_or(|own| own == source))
}

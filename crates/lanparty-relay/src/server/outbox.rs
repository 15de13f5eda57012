//! What waits to be said to a peer: as much as there is to know, and never more.
//!
//! A peer that is far away or slow hears of comings and goings later than they happen. What nobody has been told yet
//! and is over again is not told at all, so what waits is bounded by who is in the room, however often they come and
//! go, and nobody loses its link because others flap.

use lanparty_ctrl::message::Disconnect;
use lanparty_ctrl::{Notice, Pings, RelayMessage};
use lanparty_proto::PeerId;
use std::collections::VecDeque;

/// What is to be said next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Messages(Vec<RelayMessage>),
    /// The last message: the link is closed after it.
    Goodbye(Disconnect),
}

/// The messages, in their order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<RelayMessage>,
    goodbye: Option<Disconnect>,
    /// The gateway that the welcome has told of, before its own announcement.
    welcomed: Option<PeerId>,
}

impl Outbox {
    pub(super) fn push(&mut self, message: RelayMessage) {
        match message {
            RelayMessage::Welcome(ref welcome) => self.welcomed = welcome.gateway,
            RelayMessage::PeerLeft(ref left) => {
                let peer = left.peer_id;
                let was_told = self.is_told_of(peer);
                self.waiting
                    .retain(|message| !announces(message, peer) && met_by(message) != Some(peer));
                // Its number may be somebody else's when this is read.
                if let Some(pings) = self.pings() {
                    pings.forget(peer);
                }
                self.welcomed.take_if(|welcomed| *welcomed == peer);
                if !was_told {
                    return;
                }
            }
            RelayMessage::Notice(ref notice) => {
                if let Some(same) = self.same_notice(notice) {
                    same.frames += notice.frames;
                    return;
                }
            }
            RelayMessage::Pings(later) => {
                // Behind all announcements: it may be about those.
                let mut pings = self.take_pings().unwrap_or_default();
                pings.follow(later);
                self.waiting.push_back(RelayMessage::Pings(pings));
                return;
            }
            // However often the host wants something, it hears of the last time.
            RelayMessage::NotPlaced(_) => {
                let is_other = |message: &_| !matches!(message, RelayMessage::NotPlaced(_));
                self.waiting.retain(is_other);
            }
            RelayMessage::Meet(_) | RelayMessage::NoMeeting(_) => {
                // What was said of this one before is over, however often it is said.
                let peer = met_by(&message);
                self.waiting.retain(|message| met_by(message) != peer);
            }
            _ => {}
        }
        self.waiting.push_back(message);
    }

    /// This is the last word.
    pub(super) fn say_goodbye(&mut self, goodbye: Disconnect) {
        self.goodbye.get_or_insert(goodbye);
    }

    /// True while an answer to the host waits that says all it could ask for.
    pub(super) fn owes_members(&self) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|message| matches!(message, RelayMessage::Members(_)))
    }

    /// Takes up to so many messages, then the goodbye.
    pub(super) fn take(&mut self, most: usize) -> Option<Next> {
        if self.waiting.is_empty() {
            return self.goodbye.take().map(Next::Goodbye);
        }
        Some(Next::Messages(match self.waiting.len() <= most {
            // With their memory: most peers wait for nothing nearly always.
            true => std::mem::take(&mut self.waiting).into(),
            false => self.waiting.drain(..most).collect(),
        }))
    }

    /// A notice that waits and says the same but for its number.
    fn same_notice(&mut self, notice: &Notice) -> Option<&mut Notice> {
        let mut waiting = self.waiting.iter_mut();
        waiting.find_map(|message| match message {
            RelayMessage::Notice(other) => {
                let frames = other.frames;
                let notice = Notice {
                    frames,
                    ..notice.clone()
                };
                (*other == notice).then_some(other)
            }
            _ => None,
        })
    }

    fn pings(&mut self) -> Option<&mut Pings> {
        let mut waiting = self.waiting.iter_mut();
        waiting.find_map(|message| match message {
            RelayMessage::Pings(pings) => Some(pings),
            _ => None,
        })
    }

    fn take_pings(&mut self) -> Option<Pings> {
        let pings = std::mem::take(self.pings()?);
        self.waiting
            .retain(|message| !matches!(message, RelayMessage::Pings(_)));
        Some(pings)
    }

    /// True when the peer knows of this one, from an announcement that does not wait any more or from its welcome.
    fn is_told_of(&self, peer: PeerId) -> bool {
        let mut waiting = self.waiting.iter();
        self.welcomed == Some(peer) || !waiting.any(|message| announces(message, peer))
    }
}

fn announces(message: &RelayMessage, peer: PeerId) -> bool {
    matches!(message, RelayMessage::PeerJoined(joined) if joined.peer_id == peer)
}

/// Whom a word about a meeting is about.
fn met_by(message: &RelayMessage) -> Option<PeerId> {
    match message {
        RelayMessage::Meet(meet) => Some(meet.peer_id),
        RelayMessage::Go(go) => Some(go.peer_id),
        RelayMessage::NoMeeting(none) => Some(none.peer_id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::door::{Go, Meet, MeetSecret, NoMeeting, NoMeetingReason};
    use lanparty_ctrl::message::{PeerJoined, PeerLeft, Welcome};
    use lanparty_ctrl::{DisconnectReason, LeaveReason, NoticeKind, ResumeToken, Role};
    use lanparty_proto::{IpMtu, RoomId};

    fn peer(number: u16) -> PeerId {
        PeerId::new(number).unwrap()
    }

    fn joined(number: u16) -> RelayMessage {
        RelayMessage::PeerJoined(PeerJoined {
            peer_id: peer(number),
            role: Role::Client,
            mac: None,
            name: None,
            identity: None,
            host_challenge: None,
            tells_groups: false,
            takes_new_keys: false,
            term: None,
        })
    }

    fn left(number: u16) -> RelayMessage {
        RelayMessage::PeerLeft(PeerLeft {
            peer_id: peer(number),
            reason: LeaveReason::Closed,
        })
    }

    fn meet(number: u16, round: u32) -> RelayMessage {
        let address = "192.0.2.1:40000".parse().unwrap();
        RelayMessage::Meet(Box::new(Meet {
            peer_id: peer(number),
            round,
            addresses: vec![address],
            seen: address,
            secret: MeetSecret::from_random([7; 32]),
            pin: None,
            rtt_us: 0,
            nat: None,
        }))
    }

    fn welcome(gateway: Option<u16>) -> RelayMessage {
        RelayMessage::Welcome(Welcome {
            room_id: RoomId::new(1).unwrap(),
            peer_id: peer(99),
            effective_mtu: IpMtu::MIN,
            gateway: gateway.map(peer),
            resume_token: ResumeToken::from_random([0; 16]),
            capabilities: Vec::new(),
            term: None,
            fence: None,
            region: None,
        })
    }

    fn outbox(messages: impl IntoIterator<Item = RelayMessage>) -> Outbox {
        let mut outbox = Outbox::default();
        messages
            .into_iter()
            .for_each(|message| outbox.push(message));
        outbox
    }

    fn told(outbox: &mut Outbox) -> Vec<RelayMessage> {
        match outbox.take(usize::MAX) {
            Some(Next::Messages(messages)) => messages,
            None => Vec::new(),
            Some(Next::Goodbye(goodbye)) => panic!("{goodbye:?}"),
        }
    }

    #[test]
    fn who_comes_and_goes_untold_is_not_told_of() {
        let mut outbox = outbox([joined(1), joined(2), left(1), joined(3), left(3)]);
        assert_eq!(told(&mut outbox), [joined(2)]);
        outbox.push(left(2));
        assert_eq!(told(&mut outbox), [left(2)], "it was told of");
    }

    #[test]
    fn a_flapping_member_fills_no_outbox() {
        let mut outbox = outbox([joined(1)]);
        told(&mut outbox);
        outbox.push(left(1));
        for number in 2..60_000 {
            outbox.push(joined(number));
            outbox.push(left(number));
        }
        outbox.push(joined(60_000));
        assert_eq!(told(&mut outbox), [left(1), joined(60_000)]);
    }

    #[test]
    fn a_number_that_is_given_again_is_somebody_else() {
        let mut outbox = outbox([joined(1)]);
        told(&mut outbox);
        outbox.push(left(1));
        outbox.push(joined(1));
        assert_eq!(outbox.waiting.len(), 2);
        outbox.push(left(1));
        assert_eq!(told(&mut outbox), [left(1)], "only the first was told of");
    }

    #[test]
    fn the_gateway_of_the_welcome_is_told_of_by_that() {
        let mut outbox = outbox([welcome(Some(9)), joined(9), left(9)]);
        assert_eq!(told(&mut outbox), [welcome(Some(9)), left(9)]);
        outbox.push(joined(10));
        outbox.push(left(10));
        assert_eq!(told(&mut outbox), [], "the next one was not");
    }

    #[test]
    fn of_each_pair_only_the_last_meeting_waits() {
        let none = |number| {
            RelayMessage::NoMeeting(NoMeeting {
                peer_id: peer(number),
                why: NoMeetingReason::Spent,
            })
        };
        let go = |number, round| {
            RelayMessage::Go(Go {
                peer_id: peer(number),
                round,
            })
        };
        let mut outbox = outbox([joined(1), meet(1, 1), go(1, 1), meet(2, 1)]);
        for round in 2..1000 {
            outbox.push(none(1));
            outbox.push(meet(1, round));
            outbox.push(go(1, round));
        }
        let expected = [joined(1), meet(2, 1), meet(1, 999), go(1, 999)];
        assert_eq!(outbox.waiting, expected);
        outbox.push(left(1));
        assert_eq!(told(&mut outbox), [meet(2, 1)], "nobody is there to meet");
    }

    #[test]
    fn notices_of_one_kind_are_one() {
        let notice = |kind, frames| RelayMessage::Notice(Notice::new(kind, frames));
        let mut outbox = outbox([
            notice(NoticeKind::GroupRate, 3),
            notice(NoticeKind::ByteRate, 1),
            notice(NoticeKind::GroupRate, 4),
        ]);
        let expected = [
            notice(NoticeKind::GroupRate, 7),
            notice(NoticeKind::ByteRate, 1),
        ];
        assert_eq!(told(&mut outbox), expected);
    }

    #[test]
    fn round_trips_wait_as_one_message_behind_whom_they_are_about() {
        let pings = |rtts: &[(u16, u32)]| {
            let rtts = rtts.iter().map(|&(number, rtt)| (peer(number), rtt));
            RelayMessage::Pings(Pings {
                all: false,
                rtt_us: rtts.collect(),
                loss_permille: None,
            })
        };
        let mut outbox = outbox([joined(1), pings(&[(1, 10), (2, 20)])]);
        // Somebody else with the number 2.
        outbox.push(left(2));
        outbox.push(joined(2));
        for rtt in 0..1000 {
            outbox.push(pings(&[(1, rtt)]));
        }
        let expected = [joined(1), left(2), joined(2), pings(&[(1, 999)])];
        assert_eq!(told(&mut outbox), expected);
    }

    #[test]
    fn the_goodbye_comes_last_and_once() {
        let mut outbox = outbox([joined(1), joined(2), joined(3)]);
        let goodbye = |text: &str| Disconnect {
            reason: DisconnectReason::Kicked,
            text: text.into(),
        };
        outbox.say_goodbye(goodbye("first"));
        outbox.say_goodbye(goodbye("second"));
        let first = vec![joined(1), joined(2)];
        assert_eq!(outbox.take(2), Some(Next::Messages(first)));
        assert_eq!(outbox.take(2), Some(Next::Messages(vec![joined(3)])));
        assert_eq!(outbox.take(2), Some(Next::Goodbye(goodbye("first"))));
        assert_eq!(outbox.take(2), None);
    }
}

//! What somebody learns who asks for its party and does not enter: all that a hello is asked, and no place.

use super::Registry;
use super::claims::RoomName;
use crate::room::Room;
use crate::sources::source_of;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::places::Found;
use lanparty_ctrl::{RejectReason, Text};
use std::net::IpAddr;
use std::time::Instant;

impl<L: Clone> Registry<L> {
    /// What somebody is to know of the room for which it has shown what a hello shows. It gets no place, and the
    /// rooms stay as they are.
    ///
    /// # Errors
    /// The reason to give it: the one that a hello would have been given.
    pub fn find(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
    ) -> Result<Found, RejectReason> {
        let source = source_of(source);
        let decision = self.decide(now, entry, source)?;
        let is_host = super::admission::is_host(&decision.name, entry);
        if !is_host && !self.joins.may_find(now, source) {
            return Err(RejectReason::RateLimited);
        }
        self.finds += 1;
        let room = decision.room.map(|id| &self.rooms[&id]);
        let is_heard = room.is_some_and(Room::hears_gateway);
        let gateway = match entry.who {
            Newcomer::Client(_) => is_heard,
            Newcomer::Gateway => room.is_some_and(Room::has_gateway),
        };
        let term = room.and_then(Room::term).filter(|_| gateway);
        if !is_heard {
            self.waiting.note(now, entry, source);
        }
        let waiting = match entry.who {
            Newcomer::Client(_) => 0,
            Newcomer::Gateway => self.waiting_for(now, &decision.name),
        };
        Ok(Found {
            gateway,
            term,
            waiting: u16::try_from(waiting).unwrap_or(u16::MAX),
            region: self.region.clone(),
            relays: Vec::new(),
        })
    }

    /// How many players ask for this room, or are in it, while its gateway is not there, or is silent.
    fn waiting_for(&self, now: Instant, name: &RoomName) -> usize {
        let room = self.names.get(name).map(|id| &self.rooms[id]);
        let is_here = |mac| room.is_some_and(|room| room.holder(Newcomer::Client(mac)).is_some());
        let asking = self.waiting.of(now, name, is_here);
        let inside = room.filter(|room| !room.hears_gateway());
        asking + inside.map_or(0, Room::clients)
    }

    /// Tells newcomers from now on that the relay is there.
    pub fn set_region(&mut self, region: Option<Text>) {
        self.region = region;
    }

    /// Where the relay is, as its operator calls it.
    pub fn region(&self) -> Option<&Text> {
        self.region.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::waiting::WAITS;
    use crate::registry::{JoinLimits, Limits};
    use crate::room::Step;
    use crate::testing::{Relay, client, said};
    use lanparty_ctrl::message::{Invitation, Newcomer};
    use lanparty_ctrl::places::Found;
    use lanparty_ctrl::{
        ChannelBinding, FINDS, HostSecret, Pin, RejectReason, RelayMessage, SignedTerm, Term,
    };
    use std::time::Duration;

    const GATEWAY: Newcomer = Newcomer::Gateway;
    const HOST: Option<u8> = Some(1);
    const KEY: u8 = 7;

    /// Asks as somebody with the room key and the host of these numbers.
    fn find(relay: &mut Relay, link: u8, who: Newcomer, key: u8) -> Result<Found, RejectReason> {
        let invitation = Invitation {
            host: HOST.map(crate::testing::host_id),
            ..relay.invitation("lanparty", link, who, key)
        };
        relay.invitation = Some(invitation);
        let entry = relay.entry("lanparty", who);
        relay.registry.find(relay.now, &entry, relay.source)
    }

    fn term(number: u64) -> SignedTerm {
        let room = "lanparty".parse().unwrap();
        let host = HostSecret::from_random([1; 32]).host_key(&room);
        Term::new(number).sign(&host, &room, &Pin::from_sha256([9; 32]))
    }

    #[test]
    fn who_is_invited_finds_the_gateway_and_its_term_and_takes_no_place() {
        let mut relay = Relay::new();
        relay.registry.set_region(Some("Paris".into()));
        assert_eq!(
            find(&mut relay, 2, client(2), KEY),
            Err(RejectReason::NotAuthorised),
            "nobody has claimed it"
        );
        relay.term = Some(term(5));
        let gateway = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
        let before = relay.registry.census();
        let found = find(&mut relay, 2, client(2), KEY).unwrap();
        assert!(found.gateway && found.term == Some(term(5)));
        assert_eq!(found.region, Some("Paris".into()));
        assert_eq!((found.waiting, &found.relays[..]), (0, &[][..]));
        assert_eq!(
            find(&mut relay, 2, client(2), KEY + 1),
            Err(RejectReason::NotAuthorised)
        );
        let after = relay.registry.census();
        assert_eq!((after.players, after.gateways), (0, 1));
        assert_eq!(after.totals, before.totals, "as if nobody had asked");
        relay.leave(gateway);
        let found = find(&mut relay, 2, client(2), KEY).unwrap();
        assert_eq!((found.gateway, found.term), (false, None));
        assert_eq!(relay.registry.rooms(), 0, "the gateway was alone");
    }

    #[test]
    fn a_gateway_that_looks_elsewhere_learns_how_many_wait_there() {
        let mut relay = Relay::new();
        let asks = |relay: &mut Relay| find(relay, 9, GATEWAY, KEY).unwrap().waiting;
        assert_eq!(asks(&mut relay), 0);
        for _ in 0..3 {
            for link in [2, 3] {
                let refused = find(&mut relay, link, client(link), KEY);
                assert_eq!(refused, Err(RejectReason::NotAuthorised));
            }
            relay.advance(Duration::from_millis(1500));
        }
        assert_eq!(asks(&mut relay), 2);
        // A hello that is refused is as good as a find.
        let refused = relay.invited(4, client(4), KEY, HOST);
        assert_eq!(refused, Err(RejectReason::NotAuthorised));
        assert_eq!(asks(&mut relay), 3);
        relay.advance(WAITS);
        assert_eq!(asks(&mut relay), 0);

        let gateway = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
        let player = relay.invited(2, client(2), KEY, HOST).unwrap();
        find(&mut relay, 3, client(3), KEY).unwrap();
        assert_eq!(asks(&mut relay), 0, "the gateway is there");
        relay.leave(gateway);
        assert_eq!(asks(&mut relay), 1, "who is in the room waits for it");
        find(&mut relay, 3, client(3), KEY).unwrap();
        assert_eq!(asks(&mut relay), 2);
        relay.invited(3, client(3), KEY, HOST).unwrap();
        assert_eq!(asks(&mut relay), 2, "and is one only");
        assert_eq!(find(&mut relay, 4, client(4), KEY).unwrap().waiting, 0);
        relay.leave(player);
    }

    #[test]
    fn players_are_told_the_term_of_the_gateway_that_is_there_or_comes() {
        let mut relay = Relay::new();
        relay.registry.set_region(Some("Paris".into()));
        let told = |message: &RelayMessage| match message {
            RelayMessage::Welcome(welcome) => Some((welcome.term, welcome.region.clone())),
            RelayMessage::PeerJoined(joined) => Some((joined.term, None)),
            _ => None,
        };
        let terms = |steps: &[Step<u8>]| -> Vec<_> {
            let messages = steps.iter().map(|step| match step {
                Step::Answer(message) | Step::Tell(_, message) => message,
            });
            messages.filter_map(told).collect()
        };
        let paris = || Some("Paris".into());
        relay.term = Some(term(5));
        let came = relay.invited_to("lanparty", 1, GATEWAY, KEY, HOST).unwrap();
        let able = |step: &Step<u8>| match step {
            Step::Answer(RelayMessage::Welcome(welcome)) => {
                welcome.capabilities.iter().any(|name| name == FINDS)
            }
            _ => false,
        };
        assert!(came.steps.iter().any(able), "{:?}", said(&came.steps));
        relay.term = None;
        let player = relay
            .invited_to("lanparty", 2, client(2), KEY, HOST)
            .unwrap();
        // The gateway hears of the player, who hears of the gateway twice.
        let expected = [
            (None, None),
            (Some(term(5)), paris()),
            (Some(term(5)), None),
        ];
        assert_eq!(terms(&player.steps), expected);
        relay.leave(came.place);
        relay.term = Some(term(6));
        let back = relay.invited_to("lanparty", 1, GATEWAY, KEY, HOST).unwrap();
        let expected = [(None, paris()), (None, None), (Some(term(6)), None)];
        assert_eq!(terms(&back.steps), expected);
    }

    #[test]
    fn who_asks_too_often_is_told_to_wait_and_comes_in_all_the_same() {
        let mut relay = Relay::with(Limits {
            joins: JoinLimits {
                per_address: 1,
                ..JoinLimits::default()
            },
            ..Limits::default()
        });
        let gateway = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
        let finds = (0..100).map(|_| find(&mut relay, 2, client(2), KEY));
        let found: Vec<_> = finds.collect();
        assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 10);
        assert_eq!(found[99], Err(RejectReason::RateLimited));
        assert!(relay.invited(2, client(2), KEY, HOST).is_ok());
        assert_eq!(
            find(&mut relay, 3, client(3), KEY),
            Err(RejectReason::RateLimited),
            "as its hello would be"
        );
        relay.leave(gateway);
        for _ in 0..100 {
            assert!(find(&mut relay, 9, GATEWAY, KEY).is_ok(), "a host may");
        }
        let channel = ChannelBinding([9; 32]);
        let wrong = (0..200).map(|_| {
            relay.source = [192, 0, 2, 77].into();
            let invitation = relay.invitation("lanparty", 3, client(3), KEY + 1);
            relay.invitation = Some(Invitation {
                channel,
                ..invitation
            });
            let entry = relay.entry("lanparty", client(3));
            relay.registry.find(relay.now, &entry, relay.source)
        });
        let wrong: Vec<_> = wrong.collect();
        let told = wrong
            .iter()
            .filter(|told| **told == Err(RejectReason::NotAuthorised));
        assert_eq!(
            told.count(),
            128,
            "as many wrong ones are answered as of hellos"
        );
        assert_eq!(wrong[199], Err(RejectReason::RateLimited));
    }

    #[test]
    fn a_gateway_that_is_silent_is_not_there_for_players_who_wait_for_it_then() {
        let mut relay = Relay::new();
        relay.term = Some(term(5));
        relay.invited(1, GATEWAY, KEY, HOST).unwrap();
        let listens = |relay: &mut Relay, heard: u64| {
            let told = relay.registry.poll_silences(relay.now, |_| heard);
            relay.advance(Duration::from_secs(3));
            told.len()
        };
        listens(&mut relay, 5);
        assert_eq!(listens(&mut relay, 5), 0, "there is nobody to tell");
        let found = find(&mut relay, 2, client(2), KEY).unwrap();
        assert_eq!((found.gateway, found.term), (false, None));
        let found = find(&mut relay, 9, GATEWAY, KEY).unwrap();
        let seen = (found.gateway, found.term, found.waiting);
        assert_eq!(seen, (true, Some(term(5)), 1), "its place is taken");
        // Who comes in all the same is told.
        let player = relay
            .invited_to("lanparty", 2, client(2), KEY, HOST)
            .unwrap();
        let told = said(&player.steps);
        let silence = told.last().unwrap();
        assert!(silence.contains("silent: true"), "{told:?}");
        listens(&mut relay, 6);
        let found = find(&mut relay, 3, client(3), KEY).unwrap();
        assert_eq!((found.gateway, found.term), (true, Some(term(5))));
        let other = relay.invited_to("lanparty", 3, client(3), KEY, HOST);
        let told = said(&other.unwrap().steps);
        assert!(!told.concat().contains("silent"), "{told:?}");
    }

    #[test]
    fn who_has_a_wrong_key_waits_for_nobody_where_the_right_one_is_known() {
        let mut relay = Relay::new();
        let gateway = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
        let asks = |relay: &mut Relay| find(relay, 9, GATEWAY, KEY).unwrap().waiting;
        relay.leave(gateway);
        for link in 2..50 {
            let refused = find(&mut relay, link, client(link), KEY + 1);
            assert_eq!(refused, Err(RejectReason::NotAuthorised));
        }
        assert_eq!(asks(&mut relay), 0);
        find(&mut relay, 2, client(2), KEY).unwrap();
        assert_eq!(asks(&mut relay), 1, "this one has proved it");
    }
}

//! Two who are introduced, with the time and what the relay sees of them in the test's hand.

use super::*;
use crate::registry::{GuessLimits, Limits, Seat};
use crate::room::Rates;
use crate::testing::{Link, Relay};
use lanparty_ctrl::{DOORS, HERE, HostOrder, Pin};
use std::cell::Cell;
use std::collections::BTreeMap;

const GATEWAY: Link = 9;
const ANN: Link = 1;
const BEN: Link = 2;
const PIN: [u8; 32] = [9; 32];

/// A room whose members are seen somewhere.
struct Party {
    relay: Relay,
    seats: BTreeMap<Link, Seat>,
    sights: BTreeMap<Link, Sight>,
    secrets: u8,
    /// How often it was asked where somebody is seen.
    looks: Cell<u32>,
    /// When the last rounds began.
    rounds: Vec<Instant>,
}

impl Party {
    fn new() -> Self {
        Party::of(&[GATEWAY, ANN, BEN])
    }

    fn of(links: &[Link]) -> Self {
        let mut party = Party {
            relay: Relay::new(),
            seats: BTreeMap::new(),
            sights: BTreeMap::new(),
            secrets: 0,
            looks: Cell::new(0),
            rounds: Vec::new(),
        };
        links.iter().for_each(|&link| party.enter(link));
        party
    }

    fn enter(&mut self, link: Link) {
        let seat = match link {
            GATEWAY => self.relay.gateway(GATEWAY),
            client => self.relay.client(client),
        };
        self.seats.insert(link, seat);
        self.see(link, &format!("203.0.{link}.10:40000"));
    }

    fn see(&mut self, link: Link, address: &str) {
        let sight = Sight {
            address: address.parse().unwrap(),
            relay: Some("192.0.2.1:4433".parse().unwrap()),
            rtt: Duration::from_millis(link.into()),
        };
        self.sights.insert(link, sight);
    }

    fn peer(&self, link: Link) -> PeerId {
        self.seats[&link].peer
    }

    /// Says `door`, and answers what that leads to.
    fn door(&mut self, link: Link, door: Door) -> Vec<(Link, RelayMessage)> {
        self.relay.registry.handle_door(self.seats[&link], door);
        self.poll_after(Some(link))
    }

    fn opens(&mut self, link: Link) -> Vec<String> {
        let said = self.door(link, open(&[]));
        words(&said)
    }

    fn ready(&mut self, link: Link, other: Link, round: u32) -> Vec<String> {
        let peer_id = self.peer(other);
        let ready = Ready { peer_id, round };
        self.relay.registry.handle_ready(self.seats[&link], ready);
        let said = self.poll_after(Some(link));
        words(&said)
    }

    fn met(&mut self, link: Link, round: u32) {
        let peer_id = self.peer(GATEWAY);
        let met = Met { peer_id, round };
        self.relay.registry.handle_met(self.seats[&link], met);
    }

    fn poll(&mut self) -> Vec<(Link, RelayMessage)> {
        self.poll_after(None)
    }

    /// After this one's words.
    fn poll_after(&mut self, speaker: Option<Link>) -> Vec<(Link, RelayMessage)> {
        let (sights, secrets) = (&self.sights, &mut self.secrets);
        let secret = || {
            *secrets = secrets.wrapping_add(1);
            MeetSecret::from_random([*secrets; 32])
        };
        let looks = &self.looks;
        let sight = |link: &Link| {
            looks.set(looks.get() + 1);
            sights.get(link).copied()
        };
        let of = speaker.map(|link| self.seats[&link]);
        let registry = &mut self.relay.registry;
        let steps = registry.poll_meetings(self.relay.now, of, sight, secret);
        let said = steps.into_iter().map(|step| match step {
            Step::Tell(link, message) => (link, message),
            Step::Answer(_) => panic!("nobody has asked"),
        });
        said.collect()
    }

    fn after(&mut self, wait: Duration) -> Vec<String> {
        self.relay.advance(wait);
        let said = self.poll();
        words(&said)
    }

    /// Lets `link` ask for a round each second, which never leads to anything; answers how many there are, and notes when.
    fn tries(&mut self, link: Link, seconds: u32, door: impl Fn(u32) -> Door) -> usize {
        let before = self.rounds.len();
        for second in 0..seconds {
            let said = self.door(link, door(second));
            if said
                .iter()
                .any(|(_, said)| matches!(said, RelayMessage::Meet(_)))
            {
                self.rounds.push(self.relay.now);
                let round = u32::try_from(self.rounds.len()).unwrap();
                self.ready(GATEWAY, link, round);
                self.ready(link, GATEWAY, round);
            }
            self.relay.advance(Duration::from_secs(1));
        }
        self.rounds.len() - before
    }

    fn totals(&self) -> Introductions {
        self.relay.registry.census().totals.introductions
    }
}

fn open(addresses: &[&str]) -> Door {
    Door {
        open: true,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        pin: Some(Pin::from_sha256(PIN)),
        nat: None,
    }
}

fn closed() -> Door {
    Door {
        open: false,
        ..open(&[])
    }
}

fn words(said: &[(Link, RelayMessage)]) -> Vec<String> {
    let words = said.iter().map(|(link, message)| match message {
        RelayMessage::Meet(meet) => format!("{link}: meet {} round {}", meet.peer_id, meet.round),
        RelayMessage::Go(go) => format!("{link}: go {} round {}", go.peer_id, go.round),
        RelayMessage::NoMeeting(none) => {
            format!("{link}: not {}, {}", none.peer_id, none.why.name())
        }
        other => panic!("{other:?}"),
    });
    words.collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn both_are_told_of_each_other_and_go_once_both_are_ready() {
    let mut party = Party::new();
    assert_eq!(party.opens(ANN), NOTHING);
    assert_eq!(
        party.opens(GATEWAY),
        ["9: meet 2 round 1", "1: meet 1 round 1"]
    );
    assert_eq!(party.ready(ANN, GATEWAY, 1), NOTHING);
    assert_eq!(party.ready(ANN, GATEWAY, 1), NOTHING);
    assert_eq!(party.ready(GATEWAY, ANN, 2), NOTHING, "another round");
    assert_eq!(party.ready(GATEWAY, BEN, 1), NOTHING, "another player");
    assert_eq!(
        party.ready(GATEWAY, ANN, 1),
        ["9: go 2 round 1", "1: go 1 round 1"]
    );
    assert_eq!(party.ready(GATEWAY, ANN, 1), NOTHING, "it is over");
    party.met(ANN, 1);
    party.met(ANN, 1);
    let expected = Introductions {
        rounds: 1,
        ready: 1,
        met: 1,
        refused: [0; 6],
    };
    assert_eq!(party.totals(), expected);
}

#[test]
fn each_hears_where_the_other_is_seen_and_only_a_client_of_the_gateways_pin() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    let door = Door {
        nat: Some(lanparty_ctrl::door::Mapping::Varies),
        ..open(&["192.168.1.5:40000", "127.0.0.1:40000"])
    };
    party.door(ANN, door);
    // Behind one NAT, whose port is another by now.
    party.see(ANN, "203.0.9.10:50000");
    let said = party.door(GATEWAY, open(&["192.168.1.9:40000"]));
    let [
        (GATEWAY, RelayMessage::Meet(gateways)),
        (ANN, RelayMessage::Meet(anns)),
    ] = &said[..]
    else {
        panic!("{said:?}");
    };
    let expected = |addresses: [&str; 2]| addresses.map(|text| text.parse().unwrap()).to_vec();
    let anns_are = expected(["203.0.9.10:50000", "192.168.1.5:40000"]);
    let gateways_are = expected(["203.0.9.10:40000", "192.168.1.9:40000"]);
    assert_eq!(
        (&gateways.addresses, &anns.addresses),
        (&anns_are, &gateways_are)
    );
    assert_eq!((gateways.seen, anns.seen), (gateways_are[0], anns_are[0]));
    assert_eq!(
        (gateways.pin, anns.pin),
        (None, Some(Pin::from_sha256(PIN)))
    );
    assert_eq!((gateways.rtt_us, anns.rtt_us), (1_000, 9_000));
    assert_eq!(gateways.nat, Some(lanparty_ctrl::door::Mapping::Varies));
    assert_eq!(gateways.secret, anns.secret);
    assert_eq!(
        (gateways.peer_id, anns.peer_id),
        (party.peer(ANN), party.peer(GATEWAY))
    );
}

#[test]
fn who_only_says_what_its_nat_does_asks_for_no_round() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.opens(GATEWAY);
    party.opens(ANN);
    party.relay.advance(PAUSE);
    let door = Door {
        nat: Some(lanparty_ctrl::door::Mapping::Varies),
        ..open(&[])
    };
    for link in [ANN, GATEWAY] {
        let said = party.door(link, door.clone());
        assert!(said.is_empty(), "{said:?}");
    }
    // The next one knows of it.
    let said = party.door(ANN, door);
    let told = said.iter().map(|(_, message)| match message {
        RelayMessage::Meet(meet) => meet.nat,
        other => panic!("{other:?}"),
    });
    let varies = Some(lanparty_ctrl::door::Mapping::Varies);
    assert_eq!(told.collect::<Vec<_>>(), [varies, varies]);
}

#[test]
fn each_round_has_another_secret() {
    let mut party = Party::of(&[GATEWAY, ANN, BEN]);
    party.opens(ANN);
    party.opens(BEN);
    let said = party.door(GATEWAY, open(&[]));
    let secrets = said.iter().map(|(_, message)| match message {
        RelayMessage::Meet(meet) => String::from(meet.secret.clone()),
        other => panic!("{other:?}"),
    });
    let secrets: Vec<_> = secrets.collect();
    assert_eq!(secrets.len(), 4);
    assert_eq!((&secrets[0], &secrets[2]), (&secrets[1], &secrets[3]));
    assert_ne!(secrets[0], secrets[2]);
}

#[test]
fn a_round_that_one_does_not_answer_ends_and_nobody_goes() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.opens(GATEWAY);
    party.opens(ANN);
    party.ready(ANN, GATEWAY, 1);
    assert_eq!(party.after(ANSWERED_WITHIN), NOTHING);
    assert_eq!(party.ready(GATEWAY, ANN, 1), NOTHING, "too late");
    // Whoever asks again gets another one.
    assert_eq!(party.opens(ANN), NOTHING, "too soon");
    let wait = PAUSE - ANSWERED_WITHIN;
    assert_eq!(
        party.after(wait),
        ["9: meet 2 round 2", "1: meet 1 round 2"]
    );
}

#[test]
fn three_rounds_in_vain_are_followed_by_one_in_five_minutes() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.opens(GATEWAY);
    assert_eq!(party.tries(ANN, 60, |_| open(&[])), 3);
    let said = party.opens(ANN);
    assert_eq!(
        said,
        ["1: not 1, spent"],
        "and it is told so, each time it asks"
    );
    assert_eq!(party.tries(ANN, 600, |_| open(&[])), 2);
    let waits = party.rounds.windows(2).map(|pair| pair[1] - pair[0]);
    let waits: Vec<_> = waits.collect();
    assert!(waits[..2].iter().all(|&wait| wait == PAUSE), "{waits:?}");
    assert!(
        waits[2..].iter().all(|&wait| wait == LONG_PAUSE),
        "{waits:?}"
    );
    // Nobody has to ask again.
    let met = party.after(LONG_PAUSE);
    assert_eq!(met, ["9: meet 2 round 6", "1: meet 1 round 6"]);
}

#[test]
fn one_that_has_led_to_something_counts_for_nothing() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.opens(GATEWAY);
    // A NAT that forgets every minute.
    for round in 1..20 {
        assert_eq!(party.tries(ANN, 1, |_| open(&[])), 1, "{round}");
        party.met(ANN, round);
        party.relay.advance(Duration::from_secs(60));
    }
    // It says the same of a round that it has said it of, and of one that there was not.
    assert_eq!(party.tries(ANN, 60, |_| open(&[])), 3);
    party.met(ANN, 19);
    party.met(ANN, 99);
    assert_eq!(party.tries(ANN, 60, |_| open(&[])), 0);
}

#[test]
fn what_is_new_of_where_they_are_is_tried_but_not_each_time_that_it_changes() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.opens(GATEWAY);
    party.tries(ANN, 20, |_| open(&[]));
    // A router has opened a port meanwhile.
    party.door(GATEWAY, open(&["203.0.9.10:41000"]));
    assert_eq!(party.tries(ANN, 60, |_| open(&[])), 1);
    let moving = |second| open(&[&format!("203.0.1.10:{}", 2000 + second)]);
    let rounds = party.tries(ANN, 600, moving);
    assert_eq!(rounds, 20, "one each half minute");
}

#[test]
fn who_has_a_direct_path_is_left_alone_by_what_is_new_of_the_gateway() {
    let mut party = Party::new();
    party.opens(ANN);
    party.opens(BEN);
    party.opens(GATEWAY);
    party.met(ANN, 1);
    party.relay.advance(PAUSE);
    let said = party.door(GATEWAY, open(&["203.0.9.10:41000"]));
    assert_eq!(words(&said), ["9: meet 3 round 2", "2: meet 1 round 2"]);
    assert_eq!(party.after(PAUSE), NOTHING);
    // But it is lost when the gateway moves, and when she says so.
    party.see(GATEWAY, "203.0.9.11:40000");
    let both = ["9: meet 2 round 2", "1: meet 1 round 2"];
    let said = party.opens(GATEWAY);
    assert_eq!(&said[..2], both);
    party.met(ANN, 2);
    party.relay.advance(PAUSE);
    assert_eq!(party.opens(ANN), ["9: meet 2 round 3", "1: meet 1 round 3"]);
}

#[test]
fn who_says_no_is_not_met_and_the_other_one_hears_that_once() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.door(GATEWAY, closed());
    assert_eq!(party.opens(ANN), ["1: not 1, closed"]);
    assert_eq!(party.after(Duration::from_secs(60)), NOTHING);
    assert_eq!(party.opens(ANN), ["1: not 1, closed"], "it has asked");
    assert_eq!(
        party.opens(GATEWAY),
        ["9: meet 2 round 1", "1: meet 1 round 1"]
    );
    let said = party.door(ANN, closed());
    assert_eq!(words(&said), ["9: not 2, closed"]);
    party.ready(GATEWAY, ANN, 1);
    assert_eq!(party.ready(ANN, GATEWAY, 1), NOTHING, "it does not want to");
    let without_pin = Door {
        pin: None,
        ..open(&[])
    };
    party.door(GATEWAY, without_pin);
    party.relay.advance(PAUSE);
    assert_eq!(
        party.opens(ANN),
        ["1: not 1, closed"],
        "nobody would know it"
    );
}

#[test]
fn nothing_is_sent_to_who_does_not_know_doors() {
    let mut party = Party::of(&[GATEWAY]);
    party.relay.knows_doors = false;
    party.enter(ANN);
    assert_eq!(party.opens(GATEWAY), ["9: not 2, unable"]);
    assert_eq!(party.opens(ANN), NOTHING, "nobody has told it of doors");
    assert_eq!(party.after(Duration::from_secs(600)), NOTHING);
}

#[test]
fn who_is_seen_nowhere_is_not_met_until_it_is() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    // Over TCP, or from within this program.
    party.sights.remove(&ANN);
    party.opens(GATEWAY);
    assert_eq!(party.opens(ANN), ["9: not 2, unseen", "1: not 1, unseen"]);
    party.see(ANN, "203.0.1.10:40000");
    assert_eq!(
        party.after(PAUSE),
        ["9: meet 2 round 1", "1: meet 1 round 1"]
    );
    // Beside the relay, behind a router of its own.
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.see(GATEWAY, "127.0.0.1:40000");
    party.opens(GATEWAY);
    assert_eq!(party.opens(ANN), ["9: not 2, unseen", "1: not 1, unseen"]);
    let said = party.door(GATEWAY, open(&["203.0.9.10:41000"]));
    assert_eq!(words(&said), ["9: meet 2 round 1", "1: meet 1 round 1"]);
}

#[test]
fn a_kicked_player_is_met_no_more_and_a_new_gateway_is_met_anew() {
    let mut party = Party::new();
    party.opens(ANN);
    party.opens(BEN);
    party.opens(GATEWAY);
    party.ready(ANN, GATEWAY, 1);
    let peer_id = party.peer(ANN);
    let order = HostOrder::Kick { peer_id };
    let host = party.seats[&GATEWAY];
    let now = party.relay.now;
    party.relay.registry.handle_order(now, host, order).unwrap();
    assert_eq!(party.ready(GATEWAY, ANN, 1), NOTHING);
    assert_eq!(party.ready(ANN, GATEWAY, 1), NOTHING);
    assert_eq!(party.opens(ANN), NOTHING);
    party.relay.leave(host);
    assert_eq!(party.ready(BEN, GATEWAY, 1), NOTHING);
    party.enter(GATEWAY);
    party.relay.advance(PAUSE);
    assert_eq!(
        party.opens(GATEWAY),
        ["9: meet 3 round 2", "2: meet 4 round 2"]
    );
}

#[test]
fn a_room_introduces_only_so_many_a_second_and_everybody_has_a_turn() {
    let mut party = Party::of(&[GATEWAY]);
    let crowd: Vec<Link> = (10..210).collect();
    let limits = Limits {
        clients_per_room: crowd.len(),
        ..Limits::default()
    };
    let Relay { registry, now, .. } = &mut party.relay;
    registry.set_limits(*now, limits, Rates::default(), GuessLimits::default());
    party.opens(GATEWAY);
    for &link in &crowd {
        party.relay.source = [192, 0, 2, link].into();
        party.enter(link);
    }
    let mut rounds: BTreeMap<Link, u32> = BTreeMap::new();
    for _ in 0..30 {
        let words = crowd.iter().copied().map(Some);
        for speaker in words.chain([None]) {
            let said = match speaker {
                Some(link) => party.door(link, open(&[])),
                None => party.poll(),
            };
            let meets = said.iter().filter_map(|(link, said)| match said {
                RelayMessage::Meet(meet) if *link != GATEWAY => Some((*link, meet.round)),
                _ => None,
            });
            let meets: Vec<_> = meets.collect();
            for (link, round) in meets {
                // Each claims each time to have met.
                party.met(link, round);
                *rounds.entry(link).or_default() += 1;
            }
        }
        party.relay.advance(Duration::from_secs(1));
    }
    let all: u32 = rounds.values().sum();
    let most = OF_ROOM.burst + 30 * OF_ROOM.per_second;
    assert!((most - OF_ROOM.per_second..=most).contains(&all), "{all}");
    assert_eq!(rounds.len(), crowd.len());
    let least = most / u32::try_from(crowd.len()).unwrap() - 1;
    assert!(rounds.values().all(|&each| each >= least), "{rounds:?}");
    assert_eq!(party.totals().rounds, u64::from(all));
}

#[test]
fn a_players_words_cost_no_more_than_itself() {
    let players: Vec<Link> = (1..60).filter(|&link| link != GATEWAY).collect();
    let everybody: Vec<_> = [GATEWAY].into_iter().chain(players.clone()).collect();
    let mut party = Party::of(&[]);
    for &link in &everybody {
        party.relay.source = [192, 0, 2, link].into();
        party.enter(link);
    }
    everybody.iter().for_each(|&link| drop(party.opens(link)));
    party.after(PAUSE);
    // All have tried in vain, and all want to go on.
    for &player in &players {
        party.looks.set(0);
        party.opens(player);
        assert!(party.looks.get() <= 2, "{}", party.looks.get());
    }
}

#[test]
fn a_relay_that_introduces_nobody_says_so() {
    let mut party = Party::of(&[GATEWAY, ANN]);
    party.relay.registry.set_introduces(false);
    assert_eq!(party.opens(GATEWAY), ["9: not 2, relay_refuses"]);
    assert_eq!(party.opens(ANN), ["1: not 1, relay_refuses"]);
    assert_eq!(abilities(&mut party.relay, BEN), NOTHING);
    party.relay.registry.set_introduces(true);
    assert_eq!(
        party.after(PAUSE),
        ["9: meet 2 round 1", "1: meet 1 round 1"]
    );
    assert_eq!(abilities(&mut party.relay, 3), [DOORS]);
}

#[test]
fn a_hosts_own_relay_says_that_there_is_no_shorter_path() {
    let mut relay = Relay::new();
    let registry = std::mem::replace(&mut relay.registry, Relay::new().registry);
    relay.registry = registry.only("lanparty".parse().unwrap(), crate::testing::host_id(1));
    relay.registry.set_introduces(true);
    let host = relay.invited_to("lanparty", GATEWAY, Newcomer::Gateway, 1, Some(1));
    assert_eq!(about_paths(&host.unwrap().steps), [HERE]);
}

fn abilities(relay: &mut Relay, link: Link) -> Vec<String> {
    let admission = relay.admit(link, "lanparty", crate::testing::client(link));
    about_paths(&admission.unwrap().steps)
}

fn about_paths(steps: &[Step<Link>]) -> Vec<String> {
    let welcome = steps.iter().find_map(|step| match step {
        Step::Answer(RelayMessage::Welcome(welcome)) => Some(welcome),
        _ => None,
    });
    let abilities = welcome.unwrap().capabilities.iter().cloned();
    abilities
        .filter(|ability| ability == DOORS || ability == HERE)
        .collect()
}

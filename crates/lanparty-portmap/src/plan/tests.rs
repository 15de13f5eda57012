use super::*;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const PORT: u16 = 443;

/// A plan, and a clock that stands still unless it is moved.
struct Evening {
    plan: Plan,
    now: Instant,
    number: u64,
}

impl Evening {
    fn begin() -> Self {
        let mut evening = Evening {
            plan: Plan::new(Way::IPV4, PORT),
            now: Instant::now(),
            number: 0,
        };
        evening.plan.handle_router(Some(router(1)));
        evening
    }

    fn next(&mut self) -> Option<Order> {
        let (number, order) = self.plan.poll_output()?;
        self.number = number;
        Some(order)
    }

    fn asked(&mut self) -> (Way, u16, u32) {
        match self.next() {
            Some(Order::Open(asked)) => (asked.way, asked.port, asked.lifetime),
            other => panic!("{other:?}"),
        }
    }

    fn refuse(&mut self, why: WhyShut) {
        let answer = Err(why.into());
        self.plan.handle_answer(self.now, self.number, answer);
    }

    fn grant(&mut self, port: u16, lifetime: u32, epoch: Option<u32>) {
        let granted = Granted {
            address: Some(Ipv4Addr::new(203, 0, 113, 7).into()),
            port,
            lifetime,
            epoch,
        };
        self.plan.handle_answer(self.now, self.number, Ok(granted));
    }

    /// Moves the clock to the next thing that is due, and answers with how long that was.
    fn wait(&mut self) -> u64 {
        let due = self.plan.poll_timeout().expect("something is due");
        let waited = due.saturating_duration_since(self.now);
        self.now = due.max(self.now);
        self.plan.handle_timeout(self.now);
        waited.as_secs()
    }

    fn find(&mut self, found: Found) {
        self.plan.handle_found(self.now, self.number, found);
    }

    fn held(&self) -> (Way, u16) {
        match self.plan.outcome() {
            Outcome::Open(held) => (held.way, held.port),
            other => panic!("{other:?}"),
        }
    }

    /// Opened by this way.
    fn opened(way: Way) -> Self {
        let mut evening = Evening::begin();
        while evening.asked().0 != way {
            evening.refuse(WhyShut::Absent);
        }
        evening.grant(PORT, LEASE, (way != Way::Upnp).then_some(100));
        evening
    }
}

fn router(last: u8) -> Router {
    Router {
        address: Ipv4Addr::new(192, 168, last, 1).into(),
        interface: 2,
        own: Ipv4Addr::new(192, 168, last, 20).into(),
    }
}

#[test]
fn each_protocol_alone_opens_the_port() {
    for way in Way::IPV4 {
        let evening = Evening::opened(*way);
        assert_eq!(evening.held(), (*way, PORT));
    }
}

#[test]
fn each_is_asked_for_an_hour_and_the_port_that_the_relay_has() {
    let mut evening = Evening::begin();
    for way in Way::IPV4 {
        assert_eq!(evening.plan.outcome(), Outcome::Asking);
        assert_eq!(evening.asked(), (*way, PORT, 3600));
        evening.refuse(WhyShut::Silent);
    }
    let Outcome::Shut { refusals, .. } = evening.plan.outcome() else {
        panic!("{:?}", evening.plan.outcome());
    };
    assert_eq!(refusals.len(), 3);
    assert_eq!(evening.next(), None);
    assert_eq!(evening.wait(), 60);
    assert_eq!(evening.asked(), (Way::Pcp, PORT, 3600), "from the start");
}

#[test]
fn upnp_gets_other_times_and_ports_where_it_wants_them() {
    use WhyShut::{Absent, ForEverOnly, Refused, Taken, WrongTime};
    for (refusals, asked) in [
        (&[ForEverOnly][..], (PORT, 0)),
        (&[WrongTime], (PORT, 604_800)),
        (&[WrongTime, ForEverOnly], (PORT, 0)),
        (&[Taken], (40_444, 3600)),
        (&[Refused], (40_444, 3600)),
        (&[ForEverOnly, Taken, Taken], (40_445, 0)),
        (&[Taken, Taken, Taken, Taken], (40_447, 3600)),
    ] {
        let mut evening = Evening::begin();
        for _ in 0..2 {
            evening.asked();
            evening.refuse(Absent);
        }
        for refusal in refusals {
            assert_eq!(evening.asked().0, Way::Upnp);
            evening.refuse(*refusal);
        }
        let (port, lifetime) = asked;
        assert_eq!(evening.asked(), (Way::Upnp, port, lifetime), "{refusals:?}");
        evening.grant(port, lifetime, None);
        assert_eq!(evening.held(), (Way::Upnp, port));
    }
}

#[test]
fn a_router_that_refuses_for_ever_is_left_alone() {
    for refusal in [
        WhyShut::Taken,
        WhyShut::Refused,
        WhyShut::WrongTime,
        WhyShut::ForEverOnly,
    ] {
        let mut evening = Evening::begin();
        let mut questions = 0;
        while evening.next().is_some() {
            questions += 1;
            evening.refuse(refusal);
        }
        assert!(questions <= 7, "{refusal:?}: {questions}");
        assert!(matches!(evening.plan.outcome(), Outcome::Shut { .. }));
    }
}

#[test]
fn other_ports_are_none_of_the_services_and_never_none() {
    for (wanted, first) in [
        (443, 40_444),
        (4433, 4434),
        (65_535, 40_001),
        (1023, 41_024),
    ] {
        assert_eq!(next_port(wanted, 1), first);
    }
    for wanted in 1..=u16::MAX {
        for turn in 1..=PORTS {
            assert!(next_port(wanted, turn) >= 1024);
        }
    }
}

#[test]
fn it_is_renewed_at_a_third_of_its_time() {
    for (lifetime, waits) in [
        (3600, 1200),
        (90, 30),
        (12, 4),
        (1, 2),
        (0, 1200),
        (u32::MAX, 1200),
    ] {
        let mut evening = Evening::opened(Way::Upnp);
        // What the router gives in the end is what counts.
        evening.plan.router = None;
        evening.plan.handle_router(Some(router(1)));
        while evening.asked().0 != Way::Upnp {
            evening.refuse(WhyShut::Absent);
        }
        evening.grant(PORT, lifetime, None);
        let begin = evening.now;
        loop {
            evening.wait();
            match evening.next() {
                Some(Order::Look(_)) => evening.find(Found::Ours),
                Some(Order::Open(asked)) => {
                    assert_eq!((asked.way, asked.port), (Way::Upnp, PORT));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        let waited = evening.now.duration_since(begin).as_secs();
        assert_eq!(waited, waits, "{lifetime}");
        evening.grant(PORT, lifetime, None);
        assert_eq!(evening.held(), (Way::Upnp, PORT));
    }
}

#[test]
fn a_router_that_is_silent_when_it_is_renewed_is_asked_again_until_the_time_is_over() {
    let mut evening = Evening::opened(Way::Pcp);
    let begin = evening.now;
    let mut renewals = 0;
    while matches!(evening.plan.outcome(), Outcome::Open(_)) {
        evening.wait();
        match evening.next() {
            Some(Order::Look(_)) => evening.find(Found::Unseen),
            Some(Order::Open(asked)) if evening.plan.outcome() == Outcome::Asking => {
                assert_eq!(asked.way, Way::Pcp, "all ways again");
                break;
            }
            Some(Order::Open(_)) => {
                renewals += 1;
                evening.refuse(WhyShut::Silent);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(evening.now.duration_since(begin).as_secs(), 3600);
    assert!((10..100).contains(&renewals), "{renewals}");
}

#[test]
fn what_a_router_takes_back_is_asked_for_by_all_ways() {
    let mut evening = Evening::opened(Way::NatPmp);
    loop {
        evening.wait();
        match evening.next() {
            Some(Order::Look(_)) => evening.find(Found::Epoch(100 + 30)),
            Some(Order::Open(_)) => break,
            other => panic!("{other:?}"),
        }
        // The clock of the router goes on with ours.
        let State::Open(mapping) = &mut evening.plan.state else {
            panic!("it is open");
        };
        mapping.epoch = None;
    }
    evening.refuse(WhyShut::Refused);
    assert_eq!(evening.asked(), (Way::Pcp, PORT, 3600));
}

#[test]
fn another_port_than_before_is_news() {
    let mut evening = Evening::opened(Way::Pcp);
    let State::Open(mapping) = &mut evening.plan.state else {
        panic!("it is open");
    };
    mapping.renew_at = evening.now;
    evening.wait();
    assert!(matches!(evening.next(), Some(Order::Open(_))));
    evening.grant(1025, LEASE, Some(1));
    assert_eq!(evening.held(), (Way::Pcp, 1025));
}

#[test]
fn a_router_that_has_started_anew_is_asked_at_once() {
    // What it says by itself, and what it answers.
    for is_asked in [false, true] {
        let mut evening = Evening::opened(Way::NatPmp);
        assert_eq!(evening.wait(), 30);
        assert!(matches!(evening.next(), Some(Order::Look(_))));
        evening.find(Found::Epoch(130));
        evening.now += Duration::from_secs(10);
        if is_asked {
            assert_eq!(evening.wait(), 20);
            assert!(matches!(evening.next(), Some(Order::Look(_))));
            evening.find(Found::Epoch(3));
        } else {
            evening.plan.handle_announcement(evening.now, 0);
        }
        assert_eq!(evening.wait(), 0);
        assert_eq!(evening.asked(), (Way::NatPmp, PORT, 3600));
        evening.grant(PORT, LEASE, Some(3));
        assert_eq!(evening.wait(), 30, "and is in peace again");
    }
}

/// Seen with miniupnpd: it had run for two seconds when it was started anew.
#[test]
fn a_router_that_starts_twice_within_seconds_is_asked_though_its_clock_looks_right() {
    let mut evening = Evening::begin();
    evening.asked();
    evening.grant(PORT, LEASE, Some(1));
    evening.now += Duration::from_secs(2);
    evening.plan.handle_announcement(evening.now, 0);
    assert_eq!(evening.wait(), 0);
    assert_eq!(evening.asked(), (Way::Pcp, PORT, 3600));
}

#[test]
fn who_cries_reboot_all_the_time_is_not_asked_all_the_time() {
    let mut evening = Evening::opened(Way::Pcp);
    let begin = evening.now;
    let mut questions = 0;
    for second in 0..600u32 {
        evening.now = begin + Duration::from_millis(100 * u64::from(second));
        evening
            .plan
            .handle_announcement(evening.now, second % 7 * 1000);
        evening.plan.handle_timeout(evening.now);
        match evening.next() {
            Some(Order::Open(_)) => {
                questions += 1;
                evening.grant(PORT, LEASE, Some(0));
            }
            Some(Order::Look(_)) => evening.find(Found::Unseen),
            _ => {}
        }
    }
    assert!(questions <= 31, "{questions} questions in a minute");
}

#[test]
fn upnp_is_looked_at_and_asked_for_again_when_it_is_gone() {
    for (found, way) in [(Found::Gone, Way::Upnp), (Found::Theirs, Way::Pcp)] {
        let mut evening = Evening::opened(Way::Upnp);
        assert_eq!(evening.wait(), 30);
        assert!(matches!(evening.next(), Some(Order::Look(_))));
        evening.find(Found::Ours);
        assert_eq!(evening.wait(), 30);
        assert!(matches!(evening.next(), Some(Order::Look(_))));
        evening.find(found);
        if found == Found::Gone {
            assert_eq!(evening.wait(), 0);
        }
        assert_eq!(evening.asked().0, way, "{found:?}");
    }
}

#[test]
fn another_router_is_asked_for_itself_and_what_the_last_one_says_is_nothing() {
    for is_open in [false, true] {
        let mut evening = match is_open {
            true => Evening::opened(Way::Pcp),
            false => Evening::begin(),
        };
        evening.plan.handle_router(Some(router(1)));
        assert_eq!(evening.next().is_some(), !is_open, "it is the same");
        let late = evening.number;
        evening.plan.handle_router(Some(router(2)));
        evening
            .plan
            .handle_answer(evening.now, late, Err(WhyShut::Full.into()));
        assert_eq!(evening.plan.outcome(), Outcome::Asking);
        match evening.next() {
            Some(Order::Open(asked)) => assert_eq!(asked.router, router(2)),
            other => panic!("{other:?}"),
        }
        evening.plan.handle_router(None);
        assert_eq!(evening.plan.outcome(), Outcome::NoRouter);
        assert_eq!((evening.next(), evening.plan.poll_timeout()), (None, None));
    }
}

#[test]
fn at_the_end_what_is_open_is_given_back() {
    for way in Way::IPV4 {
        let mut evening = Evening::opened(*way);
        evening.plan.handle_shutdown();
        assert!(!evening.plan.is_over());
        match evening.next() {
            Some(Order::Close(asked)) => assert_eq!((asked.way, asked.port), (*way, PORT)),
            other => panic!("{other:?}"),
        }
        evening.plan.handle_router(Some(router(2)));
        evening.plan.handle_closed(evening.number);
        assert!(evening.plan.is_over());
        assert_eq!((evening.next(), evening.plan.poll_timeout()), (None, None));
    }
}

#[test]
fn what_opens_after_the_end_is_given_back_too() {
    let mut evening = Evening::begin();
    evening.asked();
    evening.plan.handle_shutdown();
    evening.grant(PORT, LEASE, Some(1));
    assert!(matches!(evening.next(), Some(Order::Close(_))));
    let mut evening = Evening::begin();
    evening.asked();
    evening.plan.handle_shutdown();
    evening.refuse(WhyShut::Silent);
    assert!(evening.plan.is_over());
    let mut nobody = Plan::new(Way::IPV4, PORT);
    nobody.handle_shutdown();
    assert!(nobody.is_over());
}

#[test]
fn a_port_of_none_is_no_port() {
    let mut evening = Evening::begin();
    evening.asked();
    evening.grant(0, LEASE, Some(1));
    assert_eq!(evening.asked().0, Way::NatPmp);
}

fn refusal() -> impl Strategy<Value = WhyShut> {
    prop::sample::select(vec![
        WhyShut::Silent,
        WhyShut::Absent,
        WhyShut::Refused,
        WhyShut::Taken,
        WhyShut::Full,
        WhyShut::NoAddress,
        WhyShut::ForEverOnly,
        WhyShut::WrongTime,
        WhyShut::Strange,
        WhyShut::Unsent,
    ])
}

#[derive(Debug, Clone)]
enum Happening {
    Time(u32),
    Refused(WhyShut),
    Granted(u16, u32, Option<u32>),
    Found(u8, u32),
    Said(u32),
    Router(Option<u8>),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        any::<u32>().prop_map(|seconds| Happening::Time(seconds % 100_000)),
        refusal().prop_map(Happening::Refused),
        any::<(u16, u32, Option<u32>)>().prop_map(|(a, b, c)| Happening::Granted(a, b, c)),
        any::<(u8, u32)>().prop_map(|(which, epoch)| Happening::Found(which % 5, epoch)),
        any::<u32>().prop_map(Happening::Said),
        any::<Option<bool>>().prop_map(|other| Happening::Router(other.map(u8::from))),
    ]
}

proptest! {
    /// Whatever a router says: no panic, no question sooner than two seconds after an answer, and an end.
    #[test]
    fn no_router_upsets_it(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut evening = Evening::begin();
        for happening in happenings {
            let _ = evening.next();
            match happening {
                Happening::Time(seconds) => {
                    evening.now += Duration::from_secs(seconds.into());
                    evening.plan.handle_timeout(evening.now);
                }
                Happening::Refused(why) => evening.refuse(why),
                Happening::Granted(port, lifetime, epoch) => evening.grant(port, lifetime, epoch),
                Happening::Found(which, epoch) => evening.find(match which {
                    0 => Found::Epoch(epoch),
                    1 => Found::Ours,
                    2 => Found::Gone,
                    3 => Found::Theirs,
                    _ => Found::Unseen,
                }),
                Happening::Said(epoch) => evening.plan.handle_announcement(evening.now, epoch),
                Happening::Router(which) => evening.plan.handle_router(which.map(router)),
            }
            if let Outcome::Open(held) = evening.plan.outcome() {
                prop_assert_ne!(held.port, 0);
            }
            // Whatever waits for nothing else has its time.
            if let State::Open(Mapping { doing: Doing::Nothing, .. }) = &evening.plan.state {
                prop_assert!(evening.plan.poll_timeout().is_some());
            }
        }
        evening.plan.handle_shutdown();
        for _ in 0..3 {
            match evening.next() {
                Some(Order::Close(_)) => evening.plan.handle_closed(evening.number),
                _ => evening.refuse(WhyShut::Silent),
            }
        }
        prop_assert!(evening.plan.is_over());
    }
}

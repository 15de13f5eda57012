use super::*;

fn at(address: &str) -> RelayAddress {
    address.parse().unwrap()
}

/// A party at the first of these relays.
fn party(named: &[&str]) -> Relays {
    let mut relays = Relays::new(named.iter().map(|address| at(address)).collect());
    relays.note_joined(&at(named[0]), Some("Frankfurt".into()), Some(Term::new(5)));
    relays
}

fn three() -> Relays {
    party(&["a.example", "b.example", "c.example:444"])
}

fn sight(address: &str, region: Option<&str>, answer: Result<u64, &str>) -> RelaySight {
    RelaySight {
        address: at(address),
        region: region.map(Into::into),
        rtt: answer.ok().map(Duration::from_millis),
        at: Instant::now(),
        is_here: false,
        leads_to: None,
        said: answer.err().map(str::to_owned),
    }
}

/// What the three show when they are looked at.
fn sights() -> [RelaySight; 3] {
    [
        sight("a.example", None, Ok(30)),
        sight("b.example", Some("Paris"), Ok(12)),
        sight("c.example:444", Some("Oslo"), Err("it does not answer")),
    ]
}

/// The same, seen at this moment.
fn sights_at(at: Instant) -> [RelaySight; 3] {
    sights().map(|sight| RelaySight { at, ..sight })
}

#[test]
fn of_one_relay_nothing_is_shown_and_nothing_asked() {
    let (mut relays, now) = (party(&["a.example"]), Instant::now());
    assert_eq!(relays.place(), None);
    assert_eq!(relays.shown().relays, []);
    assert_eq!(relays.others(), 0);
    relays.handle_second(now);
    assert!(!relays.take_look() && !relays.look(now));
    assert!(relays.order(now, "best").unwrap_err().contains("--relay"));
}

#[test]
fn each_relay_is_shown_with_what_is_known_of_it() {
    let mut relays = three();
    assert_eq!(relays.place().unwrap(), "relay 1 of 3, Frankfurt");
    let now = Instant::now();
    assert_eq!(
        relays.shown_at(now, None).asked_s,
        None,
        "nobody is asked yet"
    );
    relays.note_sights(now, &sights_at(now));
    let later = now + Duration::from_secs(260);
    assert_eq!(relays.shown_at(later, None).asked_s, Some(260));
    let pings = relays.shown_at(later, Some(Duration::from_millis(7)));
    let pings: Vec<_> = pings.relays.iter().map(|relay| relay.ping_us).collect();
    assert_eq!(pings, [Some(7000), Some(12_000), None], "the link's own");
    let shown = relays.shown().relays;
    let said: Vec<_> = shown
        .iter()
        .map(|relay| {
            (
                relay.address.as_str(),
                relay.region.as_deref(),
                relay.ping_us,
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("a.example:443", Some("Frankfurt"), Some(30_000)),
            ("b.example:443", Some("Paris"), Some(12_000)),
            ("c.example:444", Some("Oslo"), None),
        ]
    );
    assert_eq!(shown[2].trouble.as_deref(), Some("it does not answer"));
    relays.note_lost();
    assert_eq!(relays.place(), None, "it is nowhere");
}

#[test]
fn the_party_is_counted_where_it_goes() {
    let mut relays = three();
    assert!(!relays.note_joined(&at("A.example."), None, Some(Term::new(6))));
    assert!(relays.note_joined(&at("b.example"), Some("Paris".into()), Some(Term::new(7))));
    assert_eq!(relays.place().unwrap(), "relay 2 of 3, Paris");
    let shown = relays.shown();
    assert_eq!((shown.term, shown.moves), (Some(7), 1));
    // A relay of a fleet that no invite names.
    assert!(relays.note_joined(&at("d.example"), None, None));
    assert_eq!(relays.place().unwrap(), "relay 4 of 4");
}

#[test]
fn all_are_asked_at_once_and_then_each_ten_minutes() {
    let (mut relays, begin) = (three(), Instant::now());
    let mut asked = Vec::new();
    for second in 0..1300 {
        let now = begin + Duration::from_secs(second);
        relays.handle_second(now);
        if relays.take_look() {
            asked.push(second);
            relays.note_sights(now, &sights_at(now));
        }
    }
    assert_eq!(asked, [0, 600, 1200]);
    relays.note_lost();
    relays.handle_second(begin + Duration::from_secs(5000));
    assert!(!relays.take_look(), "the way back comes first");
}

#[test]
fn what_is_known_is_as_old_as_the_oldest_of_it() {
    let (mut relays, begin) = (three(), Instant::now());
    let after = |minutes: u64| begin + Duration::from_secs(60 * minutes);
    relays.note_sights(begin, &sights_at(begin));
    // One of a fleet behind them is measured anew, and so is where the party is.
    let mut seen = sights_at(begin).to_vec();
    seen.push(sight("r1.example", None, Ok(9)));
    (seen[0].at, seen[3].at) = (after(9), after(9));
    relays.note_sights(after(9), &seen);
    assert_eq!(relays.shown_at(after(9), None).asked_s, Some(540));
    // That does not put off when the others are asked.
    relays.handle_second(after(9));
    assert!(!relays.take_look());
    relays.handle_second(after(10));
    assert!(relays.take_look());
    // At another one, the first one is one of the others, and nobody has to be asked who just was.
    relays.note_joined(&at("b.example"), None, None);
    (seen[1].at, seen[2].at) = (begin, after(19));
    relays.note_sights(after(19), &seen);
    assert_eq!(relays.shown_at(after(20), None).asked_s, Some(11 * 60));
    relays.handle_second(after(20));
    assert!(relays.take_look(), "the first one was seen long ago");
    seen[0].at = after(20);
    relays.note_sights(after(20), &seen);
    relays.handle_second(after(28));
    assert!(!relays.take_look());
}

#[test]
fn who_waits_for_a_look_does_not_wait_for_ever() {
    let (mut relays, now) = (three(), Instant::now());
    assert!(relays.look(now) && relays.is_looked_for() && relays.take_look());
    relays.note_sights(now, &sights());
    assert!(!relays.is_looked_for());
    relays.look(now);
    relays.handle_second(now + ANSWERS);
    assert!(!relays.is_looked_for());
}

#[test]
fn a_relay_is_named_by_number_address_region_or_name() {
    let now = Instant::now();
    for name in ["2", "b.example:443", "B.EXAMPLE", "paris", " Paris "] {
        let mut relays = three();
        relays.note_sights(now, &sights());
        assert_eq!(relays.order(now, name), Ok(Ordered::Later), "{name}");
        assert_eq!(relays.wanted(), Some(&at("b.example")), "{name}");
    }
    let mut relays = three();
    relays.note_sights(now, &sights());
    let by_name = relays.order(now, "c.example");
    assert_eq!(
        (by_name, relays.wanted()),
        (Ok(Ordered::Later), Some(&at("c.example:444")))
    );
    for name in ["0", "4", "Rome", "", "x y"] {
        let refused = relays.order(now, name).unwrap_err();
        assert!(refused.contains("ctl relays"), "{name}: {refused}");
    }
    let mut alike = sights();
    alike[2].region = Some("Paris".into());
    relays.note_sights(now, &alike);
    assert!(relays.order(now, "Paris").unwrap_err().contains("several"));
    let Ok(Ordered::Done(said)) = relays.order(now, "1") else {
        panic!("it is there");
    };
    assert!(
        said.contains("a.example:443 in Frankfurt already"),
        "{said}"
    );
}

#[test]
fn an_order_ends_when_the_party_is_there() {
    let (mut relays, now) = (three(), Instant::now());
    relays.order(now, "2").unwrap();
    assert_eq!(relays.take_outcome(), None);
    relays.note_joined(&at("b.example"), Some("Paris".into()), None);
    let said = relays.take_outcome().unwrap().unwrap();
    assert!(said.contains("b.example:443 in Paris now"), "{said}");
    assert_eq!(relays.wanted(), None, "and then it stays where it is");
}

#[test]
fn an_order_that_cannot_be_followed_says_why_and_changes_nothing() {
    let (mut relays, now) = (three(), Instant::now());
    relays.order(now, "3").unwrap();
    relays.note_sights(now, &sights());
    let why = relays.take_outcome().unwrap().unwrap_err();
    assert!(
        why.contains("it does not answer") && why.contains("stays at"),
        "{why}"
    );
    assert_eq!(relays.wanted(), None);
    relays.order(now, "2").unwrap();
    relays.handle_second(now + MOVE - Duration::from_secs(1));
    assert_eq!(relays.take_outcome(), None);
    relays.handle_second(now + MOVE);
    let why = relays.take_outcome().unwrap().unwrap_err();
    assert!(why.contains("8 seconds"), "{why}");
    relays.note_lost();
    assert_eq!(relays.order(now, "2"), Err(NO_LINK.to_owned()));
}

#[test]
fn the_best_one_is_found_out_first_and_must_be_worth_it() {
    let (mut relays, now) = (three(), Instant::now());
    relays.order(now, "best").unwrap();
    assert!(relays.take_look() && relays.wanted().is_none());
    relays.note_sights(now, &sights());
    assert_eq!(relays.wanted(), Some(&at("b.example")));
    // As near as makes no difference.
    let mut relays = three();
    relays.order(now, "Best").unwrap();
    let near = [
        sight("a.example", None, Ok(20)),
        sight("b.example", None, Ok(12)),
    ];
    relays.note_sights(now, &near);
    let said = relays.take_outcome().unwrap().unwrap();
    assert!(said.contains("No other is nearer"), "{said}");
    // A relay that lets nobody in is not the best, however near.
    let mut full = sights();
    full[1].said = Some("it is full".to_owned());
    relays.order(now, "best").unwrap();
    relays.note_sights(now, &full);
    assert!(relays.take_outcome().unwrap().is_ok());
}

#[test]
fn a_later_order_takes_the_place_of_the_first() {
    let (mut relays, now) = (three(), Instant::now());
    relays.order(now, "2").unwrap();
    relays.order(now, "3").unwrap();
    let why = relays.take_outcome().unwrap().unwrap_err();
    assert!(why.contains("meanwhile"), "{why}");
    assert_eq!(relays.wanted(), Some(&at("c.example:444")));
}

#[test]
fn what_the_fleet_says_no_to_is_told_at_once_and_only_of_what_is_wanted() {
    let mut relays = party(&["relay.example"]);
    let now = Instant::now();
    let fleet = ["r1.example", "r2.example"];
    relays.note_sights(now, &fleet.map(|name| sight(name, Some("Oslo"), Ok(9))));
    assert_eq!(relays.order(now, "r2.example").unwrap(), Ordered::Later);
    let no = |relay: &str| NotPlaced {
        relay: relay.to_owned(),
        text: "it takes no rooms now".into(),
    };
    for other in ["r1.example:443", "no address at all"] {
        relays.note_not_placed(&no(other));
        assert_eq!(relays.take_outcome(), None);
    }
    relays.note_not_placed(&no("R2.example"));
    let said = relays.take_outcome().unwrap().unwrap_err();
    assert!(
        said.contains(
            "r2.example:443 in Oslo does not take the party: it takes no rooms now; it stays at"
        ),
        "{said}"
    );
    assert_eq!(relays.wanted(), None);
}

#[test]
fn a_name_that_leads_to_the_party_is_no_trouble() {
    let mut relays = party(&["relay.example"]);
    let now = Instant::now();
    relays.note_joined(&at("r2.example"), None, None);
    let mut seen = [
        sight("relay.example", None, Err("")),
        sight("r2.example", None, Ok(9)),
    ];
    (seen[0].said, seen[0].leads_to) = (None, Some(at("r2.example")));
    // To go where it leads to is to stay; the look that comes of it ends the order.
    relays.order(now, "relay.example").unwrap();
    relays.note_sights(now, &seen);
    let already = "The party is at the relay r2.example:443 already.";
    assert_eq!(relays.take_outcome(), Some(Ok(already.to_owned())));
    let again = relays.order(now, "relay.example");
    assert_eq!(again, Ok(Ordered::Done(already.to_owned())));
    let shown = relays.shown().relays;
    assert_eq!(shown[0].leads_to.as_deref(), Some("r2.example:443"));
    assert_eq!((&shown[0].trouble, &shown[1].leads_to), (&None, &None));
    seen[0].leads_to = Some(at("r3.example"));
    relays.note_sights(now, &seen);
    relays.order(now, "relay.example").unwrap();
    relays.note_sights(now, &seen);
    let why = relays.take_outcome().unwrap().unwrap_err();
    assert!(
        why.contains("it leads to the relay r3.example:443"),
        "{why}"
    );
}

#[test]
fn one_machine_with_two_names_is_one_place() {
    assert_eq!(HERE, lanparty_fleet::NotPlaced::Here.to_string());
    let mut relays = party(&["relay.example"]);
    let now = Instant::now();
    let mut seen = ["r1.example", "r2.example"].map(|name| sight(name, None, Ok(9)));
    // Who does not know which one it is hears it of the fleet.
    relays.note_sights(now, &seen);
    relays.order(now, "r2.example").unwrap();
    relays.note_not_placed(&NotPlaced {
        relay: "r2.example:443".to_owned(),
        text: HERE.into(),
    });
    let already = "The party is at the relay r2.example:443 in Frankfurt already.";
    let said = relays.take_outcome().unwrap().unwrap();
    assert_eq!(said, already.replace(" in Frankfurt", ""));
    seen[1].is_here = true;
    relays.note_sights(now, &seen);
    let here: Vec<_> = relays.shown().relays.iter().map(|it| it.here).collect();
    assert_eq!(here, [true, false, true]);
    assert_eq!(relays.others(), 1);
    assert_eq!(
        relays.order(now, "r2.example"),
        Ok(Ordered::Done(already.to_owned()))
    );
    // At another relay neither is the place any more.
    relays.note_joined(&at("r1.example"), None, None);
    let here: Vec<_> = relays.shown().relays.iter().map(|it| it.here).collect();
    assert_eq!(here, [false, true, false]);
}

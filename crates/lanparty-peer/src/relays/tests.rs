use super::*;
use lanparty_edge::invite::OtherRelay;
use lanparty_quic::tls::Trust;

/// The pin of the relay with this name.
fn pin(name: &str) -> Pin {
    Pin::from_sha256([name.as_bytes()[0].to_ascii_lowercase(); 32])
}

pub(super) fn config(others: &[&str]) -> RelayConfig {
    let pinned = |name: &&str| OtherRelay {
        address: name.parse().unwrap(),
        pin: Some(pin(name)),
    };
    RelayConfig {
        others: others.iter().map(pinned).collect(),
        ..RelayConfig::new(
            "a.example".parse().unwrap(),
            Trust::pinned(pin("a")),
            "FRIDAY".parse().unwrap(),
        )
    }
}

fn to(name: &str) -> Elsewhere {
    Elsewhere {
        address: name.to_owned(),
        pin: Some(pin(name)),
        fence: None,
    }
}

fn follow(relays: &mut Relays, config: &RelayConfig, name: &str) -> Result<usize, NotFollowed> {
    let mut trail = Trail::from(&relays.place(0).address);
    relays.follow(Instant::now(), config, &mut trail, (0, false), &to(name))
}

#[test]
fn one_relay_is_not_several_until_its_fleet_sends_us_on() {
    let config = config(&[]);
    let mut relays = Relays::new(&config, None);
    assert!(!relays.are_several() && !relays.are_fleet());
    assert_eq!(follow(&mut relays, &config, "b.example").unwrap(), 1);
    assert!(!relays.are_several() && relays.are_fleet());
    assert_eq!(relays.invited(), 0..1);
}

#[test]
fn a_fleet_that_sends_us_everywhere_fills_no_memory_and_we_know_where_we_are() {
    let config = config(&["b.example"]);
    let mut relays = Relays::new(&config, None);
    assert_eq!(follow(&mut relays, &config, "B.example").unwrap(), 1);
    let here = follow(&mut relays, &config, "here.example").unwrap();
    relays.stand_at(Instant::now(), here, None);
    for number in 0..50 {
        let name = format!("n{number}.example");
        let at = follow(&mut relays, &config, &name).unwrap();
        assert_eq!(relays.place(at).address.host(), name);
    }
    assert_eq!(relays.places.len(), 2 + SENT);
    assert_eq!(relays.place(relays.here()).address.host(), "here.example");
}

#[test]
fn a_gateway_of_an_earlier_term_is_none() {
    let mut relays = Relays::new(&config(&[]), None);
    assert!(relays.believe(None), "nobody has told a term yet");
    assert!(relays.believe(Some(Term::new(7))));
    assert!(relays.believe(Some(Term::new(7))));
    assert!(!relays.believe(Some(Term::new(6))));
    assert!(relays.believe(None), "who tells none proves who it is");
    assert_eq!(relays.seen(), Term::new(7));
}

#[test]
fn each_room_has_its_own_order_and_all_peers_have_the_same() {
    let config = config(&["b.example", "c.example"]);
    let orders: std::collections::BTreeSet<_> = (0..50)
        .map(|number| {
            let config = RelayConfig {
                room: format!("ROOM-{number}").parse().unwrap(),
                ..config.clone()
            };
            let order = Relays::new(&config, None).order(&config);
            assert_eq!(order, Relays::new(&config, None).order(&config));
            order
        })
        .collect();
    assert!(orders.len() > 1, "{orders:?}");
}

#[test]
fn a_relay_that_has_lost_the_room_is_not_gone_to_and_other_fleets_count_for_themselves() {
    let config = config(&["b.example"]);
    let (mut relays, now) = (Relays::new(&config, None), Instant::now());
    relays.stand_at(now, 0, Some(100));
    assert!(relays.are_fleet());
    assert!(relays.is_stale(now, 0, Some(99)) && !relays.is_stale(now, 1, Some(99)));
    let mut trail = Trail::from(&relays.place(0).address);
    let stale = Elsewhere {
        fence: Some(99),
        ..to("c.example")
    };
    let followed = relays.follow(now, &config, &mut trail, (0, false), &stale);
    assert_eq!(followed, Err(NotFollowed::Stale));
}

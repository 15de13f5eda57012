use super::*;

const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7)));
const HOTEL: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)));

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn end(carriage: &mut Carriage, now: Instant, fell_silent: bool) {
    if fell_silent {
        carriage.was_unfit(Unfit::Silent);
    }
    carriage.ended(now);
}

/// When something is tried in the seconds of this time, each with so many packets sent and lost; and what.
fn polls(
    carriage: &mut Carriage,
    from: Instant,
    seconds: u64,
    (sent, lost): (u64, u64),
) -> Vec<(u64, Starts)> {
    (1..=seconds)
        .filter_map(|second| {
            let packets = Packets {
                sent: sent * second,
                lost: lost * second,
            };
            let starts = carriage.poll(from + secs(second), Some(packets), false)?;
            Some((second, starts))
        })
        .collect()
}

#[test]
fn where_nothing_is_known_udp_has_its_time_and_then_tcp_and_then_the_proxy() {
    let starts = Carriage::default().starts(Instant::now(), HOME);
    let order = [starts.udp, starts.tcp, starts.proxy].map(Option::unwrap);
    assert_eq!(order, [0, 1200, 1500].map(Duration::from_millis));
}

#[test]
fn the_network_s_way_is_remembered_for_ten_minutes_and_is_that_network_s_alone() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Tcp);
    end(&mut carriage, now + secs(100), true);
    let then = |after| now + secs(100) + after;
    assert_eq!(carriage.starts(then(secs(599)), HOTEL), Starts::BESIDE);
    assert_eq!(carriage.starts(then(secs(599)), HOME), Starts::USUAL);
    assert_eq!(carriage.starts(then(MEMORY), HOTEL), Starts::USUAL);
    carriage.stands(now, HOTEL, Means::Proxy);
    let starts = carriage.starts(now, HOTEL);
    assert_eq!((starts.udp, starts.proxy), (Some(secs(0)), Some(secs(0))));
    for other in 0..50 {
        carriage.stands(now, Some(IpAddr::from([10, 1, 0, other])), Means::Udp);
    }
    assert_eq!(carriage.networks.len(), NETWORKS);
}

#[test]
fn over_tcp_udp_is_asked_for_each_minute_and_taken() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Tcp);
    let asked = polls(&mut carriage, now, 200, (100, 0));
    let at: Vec<_> = asked.iter().map(|(second, _)| *second).collect();
    assert_eq!(at, [5, 65, 125, 185]);
    assert!(asked.iter().all(|(_, starts)| *starts == Starts::UDP_ALONE));
    assert!(carriage.is_better(now, Means::Udp, Some(secs(2)), Some(secs(1)), false));
    carriage.stands(now + secs(200), HOTEL, Means::Udp);
    assert_eq!(polls(&mut carriage, now + secs(200), 100, (100, 1)), []);
}

#[test]
fn another_network_has_everything_tried_at_once_where_the_link_cannot_move() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    assert_eq!(
        carriage.moved(now, HOME),
        None,
        "QUIC moves with its machine"
    );
    carriage.stands(now, HOTEL, Means::Tcp);
    assert_eq!(carriage.moved(now, HOME), Some(Starts::BESIDE));
    carriage.stands(now, HOME, Means::Udp);
    end(&mut carriage, now, false);
    assert_eq!(carriage.starts(now, HOME), Starts::USUAL);
}

#[test]
fn udp_that_dies_in_mid_evening_is_not_waited_for_and_is_asked_for_less_often_if_that_goes_on() {
    let (mut carriage, mut now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    now += secs(3600);
    end(&mut carriage, now, true);
    assert_eq!(carriage.starts(now, HOTEL), Starts::BESIDE);
    let mut waits = Vec::new();
    for _ in 0..8 {
        carriage.stands(now, HOTEL, Means::Tcp);
        let (second, _) = polls(&mut carriage, now, 2000, (0, 0))[0];
        waits.push(second);
        now += secs(second);
        carriage.stands(now, HOTEL, Means::Udp);
        now += secs(20);
        end(&mut carriage, now, true);
    }
    assert_eq!(waits, [5, 60, 120, 240, 480, 960, 960, 960]);
}

#[test]
fn udp_that_dies_young_is_asked_for_after_a_minute_and_each_minute_from_then_on() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    let now = now + secs(10);
    end(&mut carriage, now, true);
    carriage.stands(now, HOTEL, Means::Tcp);
    let asked = polls(&mut carriage, now, 200, (0, 0));
    let at: Vec<_> = asked.iter().map(|(second, _)| *second).collect();
    assert_eq!(at, [60, 120, 180]);
}

#[test]
fn a_link_that_a_relay_ends_says_nothing_of_udp() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOME, Means::Udp);
    end(&mut carriage, now + secs(1), false);
    assert_eq!(carriage.starts(now + secs(1), HOME), Starts::USUAL);
}

#[test]
fn udp_that_loses_one_packet_in_nine_for_ten_seconds_has_tcp_tried() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    let tried = polls(&mut carriage, now, 60, (90, 10));
    assert_eq!(
        tried,
        [(11, Starts::NO_UDP)],
        "and not again within a minute"
    );
    for (per_second, what) in [
        ((90, 9), "a tenth is borne"),
        ((4, 3), "of few packets nothing can be told"),
        ((0, 0), "silence is another matter"),
    ] {
        carriage.stands(now, HOTEL, Means::Udp);
        assert_eq!(polls(&mut carriage, now, 60, per_second), [], "{what}");
    }
}

#[test]
fn a_short_burst_of_losses_is_borne() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    let mut total = Packets::default();
    for second in 1..60 {
        total.sent += 100;
        total.lost += if second == 30 { 90 } else { 0 };
        assert_eq!(carriage.poll(now + secs(second), Some(total), false), None);
    }
}

#[test]
fn lossy_udp_is_left_for_tcp_with_a_sane_round_trip_and_not_taken_again_soon() {
    let millis = |millis| Some(Duration::from_millis(millis));
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    let mut better = |now, rtt| carriage.is_better(now, Means::Tcp, rtt, millis(40), false);
    assert!(!better(now, millis(60)), "it loses nothing");
    polls(&mut carriage, now, 11, (90, 10));
    let now = now + secs(11);
    let mut better = |rtt| carriage.is_better(now, Means::Tcp, rtt, millis(40), false);
    assert!(!better(millis(400)));
    assert_eq!(carriage.starts(now, HOTEL), Starts::USUAL);
    let mut better = |rtt| carriage.is_better(now, Means::Tcp, rtt, millis(40), false);
    assert!(better(millis(60)));
    assert_eq!(carriage.starts(now, HOTEL), Starts::TCP_FIRST);
    carriage.stands(now, HOTEL, Means::Tcp);
    let asked = polls(&mut carriage, now, 3000, (100, 0));
    assert!(asked[0].0 >= 600, "{asked:?}");
}

#[test]
fn silent_udp_has_tcp_tried_before_it_is_given_up_and_left_if_it_is_silent_still() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    let polls = |carriage: &mut Carriage, silent: [bool; 4]| {
        silent.map(|is_silent| carriage.poll(now, Some(Packets::default()), is_silent))
    };
    carriage.stands(now, HOTEL, Means::Udp);
    let tried = polls(&mut carriage, [false, true, true, false]);
    assert_eq!(tried, [None, Some(Starts::NO_UDP), None, None], "once");
    assert!(
        !carriage.is_better(now, Means::Tcp, None, None, false),
        "it is back"
    );
    let tried = polls(&mut carriage, [true, true, false, true]);
    assert_eq!(tried.map(|it| it.is_some()), [true, false, false, true]);
    assert!(carriage.is_better(now, Means::Tcp, None, None, true));
    carriage.ended(now);
    assert_eq!(carriage.starts(now, HOTEL), Starts::BESIDE);
    carriage.stands(now, HOTEL, Means::Tcp);
    let tried = polls(&mut carriage, [true; 4]);
    assert_eq!(tried, [None; 4], "over TCP everything is silent");
}

#[test]
fn what_lets_nobody_in_is_asked_for_less_often() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Tcp);
    assert!(carriage.poll(now + secs(5), None, false).is_some());
    carriage.was_no_use(now + secs(6));
    assert_eq!(carriage.poll(now + secs(125), None, false), None);
    assert!(carriage.poll(now + secs(126), None, false).is_some());
}

#[test]
fn udp_that_has_lasted_and_loses_too_much_now_is_not_taken_again_at_once() {
    let (mut carriage, now) = (Carriage::default(), Instant::now());
    carriage.stands(now, HOTEL, Means::Udp);
    let now = now + secs(3600);
    polls(&mut carriage, now, 11, (90, 10));
    let now = now + secs(11);
    let trips = [60, 40].map(|millis| Some(Duration::from_millis(millis)));
    assert!(carriage.is_better(now, Means::Tcp, trips[0], trips[1], false));
    carriage.ended(now);
    carriage.stands(now, HOTEL, Means::Tcp);
    let asked = polls(&mut carriage, now, 3000, (100, 0));
    assert!(asked[0].0 >= 600, "{asked:?}");
}

use super::*;
use crate::Route;
use crate::judge::read;
use lanparty_proto::EthernetFrame;
use std::time::Duration;

const FULL: Cost = Cost {
    frames: 1,
    bytes: 60,
};

fn player() -> (Instant, PlayerAllowance) {
    let now = Instant::now();
    (now, PlayerAllowance::new(now, Rates::default()))
}

/// A UDP datagram of a player to everybody.
fn udp(from: u16, to: u16) -> Vec<u8> {
    let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
    let ip = [0x45, 0, 0, 36, 0, 0, 0, 0, 1, 17, 0, 0, 192, 168, 50, 7];
    let rest = [&[0, 16, 0, 0][..], b"discover"].concat();
    typed(0x0800, &[&ip[..], &[255; 4], &ports, &rest].concat())
}

fn icmpv6(kind: u8) -> Vec<u8> {
    let header = [0x60, 0, 0, 0, 0, 24, 58, 255];
    let message = [&[kind, 0, 0, 0][..], &[0; 20]].concat();
    typed(
        0x86dd,
        &[&header[..], &[0xfe; 16], &[0xff; 16], &message].concat(),
    )
}

fn typed(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let addresses = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1]].concat();
    [&addresses, &ether_type.to_be_bytes()[..], payload].concat()
}

fn arp() -> Vec<u8> {
    typed(0x0806, &[0; 46])
}

/// Somebody who sends so many of these frames a second.
struct Talker {
    frame: Vec<u8>,
    per_second: u64,
}

/// How many of each of these talkers' frames pass in so many seconds, of how many.
fn talk(seconds: u64, talkers: &[Talker]) -> Vec<(usize, u64)> {
    let (start, mut allowance) = player();
    let mut passed = vec![0; talkers.len()];
    for tenth in 0..seconds * 1000 {
        let now = start + Duration::from_millis(tenth);
        for (talker, passed) in talkers.iter().zip(&mut passed) {
            let due = |at: u64| at * talker.per_second / 1000;
            for _ in due(tenth)..due(tenth + 1) {
                let traffic = traffic_of(Route::Group, &talker.frame);
                *passed += usize::from(allowance.spend(now, traffic, FULL).is_ok());
            }
        }
    }
    let sent = talkers.iter().map(|talker| talker.per_second * seconds);
    passed.into_iter().zip(sent).collect()
}

#[test]
fn ninety_mdns_a_second_cost_their_player_no_arp_and_no_discovery() {
    let talkers = |chatter: &[(u16, u64)]| {
        let chatter = chatter.iter().map(|&(port, per_second)| Talker {
            frame: udp(port, port),
            per_second,
        });
        let needed = [arp(), udp(50_000, 8303)].map(|frame| Talker {
            frame,
            per_second: 1,
        });
        needed.into_iter().chain(chatter).collect::<Vec<_>>()
    };
    for chatter in [
        &[(5353, 90)][..],
        // A stock Windows 11 says this and more in its first minute on a network.
        &[(5353, 88), (1900, 20), (5355, 20), (137, 10), (3702, 8)],
    ] {
        let passed = talk(20, &talkers(chatter));
        assert_eq!(passed[..2], [(20, 20), (20, 20)], "{chatter:?}");
        let chattered: usize = passed[2..].iter().map(|&(passed, _)| passed).sum();
        assert!(chattered <= 64 + 20 * 32, "half of the bucket: {chattered}");
    }
}

#[test]
fn a_refresh_of_one_game_passes_whole_beside_any_chatter() {
    let (start, mut allowance) = player();
    let mut pass = |now, frame: &[u8]| {
        let traffic = traffic_of(Route::Group, frame);
        allowance.spend(now, traffic, FULL).is_ok()
    };
    for second in 0..60 {
        let now = start + Duration::from_secs(second);
        (0..90).for_each(|_| _ = pass(now, &udp(5353, 5353)));
        // DDNet asks eight ports twice, ioquake3 four; each every two seconds here.
        let ports = (8303..8311).chain(27960..27964).filter(|_| second % 2 == 0);
        let refused = ports
            .flat_map(|port| [port; 2])
            .find(|&port| !pass(now, &udp(50_000, port)));
        assert_eq!(refused, None, "in second {second}");
    }
}

#[test]
fn what_keeps_a_machine_on_a_lan_has_a_bucket_of_its_own_and_chatter_a_share() {
    let igmp = [
        &[0x45, 0, 0, 28, 0, 0, 0, 0, 1, 2, 0, 0][..],
        &[10; 8],
        &[0x16; 8],
    ]
    .concat();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 6][..], &[0; 46]].concat();
    for (what, frame) in [
        ("ARP", arp()),
        ("ARP in 802.3", typed(54, &snap)),
        ("IGMP", typed(0x0800, &igmp)),
        ("DHCP", udp(68, 67)),
        ("neighbour solicitation", icmpv6(135)),
        ("router solicitation", icmpv6(133)),
        ("MLDv2", icmpv6(143)),
    ] {
        assert_eq!(traffic_of(Route::Group, &frame), Traffic::Control, "{what}");
        let known = Route::Known(lanparty_proto::PeerId::new(1).unwrap());
        assert_eq!(traffic_of(known, &frame), Traffic::Known, "{what}");
    }
    for port in [137, 138, 1900, 3702, 5353, 5355] {
        let traffic = traffic_of(Route::Group, &udp(50_000, port));
        assert_eq!(traffic, Traffic::Chatter, "{port}");
    }
    for (what, frame) in [
        ("a ping", icmpv6(128)),
        ("a game", udp(68, 6112)),
        ("IPX", typed(0x8137, &[0; 46])),
        ("raw 802.3", typed(46, &[0xff; 46])),
        ("no IPv4", typed(0x0800, &[0; 46])),
        ("half an IPv6", typed(0x86dd, &[0x60; 39])),
        ("nothing", typed(0, &[])),
    ] {
        let traffic = traffic_of(Route::Group, &frame);
        assert!(traffic == Traffic::Group, "{what}: {traffic:?}");
    }
}

#[test]
fn a_burst_passes_and_then_the_refill_decides() {
    let (now, mut allowance) = player();
    let mut passed = |at: Instant, traffic| {
        (0..1000)
            .filter(|_| allowance.spend(at, traffic, FULL).is_ok())
            .count()
    };
    assert_eq!(passed(now, Traffic::Chatter), 64, "half of the bucket");
    assert_eq!(passed(now, Traffic::Group), 64, "the other half");
    assert_eq!(passed(now, Traffic::Control), 64);
    assert_eq!(passed(now, Traffic::Unknown), 64);
    let later = now + Duration::from_millis(500);
    assert_eq!(passed(later, Traffic::Chatter), 16);
    assert_eq!(passed(later, Traffic::Group), 16);
    assert_eq!(passed(later, Traffic::Control), 16);
    assert_eq!(passed(later, Traffic::Unknown), 16);
    let much_later = now + Duration::from_secs(86_400 * 365 * 100);
    assert_eq!(
        passed(much_later, Traffic::Group),
        128,
        "never more than a burst"
    );
}

#[test]
fn short_frames_run_out_before_their_bytes_do() {
    let (now, mut allowance) = player();
    let mut passed = |at| {
        let sent = (0..208_000).filter(|_| allowance.spend(at, Traffic::Known, FULL).is_ok());
        sent.count()
    };
    assert_eq!(passed(now), 8192);
    assert_eq!(passed(now + Duration::from_millis(250)), 5000);
    let refused = allowance.spend(now, Traffic::Known, FULL);
    assert_eq!(refused, Err(DropReason::FrameRate));
}

#[test]
fn full_frames_at_full_speed_never_run_out_of_frames() {
    let rates = Rates::default();
    let of_bytes = rates.bytes.per_second / 1514;
    assert!(of_bytes < rates.frames.per_second && rates.bytes.burst / 1514 < rates.frames.burst);
}

#[test]
fn bytes_run_out_for_every_kind_and_cost_no_other_token() {
    let (now, mut allowance) = player();
    let full = Cost {
        frames: 1,
        bytes: 1514,
    };
    let mut frames = 0;
    while allowance.spend(now, Traffic::Known, full).is_ok() {
        frames += 1;
    }
    assert_eq!(frames, (4 << 20) / 1514);
    let group = allowance.spend(now, Traffic::Chatter, full);
    assert_eq!(group, Err(DropReason::ByteRate));
    let burst = u64::from(Rates::default().group.burst) * TOKEN;
    assert_eq!(allowance.group.level, burst);
    assert_eq!(allowance.chatter.level, burst / 2);
}

#[test]
fn the_lan_has_a_bucket_for_what_everybody_hears_and_one_for_control() {
    let now = Instant::now();
    let mut lan = Allowance::Lan(LanAllowance::new(now, Rates::default()));
    let mut passed = |at, traffic| {
        let sent = (0..5000_u16).filter(|n| {
            let [_, a] = (n % 4).to_be_bytes();
            lan.spend(at, MacAddr::new([0, 0x16, 0x3e, 0, 0, a]), traffic, FULL)
                .is_ok()
        });
        sent.count()
    };
    assert_eq!(passed(now, Traffic::Group), 1024);
    assert_eq!(passed(now, Traffic::Unsure), 1024);
    assert_eq!(passed(now, Traffic::Control), 1024);
    assert_eq!(passed(now, Traffic::Known), 5000);
    assert_eq!(passed(now + Duration::from_secs(1), Traffic::Group), 512);
}

#[test]
fn the_numbers_in_force_can_be_read() {
    assert_eq!(
        Rates::default().to_string(),
        "ARP and its like 32/s after 64, other broadcast 64/s after 128, unknown unicast 32/s after 64, \
         frames 20000/s after 8192, bytes 12500000/s after 4194304, broadcast of the LAN 512/s after 1024"
    );
}

#[test]
fn each_kind_has_its_own_reason() {
    let (now, mut allowance) = player();
    let mut last = |traffic| {
        (0..200)
            .find_map(|_| allowance.spend(now, traffic, FULL).err())
            .unwrap()
    };
    assert_eq!(last(Traffic::Group), DropReason::BroadcastRate);
    assert_eq!(last(Traffic::Control), DropReason::ControlRate);
    assert_eq!(last(Traffic::Unknown), DropReason::UnknownUnicastRate);
}

#[test]
fn what_its_kind_refuses_costs_a_frame_and_its_bytes_all_the_same() {
    for traffic in [
        Traffic::Control,
        Traffic::Group,
        Traffic::Chatter,
        Traffic::Unknown,
    ] {
        let (now, mut allowance) = player();
        let mut refused = (0..8192).map(|_| allowance.spend(now, traffic, FULL));
        assert!(refused.all(|spent| spent != Err(DropReason::FrameRate)));
        let more = allowance.spend(now, Traffic::Known, FULL);
        assert_eq!(more, Err(DropReason::FrameRate), "{traffic:?}");
    }
}

#[test]
fn a_clock_that_stands_or_steps_back_gives_nothing() {
    let (now, mut allowance) = player();
    let now = now + Duration::from_secs(60);
    let none = Cost {
        frames: 0,
        bytes: 0,
    };
    while allowance.spend(now, Traffic::Group, none).is_ok() {}
    let earlier = now - Duration::from_secs(30);
    assert!(allowance.spend(earlier, Traffic::Group, none).is_err());
    assert!(allowance.spend(now, Traffic::Group, none).is_err());
}

fn traffic_of(route: Route, frame: &[u8]) -> Traffic {
    Traffic::of(route, read(EthernetFrame::parse(frame).unwrap()).talk())
}

//! What is remembered is bounded, and nobody pushes out what is another's.

use super::*;
use proptest::prelude::*;

fn player(number: u16) -> MacAddr {
    let [a, b] = number.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, a, b])
}

/// The same frame as if it were this player's.
fn of(player: MacAddr, mut frame: Vec<u8>) -> Vec<u8> {
    frame[6..12].copy_from_slice(&player.octets());
    frame
}

#[test]
fn a_flood_of_ports_stays_within_its_memory_and_leaves_others_theirs() {
    let (now, mut reach) = reach("games");
    let share = of(BERT, tcp(BOX, BOX_IP, 445, SYN));
    assert!(reach.judge(now, BERT, view(&share)).is_err());
    reach.hear_to_player(
        now,
        BERT,
        view(&{
            let packet = ip(
                BOX_IP,
                [192, 168, 50, 101],
                UDP,
                0,
                &datagram(51_000, 40_000),
            );
            ethernet(BERT, BOX, 0x0800, &packet)
        }),
    );
    let before = reach.remembered();
    // DHCP's is the switch's to judge.
    for port in (1..20_000).filter(|&port| port != 67) {
        assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, port)));
        assert!(reach.remembered() <= before + MAX_ATTEMPTS_OF_ONE);
    }
    // Machines of the LAN may flood as well.
    for port in 10_000..20_000 {
        reach.hear_to_player(now, ANNA, view(&udp_from_box(port, 40_000)));
        assert!(reach.remembered() <= before + MAX_ATTEMPTS_OF_ONE + MAX_FLOWS);
    }
    let berts = reach.attempts(now).filter(|attempt| attempt.player == BERT);
    assert_eq!(berts.count(), 1);
    let answer = of(BERT, udp(BOX, BOX_IP, 51_000));
    assert!(reach.judge(now, BERT, view(&answer)).is_ok());
}

#[test]
fn many_players_who_try_many_things_stay_bounded_too() {
    let (now, mut reach) = reach("games");
    let before = reach.remembered();
    for number in 100..400 {
        for port in 1..40 {
            let who = player(number);
            let frame = of(who, tcp(BOX, BOX_IP, port, SYN));
            assert!(reach.judge(now, who, view(&frame)).is_err());
        }
    }
    assert!(reach.remembered() <= before + MAX_ATTEMPTS);
    assert_eq!(reach.attempts(now).count(), MAX_ATTEMPTS);
}

#[test]
fn a_lan_that_announces_without_end_stays_bounded() {
    let (now, mut reach) = reach("games");
    reach.hear_game(now, NIC, 40_123);
    for port in 10_000..20_000 {
        reach.hear_game(now + Duration::from_secs(1), BOX, port);
    }
    assert!(passes(&mut reach, now, &udp(NIC, OWN_IP, 40_123)));
    let before = reach.remembered();
    assert!(before <= MAX_ANNOUNCED_OF_ONE + 10);
    for number in 0..10_000 {
        reach.hear_game(now + Duration::from_secs(2), player(number), 40_000);
        reach.hear_lan(
            now,
            view(&arp(
                player(number),
                number.to_be_bytes().repeat(2).try_into().unwrap(),
            )),
        );
    }
    assert!(reach.remembered() <= MAX_ANNOUNCED + 2 * 1024 + 10);
}

#[test]
fn pieces_are_bounded() {
    let (now, mut reach) = reach("games");
    let before = reach.remembered();
    for number in 0..1000_u16 {
        let mut packet = ip(
            ANNA_IP,
            BOX_IP,
            UDP,
            0x2000,
            &[&datagram(1, 27960)[..], &[0; 12]].concat(),
        );
        packet[4..6].copy_from_slice(&number.to_be_bytes());
        assert!(passes(
            &mut reach,
            now,
            &ethernet(BOX, ANNA, 0x0800, &packet)
        ));
    }
    assert!(reach.remembered() <= before + 32);
}

/// Frames of all kinds, most of them nearly right.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let to = prop_oneof![Just(BOX), Just(ROUTER), Just(NIC), Just(MacAddr::BROADCAST)];
    let address = prop_oneof![
        Just(BOX_IP),
        Just(ROUTER_IP),
        Just(AWAY),
        Just([255; 4]),
        any::<[u8; 4]>()
    ];
    let port = prop_oneof![Just(27960), Just(445), Just(25565), any::<u16>()];
    let bytes = proptest::collection::vec(any::<u8>(), 14..200);
    prop_oneof![
        (to.clone(), address.clone(), port.clone()).prop_map(|(to, ip, port)| udp(to, ip, port)),
        (to.clone(), address.clone(), port, any::<u8>())
            .prop_map(|(to, ip, port, flags)| tcp(to, ip, port, flags)),
        (to.clone(), address, any::<u8>(), bytes.clone())
            .prop_map(|(to, ip, protocol, upper)| other(to, ip, protocol, &upper)),
        (
            to,
            prop_oneof![Just(0x0800), Just(0x86dd), any::<u16>()],
            bytes.clone()
        )
            .prop_map(|(to, kind, payload)| ethernet(to, ANNA, kind, &payload)),
        bytes,
    ]
}

proptest! {
    #[test]
    fn with_everything_every_frame_passes_and_nothing_is_remembered(frames in proptest::collection::vec(any_frame(), 1..30)) {
        let (now, mut reach) = reach("everything");
        let before = reach.remembered();
        for frame in frames {
            prop_assert_eq!(reach.judge(now, ANNA, view(&frame)), Ok(()));
            reach.hear_to_player(now, ANNA, view(&frame));
            prop_assert_eq!(reach.take_answer(), None);
        }
        prop_assert_eq!(reach.remembered(), before);
    }

    #[test]
    fn whatever_is_said_memory_is_bounded_and_answers_go_to_who_asked(
        frames in proptest::collection::vec((any_frame(), any::<bool>()), 1..200),
        policy in prop_oneof![Just("games"), Just("192.168.50.2:445,192.168.50.0/24:27960")],
    ) {
        let (now, mut reach) = reach(policy);
        for (frame, is_of_lan) in frames {
            let frame = view(&frame);
            if is_of_lan {
                reach.hear_lan(now, frame);
                reach.hear_to_player(now, ANNA, frame);
            } else {
                let verdict = reach.judge(now, ANNA, frame);
                let answer = reach.take_answer();
                prop_assert!(answer.is_none() || verdict.is_err());
                if let Some(answer) = answer {
                    prop_assert_eq!(&answer[..6], &frame.source().octets());
                    // No amplifier: it quotes no more than headers.
                    prop_assert!(answer.len() <= frame.bytes().len() + 48, "{} of {}", answer.len(), frame.bytes().len());
                }
            }
            let most = MAX_FLOWS + 32 + MAX_ATTEMPTS_OF_ONE + MAX_ANNOUNCED + 2 * 1024 + 2 * 16;
            prop_assert!(reach.remembered() <= most);
        }
    }
}

use super::*;
use std::net::Ipv4Addr;

const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);
const ROUTER: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);
const MALLORY: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0x66]);
const HERE: fn(MacAddr) -> bool = |_| true;
const GONE: fn(MacAddr) -> bool = |_| false;
const CONFLICT: Result<(), DropReason> = Err(DropReason::LeaseConflict);
const TAKEN: Result<(), DropReason> = Err(DropReason::ClaimedAddress);

fn table() -> (Instant, Addresses) {
    let now = Instant::now();
    (now, Addresses::new(now))
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0xc0a8_0000 + number).into()
}

/// What a machine on the LAN says of itself.
fn firm(number: u32) -> Claim {
    Claim {
        mac: HOST,
        address: address(number),
        firm: true,
    }
}

/// What it says when it is asked.
fn answer(mac: MacAddr, number: u32) -> Claim {
    Claim {
        mac,
        address: address(number),
        firm: false,
    }
}

fn lease(mac: MacAddr, number: u32, seconds: u64) -> Lease {
    Lease {
        mac,
        address: Ipv4Addr::from(0xc0a8_0000 + number),
        duration: Duration::from_secs(seconds),
        lan: [None, None],
    }
}

#[test]
fn an_address_is_its_claimants_until_it_has_been_silent() {
    let (now, mut table) = table();
    assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
    assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
    let later = now + HOLD / 2;
    assert_eq!(table.claim(later, ALICE, address(1)), Ok(()));
    let end = later + HOLD;
    let just_before = end - Duration::from_millis(1);
    assert_eq!(table.claim(just_before, MALLORY, address(1)), TAKEN);
    assert_eq!(table.claim(end, MALLORY, address(1)), Ok(()));
    assert_eq!(table.claim(end, ALICE, address(1)), TAKEN);
}

#[test]
fn a_refused_claim_does_not_prolong_anything() {
    let (now, mut table) = table();
    table.claim(now, MALLORY, address(1)).unwrap();
    assert_eq!(table.claim(now + HOLD / 2, ALICE, address(1)), TAKEN);
    assert_eq!(table.claim(now + HOLD, ALICE, address(1)), Ok(()));
}

#[test]
fn the_lan_takes_what_a_client_only_claimed() {
    let (now, mut table) = table();
    table.claim(now, MALLORY, address(1)).unwrap();
    table.claim_from_lan(now, firm(1));
    assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
    assert_eq!(table.claim(now + HOLD, ALICE, address(1)), Ok(()));
}

#[test]
fn a_lease_takes_the_address_from_a_player_who_only_claimed_it() {
    let (now, mut table) = table();
    table.claim(now, MALLORY, address(1)).unwrap();
    table.lease(now, lease(ALICE, 1, 3600), HERE).unwrap();
    assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
    assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
}

#[test]
fn the_server_does_not_give_away_what_the_lan_has() {
    let (now, mut table) = table();
    table.claim_from_lan(now, firm(2));
    let mut named = lease(ALICE, 3, 3600);
    named.lan = [None, Some(Ipv4Addr::from(0xc0a8_0004))];
    table.lease(now, named, HERE).unwrap();
    for number in [2, 4] {
        let conflict = table.lease(now, lease(MALLORY, number, 3600), HERE);
        assert_eq!(conflict, CONFLICT);
        assert_eq!(table.claim(now, MALLORY, address(number)), TAKEN);
    }
    let later = now + HOLD;
    assert_eq!(table.lease(later, lease(MALLORY, 2, 3600), HERE), Ok(()));
    let conflict = table.lease(later, lease(MALLORY, 4, 3600), HERE);
    assert_eq!(conflict, CONFLICT, "the router, for as long as the lease");
}

#[test]
fn the_server_does_not_give_away_what_a_player_has_by_a_lease() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 3600), HERE).unwrap();
    let stolen = lease(MALLORY, 1, 3600);
    assert_eq!(table.lease(now, stolen, HERE), CONFLICT);
    assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
    // Also while she is away for a moment; then the server knows better.
    let just_before = now + HOLD - Duration::from_millis(1);
    assert_eq!(table.lease(just_before, stolen, GONE), CONFLICT);
    assert_eq!(table.lease(now + HOLD, stolen, HERE), CONFLICT);
    assert_eq!(table.lease(now + HOLD, stolen, GONE), Ok(()));
    assert_eq!(table.claim(now + HOLD, ALICE, address(1)), TAKEN);
}

#[test]
fn who_gets_another_lease_has_the_old_one_no_longer_than_a_claim() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 50, 43_200), HERE).unwrap();
    let later = now + Duration::from_secs(3600);
    table.lease(later, lease(ALICE, 200, 43_200), HERE).unwrap();
    assert_eq!(table.lease(later, lease(MALLORY, 50, 60), HERE), Ok(()));
    assert_eq!(table.claim(later, ALICE, address(200)), Ok(()));
    // Who has just used it may go on for a while.
    table.claim(later, ALICE, address(200)).unwrap();
    table.lease(later, lease(ALICE, 201, 43_200), HERE).unwrap();
    assert_eq!(table.claim(later, MALLORY, address(200)), TAKEN);
    assert_eq!(table.claim(later + HOLD, MALLORY, address(200)), Ok(()));
}

#[test]
fn another_lan_leaves_of_a_lease_no_more_than_a_claim() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 43_200), HERE).unwrap();
    table.forget_lan();
    assert_eq!(table.claim(now + HOLD, MALLORY, address(1)), Ok(()));
}

#[test]
fn who_gives_up_an_address_has_it_no_more_and_nobody_elses() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 3600), HERE).unwrap();
    table.claim_from_lan(now, firm(2));
    assert_eq!(table.give_up(now, MALLORY, address(1)), TAKEN);
    assert_eq!(table.give_up(now, ALICE, address(2)), TAKEN);
    assert_eq!(table.give_up(now, ALICE, address(3)), Ok(()), "nobody's");
    assert_eq!(table.give_up(now, ALICE, address(1)), Ok(()));
    assert_eq!(table.of(now, ALICE).count(), 0);
    assert_eq!(table.lease(now, lease(MALLORY, 1, 60), HERE), Ok(()));
}

#[test]
fn a_machine_that_stands_in_for_others_claims_nothing() {
    let (now, mut table) = table();
    table.claim_from_lan(now, answer(ROUTER, 254));
    assert_eq!(table.claim(now, MALLORY, address(254)), TAKEN, "its first");
    table.claim(now, ALICE, address(1)).unwrap();
    // A router with proxy_arp_pvlan answers for everybody.
    for number in [1, 2] {
        table.claim_from_lan(now, answer(ROUTER, number));
        assert_eq!(table.claim(now, ALICE, address(number)), Ok(()));
    }
    // What it says of itself counts: it may have two.
    table.claim_from_lan(
        now,
        Claim {
            mac: ROUTER,
            ..firm(1)
        },
    );
    assert_eq!(table.claim(now, ALICE, address(1)), TAKEN);
    // A quiet machine takes its address back with an answer.
    table.claim(now, MALLORY, address(9)).unwrap();
    table.claim_from_lan(now, answer(HOST, 9));
    assert_eq!(table.claim(now, MALLORY, address(9)), TAKEN);
}

#[test]
fn the_first_address_of_a_machine_is_forgotten_with_the_machine() {
    let (now, mut table) = table();
    table.claim_from_lan(now, answer(HOST, 1));
    let later = now + HOLD;
    table.claim_from_lan(later, answer(HOST, 2));
    assert_eq!(table.claim(later, MALLORY, address(2)), TAKEN, "it moved");
    let six = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
    let claim = Claim {
        address: six,
        ..answer(HOST, 2)
    };
    table.claim_from_lan(later, claim);
    assert_eq!(table.claim(later, MALLORY, six), TAKEN, "one of each kind");
}

#[test]
fn what_the_lan_says_of_a_players_own_mac_is_no_claim_of_the_lans() {
    let (now, mut table) = table();
    table.claim(now, ALICE, address(1)).unwrap();
    table.leave(ALICE);
    for claim in [
        answer(ALICE, 1),
        Claim {
            mac: ALICE,
            ..firm(1)
        },
    ] {
        table.claim_from_lan(now, claim);
    }
    table.come(ALICE);
    assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
}

#[test]
fn a_lease_holds_for_its_time_in_silence_and_against_the_lans_proxies() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 3600), HERE).unwrap();
    let later = now + Duration::from_secs(3599);
    table.claim_from_lan(later, firm(1));
    assert_eq!(table.claim(later, MALLORY, address(1)), TAKEN);
    let end = now + Duration::from_secs(3600);
    assert_eq!(table.claim(end, MALLORY, address(1)), Ok(()));
    table
        .lease(end, lease(ALICE, 2, u32::MAX.into()), HERE)
        .unwrap();
    assert_eq!(
        table.claim(end + LONGEST_LEASE, MALLORY, address(2)),
        Ok(())
    );
}

#[test]
fn the_router_that_the_server_names_is_the_lans() {
    let (now, mut table) = table();
    table.claim(now, MALLORY, address(254)).unwrap();
    let mut lease = lease(ALICE, 1, 3600);
    lease.lan = [None, Some(Ipv4Addr::from(0xc0a8_00fe))];
    table.lease(now, lease, HERE).unwrap();
    table.claim_from_lan(now, firm(254));
    assert_eq!(table.claim(now + HOLD, MALLORY, address(254)), TAKEN);
}

#[test]
fn another_lans_word_replaces_that_of_the_first() {
    let (now, mut table) = table();
    table.claim_from_lan(now, firm(1));
    table.lease(now, lease(MALLORY, 2, 3600), HERE).unwrap();
    table.forget_lan();
    assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
    assert_eq!(table.claim(now, ALICE, address(2)), TAKEN, "first come");
    table.claim_from_lan(now, firm(2));
    assert_eq!(table.claim(now, MALLORY, address(2)), TAKEN);
}

#[test]
fn who_claims_everything_keeps_little() {
    let (now, mut table) = table();
    for number in 0..100_000 {
        assert_eq!(table.claim(now, MALLORY, address(number)), Ok(()));
    }
    assert_eq!(table.held.len(), MAX_OF_PLAYER);
    assert_eq!(table.claim(now, ALICE, address(0)), Ok(()));
    assert_eq!(table.claim(now, ALICE, address(99_999)), TAKEN);
}

#[test]
fn of_too_many_addresses_a_lease_is_forgotten_last() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 60), HERE).unwrap();
    for number in 100..200 {
        assert_eq!(table.claim(now, ALICE, address(number)), Ok(()));
    }
    assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
}

#[test]
fn visits_fill_no_table_and_push_out_no_lease() {
    let (now, mut table) = table();
    table.lease(now, lease(ALICE, 1, 3600), HERE).unwrap();
    table.leave(ALICE);
    for visit in 0..10_000_u32 {
        let [.., a, b] = visit.to_be_bytes();
        let visitor = MacAddr::new([2, 0, 0, 1, a, b]);
        table.come(visitor);
        for number in 0..16 {
            let claimed = table.claim(now, visitor, address(1000 + 16 * visit + number));
            assert_eq!(claimed, Ok(()));
        }
        table.leave(visitor);
    }
    assert!(table.held.len() <= (MAX_DEPARTED + 1) * MAX_OF_PLAYER);
    assert!(table.departed.len() <= MAX_DEPARTED);
    assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN, "Alice's");
    // Leases and the router are known as ever.
    let mut named = lease(MALLORY, 2, 3600);
    named.lan = [None, Some(Ipv4Addr::from(0xc0a8_00fe))];
    table.lease(now, named, HERE).unwrap();
    for number in [2, 254] {
        assert_eq!(table.claim(now, ALICE, address(number)), TAKEN);
    }
}

#[test]
fn of_those_who_left_with_a_lease_the_first_is_forgotten() {
    let (now, mut table) = table();
    let count = u8::try_from(MAX_DEPARTED).unwrap();
    for number in 0..=count {
        let mac = MacAddr::new([2, 0, 0, 2, 0, number]);
        table
            .lease(now, lease(mac, number.into(), 3600), HERE)
            .unwrap();
        table.leave(mac);
    }
    assert_eq!(table.claim(now, ALICE, address(0)), Ok(()));
    for number in 1..=u32::from(count) {
        assert_eq!(table.claim(now, ALICE, address(number)), TAKEN);
    }
}

#[test]
fn a_full_table_is_searched_once_a_second_at_most() {
    let (now, mut table) = table();
    let second = Duration::from_secs(1);
    // Half of them lapse half a second after the others.
    for number in 0..u32::try_from(MAX_OF_LAN).unwrap() {
        let half = number % 2;
        table.claim_from_lan(now + second / 2 * half, firm(number));
    }
    let lapse = now + HOLD;
    table.claim_from_lan(lapse - second / 4, firm(50_000));
    assert!(!table.held.contains_key(&address(50_000)), "it is full");
    // Searched a quarter of a second ago, and nothing had lapsed then.
    table.claim_from_lan(lapse + second / 2, firm(50_001));
    assert_eq!(table.held.len(), MAX_OF_LAN);
    assert!(!table.held.contains_key(&address(50_001)));
    table.claim_from_lan(lapse + second, firm(50_002));
    assert!(table.held.contains_key(&address(50_002)));
}

#[test]
fn a_flood_of_addresses_stays_bounded_and_keeps_what_was_known() {
    let (now, mut table) = table();
    table.claim(now, ALICE, address(0)).unwrap();
    for number in 0..20_000 {
        let mac = MacAddr::new([0, 0x16, 0x3e, 1, (number >> 8) as u8, number as u8]);
        table.claim_from_lan(
            now,
            Claim {
                mac,
                ..firm(1000 + number)
            },
        );
    }
    assert_eq!(table.held.len(), 1 + MAX_OF_LAN);
    assert!(table.of_lan.len() <= MAX_OF_LAN);
    assert_eq!(table.claim(now, MALLORY, address(0)), TAKEN);
    // A player's claims, leases and routers are known all the same.
    let mut named = lease(ALICE, 1, 3600);
    named.lan = [None, Some(Ipv4Addr::from(0xc0a8_00fe))];
    table.lease(now, named, HERE).unwrap();
    table.claim(now, ALICE, address(2)).unwrap();
    for number in [1, 2, 254] {
        assert_eq!(table.claim(now, MALLORY, address(number)), TAKEN);
    }
    let later = now + HOLD;
    table.claim_from_lan(later, firm(50_000));
    assert_eq!(table.held_by_lan, 2, "the others have lapsed");
}

//! Whether all players may be waiting elsewhere.

use super::*;

/// For so long nobody knows where players have gone who fell silent.
const LOOKS: Duration = Duration::from_secs(60);
/// Until then they may be on their way.
const SETTLES: Duration = Duration::from_secs(8);

/// A room in which the gateway has been for a while.
fn settled(clients: &[(u16, MacAddr)]) -> Party {
    let mut party = Party::with(clients);
    party.advance(SETTLES);
    party
}

impl Party {
    fn is_deserted(&self) -> bool {
        self.bridge.is_deserted(self.now)
    }
}

#[test]
fn a_room_in_which_all_fell_silent_is_deserted_for_a_minute() {
    let mut party = settled(&[ALICE, BOB]);
    assert!(!party.is_deserted());
    party.leaves(ALICE, LeaveReason::TimedOut);
    assert!(!party.is_deserted(), "Bob is here");
    party.leaves(BOB, LeaveReason::Leaving);
    assert!(party.is_deserted(), "Alice may be looking");
    party.advance(LOOKS - Duration::from_millis(1));
    assert!(party.is_deserted());
    party.advance(Duration::from_millis(1));
    assert!(!party.is_deserted());
}

#[test]
fn who_says_goodbye_or_comes_back_is_not_waited_for() {
    let mut party = settled(&[]);
    assert!(!party.is_deserted(), "nobody has been here");
    for goodbye in [
        LeaveReason::Leaving,
        LeaveReason::Kicked,
        LeaveReason::Replaced,
    ] {
        party.join(ALICE);
        party.leaves(ALICE, goodbye);
        assert!(!party.is_deserted(), "{goodbye:?}");
    }
    party.join(ALICE);
    party.leaves(ALICE, LeaveReason::TimedOut);
    party.join((9, ALICE.1));
    assert!(!party.is_deserted());
    party.leaves((9, ALICE.1), LeaveReason::Leaving);
    assert!(!party.is_deserted(), "it has said goodbye since");
}

#[test]
fn who_does_not_follow_to_another_relay_may_wait_at_a_third() {
    let mut party = settled(&[ALICE]);
    party.bridge.handle_lost_link(party.now);
    assert!(!party.is_deserted(), "there is no link");
    party.welcome();
    assert!(!party.is_deserted(), "players are on their way");
    party.advance(SETTLES);
    assert!(party.is_deserted());
    party.join(ALICE);
    assert!(!party.is_deserted());
}

#[test]
fn who_stays_by_a_direct_path_alone_is_missed_at_the_relay() {
    let mut party = Party::with_door(&[ALICE]);
    party.advance(SETTLES);
    party.leaves(ALICE, LeaveReason::TimedOut);
    assert!(party.bridge.staying().next().is_some());
    assert!(party.is_deserted());
    party.bridge.handle_lost_link(party.now);
    party.welcome();
    party.join(ALICE);
    party.advance(SETTLES);
    assert!(!party.is_deserted());
}

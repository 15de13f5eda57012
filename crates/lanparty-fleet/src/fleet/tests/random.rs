//! Random evenings: relays die, sleep, are cut off, drain; the directory is away, slow, emptied, written to.
//! What must always hold is checked after every step by [`Party`], and in the end everybody finds everybody.

use super::Party;
use super::party::{near, room};
use crate::fleet::Load;
use crate::model::Model;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    Hello { at: usize, room: u16, gateway: bool },
    Leave { at: usize, room: u16 },
    Sleep { at: usize, is: bool },
    Cut { at: usize, is: bool },
    Slow { at: usize, milliseconds: u64 },
    Pause { at: usize, milliseconds: u64 },
    Drain { at: usize, is: bool },
    Late { at: usize, milliseconds: u64 },
    Restart { at: usize },
    Up(bool),
    Wipe,
    Erase(u16),
    Scribble(u16),
    EraseFleet,
    ScribbleFleet,
    Pass(u64),
}

const RELAYS: usize = 3;
const ROOMS: u16 = 6;

fn step() -> impl Strategy<Value = Step> {
    let at = 0..RELAYS;
    let room = 0..ROOMS;
    prop_oneof![
        8 => (at.clone(), room.clone(), any::<bool>()).prop_map(|(at, room, gateway)| Step::Hello { at, room, gateway }),
        2 => (at.clone(), room.clone()).prop_map(|(at, room)| Step::Leave { at, room }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, is)| Step::Sleep { at, is }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, is)| Step::Cut { at, is }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, is)| Step::Drain { at, is }),
        2 => (at.clone(), prop_oneof![Just(0_u64), Just(30)]).prop_map(|(at, milliseconds)| Step::Late { at, milliseconds }),
        1 => at.clone().prop_map(|at| Step::Restart { at }),
        1 => (at.clone(), prop_oneof![Just(0_u64), Just(500), Just(9000)]).prop_map(|(at, milliseconds)| Step::Pause { at, milliseconds }),
        1 => (at, prop_oneof![Just(2_u64), Just(200), Just(1200), Just(3000)]).prop_map(|(at, milliseconds)| Step::Slow { at, milliseconds }),
        1 => any::<bool>().prop_map(Step::Up),
        1 => Just(Step::Wipe),
        1 => room.clone().prop_map(Step::Erase),
        1 => room.prop_map(Step::Scribble),
        1 => Just(Step::EraseFleet),
        1 => Just(Step::ScribbleFleet),
        8 => prop_oneof![Just(1_u64), Just(50), Just(700), Just(4000), Just(7000)].prop_map(Step::Pass),
    ]
}

fn take(party: &mut Party, step: Step) {
    match step {
        Step::Hello {
            at,
            room: number,
            gateway,
        } => {
            if !party.relays[at].asleep {
                let _ = party.try_enter(at, room(number), gateway, &[near(at, 5)]);
            }
        }
        Step::Leave { at, room: number } => {
            party.relays[at].fleet.room_closed(party.now, room(number));
        }
        Step::Sleep { at, is } => party.relays[at].asleep = is,
        Step::Cut { at, is } => {
            let site = party.relays[at].site;
            party.model.cut(site, is);
        }
        Step::Slow { at, milliseconds } => {
            let site = party.relays[at].site;
            party
                .model
                .set_delay(site, Duration::from_millis(milliseconds));
        }
        Step::Pause { at, milliseconds } => {
            let site = party.relays[at].site;
            party
                .model
                .set_pause(site, Duration::from_millis(milliseconds));
        }
        Step::Drain { at, is } => {
            let (now, fleet) = (party.now, &mut party.relays[at].fleet);
            match is {
                true => fleet.drain(now),
                false => fleet.undrain(now),
            }
        }
        Step::Late { at, milliseconds } => late(party, at, milliseconds),
        Step::Restart { at } => party.restart(at),
        Step::Up(is) => party.model.set_up(is),
        Step::Wipe => party.upsets(Model::wipe),
        Step::Erase(number) => party
            .model
            .erase(format!("rooms/{}", room(number)).as_bytes()),
        Step::Scribble(number) => party
            .model
            .scribble(format!("rooms/{}", room(number)).as_bytes(), b"?"),
        Step::EraseFleet => party.upsets(|model| model.erase(b"fleet")),
        Step::ScribbleFleet => party.upsets(|model| model.scribble(b"fleet", b"?")),
        Step::Pass(milliseconds) => party.pass(milliseconds),
    }
}

/// A relay hears how late it is.
fn late(party: &mut Party, at: usize, milliseconds: u64) {
    let lag = Duration::from_millis(milliseconds);
    if !party.relays[at].asleep {
        let fleet = &mut party.relays[at].fleet;
        fleet.handle_load(party.now, Load { free: 400, lag });
    }
}

/// Everything is mended, and time passes.
fn mend(party: &mut Party) {
    party.model.set_up(true);
    // As whoever reads is told to; a relay may have done so before.
    if party.model.value(b"fleet") == Some(b"?") {
        party.model.erase(b"fleet");
    }
    for at in 0..RELAYS {
        let site = party.relays[at].site;
        party.model.set_pause(site, Duration::ZERO);
        party.model.cut(site, false);
        party.model.set_delay(site, Duration::from_millis(2));
        party.relays[at].asleep = false;
        let now = party.now;
        party.relays[at].fleet.undrain(now);
        late(party, at, 0);
    }
    party.pass(20_000);
    for at in 0..RELAYS {
        late(party, at, 0);
    }
    party.pass(3000);
}

/// The same evenings each time, few enough for a build that is not optimized: chance breaks no build, and whoever changes the
/// core plays others with `PROPTEST_RNG_SEED`, and more of them with `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let is_set = |name| std::env::var_os(name).is_some();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(18),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig {
        failure_persistence: None,
        cases: match is_set("PROPTEST_CASES") {
            true => asked.cases,
            false => 64,
        },
        rng_seed,
        ..asked
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_a_room_has_one_owner_and_all_find_it_in_the_end(steps in prop::collection::vec(step(), 1..60)) {
        let mut party = Party::ready(RELAYS);
        for step in steps {
            take(&mut party, step);
        }
        mend(&mut party);
        for number in 0..ROOMS {
            let owners = party.holders(room(number));
            prop_assert!(owners.len() <= 1, "{:?} have room {number}", owners);
            if let Some(&owner) = owners.first() {
                prop_assert_eq!(party.owner(room(number)), Some(owner));
            }
            let first = party.enter(0, room(number), true, &[]);
            for at in 1..RELAYS {
                prop_assert_eq!(party.enter(at, room(number), false, &[]), first);
            }
        }
        // Nothing that was offered before keeps a room from leaving now.
        party.drain(0);
        party.pass(15_000);
        prop_assert_eq!(party.relays[0].fleet.rooms(), []);
        let entries = party.model.entries();
        prop_assert!(!entries.iter().any(|entry| entry.key.starts_with(b"moves/")));
    }
}

/// Found by chance: relay 2 is cut off with a room, which another one opens in the directory made anew, by the revision
/// by which relay 2 had it in the one before.
#[test]
fn who_comes_back_to_a_directory_made_anew_has_no_room_by_anothers_fence() {
    let hello = |at, room, gateway| Step::Hello { at, room, gateway };
    let steps = [
        hello(0, 0, false),
        hello(0, 2, false),
        hello(2, 4, false),
        Step::Scribble(0),
        Step::Scribble(4),
        Step::Pass(50),
        Step::Cut { at: 2, is: true },
        hello(0, 1, true),
        hello(0, 4, true),
        hello(2, 1, false),
        Step::Wipe,
        Step::Pass(4000),
        Step::Cut { at: 2, is: false },
        Step::Erase(0),
        Step::Cut { at: 0, is: true },
        Step::Pass(4000),
    ];
    let mut party = Party::ready(RELAYS);
    for step in steps {
        take(&mut party, step);
    }
}

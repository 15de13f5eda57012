//! Who has an invite of before, which names one relay.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::{Several, Venue, eventually, pass};

use crate::table::{each_run, must_move};
use crate::world::Relays;

const OLD: &str = "old-invite.txt";
const SOON: Duration = Duration::from_secs(30);
const A_MOMENT: Duration = Duration::from_secs(2);

/// The party leaves the one with the old invite behind when its relay dies, and nobody else; it is whole again when the host
/// has the party come back there.
pub(crate) fn an_old_invite_beside_new_ones(world: &Relays) -> Result<()> {
    each_run("the relay of an old invite is killed", 1, || {
        let mut before = 0;
        let row = world.lives_through(|world, party, at| {
            before = at;
            party.invite(OLD, &[&party.relays[at]])?;
            let (old, _) = party.join(OLD, &["--relay-only"])?;
            let plays = |party: &Several| party.players[old].machine.pings(Venue::LAN1, 56);
            plays(party)?;
            party.relays[at].program.kill()?;
            party.moves_from(at, SOON)?;
            world.answers_come(Instant::now())?;
            party.relays[at].start_again()?;
            pass(A_MOMENT);
            ensure!(plays(party).is_err(), "who is at another relay is not here");
            Ok(())
        });
        let row = must_move(row?)?;
        let back = world.lives_through(|world, party, _| {
            let address = party.relays[before].address.to_string();
            party.ctl(&["relay", &address])?;
            eventually("the party is whole again", SOON, || {
                let old = party.players.last()?;
                old.machine.pings(Venue::LAN1, 56).ok()
            })?;
            world.answers_come(Instant::now())
        });
        let back = must_move(back?)?;
        let gap = back.gap.as_secs_f32();
        println!("the host has the party come back: without an answer for {gap:.1} s by the relay");
        world.party().last_leaves()?;
        Ok(row)
    })
}

//! Where floods come in.

use std::time::{Duration, Instant};

use anyhow::Result;
use lanparty_lab::traffic::{End, Storm, StormPlan};
use lanparty_lab::{Party, Player, eventually, pass};

/// Where a flow has a queue of its own, this is as many as there are.
pub(crate) const PORTS: u16 = 1000;
pub(crate) const SHORTEST: usize = 60;
/// How long it is looked at what gets through.
const LOOK: Duration = Duration::from_secs(1);
/// What waits in a packet socket outlives a storm, and all that waits has passed when so few come in such a time.
const QUARTER: Duration = Duration::from_millis(250);
const FEW: u64 = 10;
const DRAINED: Duration = Duration::from_secs(60);

/// Where a storm comes in, from which station and for which.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) from: End<'a>,
    pub(crate) source: [u8; 6],
    pub(crate) to: [u8; 6],
    /// Bytes of a frame.
    pub(crate) length: usize,
}

impl Door<'_> {
    /// Begins: so many frames a second, or as many as go.
    pub(crate) fn storm(&self, per_second: Option<f64>) -> Result<Storm> {
        let plan = StormPlan {
            ports: PORTS,
            length: self.length,
            per_second,
        };
        Storm::of(plan, self.from, self.source, self.to)
    }

    /// Frames a second that get to `sink`, of so many or of as many as go.
    pub(crate) fn carried(&self, per_second: Option<f64>, sink: End<'_>) -> Result<f64> {
        let (came, begin) = (|| sink.0.packets_received(sink.1), Instant::now());
        let before = came()?;
        let storm = self.storm(per_second)?;
        pass(LOOK);
        let through = (came()? - before) as f64 / begin.elapsed().as_secs_f64();
        let offered = storm.offered() as f64 / begin.elapsed().as_secs_f64();
        drop(storm);
        let mut before = came()?;
        eventually("what waits passes", DRAINED, || {
            pass(QUARTER);
            let now = came().ok()?;
            (now - std::mem::replace(&mut before, now) < FEW).then_some(())
        })?;
        println!("\n  a storm of {offered:.0} frames a second: {through:.0} come through");
        Ok(through)
    }
}

/// From a machine of the LAN, the one of the two that is not for pings, to this player.
pub(crate) fn of_the_lan<'a>(party: &'a Party, to: &Player) -> Result<Door<'a>> {
    let lan2 = &party.venue.lan2;
    Ok(Door {
        from: (lan2, "eth0"),
        source: lan2.mac("eth0")?,
        to: to.mac(),
        length: SHORTEST,
    })
}

/// From a player's adapter.
pub(crate) fn of_a_player(player: &Player, to: [u8; 6]) -> Door<'_> {
    Door {
        from: (&player.machine, Player::TAP),
        source: player.mac(),
        to,
        length: SHORTEST,
    }
}

//! A party with one honest player, a machine from which somebody means harm, and eyes on the LAN.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Machine, Party, PartyBuilder, Player, RawSocket, World};
use rustix::process::setpriority_process;

use crate::frames::{EVERYBODY, EXPERIMENT, Mac, ethernet};
use crate::peer::{Hostile, Relay, Tasks};

/// The hostile peer's MAC in the room.
pub(crate) const HOSTILE: Mac = [0x02, 0x66, 0, 0, 0, 1];
/// A MAC that nobody has.
pub(crate) const NOBODY: Mac = [0x02, 0x66, 0, 0, 0, 0x99];
/// How long a frame may take to the LAN on a busy machine.
/// A peer that is thrown out a hundred times comes back as often, which the usual limits would not let it.
const MANY_JOINS: [&str; 4] = ["--max-joins", "10000", "--max-joins-per-address", "10000"];
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);

/// Dropped from the top: first the hostile peer, then its machine's tasks, then the party.
pub(crate) struct Scene {
    pub(crate) hostile: Hostile,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) relay: Relay,
    /// A machine that has just been plugged into the LAN's switch, without an IPv4 address.
    pub(crate) guest: Machine,
    pub(crate) party: Party,
}

/// Who gets the processor when there is too little of it. The machine is shared, and a flood comes from another one: neither
/// may keep from running what is judged.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    /// The party's programs and those who judge.
    First,
    /// Floods.
    Last,
}

/// From now on the calling thread, and what it starts, comes at this turn.
pub(crate) fn come(turn: Turn) -> Result<()> {
    let nice = match turn {
        Turn::First => -15,
        Turn::Last => 10,
    };
    // On Linux this is about a thread, not about its process.
    setpriority_process(None, nice).context("set a priority")
}

/// Whose words the room hears.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mouth {
    /// The hostile peer, which nobody filters but the relay and those behind it.
    Link,
    /// A real player's machine, whose TAP our client reads.
    Tap,
}

impl Scene {
    pub(crate) fn build() -> Result<Self> {
        Self::with(Party::builder().relay_flags(&MANY_JOINS))
    }

    pub(crate) fn with(party: PartyBuilder) -> Result<Self> {
        come(Turn::First)?;
        let party = party.players(1).strangers(1).start()?;
        let guest = party.venue.lab.machine("guest")?;
        guest.sysctl("net/ipv6/conf/default/accept_ra", "1")?;
        party.venue.lab.plug(&guest, "eth0", &party.venue.switch)?;
        let tasks = Tasks::on(party.venue.remotes.last().context("no machine far away")?)?;
        let relay = Relay::of(&party)?;
        let hostile = tasks.run(Hostile::join(relay.clone(), HOSTILE))?;
        Ok(Self {
            hostile,
            tasks,
            relay,
            guest,
            party,
        })
    }

    pub(crate) fn player(&self) -> &Player {
        &self.party.players[0]
    }

    /// The machine of the hostile peer.
    pub(crate) fn far_away(&self) -> &Machine {
        &self.party.venue.remotes[1]
    }

    /// The MAC with which this mouth may speak.
    pub(crate) fn own_mac(&self, mouth: Mouth) -> Mac {
        match mouth {
            Mouth::Link => self.hostile.mac,
            Mouth::Tap => self.player().mac(),
        }
    }

    /// Says frames: by the link each whole and in three pieces, by the TAP whole.
    pub(crate) fn say(&self, mouth: Mouth, frames: &[Vec<u8>]) -> Result<()> {
        match mouth {
            Mouth::Link => {
                for frame in frames {
                    let pieces = self.hostile.pieces(frame, frame.len().div_ceil(3));
                    for datagram in [self.hostile.whole(frame)].into_iter().chain(pieces) {
                        self.hostile.say(&datagram)?;
                    }
                }
            }
            Mouth::Tap => {
                let tap = self
                    .player()
                    .machine
                    .enter(|| RawSocket::open(Player::TAP))?;
                for frame in frames {
                    tap.send(frame)?;
                }
            }
        }
        Ok(())
    }

    /// Says frames and fails when one of them comes out of the gateway, or at the other end of the room.
    pub(crate) fn nobody_hears(&self, mouth: Mouth, frames: &[Vec<u8>]) -> Result<()> {
        self.nobody_hears_when(mouth, frames, || self.say(mouth, frames))
    }

    /// As [`nobody_hears`](Self::nobody_hears), for frames that `say` says.
    ///
    /// A frame that is allowed goes behind them on the same way: who has heard it would have heard them.
    pub(crate) fn nobody_hears_when(
        &self,
        mouth: Mouth,
        frames: &[Vec<u8>],
        say: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let mut eyes = vec![("the LAN", Eye::on_the_gateway(self)?)];
        if matches!(mouth, Mouth::Link) {
            let tap = Eye::open(&self.player().machine, Player::TAP)?;
            eyes.push(("the other player", tap));
        }
        say()?;
        let marker = ethernet(EVERYBODY, self.own_mac(mouth), EXPERIMENT, b"that was all");
        for (whose, eye) in eyes {
            let seen = eye.until(&marker, || self.say(mouth, std::slice::from_ref(&marker)))?;
            let heard = frames.iter().position(|frame| seen.contains(frame));
            ensure!(
                heard.is_none(),
                "{whose} heard frame {heard:?} that was said by {mouth:?}"
            );
        }
        Ok(())
    }
}

impl World for Scene {
    fn report(&self) -> String {
        self.party.report()
    }
}

/// Sees what comes in at one interface.
pub(crate) struct Eye(RawSocket);

impl Eye {
    /// At the switch's socket for the gateway: everything that the gateway puts on the LAN comes in there.
    pub(crate) fn on_the_gateway(scene: &Scene) -> Result<Self> {
        Self::open(&scene.party.venue.switch, "gw")
    }

    pub(crate) fn open(machine: &Machine, interface: &str) -> Result<Self> {
        let socket = machine.enter(|| RawSocket::open(interface))?;
        socket.set_nonblocking()?; // for its large buffer
        Ok(Self(socket))
    }

    /// The next frame, if one is there.
    pub(crate) fn look(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let length = self.0.receive(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    /// Everything before the marker, which is said again and again until it comes.
    pub(crate) fn until(
        &self,
        marker: &[u8],
        say: impl Fn() -> Result<()>,
    ) -> Result<Vec<Vec<u8>>> {
        let mut seen = Vec::new();
        let mut said = None::<Instant>;
        lanparty_lab::eventually("an allowed frame gets through", PATIENCE, || {
            while let Some(frame) = self.look() {
                if frame == marker {
                    return Some(Ok(()));
                }
                seen.push(frame);
            }
            if said.is_none_or(|said| said.elapsed() >= AGAIN) {
                said = Some(Instant::now());
                return say().err().map(Err);
            }
            None
        })??;
        Ok(seen)
    }

    /// Whether a frame like this comes within so long.
    pub(crate) fn sees_within(&self, time: Duration, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let look = || std::iter::from_fn(|| self.look()).find(|frame| wanted(frame));
        lanparty_lab::eventually("a frame comes", time, look).is_ok()
    }
}

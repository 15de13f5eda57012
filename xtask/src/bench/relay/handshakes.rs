//! How many newcomers a relay lets in: whole handshakes, hello, and a place in a room.

use anyhow::Result;
use lanparty_lab::Machine;

use super::trial::{Arrival, Cores, Programs, Trial};
use crate::bench::aims::median;
use crate::bench::progress;

const ROOM_OF: usize = 8;
const PLAYERS: usize = 1000;

/// What the relay signs each handshake with.
#[derive(Clone, Copy, Debug)]
enum Key {
    /// One of its own, as certbot makes them, too.
    EcdsaP256,
    /// What some authorities' older tools make.
    Rsa2048,
}

const KEYS: [(Key, &str); 2] = [
    (Key::EcdsaP256, "ECDSA P-256 (its own, certbot's)"),
    (Key::Rsa2048, "RSA 2048"),
];

impl Key {
    fn prepare(self, machine: &Machine) -> Result<&'static [&'static str]> {
        if matches!(self, Self::EcdsaP256) {
            return Ok(&[]);
        }
        machine.run(RSA.split_whitespace())?;
        Ok(&["--cert", "rsa.pem", "--key", "rsa.key"])
    }
}

const RSA: &str = "openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=lanparty-relay \
     -addext subjectAltName=DNS:lanparty-relay -addext basicConstraints=critical,CA:FALSE";

impl Arrival {
    /// With its core full of nothing else.
    fn per_core(&self) -> f64 {
        self.players as f64 / self.relay.as_secs_f64()
    }
}

/// Measures all rounds, the keys in turns, and prints a table.
pub(super) fn run(rounds: u8, ours: &Programs) -> Result<()> {
    let trial = Trial {
        players: PLAYERS,
        room_of: ROOM_OF,
        seconds: 1,
        // Those who knock have a core of their own, and their work is not in the relay's figures.
        cores: Cores::apart(),
        threads: Some(1),
        is_idle: true,
    };
    let mut found = KEYS.map(|_| Vec::new());
    for round in 1..=rounds {
        for ((key, name), arrivals) in KEYS.iter().zip(&mut found) {
            progress(&format!(
                "round {round} of {rounds}: {PLAYERS} newcomers, {name}"
            ));
            arrivals.push(trial.arrive(ours, |machine| key.prepare(machine))?);
        }
    }
    println!(
        "\n| the relay's key | newcomers | all in after, s | relay, ms of processor each | newcomers, ms each | newcomers a second and core of the relay |"
    );
    println!("|---|---|---|---|---|---|");
    for ((_, name), arrivals) in KEYS.iter().zip(&found) {
        let of = |value: fn(&Arrival) -> f64| median(arrivals.iter().map(value).collect());
        println!(
            "| {name} | {PLAYERS} | {:.2} | {:.3} | {:.3} | {:.0} |",
            of(|arrival| arrival.time.as_secs_f64()),
            of(|arrival| arrival.relay.as_secs_f64() * 1e3 / arrival.players as f64),
            of(|arrival| arrival.crowd.as_secs_f64() * 1e3 / arrival.players as f64),
            of(Arrival::per_core),
        );
    }
    println!(
        "\nWhole handshakes with hello and a place in a room of {ROOM_OF}, 16 at once, over UDP; the last column is what the relay's \
         own processor time says."
    );
    Ok(())
}

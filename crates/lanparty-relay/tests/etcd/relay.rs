//! A relay's part in its fleet, with nothing else of a relay.

use lanparty_fleet::*;
use lanparty_relay::directory::{Directory, DirectoryAddress, DirectoryError, Heard, Password};
use std::time::{Duration, Instant};
use tokio::time::timeout;

pub(crate) fn directory(address: &str, password: Option<&str>) -> Directory {
    let address: DirectoryAddress = address.parse().expect("an address");
    Directory::start(address, password.map(Password::new)).expect("files that can be read")
}

/// A relay of a fleet without rooms of its own: fleet and directory, in one loop.
pub(crate) struct Relay {
    pub(crate) fleet: Fleet,
    pub(crate) directory: Directory,
    pub(crate) outputs: Vec<Output>,
    pub(crate) troubles: Vec<DirectoryError>,
}

impl Relay {
    pub(crate) fn new(number: u64, directory: Directory) -> Self {
        let settings = Settings {
            id: RelayId::from_random(number),
            address: format!("relay-{number}.example.net")
                .parse()
                .expect("an address"),
            pin: None,
            region: "Lab".into(),
            secret: FleetSecret::new("a secret that both relays know").expect("long enough"),
            free: 100,
            on_loss: OnLoss::Keep,
            unix: 1_800_000_000,
            pace: Settings::PACE,
        };
        Relay {
            fleet: Fleet::new(Instant::now(), settings),
            directory,
            outputs: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Takes part until something holds.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Relay) -> bool) {
        let done = timeout(Duration::from_secs(20), async {
            while !holds(self) {
                self.turn(Duration::from_millis(50)).await;
            }
        });
        if done.await.is_err() {
            panic!(
                "{what}: {:?} {:?} {:?}",
                self.fleet.standing(),
                self.outputs,
                self.troubles
            );
        }
    }

    pub(crate) async fn turn(&mut self, at_most: Duration) {
        let now = Instant::now();
        self.fleet.handle_timeout(now);
        while let Some((tag, request)) = self.fleet.poll_request() {
            self.directory.request(tag, request);
        }
        while let Some(output) = self.fleet.poll_output() {
            self.outputs.push(output);
        }
        let next = self
            .fleet
            .poll_timeout(now)
            .map_or(at_most, |next| next.saturating_duration_since(now));
        let heard = timeout(next.min(at_most), self.directory.heard()).await;
        let now = Instant::now();
        match heard {
            Ok(Heard::Answer(tag, answer)) => self.fleet.handle_answer(now, tag, answer),
            Ok(Heard::Event(event)) => self.fleet.handle_event(now, event),
            Ok(Heard::Trouble(error)) => self.troubles.push(error),
            Err(_) => {}
        }
    }

    pub(crate) async fn located(&mut self, room: RoomHash) -> Located {
        let mut located = Located::Ask;
        self.until("located", |relay| {
            located = relay.fleet.locate(Instant::now(), room, &Asker::default());
            located != Located::Ask
        })
        .await;
        located
    }
}

/// Both take part until something holds.
pub(crate) async fn both(
    one: &mut Relay,
    two: &mut Relay,
    what: &str,
    mut holds: impl FnMut(&mut Relay, &mut Relay) -> bool,
) {
    let started = Instant::now();
    while !holds(one, two) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{what}: {:?} {:?}",
            one.outputs,
            two.outputs
        );
        one.turn(Duration::from_millis(10)).await;
        two.turn(Duration::from_millis(10)).await;
    }
}

//! A party that is made up behind the real server: the page cannot tell it from a gateway, and it does what a test says.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_gateway_control::{Answer, Order, Snapshot, line};
use lanparty_lab::Machine;
use lanparty_page::{Links, Page, Settings, StateFolder};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::interval;

const AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4480);
const PUBLIC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4481);
/// Faster than a gateway, so that a test sees many snapshots soon.
const EVERY: Duration = Duration::from_millis(200);
pub(crate) const LINK: &str = "lanparty://r.example/FRIDAY#KEY";

/// What the party is, and what was ordered.
pub(crate) struct State {
    pub(crate) players: usize,
    pub(crate) names: Vec<String>,
    pub(crate) quiet: bool,
    pub(crate) locked: bool,
    pub(crate) isolated: bool,
    pub(crate) reach: Value,
    pub(crate) bans: Vec<Value>,
    /// At which relays the party may be.
    pub(crate) relays: Value,
    /// True while orders wait for their answers.
    pub(crate) holds: bool,
    pub(crate) orders: Vec<Value>,
    ticks: u64,
}

/// The party, which ends when it is dropped.
pub(crate) struct Made {
    pub(crate) links: Links,
    state: Arc<Mutex<State>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Made {
    pub(crate) fn state() -> Arc<Mutex<State>> {
        Arc::new(Mutex::new(State {
            players: 8,
            names: ["Ana", "Bertram", "Çağla", "Дмитрий"]
                .map(Into::into)
                .into(),
            quiet: false,
            locked: false,
            isolated: false,
            reach: json!("everything"),
            bans: Vec::new(),
            relays: json!([]),
            holds: false,
            orders: Vec::new(),
            ticks: 0,
        }))
    }

    /// Starts the server and a gateway's end of the line on this machine.
    pub(crate) fn start(
        machine: &Machine,
        folder: &Path,
        state: &Arc<Mutex<State>>,
    ) -> Result<Self> {
        let settings = Settings {
            at: Some(AT),
            public: Some(PUBLIC),
            folder: Some(StateFolder::new(PathBuf::from(folder))),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
        };
        let page = machine.enter(|| Ok(Page::open(&settings)))?;
        anyhow::ensure!(page.troubles().is_empty(), "{:?}", page.troubles());
        let links = page.links().clone();
        let (tell, mut hear, line) = line(snapshot(&mut lock(state)).context("a snapshot")?);
        page.start(line)?;
        let (end, mut ended) = oneshot::channel();
        let party = Arc::clone(state);
        let run = async move {
            let mut tick = interval(EVERY);
            let mut waiting: Vec<Order> = Vec::new();
            loop {
                tokio::select! {
                    _ = tick.tick() => {
                        if let Some(now) = snapshot(&mut lock(&party)) {
                            tell.tell(now);
                        }
                    }
                    Some(order) = hear.recv() => waiting.push(order),
                    _ = &mut ended => return,
                }
                if lock(&party).holds {
                    continue;
                }
                for Order { request, answer } in waiting.drain(..) {
                    let request = serde_json::to_value(request).unwrap_or_default();
                    let _ = answer.send(lock(&party).obey(request)); // nor does everybody wait
                }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::spawn(move || runtime.block_on(run));
        Ok(Made {
            links,
            state: Arc::clone(state),
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Looks at or changes the party.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut lock(&self.state))
    }

    pub(crate) fn link(&self) -> String {
        self.links.host.clone().unwrap_or_default()
    }

    pub(crate) fn hall(&self) -> String {
        self.links.public.clone().unwrap_or_default()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn obey(&mut self, request: Value) -> Answer {
        let what = request["do"].as_str().unwrap_or_default().to_owned();
        let on = request["on"] == true;
        match what.as_str() {
            "lock" => self.locked = on,
            "isolate" => self.isolated = on,
            "reach" if request["who"].is_null() => self.reach = request["reach"].clone(),
            "ban" => self.bans.push(
                json!({"who": {"mac": request["who"]}, "mac": request["who"], "name": "Gone"}),
            ),
            "unban" => self.bans.clear(),
            "move_to" => {
                for relay in self.relays.as_array_mut().into_iter().flatten() {
                    relay["here"] = json!(relay["address"] == request["relay"]);
                }
            }
            _ => {}
        }
        self.orders.push(request);
        let answer = match what.as_str() {
            "invite" | "new_key" => {
                json!({"invite": {"link": LINK, "svg": include_str!("invite.svg")}})
            }
            "kick" => json!({"refused": "no player of that name is here"}),
            _ => json!({"done": format!("It is done: {what}.")}),
        };
        serde_json::from_value(answer).unwrap_or(Answer::Refused("a test's mistake".into()))
    }

    fn player(&self, number: usize) -> Value {
        let name = self.names.get(number).cloned();
        let loss = [0, 8, 33, 2][number % 4];
        let ping = [24_000, 95_000, 170_000, 9_000][number % 4] + self.ticks * 7 % 3000;
        json!({
            "mac": format!("02:1a:2b:00:00:{number:02x}"),
            "name": name.unwrap_or_else(|| format!("Player {number:02}")),
            "own_name": (number == 0).then_some("anna"),
            "addresses": [format!("192.168.50.{}", 100 + number)],
            "way": if number.is_multiple_of(2) { "relay" } else { "direct" },
            "ping_us": ping,
            "pings_us": (0..60).map(|at| ping + at * 100).collect::<Vec<_>>(),
            "loss_permille": loss,
            "rates": {"to_lan": self.ticks * 1000, "from_lan": 2_000_000},
            "seconds": self.ticks,
            "dropped": if number == 1 { 1204 } else { 0 },
            "dropped_why": (number == 1).then_some("more than one player may say to everybody"),
        })
    }
}

/// The next snapshot. It goes by way of JSON, so that fields which are new do not matter here.
fn snapshot(state: &mut State) -> Option<Snapshot> {
    state.ticks += 1;
    let players: Vec<_> = (0..state.players)
        .map(|number| state.player(number))
        .collect();
    let loud = |value: Value| if state.quiet { json!([]) } else { value };
    serde_json::from_value(json!({
        "version": lanparty_gateway_control::VERSION,
        "program": "1.2.3",
        "seconds": state.ticks,
        "party": {"room": "FRIDAY", "name": "Friday at Bo’s", "keyed": true, "hosted": true},
        "lan": {"interface": "eth0", "up": true},
        "link": {"relay": "127.0.0.1:4433", "state": "connected", "seconds": state.ticks, "sentence": "Connected.", "ping_us": 210, "loss_permille": 0, "relays": state.relays, "term": 1_796_000_000, "moves": 1, "asked_s": 260},
        "port": {"listens": 4433, "state": "shut", "sentence": "Nobody outside comes in: forward UDP 4433 in your router.", "addresses": ["203.0.113.9:4433"]},
        "locked": state.locked,
        "isolated": state.isolated,
        "reach": state.reach,
        "players": players,
        "bans": state.bans,
        "games": loud(json!([
            {"game": "OpenArena", "server": "Bo’s arena", "address": "192.168.50.11:27960", "host": "lan", "map": "q3dm17", "players": 5, "max_players": 16, "heard_ms": 500},
            {"game": "Minecraft", "server": "A world", "address": "192.168.50.101:25565", "host": {"player": "Bertram"}, "heard_ms": 25000},
        ])),
        "leases": loud(json!([{"mac": "02:1a:2b:00:00:01", "address": "192.168.50.101", "server": "192.168.50.1", "seconds": 3600}])),
        "attempts": loud(json!([{"mac": "02:1a:2b:00:00:01", "name": "Bertram", "protocol": "tcp", "address": "192.168.50.2", "port": 445, "what": "file shares", "frames": 12, "seconds": 5, "allow": "192.168.50.2:445"}])),
        "warnings": loud(json!([
            {"id": "no_dhcp", "mark": "doubtful", "sentence": "No DHCP server answers on the LAN: switch on the router's."},
            {"id": "port", "mark": "bad", "sentence": "Nobody outside comes in: forward UDP 4433 in your router."},
        ])),
        "events": loud(json!([
            {"number": 2, "at": 1_796_000_060, "mark": "doubtful", "sentence": "Bertram left: the link was lost."},
            {"number": 1, "at": 1_796_000_000, "mark": "note", "sentence": "Bertram joined."},
        ])),
        "rates": {"to_lan": 1000, "from_lan": 2000},
    }))
    .ok()
}

//! A party that is made up, for the page's tests and for looking at it: snapshots that change each second, and orders
//! answered as a gateway would. Its last line on standard output is the link.
#![allow(
    clippy::disallowed_methods,
    reason = "a program for tests: it owns its clock"
)]

use clap::Parser;
use lanparty_games::{Game, Host};
use lanparty_gateway_control::*;
use lanparty_page::{Page, Settings, StateFolder};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{interval, sleep};

#[derive(Parser)]
struct Args {
    /// How many players there are.
    #[arg(long, default_value_t = 8)]
    players: u8,
    /// Where the page listens.
    #[arg(long, default_value = "127.0.0.1:4480")]
    page: SocketAddr,
    /// Where the public view listens.
    #[arg(long)]
    page_public: Option<SocketAddr>,
    /// Where token and certificate are kept.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How long each order takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    slow: u64,
    /// Refuse every order.
    #[arg(long)]
    refuse: bool,
    /// At how many relays the party may be.
    #[arg(long, default_value_t = 1)]
    relays: usize,
    /// How often there is a new snapshot, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    every: u64,
}

fn main() {
    let args = Args::parse();
    let settings = Settings {
        at: Some(args.page),
        public: args.page_public,
        folder: args.folder.clone().map(StateFolder::new),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
    };
    let page = Page::open(&settings);
    page.troubles()
        .iter()
        .for_each(|trouble| println!("{trouble}"));
    let links = page.links().clone();
    let mut party = Made::new(args.players);
    party.now.link.places = places(args.relays);
    let (tell, mut hear, line) = line(party.snapshot());
    page.start(line).expect("a thread");
    if let Some(fingerprint) = &links.fingerprint {
        println!("{fingerprint}");
    }
    if let Some(public) = &links.public {
        println!("{public}");
    }
    println!("{}", links.host.expect("a page"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut tick = interval(Duration::from_millis(args.every));
        loop {
            tokio::select! {
                _ = tick.tick() => party.go_on(),
                Some(order) = hear.recv() => {
                    sleep(Duration::from_millis(args.slow)).await;
                    let answer = match args.refuse {
                        true => Answer::Refused("the relay has refused that; try again later".into()),
                        false => party.obey(order.request),
                    };
                    let _ = order.answer.send(answer);
                }
            }
            tell.tell(party.snapshot());
        }
    });
}

/// The party.
struct Made {
    now: Snapshot,
    event: u64,
}

const NAMES: [&str; 8] = [
    "Ada",
    "Bert",
    "Clara <b>",
    "Дмитрий",
    "エミ",
    "Frida",
    "Günther the Unusually Long-Named",
    "Hamid",
];

impl Made {
    fn new(players: u8) -> Self {
        let party = Party {
            room: "LAN-7GKQ".into(),
            name: Some("Friday".into()),
            keyed: true,
            hosted: true,
        };
        let lan = LanSide {
            interface: "eth0".into(),
            up: true,
            trouble: None,
            with_this_machine: true,
        };
        let mut now = Snapshot::begin("0.1.0", party, lan, "203.0.113.7:443".into());
        now.players = (0..players).map(guest).collect();
        now.games = vec![
            game("OpenArena", "Ada's arena", Some(Host::Player("Ada".into()))),
            game("Minecraft", "World", Some(Host::Lan)),
        ];
        now.leases = now
            .players
            .iter()
            .take(4)
            .enumerate()
            .map(|(at, guest)| Lease {
                mac: guest.mac.clone(),
                address: Ipv4Addr::new(192, 168, 50, 100 + at as u8),
                server: Ipv4Addr::new(192, 168, 50, 1),
                seconds: Some(3600),
            })
            .collect();
        now.warnings = vec![Warning {
            id: "port".into(),
            mark: Mark::Doubtful,
            sentence: "Whether players reach UDP port 443 from outside could not be checked: forward it in your router.".into(),
        }];
        now.attempts = vec![Attempt {
            mac: "02:00:00:00:00:02".into(),
            name: Some("Bert".into()),
            protocol: "tcp".into(),
            address: [192, 168, 50, 2].into(),
            port: Some(445),
            what: Some("file shares".into()),
            frames: 3,
            seconds: 12,
            allow: "192.168.50.2:445".into(),
        }];
        now.port = Some(Port {
            listens: 443,
            state: PortState::Unknown,
            sentence: "Nobody outside could be asked to knock.".into(),
            addresses: vec!["203.0.113.7:443".parse().expect("an address")],
        });
        now.link.state = LinkState::Connected;
        now.link.sentence = "Connected to the relay 203.0.113.7:443.".into();
        let mut made = Made { now, event: 0 };
        made.happen(Mark::Note, "The party began.".into());
        made
    }

    fn snapshot(&self) -> Snapshot {
        self.now.clone()
    }

    /// A second later.
    fn go_on(&mut self) {
        self.now.seconds += 1;
        let seconds = self.now.seconds;
        self.now.link.seconds += 1;
        self.now.link.ping_us = Some(9_000 + (seconds * 137 % 3_000) as u32);
        self.now.link.loss_permille = Some((seconds % 3) as u16);
        let mut all = Rates::default();
        for (at, guest) in self.now.players.iter_mut().enumerate() {
            let at = at as u64;
            let ping = 8_000 + at as u32 * 14_000 + (seconds * 1_237 % 6_000) as u32;
            guest.seconds += 1;
            guest.ping_us = Some(ping);
            guest.pings_us.push(ping);
            let surplus = guest.pings_us.len().saturating_sub(60);
            guest.pings_us.drain(..surplus);
            guest.rates = Rates {
                to_lan: 3_000 * (at + 1) + seconds % 7 * 400,
                from_lan: 5_000 * (at + 1) + seconds % 5 * 900,
            };
            all.to_lan += guest.rates.to_lan;
            all.from_lan += guest.rates.from_lan;
        }
        self.now.rates = all;
    }

    fn obey(&mut self, request: Request) -> Answer {
        let refused = |sentence: &str| Answer::Refused(sentence.to_owned());
        let sentence = match request {
            Request::Snapshot => return Answer::Snapshot(Box::new(self.snapshot())),
            Request::Kick { who } => match self.take(&who) {
                Some(guest) => format!("{} is out.", called(&guest)),
                None => return refused("no such player is in the room"),
            },
            Request::Ban { who } => match self.take(&who) {
                Some(guest) => {
                    self.now.bans.push(Ban {
                        who: lanparty_ctrl_person(&guest.mac),
                        mac: guest.mac.parse().ok(),
                        name: guest.name.clone().and_then(|name| name.parse().ok()),
                    });
                    format!("{} is banned.", called(&guest))
                }
                None => return refused("no such player is in the room"),
            },
            Request::Unban { who } => {
                let before = self.now.bans.len();
                self.now
                    .bans
                    .retain(|ban| ban.mac.is_none_or(|mac| mac.to_string() != who));
                match before == self.now.bans.len() {
                    true => return refused("nobody of that name is banned"),
                    false => format!("{who} may come again."),
                }
            }
            Request::Mute { who, on } => match self.find(&who) {
                Some(guest) => {
                    guest.muted = on;
                    format!(
                        "{} is {}.",
                        called(guest),
                        if on { "muted" } else { "heard again" }
                    )
                }
                None => return refused("no such player is in the room"),
            },
            Request::Lock { on } => {
                self.now.locked = on;
                String::from(if on {
                    "The room is locked."
                } else {
                    "The room is open."
                })
            }
            Request::Isolate { on } => {
                self.now.isolated = on;
                String::from(if on {
                    "Players are kept apart."
                } else {
                    "Players are together again."
                })
            }
            Request::Rename {
                who: Some(who),
                name,
            } => match self.find(&who) {
                Some(guest) => {
                    guest.own_name = guest.own_name.take().or(guest.name.take());
                    guest.name = Some(name.clone()).filter(|name| !name.is_empty());
                    format!("{who} is called {name} now.")
                }
                None => return refused("no such player is in the room"),
            },
            Request::Rename { who: None, name } => {
                self.now.party.name = Some(name.clone()).filter(|name| !name.is_empty());
                format!("The party is called {name} now.")
            }
            Request::Reach { who, reach } => {
                match who.as_deref().map(|who| self.find(who)) {
                    None => self.now.reach = reach.unwrap_or_default(),
                    Some(Some(guest)) => guest.reach = reach,
                    Some(None) => return refused("no such player is in the room"),
                }
                "That is what players may reach now.".into()
            }
            Request::Allow { what, .. } => {
                self.now.attempts.retain(|attempt| attempt.allow != what);
                format!("{what} is allowed.")
            }
            Request::MoveTo { relay } => {
                let places = &mut self.now.link.places;
                let mut relays = places.relays.iter_mut();
                match relays.find(|one| one.address == relay) {
                    None => return refused("no relay of this party is called that"),
                    Some(Relay {
                        trouble: Some(trouble),
                        ..
                    }) => {
                        return Answer::Refused(format!(
                            "the relay {relay} does not take the party: {trouble}"
                        ));
                    }
                    Some(_) => {}
                }
                for one in &mut places.relays {
                    one.here = one.address == relay;
                }
                places.moves += 1;
                places.term = places.term.map(|term| term + 1);
                self.now.link.relay.clone_from(&relay);
                format!("The party is at the relay {relay} now.")
            }
            Request::Invite { hours } => return Answer::Invite(shown(hours, None)),
            Request::NewKey => {
                self.happen(Mark::Note, "The room has a new key.".into());
                return Answer::Invite(shown(None, Some("The room has a new key.".into())));
            }
            _ => return refused("this made-up party does not know that"),
        };
        self.happen(Mark::Note, sentence.clone());
        Answer::Done(sentence)
    }

    fn find(&mut self, who: &str) -> Option<&mut Guest> {
        self.now
            .players
            .iter_mut()
            .find(|guest| guest.mac == who || guest.name.as_deref() == Some(who))
    }

    fn take(&mut self, who: &str) -> Option<Guest> {
        let at = self
            .now
            .players
            .iter()
            .position(|guest| guest.mac == who || guest.name.as_deref() == Some(who))?;
        Some(self.now.players.remove(at))
    }

    fn happen(&mut self, mark: Mark, sentence: String) {
        self.event += 1;
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.now.events.insert(
            0,
            Event {
                number: self.event,
                at,
                mark,
                sentence,
            },
        );
        self.now.events.truncate(200);
    }
}

/// So many of them, of which the last one does not answer.
fn places(count: usize) -> Relays {
    let made = [
        ("203.0.113.7:443", Some("Frankfurt"), Some(11_000), None),
        ("paris.example:443", Some("Paris <i>"), Some(24_000), None),
        ("relay.example:4433", None, None, Some("it does not answer")),
    ];
    let relay = |(at, (address, region, ping_us, trouble)): (
        usize,
        (&str, Option<&str>, _, Option<&str>),
    )| Relay {
        address: address.to_owned(),
        region: region.map(str::to_owned),
        ping_us,
        here: at == 0,
        leads_to: None,
        trouble: trouble.map(str::to_owned),
    };
    let relays = made.into_iter().enumerate().map(relay).take(count);
    Relays {
        relays: relays.filter(|_| count > 1).collect(),
        term: Some(1_796_000_000),
        moves: 1,
        asked_s: Some(260),
    }
}

fn lanparty_ctrl_person(mac: &str) -> lanparty_ctrl::orders::Person {
    lanparty_ctrl::orders::Person::Mac(mac.parse().expect("a MAC address"))
}

fn called(guest: &Guest) -> String {
    guest.name.clone().unwrap_or_else(|| guest.mac.clone())
}

fn guest(at: u8) -> Guest {
    let name = NAMES.get(usize::from(at)).map(|name| (*name).to_owned());
    Guest {
        mac: format!("02:00:00:00:00:{:02x}", at + 1),
        name: match at {
            7 => None,
            _ => name.or(Some(format!("Player {at}"))),
        },
        own_name: None,
        key: Some(format!("k{at:02}aBcDe")),
        addresses: vec![[192, 168, 50, 100u8.wrapping_add(at)].into()],
        way: if at % 3 == 1 { Way::Direct } else { Way::Relay },
        ping_us: None,
        relay: Measured::default(),
        direct: Measured::default(),
        not_direct: at.is_multiple_of(3).then(|| NotDirect::PlayerNat.to_host()),
        pings_us: Vec::new(),
        loss_permille: Some(u16::from(at % 4) * 7),
        rates: Rates::default(),
        seconds: 60 * u64::from(at),
        muted: at == 5,
        reach: None,
        dropped: u64::from(at) * 3,
        drops: Default::default(),
        dropped_why: (at == 4).then(|| "chatter beyond the limit".into()),
    }
}

fn game(name: &str, server: &str, host: Option<Host>) -> Game {
    Game {
        game: name.into(),
        server: server.into(),
        address: "192.168.50.100:27960".parse().expect("an address"),
        mac: None,
        host,
        map: Some("q3dm17".into()),
        players: Some(3),
        max_players: Some(16),
        heard_ms: 1500,
        silence_ms: None,
    }
}

fn shown(hours: Option<u32>, sentence: Option<String>) -> Shown {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Shown {
        link: "lanparty://203.0.113.7/LAN-7GKQ#made-up-key".into(),
        page: None,
        svg: SVG.into(),
        expires: hours.map(|hours| now + u64::from(hours) * 3600),
        sentence,
    }
}

/// Stands where a QR code would; the real one is the gateway's.
const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9H0z" fill="white"/><path d="M1 1h3v3H1zM5 1h3v3H5zM1 5h3v3H1zM6 6h1v1H6z"/></svg>"#;

//! How players find this gateway for a direct path, and what its host is told of that (spec R140).
//!
//! The relay tells them where it sees the gateway's link. Beside that the gateway names its own addresses, for players behind the
//! same router, and what the router has opened for it, for players behind a router that gives every destination another port.

mod addresses;

use crate::config::Config;
use crate::way_in::{self, WayIn};
use addresses::{Known, named};
use lanparty_ctrl::DOORS;
use lanparty_ctrl::message::Welcome;
use lanparty_edge::speech::say;
use lanparty_edge::state_folder::StateFolder;
use lanparty_portmap::{Facts, Held, Outcome, own_addresses};
use lanparty_switch::reach::LanFacts;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio::sync::watch;

/// The gateway's end of direct paths, as the internet sees it.
pub(crate) struct Doorway {
    is_wanted: bool,
    asks_router: bool,
    /// The port that the host has chosen, and may have forwarded.
    chosen: Option<u16>,
    nonce: [u8; 12],
    lan: LanFacts,
    /// Where the relay sees this machine.
    seen: Option<IpAddr>,
    way_in: Option<Opened>,
    is_introduced: bool,
    /// The link has another port than the chosen one, and the host has heard of it.
    has_another: bool,
    /// The port in the router of which the host was told last.
    told: Option<SocketAddr>,
}

/// A port that the router is asked for.
struct Opened {
    port: u16,
    way_in: WayIn,
    facts: watch::Receiver<Facts>,
}

impl Doorway {
    /// While files may still be made.
    pub(crate) fn new(config: &Config) -> Self {
        let nonce = rand::random();
        let door = config.relay.door.as_ref();
        let folder = config.keys.clone().map(StateFolder::new);
        Doorway {
            is_wanted: door.is_some(),
            asks_router: config.asks_router,
            chosen: door.and_then(|door| door.port),
            nonce: match (&folder, door) {
                (Some(folder), Some(_)) => way_in::kept_nonce(folder, nonce),
                _ => nonce,
            },
            lan: LanFacts::default(),
            seen: None,
            way_in: None,
            is_introduced: false,
            has_another: false,
            told: None,
        }
    }

    /// What is known of the LAN behind the gateway's interface.
    pub(crate) fn note_lan(&mut self, facts: &LanFacts) {
        self.lan.clone_from(facts);
    }

    /// The relay sees this machine there.
    pub(crate) fn note_seen(&mut self, at: SocketAddr) {
        self.seen = Some(at.ip().to_canonical());
    }

    /// Says once to the host who sees whose address, where there may be direct paths from now on.
    pub(crate) fn introduce(&mut self, welcome: &Welcome) {
        let introduces = welcome.capabilities.iter().any(|name| name == DOORS);
        if self.is_wanted && introduces && !self.is_introduced {
            self.is_introduced = true;
            say(
                "Direct paths are on: you and each player see each other's internet address, players do not see each other's. \
                 --no-door turns them off.",
            );
        }
    }

    /// Where this machine's socket with this port is found, beside where the relay sees it.
    pub(crate) fn named(&mut self, port: u16) -> Vec<SocketAddr> {
        if !self.is_wanted {
            return Vec::new();
        }
        let mut facts = self.facts_of(port);
        if !facts.looked {
            // What is said anew a second later has everybody met anew.
            [facts.own, facts.own_ipv6] = own_addresses();
        }
        self.tell_of(&facts);
        let chosen = self.chosen.filter(|&chosen| chosen == port);
        if chosen != self.chosen && !std::mem::replace(&mut self.has_another, true) {
            say(format_args!(
                "UDP port {} was not free for this link to the relay, an earlier one may still have it; direct paths go by port \
                 {port} until the next link.",
                self.chosen.unwrap_or_default()
            ));
        }
        self.has_another &= chosen != self.chosen;
        let known = Known {
            facts: &facts,
            forwarded: self.seen.zip(chosen),
        };
        named(port, &known, |ip| addresses::is_inside(&self.lan, ip))
    }

    /// True for an address of the party's LAN.
    pub(crate) fn is_inside(&self, address: IpAddr) -> bool {
        addresses::is_inside(&self.lan, address)
    }

    /// Gives the port in the router back; that does not take long.
    pub(crate) async fn close(&mut self) {
        if let Some(opened) = self.way_in.take() {
            opened.way_in.close().await;
        }
    }

    /// What the router says of this port, which is asked for from now on if it has not been before.
    fn facts_of(&mut self, port: u16) -> Facts {
        let before = self.way_in.take_if(|opened| opened.port != port);
        if let Some(before) = before {
            tokio::spawn(before.way_in.close());
        }
        let opened = self.way_in.get_or_insert_with(|| {
            let anywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            let way_in = WayIn::open(anywhere, self.nonce, self.asks_router);
            Opened {
                port,
                facts: way_in.facts(),
                way_in,
            }
        });
        opened.facts.borrow().clone()
    }

    /// What the router has done is said once; that it has not is no news, for direct paths need it seldom.
    fn tell_of(&mut self, facts: &Facts) {
        let Outcome::Open(held) = &facts.four else {
            return;
        };
        if let Some(at) = addresses::outside(held)
            && self.told != Some(at)
        {
            self.told = Some(at);
            say(opened(held, at));
        }
    }
}

fn opened(Held { way, router, .. }: &Held, at: SocketAddr) -> String {
    let router = router.address;
    format!(
        "The router {router} has opened a UDP port for direct paths ({way}): players find this gateway at {at}."
    )
}

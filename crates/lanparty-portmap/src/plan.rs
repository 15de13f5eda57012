//! What is asked of the router, and when.
//!
//! One order at a time: the shell takes it with [`Plan::poll_output`], and tells what has come of it with its number. An
//! answer with another number is to a question that is of no interest any more.

use crate::epoch::Epoch;
use crate::way::Way;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// For how long a port is asked for (spec R127): a router that forgets nothing else forgets it then.
pub(crate) const LEASE: u32 = 3600;
/// What UPnP calls for ever. Some routers take nothing else, others break on it, so it is never the first question.
const FOR_EVER: u32 = 0;
/// For routers that refuse both, as UPnP 2 has no longer leases.
const WEEK: u32 = 7 * 24 * 3600;
/// A mapping is asked for anew at this part of its time.
const RENEW_PART: u32 = 3;
/// How soon after a question the same is asked again, whatever the router says.
const SHORTEST: Duration = Duration::from_secs(2);
/// How often it is looked whether the router has forgotten.
const LOOK: Duration = Duration::from_secs(30);
/// How long a router that opened nothing is left alone: whoever reads why may go and change its settings.
const AGAIN: Duration = Duration::from_secs(60);
/// How many ports of its own choice a router is asked for when somebody else has the wanted one.
const PORTS: u16 = 4;
/// Where they begin for a port that many routers give nobody.
const HIGH: u16 = 40_000;

/// The router of the default route, and this machine as the router sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Router {
    /// The router's address.
    pub address: IpAddr,
    /// The interface that leads to it.
    pub interface: u32,
    /// This machine's address there.
    pub own: IpAddr,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How.
    pub way: Way,
    /// Whom.
    pub router: Router,
    /// The port that is wanted outside.
    pub port: u16,
    /// For how many seconds; 0 for ever.
    pub lifetime: u32,
}

/// What the shell is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ask for the port, or again for one that we have: [`Plan::handle_answer`].
    Open(Asked),
    /// Look whether the router still has it: [`Plan::handle_found`].
    Look(Asked),
    /// Give it back: [`Plan::handle_closed`].
    Close(Asked),
}

/// What a router says that it has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Its address outside.
    pub address: Option<IpAddr>,
    /// The port there.
    pub port: u16,
    /// For how many seconds; 0 for ever.
    pub lifetime: u32,
    /// The seconds since it started, where it says so.
    pub epoch: Option<u32>,
}

/// Why a router opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyShut {
    /// Nothing comes back.
    #[error("no answer")]
    Silent,
    /// It cannot do that.
    #[error("it has none")]
    Absent,
    /// It does not want to.
    #[error("refused")]
    Refused,
    /// Somebody else has the port.
    #[error("another machine has the port")]
    Taken,
    /// There is no room for more.
    #[error("it has no room for more ports")]
    Full,
    /// It has no address outside, or none that is of use.
    #[error("it has no public address")]
    NoAddress,
    /// It opens ports for ever or not at all (UPnP 725).
    #[error("it opens ports for ever only")]
    ForEverOnly,
    /// It takes no such time (UPnP 402).
    #[error("it does not take the question")]
    WrongTime,
    /// What it says means nothing.
    #[error("its answer makes no sense")]
    Strange,
    /// The question does not leave this machine.
    #[error("it cannot be asked from here")]
    Unsent,
}

/// A refusal, and what was learnt with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: WhyShut,
    /// The router's address outside, where it told that all the same.
    pub address: Option<IpAddr>,
}

impl From<WhyShut> for Refused {
    fn from(why: WhyShut) -> Self {
        Refused { why, address: None }
    }
}

/// What a look at the router shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The seconds since it started.
    Epoch(u32),
    /// The port is open and ours.
    Ours,
    /// Nobody has it.
    Gone,
    /// Somebody else has it.
    Theirs,
    /// It cannot be seen.
    Unseen,
}

/// A port that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// By which way.
    pub way: Way,
    /// In whom.
    pub router: Router,
    /// The router's address outside.
    pub address: Option<IpAddr>,
    /// The port there.
    pub port: u16,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No router leads anywhere.
    NoRouter,
    /// It is being asked.
    Asking,
    /// It has opened the port.
    Open(Held),
    /// It has not.
    Shut {
        /// Which one.
        router: Router,
        /// By no way.
        refusals: Vec<(Way, Refused)>,
    },
}

/// When what is asked of the router.
#[derive(Debug)]
pub struct Plan {
    ways: &'static [Way],
    wanted: u16,
    router: Option<Router>,
    state: State,
    /// Of the last order.
    number: u64,
    /// Not yet taken.
    order: Option<Order>,
    is_ending: bool,
}

#[derive(Debug)]
enum State {
    NoRouter,
    Asking(Turn),
    Open(Mapping),
    Shut {
        router: Router,
        refusals: Vec<(Way, Refused)>,
        again: Instant,
    },
    Closing,
    Over,
}

/// One round through the ways.
#[derive(Debug)]
struct Turn {
    asked: Asked,
    /// The index of the way, and of the port.
    way: usize,
    port: u16,
    refusals: Vec<(Way, Refused)>,
}

#[derive(Debug)]
struct Mapping {
    held: Held,
    /// What it was asked for with.
    asked: Asked,
    doing: Doing,
    renew_at: Instant,
    /// Never, for one that is open for ever.
    ends: Option<Instant>,
    look_at: Instant,
    /// When it was asked for last.
    asked_at: Instant,
    epoch: Option<Epoch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Renewing,
    Looking,
}

impl Plan {
    /// A plan to open this port by these ways, once there is a router.
    pub fn new(ways: &'static [Way], wanted: u16) -> Self {
        Plan {
            ways,
            wanted,
            router: None,
            state: State::NoRouter,
            number: 0,
            order: None,
            is_ending: false,
        }
    }

    /// The router of the default route is this one now; nothing happens when it was before.
    pub fn handle_router(&mut self, router: Option<Router>) {
        if router == self.router || self.is_ending {
            return;
        }
        self.router = router;
        self.begin();
    }

    /// What to do next, and its number; an order before it is of no interest any more.
    pub fn poll_output(&mut self) -> Option<(u64, Order)> {
        Some((self.number, self.order.take()?))
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Open(mapping) if mapping.doing == Doing::Nothing => {
                let next = mapping.renew_at.min(mapping.look_at);
                Some(mapping.ends.map_or(next, |ends| next.min(ends)))
            }
            State::Shut { again, .. } => Some(*again),
            State::Open(_) | State::NoRouter | State::Asking(_) | State::Closing | State::Over => {
                None
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Shut { again, .. } if *again <= now => self.begin(),
            State::Open(mapping) if mapping.doing == Doing::Nothing => {
                if mapping.ends.is_some_and(|ends| ends <= now) {
                    self.begin();
                } else if mapping.renew_at <= now {
                    let order = mapping.renew(now);
                    self.give(order);
                } else if mapping.look_at <= now {
                    mapping.doing = Doing::Looking;
                    let order = Order::Look(mapping.asked);
                    self.give(order);
                }
            }
            _ => {}
        }
    }

    /// The router has answered, or has not, to [`Order::Open`].
    pub fn handle_answer(&mut self, now: Instant, number: u64, answer: Result<Granted, Refused>) {
        if number != self.number {
            return;
        }
        let answer = answer.and_then(Granted::sensible);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Asking(turn) => match answer {
                Ok(granted) => self.hold(now, turn.asked, granted),
                Err(_) if self.is_ending => {}
                Err(refused) => self.go_on(now, turn, refused),
            },
            State::Open(mut mapping) => match answer {
                Ok(granted) => self.hold(now, mapping.asked, granted),
                // The router is on its way up, or a packet got lost.
                Err(Refused {
                    why: WhyShut::Silent | WhyShut::Unsent,
                    ..
                }) => {
                    mapping.doing = Doing::Nothing;
                    mapping.renew_at = now + mapping.patience(now);
                    self.state = State::Open(mapping);
                }
                Err(_) => self.begin(),
            },
            other => self.state = other,
        }
    }

    /// What [`Order::Look`] has shown.
    pub fn handle_found(&mut self, now: Instant, number: u64, found: Found) {
        let State::Open(mapping) = &mut self.state else {
            return;
        };
        if number != self.number || mapping.doing != Doing::Looking {
            return;
        }
        mapping.doing = Doing::Nothing;
        mapping.look_at = now + LOOK;
        match found {
            Found::Ours | Found::Unseen => {}
            Found::Epoch(seconds) => mapping.hear(now, seconds),
            Found::Gone => mapping.renew_soon(now),
            Found::Theirs => self.begin(),
        }
    }

    /// The router has said to everybody for how long it has been running. It does so when it starts and when it gets
    /// another address (RFC 6886 §3.2.1), and one that has started twice within seconds cannot be told by the number.
    pub fn handle_announcement(&mut self, now: Instant, seconds: u32) {
        match &mut self.state {
            State::Open(mapping) => match mapping.held.way {
                // A UPnP mapping has no epoch; what was forgotten is seen by a look.
                Way::Upnp => mapping.look_at = mapping.look_at.min(now + SHORTEST),
                Way::Pcp | Way::NatPmp => {
                    mapping.hear(now, seconds);
                    mapping.renew_soon(now);
                }
            },
            // It may do now what it did not do before.
            State::Shut { again, .. } => *again = (*again).min(now + SHORTEST),
            State::NoRouter | State::Asking(_) | State::Closing | State::Over => {}
        }
    }

    /// The party ends: what is open is given back, then [`Self::is_over`].
    pub fn handle_shutdown(&mut self) {
        self.is_ending = true;
        match &self.state {
            State::Open(mapping) => {
                let order = Order::Close(mapping.asked);
                self.state = State::Closing;
                self.give(order);
            }
            // What it may open yet is given back then.
            State::Asking(_) | State::Closing => {}
            State::NoRouter | State::Shut { .. } | State::Over => self.state = State::Over,
        }
    }

    /// [`Order::Close`] is done, as well as it could be.
    pub fn handle_closed(&mut self, number: u64) {
        if number == self.number && matches!(self.state, State::Closing) {
            self.state = State::Over;
        }
    }

    /// True when nothing is left to be given back.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// How things stand.
    pub fn outcome(&self) -> Outcome {
        match &self.state {
            State::Asking(_) => Outcome::Asking,
            State::Open(mapping) => Outcome::Open(mapping.held),
            State::Shut {
                router, refusals, ..
            } => Outcome::Shut {
                router: *router,
                refusals: refusals.clone(),
            },
            State::NoRouter | State::Closing | State::Over => Outcome::NoRouter,
        }
    }

    /// Asks from the first way on, whatever was before.
    fn begin(&mut self) {
        let Some(router) = self.router else {
            self.state = State::NoRouter;
            // Whoever is still at it speaks to a router that is none of ours.
            self.number += 1;
            self.order = None;
            return;
        };
        let asked = Asked {
            way: self.ways[0],
            router,
            port: self.wanted,
            lifetime: LEASE,
        };
        let turn = Turn {
            asked,
            way: 0,
            port: 0,
            refusals: Vec::new(),
        };
        self.ask(turn);
    }

    fn ask(&mut self, turn: Turn) {
        self.give(Order::Open(turn.asked));
        self.state = State::Asking(turn);
    }

    fn give(&mut self, order: Order) {
        self.number += 1;
        self.order = Some(order);
    }

    /// What is asked after a refusal.
    fn go_on(&mut self, now: Instant, mut turn: Turn, refused: Refused) {
        let asked = turn.asked;
        let is_upnp = asked.way == Way::Upnp;
        match refused.why {
            WhyShut::ForEverOnly if is_upnp && asked.lifetime != FOR_EVER => {
                turn.asked.lifetime = FOR_EVER;
                return self.ask(turn);
            }
            WhyShut::WrongTime if is_upnp && asked.lifetime == LEASE => {
                turn.asked.lifetime = WEEK;
                return self.ask(turn);
            }
            // Other protocols choose another port themselves.
            WhyShut::Taken | WhyShut::Refused if is_upnp && turn.port < PORTS => {
                turn.port += 1;
                turn.asked.port = next_port(self.wanted, turn.port);
                return self.ask(turn);
            }
            _ => {}
        }
        turn.refusals.push((asked.way, refused));
        turn.way += 1;
        if let Some(&way) = self.ways.get(turn.way) {
            turn.port = 0;
            turn.asked = Asked {
                way,
                port: self.wanted,
                lifetime: LEASE,
                ..asked
            };
            return self.ask(turn);
        }
        self.state = State::Shut {
            router: asked.router,
            refusals: turn.refusals,
            again: now + AGAIN,
        };
    }

    fn hold(&mut self, now: Instant, asked: Asked, granted: Granted) {
        let asked = Asked {
            port: granted.port,
            ..asked
        };
        if self.is_ending {
            self.state = State::Closing;
            self.give(Order::Close(asked));
            return;
        }
        let lifetime = match granted.lifetime {
            FOR_EVER => LEASE,
            // Who promises more than was asked for may forget it all the same.
            lifetime => lifetime.min(LEASE),
        };
        let lifetime = Duration::from_secs(lifetime.into());
        self.state = State::Open(Mapping {
            held: Held {
                way: asked.way,
                router: asked.router,
                address: granted.address,
                port: granted.port,
            },
            asked,
            doing: Doing::Nothing,
            renew_at: now + (lifetime / RENEW_PART).max(SHORTEST),
            ends: (granted.lifetime != FOR_EVER).then_some(now + lifetime.max(2 * SHORTEST)),
            look_at: now + LOOK,
            asked_at: now,
            epoch: granted.epoch.map(|seconds| Epoch { seconds, at: now }),
        });
    }
}

impl Mapping {
    fn renew(&mut self, now: Instant) -> Order {
        self.doing = Doing::Renewing;
        self.asked_at = now;
        Order::Open(self.asked)
    }

    /// A router that has started anew has forgotten it.
    fn hear(&mut self, now: Instant, seconds: u32) {
        let goes_on = self
            .epoch
            .is_none_or(|epoch| epoch.goes_on_to(now, seconds));
        self.epoch = Some(Epoch { seconds, at: now });
        if !goes_on {
            self.renew_soon(now);
        }
    }

    /// As soon as that may be: who cries reboot every second is not asked every second.
    fn renew_soon(&mut self, now: Instant) {
        let soonest = (self.asked_at + SHORTEST).max(now);
        self.renew_at = self.renew_at.min(soonest);
    }

    /// How long to wait before a router that did not answer is asked again.
    fn patience(&self, now: Instant) -> Duration {
        let left = self.ends.map(|ends| ends.saturating_duration_since(now));
        let patience = left.map_or(AGAIN, |left| left / 4).min(AGAIN);
        patience.max(SHORTEST)
    }
}

impl Granted {
    fn sensible(self) -> Result<Self, Refused> {
        match self.port {
            0 => Err(WhyShut::Strange.into()),
            _ => Ok(self),
        }
    }
}

/// The port that is asked for when others did not do, the same each evening so that old invites go on to work.
fn next_port(wanted: u16, turn: u16) -> u16 {
    let base = match wanted {
        ..1024 => HIGH + wanted,
        _ => wanted,
    };
    // There is no port 0, and those below 1024 belong to services.
    base.checked_add(turn).unwrap_or(HIGH + turn)
}

#[cfg(test)]
mod tests;

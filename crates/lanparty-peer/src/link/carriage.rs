//! Over what a relay is reached: UDP, or TCP where that is all that gets through. What was found out is remembered for each
//! network, and asked again.

use super::Unfit;
use lanparty_obs::Packets;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long TCP waits for UDP: two of a handshake's packets have then had no answer.
const BEHIND_UDP: Duration = Duration::from_millis(1200);
/// How long a proxy waits for TCP that needs none.
const BEHIND_TCP: Duration = Duration::from_millis(300);
/// How long it is remembered what a network lets through, and of how many networks.
const MEMORY: Duration = Duration::from_secs(600);
const NETWORKS: usize = 8;
/// How often UDP is asked for over a link that has none, and how rarely where it has not lasted again and again.
const ASK: Duration = Duration::from_secs(60);
const RARELY: Duration = Duration::from_secs(16 * 60);
/// How soon for the first time: a relay that was started anew may have been found by TCP by chance.
const FIRST_ASK: Duration = Duration::from_secs(5);
/// UDP has lasted that carried a link for so long.
const LASTING: Duration = Duration::from_secs(300);
/// How long losses are looked at before UDP is left for them, how many of a thousand they are then, and of how many packets at
/// least: an idle link sends too few to say.
const LOSSES: Duration = Duration::from_secs(10);
const TOO_MANY: u64 = 100;
const ENOUGH: u64 = 60;

/// What carries the packets of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    Udp,
    /// TCP, straight to the relay.
    Tcp,
    /// TCP, by way of a proxy.
    Proxy,
}

impl Means {
    /// True for all but UDP.
    pub(crate) fn is_tcp(self) -> bool {
        self != Means::Udp
    }
}

/// How long each waits before it is tried; what waits for ever is not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Starts {
    pub(crate) udp: Option<Duration>,
    pub(crate) tcp: Option<Duration>,
    pub(crate) proxy: Option<Duration>,
}

impl Starts {
    /// What is tried where nothing is known.
    pub(crate) const USUAL: Starts = Starts::all(Duration::ZERO, BEHIND_UDP);
    const BESIDE: Starts = Starts::all(Duration::ZERO, Duration::ZERO);
    const TCP_FIRST: Starts = Starts::all(BEHIND_UDP, Duration::ZERO);
    const UDP_ALONE: Starts = Starts {
        udp: Some(Duration::ZERO),
        tcp: None,
        proxy: None,
    };
    const NO_UDP: Starts = Starts {
        udp: None,
        ..Starts::BESIDE
    };

    const fn all(udp: Duration, tcp: Duration) -> Self {
        Starts {
            udp: Some(udp),
            tcp: Some(tcp),
            proxy: Some(tcp.saturating_add(BEHIND_TCP)),
        }
    }
}

/// What is known of a network. This machine's address there is its name.
#[derive(Debug)]
struct Network {
    address: Option<IpAddr>,
    means: Means,
    until: Instant,
    /// UDP gets through, and loses too much.
    is_lossy: bool,
    /// How long until UDP is asked for, where something speaks against it.
    ask: Option<Duration>,
}

/// The link that stands.
#[derive(Debug)]
struct Standing {
    address: Option<IpAddr>,
    means: Means,
    since: Instant,
    next_ask: Instant,
    fell_silent: bool,
    is_silent: bool,
    /// It loses too much, and TCP takes its place for that.
    is_left: bool,
    sent: VecDeque<(Instant, Packets)>,
}

/// What of all this a peer knows. Pure, the time is passed in.
#[derive(Debug, Default)]
pub(crate) struct Carriage {
    /// The latest last.
    networks: VecDeque<Network>,
    link: Option<Standing>,
}

impl Carriage {
    /// When to try what, on the network where this machine has this address.
    pub(crate) fn starts(&self, now: Instant, address: Option<IpAddr>) -> Starts {
        match self.known(now, address) {
            Some(network) if network.is_lossy => Starts::TCP_FIRST,
            Some(network) if network.means.is_tcp() => Starts {
                // Where the proxy was the way in, it does not wait.
                proxy: match network.means {
                    Means::Proxy => Some(Duration::ZERO),
                    Means::Udp | Means::Tcp => Starts::BESIDE.proxy,
                },
                ..Starts::BESIDE
            },
            Some(_) | None => Starts::USUAL,
        }
    }

    /// The relay has let us in.
    pub(crate) fn stands(&mut self, now: Instant, address: Option<IpAddr>, means: Means) {
        let network = self.network(now, address);
        network.means = means;
        let ask = network.ask.unwrap_or(FIRST_ASK);
        self.link = Some(Standing {
            address,
            means,
            since: now,
            next_ask: match means.is_tcp() {
                true => now + ask,
                false => now,
            },
            fell_silent: false,
            is_silent: false,
            is_left: false,
            sent: VecDeque::new(),
        });
    }

    /// The link that stands is about to end.
    pub(crate) fn was_unfit(&mut self, unfit: Unfit) {
        if let Some(link) = &mut self.link {
            link.fell_silent = unfit == Unfit::Silent;
        }
    }

    /// The link that stood has ended. Where UDP fell silent, TCP does not wait for it the next time.
    pub(crate) fn ended(&mut self, now: Instant) {
        let Some(link) = self.link.take() else { return };
        let fell_silent = link.fell_silent;
        let has_lasted = now.saturating_duration_since(link.since) >= LASTING;
        let network = self.network(now, link.address);
        // What it was left for is not forgiven because it had lasted.
        if link.means == Means::Udp && !link.is_left {
            match (fell_silent, has_lasted) {
                (_, true) => (network.ask, network.is_lossy) = (None, false),
                (true, false) => {
                    // Once may be chance, such as a relay that was started anew.
                    let longer = network.ask.map(|ask| (ask * 2).min(RARELY));
                    network.ask = longer.or(Some(ASK));
                }
                (false, false) => {}
            }
        }
        network.means = match fell_silent {
            true if link.means == Means::Udp => Means::Tcp,
            _ => link.means,
        };
    }

    /// What to try beside the link that stands, once a second; `sent` is what became of its packets since it was made, and it
    /// is silent while the relay leaves questions unanswered.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        sent: Option<Packets>,
        is_silent: bool,
    ) -> Option<Starts> {
        let address = self.link.as_ref()?.address;
        // Of a network that is in use nothing is forgotten.
        self.network(now, address);
        let link = self.link.as_mut()?;
        // TCP is there, or is not, by the time that a silent link would be given up.
        let was_silent = std::mem::replace(&mut link.is_silent, is_silent);
        if is_silent && !link.means.is_tcp() {
            return (!was_silent).then_some(Starts::NO_UDP);
        }
        let starts = match link.means.is_tcp() {
            true => Starts::UDP_ALONE,
            false => Starts::NO_UDP,
        };
        let is_wanted = link.means.is_tcp() || {
            link.note(now, sent?);
            link.loses_too_much(now)
        };
        if !is_wanted || now < link.next_ask {
            return None;
        }
        self.postpone(now, address);
        Some(starts)
    }

    /// This machine has another address now. Over UDP the link moves with it; TCP stays behind, so everything is tried.
    pub(crate) fn moved(&mut self, now: Instant, address: Option<IpAddr>) -> Option<Starts> {
        let link = self.link.as_mut()?;
        link.address = address;
        if !link.means.is_tcp() {
            return None;
        }
        self.postpone(now, address);
        Some(Starts::BESIDE)
    }

    /// Whether to go over to what was reached beside the link that stands, by their round trips.
    pub(crate) fn is_better(
        &mut self,
        now: Instant,
        means: Means,
        reached: Option<Duration>,
        standing: Option<Duration>,
        is_silent: bool,
    ) -> bool {
        /// How much longer TCP may take than UDP that loses packets.
        const WORTH: Duration = Duration::from_millis(50);
        let Some(link) = &mut self.link else {
            return false;
        };
        if !(link.means == Means::Udp && means.is_tcp()) {
            return true;
        }
        if is_silent {
            self.was_unfit(Unfit::Silent);
            return true;
        }
        // It has been tried for that, and there is no need any more.
        if !link.loses_too_much(now) {
            return false;
        }
        let is_sane = match (reached, standing) {
            (Some(reached), Some(standing)) => reached <= 2 * standing + WORTH,
            _ => true,
        };
        if is_sane {
            link.is_left = true;
            let address = link.address;
            let network = self.network(now, address);
            let longer = network.ask.filter(|_| network.is_lossy);
            let longer = longer.map(|ask| (ask * 2).min(4 * RARELY));
            network.ask = longer.or(Some(RARELY));
            network.is_lossy = true;
        }
        is_sane
    }

    /// What was reached beside the link did not let us in.
    pub(crate) fn was_no_use(&mut self, now: Instant) {
        let Some(address) = self.link.as_ref().map(|link| link.address) else {
            return;
        };
        let network = self.network(now, address);
        network.ask = Some((network.ask.unwrap_or(ASK) * 2).min(RARELY));
        self.postpone(now, address);
    }

    fn postpone(&mut self, now: Instant, address: Option<IpAddr>) {
        let ask = self.network(now, address).ask.unwrap_or(ASK);
        if let Some(link) = &mut self.link {
            link.next_ask = now + ask;
        }
    }

    fn known(&self, now: Instant, address: Option<IpAddr>) -> Option<&Network> {
        let mut networks = self.networks.iter();
        networks.find(|network| network.address == address && network.until > now)
    }

    /// The network with this address, of which something is known from now on.
    fn network(&mut self, now: Instant, address: Option<IpAddr>) -> &mut Network {
        let at = self.networks.iter().position(|it| it.address == address);
        let network = at.and_then(|at| self.networks.remove(at));
        let network = network.filter(|network| network.until > now);
        if self.networks.len() >= NETWORKS {
            self.networks.pop_front();
        }
        self.networks.push_back(Network {
            until: now + MEMORY,
            ..network.unwrap_or(Network {
                address,
                means: Means::Udp,
                until: now,
                is_lossy: false,
                ask: None,
            })
        });
        self.networks.back_mut().expect("one was just added")
    }
}

impl Standing {
    fn note(&mut self, now: Instant, sent: Packets) {
        self.sent.push_back((now, sent));
        // One from before the time that is looked at says what came in it.
        while self.sent.len() > 2 && now.saturating_duration_since(self.sent[1].0) >= LOSSES {
            self.sent.pop_front();
        }
    }

    fn loses_too_much(&self, now: Instant) -> bool {
        let (Some((since, first)), Some((_, last))) = (self.sent.front(), self.sent.back()) else {
            return false;
        };
        let sent = last.sent.saturating_sub(first.sent);
        let lost = last.lost.saturating_sub(first.lost);
        now.saturating_duration_since(*since) >= LOSSES
            && sent >= ENOUGH
            && 1000 * lost > TOO_MANY * sent
    }
}

#[cfg(test)]
mod tests;

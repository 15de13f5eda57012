//! What was set on the adapter stays set (spec R132).
//!
//! Whoever sets something on the adapter says what it shall be like, here; a task of its own hears from the kernel when
//! anything changes, compares, and mends: within milliseconds, with a link and without. What others set besides is theirs,
//! but for routes that would take the player's internet into the party, which are removed. Everything here is bound to
//! the interface, and goes with it.

mod foreign;
mod host;
mod insistence;
mod kernel;
mod monitor;
mod wanted;

pub(crate) use kernel::IPV6_SETTINGS;
pub(crate) use wanted::Address;

use crate::address::InterfaceAddress;
use crate::link::Link;
use crate::route::Route;
use insistence::Insistence;
use kernel::Kernel;
use lanparty_edge::seldom::Seldom;
use lanparty_proto::{IpMtu, VirtualMac};
use monitor::Monitor;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use wanted::{Order, Wanted};

/// The kernel says nothing of most settings, so these are looked at this often,
const SETTINGS: Duration = Duration::from_millis(900);
/// and everything after so many of these, as a message may be lost.
const ROUNDS: u32 = 10;
/// How soon after one look the next may be: somebody may change things without end, or undo what we do.
const PAUSE: Duration = Duration::from_millis(200);
/// So many times as long as a look has taken nobody looks: the kernel may have very many routes to tell.
const COST: u32 = 20;

/// So often IPv6 is started again for its own address, which somebody may still be removing; the kernel may have been told to
/// make none.
const RESTARTS: u32 = 5;

/// The adapter, and what it shall be like: a handle, of which there may be several.
#[derive(Debug, Clone)]
pub(crate) struct Adapter(Rc<RefCell<Kept>>);

/// The task that sees to it; dropping this ends it.
#[derive(Debug)]
pub(crate) struct Watch(JoinHandle<()>);

#[derive(Debug)]
struct Kept {
    kernel: Kernel,
    wanted: Wanted,
    insistence: Insistence,
    /// How often IPv6 was started again since it had its own address.
    ipv6_restarts: u32,
    seldom: Seldom,
    /// Sentences that are said once.
    said: BTreeSet<String>,
}

impl Adapter {
    /// Sets what holds from the beginning; the link is down yet. What cannot be had is said, and the party goes on.
    pub(crate) fn new(link: Link, mac: VirtualMac) -> io::Result<Self> {
        let kept = Kept {
            kernel: Kernel::new(link),
            wanted: Wanted {
                mac: Some(mac.addr().octets()),
                is_host: true,
                own_address: Kernel::makes_own_addresses(),
                ..Wanted::default()
            },
            insistence: Insistence::default(),
            ipv6_restarts: 0,
            seldom: Seldom::default(),
            said: BTreeSet::new(),
        };
        let adapter = Adapter(Rc::new(RefCell::new(kept)));
        let seen = adapter.0.borrow().kernel.look_at_link()?;
        for order in adapter.0.borrow().wanted.orders(&seen) {
            match adapter.0.borrow().kernel.perform(&order) {
                Err(error) if matches!(order, Order::SetMac(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "The adapter cannot be given {order}"),
                Ok(()) => {}
            }
        }
        Ok(adapter)
    }

    /// Whether others may lead this machine's traffic through the adapter as they like.
    pub(crate) fn leave_routes_to_others(&self, leaves: bool) {
        self.0.borrow_mut().wanted.leaves_routes = leaves;
    }

    /// Nobody's route shall lead these to the adapter, as a LAN may say that they are in its network.
    pub(crate) fn keep_off(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let is_anywhere = |ip: &IpAddr| !lanparty_client_core::way::stays_here(*ip);
        let addresses = addresses.into_iter().filter(is_anywhere).collect();
        if self.0.borrow().wanted.kept_off != addresses {
            self.0.borrow_mut().wanted.kept_off = addresses;
            self.verify(Instant::now());
        }
    }

    /// Sets the MTU.
    pub(crate) fn want_mtu(&self, mtu: IpMtu) -> io::Result<()> {
        let mtu = mtu.number().into();
        self.0.borrow_mut().wanted.mtu = Some(mtu);
        self.0.borrow().kernel.perform(&Order::SetMtu(mtu))
    }

    /// Sets the adapter up.
    pub(crate) fn want_up(&self) -> io::Result<()> {
        self.0.borrow_mut().wanted.up = true;
        self.0.borrow().kernel.perform(&Order::SetUp)
    }

    /// Gives it an address, in the place of the same one with another prefix or other routes.
    pub(crate) fn want_address(&self, address: Address) -> io::Result<()> {
        let before = self.0.borrow().wanted.addresses.clone();
        if before.contains(&address) {
            return Ok(());
        }
        let is_same = |other: &&Address| other.at().ip() == address.at().ip();
        if let Some(other) = before.iter().find(is_same)
            && !address.is_renewal_of(*other)
        {
            self.drop_address(other.at().ip())?;
        }
        let kept = &mut *self.0.borrow_mut();
        kept.wanted
            .addresses
            .retain(|other| other.at().ip() != address.at().ip());
        kept.wanted.addresses.push(address);
        kept.kernel.add_address(address)
    }

    /// Takes an address away that was wanted.
    pub(crate) fn drop_address(&self, ip: IpAddr) -> io::Result<()> {
        let is_it = |address: &mut Address| address.at().ip() == ip;
        let kept = &mut *self.0.borrow_mut();
        let dropped: Vec<_> = kept.wanted.addresses.extract_if(.., is_it).collect();
        for address in dropped {
            unless_gone(kept.kernel.remove_address(address.at()))?;
        }
        Ok(())
    }

    /// Adds a route that leads to the adapter.
    pub(crate) fn want_route(&self, route: Route) -> io::Result<()> {
        let kept = &mut *self.0.borrow_mut();
        if !kept.wanted.routes.contains(&route) {
            kept.wanted.routes.push(route.clone());
        }
        unless_there(route.add())
    }

    /// Removes a route that was wanted.
    pub(crate) fn drop_route(&self, route: &Route) -> io::Result<()> {
        self.0.borrow_mut().wanted.routes.retain(|own| own != route);
        unless_gone(route.remove())
    }

    /// The addresses that it shall have.
    pub(crate) fn wanted_addresses(&self) -> Vec<InterfaceAddress> {
        let kept = self.0.borrow();
        kept.wanted.addresses.iter().map(|own| own.at()).collect()
    }

    /// Mends what differs now.
    pub(crate) fn verify(&self, now: Instant) {
        let seen = self.0.borrow().kernel.look();
        self.mend(now, seen);
    }

    /// Has a task see to it that everything stays as it is wanted, for as long as the answer is kept. To be called within
    /// the runtime, as part of its one thread.
    pub(crate) fn watch(&self) -> io::Result<Watch> {
        let monitor = Monitor::new()?;
        let adapter = self.clone();
        let task = tokio::task::spawn_local(async move { adapter.keep(&monitor).await });
        Ok(Watch(task))
    }

    async fn keep(&self, monitor: &Monitor) {
        let mut settings = tokio::time::interval(SETTINGS);
        settings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut round = 0;
        loop {
            tokio::select! {
                changed = monitor.changed() => {
                    if let Err(error) = changed {
                        tracing::warn!(%error, "Changes of the adapter are not heard any more, and mended later");
                        return self.keep_by_time().await;
                    }
                    let started = Instant::now();
                    self.verify(started);
                    // The same thread carries the frames.
                    let pause = PAUSE.max(COST * started.elapsed());
                    tokio::time::sleep(pause).await;
                }
                _ = settings.tick() => {
                    round = (round + 1) % ROUNDS;
                    match round {
                        0 => self.verify(Instant::now()),
                        _ => self.verify_settings(Instant::now()),
                    }
                }
            }
        }
    }

    async fn keep_by_time(&self) {
        loop {
            tokio::time::sleep(SETTINGS).await;
            self.verify(Instant::now());
        }
    }

    /// The same for what the kernel tells in one answer.
    fn verify_settings(&self, now: Instant) {
        let seen = self.0.borrow().kernel.look_at_link();
        let looks_well = |kept: &Kept, seen| !kept.wanted.differs_in_link(seen);
        match seen {
            Ok(seen) if looks_well(&self.0.borrow(), &seen) => {}
            _ => self.verify(now),
        }
    }

    fn mend(&self, now: Instant, seen: io::Result<wanted::Seen>) {
        let kept = &mut *self.0.borrow_mut();
        match seen {
            Ok(seen) => kept.mend(now, &seen),
            // Who removes the adapter is seen elsewhere, and what a socket needs may be short for a moment.
            Err(error) => tracing::debug!(%error, "Could not look at the adapter"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Kept {
    fn mend(&mut self, now: Instant, seen: &wanted::Seen) {
        self.wanted
            .addresses
            .retain(|address| !address.is_over(now));
        if seen.up {
            self.insistence.is_up();
        }
        if seen.link_local().is_some() {
            (self.wanted.link_local, self.ipv6_restarts) = (true, 0);
        }
        if !seen.up && self.wanted.up && !self.may_set_up(now) {
            return;
        }
        for order in self.wanted.orders(seen) {
            if let Order::RestartIpv6 = order {
                self.ipv6_restarts += 1;
                self.wanted.link_local = self.ipv6_restarts < RESTARTS;
            }
            match unless_there(unless_gone(self.kernel.perform(&order))) {
                Ok(()) => self.say_done(now, &order),
                Err(error) => self.say_once(format!(
                    "The adapter {} cannot be given back {order}: {error}",
                    self.kernel.link().name()
                )),
            }
        }
    }

    fn may_set_up(&mut self, now: Instant) -> bool {
        let yielded = self.insistence.yields();
        let may = self.insistence.is_down(now);
        if !may && !yielded {
            tracing::warn!(
                "Somebody sets the adapter {} down again and again, so it is left down until somebody sets it up",
                self.kernel.link().name()
            );
        }
        may
    }

    fn say_done(&mut self, now: Instant, order: &Order) {
        let name = self.kernel.link().name();
        match order {
            Order::RemoveForeign(foreign) => {
                let sentence = format!(
                    "{} gave the party's adapter {name} the route {foreign}; it was removed: your internet stays yours",
                    foreign.maker()
                );
                self.say_once(sentence);
            }
            _ if self.seldom.may_say(now) => {
                tracing::info!("Somebody changed the adapter {name}; it has again {order}");
            }
            _ => tracing::debug!("The adapter {name} has again {order}"),
        }
    }

    fn say_once(&mut self, sentence: String) {
        /// Strangers' words are among them.
        const MANY: usize = 64;
        if self.said.len() < MANY && self.said.insert(sentence.clone()) {
            tracing::warn!("{sentence}");
        } else {
            tracing::debug!("{sentence}");
        }
    }
}

/// What somebody has done meanwhile is done.
fn unless_there(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| match error.raw_os_error() {
        Some(libc::EEXIST) => Ok(()),
        _ => Err(error),
    })
}

fn unless_gone(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| match error.raw_os_error() {
        Some(libc::ESRCH | libc::EADDRNOTAVAIL | libc::ENOENT) => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests;

//! The pins of this run, each undone when it is dropped.

use super::{Plan, Route, best_without, is_leftover, plan};
use crate::process::is_client;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{io, process};

/// What keeps the relay, and the other end of a direct path, off the TAP, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    pins: BTreeMap<IpAddr, Pin>,
    /// Those of them where direct paths lead.
    doors: BTreeSet<IpAddr>,
}

/// How one address is kept off the TAP.
#[derive(Debug, Default)]
struct Pin {
    /// The best way without the TAP and our routes, when this was done.
    way: Option<Route>,
    held: Held,
}

#[derive(Debug, Default)]
enum Held {
    /// By nothing: it needs nothing, or no way leads there.
    #[default]
    Free,
    /// By a route that somebody else has made.
    Borrowed,
    /// By a route of ours.
    Own(OwnRoute),
}

/// A route that we added; dropping it removes it.
#[derive(Debug)]
struct OwnRoute(Route);

impl Pins {
    /// Pins these addresses along the ways that lead to them now, and forgets all others. Ways
    /// change while a program runs, so this is done again before each attempt to connect.
    pub(crate) fn renew(&mut self, tap: u32, relays: &[SocketAddr]) -> io::Result<()> {
        let all = ips(relays).union(&self.doors).copied().collect();
        self.pin(tap, all)
    }

    /// Keeps the pin of the address that answered only.
    pub(crate) fn keep_only(&mut self, relay: SocketAddr) {
        let relay = relay.ip().to_canonical();
        let doors = &self.doors;
        self.pins.retain(|ip, _| *ip == relay || doors.contains(ip));
    }

    /// Direct paths lead to these addresses, and to those of before no more.
    pub(crate) fn keep_doors(&mut self, tap: u32, doors: &[SocketAddr]) -> io::Result<()> {
        let before = std::mem::replace(&mut self.doors, ips(doors));
        let doors = &self.doors;
        // The relay may be at one of them, and stays where it is.
        self.pins
            .retain(|ip, _| doors.contains(ip) || !before.contains(ip));
        for &door in doors {
            if let Entry::Vacant(place) = self.pins.entry(door) {
                place.insert(Pin::new(tap, door)?);
            }
        }
        Ok(())
    }

    /// Pins anew if another way leads to a relay now, or somebody has removed our route (spec R72).
    pub(crate) fn follow(&mut self, tap: u32) -> io::Result<()> {
        for (&relay, pin) in &self.pins {
            let routes = Route::list(relay)?;
            if !pin.holds(best_without(tap, relay, &routes), &routes) {
                tracing::info!(%relay, "The way to the relay has changed; its route is made anew");
                let relays = self.pins.keys().copied().collect();
                return self.pin(tap, relays);
            }
        }
        Ok(())
    }

    /// The addresses that are kept off it.
    pub(crate) fn relays(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.pins.keys().copied()
    }

    /// True when a route keeps the relay off the TAP.
    pub(crate) fn is_pinned(&self) -> bool {
        let is_held = |pin: &Pin| !matches!(pin.held, Held::Free);
        self.pins.values().any(is_held)
    }

    fn pin(&mut self, tap: u32, relays: BTreeSet<IpAddr>) -> io::Result<()> {
        // Ours must not show the way to themselves.
        self.pins.clear();
        let mut outcome = Ok(());
        for relay in relays {
            let pin = Pin::new(tap, relay);
            tracing::debug!(%relay, ?pin, "Pinned the route to the relay");
            // One that failed is known to be free, and is tried again when ways change.
            self.pins.insert(
                relay,
                pin.unwrap_or_else(|error| {
                    outcome = Err(error);
                    Pin::default()
                }),
            );
        }
        outcome
    }
}

fn ips(addresses: &[SocketAddr]) -> BTreeSet<IpAddr> {
    let ips = addresses.iter().map(|address| address.ip().to_canonical());
    ips.collect()
}

impl Pin {
    fn new(tap: u32, relay: IpAddr) -> io::Result<Self> {
        let routes = Route::list(relay)?;
        let best = best_without(tap, relay, &routes);
        let way = Route::lookup(relay)?;
        let way = match &way {
            Some(way) if way.device == tap => best,
            way => way.as_ref(),
        };
        let held = match plan(relay, way, &routes, process::id()) {
            Plan::Nothing => Held::Free,
            Plan::Borrow => Held::Borrowed,
            Plan::Add(route) => {
                route.add()?;
                Held::Own(OwnRoute(route))
            }
        };
        Ok(Pin {
            way: best.cloned(),
            held,
        })
    }

    /// Whether it still does what it was made for.
    fn holds(&self, best: Option<&Route>, routes: &[Route]) -> bool {
        let stands = match &self.held {
            Held::Own(OwnRoute(own)) => routes.contains(own),
            Held::Borrowed | Held::Free => true,
        };
        stands && self.way.as_ref() == best
    }
}

impl Drop for OwnRoute {
    fn drop(&mut self) {
        // The system removes routes by itself when their device goes down.
        if let Err(error) = self.0.remove()
            && error.raw_os_error() != Some(libc::ESRCH)
        {
            tracing::warn!(%error, route = ?self.0, "Could not remove the route to the relay");
        }
    }
}

/// Removes the pins of clients that were killed (spec R80).
pub(crate) fn remove_leftovers() -> io::Result<()> {
    for family in [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ] {
        for route in Route::list(family)? {
            if is_leftover(&route, is_client) {
                tracing::info!(relay = %route.destination, "Removing a route that a killed client left");
                drop(OwnRoute(route));
            }
        }
    }
    Ok(())
}

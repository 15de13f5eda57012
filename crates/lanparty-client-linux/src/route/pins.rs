//! The pins of this run, each undone when it is dropped.

use super::{Plan, Route, best_without, is_leftover, plan};
use crate::process::is_client;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{io, process};

/// What keeps the relay off the TAP, by the relay's address: a route of ours, or one that somebody
/// else has made.
#[derive(Debug, Default)]
pub(crate) struct Pins(BTreeMap<IpAddr, Option<OwnRoute>>);

/// A route that we added; dropping it removes it.
#[derive(Debug)]
struct OwnRoute(Route);

impl Pins {
    /// Pins these addresses along the ways that lead to them now, and forgets all others. Ways
    /// change while a program runs, so this is done again before each attempt to connect.
    pub(crate) fn renew(&mut self, tap: u32, relays: &[SocketAddr]) -> io::Result<()> {
        self.0.clear();
        for relay in relays.iter().map(|relay| relay.ip().to_canonical()) {
            if !self.0.contains_key(&relay) {
                self.add(tap, relay)?;
            }
        }
        Ok(())
    }

    /// Keeps the pin of the address that answered only.
    pub(crate) fn keep_only(&mut self, relay: SocketAddr) {
        let relay = relay.ip().to_canonical();
        self.0.retain(|ip, _| *ip == relay);
    }

    /// True when a route keeps the relay off the TAP.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.0.is_empty()
    }

    fn add(&mut self, tap: u32, relay: IpAddr) -> io::Result<()> {
        let routes = Route::list(relay)?;
        let way = Route::lookup(relay)?;
        let way = match &way {
            Some(way) if way.device == tap => best_without(tap, relay, &routes),
            way => way.as_ref(),
        };
        let pin = match plan(relay, way, &routes, process::id()) {
            Plan::Nothing => return Ok(()),
            Plan::Borrow => None,
            Plan::Add(route) => {
                route.add()?;
                Some(OwnRoute(route))
            }
        };
        tracing::debug!(%relay, ?pin, "Pinned the route to the relay");
        self.0.insert(relay, pin);
        Ok(())
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

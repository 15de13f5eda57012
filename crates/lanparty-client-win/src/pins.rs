//! The routes that keep the relay off the adapter, each undone when it is dropped (spec R71, R72).

use crate::change::Change;
use crate::journal::{Guard, Journal};
use lanparty_client_route::{self as ip, Family, Luid, Plan, Route, pin};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// What keeps the relay off the adapter, by the relay's address.
pub(crate) struct Pins {
    journal: Rc<Journal>,
    adapter: Luid,
    pins: BTreeMap<IpAddr, Pin>,
    /// Those of them where direct paths lead.
    doors: BTreeSet<IpAddr>,
}

struct Pin {
    /// The way without the adapter and our routes, when this was done.
    way: Option<Route>,
    /// The host route along it, unless none is needed.
    route: Option<Route>,
    /// Ours to remove; one that is borrowed is not.
    _guard: Option<Guard>,
}

fn ips(addresses: &[SocketAddr]) -> BTreeSet<IpAddr> {
    let ips = addresses.iter().map(|address| address.ip().to_canonical());
    ips.collect()
}

impl Pins {
    pub(crate) fn new(journal: Rc<Journal>, adapter: Luid) -> Self {
        Pins {
            journal,
            adapter,
            pins: BTreeMap::new(),
            doors: BTreeSet::new(),
        }
    }

    /// Pins these addresses along the ways that lead to them now, and forgets all others.
    ///
    /// # Errors
    /// When an IPv4 address cannot be pinned; IPv6 is tried.
    pub(crate) fn renew(&mut self, relays: &[SocketAddr]) -> io::Result<()> {
        // Ours must not show the way to themselves.
        self.pins.clear();
        let doors = std::mem::take(&mut self.doors);
        self.pin_doors(doors);
        for relay in ips(relays) {
            match self.pin(relay) {
                Ok(pin) => {
                    self.pins.insert(relay, pin);
                }
                Err(error) if relay.is_ipv4() => return Err(error),
                Err(error) => tracing::warn!(%relay, %error, "Could not pin an IPv6 route"),
            }
        }
        Ok(())
    }

    /// Keeps the pin of the address that answered only.
    pub(crate) fn keep_only(&mut self, relay: SocketAddr) {
        let relay = relay.ip().to_canonical();
        let doors = &self.doors;
        self.pins.retain(|ip, _| *ip == relay || doors.contains(ip));
    }

    /// Direct paths lead to these addresses, and to those of before no more.
    pub(crate) fn keep_doors(&mut self, doors: &[SocketAddr]) {
        let (doors, before) = (ips(doors), std::mem::take(&mut self.doors));
        // The relay may be at one of them, and stays where it is.
        self.pins
            .retain(|ip, _| doors.contains(ip) || !before.contains(ip));
        self.pin_doors(doors);
    }

    /// One that cannot be pinned is none that a path leads to for long.
    fn pin_doors(&mut self, doors: BTreeSet<IpAddr>) {
        for &door in &doors {
            if self.pins.contains_key(&door) {
                continue;
            }
            match self.pin(door) {
                Ok(pin) => {
                    self.pins.insert(door, pin);
                }
                Err(error) => {
                    tracing::debug!(%door, %error, "Could not pin the route of a direct path");
                }
            }
        }
        self.doors = doors;
    }

    /// Pins anew what does not hold any more, or leads another way now; logs what it did.
    pub(crate) fn verify(&mut self) {
        let relays: Vec<_> = self.pins.keys().copied().collect();
        for relay in relays {
            match self.holds(relay) {
                Ok(true) => continue,
                Ok(false) => {
                    tracing::info!(%relay, "The way to the relay has changed; its route is made anew");
                }
                Err(error) => {
                    tracing::debug!(%relay, %error, "Cannot read the routes");
                    continue;
                }
            }
            self.pins.remove(&relay);
            let pin = self.pin(relay).unwrap_or_else(|error| {
                tracing::warn!(%relay, %error, "Could not pin the route to the relay");
                // Known to be unpinned, and tried again when ways change.
                Pin {
                    way: None,
                    route: None,
                    _guard: None,
                }
            });
            self.pins.insert(relay, pin);
        }
    }

    /// True when a route keeps the relay off the adapter.
    pub(crate) fn are_set(&self) -> bool {
        self.pins.values().any(|pin| pin.route.is_some())
    }

    /// The addresses that are kept off the adapter.
    pub(crate) fn relays(&self) -> impl Iterator<Item = IpAddr> {
        self.pins.keys().copied()
    }

    /// The interface by which the relay is reached.
    pub(crate) fn interface(&self) -> Option<Luid> {
        let mut routes = self.pins.values().filter_map(|pin| pin.route.as_ref());
        routes.next().map(|route| route.interface)
    }

    fn pin(&self, relay: IpAddr) -> io::Result<Pin> {
        let family = Family::of(relay);
        let (best, routes) = (ip::best_route(relay)?, ip::routes(family)?);
        let plan = pin::plan(relay, best.as_ref(), &routes, self.adapter, |interface| {
            ip::interface_metric(interface, family)
        });
        let guard = match &plan {
            Plan::Add(route) => Some(self.journal.make(Change::Route(route.clone()))?),
            Plan::Nothing | Plan::Borrow(_) => None,
        };
        let route = plan.route().cloned();
        if let Some(route) = &route
            && !pin::holds(route, ip::best_route(relay)?.as_ref())
        {
            return Err(io::Error::other(format!(
                "Windows does not use the route to {route}"
            )));
        }
        Ok(Pin {
            way: self.way(relay, &routes),
            route,
            _guard: guard,
        })
    }

    fn holds(&self, relay: IpAddr) -> io::Result<bool> {
        let Some(pin) = self.pins.get(&relay) else {
            return Ok(false);
        };
        let stands = match &pin.route {
            Some(route) => pin::holds(route, ip::best_route(relay)?.as_ref()),
            None => true,
        };
        Ok(stands && self.way(relay, &ip::routes(Family::of(relay))?) == pin.way)
    }

    /// The way to a relay that neither the adapter nor our own routes show.
    fn way(&self, relay: IpAddr, routes: &[Route]) -> Option<Route> {
        let standing = self.journal.standing();
        let is_ours = |route: &Route| {
            standing
                .iter()
                .any(|change| matches!(change, Change::Route(ours) if ours.is_same_row(route)))
        };
        let others: Vec<_> = routes
            .iter()
            .filter(|route| !is_ours(route))
            .cloned()
            .collect();
        let family = Family::of(relay);
        let metric = |interface| ip::interface_metric(interface, family);
        pin::best_without(self.adapter, relay, &others, metric).cloned()
    }
}

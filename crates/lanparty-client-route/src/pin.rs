//! The host route that keeps the relay off the virtual adapter (spec R71).
//!
//! A LAN may have the addresses of the player's home network, or the relay's own. Once the adapter has
//! an address there, Windows would send the tunnel's datagrams into the tunnel. A host route along the
//! way that leads to the relay anyway prevents that.

use crate::route::{Luid, Route};
use lanparty_client_core::way::{host_prefix, stays_here};
use std::net::IpAddr;

/// What is to be done to keep a relay off the adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: it is on this machine, or cannot be reached at all now.
    Nothing,
    /// Somebody has made that very route; it stays theirs.
    Borrow(Route),
    /// This route is to be added.
    Add(Route),
}

impl Plan {
    /// The route that keeps the relay off the adapter.
    pub fn route(&self) -> Option<&Route> {
        match self {
            Plan::Nothing => None,
            Plan::Borrow(route) | Plan::Add(route) => Some(route),
        }
    }
}

/// Decides about a relay that `best` leads to now, while `routes` exist; `interface_metric` says what
/// an interface adds to the cost of its routes.
pub fn plan(
    relay: IpAddr,
    best: Option<&Route>,
    routes: &[Route],
    adapter: Luid,
    interface_metric: impl Fn(Luid) -> u32,
) -> Plan {
    let way = match best {
        Some(way) if way.interface == adapter => {
            best_without(adapter, relay, routes, interface_metric)
        }
        way => way,
    };
    let Some(way) = way.filter(|_| !stays_here(relay)) else {
        return Plan::Nothing;
    };
    let pin = Route {
        destination: relay,
        prefix_len: host_prefix(relay),
        interface: way.interface,
        next_hop: way.next_hop,
        metric: 0,
    };
    match routes.iter().find(|route| route.is_same_row(&pin)) {
        Some(theirs) => Plan::Borrow(theirs.clone()),
        None => Plan::Add(pin),
    }
}

/// The way to `ip` that Windows would take if the adapter were not there.
pub fn best_without(
    adapter: Luid,
    ip: IpAddr,
    routes: &[Route],
    interface_metric: impl Fn(Luid) -> u32,
) -> Option<&Route> {
    routes
        .iter()
        .filter(|route| route.interface != adapter && route.covers(ip))
        .min_by_key(|route| {
            let cost = u64::from(route.metric) + u64::from(interface_metric(route.interface));
            (u8::MAX - route.prefix_len, cost)
        })
}

/// Whether the way to the relay is still the pinned one.
pub fn holds(pin: &Route, best: Option<&Route>) -> bool {
    best.is_some_and(|best| best.is_host_route() && best.is_same_row(pin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAP: Luid = Luid(1);
    const WIFI: Luid = Luid(2);
    const CABLE: Luid = Luid(3);

    #[test]
    fn a_relay_behind_a_router_is_pinned_by_way_of_it() {
        let default = route("0.0.0.0", 0, WIFI, "192.168.1.1");
        let plan = plan_for("203.0.113.7", Some(&default), &[]);
        assert_eq!(
            plan,
            Plan::Add(route("203.0.113.7", 32, WIFI, "192.168.1.1"))
        );
    }

    #[test]
    fn a_relay_next_door_is_pinned_on_the_link() {
        let lan = route("192.168.1.0", 24, WIFI, "0.0.0.0");
        let plan = plan_for("192.168.1.9", Some(&lan), &[]);
        assert_eq!(plan, Plan::Add(route("192.168.1.9", 32, WIFI, "0.0.0.0")));
    }

    #[test]
    fn an_ipv6_relay_gets_an_ipv6_pin() {
        let default = route("::", 0, WIFI, "fe80::1");
        let plan = plan_for("2001:db8::7", Some(&default), &[]);
        assert_eq!(plan, Plan::Add(route("2001:db8::7", 128, WIFI, "fe80::1")));
    }

    #[test]
    fn the_same_route_of_somebody_else_is_borrowed() {
        let theirs = Route {
            metric: 5,
            ..route("203.0.113.7", 32, WIFI, "192.168.1.1")
        };
        let plan = plan_for("203.0.113.7", Some(&theirs), std::slice::from_ref(&theirs));
        assert_eq!(plan, Plan::Borrow(theirs));
    }

    #[test]
    fn a_way_through_the_adapter_is_no_way() {
        let lan = route("192.168.1.0", 24, TAP, "0.0.0.0");
        let routes = [
            lan.clone(),
            route("0.0.0.0", 0, WIFI, "10.0.0.1"),
            route("0.0.0.0", 0, CABLE, "10.1.0.1"),
        ];
        // The cable's interface is the cheaper one.
        let plan = plan_for("192.168.1.9", Some(&lan), &routes);
        assert_eq!(plan, Plan::Add(route("192.168.1.9", 32, CABLE, "10.1.0.1")));
        assert_eq!(
            plan_for("192.168.1.9", Some(&lan), std::slice::from_ref(&lan)),
            Plan::Nothing
        );
    }

    #[test]
    fn what_stays_on_this_machine_needs_no_pin() {
        let any = route("0.0.0.0", 0, WIFI, "192.168.1.1");
        for relay in ["127.0.0.1", "169.254.1.1", "0.0.0.0"] {
            assert_eq!(plan_for(relay, Some(&any), &[]), Plan::Nothing, "{relay}");
        }
        assert_eq!(plan_for("203.0.113.7", None, &[]), Plan::Nothing);
    }

    #[test]
    fn a_pin_holds_while_the_best_route_is_that_row() {
        let pin = route("203.0.113.7", 32, WIFI, "192.168.1.1");
        assert!(holds(
            &pin,
            Some(&Route {
                metric: 9,
                ..pin.clone()
            })
        ));
        assert!(!holds(
            &pin,
            Some(&route("203.0.113.7", 32, TAP, "0.0.0.0"))
        ));
        assert!(!holds(
            &pin,
            Some(&route("0.0.0.0", 0, WIFI, "192.168.1.1"))
        ));
        assert!(!holds(&pin, None));
    }

    proptest! {
        #[test]
        fn a_pin_never_leads_into_the_adapter(
            relay: u32,
            rows in prop::collection::vec((any::<u32>(), 0u8..=32, 1u64..5, any::<u32>(), 0u32..500), 0..20),
            best in 0usize..20,
        ) {
            let routes: Vec<_> = rows.into_iter().map(|(destination, prefix_len, interface, next_hop, metric)| Route {
                destination: IpAddr::V4(destination.into()),
                prefix_len,
                interface: Luid(interface),
                next_hop: IpAddr::V4(next_hop.into()),
                metric,
            }).collect();
            let relay = IpAddr::V4(relay.into());
            let plan = plan(relay, routes.get(best), &routes, TAP, metric);
            if let Some(pin) = plan.route() {
                prop_assert_ne!(pin.interface, TAP);
                prop_assert_eq!(pin.destination, relay);
                prop_assert!(pin.is_host_route());
                prop_assert_eq!(matches!(plan, Plan::Borrow(_)), routes.iter().any(|route| route.is_same_row(pin)));
            }
        }
    }

    fn plan_for(relay: &str, best: Option<&Route>, routes: &[Route]) -> Plan {
        plan(relay.parse().unwrap(), best, routes, TAP, metric)
    }

    fn metric(interface: Luid) -> u32 {
        match interface {
            WIFI => 50,
            CABLE => 25,
            _ => 1,
        }
    }

    fn route(destination: &str, prefix_len: u8, interface: Luid, next_hop: &str) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            prefix_len,
            interface,
            next_hop: next_hop.parse().unwrap(),
            metric: 0,
        }
    }
}

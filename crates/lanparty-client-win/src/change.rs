//! One change to the player's PC, with what was there before.

use lanparty_client_route::{
    AdapterGuid, Category, Family, InterfaceSettings, Metric, Route, RouterDiscovery,
};
use lanparty_client_tap::MacValue;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// A change that can be made, and undone by whoever knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// An adapter of ours on a PC that had none. It is known by its device, so there is nothing to
    /// remember.
    Adapter,
    /// The registry's MAC address of an adapter; counts when the adapter is restarted, which belongs to
    /// it.
    Mac {
        adapter: AdapterGuid,
        before: MacValue,
        after: MacValue,
    },
    /// A route that was not there.
    Route(Route),
    /// A route that Windows has made for an address, and that is taken out.
    NoRoute(Route),
    /// What a route costs, which Windows has made for an address.
    RouteMetric { before: Route, after: u32 },
    /// Metric, MTU and default routes of an adapter, for one IP family.
    Interface {
        adapter: AdapterGuid,
        family: Family,
        before: InterfaceSettings,
        after: InterfaceSettings,
    },
    /// The DNS servers that somebody set for an adapter, for one IP family.
    NameServers {
        adapter: AdapterGuid,
        family: Family,
        before: String,
        after: String,
    },
    /// What Windows thinks of a network.
    Category {
        network: u128,
        before: Category,
        after: Category,
    },
}

/// The PC, as far as changes touch it.
pub(crate) trait System {
    /// Makes an adapter of ours.
    fn add_adapter(&self) -> io::Result<()>;
    /// Removes it, if it is there.
    fn remove_adapter(&self) -> io::Result<()>;
    /// Sets or removes an adapter's MAC address in the registry and restarts the adapter.
    fn set_mac(&self, adapter: AdapterGuid, value: &MacValue) -> io::Result<()>;
    /// Adds a route.
    fn add_route(&self, route: &Route) -> io::Result<()>;
    /// Removes a route, if it is there.
    fn remove_route(&self, route: &Route) -> io::Result<()>;
    /// Adds a route that Windows has made for an address, if that address is still there, and the route is not.
    fn put_route_back(&self, route: &Route) -> io::Result<()>;
    /// Says what a route costs.
    fn set_route_metric(&self, route: &Route, metric: u32) -> io::Result<()>;
    /// Metric, MTU and default routes as they are, where the adapter has the family.
    fn interface(
        &self,
        adapter: AdapterGuid,
        family: Family,
    ) -> io::Result<Option<InterfaceSettings>>;
    /// Sets metric, MTU and default routes.
    fn set_interface(
        &self,
        adapter: AdapterGuid,
        family: Family,
        settings: InterfaceSettings,
    ) -> io::Result<()>;
    /// Sets an adapter's own DNS servers.
    fn set_name_servers(
        &self,
        adapter: AdapterGuid,
        family: Family,
        servers: &str,
    ) -> io::Result<()>;
    /// Sets a network's category.
    fn set_category(&self, network: u128, category: Category) -> io::Result<()>;
}

impl Change {
    /// Makes the change.
    pub(crate) fn make(&self, system: &dyn System) -> io::Result<()> {
        match self {
            Change::Adapter => system.add_adapter(),
            Change::Mac { adapter, after, .. } => system.set_mac(*adapter, after),
            Change::Route(route) => system.add_route(route),
            Change::NoRoute(route) => system.remove_route(route),
            Change::RouteMetric { before, after } => system.set_route_metric(before, *after),
            Change::Interface {
                adapter,
                family,
                after,
                ..
            } => system.set_interface(*adapter, *family, *after),
            Change::NameServers {
                adapter,
                family,
                after,
                ..
            } => system.set_name_servers(*adapter, *family, after),
            Change::Category { network, after, .. } => system.set_category(*network, *after),
        }
    }

    /// Brings back what was there before. What has gone away altogether needs no undoing.
    pub(crate) fn undo(&self, system: &dyn System) -> io::Result<()> {
        let undone = match self {
            Change::Adapter => system.remove_adapter(),
            Change::Mac {
                adapter, before, ..
            } => system.set_mac(*adapter, before),
            Change::Route(route) => system.remove_route(route),
            Change::NoRoute(route) => system.put_route_back(route),
            Change::RouteMetric { before, .. } => system.set_route_metric(before, before.metric),
            Change::Interface {
                adapter,
                family,
                before,
                ..
            } => restore_interface(system, *adapter, *family, *before),
            Change::NameServers {
                adapter,
                family,
                before,
                ..
            } => system.set_name_servers(*adapter, *family, before),
            Change::Category {
                network, before, ..
            } => system.set_category(*network, *before),
        };
        match undone {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            undone => undone,
        }
    }
}

/// A driver may not take the MTU of before any more, being another one or set up anew. Then that stays as it is, and
/// everything else is as before all the same.
fn restore_interface(
    system: &dyn System,
    adapter: AdapterGuid,
    family: Family,
    before: InterfaceSettings,
) -> io::Result<()> {
    let refused = match system.set_interface(adapter, family, before) {
        // Windows' word for a value that cannot be. Whatever else is refused now may be taken the next time.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => error,
        restored => return restored,
    };
    let Ok(Some(InterfaceSettings { mtu, .. })) = system.interface(adapter, family) else {
        return Err(refused);
    };
    let but_mtu = InterfaceSettings { mtu, ..before };
    if mtu == before.mtu || system.set_interface(adapter, family, but_mtu).is_err() {
        return Err(refused);
    }
    tracing::warn!(error = %refused, "The adapter does not take its {family:?} MTU of {} any more, so that stays {mtu}", before.mtu);
    Ok(())
}

impl Change {
    /// Whether both lead to the same, wherever they start.
    pub(crate) fn has_goal_of(&self, other: &Change) -> bool {
        self.goal() == other.goal()
    }

    /// The same change for a PC on which it has been made.
    fn goal(&self) -> Change {
        let mut goal = self.clone();
        match &mut goal {
            Change::Mac { before, after, .. } => before.clone_from(after),
            Change::Adapter | Change::Route(_) | Change::NoRoute(_) => {}
            Change::RouteMetric { before, after } => before.metric = *after,
            Change::Interface { before, after, .. } => *before = *after,
            Change::NameServers { before, after, .. } => before.clone_from(after),
            Change::Category { before, after, .. } => *before = *after,
        }
        goal
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Adapter => f.write_str("new TAP-Windows6 adapter"),
            Change::Mac { before, after, .. } => write!(
                f,
                "MAC address in the registry: {} -> {}",
                or_none(before.as_deref()),
                or_none(after.as_deref())
            ),
            Change::Route(route) => write!(f, "new route to {route}"),
            Change::NoRoute(route) => write!(f, "no route to {route}"),
            Change::RouteMetric { before, after } => {
                write!(f, "metric of {before}: {} -> {after}", before.metric)
            }
            Change::Interface {
                family,
                before,
                after,
                ..
            } => write!(
                f,
                "{family:?} settings: {} -> {}",
                Settings(before),
                Settings(after)
            ),
            Change::NameServers {
                family,
                before,
                after,
                ..
            } => write!(
                f,
                "{family:?} DNS servers: {} -> {}",
                or_none(Some(before)),
                or_none(Some(after))
            ),
            Change::Category { before, after, .. } => {
                write!(f, "network category: {before} -> {after}")
            }
        }
    }
}

fn or_none(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or("none")
}

/// Settings as a person reads them.
pub(crate) struct Settings<'a>(pub(crate) &'a InterfaceSettings);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.metric {
            Metric::Automatic => f.write_str("automatic metric")?,
            Metric::Fixed(metric) => write!(f, "metric {metric}")?,
        }
        write!(f, ", MTU {}, default routes ", self.0.mtu)?;
        f.write_str(match self.0.ignores_default_routes {
            true => "ignored",
            false => "followed",
        })?;
        f.write_str(match self.0.routers {
            RouterDiscovery::Disabled => ", routers not heard",
            RouterDiscovery::Enabled | RouterDiscovery::Dhcp => ", routers heard",
            RouterDiscovery::Unknown => "",
        })
    }
}

//! The PC that we run on. What is already as it should be is left alone, so that undoing a change that was
//! refused is not refused too.

use crate::change::System;
use lanparty_client_route::overlap::OwnAddress;
use lanparty_client_route::{self as ip, AdapterGuid, Category, Family, InterfaceSettings, Route};
use lanparty_client_tap::{self as tap, Adapter, MacValue};
use std::io;

/// The PC that we run on.
pub(crate) struct ThisPc;

impl System for ThisPc {
    fn add_adapter(&self) -> io::Result<()> {
        tap::add_own()
    }

    fn remove_adapter(&self) -> io::Result<()> {
        tap::remove_own()
    }

    fn set_mac(&self, adapter: AdapterGuid, value: &MacValue) -> io::Result<()> {
        let adapter = find(adapter)?;
        tap::set_mac_value(&adapter, value)?;
        tap::restart(&adapter)
    }

    fn add_route(&self, route: &Route) -> io::Result<()> {
        ip::add_route(route)
    }

    fn remove_route(&self, route: &Route) -> io::Result<()> {
        ip::remove_route(route)
    }

    fn put_route_back(&self, route: &Route) -> io::Result<()> {
        let own = ip::own_addresses()?;
        let is_of =
            |own: &OwnAddress| own.interface == route.interface && route.covers(own.ip.into());
        if !own.iter().any(is_of) {
            // Windows has taken it away with the address, and makes it with the next one.
            return Ok(());
        }
        match ip::add_route(route) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            added => added,
        }
    }

    fn set_route_metric(&self, route: &Route, metric: u32) -> io::Result<()> {
        ip::set_route_metric(route, metric)
    }

    fn interface(
        &self,
        adapter: AdapterGuid,
        family: Family,
    ) -> io::Result<Option<InterfaceSettings>> {
        ip::interface_settings(ip::interface_luid(adapter)?, family)
    }

    fn set_interface(
        &self,
        adapter: AdapterGuid,
        family: Family,
        settings: InterfaceSettings,
    ) -> io::Result<()> {
        let interface = ip::interface_luid(adapter)?;
        match ip::interface_settings(interface, family)? == Some(settings) {
            true => Ok(()),
            false => ip::set_interface_settings(interface, family, settings),
        }
    }

    fn set_name_servers(
        &self,
        adapter: AdapterGuid,
        family: Family,
        servers: &str,
    ) -> io::Result<()> {
        match ip::own_name_servers(adapter, family)? == servers {
            true => Ok(()),
            false => ip::set_own_name_servers(adapter, family, servers),
        }
    }

    fn set_category(&self, network: u128, category: Category) -> io::Result<()> {
        ip::set_category(network, category)
    }
}

/// The adapter with this id, if it is still installed.
fn find(guid: AdapterGuid) -> io::Result<Adapter> {
    let mut adapters = tap::installed()?.into_iter();
    let missing = || io::Error::new(io::ErrorKind::NotFound, "the TAP adapter is not installed");
    adapters
        .find(|adapter| adapter.guid == guid)
        .ok_or_else(missing)
}

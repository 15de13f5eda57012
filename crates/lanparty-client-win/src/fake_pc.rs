//! A PC that remembers what was changed on it, and fails when it is told to.

use crate::change::{Change, System};
use crate::journal::{Journal, Store};
use lanparty_client_route::{AdapterGuid, Category, Family, InterfaceSettings, Route};
use lanparty_client_tap::MacValue;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::{io, mem};

/// What changes touch, and nothing else.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) has_adapter: bool,
    pub(crate) mac: MacValue,
    pub(crate) routes: Vec<Route>,
    pub(crate) interfaces: BTreeMap<Family, InterfaceSettings>,
    pub(crate) name_servers: BTreeMap<Family, String>,
    pub(crate) categories: BTreeMap<u128, Category>,
}

impl State {
    /// A PC on which the first change of each kind finds what it says was before.
    pub(crate) fn of(story: &[Change]) -> Self {
        let mut state = State::default();
        for change in story.iter().rev() {
            match change {
                Change::Mac { before, .. } => state.mac.clone_from(before),
                Change::Adapter | Change::Route(_) => {}
                Change::NoRoute(row) | Change::RouteMetric { before: row, .. } => {
                    state.routes.retain(|other| !other.is_same_row(row));
                    state.routes.push(row.clone());
                }
                Change::Interface { family, before, .. } => {
                    state.interfaces.insert(*family, *before);
                }
                Change::NameServers { family, before, .. } => {
                    state.name_servers.insert(*family, before.clone());
                }
                Change::Category {
                    network, before, ..
                } => {
                    state.categories.insert(*network, *before);
                }
            }
        }
        state
    }
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) disk: String,
    pub(crate) disk_is_full: bool,
    /// How often the disk was written.
    pub(crate) saves: usize,
    /// Whether categories are somebody else's to set, as on a company's PC.
    pub(crate) refuses_categories: bool,
    /// The greatest MTU that the driver takes.
    pub(crate) greatest_mtu: Option<u32>,
    /// Whether the next settings of an interface are refused, and none after them.
    pub(crate) refuses_settings_once: bool,
    /// Whether the adapter has lost its address.
    pub(crate) has_no_address: bool,
    /// How many calls work before all fail.
    pub(crate) steps_left: Option<usize>,
}

/// A PC that remembers.
#[derive(Clone, Default)]
pub(crate) struct Pc(pub(crate) Rc<RefCell<Inner>>);

impl Pc {
    pub(crate) fn journal(&self) -> Rc<Journal> {
        Journal::open(Box::new(self.clone()), Box::new(self.clone())).unwrap()
    }

    pub(crate) fn state(&self) -> State {
        self.0.borrow().state.clone()
    }

    pub(crate) fn disk(&self) -> String {
        self.0.borrow().disk.clone()
    }

    /// The story as it really goes: each change starts from what the one before left.
    pub(crate) fn fitting(&self, story: Vec<Change>) -> Vec<Change> {
        let mut state = self.state();
        let mut fitting = Vec::new();
        for mut change in story {
            match &mut change {
                Change::Adapter => state.has_adapter = true,
                Change::Mac { before, after, .. } => {
                    *before = mem::replace(&mut state.mac, after.clone());
                }
                Change::Route(route) => {
                    if state.routes.contains(route) {
                        continue;
                    }
                    state.routes.push(route.clone());
                }
                Change::NoRoute(route) => {
                    let is_row = |row: &Route| row.is_same_row(route);
                    let Some(at) = state.routes.iter().position(is_row) else {
                        continue;
                    };
                    state.routes.remove(at);
                    // Who takes a row out knows it as Windows has made it (`crate::overlap`).
                    let made = self.state().routes.into_iter().find(is_row);
                    *route = made.unwrap_or_else(|| route.clone());
                }
                Change::RouteMetric { before, after } => {
                    let row = state.routes.iter_mut().find(|row| row.is_same_row(before));
                    let Some(row) = row else { continue };
                    before.metric = mem::replace(&mut row.metric, *after);
                }
                Change::Interface {
                    family,
                    before,
                    after,
                    ..
                } => *before = state.interfaces.insert(*family, *after).unwrap(),
                Change::NameServers {
                    family,
                    before,
                    after,
                    ..
                } => *before = state.name_servers.insert(*family, after.clone()).unwrap(),
                Change::Category {
                    network,
                    before,
                    after,
                } => *before = state.categories.insert(*network, *after).unwrap(),
            }
            fitting.push(change);
        }
        fitting
    }

    fn step(&self, work: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        match &mut inner.steps_left {
            Some(0) => return Err(io::Error::other("no more steps")),
            Some(left) => *left -= 1,
            None => {}
        }
        work(&mut inner.state);
        Ok(())
    }
}

impl Store for Pc {
    fn load(&self) -> io::Result<String> {
        Ok(self.disk())
    }

    fn save(&self, text: &str) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        if inner.disk_is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.disk = text.to_owned();
        inner.saves += 1;
        Ok(())
    }
}

impl System for Pc {
    fn add_adapter(&self) -> io::Result<()> {
        self.step(|state| state.has_adapter = true)
    }

    fn remove_adapter(&self) -> io::Result<()> {
        self.step(|state| state.has_adapter = false)
    }

    fn set_mac(&self, _adapter: AdapterGuid, value: &MacValue) -> io::Result<()> {
        self.step(|state| state.mac.clone_from(value))
    }

    fn add_route(&self, route: &Route) -> io::Result<()> {
        if self.state().routes.contains(route) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.step(|state| state.routes.push(route.clone()))
    }

    fn remove_route(&self, route: &Route) -> io::Result<()> {
        self.step(|state| state.routes.retain(|other| !other.is_same_row(route)))
    }

    fn put_route_back(&self, route: &Route) -> io::Result<()> {
        let is_there = self.state().routes.iter().any(|row| row.is_same_row(route));
        if self.0.borrow().has_no_address || is_there {
            return Ok(());
        }
        self.step(|state| state.routes.insert(0, route.clone()))
    }

    fn set_route_metric(&self, route: &Route, metric: u32) -> io::Result<()> {
        let is_row = |row: &Route| row.is_same_row(route);
        if !self.state().routes.iter().any(is_row) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.step(|state| {
            let rows = state.routes.iter_mut();
            rows.filter(|row| is_row(row))
                .for_each(|row| row.metric = metric);
        })
    }

    fn interface(
        &self,
        _adapter: AdapterGuid,
        family: Family,
    ) -> io::Result<Option<InterfaceSettings>> {
        Ok(self.state().interfaces.get(&family).copied())
    }

    fn set_interface(
        &self,
        _adapter: AdapterGuid,
        family: Family,
        settings: InterfaceSettings,
    ) -> io::Result<()> {
        let greatest = self.0.borrow().greatest_mtu;
        if greatest.is_some_and(|greatest| settings.mtu > greatest) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if mem::take(&mut self.0.borrow_mut().refuses_settings_once) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.step(|state| {
            state.interfaces.insert(family, settings);
        })
    }

    fn set_name_servers(
        &self,
        _adapter: AdapterGuid,
        family: Family,
        servers: &str,
    ) -> io::Result<()> {
        self.step(|state| {
            state.name_servers.insert(family, servers.to_owned());
        })
    }

    fn set_category(&self, network: u128, category: Category) -> io::Result<()> {
        let is_so = self.state().categories.get(&network) == Some(&category);
        if self.0.borrow().refuses_categories && !is_so {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.step(|state| {
            state.categories.insert(network, category);
        })
    }
}

//! A relay that was built without fleets.

use super::{Errand, FleetFigures, Place};
use crate::Config;
use crate::registry::Registry;
use crate::server::Rooms;
use crate::server::contact::Contact;
use lanparty_ctrl::message::Entry;
use lanparty_ctrl::places::{FleetRelay, NotPlaced};
use lanparty_proto::RoomId;
use std::net::IpAddr;
use std::sync::Arc;

/// There is none.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {}

/// There is none.
#[derive(Debug)]
pub(in crate::server) enum Entrance {}

impl Entrance {
    #[allow(clippy::unnecessary_wraps, reason = "as the other one is")]
    pub(in crate::server) fn of(_: &Config) -> Result<Option<Self>, FleetError> {
        Ok(None)
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as the other one is")]
pub(in crate::server) fn check(_: &Config) -> Result<(), FleetError> {
    Ok(())
}

/// There is none.
#[derive(Debug)]
pub(in crate::server) enum Membership {}

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) enum Ticket {}

#[allow(
    clippy::unused_self,
    clippy::unused_async,
    reason = "as the other one is"
)]
impl Membership {
    pub(in crate::server) async fn locate(
        &self,
        _: &Rooms,
        _: &Entry,
        _: IpAddr,
        _: Errand,
    ) -> Place {
        match *self {}
    }

    pub(in crate::server) fn holds(
        &self,
        _: &mut Registry<Arc<Contact>>,
        ticket: Ticket,
    ) -> Option<u64> {
        match ticket {}
    }

    pub(in crate::server) fn came(&self, ticket: Ticket, _: RoomId, _: &Entry) {
        match ticket {}
    }

    pub(in crate::server) fn gives_back(&self, ticket: Ticket) -> bool {
        match ticket {}
    }

    pub(in crate::server) fn relays(&self) -> Vec<FleetRelay> {
        match *self {}
    }

    pub(in crate::server) fn place(&self, _: RoomId, _: String) -> Result<(), NotPlaced> {
        match *self {}
    }

    pub(in crate::server) fn figures(&self) -> FleetFigures {
        match *self {}
    }

    #[cfg(target_os = "linux")]
    pub(in crate::server) fn view(&self, _: usize) -> crate::ctl::wire::FleetView {
        match *self {}
    }

    pub(in crate::server) fn drain(&self) {
        match *self {}
    }

    #[cfg(target_os = "linux")]
    pub(in crate::server) fn undrain(&self) {
        match *self {}
    }

    pub(in crate::server) fn drain_time(&self) -> std::time::Duration {
        match *self {}
    }

    pub(in crate::server) async fn drained(&self) {
        match *self {}
    }

    pub(in crate::server) async fn answered(&self) {
        match *self {}
    }

    pub(in crate::server) fn leave(&self) {
        match *self {}
    }
}

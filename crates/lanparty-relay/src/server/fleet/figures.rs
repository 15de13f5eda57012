//! How the relay stands with its fleet, in numbers and for its operator.

use super::FleetFigures;
use super::membership::Membership;
#[cfg(target_os = "linux")]
use crate::ctl::wire::{FleetRow, FleetView};
use lanparty_fleet::{Counts, Standing};
use std::time::Duration;

impl Membership {
    /// The numbers at this moment.
    pub(in crate::server) fn figures(&self) -> FleetFigures {
        let core = self.lock();
        let now = self.clock.now();
        let seconds = |time: Duration| time.as_secs_f64();
        FleetFigures {
            trouble: trouble(core.fleet.standing()),
            is_in: core.fleet.standing() == Standing::In,
            takes_rooms: core.fleet.takes_rooms(now),
            is_slow: core.fleet.is_slow(),
            relays: core.fleet.size(),
            rooms: core.fleet.rooms().len(),
            lease_age: core.fleet.lease_age(now).map(seconds),
            rtt: core.rtt.map(seconds),
            lag: core.lag.map(seconds),
            counters: counters(&core.fleet.counts()),
        }
    }
}

#[cfg(target_os = "linux")]
impl Membership {
    /// The fleet as this relay sees it, which has so many players.
    pub(in crate::server) fn view(&self, players: usize) -> FleetView {
        let core = self.lock();
        let now = self.clock.now();
        let seconds = |time: Duration| time.as_secs_f64();
        let rows = core.fleet.relays().into_iter().map(|row| {
            let region = Some(row.card.region).filter(|region| !region.as_str().is_empty());
            let shared = FleetRow {
                relay: row.card.address.to_string(),
                own: row.is_self,
                region,
                rooms: row.rooms,
                free: row.card.free,
                draining: row.card.draining,
                slow: row.card.slow,
                ready: row.card.ready,
                ..FleetRow::default()
            };
            match row.is_self {
                false => shared,
                true => FleetRow {
                    players: Some(players),
                    lease_age: core.fleet.lease_age(now).map(seconds),
                    lag: core.lag.map(seconds),
                    directory_rtt: core.rtt.map(seconds),
                    ..shared
                },
            }
        });
        FleetView {
            relays: rows.collect(),
            trouble: trouble(core.fleet.standing()).map(str::to_owned),
        }
    }
}

/// What it means for who comes.
fn trouble(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::In => None,
        Standing::Entering => Some("the relay is not in its fleet yet"),
        Standing::Fenced => Some(
            "the fleet's directory does not answer: rooms that are here go on, and no new one is opened",
        ),
        Standing::Refused => {
            Some("the directory is another fleet's, so no room is opened; the log says which it is")
        }
        Standing::Left => Some("the relay has left its fleet"),
    }
}

fn counters(counts: &Counts) -> Vec<(&'static str, &'static str, u64)> {
    vec![
        (
            "fleet_requests",
            "Requests to the fleet's directory",
            counts.requests,
        ),
        (
            "fleet_unanswered",
            "Of these, those that got no answer in time",
            counts.unanswered,
        ),
        (
            "fleet_events",
            "What the directory told by itself",
            counts.events,
        ),
        (
            "fleet_deaf",
            "How often the directory could not be heard",
            counts.deaf,
        ),
        (
            "fleet_garbage",
            "Keys and values in the directory that no relay writes",
            counts.garbage,
        ),
        (
            "fleet_fenced",
            "How often the directory was silent for nearly as long as a lease lasts",
            counts.fenced,
        ),
        (
            "fleet_leases_lost",
            "Leases of this relay's that the directory has ended",
            counts.leases_lost,
        ),
        ("fleet_claims", "Claims of rooms", counts.claims),
        (
            "fleet_claims_won",
            "Of these, those that this relay got",
            counts.won,
        ),
        (
            "fleet_claims_lost",
            "And those of rooms that another had",
            counts.lost,
        ),
        (
            "fleet_located_here",
            "Hellos and finds whose room was here",
            counts.here,
        ),
        (
            "fleet_redirects",
            "Hellos and finds that were sent to another relay",
            counts.redirected,
        ),
        (
            "fleet_refused",
            "Hellos and finds that could not be told where their room is",
            counts.refused,
        ),
        (
            "fleet_offers",
            "Rooms that were offered to other relays",
            counts.offers,
        ),
        (
            "fleet_moved",
            "Of these, those that were taken",
            counts.moved,
        ),
        (
            "fleet_rooms_gone",
            "Rooms that went to another relay in any way",
            counts.gone,
        ),
    ]
}

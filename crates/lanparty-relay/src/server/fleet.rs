//! A relay's place in a fleet, where it has one: which rooms are here, and where the others are.
//!
//! The decisions are those of `lanparty-fleet`, in builds with the feature `cluster-etcd`. A relay that is alone has no
//! [`Membership`], and nobody asks for one but whoever says hello.

#[cfg(feature = "cluster-etcd")]
mod clock;
#[cfg(feature = "cluster-etcd")]
mod etcd;
#[cfg(feature = "cluster-etcd")]
mod figures;
#[cfg(feature = "cluster-etcd")]
mod membership;
#[cfg(not(feature = "cluster-etcd"))]
mod none;
#[cfg(feature = "cluster-etcd")]
mod outputs;
#[cfg(feature = "cluster-etcd")]
mod turns;

#[cfg(feature = "cluster-etcd")]
pub use clock::FleetClock;
#[cfg(feature = "cluster-etcd")]
pub use etcd::FleetError;
#[cfg(feature = "cluster-etcd")]
pub(super) use etcd::{Entrance, check};
#[cfg(feature = "cluster-etcd")]
pub(super) use membership::{Membership, Ticket};
#[cfg(not(feature = "cluster-etcd"))]
pub use none::FleetError;
#[cfg(not(feature = "cluster-etcd"))]
pub(super) use none::{Entrance, check};
#[cfg(not(feature = "cluster-etcd"))]
pub(super) use none::{Membership, Ticket};
#[cfg(feature = "cluster-etcd")]
pub use turns::Line;

use lanparty_ctrl::RejectReason;
use lanparty_ctrl::places::Elsewhere;

/// Where the room is that somebody wants.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "cluster-etcd"),
    allow(dead_code, reason = "nobody makes one in a build without fleets")
)]
pub(super) enum Place {
    /// At this relay, or it is this relay's now.
    Here(Ticket),
    /// At no relay, and this one opens it to nobody who cannot show that it is invited.
    Nowhere,
    /// At another relay.
    Elsewhere(Elsewhere),
    /// It cannot be told, for a reason, and in a sentence.
    Untold(RejectReason, String),
    /// Whoever asks is refused without asking.
    Refused(RejectReason),
}

/// What somebody wants of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// To enter it.
    Enter,
    /// To know of it.
    Find,
}

/// How the relay stands with its fleet, for its operator and for whoever watches over it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FleetFigures {
    /// In words, where something is wrong: what it means for who comes.
    pub(super) trouble: Option<&'static str>,
    /// Whether it takes new rooms at the moment.
    pub(super) takes_rooms: bool,
    /// Whether it is late, and gets new rooms only where all relays are.
    pub(super) is_slow: bool,
    /// Whether it is in its fleet at the moment.
    pub(super) is_in: bool,
    /// How many relays there are.
    pub(super) relays: usize,
    /// Rooms that are this relay's.
    pub(super) rooms: usize,
    /// How long ago the lease was kept alive, in seconds.
    pub(super) lease_age: Option<f64>,
    /// The round trip to the directory, in seconds.
    pub(super) rtt: Option<f64>,
    /// How late packets are read, in seconds: 99 of 100 in the last five seconds.
    pub(super) lag: Option<f64>,
    /// Counters by their names in metrics, with what they count.
    pub(super) counters: Vec<(&'static str, &'static str, u64)>,
}

impl FleetFigures {
    /// The same in short, for `ctl status`.
    #[cfg(target_os = "linux")]
    pub(super) fn standing(&self) -> crate::ctl::wire::FleetStanding {
        crate::ctl::wire::FleetStanding {
            relays: self.relays,
            rooms: self.rooms,
            trouble: self.trouble.map(str::to_owned),
        }
    }
}

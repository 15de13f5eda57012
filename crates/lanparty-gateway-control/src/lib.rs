//! What a gateway and the host's views of it say to each other (spec R120, R126).
//!
//! The gateway owns the party. `lanparty-gateway ctl`, the party page and the metrics ask it for things ([`Request`])
//! and show what it answers ([`Answer`]), above all its [`Snapshot`]: they decide nothing and remember nothing about the
//! party, so they never disagree. At the control socket each message is one line of JSON; the page sends the same
//! requests as bodies of POSTs and gets the snapshot as server-sent events.
//!
//! A view of another version reads what it knows: unknown fields are ignored, missing ones default.

mod line;
mod order;
mod snapshot;

pub use line::{Line, Look, Order, Teller, line};
pub use order::{
    Answer, Ban, InviteFacts, OwnReach, PageFacts, Player, Players, Reaches, Request, Shown,
};
pub use snapshot::{
    Attempt, Event, Guest, LanSide, Lease, Link, LinkState, Mark, Measured, NotDirect, Party, Port,
    PortState, Rates, Reach, Reason, Relay, Relays, Snapshot, Warning, Way,
};

/// The version of this vocabulary; it grows when an old view would misread a new gateway.
pub const VERSION: u16 = 1;

//! What must hold for every input, whoever sends it.
//!
//! Each target is a plain function from bytes to nothing that panics when a promise is broken. The
//! harness in `harness/` lets libFuzzer look for such bytes (`cargo xtask fuzz`); the test
//! `corpora` gives every target what was found worth keeping, with the stable compiler.
//!
//! A target trusts nothing of what it tests: expectations come from a naive model, from the way the
//! input was made, or from another parser.

mod address;
mod claims;
mod classify;
mod coalesce;
mod control;
mod fragments;
mod games;
mod groups;
mod invite;
mod lease;
mod meetings;
mod mss;
mod offload;
mod overlay;
mod packet;
mod proof;
mod reach;
mod room;

pub use address::address;
pub use claims::claims;
pub use classify::classify;
pub use coalesce::coalesce;
pub use control::control;
pub use fragments::fragments;
pub use games::games;
pub use groups::groups;
pub use invite::invite;
pub use lease::lease;
pub use meetings::meetings;
pub use mss::mss;
pub use offload::offload;
pub use overlay::overlay;
pub use proof::proof;
pub use reach::reach;
pub use room::room;

/// A name, as in `corpus/<name>`, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("overlay", overlay),
    ("fragments", fragments),
    ("classify", classify),
    ("claims", claims),
    ("mss", mss),
    ("offload", offload),
    ("coalesce", coalesce),
    ("control", control),
    ("invite", invite),
    ("room", room),
    ("games", games),
    ("lease", lease),
    ("proof", proof),
    ("groups", groups),
    ("address", address),
    ("reach", reach),
    ("meetings", meetings),
];

/// Where the clock of a run starts; only the differences matter.
#[allow(
    clippy::disallowed_methods,
    reason = "there is no other way to an Instant; the inputs move it"
)]
fn epoch() -> std::time::Instant {
    std::time::Instant::now()
}

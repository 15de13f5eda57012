//! What is wrong with a player's machine (spec R124).
//!
//! A look gives rows ([`Row`]): a mark, one sentence, and where something is in the way a fix or what a person can do. It
//! needs no link, no service and no rights; where a service runs, its rows come too, because it may see more. Start at
//! [`examine()`], [`mend()`] carries a fix out, [`text`] writes rows for people and programs.
//!
//! Each check is one small file below `checks`: a pure function from what a [`Pc`] answers to what was found. **A new
//! check**: write `checks/NAME.rs` with `pub(crate) const CHECK: Check` and its `look(pc: &dyn Pc) -> Option<Found>`; put it
//! into `checks::ALL` where people should read it; if it asks something new, add that question to [`Pc`], its answer to
//! `facts.rs`, and the answers of `linux.rs`, `windows.rs` and `stub.rs`; give `fake.rs` the answers there can be, so that the
//! tests over all PCs (`every cross has a cure`, `nothing leaks`) know them; write a test with a few of them at the end of the
//! check's file, and its line in `docs/doctor.md`. `Found::bad` takes no cross without a [`Cure`].

mod checks;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the threads that look, and their time"
)]
mod examine;
mod facts;
#[cfg(test)]
mod fake;
mod found;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the programs that mend"
)]
mod mend;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks relays and the router"
)]
mod paths;
mod patient;
#[allow(clippy::disallowed_methods, reason = "shell: owns the probe's sockets")]
mod probe;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks with sockets as games do"
)]
mod program;
pub mod text;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads files, names and the clock"
)]
mod this_pc;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
#[allow(clippy::disallowed_methods, reason = "shell: reads the system's files")]
mod imp;
#[cfg(windows)]
#[path = "windows.rs"]
#[allow(clippy::disallowed_methods, reason = "shell: reads the registry")]
mod imp;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "stub.rs"]
mod imp;
#[cfg(all(test, not(windows)))]
mod told;
mod within;

pub use checks::service::AGAINST_IMPOSTORS;
pub use examine::{again, examine, examine_as_service, forbidden};
pub use facts::{
    Culprit, Driver, Firewall, Hindrance, Interface, Leftovers, Lookup, Network, Opening, Paths,
    Pc, Ports, Prefix, Probe, Probes, Profile, Proof, Prover, Rights, Route, Service, Sight,
    System, Tcp, TcpOutcome, User,
};
pub use found::{Cure, Found};
#[cfg(target_os = "linux")]
pub use imp::{close_firewall, culprit, open_firewall, remove_firewall_leftovers};
pub use lanparty_client_control::{Fix, FixOffer, Mark, Row};
pub use mend::{Hands, MendError, mend};
pub use patient::Patient;

/// Where the relay of an invite is: its host, which is a name or an address, and its port.
fn relay_place(relay: &str) -> (String, u16) {
    const USUAL_PORT: u16 = 443;
    if let Ok(address) = relay.parse::<std::net::SocketAddr>() {
        return (address.ip().to_string(), address.port());
    }
    let bare = relay.trim_start_matches('[').trim_end_matches(']');
    match relay.rsplit_once(':') {
        _ if bare.parse::<std::net::IpAddr>().is_ok() => (bare.to_owned(), USUAL_PORT),
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(USUAL_PORT)),
        None => (relay.to_owned(), USUAL_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("relay.example.net", "relay.example.net", 443),
            ("relay.example.net:4433", "relay.example.net", 4433),
            ("203.0.113.7", "203.0.113.7", 443),
            ("203.0.113.7:1", "203.0.113.7", 1),
            ("[2001:db8::7]:443", "2001:db8::7", 443),
            ("[2001:db8::7]", "2001:db8::7", 443),
            ("2001:db8::7", "2001:db8::7", 443),
        ] {
            assert_eq!(relay_place(text), (host.to_owned(), port));
        }
    }
}

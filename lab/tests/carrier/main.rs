//! Networks that let no UDP through, or little of it, or only what goes by a proxy: the party comes over TCP, the player is
//! told, and UDP is taken again.

#![allow(clippy::disallowed_methods, reason = "tests with real programs")]

mod cuts;
mod front;
mod networks;
mod strangers;

use std::process::ExitCode;
use std::time::Duration;

use lanparty_lab::{Needs, Suite, run};

/// A busy machine's programs get this for what takes a second or two.
const SOON: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "caddy",
        "conntrack",
        "dnsmasq",
        "nft",
        "nginx",
        "ping",
        "squid",
        "tinyproxy",
    ]);
    run(
        &needs,
        [
            Suite::new("networks", networks::begin, networks::all()),
            Suite::new("nginx", front::behind_nginx, front::all()),
            Suite::new("caddy", front::behind_caddy, front::all()),
        ],
    )
}

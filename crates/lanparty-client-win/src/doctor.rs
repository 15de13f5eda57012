//! A look at the PC that changes nothing.

use crate::change::{Change, Settings};
use crate::firewall;
use crate::journal::KEPT_AS;
use crate::party;
use anyhow::{Context as _, Result};
use lanparty_client_route::{self as ip, AdapterGuid, Family, KeptText, Luid};
use lanparty_client_tap::{self as tap, Adapter, AdapterFacts, ChooseError};
use lanparty_proto::IpMtu;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// An address on the internet, to see which way leads there; nothing is sent to it (RFC 5737).
const FAR_AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

/// Lists the adapters, one a line.
pub(crate) fn list_adapters() -> Result<()> {
    let adapters = tap::installed().context("cannot read the installed adapters")?;
    if adapters.is_empty() {
        println!("There is no TAP-Windows6 adapter on this PC.");
    }
    for adapter in adapters {
        println!("{adapter}");
    }
    Ok(())
}

/// Says what is installed, how it is set, and what a start would change.
pub(crate) fn run(wanted: Option<AdapterGuid>) -> Result<()> {
    list_adapters()?;
    println!("Left by an earlier run: {}.", left_behind());
    println!("Firewall profiles in force: {}.", profiles());
    let home = ip::best_route(FAR_AWAY).context("cannot read the routes")?;
    match &home {
        Some(route) => println!("The internet is reached {}.", by_way_of(route.next_hop)),
        None => println!("No route leads to the internet."),
    }
    let adapters = tap::installed().context("cannot read the installed adapters")?;
    let adapter = match tap::choose(&adapters, wanted) {
        Err(ChooseError::None) if wanted.is_none() => {
            println!(
                "A start would make an adapter, with the TAP-Windows driver that Windows has."
            );
            return Ok(());
        }
        chosen => chosen?,
    };
    println!("A start would use {adapter}:");
    describe(adapter);
    println!("and change, besides its MAC address and the route to the relay:");
    preview(adapter, home.map(|route| route.interface));
    Ok(())
}

fn left_behind() -> String {
    let read = KeptText::open(KEPT_AS).and_then(|journal| journal.load());
    match read {
        Ok(text) if text.is_empty() => "nothing".to_owned(),
        Ok(text) => match serde_json::from_str::<Vec<Change>>(&text) {
            Ok(changes) => format!("{} changes; `repair` undoes them", changes.len()),
            Err(error) => format!("a damaged journal ({error})"),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "unknown, because this was not started as administrator".to_owned()
        }
        Err(error) => format!("unknown ({error})"),
    }
}

fn profiles() -> String {
    match ip::firewall_profiles() {
        Ok(profiles) => {
            let names: Vec<_> = profiles.iter().map(ToString::to_string).collect();
            names.join(", ")
        }
        Err(error) => format!("unknown ({error})"),
    }
}

fn describe(adapter: &Adapter) {
    match tap::look(adapter) {
        Ok(AdapterFacts { version, mac, mtu }) => {
            println!("  driver {version}, MAC address {mac}, MTU {mtu}");
        }
        Err(error) => println!("  {error}"),
    }
    if let Ok(luid) = ip::interface_luid(adapter.guid) {
        for family in Family::ALL {
            if let Ok(Some(settings)) = ip::interface_settings(luid, family) {
                println!("  {family:?}: {}", Settings(&settings));
            }
        }
    }
    match ip::network(adapter.guid) {
        Ok(Some(network)) => println!("  its network is {}", network.category),
        Ok(None) => println!("  it is in no network now"),
        Err(error) => println!("  its network is unknown ({error})"),
    }
    if let Ok(Some(verdict)) = firewall::read(adapter.guid) {
        println!("  {verdict}");
    }
}

fn preview(adapter: &Adapter, home: Option<Luid>) {
    for part in [
        party::interface(adapter.guid, IpMtu::MAX.number()),
        party::name_servers(adapter.guid, home),
        party::category(adapter.guid),
    ] {
        match part {
            Ok(changes) => changes.iter().for_each(|change| println!("  {change}")),
            Err(error) => println!("  unknown ({error})"),
        }
    }
    println!("  (the MTU is the room's, at most {})", IpMtu::MAX);
}

fn by_way_of(next_hop: IpAddr) -> String {
    match next_hop.is_unspecified() {
        true => "directly".to_owned(),
        false => format!("by way of {next_hop}"),
    }
}

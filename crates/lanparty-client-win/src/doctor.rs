//! What a start would change, and what the doctor may mend without the service.

use crate::change::Settings;
use crate::firewall;
use crate::party;
use crate::session::repair;
use anyhow::{Context as _, Result};
use lanparty_client_core::sentence;
use lanparty_client_route::{self as ip, AdapterGuid, Family, Luid};
use lanparty_client_tap::{self as tap, Adapter, AdapterFacts, ChooseError};
use lanparty_doctor::Hands;
use lanparty_proto::IpMtu;
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

/// What this program can do without the service.
pub(crate) struct Own;

impl Hands for Own {
    fn repair(&self) -> Result<String, String> {
        repair().map_err(|error| sentence(&*error))
    }
}

/// Says how the adapter is set, and what a start would change.
pub(crate) fn intend(wanted: Option<AdapterGuid>) -> Result<()> {
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
    let home = ip::best_route(FAR_AWAY).context("cannot read the routes")?;
    println!("A start would use {adapter}:");
    describe(adapter);
    println!("and change, besides its MAC address and the route to the relay:");
    preview(adapter, home.map(|route| route.interface));
    Ok(())
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

//! A box on which somebody manages every interface that there is.

use anyhow::{Result, ensure};
use lanparty_lab::{Check, Party, Player, Process, System, World, checks, eventually};

use crate::reach::MACHINE;
use crate::{LEG, SOON, party, player};

/// All but the box's own two cables, on which a manager would change more than we ask about here.
const NETWORKD: &str = "[Match]
Type=ether
Name=!eth0 !wan0
[Network]
DHCP=yes
LinkLocalAddressing=yes
";
const NETWORK_MANAGER: &str = "[main]
plugins=keyfile
[keyfile]
unmanaged-devices=interface-name:eth0;interface-name:wan0
";

pub(crate) struct Managed {
    networkd: Process,
    network_manager: Process,
    _system: System,
    party: Party,
}

impl World for Managed {
    fn report(&self) -> String {
        let managers = [&self.networkd, &self.network_manager];
        let said = managers.map(|manager| manager.tail(20)).join("\n---\n");
        format!("{said}\n{}", self.party.report())
    }
}

/// The managers are there before the gateway.
pub(crate) fn begin() -> Result<Managed> {
    let mut party = party().start()?;
    ensure!(party.gateway.interrupt()?.success());
    let system = System::start(&party.venue.gateway)?;
    system.write("etc/systemd/network/10-all.network", NETWORKD)?;
    system.write("etc/NetworkManager/conf.d/10-all.conf", NETWORK_MANAGER)?;
    let (networkd, network_manager) = (system.networkd()?, system.network_manager()?);
    party.start_again(lanparty_lab::Role::Gateway)?;
    party
        .gateway
        .wait_for_line("connected to the relay", SOON)?;
    Ok(Managed {
        networkd,
        network_manager,
        _system: system,
        party,
    })
}

pub(crate) fn checks() -> Vec<Check<Managed>> {
    checks![nobody_gives_the_leg_an_address]
}

fn nobody_gives_the_leg_an_address(managed: &Managed) -> Result<()> {
    let (player, machine) = (
        &player(&managed.party)?.machine,
        &managed.party.venue.gateway,
    );
    eventually("the player reaches the machine", SOON, || {
        player.ping_on(Player::TAP, MACHINE).ok()
    })?;
    // One of them is told to want it, and has seen it by now.
    managed
        .networkd
        .wait_for_line(&format!("{LEG}: Link UP"), SOON)?;
    player.pings(MACHINE, 56)?;
    let shown = machine.ip_shows(&format!("addr show dev {LEG}"))?;
    ensure!(!shown.contains("inet"), "{shown}");
    let routes = machine.ip_shows("route show table all")?;
    ensure!(!routes.contains(LEG), "{routes}");
    let said = managed.networkd.log();
    ensure!(!said.contains(&format!("{LEG}: Gained carrier")), "{said}");
    Ok(())
}

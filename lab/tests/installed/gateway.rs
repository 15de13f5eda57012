//! The gateway's service.

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Venue, eventually, program};

use crate::boxes::{Boxes, GATEWAY, ROOM, SOON};
use crate::relay::{crashes, hangs, status_of};

const SETTINGS: &str = "/etc/lanparty/gateway.toml";

pub(crate) fn its_room_is_closed_from_the_first_moment(boxes: &Boxes) -> Result<()> {
    boxes.gateway(|machine| {
        machine.systemctl("enable --now lanparty-gateway")?;
        machine.says(GATEWAY, "At the relay 10.9.1.1:443: 0 players", SOON)?;
        let journal = machine.journal(GATEWAY)?;
        ensure!(!journal.contains("is open: whoever knows"), "{journal}");
        let status = status_of(machine, GATEWAY)?;
        ensure!(!status.contains("Uid:\t0"), "{status}");
        Ok(())
    })?;
    let mut client = program("lanparty-client")?;
    let relay = Venue::RELAY.to_string();
    client.extend(["--relay", &relay, "--pin", &boxes.pin, "--room", ROOM].map(String::from));
    let stranger = boxes.venue.remotes[1].spawn("stranger", client)?;
    stranger.wait_for_line("you are not invited to this room", SOON)?;
    stranger.wait(SOON).map(drop)
}

pub(crate) fn a_player_joins_the_installed_party(boxes: &Boxes) -> Result<()> {
    boxes.reaches_the_lan()?;
    boxes.plays()?.pings(Venue::LAN2, 1200)?;
    let invite = boxes.invite()?;
    boxes.gateway(|machine| {
        machine.says(GATEWAY, ": 1 player", SOON)?;
        let key = invite.rsplit('/').next().context("a key")?;
        let journal = machine.run(["journalctl", "--no-pager", "--output=cat"])?;
        ensure!(
            !journal.contains(key) && !journal.contains("lanparty://"),
            "an invite is in the journal"
        );
        let listed = machine.run(["lanparty-gateway", "ctl", "list"])?;
        ensure!(listed.contains("Anna"), "{listed}");
        Ok(())
    })?;
    boxes.relay(|machine| {
        machine
            .says("lanparty-relay.service", "1 room, 1 player", SOON)
            .map(drop)
    })
}

/// As after a power cut, when the switch and the router take longer than the box.
pub(crate) fn starts_without_a_network_and_has_a_party_when_there_is_one(
    boxes: &Boxes,
) -> Result<()> {
    let gateway = &boxes.venue.gateway;
    boxes.gateway(|machine| machine.systemctl("stop lanparty-gateway").map(drop))?;
    gateway.ip("link set eth0 down")?;
    gateway.ip("link set wan0 down")?;
    boxes.gateway(|machine| {
        let name = boxes
            .settings()
            .replace(&Venue::RELAY.to_string(), "relay.party.test");
        machine.write(SETTINGS, name)?;
        machine.systemctl("start lanparty-gateway")?;
        machine.says(GATEWAY, "Waiting for the LAN: eth0 is down", SOON)?;
        gateway.ip("link set eth0 up")?;
        machine.says(
            GATEWAY,
            "Not connected to the relay relay.party.test:443",
            SOON,
        )?;
        gateway.ip("link set wan0 up")?;
        gateway.ip("route replace default via 10.9.2.254")?;
        machine.write(
            "/etc/hosts",
            format!("127.0.0.1 localhost\n{} relay.party.test\n", Venue::RELAY),
        )?;
        machine.says(GATEWAY, "At the relay", SOON)?;
        ensure!(
            machine.property(GATEWAY, "NRestarts")? == "0",
            "{}",
            machine.status(GATEWAY)?
        );
        machine.write(SETTINGS, boxes.settings())
    })?;
    boxes.reaches_the_lan()
}

pub(crate) fn a_crashed_gateway_costs_a_moment(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    boxes.reaches_the_lan()?;
    boxes.gateway(|machine| crashes(machine, GATEWAY, "KILL"))?;
    boxes.reaches_the_lan()
}

pub(crate) fn a_gateway_that_hangs_is_killed_and_comes_back(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    boxes.reaches_the_lan()?;
    boxes.gateway(|machine| hangs(machine, GATEWAY))?;
    boxes.reaches_the_lan()
}

pub(crate) fn a_gateways_wrong_settings_are_told_and_not_tried_again(boxes: &Boxes) -> Result<()> {
    boxes.gateway(|machine| {
        for (wrong, says) in [
            (
                "mode = \"relay\"\nrealy = \"r\"\n",
                "unknown key realy in line 2",
            ),
            (
                "mode = \"relay\"\nroom = \"FRIDAY-LAN\"\n",
                "required arguments were not provided",
            ),
            (
                "mode = \"relay\"\nrelay = \"r\"\nroom = \"FRIDAY-LAN\"\ninterface = \"lo\"\n",
                "lo is the loopback",
            ),
        ] {
            machine.write(SETTINGS, wrong)?;
            let said = machine.systemctl_fails("restart lanparty-gateway")?;
            ensure!(said.contains("failed"), "{said}");
            machine.is(GATEWAY, "failed", SOON)?;
            let status = machine.status(GATEWAY)?;
            let told = status
                .lines()
                .any(|line| line.trim_start().starts_with("Status:") && line.contains(says));
            ensure!(
                told && status.contains("status=2"),
                "no `{says}` in\n{status}"
            );
            ensure!(machine.property(GATEWAY, "NRestarts")? == "0", "{status}");
        }
        Ok(())
    })?;
    boxes.open()
}

pub(crate) fn a_reload_fails_with_a_wrong_file(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    boxes.gateway(|machine| {
        let pid = machine.property(GATEWAY, "MainPID")?;
        machine.systemctl("reload lanparty-gateway")?;
        machine.write(SETTINGS, boxes.settings().replace("room", "romo"))?;
        let said = machine.systemctl_fails("reload lanparty-gateway")?;
        ensure!(said.contains("failed"), "{said}");
        machine.is(GATEWAY, "active", SOON)?;
        ensure!(
            machine.property(GATEWAY, "MainPID")? == pid,
            "the party goes on"
        );
        machine.write(SETTINGS, boxes.settings())
    })?;
    boxes.reaches_the_lan()
}

pub(crate) fn an_old_unit_per_interface_goes_on(boxes: &Boxes) -> Result<()> {
    const UNIT: &str = "lanparty-gateway@eth0.service";
    boxes.gateway(|machine| {
        machine.systemctl("stop lanparty-gateway")?;
        let relay = Venue::RELAY;
        let env = format!("RELAY={relay}\nROOM=OLD-LAN\nOPTIONS=--pin {}\n", boxes.pin);
        machine.write("/etc/lanparty/gateway-eth0.env", env)?;
        machine.systemctl("start lanparty-gateway@eth0")?;
        machine.says(UNIT, "At the relay", SOON)?;
        machine.systemctl("stop lanparty-gateway@eth0")?;
        machine.is(UNIT, "inactive", SOON)
    })?;
    boxes.open()
}

pub(crate) fn a_party_without_a_relay_is_a_service_too(boxes: &Boxes) -> Result<()> {
    let settings = "mode = \"host\"\ninterface = \"eth0\"\npublic-address = \"10.9.2.1\"\nroom = \"MY-OWN-LAN\"\n";
    boxes.gateway_with(settings, "The party is open: 0 players")?;
    boxes.gateway(|machine| {
        let journal = machine.run(["journalctl", "--no-pager", "--output=cat"])?;
        ensure!(
            !journal.contains("lanparty://"),
            "an invite is in the journal:\n{journal}"
        );
        let sockets = eventually("it listens below 1024", SOON, || {
            let shown = machine.run(["ss", "-Hlun"]).ok()?;
            shown.contains(":443 ").then_some(shown)
        });
        sockets.map(drop)
    })?;
    boxes.open()
}

pub(crate) fn both_stop_clean_and_a_reboot_brings_the_party_back(boxes: &Boxes) -> Result<()> {
    for (machine, unit) in [("gateway", GATEWAY), ("relay", "lanparty-relay.service")] {
        let stops = |machine: &lanparty_lab::Booted| {
            machine.systemctl(&format!("stop {unit}"))?;
            machine.is(unit, "inactive", SOON)?;
            ensure!(
                machine.property(unit, "Result")? == "success",
                "{}",
                machine.status(unit)?
            );
            // What starts at boot, as the machine's target wants it.
            machine.systemctl("isolate multi-user.target")?;
            machine.is(unit, "active", SOON)
        };
        match machine {
            "gateway" => boxes.gateway(stops)?,
            _ => boxes.relay(stops)?,
        }
    }
    boxes.reaches_the_lan()
}

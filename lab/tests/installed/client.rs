//! The player's service, which its socket starts.

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Player, Venue, eventually};

use crate::boxes::{Boxes, SOON, install, of_repository, reaches, started};

const SERVICE: &str = "lanparty-client.service";

pub(crate) fn is_started_by_its_socket_and_plays(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    let invite = boxes.invite()?;
    let player = &boxes.venue.remotes[1];
    let machine = started(player)?;
    let users = std::fs::read(of_repository("dist/linux/lanparty-client.sysusers"))?;
    machine.write("/etc/sysusers.d/lanparty-client.conf", users)?;
    machine.run(["systemd-sysusers"])?;
    let units = [
        "dist/linux/lanparty-client.service",
        "dist/linux/lanparty-client.socket",
    ];
    install(&machine, "lanparty-client", &units)?;
    machine.systemctl("enable --now lanparty-client.socket")?;
    ensure!(
        machine.property(SERVICE, "ActiveState")? == "inactive",
        "nobody has asked for it"
    );
    let mode = machine.run(["stat", "--format=%a %G", "/run/lanparty/client.sock"])?;
    ensure!(mode.trim() == "660 lanparty", "{mode}");
    machine.write("/root/invite.txt", &invite)?;
    let said = machine.run([
        "lanparty-client",
        "join",
        "@/root/invite.txt",
        "--name",
        "Bert",
    ])?;
    ensure!(said.contains("Connected to the LAN"), "{said}");
    machine.is(SERVICE, "active", SOON)?;
    reaches(player, Venue::LAN1)?;
    machine.says(SERVICE, "Connected", SOON)?;
    crate::relay::crashes(&machine, SERVICE, "KILL")?;
    eventually("the player is back", SOON, || player.ipv4(Player::TAP))?;
    reaches(player, Venue::LAN1)?;
    let left = machine.run(["lanparty-client", "leave"])?;
    ensure!(left.contains("You have left"), "{left}");
    machine.systemctl("stop lanparty-client.socket lanparty-client.service")?;
    let gone = machine.output(["lanparty-client", "status"])?;
    ensure!(gone.status.code() == Some(4), "{gone:?}");
    machine.power_off().context("turn the player's machine off")
}

//! Machines that cannot take part, and what their hosts are told.

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Check, Party, Player, Process, Venue, checks, eventually, program};

use crate::reach::MACHINE;
use crate::{LEG, SOON, WITH, player};

/// A party whose own gateway takes no part.
pub(crate) fn begin() -> Result<Party> {
    Party::builder().players(1).start()
}

pub(crate) fn checks() -> Vec<Check<Party>> {
    checks![
        without_the_flag_nothing_is_made_and_players_do_not_reach_the_machine,
        who_insists_without_the_right_is_told_what_to_do,
        a_host_without_the_right_has_a_party_all_the_same,
        a_host_takes_part_unless_told_otherwise,
    ]
}

fn without_the_flag_nothing_is_made_and_players_do_not_reach_the_machine(
    party: &Party,
) -> Result<()> {
    let player = &player(party)?.machine;
    player.pings(Venue::LAN1, 56)?;
    ensure!(!party.venue.gateway.has_interface(LEG), "there is a leg");
    ensure!(
        player.ping_on(Player::TAP, MACHINE).is_err(),
        "the machine takes part"
    );
    Ok(())
}

/// The command, with no right to change networks.
fn without_the_right(command: Vec<String>) -> Vec<String> {
    let less = [
        "setpriv",
        "--bounding-set=-net_admin",
        "--inh-caps=-net_admin",
    ];
    less.map(String::from).into_iter().chain(command).collect()
}

fn who_insists_without_the_right_is_told_what_to_do(party: &Party) -> Result<()> {
    for words in [
        &["--interface", "eth0", "--beside-another", WITH][..],
        &["host", "--interface", "eth0", "--beside-another", WITH],
    ] {
        let mut command = program("lanparty-gateway")?;
        command.extend(words.iter().map(|word| (*word).into()));
        if words[0] != "host" {
            command.extend(party.join_flags());
        }
        let gateway = party
            .venue
            .gateway
            .spawn("insists", without_the_right(command))?;
        let status = gateway.wait(SOON)?;
        let said = gateway.log();
        ensure!(
            status.code() == Some(1)
                && said.contains("CAP_NET_ADMIN")
                && said.contains("--cap-add"),
            "{status}: {said}"
        );
    }
    Ok(())
}

fn host(party: &Party, flags: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-gateway")?;
    let beside = ["--beside-another", "--state", "host.json"];
    command.extend(["host", "--interface", "eth0"].map(Into::into));
    command.extend(beside.map(Into::into));
    command.extend(
        [
            "--keys",
            &format!("{}/keys", party.venue.lab.folder().display()),
        ]
        .map(Into::into),
    );
    command.extend(flags.iter().map(|flag| (*flag).into()));
    Ok(command)
}

fn a_host_without_the_right_has_a_party_all_the_same(party: &Party) -> Result<()> {
    let command = without_the_right(host(party, &[])?);
    let host = party.venue.gateway.spawn("host-without", command)?;
    let line = host.wait_for_line("do not see each other", SOON)?;
    ensure!(
        line.contains("CAP_NET_ADMIN") && line.contains("--without-this-machine"),
        "{line}"
    );
    host.wait_for_line("connected to the relay", SOON)?;
    ensure!(host.interrupt()?.success(), "{}", host.tail(10));
    Ok(())
}

fn a_host_takes_part_unless_told_otherwise(party: &Party) -> Result<()> {
    let machine = &party.venue.gateway;
    let silent = machine.spawn("host-alone", host(party, &["--without-this-machine"])?)?;
    silent.wait_for_line("connected to the relay", SOON)?;
    ensure!(!machine.has_interface(LEG), "there is a leg");
    ensure!(!silent.log().contains("akes part"), "{}", silent.log());
    ensure!(silent.interrupt()?.success());

    let host = machine.spawn("host-usual", host(party, &[])?)?;
    host.wait_for_line("This machine takes part", SOON)?;
    let invite = host.wait_for_line("lanparty://", SOON)?;
    let player = joins(party, &invite)?;
    let reached = || party.venue.remotes[0].ping_on("guest0", MACHINE).ok();
    eventually("the guest reaches the machine", SOON, reached).with_context(|| player.tail(20))?;
    ensure!(player.interrupt()?.success());
    ensure!(host.interrupt()?.success(), "{}", host.tail(10));
    ensure!(!machine.has_interface(LEG), "the leg is left");
    Ok(())
}

fn joins(party: &Party, invite: &str) -> Result<Process> {
    let file = party.venue.lab.write("guest.txt", invite)?;
    let mut join = program("lanparty-client")?;
    join.extend(["--tap", "guest0", "--identity", "guest.json"].map(Into::into));
    join.extend([
        "--address".into(),
        "192.168.50.232/24".into(),
        format!("@{file}"),
    ]);
    let guest = party.venue.remotes[0].spawn("guest", join)?;
    guest.wait_for_line("Connected to the LAN", SOON)?;
    Ok(guest)
}

//! However the client ends, the PC is as it was.

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Process, Trouble, eventually};
use rustix::process::Signal;

use crate::guest::{Guest, SOON};

/// The first steps of spec row R70 that change something, with what they look like on record. The client's journal is
/// written before each.
const ORDER: [&str; 11] = [
    "SetMediaStatus connected=0",
    "RegSetValue name=NetworkAddress",
    "ChangeDeviceState change=disable",
    "ChangeDeviceState change=enable",
    "SetMediaStatus connected=0",
    "CreateIpForwardEntry2 to=10.9.1.1/32",
    "SetIpInterfaceEntry family=4",
    "SetIpInterfaceEntry family=6",
    "SetInterfaceDnsSettings",
    "SetMediaStatus connected=1",
    "SetNetworkCategory category=1",
];
/// And how they are undone.
const MIRROR: [&str; 10] = [
    "IpReleaseAddress",
    "SetNetworkCategory category=0",
    "SetMediaStatus connected=0",
    "SetInterfaceDnsSettings",
    "SetIpInterfaceEntry family=6",
    "SetIpInterfaceEntry family=4",
    "DeleteIpForwardEntry2 to=10.9.1.1/32",
    "RegDeleteValue name=NetworkAddress",
    "ChangeDeviceState change=disable",
    "ChangeDeviceState change=enable",
];

pub(crate) fn a_look_at_the_pc_changes_nothing(guest: &Guest) -> Result<()> {
    let before = untouched(guest)?;
    guest.pc.forget(None);
    let said = guest.run("doctor")?;
    ensure!(said.contains("A start would use"), "{said}");
    ensure!(said.contains("✓ The TAP-Windows driver"), "{said}");
    ensure!(said.contains("✓ No earlier run"), "{said}");
    ensure!(!said.contains('✗'), "{said}");
    guest.run("--list-tap-adapters")?;
    let changes = guest.pc.changes();
    ensure!(changes.is_empty(), "{changes:#?}");
    is_as_before(guest, &before)
}

pub(crate) fn changes_are_made_in_order_and_undone_in_reverse(guest: &Guest) -> Result<()> {
    is_in_order(guest, |program| guest.leave(program))
}

pub(crate) fn a_closed_console_undoes_them_in_the_same_order(guest: &Guest) -> Result<()> {
    is_in_order(guest, |program| close_console(guest, program))
}

fn is_in_order(guest: &Guest, end: impl FnOnce(&Process) -> Result<()>) -> Result<()> {
    untouched(guest)?;
    let program = played(guest)?;
    end(&program)?;
    let changes = guest.pc.changes();
    let plugged = changes
        .iter()
        .position(|change| change.starts_with("SetMediaStatus connected=1"))
        .with_context(|| format!("the cable was never plugged in:\n{}", changes.join("\n")))?;
    ensure!(
        changes.iter().all(|change| change.ends_with(" = 0")),
        "{changes:#?}"
    );
    let is_journal = |change: &&String| change.contains("name=Restore");
    let mut steps = changes.iter().filter(|change| !is_journal(change));
    for expected in ORDER.iter().chain(&MIRROR) {
        let step = steps.next().map_or("nothing", String::as_str);
        ensure!(
            step.starts_with(expected),
            "`{step}` came where `{expected}` was due:\n{}",
            changes.join("\n")
        );
    }
    ensure!(
        steps.next().is_none(),
        "there was more:\n{}",
        changes.join("\n")
    );
    // Each change stands in the journal before it is made.
    let journal = changes[..plugged].iter().filter(is_journal).count();
    ensure!(journal >= 4, "the journal was written {journal} times only");
    Ok(())
}

pub(crate) fn ctrl_c_leaves_the_pc_as_it_was(guest: &Guest) -> Result<()> {
    leaves_no_trace(guest, |program| guest.leave(program))
}

pub(crate) fn closing_the_console_leaves_the_pc_as_it_was(guest: &Guest) -> Result<()> {
    leaves_no_trace(guest, |program| close_console(guest, program))
}

fn close_console(guest: &Guest, program: &Process) -> Result<()> {
    guest.pc.close_console()?;
    guest.ends(program).map(drop) // with whatever status Windows gives who is closed
}

fn leaves_no_trace(guest: &Guest, end: impl FnOnce(&Process) -> Result<()>) -> Result<()> {
    let before = untouched(guest)?;
    let program = played(guest)?;
    ensure!(guest.pc.state()? != before, "the client changed nothing");
    end(&program)?;
    is_as_before(guest, &before).with_context(|| program.tail(20))
}

pub(crate) fn the_lan_gets_its_address_back(guest: &Guest) -> Result<()> {
    let before = untouched(guest)?;
    let program = played(guest)?;
    let address = guest.wait_for_address()?;
    let dhcp = &guest.party.venue.dhcp;
    let mark = dhcp.mark();
    guest.leave(&program)?;
    let release = format!("DHCPRELEASE(eth0) {address}");
    let released = dhcp.wait_for_line_after(mark, &release, SOON);
    released.with_context(|| program.tail(20))?;
    is_as_before(guest, &before)
}

/// Nobody brings that one back, and what is installed next is another one.
pub(crate) fn an_uninstalled_adapter_ends_the_client_in_words(guest: &Guest) -> Result<()> {
    let before = untouched(guest)?;
    let program = played(guest)?;
    guest.pc.uninstall_adapter()?;
    for line in [
        "adapter for the party is not there",
        "was removed from this PC",
    ] {
        program.wait_for_line(line, SOON)?;
    }
    guest.ends(&program)?;
    guest.pc.install_adapter()?;
    is_as_before(guest, &before).with_context(|| program.tail(20))
}

/// A relay that is away for long is no reason to wait for such an adapter for as long.
pub(crate) fn an_uninstalled_adapter_is_noticed_without_a_relay(guest: &Guest) -> Result<()> {
    let before = untouched(guest)?;
    let program = played(guest)?;
    let relay = &guest.party.relay;
    relay.signal(Signal::STOP)?;
    let ended = program
        .wait_for_line("is not reachable", SOON)
        .and_then(|_| guest.pc.uninstall_adapter())
        .and_then(|()| program.wait_for_line("was removed from this PC", SOON))
        .and_then(|_| guest.ends(&program));
    relay.signal(Signal::CONT)?;
    ended.with_context(|| program.tail(20))?;
    guest.pc.install_adapter()?;
    is_as_before(guest, &before).with_context(|| program.tail(20))
}

/// What is refused on the way in is left out or ends the client; what is refused on the way out waits for `repair`.
pub(crate) fn whatever_change_is_refused_the_pc_is_left_as_it_was(guest: &Guest) -> Result<()> {
    let before = untouched(guest)?;
    let (on_the_way_in, all) = count_changes(guest)?;
    for number in 1..=all {
        guest.pc.forget(Some(Trouble::Refuse(number)));
        let program = guest.join()?;
        eventually("the change or the end", SOON, || {
            let is_there = guest.pc.changes().len() >= number.min(on_the_way_in);
            (is_there || !program.is_running()).then_some(())
        })?;
        guest.stop(&program)?;
        let changes = guest.pc.changes();
        let refused = changes.get(number - 1).map_or("nothing", String::as_str);
        ensure!(refused.ends_with(" = 5"), "`{refused}` was not refused");
        guest.pc.forget(None);
        if number > on_the_way_in {
            guest.run("repair")?;
        }
        is_as_before(guest, &before).with_context(|| {
            let said = program.tail(20);
            format!("change {number} of {all} was refused: `{refused}`\n{said}")
        })?;
    }
    Ok(())
}

/// Before a change is after the one before, so both ways to repair meet every state that a kill can leave.
pub(crate) fn what_a_program_ended_before_any_change_left_the_next_start_repairs(
    guest: &Guest,
) -> Result<()> {
    is_repaired(guest, Trouble::EndBefore, |guest| {
        let program = played(guest)?;
        guest.stop(&program)?;
        Ok(program.tail(40))
    })
}

pub(crate) fn what_a_program_ended_after_any_change_left_is_repaired(guest: &Guest) -> Result<()> {
    is_repaired(guest, Trouble::EndAfter, |guest| guest.run("repair"))
}

fn is_repaired(
    guest: &Guest,
    trouble: fn(usize) -> Trouble,
    repair: fn(&Guest) -> Result<String>,
) -> Result<()> {
    let before = untouched(guest)?;
    let (on_the_way_in, all) = count_changes(guest)?;
    for number in 1..=all {
        guest.pc.forget(Some(trouble(number)));
        let program = guest.join()?;
        if number > on_the_way_in {
            eventually("the client is ready", SOON, || {
                (guest.pc.changes().len() >= on_the_way_in).then_some(())
            })?;
            guest.stop(&program)?;
        }
        guest.ends(&program)?;
        let last = guest.pc.changes().pop().unwrap_or_default();
        guest.pc.forget(None);
        let said = repair(guest).with_context(|| format!("ended at `{last}`"))?;
        is_as_before(guest, &before).with_context(|| {
            format!("ended at change {number} of {all}: `{last}`; then it said: {said}")
        })?;
    }
    Ok(())
}

/// How many changes a run makes until the player can play, and with its end.
fn count_changes(guest: &Guest) -> Result<(usize, usize)> {
    let program = played(guest)?;
    let on_the_way_in = guest.pc.changes().len();
    guest.leave(&program)?;
    Ok((on_the_way_in, guest.pc.changes().len()))
}

/// A run that has made its last change; the category waits for the network to be there.
pub(crate) fn played(guest: &Guest) -> Result<Process> {
    guest.pc.forget(None);
    let program = guest.join()?;
    let last = eventually("the client is ready", SOON, || {
        let changes = guest.pc.changes();
        let is_last = |change: &String| change.starts_with("SetNetworkCategory category=1");
        changes.iter().any(is_last).then_some(())
    });
    last.with_context(|| program.tail(20))?;
    guest.wait_for_address().with_context(|| program.tail(20))?;
    Ok(program)
}

/// The PC's state before anything, whatever an earlier test has left.
pub(crate) fn untouched(guest: &Guest) -> Result<String> {
    guest.pc.forget(None);
    guest.run("repair")?;
    guest.pc.state()
}

/// Linux takes a moment for the last of it: the driver's words arrive after the program's end.
pub(crate) fn is_as_before(guest: &Guest, before: &str) -> Result<()> {
    let same = eventually("the PC is as it was", SOON, || {
        (guest.pc.state().ok()? == before).then_some(())
    });
    let after = guest.pc.state()?;
    let lines = |left: &str, right: &str| {
        let only: Vec<_> = left
            .lines()
            .filter(|line| !right.contains(line))
            .map(str::to_owned)
            .collect();
        only.join("\n")
    };
    same.with_context(|| {
        format!(
            "gone:\n{}\nnew:\n{}\nchanges:\n{}",
            lines(before, &after),
            lines(&after, before),
            guest.pc.changes().join("\n")
        )
    })
}

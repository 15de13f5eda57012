//! A PC with the driver and no adapter: the client makes one, and takes it away again.

use anyhow::{Context, Result, ensure};
use lanparty_lab::Trouble;

use crate::ending::{is_as_before, played, untouched};
use crate::guest::{Guest, SOON};

/// The hardware ids by which drivers know their devices.
const IDS: [&str; 2] = [r"root\tap0901", "tap0901"];

pub(crate) fn an_adapter_is_made_first_and_removed_last(guest: &Guest) -> Result<()> {
    for id in IDS {
        guest.pc.have_driver_for(Some(id));
        let before = untouched(guest)?;
        let program = played(guest)?;
        guest.leave(&program)?;
        let changes = guest.pc.changes();
        let mut changes = changes.iter().filter(|change| !change.contains("Restore"));
        let first: Vec<_> = changes.by_ref().take(2).map(String::as_str).collect();
        ensure!(
            first[0] == "RegisterDevice = 0" && first[1].contains(IDS[0]),
            "{first:?}"
        );
        ensure!(
            changes
                .next_back()
                .is_some_and(|last| last == "RemoveDevice = 0"),
            "the adapter was not removed last:\n{}",
            guest.pc.changes().join("\n")
        );
        let install = format!("InstallDevice id={id} = 0");
        ensure!(guest.pc.changes().contains(&install), "{id} was not tried");
        is_as_before(guest, &before).with_context(|| program.tail(20))?;
    }
    Ok(())
}

pub(crate) fn without_a_driver_the_client_says_so_and_leaves_no_device(
    guest: &Guest,
) -> Result<()> {
    guest.pc.have_driver_for(None);
    let before = untouched(guest)?;
    let program = guest.join()?;
    program.wait_for_line("install the TAP-Windows driver (tap0901)", SOON)?;
    guest.ends(&program)?;
    is_as_before(guest, &before).with_context(|| program.tail(20))
}

/// Journal, register, install: whichever of them is the last, `repair` removes what there is. A device that has a name and
/// is not registered is no adapter and cannot be opened; Wine keeps it, and the next start goes on beside it.
pub(crate) fn a_client_killed_while_it_makes_one_is_repaired(guest: &Guest) -> Result<()> {
    guest.pc.have_driver_for(Some(IDS[0]));
    let mut before = untouched(guest)?;
    for number in 1..=3 {
        for trouble in [Trouble::EndBefore(number), Trouble::EndAfter(number)] {
            guest.pc.forget(Some(trouble));
            guest.ends(&guest.join()?)?;
            guest.pc.forget(None);
            let said = guest.run("repair")?;
            if trouble == Trouble::EndBefore(2) {
                guest.leave(&played(guest)?)?;
                before = untouched(guest)?;
            }
            is_as_before(guest, &before).with_context(|| format!("{trouble:?}: {said}"))?;
        }
    }
    Ok(())
}

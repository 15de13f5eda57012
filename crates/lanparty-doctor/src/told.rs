//! What docs/errors.md says about mending.

use crate::mend::MendError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_what_the_doctor_cannot_mend() {
    let mend = told!(MendError {
        MendError::Refused(_) = MendError::Refused("somebody else's session is on".into()) => "The service says no, in its words.", "What they say.";
        MendError::NotRun(..) = MendError::NotRun("pkexec", io::Error::from_raw_os_error(2)) => "The system's own program for that is missing.", "An administrator does it by hand.";
        MendError::Failed(..) = MendError::Failed("systemctl", "access denied".into()) => "The system's own program says no, in its words.", "What they say.";
        MendError::Elsewhere = MendError::Elsewhere => "The account comes from a directory (sssd, systemd-homed), which usermod does not change.", "Whoever keeps the directory puts you into the group lanparty; until then an administrator's word lets you in for a while.";
        MendError::NoAdapter = MendError::NoAdapter => "The party was left meanwhile, or has not begun.", "Join, and look again.";
        MendError::NotOpened(_) = MendError::NotOpened("Operation not permitted".into()) => "A table belongs to a program that lets nobody else into it, or the chain has gone meanwhile.", "Let the adapter through by that program, or look again.";
        MendError::Unknown = MendError::Unknown => "The row is a newer version's.", "Update.";
    } elsewhere MendError::Door(_));
    Chapter::new("doctor").with(mend).check();
}

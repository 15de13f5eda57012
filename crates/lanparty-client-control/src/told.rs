//! What docs/errors.md says about the way to the service.

use crate::connection::DoorError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_the_way_to_the_service() {
    let door = told!(DoorError {
        DoorError::NotRunning = DoorError::NotRunning => "Nobody answers at the service's socket or pipe.", "Start the service; `lanparty-client doctor` does it.";
        DoorError::NotPermitted = DoorError::NotPermitted => "The socket is for members of the group lanparty.", "An administrator adds you to it; then log in anew.";
        DoorError::Impostor(_) = DoorError::Impostor("bert".into()) => "The pipe is not the service's own.", "Start the computer anew; look for programs that you do not know.";
        DoorError::Silent(_) = DoorError::Silent(io::Error::from(io::ErrorKind::TimedOut)) => "The service hangs, or ended in between.", "Restart it.";
        DoorError::Strange(_) = DoorError::Strange(io::Error::from(io::ErrorKind::InvalidData)) => "Service and program are of different versions.", "Restart the service after an update.";
    });
    Chapter::new("service").with(door).check();
}

//! What docs/errors.md says about the adapter on Windows.

use crate::adapter::ChooseError;
use crate::driver::{DriverVersion, OldDriver};
use crate::error::TapError;
use lanparty_client_route::guid::AdapterGuidError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_the_adapter_on_windows() {
    let system = || io::Error::other("as Windows puts it");
    let tap = told!(TapError {
        TapError::NotThere(_) = TapError::NotThere(system()) => "The adapter is disabled, restarting or gone.", "Enable it in the network connections.";
        TapError::Busy(_) = TapError::Busy(system()) => "OpenVPN or another client has it.", "Close that, or choose another adapter.";
        TapError::Broken(_) = TapError::Broken(system()) => "Something else is behind that name, or the driver is damaged.", "Install the driver anew.";
    } elsewhere TapError::OldDriver(_));
    let old = DriverVersion { major: 9, minor: 9 };
    let driver = told!(OldDriver { OldDriver(_) = OldDriver(old) => "Drivers of old lose frames.", "Install the current one."; });
    let guid = "{00000002-0000-0000-0000-4E6574446576}";
    let id = told!(AdapterGuidError { AdapterGuidError = AdapterGuidError => "--tap-instance-id is written wrongly.", "As the list has it."; });
    let choose = told!(ChooseError {
        ChooseError::None = ChooseError::None => "The driver is not installed.", "Install it.";
        ChooseError::Unknown(_) = ChooseError::Unknown(guid.parse().unwrap()) => "--tap-instance-id names another adapter.", "Look in the list.";
        ChooseError::Several(_) = ChooseError::Several(guid.into()) => "Several could be meant.", "Choose one.";
    });
    Chapter::new("windows")
        .with(tap)
        .with(driver)
        .with(choose)
        .with(id)
        .check();
}

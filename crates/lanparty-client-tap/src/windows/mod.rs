//! TAP-Windows6 on Windows.

mod create;
mod devnode;
mod overlapped;
mod port;

pub use create::{add_own, remove_own};
pub use port::{Tap, TapControl, look};

use crate::adapter::{self, Adapter};
use crate::driver::{MacValue, NETWORK_ADDRESS};
use lanparty_client_route::error::from_hresult;
use std::io;
use std::process::Command;
use windows_registry::{Key, LOCAL_MACHINE};

/// Finds the adapters in the registry.
///
/// # Errors
/// What the system says; that there are none is no error.
pub fn installed() -> io::Result<Vec<Adapter>> {
    let Ok(class) = LOCAL_MACHINE.open(adapter::class_key()) else {
        return Ok(Vec::new());
    };
    // The key has other subkeys, some of which only the system may open.
    let class_keys = class.keys().map_err(from_hresult)?;
    Ok(class_keys
        .filter_map(|class_key| read_adapter(&class, class_key))
        .collect())
}

fn read_adapter(class: &Key, class_key: String) -> Option<Adapter> {
    let driver = class.open(&class_key).ok()?;
    ["ComponentId", "MatchingDeviceId"]
        .iter()
        .find(|name| driver.get_string(name).is_ok_and(|id| adapter::is_tap(&id)))?;
    let guid = driver.get_string("NetCfgInstanceId").ok()?.parse().ok()?;
    let connection = LOCAL_MACHINE.open(adapter::connection_key(guid)).ok();
    let about = |name| connection.as_ref()?.get_string(name).ok();
    Some(Adapter {
        guid,
        class_key,
        name: about("Name"),
        instance: about("PnpInstanceID").or_else(|| driver.get_string("DeviceInstanceID").ok()),
    })
}

/// What the registry gives the adapter as its MAC address.
///
/// # Errors
/// What the system says; that it gives none is no error.
pub fn mac_value(adapter: &Adapter) -> io::Result<MacValue> {
    let driver = LOCAL_MACHINE
        .open(adapter.driver_key())
        .map_err(from_hresult)?;
    match driver.get_string(NETWORK_ADDRESS) {
        Ok(value) => Ok(Some(value)),
        Err(error) => none_if_missing(from_hresult(error)),
    }
}

/// Writes what the registry gives the adapter as its MAC address, or removes it; counts from the
/// adapter's next start.
///
/// # Errors
/// What the system says.
pub fn set_mac_value(adapter: &Adapter, value: &MacValue) -> io::Result<()> {
    let driver = LOCAL_MACHINE
        .options()
        .read()
        .write()
        .open(adapter.driver_key())
        .map_err(from_hresult)?;
    match value {
        Some(value) => driver
            .set_string(NETWORK_ADDRESS, value)
            .map_err(from_hresult),
        None => match driver.remove_value(NETWORK_ADDRESS) {
            Ok(()) => Ok(()),
            Err(error) => none_if_missing::<()>(from_hresult(error)).map(|_| ()),
        },
    }
}

/// Starts the adapter anew, enabled whatever it was; takes a second or two.
///
/// # Errors
/// What the system says.
pub fn restart(adapter: &Adapter) -> io::Result<()> {
    let instance = adapter.instance.as_deref().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "the registry does not name its device",
        )
    })?;
    devnode::restart(instance)
}

/// Gives the adapter a name among the network connections.
///
/// # Errors
/// What the system says.
pub fn rename(adapter: &Adapter, name: &str) -> io::Result<()> {
    let Some(before) = adapter.name.as_deref().filter(|before| *before != name) else {
        return Ok(());
    };
    // By its whole path: an elevated program must not take whatever is called like that.
    let netsh = devnode::system_folder()?.join("netsh.exe");
    let output = Command::new(netsh)
        .args(["interface", "set", "interface"])
        .args([format!("name={before}"), format!("newname={name}")])
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("netsh: {}", output.status))),
    }
}

fn none_if_missing<T>(error: io::Error) -> io::Result<Option<T>> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    }
}

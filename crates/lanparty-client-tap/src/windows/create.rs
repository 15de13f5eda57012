//! Making an adapter and removing it, in the steps of OpenVPN's `tapctl` (src/tapctl/tap.c).
#![allow(unsafe_code, reason = "SetupAPI has no safe wrapper")]

use crate::adapter::{HARDWARE_IDS, OWN_INSTANCE, OWN_NAME, left_behind, multi_string};
use lanparty_client_route::error::from_hresult;
use std::io;
use std::ptr::{null, null_mut};
use windows_registry::LOCAL_MACHINE;
use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    DI_FUNCTION, DI_REMOVEDEVICE_GLOBAL, DICD_GENERATE_ID, DIF_REGISTERDEVICE, DIF_REMOVE,
    DiInstallDevice, GUID_DEVCLASS_NET, HDEVINFO, SP_CLASSINSTALL_HEADER, SP_DEVINFO_DATA,
    SP_REMOVEDEVICE_PARAMS, SPDRP_HARDWAREID, SetupDiCallClassInstaller,
    SetupDiCreateDeviceInfoList, SetupDiCreateDeviceInfoW, SetupDiDestroyDeviceInfoList,
    SetupDiOpenDeviceInfoW, SetupDiSetClassInstallParamsW, SetupDiSetDeviceRegistryPropertyW,
};
use windows_sys::Win32::Foundation::{ERROR_NO_SUCH_DEVINST, INVALID_HANDLE_VALUE};
use windows_sys::core::{BOOL, GUID};

/// Network adapters, at an address that outlives every call.
static NET_CLASS: GUID = GUID_DEVCLASS_NET;

/// The name that Windows puts between `ROOT` and a number of its own: a kill may have left a device that is named,
/// and neither registered nor to be opened, and whose number is taken.
const OWN_DEVICE: &str = "SOFTLAN-VPN";

/// Makes the adapter that is ours, with the driver that Windows has for it; takes some seconds.
///
/// # Errors
/// What the system says, above all that it has no such driver. Nothing is left then.
pub fn add_own() -> io::Result<()> {
    let mut outcome = Ok(());
    for hardware_id in HARDWARE_IDS {
        clear();
        outcome = add(hardware_id);
        if outcome.is_ok() {
            return Ok(());
        }
    }
    clear();
    outcome
}

/// Removes what an earlier run or try has left. What stays is no adapter that anybody could use, and a new one gets a
/// number of its own.
fn clear() {
    if let Err(error) = remove_own() {
        tracing::warn!("{error}");
    }
}

/// Removes every adapter that is ours; that there is none is no error.
///
/// # Errors
/// Which of them are left, and why; the others are gone.
pub fn remove_own() -> io::Result<()> {
    let left: Vec<_> = own_instances()?
        .into_iter()
        .filter_map(|instance| {
            let error = remove(&instance).err()?;
            Some((instance, error))
        })
        .collect();
    match left_behind(left) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// The devices that have a name of ours, whether a driver is installed for them or not.
fn own_instances() -> io::Result<Vec<String>> {
    let key = format!(
        r"SYSTEM\CurrentControlSet\Enum\{}",
        OWN_INSTANCE.trim_end_matches('\\')
    );
    let key = match LOCAL_MACHINE.open(key).map_err(from_hresult) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        key => key?,
    };
    let numbers = key.keys().map_err(from_hresult)?;
    Ok(numbers
        .map(|number| format!("{OWN_INSTANCE}{number}"))
        .collect())
}

fn remove(instance: &str) -> io::Result<()> {
    let mut device = Device::nameless()?;
    match device.open(instance) {
        // Named and never registered: that is no adapter, and nobody but Windows can take the name away.
        Err(error) if error.raw_os_error() == Some(ERROR_NO_SUCH_DEVINST.cast_signed()) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => device.remove(),
    }
}

fn add(hardware_id: &str) -> io::Result<()> {
    let mut device = Device::nameless()?;
    device.create()?;
    device.set_hardware_id(hardware_id)?;
    device.call_installer(DIF_REGISTERDEVICE)?;
    device.install()
}

/// A device information set with at most one device in it.
struct Device {
    set: HDEVINFO,
    data: SP_DEVINFO_DATA,
}

impl Device {
    fn nameless() -> io::Result<Self> {
        // SAFETY: the class is a constant, and there is no window.
        let set = unsafe { SetupDiCreateDeviceInfoList(&raw const NET_CLASS, null_mut()) };
        if set == INVALID_HANDLE_VALUE as HDEVINFO {
            return Err(io::Error::last_os_error());
        }
        let data = SP_DEVINFO_DATA {
            cbSize: size_of::<SP_DEVINFO_DATA>() as u32,
            ..SP_DEVINFO_DATA::default()
        };
        Ok(Device { set, data })
    }

    fn create(&mut self) -> io::Result<()> {
        let (device, description) = (wide(OWN_DEVICE), wide(OWN_NAME));
        // SAFETY: a live set; both texts end with a zero and outlive the call; `data` says its size.
        check(unsafe {
            SetupDiCreateDeviceInfoW(
                self.set,
                device.as_ptr(),
                &raw const NET_CLASS,
                description.as_ptr(),
                null_mut(),
                DICD_GENERATE_ID,
                &raw mut self.data,
            )
        })
    }

    fn open(&mut self, instance: &str) -> io::Result<()> {
        let instance = wide(instance);
        // SAFETY: as in `create`.
        check(unsafe {
            SetupDiOpenDeviceInfoW(
                self.set,
                instance.as_ptr(),
                null_mut(),
                0,
                &raw mut self.data,
            )
        })
    }

    fn set_hardware_id(&mut self, id: &str) -> io::Result<()> {
        let ids = multi_string(id);
        // SAFETY: the device is in the set; the bytes are there, and counted.
        check(unsafe {
            SetupDiSetDeviceRegistryPropertyW(
                self.set,
                &raw mut self.data,
                SPDRP_HARDWAREID,
                ids.as_ptr().cast(),
                size_of_val(&*ids) as u32,
            )
        })
    }

    /// Takes the best driver that Windows has in store.
    fn install(&self) -> io::Result<()> {
        let mut needs_restart: BOOL = 0;
        // SAFETY: the device is in the set and registered; no driver is named.
        check(unsafe {
            DiInstallDevice(
                null_mut(),
                self.set,
                &raw const self.data,
                null(),
                0,
                &raw mut needs_restart,
            )
        })
    }

    fn remove(&self) -> io::Result<()> {
        let params = SP_REMOVEDEVICE_PARAMS {
            ClassInstallHeader: SP_CLASSINSTALL_HEADER {
                cbSize: size_of::<SP_CLASSINSTALL_HEADER>() as u32,
                InstallFunction: DIF_REMOVE,
            },
            Scope: DI_REMOVEDEVICE_GLOBAL,
            HwProfile: 0,
        };
        // SAFETY: the device is in the set; the parameters begin with their header, and are counted.
        check(unsafe {
            SetupDiSetClassInstallParamsW(
                self.set,
                &raw const self.data,
                (&raw const params).cast(),
                size_of_val(&params) as u32,
            )
        })?;
        self.call_installer(DIF_REMOVE)
    }

    fn call_installer(&self, function: DI_FUNCTION) -> io::Result<()> {
        // SAFETY: the device is in the set.
        check(unsafe { SetupDiCallClassInstaller(function, self.set, &raw const self.data) })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: a live set, destroyed once.
        unsafe { SetupDiDestroyDeviceInfoList(self.set) };
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn check(success: BOOL) -> io::Result<()> {
    match success {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

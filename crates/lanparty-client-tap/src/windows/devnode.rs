//! A device's entry in the device tree, by which it is restarted, and where Windows' own programs are.
#![allow(unsafe_code, reason = "CfgMgr32 has no safe wrapper")]

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::path::PathBuf;
use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_DISABLE_UI_NOT_OK, CM_Disable_DevNode, CM_Enable_DevNode, CM_LOCATE_DEVNODE_NORMAL,
    CM_Locate_DevNodeW, CM_MapCrToWin32Err, CONFIGRET, CR_SUCCESS,
};
use windows_sys::Win32::Foundation::{ERROR_GEN_FAILURE, MAX_PATH};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;

/// Disables a device until it is enabled again or Windows starts, and enables it.
pub(super) fn restart(instance: &str) -> io::Result<()> {
    let name: Vec<u16> = instance.encode_utf16().chain([0]).collect();
    let mut node = 0;
    // SAFETY: `name` ends with a zero, and `node` is where the answer goes.
    let found =
        unsafe { CM_Locate_DevNodeW(&raw mut node, name.as_ptr(), CM_LOCATE_DEVNODE_NORMAL) };
    check(found)?;
    // SAFETY: a number goes in and a number comes out.
    let disabled = check(unsafe { CM_Disable_DevNode(node, CM_DISABLE_UI_NOT_OK) });
    // Whatever came of that, it must not stay disabled.
    // SAFETY: as above.
    check(unsafe { CM_Enable_DevNode(node, 0) })?;
    disabled
}

/// The folder of Windows' own programs. Not from the environment, which any program of the player can set.
pub(super) fn system_folder() -> io::Result<PathBuf> {
    let mut path = [0; MAX_PATH as usize];
    // SAFETY: there is room for as many characters as said.
    let length = unsafe { GetSystemDirectoryW(path.as_mut_ptr(), MAX_PATH) };
    match path.get(..length as usize) {
        Some(path) if !path.is_empty() => Ok(OsString::from_wide(path).into()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn check(result: CONFIGRET) -> io::Result<()> {
    if result == CR_SUCCESS {
        return Ok(());
    }
    // SAFETY: a look into a table.
    let code = unsafe { CM_MapCrToWin32Err(result, ERROR_GEN_FAILURE) };
    Err(io::Error::from_raw_os_error(code.cast_signed()))
}

//! Being told that routes, interfaces or addresses have changed.
#![allow(unsafe_code, reason = "the system calls back with a pointer of ours")]

use super::ip_helper::check;
use std::ffi::c_void;
use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    CancelMibChangeNotify2, MIB_IPFORWARD_ROW2, MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE,
    MIB_UNICASTIPADDRESS_ROW, NotifyIpInterfaceChange, NotifyRouteChange2,
    NotifyUnicastIpAddressChange,
};
use windows_sys::Win32::Networking::WinSock::AF_UNSPEC;

/// A watch over the routing table, the interfaces and their addresses.
#[derive(Debug)]
pub struct Watch {
    // Before the flag, so that the last callback is over when the flag goes.
    _registrations: Vec<Registration>,
    changed: Box<AtomicBool>,
}

#[derive(Debug)]
struct Registration(HANDLE);

impl Watch {
    /// Starts to watch.
    ///
    /// # Errors
    /// What the system says.
    pub fn start() -> io::Result<Self> {
        let changed = Box::new(AtomicBool::new(false));
        let flag: *const c_void = (&raw const *changed).cast();
        let (mut routes, mut interfaces, mut addresses) = (null_mut(), null_mut(), null_mut());
        let mut registrations = Vec::new();
        let mut keep =
            |result, handle| check(result).map(|()| registrations.push(Registration(handle)));
        // SAFETY: the flag lives in a box until after the registration has been cancelled, and every
        // callback only stores into it.
        let result =
            unsafe { NotifyRouteChange2(AF_UNSPEC, Some(route), flag, false, &raw mut routes) };
        keep(result, routes)?;
        // SAFETY: likewise.
        let result = unsafe {
            NotifyIpInterfaceChange(AF_UNSPEC, Some(interface), flag, false, &raw mut interfaces)
        };
        keep(result, interfaces)?;
        // SAFETY: likewise.
        let result = unsafe {
            NotifyUnicastIpAddressChange(AF_UNSPEC, Some(address), flag, false, &raw mut addresses)
        };
        keep(result, addresses)?;
        Ok(Watch {
            _registrations: registrations,
            changed,
        })
    }

    /// Whether anything has changed since this was asked last.
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: a registration of ours, cancelled once; the call returns when no callback runs.
            unsafe { CancelMibChangeNotify2(self.0) };
        }
    }
}

/// # Safety
/// `flag` must point to a live `AtomicBool`.
unsafe fn raise(flag: *const c_void) {
    // SAFETY: as demanded above.
    unsafe { &*flag.cast::<AtomicBool>() }.store(true, Ordering::Release);
}

unsafe extern "system" fn route(
    flag: *const c_void,
    _row: *const MIB_IPFORWARD_ROW2,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the system hands back what `Watch::start` gave it.
    unsafe { raise(flag) };
}

unsafe extern "system" fn interface(
    flag: *const c_void,
    _row: *const MIB_IPINTERFACE_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: as in `route`.
    unsafe { raise(flag) };
}

unsafe extern "system" fn address(
    flag: *const c_void,
    _row: *const MIB_UNICASTIPADDRESS_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: as in `route`.
    unsafe { raise(flag) };
}

//! What a person without an administrator's rights can do. Wine, too, holds access lists against a token.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Security::{
    CreateRestrictedToken, CreateWellKnownSid, DISABLE_MAX_PRIVILEGE, ImpersonateLoggedOnUser,
    PSID, RevertToSelf, SID_AND_ATTRIBUTES, TOKEN_ALL_ACCESS, WELL_KNOWN_SID_TYPE,
    WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

pub(super) const WRITE_DAC: u32 = 0x4_0000;

/// Opens a pipe for this and nothing else.
pub(super) fn open_with(name: &str, access: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.access_mode(access).open(name).map(drop)
}

/// Does something as a user who is no administrator, in a thread of its own.
pub(super) fn tries<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let token = plain_token().unwrap();
        // SAFETY: an open token.
        assert_ne!(unsafe { ImpersonateLoggedOnUser(token.as_raw_handle()) }, 0);
        let outcome = what();
        // SAFETY: no arguments.
        assert_ne!(unsafe { RevertToSelf() }, 0);
        outcome
    });
    thread.join().unwrap()
}

/// Our own token, in which being an administrator or the system only ever forbids something.
fn plain_token() -> io::Result<OwnedHandle> {
    let mut own = null_mut();
    // SAFETY: our own process; the answer is a new handle.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &raw mut own) })?;
    // SAFETY: just opened for us.
    let own = unsafe { OwnedHandle::from_raw_handle(own) };
    let mut mighty = [WinBuiltinAdministratorsSid, WinLocalSystemSid].map(well_known);
    let disabled = mighty.each_mut().map(|sid| SID_AND_ATTRIBUTES {
        Sid: sid.as_mut_ptr().cast(),
        Attributes: 0,
    });
    let mut plain = null_mut();
    // SAFETY: an open token, two valid SIDs, no privileges and no further SIDs; the answer is a new handle.
    check(unsafe {
        CreateRestrictedToken(
            own.as_raw_handle(),
            DISABLE_MAX_PRIVILEGE,
            disabled.len() as u32,
            disabled.as_ptr(),
            0,
            null(),
            0,
            null(),
            &raw mut plain,
        )
    })?;
    // SAFETY: just made for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(plain) })
}

/// Room for any SID.
fn well_known(kind: WELL_KNOWN_SID_TYPE) -> [u32; 17] {
    let mut room = [0; 17];
    let mut size = size_of_val(&room) as u32;
    let sid: PSID = room.as_mut_ptr().cast();
    // SAFETY: there is room for as many bytes as said.
    check(unsafe { CreateWellKnownSid(kind, null_mut(), sid, &raw mut size) }).unwrap();
    room
}

fn check(went_well: i32) -> io::Result<()> {
    match went_well {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

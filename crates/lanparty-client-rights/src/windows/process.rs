//! Who a process, or whoever is at the other end of a pipe, is.
#![allow(unsafe_code, reason = "tokens have no safe wrapper")]

use super::descriptor::sid_of;
use super::{check, wide};
use crate::Account;
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{
    CheckTokenMembership, GetTokenInformation, LookupAccountSidW, PSID, RevertToSelf, SID_NAME_USE,
    TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenElevation, TokenUser,
};
use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken,
};
use windows_sys::Win32::UI::Shell::ShellExecuteW;
use windows_sys::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;

/// Whose program is at the other end of a pipe that we serve. Something must have been read from it before: Windows says
/// then who has sent that, which no process number could, because those are given anew.
///
/// Views let themselves be identified and nothing more (`SECURITY_IDENTIFICATION`), which suffices for this.
///
/// # Errors
/// What the system says, above all that nothing has been read yet.
pub fn client_of(pipe: BorrowedHandle<'_>) -> io::Result<Account> {
    // SAFETY: a pipe's handle that is open; this thread is the other end's user until `Myself` is dropped, below.
    check(unsafe { ImpersonateNamedPipeClient(pipe.as_raw_handle()) })?;
    let token = {
        let _back = Myself;
        let mut token = null_mut();
        // SAFETY: our own thread's token, opened with the process's rights; the answer is a new handle.
        check(unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &raw mut token) })?;
        // SAFETY: just opened for us.
        unsafe { OwnedHandle::from_raw_handle(token) }
    };
    let mut client = account(&token)?;
    client.is_admin = is_admin(&token)?;
    Ok(client)
}

/// Whether the token has an administrator's rights in force. It must be one of an impersonation.
fn is_admin(token: &OwnedHandle) -> io::Result<bool> {
    const ADMINISTRATORS: &str = "S-1-5-32-544";
    let administrators = sid_of(ADMINISTRATORS)?;
    let mut is_member = 0;
    // SAFETY: an open token, a valid SID, and room for the answer.
    check(unsafe {
        CheckTokenMembership(
            token.as_raw_handle(),
            administrators.as_ptr(),
            &raw mut is_member,
        )
    })?;
    Ok(is_member != 0)
}

/// Ends an impersonation.
struct Myself;

impl Drop for Myself {
    fn drop(&mut self) {
        // SAFETY: no arguments.
        if unsafe { RevertToSelf() } == 0 {
            // To go on as somebody else would do a stranger's will with our hands, or ours with theirs.
            std::process::abort();
        }
    }
}

/// The account that this process runs as.
pub(super) fn own_account() -> io::Result<Account> {
    account(&own_token()?)
}

/// Whether this process has an administrator's rights now.
pub fn is_elevated() -> bool {
    let elevation = own_token().and_then(|token| {
        let mut elevation = TOKEN_ELEVATION::default();
        let size = size_of::<TOKEN_ELEVATION>();
        token_information(&token, TokenElevation, (&raw mut elevation).cast(), size)?;
        Ok(elevation.TokenIsElevated != 0)
    });
    elevation.unwrap_or(false)
}

/// Starts this program again as an administrator, in a console of its own, once the person at the screen has agreed.
///
/// # Errors
/// When they have not, or what the system says.
pub fn demand_rights(arguments: &str) -> io::Result<()> {
    // What ShellExecute answers when it went well is greater.
    const LAST_ERROR: usize = 32;
    let (verb, program) = (wide("runas"), wide(std::env::current_exe()?));
    let arguments = wide(arguments);
    // SAFETY: texts that end with a zero, no window, the present folder.
    let answer = unsafe {
        ShellExecuteW(
            null_mut(),
            verb.as_ptr(),
            program.as_ptr(),
            arguments.as_ptr(),
            null(),
            SW_SHOWNORMAL,
        )
    };
    match answer.addr() > LAST_ERROR {
        true => Ok(()),
        false => Err(io::Error::last_os_error()),
    }
}

fn own_token() -> io::Result<OwnedHandle> {
    let mut token = null_mut();
    // SAFETY: our own process; the answer is a new handle.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: just opened for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Room for any account: a `TOKEN_USER` and the longest SID behind it.
type Room = [u64; 32];

fn account(token: &OwnedHandle) -> io::Result<Account> {
    let mut room = MaybeUninit::<Room>::zeroed();
    token_information(
        token,
        TokenUser,
        room.as_mut_ptr().cast(),
        size_of::<Room>(),
    )?;
    let user = room.as_ptr().cast::<TOKEN_USER>();
    // SAFETY: filled in by the call above, and aligned for it; the SID that it points to lies in `room`.
    unsafe {
        let sid = (*user).User.Sid;
        let text = sid_in_words(sid)?;
        Ok(Account {
            name: name_of(sid).unwrap_or_else(|_| text.clone()),
            sid: text,
            is_admin: false,
        })
    }
}

fn token_information(
    token: &OwnedHandle,
    class: TOKEN_INFORMATION_CLASS,
    to: *mut core::ffi::c_void,
    size: usize,
) -> io::Result<()> {
    let token: HANDLE = token.as_raw_handle();
    let mut length = 0;
    // SAFETY: callers hand over room of this size that lives as long as the call.
    check(unsafe { GetTokenInformation(token, class, to, size as u32, &raw mut length) })
}

/// # Safety
/// `sid` must be a valid one.
pub(super) unsafe fn sid_in_words(sid: PSID) -> io::Result<String> {
    let mut text = null_mut();
    // SAFETY: a valid SID; the answer is a text that becomes ours.
    check(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    // SAFETY: as above: it ends with a zero.
    let words = unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        std::slice::from_raw_parts(text, length)
    };
    let words = String::from_utf16_lossy(words);
    // SAFETY: allocated for us by the call above, and not used any more.
    unsafe { LocalFree(text.cast()) };
    Ok(words)
}

/// # Safety
/// `sid` must be a valid one.
unsafe fn name_of(sid: PSID) -> io::Result<String> {
    // Windows allows 20 characters for a name and 256 for a domain.
    let (mut name, mut domain) = ([0_u16; 257], [0_u16; 257]);
    let (mut name_length, mut domain_length) = (name.len() as u32, domain.len() as u32);
    let mut kind = SID_NAME_USE::default();
    // SAFETY: a valid SID, this PC, and room for as many characters as said.
    check(unsafe {
        LookupAccountSidW(
            null(),
            sid,
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    })?;
    let text = |characters: &[u16], length: u32| {
        let characters = characters.get(..length as usize).unwrap_or_default();
        OsString::from_wide(characters)
            .to_string_lossy()
            .into_owned()
    };
    let (name, domain) = (text(&name, name_length), text(&domain, domain_length));
    Ok(match domain.is_empty() {
        true => name,
        false => format!(r"{domain}\{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_an_account() {
        let own = own_account().unwrap();
        assert!(own.sid.starts_with("S-1-5-"), "{own:?}");
        assert!(!own.name.is_empty(), "{own:?}");
    }
}

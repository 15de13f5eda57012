//! The window that a console program runs in.
#![allow(unsafe_code, reason = "the console API has no safe wrapper")]

use windows_sys::Win32::System::Console::GetConsoleProcessList;

/// Whether the console was opened for this program, and closes with it.
pub fn owns_console() -> bool {
    let mut processes = [0; 2];
    // SAFETY: there is room for as many as said; the answer counts those that there are.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    count == 1
}

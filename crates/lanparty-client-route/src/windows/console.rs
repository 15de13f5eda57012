//! The window that a console program runs in.
#![allow(unsafe_code, reason = "the console API has no safe wrapper")]

use windows_sys::Win32::System::Console::{
    FlushConsoleInputBuffer, GetConsoleProcessList, GetStdHandle, STD_INPUT_HANDLE,
};

/// Whether the console was opened for this program, and closes with it.
pub fn owns_console() -> bool {
    let mut processes = [0; 2];
    // SAFETY: there is room for as many as said; the answer counts those that there are.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    count == 1
}

/// Forgets what was typed into the console and not read; does nothing without one.
pub fn forget_typed() {
    // SAFETY: no memory of ours is touched, and a handle that is no console's is refused.
    unsafe { FlushConsoleInputBuffer(GetStdHandle(STD_INPUT_HANDLE)) };
}

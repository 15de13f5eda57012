//! The window that a console program runs in, and the line that started it.
#![allow(unsafe_code, reason = "the console API has no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::windows::io::IntoRawHandle as _;
use windows_sys::Win32::System::Console::{
    FlushConsoleInputBuffer, GetConsoleProcessList, GetStdHandle, STD_ERROR_HANDLE,
    STD_INPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;

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

/// Lets everything that is said on standard error go into a file, as nobody sees what a service says.
///
/// # Errors
/// What the system says.
pub fn log_into(file: File) -> io::Result<()> {
    // SAFETY: a handle that is open and stays so, because nobody closes it from here on.
    match unsafe { SetStdHandle(STD_ERROR_HANDLE, file.into_raw_handle()) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What stands behind the program's name in the line that started it, as it was written: nobody else knows the quotes.
pub fn own_arguments() -> String {
    // SAFETY: the system's own text, which ends with a zero and stays for as long as the process.
    let line = unsafe {
        let line = GetCommandLineW();
        let length = (0..).take_while(|&at| *line.add(at) != 0).count();
        String::from_utf16_lossy(std::slice::from_raw_parts(line, length))
    };
    after_program(&line).to_owned()
}

/// The name ends at a blank, unless quotes are around it; there is no other rule for it.
fn after_program(line: &str) -> &str {
    let rest = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map(|(_, rest)| rest),
        None => line.split_once([' ', '\t']).map(|(_, rest)| rest),
    };
    rest.unwrap_or_default().trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_what_stands_behind_the_program() {
        let is = |line, arguments| assert_eq!(after_program(line), arguments, "{line}");
        is(r#""C:\Program Files\x.exe"  repair"#, "repair");
        is(
            r#"x.exe @invite.txt --name "A B""#,
            r#"@invite.txt --name "A B""#,
        );
        is("x.exe", "");
        is(r#""x.exe""#, "");
    }
}

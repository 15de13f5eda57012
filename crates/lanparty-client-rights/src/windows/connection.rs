//! A view's end of the pipe.
//!
//! Overlapped, because a plain read of a pipe waits for ever, whatever has become of the service.
#![allow(unsafe_code, reason = "overlapped I/O on a pipe has no safe wrapper")]

use super::service::service_process;
use super::{check, wide};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::null;
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_PIPE_BUSY, ERROR_PIPE_NOT_CONNECTED, HANDLE,
    WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_OVERLAPPED, ReadFile, SECURITY_IDENTIFICATION, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{GetNamedPipeServerProcessId, WaitNamedPipeW};
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForSingleObject};
use windows_sys::core::BOOL;

/// Why whoever listens at a pipe is not believed.
#[derive(Debug)]
pub enum Refusal {
    /// The installed service is another process.
    Impostor {
        /// The number of the process that listens.
        process: u32,
    },
    /// Whether it is the service cannot be told.
    Unknown(io::Error),
}

/// A connection to whoever listens at a pipe, who learns who we are and may not act as us.
#[derive(Debug)]
pub struct Connection {
    pipe: File,
    event: OwnedHandle,
    patience: Duration,
}

/// All instances of the pipe are in use; one may be free in a moment.
pub fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed())
}

/// Whether somebody has made a pipe of this name.
pub fn pipe_exists(path: &Path) -> bool {
    let name = wide(path);
    // SAFETY: a text that ends with a zero.
    let is_free = unsafe { WaitNamedPipeW(name.as_ptr(), 1) } != 0;
    let error = io::Error::last_os_error();
    is_free || error.kind() != io::ErrorKind::NotFound
}

impl Connection {
    /// Opens a pipe, and waits where all of its instances are in use. Neither that nor any read or write takes longer than
    /// `patience`.
    ///
    /// # Errors
    /// What the system says; [`is_busy`] when none became free.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let begin = Instant::now();
        let pipe = loop {
            match open(path) {
                Err(error) if is_busy(&error) && begin.elapsed() < patience => {
                    wait_for(path, patience.saturating_sub(begin.elapsed()));
                }
                opened => break opened?,
            }
        };
        Ok(Connection {
            pipe,
            event: event()?,
            patience,
        })
    }

    /// Whether the process at the other end is the installed service: names are whoever's came first, this is not.
    ///
    /// # Errors
    /// [`Refusal`], when it is not.
    pub fn is_of_service(&self) -> Result<(), Refusal> {
        let process = self.server().map_err(Refusal::Unknown)?;
        match service_process() {
            Ok(Some(service)) if service == process => Ok(()),
            Ok(_) => Err(Refusal::Impostor { process }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Refusal::Impostor { process })
            }
            Err(error) => Err(Refusal::Unknown(error)),
        }
    }

    /// The number of the process that has made the pipe.
    fn server(&self) -> io::Result<u32> {
        let mut process = 0;
        // SAFETY: an open pipe, and room for the number.
        check(unsafe { GetNamedPipeServerProcessId(self.handle(), &raw mut process) })?;
        Ok(process)
    }

    fn handle(&self) -> HANDLE {
        self.pipe.as_raw_handle()
    }

    /// Begins a transfer by `begin` and waits for its end, or ends it.
    fn transfer(&self, begin: impl FnOnce(*mut OVERLAPPED) -> BOOL) -> io::Result<usize> {
        let mut overlapped = OVERLAPPED {
            hEvent: self.event.as_raw_handle(),
            ..OVERLAPPED::default()
        };
        if begin(&raw mut overlapped) == 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING.cast_signed()) {
                return Err(error);
            }
        }
        let patience = self.patience.as_millis().try_into().unwrap_or(u32::MAX - 1);
        // SAFETY: our own event, which the transfer raises at its end.
        let is_late =
            unsafe { WaitForSingleObject(self.event.as_raw_handle(), patience) } != WAIT_OBJECT_0;
        if is_late {
            // SAFETY: this very transfer, on this very handle. It may have ended just now, which is as good.
            unsafe { CancelIoEx(self.handle(), &raw const overlapped) };
        }
        let mut moved = 0;
        // SAFETY: as above; waits until the transfer has ended, so that nobody writes into `overlapped` or into the
        // caller's buffer afterwards. A cancelled one ends at once.
        let done = check(unsafe {
            GetOverlappedResult(self.handle(), &raw const overlapped, &raw mut moved, 1)
        });
        match done {
            Ok(()) => Ok(moved as usize),
            Err(_) if is_late => Err(io::ErrorKind::TimedOut.into()),
            Err(error) => Err(error),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().try_into().unwrap_or(u32::MAX);
        let handle = self.handle();
        let (buffer, none) = (buffer.as_mut_ptr(), std::ptr::null_mut());
        // SAFETY: the buffer is as long as said, and is the caller's until `transfer` has seen the end.
        let read = self
            .transfer(|overlapped| unsafe { ReadFile(handle, buffer, length, none, overlapped) });
        match read {
            Err(error) if is_over(&error) => Ok(0),
            read => read,
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = buffer.len().try_into().unwrap_or(u32::MAX);
        let handle = self.handle();
        let none = std::ptr::null_mut();
        // SAFETY: as for reading.
        self.transfer(|overlapped| unsafe {
            WriteFile(handle, buffer.as_ptr(), length, none, overlapped)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever was at the other end is gone, which is the end of what they say.
fn is_over(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(code, Some(ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(FILE_FLAG_OVERLAPPED)
        .security_qos_flags(SECURITY_IDENTIFICATION)
        .open(path)
}

/// Waits until an instance is free, at the most for so long.
fn wait_for(path: &Path, patience: Duration) {
    let path = wide(path);
    // Zero would be the server's default, and the greatest number for ever.
    let patience = patience.as_millis().clamp(1, 60_000) as u32;
    // SAFETY: a text that ends with a zero. Whether one is free is seen by opening it.
    unsafe { WaitNamedPipeW(path.as_ptr(), patience) };
}

fn event() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, no name; each transfer resets it at its beginning, as overlapped I/O does.
    let event = unsafe { CreateEventW(null(), 1, 0, null()) };
    match event.is_null() {
        true => Err(io::Error::last_os_error()),
        // SAFETY: just made for us.
        false => Ok(unsafe { OwnedHandle::from_raw_handle(event) }),
    }
}

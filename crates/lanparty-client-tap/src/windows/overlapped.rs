//! The open device: overlapped reads and writes whose completions queue up at a completion port, and
//! control requests.
//!
//! A [`Transfer`] belongs either to us or, between [`Device::read`] or [`Device::write`] and its
//! [`Completion`], to the system. It changes hands as a `Box`, so nobody can touch its memory meanwhile.
#![allow(unsafe_code, reason = "overlapped I/O on a device has no safe wrapper")]

use crate::driver::Request;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_MORE_DATA, HANDLE, RtlNtStatusToDosError, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{
    CancelIoEx, CreateIoCompletionPort, DeviceIoControl, GetOverlappedResult,
    GetQueuedCompletionStatusEx, OVERLAPPED, OVERLAPPED_ENTRY, PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::CreateEventW;
use windows_sys::core::BOOL;

/// Room for a frame: more than any Ethernet frame, so that a longer one is seen to be too long.
pub(super) const MAX_FRAME: usize = 2048;
/// How many completions one wait takes.
const BATCH: usize = 64;
/// How long cancelled transfers may take to come back before their memory is given up for good.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);

/// What a transfer was last used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// One frame's memory and what the system keeps with it while it works on it.
#[repr(C)]
pub(super) struct Transfer {
    /// First, so that its address is the transfer's.
    overlapped: OVERLAPPED,
    kind: Kind,
    len: usize,
    buffer: [u8; MAX_FRAME],
}

// SAFETY: the raw pointers in `OVERLAPPED` are the system's own or null, and never followed by us; the
// rest is plain data.
unsafe impl Send for Transfer {}

/// A transfer that has come back.
pub(super) struct Completion {
    pub(super) transfer: Box<Transfer>,
    pub(super) result: io::Result<()>,
}

/// An open TAP device.
pub(super) struct Device {
    file: File,
    completions: OwnedHandle,
    in_flight: AtomicUsize,
}

impl Transfer {
    pub(super) fn new() -> Box<Self> {
        Box::new(Transfer {
            overlapped: OVERLAPPED::default(),
            kind: Kind::Read,
            len: 0,
            buffer: [0; MAX_FRAME],
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The frame that was read.
    pub(super) fn frame(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Device {
    /// Opens the device; nobody else may have it open.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .share_mode(0)
            .custom_flags(FILE_FLAG_OVERLAPPED)
            .open(path)?;
        // SAFETY: the file's handle is open; no port exists yet, so none is named, and the call answers
        // with a new one.
        let port = unsafe { CreateIoCompletionPort(file.as_raw_handle(), null_mut(), 0, 1) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Device {
            file,
            // SAFETY: the handle has just been made for us, and nobody else has it.
            completions: unsafe { OwnedHandle::from_raw_handle(port) },
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Asks the driver something and waits for the answer; says how long it is.
    pub(super) fn ask(
        &self,
        request: Request,
        input: &[u8],
        output: &mut [u8],
    ) -> io::Result<usize> {
        // SAFETY: no security attributes, no name; the event is manual-reset and not signalled.
        let event = unsafe { CreateEventW(null(), 1, 0, null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above: ours alone.
        let event = unsafe { OwnedHandle::from_raw_handle(event) };
        let mut overlapped = OVERLAPPED {
            // The lowest bit keeps this completion away from the completion port
            // (GetQueuedCompletionStatus, "Remarks").
            hEvent: event.as_raw_handle().map_addr(|address| address | 1),
            ..OVERLAPPED::default()
        };
        let mut answered = 0;
        // SAFETY: both buffers are as long as said and, like `overlapped` and the event, outlive the
        // request: when it is pending we wait for its end here.
        let mut done = unsafe {
            DeviceIoControl(
                self.handle(),
                request.control_code(),
                input.as_ptr().cast(),
                len_u32(input),
                output.as_mut_ptr().cast(),
                len_u32(output),
                &raw mut answered,
                &raw mut overlapped,
            )
        };
        if done == 0 && is_last_error(ERROR_IO_PENDING) {
            // SAFETY: this very request, on this very handle; waits until it has ended.
            done = unsafe {
                GetOverlappedResult(self.handle(), &raw const overlapped, &raw mut answered, 1)
            };
        }
        match done {
            0 => Err(io::Error::last_os_error()),
            _ => Ok((answered as usize).min(output.len())),
        }
    }

    /// Starts to read a frame. The transfer comes back from [`Self::wait`], or at once with an error.
    pub(super) fn read(
        &self,
        mut transfer: Box<Transfer>,
    ) -> Result<(), (Box<Transfer>, io::Error)> {
        transfer.kind = Kind::Read;
        self.start(transfer, |device, transfer| {
            // SAFETY: `transfer` is a live transfer that `start` has given to the system, so its buffer
            // and `OVERLAPPED` stay where they are, untouched, until the completion.
            unsafe {
                ReadFile(
                    device,
                    (&raw mut (*transfer).buffer).cast(),
                    MAX_FRAME as u32,
                    null_mut(),
                    (&raw mut (*transfer).overlapped).cast(),
                )
            }
        })
    }

    /// Starts to write a frame of at most [`MAX_FRAME`] bytes, likewise.
    pub(super) fn write(
        &self,
        mut transfer: Box<Transfer>,
        frame: &[u8],
    ) -> Result<(), (Box<Transfer>, io::Error)> {
        transfer.kind = Kind::Write;
        transfer.len = frame.len();
        transfer.buffer[..frame.len()].copy_from_slice(frame);
        self.start(transfer, |device, transfer| {
            // SAFETY: as in `read`; the first `len` bytes of the buffer are the frame.
            unsafe {
                WriteFile(
                    device,
                    (&raw const (*transfer).buffer).cast(),
                    (*transfer).len as u32,
                    null_mut(),
                    (&raw mut (*transfer).overlapped).cast(),
                )
            }
        })
    }

    fn start(
        &self,
        mut transfer: Box<Transfer>,
        call: impl FnOnce(HANDLE, *mut Transfer) -> BOOL,
    ) -> Result<(), (Box<Transfer>, io::Error)> {
        transfer.overlapped = OVERLAPPED::default();
        let transfer = Box::into_raw(transfer);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        // ERROR_MORE_DATA is a warning: a completion follows.
        if call(self.handle(), transfer) != 0
            || is_last_error(ERROR_IO_PENDING)
            || is_last_error(ERROR_MORE_DATA)
        {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        // SAFETY: it came from `Box::into_raw` above, and the system has refused it: no completion
        // follows, so nobody else has it.
        Err((unsafe { Box::from_raw(transfer) }, error))
    }

    /// Waits for completions and hands them over, oldest first. None is no error: somebody called
    /// [`Self::wake`], or patience is over.
    pub(super) fn wait(
        &self,
        patience: Duration,
        mut take: impl FnMut(Completion),
    ) -> io::Result<()> {
        let mut entries = [OVERLAPPED_ENTRY::default(); BATCH];
        let mut count = 0;
        // SAFETY: `entries` has room for as many as said, and `count` for how many there are.
        let got = unsafe {
            GetQueuedCompletionStatusEx(
                self.completions.as_raw_handle(),
                entries.as_mut_ptr(),
                BATCH as u32,
                &raw mut count,
                u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
                0,
            )
        };
        if got == 0 {
            return match is_last_error(WAIT_TIMEOUT) {
                true => Ok(()),
                false => Err(io::Error::last_os_error()),
            };
        }
        let transfers = entries[..count as usize]
            .iter()
            .filter(|entry| !entry.lpOverlapped.is_null());
        for entry in transfers {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            // SAFETY: control requests stay away from the port, so every `OVERLAPPED` here is the first
            // field of a `Transfer` (`repr(C)`) that `start` took out of its box and gave to the system;
            // each completes once, and with that it is ours again.
            let mut transfer = unsafe { Box::from_raw(entry.lpOverlapped.cast::<Transfer>()) };
            let transferred = entry.dwNumberOfBytesTransferred as usize;
            transfer.len = transferred.min(MAX_FRAME);
            let result = outcome(transfer.overlapped.Internal);
            take(Completion { transfer, result });
        }
        Ok(())
    }

    /// Ends a [`Self::wait`].
    pub(super) fn wake(&self) {
        // SAFETY: the port is open; a null `OVERLAPPED` is what `wait` passes over.
        unsafe { PostQueuedCompletionStatus(self.completions.as_raw_handle(), 0, 0, null()) };
    }

    fn handle(&self) -> HANDLE {
        self.file.as_raw_handle()
    }
}

impl Drop for Device {
    /// Takes back what the system still has. A driver that does not give it back keeps it: that memory
    /// is leaked rather than freed under its hands.
    fn drop(&mut self) {
        // SAFETY: the handle is open; null means every transfer on it.
        unsafe { CancelIoEx(self.handle(), null()) };
        let mut before = usize::MAX;
        while let left @ 1.. = self.in_flight.load(Ordering::Acquire) {
            if left == before || self.wait(CANCEL_PATIENCE, drop).is_err() {
                return;
            }
            before = left;
        }
    }
}

/// The `NTSTATUS` of a transfer that has ended, as the error that it means.
fn outcome(status: usize) -> io::Result<()> {
    // The system writes a 32-bit status into a field of the width of a pointer.
    let status = (status as u32).cast_signed();
    if status == 0 {
        return Ok(());
    }
    // SAFETY: a look into a table.
    let error = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(error.cast_signed()))
}

fn is_last_error(code: u32) -> bool {
    io::Error::last_os_error().raw_os_error() == Some(code.cast_signed())
}

/// The length of a buffer of a few bytes.
fn len_u32(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).expect("control requests are short")
}

//! The adapter as a port for frames: a thread that keeps many reads pending, and opens the device anew
//! when it goes away (spec R74).

use super::overlapped::{Completion, Device, Kind, MAX_FRAME, Transfer};
use crate::adapter::{Adapter, AdapterFacts};
use crate::driver::{DriverVersion, Request};
use crate::error::TapError;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::vnet::Sent;
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::{FrameBuf, MacAddr};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many reads are pending: what Windows may send in one burst while we are busy elsewhere.
const READS: usize = 64;
/// How many frames may be on their way to the driver.
const WRITES: usize = 256;
/// How many frames wait for the session; more are dropped.
const MAX_WAITING: usize = 1024;
/// How many frames one call hands over before datagrams get their turn.
const BATCH: u64 = 64;
/// How soon a device that went away is looked for again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a quiet thread waits before it looks whether it should end.
const PATIENCE: Duration = Duration::from_secs(1);

/// An open adapter; dropping it closes the device, and with that pulls the cable.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// The adapter's switch and gauges, for those who do not carry its frames.
#[derive(Debug, Clone)]
pub struct TapControl(Arc<Shared>);

struct Shared {
    path: String,
    open: Mutex<Option<Arc<Open>>>,
    waiting: Mutex<VecDeque<Result<FrameBuf, DropReason>>>,
    overflow: AtomicU64,
    arrived: AtomicWaker,
    plugged_in: AtomicBool,
    openings: AtomicU64,
}

/// The device while it is open.
struct Open {
    device: Device,
    mac: MacAddr,
    version: DriverVersion,
    mtu: u32,
    #[allow(clippy::vec_box, reason = "transfers change hands in their boxes")]
    spare: Mutex<Vec<Box<Transfer>>>,
}

/// Asks an adapter what it is, and changes nothing.
///
/// # Errors
/// [`TapError`].
pub fn look(adapter: &Adapter) -> Result<AdapterFacts, TapError> {
    let open = Open::new(&adapter.device_path())?;
    Ok(AdapterFacts {
        version: open.version,
        mac: open.mac,
        mtu: open.mtu,
    })
}

impl Tap {
    /// Opens an adapter with its cable unplugged.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn open(adapter: &Adapter) -> Result<Self, TapError> {
        let open = Arc::new(Open::new(&adapter.device_path())?);
        open.set_media(false).map_err(TapError::Broken)?;
        let shared = Arc::new(Shared {
            path: adapter.device_path(),
            open: Mutex::new(Some(open.clone())),
            waiting: Mutex::default(),
            overflow: AtomicU64::new(0),
            arrived: AtomicWaker::new(),
            plugged_in: AtomicBool::new(false),
            openings: AtomicU64::new(1),
        });
        let (alive, is_over) = mpsc::channel();
        let thread = std::thread::Builder::new().name("tap".into()).spawn({
            let shared = shared.clone();
            move || shared.serve(open, &is_over)
        });
        let thread = thread.map_err(TapError::Broken)?;
        Ok(Tap {
            shared,
            thread: Some((alive, thread)),
        })
    }

    /// Closes the device, as dropping this does.
    pub fn close(self) {}

    /// A switch that works while the port is in use elsewhere.
    pub fn control(&self) -> TapControl {
        TapControl(self.shared.clone())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some((alive, thread)) = self.thread.take() else {
            return;
        };
        drop(alive);
        if let Some(open) = &*lock(&self.shared.open) {
            open.device.wake();
        }
        // A panic there has been reported by the thread itself.
        let _ = thread.join();
    }
}

impl FramePort for Tap {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = &self.shared;
        // Before the look, so that what comes after it wakes the task.
        shared.arrived.register(cx.waker());
        let may_read =
            !lock(&shared.waiting).is_empty() || shared.overflow.load(Ordering::Relaxed) > 0;
        match may_read {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        for _ in 0..self.shared.overflow.swap(0, Ordering::Relaxed) {
            take(Err(DropReason::QueueFull));
        }
        let mut reads = 0;
        while reads < BATCH
            && let Some(frame) = lock(&self.shared.waiting).pop_front()
        {
            take(frame);
            reads += 1;
        }
        Ok(reads)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        let mut sent = Sent::default();
        let open = lock(&self.shared.open).clone();
        for frame in frames {
            match open.as_ref().is_some_and(|open| open.write(frame)) {
                true => sent.writes += 1,
                false => sent.refused += 1,
            }
        }
        sent
    }
}

impl TapControl {
    /// Plugs the cable in or pulls it; a device that is away gets to know when it is back.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_media(&self, plugged_in: bool) -> io::Result<()> {
        let open = lock(&self.0.open);
        // The driver refuses reads while the cable is out, so nobody may believe it is in before it is.
        if !plugged_in {
            self.0.plugged_in.store(false, Ordering::Release);
        }
        if let Some(open) = &*open {
            open.set_media(plugged_in)?;
        }
        self.0.plugged_in.store(plugged_in, Ordering::Release);
        if let Some(open) = &*open {
            open.device.wake();
        }
        Ok(())
    }

    /// Whether the cable is in, or will be when the adapter is back.
    pub fn is_plugged_in(&self) -> bool {
        self.0.is_plugged_in()
    }

    /// The adapter's MAC address, while it is there.
    pub fn mac(&self) -> Option<MacAddr> {
        lock(&self.0.open).as_ref().map(|open| open.mac)
    }

    /// The longest packet that the driver takes, in bytes, while the adapter is there.
    pub fn mtu(&self) -> Option<u32> {
        lock(&self.0.open).as_ref().map(|open| open.mtu)
    }

    /// How many times the device has been opened: a greater number means that it was away, and that
    /// its settings may be gone.
    pub fn openings(&self) -> u64 {
        self.0.openings.load(Ordering::Acquire)
    }
}

impl Shared {
    /// Carries frames until `is_over` is disconnected.
    fn serve(&self, first: Arc<Open>, is_over: &mpsc::Receiver<()>) {
        let ended = |wait| is_over.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected);
        let mut open = Some(first);
        let mut reported = false;
        loop {
            let Some(current) = open.take() else {
                if ended(RETRY) {
                    return;
                }
                open = self.reopen();
                continue;
            };
            let mut carried = false;
            let cause = self.carry(&current, &mut carried, || ended(Duration::ZERO));
            *lock(&self.open) = None;
            let Err(cause) = cause else { return };
            // A device that fails as soon as it is opened would fill the log.
            if !reported || carried {
                tracing::warn!(%cause, "The adapter went away; waiting for it to come back");
            }
            reported = true;
        }
    }

    fn reopen(&self) -> Option<Arc<Open>> {
        let open = Arc::new(Open::new(&self.path).ok()?);
        let mut slot = lock(&self.open);
        open.set_media(self.is_plugged_in()).ok()?;
        *slot = Some(open.clone());
        self.openings.fetch_add(1, Ordering::AcqRel);
        tracing::info!(mac = %open.mac, "The adapter is back");
        Some(open)
    }

    /// Keeps reads pending while the cable is in, and takes what completes. `Ok` means that it should
    /// end, an error that the device does not read any more.
    fn carry(&self, open: &Open, carried: &mut bool, ended: impl Fn() -> bool) -> io::Result<()> {
        let mut idle: Vec<_> = (0..READS).map(|_| Transfer::new()).collect();
        let mut slab = FrameSlab::default();
        while !ended() {
            if self.is_plugged_in() {
                idle.drain(..)
                    .try_for_each(|transfer| open.read(transfer))?;
            }
            let mut failed = Ok(());
            open.device
                .wait(PATIENCE, |Completion { transfer, result }| {
                    match (transfer.kind(), result) {
                        (Kind::Write, result) => {
                            lock(&open.spare).push(transfer);
                            if result.is_err() {
                                self.put(Err(DropReason::PortRefused));
                            }
                        }
                        (Kind::Read, Ok(())) => {
                            *carried = true;
                            self.put(Ok(copy(&mut slab, transfer.frame())));
                            idle.push(transfer);
                        }
                        (Kind::Read, Err(_)) if !self.is_plugged_in() => idle.push(transfer),
                        (Kind::Read, Err(error)) => failed = Err(error),
                    }
                })?;
            failed?;
        }
        Ok(())
    }

    fn is_plugged_in(&self) -> bool {
        self.plugged_in.load(Ordering::Acquire)
    }

    fn put(&self, frame: Result<FrameBuf, DropReason>) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() < MAX_WAITING {
            waiting.push_back(frame);
        } else {
            self.overflow.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        self.arrived.wake();
    }
}

impl Open {
    fn new(path: &str) -> Result<Self, TapError> {
        let device = Device::open(path).map_err(TapError::from_opening)?;
        let mut version = [0; 12];
        let mut mac = [0; 6];
        let mut mtu = [0; 4];
        for (request, answer) in [
            (Request::Version, &mut version[..]),
            (Request::Mac, &mut mac[..]),
            (Request::Mtu, &mut mtu[..]),
        ] {
            if device.ask(request, &[], answer).map_err(TapError::Broken)? != answer.len() {
                return Err(TapError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        let version = DriverVersion::from_answer(version);
        version.check()?;
        Ok(Open {
            device,
            mac: MacAddr::new(mac),
            version,
            mtu: u32::from_le_bytes(mtu),
            spare: Mutex::new((0..WRITES).map(|_| Transfer::new()).collect()),
        })
    }

    fn set_media(&self, plugged_in: bool) -> io::Result<()> {
        let state = u32::from(plugged_in).to_le_bytes();
        self.device
            .ask(Request::SetMediaStatus, &state, &mut [0; 4])?;
        Ok(())
    }

    /// Starts to write a frame; true unless the driver has too many of them, or does not want this one.
    fn write(&self, frame: &[u8]) -> bool {
        if frame.len() > MAX_FRAME {
            return false;
        }
        let Some(transfer) = lock(&self.spare).pop() else {
            return false;
        };
        let started = self.device.write(transfer, frame);
        started
            .map_err(|(transfer, _)| lock(&self.spare).push(transfer))
            .is_ok()
    }

    fn read(&self, transfer: Box<Transfer>) -> io::Result<()> {
        self.device.read(transfer).map_err(|(_, error)| error)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("path", &self.path)
            .field("openings", &self.openings)
            .finish_non_exhaustive()
    }
}

fn copy(slab: &mut FrameSlab, frame: &[u8]) -> FrameBuf {
    let copied = slab.read_frame(MAX_FRAME, |room| {
        room[..frame.len()].copy_from_slice(frame);
        Ok::<_, Infallible>(frame.len())
    });
    match copied {
        Ok(frame) => frame,
    }
}

/// A lock that a panic elsewhere does not close: every holder leaves whole frames behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

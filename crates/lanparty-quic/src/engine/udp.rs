//! A UDP socket that moves many packets in one system call (GSO, GRO, recvmmsg; through `noq-udp`).

#[cfg(unix)]
#[path = "udp/unix.rs"]
mod watched;
#[cfg(windows)]
#[path = "udp/windows.rs"]
mod watched;

use super::wire::Wire;
use bytes::BytesMut;
use lanparty_obs::link::UdpStats;
use noq_proto::{EcnCodepoint, FourTuple, Transmit};
use noq_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::SockRef;
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll};
use watched::WatchedSocket;

#[cfg(target_os = "linux")]
pub(super) use watched::watch;

/// The largest UDP payload, and so the largest packet train that the kernel coalesces.
const SLOT: usize = 65_536;
/// As many full packets as a UDP payload holds; more would be refused by the kernel.
const MAX_SEGMENTS: NonZeroUsize = NonZeroUsize::new(44).expect("not zero");

/// The socket.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: WatchedSocket,
    state: UdpSocketState,
    // A dual-stack socket wants IPv4 addresses in their IPv6 form.
    is_ipv6: bool,
    // The system's number for why it did not send the last packet; 0 when it did.
    refusal: AtomicI32,
}

/// A packet that came.
pub(super) struct Received {
    pub(super) path: FourTuple,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) payload: BytesMut,
    /// The stream that it came over, if it did not come over UDP.
    pub(super) wire: Option<Arc<Wire>>,
}

/// How many slots a receive offers at first: preparing all of them costs more than a game's packet. It is two because one
/// packet fills one slot, and nobody would know that it was all. Where the system gives one packet at a time there is one.
const FEW: usize = if BATCH_SIZE < 2 { BATCH_SIZE } else { 2 };

/// Memory for one system call's worth of packets; untouched pages of it cost nothing.
pub(super) struct Slots {
    raw: Box<[u8]>,
    /// How many are offered to the next receive.
    offered: usize,
    /// What is known of the packets in them.
    metas: Box<[RecvMeta]>,
    // Packets are cut off from here, so that they share few allocations; but none is larger than a packet train, for
    // one packet that waits keeps all of it.
    packets: BytesMut,
}

impl Slots {
    pub(super) fn new() -> Self {
        Slots {
            raw: vec![0; SLOT * BATCH_SIZE].into(),
            offered: FEW,
            metas: vec![RecvMeta::default(); BATCH_SIZE].into(),
            packets: BytesMut::with_capacity(SLOT),
        }
    }
}

impl UdpPort {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        Ok(UdpPort {
            socket: WatchedSocket::new(socket)?,
            state,
            is_ipv6,
            refusal: AtomicI32::new(0),
        })
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    pub(super) fn duplicate(&self) -> io::Result<UdpSocket> {
        self.socket.duplicate()
    }

    /// Why the last packet was not sent, if it was not.
    pub(super) fn refusal(&self) -> Option<i32> {
        let number = self.refusal.load(Ordering::Relaxed);
        (number != 0).then_some(number)
    }

    fn note_refusal(&self, number: i32) {
        // A packet has no time for a write that changes nothing.
        if self.refusal.load(Ordering::Relaxed) != number {
            self.refusal.store(number, Ordering::Relaxed);
        }
    }

    /// Whether packets may be fragmented on their way, so that their size proves nothing.
    pub(super) fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    /// How many packets one transmit may hold.
    pub(super) fn max_segments(&self) -> NonZeroUsize {
        self.state.max_gso_segments().min(MAX_SEGMENTS)
    }

    /// The form of an address that this socket takes.
    pub(super) fn reachable(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.is_ipv6 => {
                let mapped: Ipv6Addr = v4.ip().to_ipv6_mapped();
                (mapped, v4.port()).into()
            }
            address => address,
        }
    }

    /// Takes what one system call gives, and answers how many packets that were; wakes the task when there is
    /// nothing yet.
    ///
    /// # Errors
    /// When the socket is of no use any more.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        slots: &mut Slots,
        mut take: impl FnMut(Received),
    ) -> Poll<io::Result<u64>> {
        let Slots {
            raw,
            offered,
            metas,
            packets,
        } = slots;
        let offers = *offered;
        let received = self.socket.poll_receive(cx, &mut || {
            let received = match offers <= FEW {
                true => self.receive_into::<FEW>(offers, raw, metas),
                false => self.receive_into::<BATCH_SIZE>(offers, raw, metas),
            };
            match received {
                Ok(count) => Ok((count, count < offers)),
                Err(error) if is_news(&error) => Ok((0, false)),
                Err(error) => Err(error),
            }
        });
        let count = match received {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        *offered = match count == offers {
            true => BATCH_SIZE,
            // As many as come now come again.
            false => (2 * count).clamp(FEW, BATCH_SIZE),
        };
        let mut taken = 0;
        for (meta, slot) in metas[..count].iter().zip(raw.chunks(SLOT)) {
            packets.reserve(meta.len);
            packets.extend_from_slice(&slot[..meta.len]);
            let mut train = packets.split_to(meta.len);
            while !train.is_empty() {
                taken += 1;
                take(Received {
                    path: FourTuple::new(meta.addr, meta.dst_ip),
                    ecn: meta.ecn.map(|ecn| match ecn {
                        noq_udp::EcnCodepoint::Ect0 => EcnCodepoint::Ect0,
                        noq_udp::EcnCodepoint::Ect1 => EcnCodepoint::Ect1,
                        noq_udp::EcnCodepoint::Ce => EcnCodepoint::Ce,
                    }),
                    payload: train.split_to(meta.stride.clamp(1, train.len())),
                    wire: None,
                });
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// One receive into so many slots, of `MOST` that are prepared.
    fn receive_into<const MOST: usize>(
        &self,
        offers: usize,
        raw: &mut [u8],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        let mut chunks = raw.chunks_mut(SLOT).map(IoSliceMut::new);
        let mut slices: [IoSliceMut<'_>; MOST] =
            std::array::from_fn(|_| chunks.next().expect("a slot for each packet"));
        let socket = self.socket.get().into();
        self.state
            .recv(socket, &mut slices[..offers], &mut metas[..offers])
    }

    /// What was `counted` for this socket, and in which ways it moves several packets at once.
    pub(super) fn stats(&self, counted: UdpStats) -> UdpStats {
        UdpStats {
            gso: self.state.max_gso_segments() > NonZeroUsize::MIN,
            gro: self.state.gro_segments() > NonZeroUsize::MIN,
            ..counted
        }
    }

    /// Sends, or wakes the task when the kernel has room again. Whatever else goes wrong is as if the
    /// network had lost it: QUIC copes.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        transmit: &Transmit,
        contents: &[u8],
    ) -> Poll<()> {
        let sent = self.socket.poll_send(cx, || self.send(transmit, contents));
        sent.map(drop)
    }

    /// Sends one byte 0, without waiting, so far that it is thrown away after so many routers, or as far as usual. Whoever
    /// calls this sees to it that nothing else is sent meanwhile.
    ///
    /// # Errors
    /// When it was not sent.
    pub(super) fn punch(&self, to: SocketAddr, ttl: Option<u8>) -> io::Result<()> {
        let socket = SockRef::from(self.socket.get());
        let send = || socket.send_to(&[0], &to.into()).map(drop);
        let Some(ttl) = ttl else {
            return send();
        };
        let hops = Hops {
            socket: &socket,
            is_v4: to.ip().to_canonical().is_ipv4(),
        };
        let usual = hops.get()?;
        hops.set(ttl.into())?;
        let sent = send();
        hops.set(usual)?;
        sent
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// When the kernel has no room now.
    pub(super) fn try_send(&self, transmit: &Transmit, contents: &[u8]) -> io::Result<()> {
        self.socket.try_send(|| self.send(transmit, contents))
    }

    fn send(&self, transmit: &Transmit, contents: &[u8]) -> io::Result<()> {
        let transmit = noq_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.map(|ecn| match ecn {
                EcnCodepoint::Ect0 => noq_udp::EcnCodepoint::Ect0,
                EcnCodepoint::Ect1 => noq_udp::EcnCodepoint::Ect1,
                EcnCodepoint::Ce => noq_udp::EcnCodepoint::Ce,
            }),
            contents: &contents[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        match self.state.try_send(self.socket.get().into(), &transmit) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                tracing::trace!(%error, to = %transmit.destination, "The system did not send");
                self.note_refusal(error.raw_os_error().unwrap_or(0));
                Ok(())
            }
            Ok(()) => {
                self.note_refusal(0);
                Ok(())
            }
            waiting => waiting,
        }
    }
}

/// How far packets of a socket go, of one address family: a dual-stack socket has both.
struct Hops<'a> {
    socket: &'a socket2::Socket,
    is_v4: bool,
}

impl Hops<'_> {
    fn get(&self) -> io::Result<u32> {
        match self.is_v4 {
            true => self.socket.ttl_v4(),
            false => self.socket.unicast_hops_v6(),
        }
    }

    fn set(&self, hops: u32) -> io::Result<()> {
        match self.is_v4 {
            true => self.socket.set_ttl_v4(hops),
            false => self.socket.set_unicast_hops_v6(hops),
        }
    }
}

/// What the system says about earlier packets instead of giving the next one; anybody on the path
/// can make it say so.
fn is_news(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset || noq_udp::is_msg_size_err(error)
}

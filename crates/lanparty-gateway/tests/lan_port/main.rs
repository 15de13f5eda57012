//! The gateway's port on real interfaces: a cable between two network namespaces, offloads on.

#![allow(
    clippy::disallowed_methods,
    reason = "these tests own sockets, threads and the clock"
)]

mod bursts;
mod trains;

use anyhow::{Context, Result, bail, ensure};
use bursts::{a_lone_frame_takes_one_read, no_frame_of_a_burst_is_left_lying};
use bytes::Bytes;
use lanparty_gateway::lan::{InterfaceError, LanPort, LanSocket};
use lanparty_lab::traffic::frame;
use lanparty_lab::{Lab, Machine, Needs, RawSocket, Suite, World, checks, run};
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_proto::checksum::Sum;
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{VnetHeader, wire_frames};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for hundreds of super-frames, and short enough to fit the receive buffer.
const TRANSFER: usize = 3_000_000;
const STRANGER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];
const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x78];
const EXPERIMENT: u16 = 0x88b6;

fn main() -> ExitCode {
    let captures = checks![
        tcp_with_offloads_is_captured_as_wire_frames,
        udp_checksums_are_completed,
        frames_for_everybody_are_captured_unchanged,
        frames_are_sent_unchanged_and_not_heard_again,
        joined_segments_leave_as_the_frames_that_they_were,
        trains::a_train_of_udp_is_captured_as_the_datagrams_that_it_is,
        trains::a_train_is_cut_as_the_kernel_cuts_it,
        trains::joined_datagrams_leave_as_the_frames_that_they_were,
        trains::a_super_frame_without_a_name_costs_no_other,
        a_vlan_tag_is_found_and_the_frame_dropped,
        jumbo_frames_are_dropped,
        a_lone_frame_takes_one_read,
        no_frame_of_a_burst_is_left_lying,
        every_frame_lost_in_the_socket_is_counted,
    ];
    let interfaces = checks![
        other_interfaces_are_refused_in_one_sentence,
        an_interface_that_goes_down_ends_the_port,
        a_pulled_cable_ends_the_port,
        a_removed_interface_ends_the_port,
    ];
    let suites = [
        Suite::new("capture", Cable::new, captures),
        Suite::new("interface", Cable::new, interfaces),
    ];
    run(&Needs::programs(&[]), suites)
}

fn tcp_with_offloads_is_captured_as_wire_frames(cable: &Cable) -> Result<()> {
    for address in [Cable::GATEWAY_V4, Cable::GATEWAY_V6] {
        let mut capture = cable.capture()?;
        let sent: Vec<u8> = (0..TRANSFER).map(|i| (i % 251) as u8).collect();
        cable.send_by_tcp(address.parse()?, &sent)?;
        let mut stream = Stream::default();
        let (mut longest, mut frames) = (0, 0);
        while stream.bytes() < TRANSFER {
            for frame in capture.next()? {
                let frame = frame.map_err(|reason| anyhow::anyhow!("{reason}"))?;
                longest = longest.max(frame.len());
                frames += 1;
                stream.add(&frame)?;
            }
        }
        ensure!(longest == 1514, "{longest}");
        // Without offloads each read would give one frame, and there was nothing to be cut.
        ensure!(
            capture.reads * 4 < frames,
            "{frames} frames came in {} reads",
            capture.reads
        );
        ensure!(stream.whole() == sent, "{address}: the streams differ");
    }
    Ok(())
}

fn udp_checksums_are_completed(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    let sender = cable.host.enter(|| UdpSocket::bind((Cable::HOST_V4, 0)))?;
    sender.send_to(&[0x5a; 301], (Cable::GATEWAY_V4, 9))?;
    let frame = capture.find(|frame| frame.len() == 14 + 20 + 8 + 301)?;
    ensure!(upper_sum(&frame)? == 0, "the UDP checksum is wrong");
    Ok(())
}

fn frames_for_everybody_are_captured_unchanged(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    let promiscuous = cable.gateway.ip_shows("-d link show dev eth0")?;
    ensure!(promiscuous.contains("promiscuity 1"), "{promiscuous}");
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    let broadcast = [0xff; 6];
    for (destination, kind, length) in [
        (STRANGER, EXPERIMENT, 60),
        (broadcast, EXPERIMENT, 1514),
        (broadcast, 0x8137, 300),
        (broadcast, 46, 60),
        (STRANGER, 0x0800, 14),
    ] {
        let sent = frame(destination, OTHER, kind, length);
        host.send(&sent)?;
        capture
            .find(|frame| frame == sent)
            .with_context(|| format!("type {kind:#x}, {length} bytes"))?;
    }
    Ok(())
}

fn frames_are_sent_unchanged_and_not_heard_again(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.set_timeout(PATIENCE)?;
    let mut buffer = vec![0; 70_000];
    for length in [60, 61, 1000, 1513, 1514] {
        let sent = frame(STRANGER, OTHER, EXPERIMENT, length);
        capture.put(&sent)?;
        loop {
            let length = host.receive(&mut buffer)?;
            if buffer[..length] == sent {
                break;
            }
        }
    }
    let last = frame([0xff; 6], OTHER, EXPERIMENT, 100);
    host.send(&last)?;
    capture.find(|frame| {
        assert_ne!(frame[..6], STRANGER, "our own frame came back");
        frame == last
    })?;
    Ok(())
}

/// A card without offloads has the kernel split what the port joined.
fn joined_segments_leave_as_the_frames_that_they_were(cable: &Cable) -> Result<()> {
    cable
        .gateway
        .run(["ethtool", "-K", "eth0", "tso", "off", "tx", "off"])?;
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.set_timeout(PATIENCE)?;
    let mut batch = [segments(false)?, segments(true)?].concat();
    // A damaged segment stays damaged, and strangers stay where they are.
    let mut damaged = batch[20].to_vec();
    damaged[700] ^= 1;
    batch[20] = damaged.into();
    batch.insert(10, frame(STRANGER, OTHER, EXPERIMENT, 500).into());
    let sent = capture.port.try_send(&batch);
    ensure!(sent.refused == 0 && sent.writes == 5, "{sent:?}");
    let (mut arrived, mut buffer) = (Vec::new(), vec![0; 70_000]);
    while arrived.len() < batch.len() {
        let length = host.receive(&mut buffer)?;
        if buffer[..6] == STRANGER {
            arrived.push(Bytes::copy_from_slice(&buffer[..length]));
        }
    }
    // The stranger's frame goes after the super-frame that began before it.
    let stranger = batch.remove(10);
    batch.insert(20, stranger);
    ensure!(arrived == batch, "frames were changed, or changed places");
    cable
        .gateway
        .run(["ethtool", "-K", "eth0", "tso", "on", "tx", "on"])?;
    Ok(())
}

/// Forty segments of one TCP flow, as the other end of a tunnel delivers them.
fn segments(v6: bool) -> Result<Vec<Bytes>> {
    const PAYLOAD: u16 = 40 * 1000;
    let len = 20 + PAYLOAD;
    let (kind, mut packet, sum) = match v6 {
        false => {
            let (from, to) = ([10, 0, 0, 1], [10, 0, 0, 2]);
            let mut packet = vec![0x45, 0];
            packet.extend((20 + len).to_be_bytes());
            packet.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
            packet.extend([from, to].concat());
            (0x0800, packet, Sum::pseudo_v4(from, to, 6, len))
        }
        true => {
            let (from, to) = ([0xfd; 16], [0xfe; 16]);
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(len.to_be_bytes());
            packet.extend([6, 64]);
            packet.extend([from, to].concat());
            (0x86dd, packet, Sum::pseudo_v6(from, to, 6, len.into()))
        }
    };
    let transport = 14 + packet.len();
    packet.extend([
        0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0,
    ]);
    packet.extend([sum.folded().to_be_bytes(), [0, 0]].concat());
    packet.extend((0..PAYLOAD).map(|at| (at % 251) as u8));
    let mut whole = frame(STRANGER, OTHER, kind, 14);
    whole.extend(packet);
    let header = VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: if v6 {
            VnetHeader::GSO_TCPV6
        } else {
            VnetHeader::GSO_TCPV4
        },
        gso_size: 1000,
        csum_start: u16::try_from(transport)?,
        csum_offset: 16,
        hdr_len: 0,
    };
    let mut slab = FrameSlab::default();
    let frames = wire_frames(header, &whole)?;
    Ok(frames
        .map(|wire| Bytes::copy_from_slice(wire.write_into(&mut slab).frame()))
        .collect())
}

fn a_vlan_tag_is_found_and_the_frame_dropped(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    for tag in [[0x81, 0, 0, 5], [0x88, 0xa8, 0, 6]] {
        let mut tagged = frame([0xff; 6], OTHER, EXPERIMENT, 100);
        tagged.splice(12..12, tag);
        host.send(&tagged)?;
        capture.find_drop(DropReason::VlanTagged)?;
    }
    Ok(())
}

fn jumbo_frames_are_dropped(cable: &Cable) -> Result<()> {
    for machine in [&cable.host, &cable.gateway] {
        machine.ip("link set eth0 mtu 9000")?;
    }
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.send(&frame([0xff; 6], OTHER, EXPERIMENT, 1600))?;
    capture.find_drop(DropReason::Jumbo)?;
    for machine in [&cable.host, &cable.gateway] {
        machine.ip("link set eth0 mtu 1500")?;
    }
    Ok(())
}

fn every_frame_lost_in_the_socket_is_counted(cable: &Cable) -> Result<()> {
    const FLOOD: usize = 40_000;
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    let ours = frame([0xff; 6], OTHER, EXPERIMENT, 700);
    for _ in 0..FLOOD {
        host.send(&ours)?;
    }
    // What is lost is told with the next frame, so there has to be one when there is room again.
    let (mut arrived, mut lost) = (0, 0);
    let last = frame([0xff; 6], OTHER, EXPERIMENT, 701);
    'counting: loop {
        for frame in capture.next()? {
            match frame {
                Ok(frame) if frame == ours => arrived += 1,
                Ok(frame) if frame == last => break 'counting,
                Ok(_) => {}
                Err(DropReason::QueueFull) => lost += 1,
                Err(reason) => bail!("{reason}"),
            }
        }
        if capture.is_idle() {
            host.send(&last)?;
        }
    }
    ensure!(lost > 0, "the flood was too small to show anything");
    ensure!(arrived + lost >= FLOOD, "{arrived} arrived, {lost} lost");
    // The machines' own chatter may have been lost too.
    ensure!(
        arrived + lost < FLOOD + 50,
        "{arrived} arrived, {lost} lost"
    );
    Ok(())
}

fn an_interface_that_goes_down_ends_the_port(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    cable.gateway.ip("link set eth0 down")?;
    let ours = frame([0xff; 6], OTHER, EXPERIMENT, 99);
    ensure!(capture.put(&ours).is_err(), "a dead port sent");
    let error = capture.end();
    cable.gateway.ip("link set eth0 up")?;
    ensure!(error == "eth0 is down or has no carrier", "{error}");
    Ok(())
}

fn a_pulled_cable_ends_the_port(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    cable.host.ip("link set eth0 down")?;
    let error = capture.end();
    cable.host.ip("link set eth0 up")?;
    ensure!(error == "eth0 is down or has no carrier", "{error}");
    Ok(())
}

fn other_interfaces_are_refused_in_one_sentence(cable: &Cable) -> Result<()> {
    use InterfaceError::{BadName, Down, Loopback, Missing, NoCarrier, NotEthernet};
    let gateway = &cable.gateway;
    gateway.ip("tuntap add mode tun name tun0")?;
    ensure!(matches!(refusal(gateway, "tun0")?, NotEthernet { .. }));
    ensure!(matches!(refusal(gateway, "lo")?, Loopback(_)));
    ensure!(matches!(refusal(gateway, "eth1")?, Missing(_)));
    ensure!(matches!(refusal(gateway, "../eth0")?, BadName(_)));
    cable.host.ip("link set eth0 down")?;
    ensure!(matches!(refusal(gateway, "eth0")?, NoCarrier(_)));
    gateway.ip("link set eth0 down")?;
    ensure!(matches!(refusal(gateway, "eth0")?, Down(_)));
    for machine in [&cable.host, gateway] {
        machine.ip("link set eth0 up")?;
    }
    Ok(())
}

fn a_removed_interface_ends_the_port(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    cable.gateway.ip("link del eth0")?;
    let error = capture.end();
    ensure!(error == "eth0 has been removed", "{error}");
    Ok(())
}

/// Two machines and a cable between them.
struct Cable {
    host: Machine,
    gateway: Machine,
    _lab: Lab,
}

impl World for Cable {
    fn report(&self) -> String {
        self.gateway.ip_shows("-d -s addr").unwrap_or_default()
    }
}

impl Cable {
    const HOST_V4: &'static str = "192.168.50.11";
    const GATEWAY_V4: &'static str = "192.168.50.1";
    const GATEWAY_V6: &'static str = "fd00:50::1";

    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let (host, gateway) = (lab.machine("host")?, lab.machine("gateway")?);
        lab.cable((&host, "eth0"), (&gateway, "eth0"))?;
        host.ip(&format!("addr add {}/24 dev eth0", Self::HOST_V4))?;
        host.ip("addr add fd00:50::11/64 dev eth0 nodad")?;
        gateway.ip(&format!("addr add {}/24 dev eth0", Self::GATEWAY_V4))?;
        gateway.ip(&format!("addr add {}/64 dev eth0 nodad", Self::GATEWAY_V6))?;
        Ok(Cable {
            host,
            gateway,
            _lab: lab,
        })
    }

    fn capture(&self) -> Result<Capture> {
        self.capture_at("eth0")
    }

    fn capture_at(&self, interface: &str) -> Result<Capture> {
        let open = || LanSocket::open(interface).map_err(io::Error::other);
        let lan = self.gateway.enter(open)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let port = {
            let _runtime = runtime.enter();
            LanPort::new(lan)?
        };
        Ok(Capture {
            runtime,
            port,
            reads: 0,
        })
    }

    /// Sends bytes from the host to the gateway's own stack, whose frames the port captures too.
    fn send_by_tcp(&self, address: IpAddr, bytes: &[u8]) -> Result<()> {
        let listener = self.gateway.enter(|| TcpListener::bind((address, 0)))?;
        let target = listener.local_addr()?;
        thread::scope(|scope| {
            let receiver = scope.spawn(move || -> io::Result<usize> {
                let mut received = Vec::new();
                listener.accept()?.0.read_to_end(&mut received)
            });
            self.host
                .enter(|| TcpStream::connect(target))?
                .write_all(bytes)?;
            let received = receiver.join().expect("the receiver does not panic")?;
            ensure!(received == bytes.len(), "received {received} bytes");
            Ok(())
        })
    }
}

/// A port in the gateway's namespace.
struct Capture {
    runtime: Runtime,
    port: LanPort,
    /// How often the port was read.
    reads: u64,
}

type Captured = Result<Vec<u8>, DropReason>;

impl Capture {
    /// What the port has next; fails when the port is gone or nothing comes.
    fn next(&mut self) -> Result<Vec<Captured>> {
        let ready = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, poll_fn(|cx| self.port.poll_readable(cx)))
                .await
                .context("nothing came")
        })?;
        ready?;
        let mut frames = Vec::new();
        self.reads += self
            .port
            .try_recv(&mut |frame| frames.push(frame.map(|frame| frame.frame().to_vec())))?;
        Ok(frames)
    }

    /// Why the port ends, which it soon does.
    fn end(&mut self) -> String {
        loop {
            if let Err(error) = self.next() {
                return error.to_string();
            }
        }
    }

    fn put(&mut self, frame: &[u8]) -> Result<()> {
        let sent = self.port.try_send(&[Bytes::copy_from_slice(frame)]);
        ensure!(sent.refused == 0, "the port did not take it");
        Ok(())
    }

    /// True when nothing is waiting just now.
    fn is_idle(&mut self) -> bool {
        let soon = Duration::from_millis(50);
        let ready =
            async { tokio::time::timeout(soon, poll_fn(|cx| self.port.poll_readable(cx))).await };
        self.runtime.block_on(ready).is_err()
    }

    fn find(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        self.find_with(|| Ok(()), wanted)
    }

    /// Waits for a frame, and does something before every look.
    fn find_with(
        &mut self,
        mut each_time: impl FnMut() -> io::Result<()>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>> {
        loop {
            each_time()?;
            let found = self.next()?.into_iter().flatten();
            if let Some(frame) = found.into_iter().find(|frame| wanted(frame)) {
                return Ok(frame);
            }
        }
    }

    fn find_drop(&mut self, reason: DropReason) -> Result<()> {
        while !self.next()?.contains(&Err(reason)) {}
        Ok(())
    }
}

/// What a TCP stream carried, put together from its frames.
#[derive(Default)]
struct Stream {
    start: Option<u32>,
    segments: BTreeMap<u32, Vec<u8>>,
}

impl Stream {
    /// Takes a frame; one that carries TCP must have a right checksum.
    fn add(&mut self, frame: &[u8]) -> Result<()> {
        let Some((_, _, tcp)) = upper(frame).filter(|&(protocol, ..)| protocol == 6) else {
            return Ok(());
        };
        ensure!(upper_sum(frame)? == 0, "a TCP checksum is wrong");
        let sequence = u32::from_be_bytes(tcp[4..8].try_into()?);
        if tcp[13] & 0x02 != 0 {
            self.start = Some(sequence.wrapping_add(1));
        }
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if !payload.is_empty() {
            let start = self.start.context("data before the handshake")?;
            self.segments
                .insert(sequence.wrapping_sub(start), payload.to_vec());
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.segments.values().map(Vec::len).sum()
    }

    fn whole(self) -> Vec<u8> {
        let mut whole = Vec::new();
        for (start, segment) in self.segments {
            // A repeated segment is no fault.
            if start as usize == whole.len() {
                whole.extend(segment);
            }
        }
        whole
    }
}

/// Protocol, pseudo header and upper header with payload of a plain IPv4 or IPv6 packet, unpadded.
fn upper(frame: &[u8]) -> Option<(u8, Sum, &[u8])> {
    let packet = &frame[14..];
    match frame[12..14] {
        [0x08, 0x00] => {
            let (header, upper) = packet[..read(packet, 2).into()].split_at_checked(20)?;
            let len = u16::try_from(upper.len()).ok()?;
            let [source, destination] = [&header[12..16], &header[16..20]];
            let (source, destination) = (source.try_into().ok()?, destination.try_into().ok()?);
            let sum = Sum::pseudo_v4(source, destination, header[9], len);
            Some((header[9], sum, upper))
        }
        [0x86, 0xdd] => {
            let (header, upper) = packet.split_at_checked(40)?;
            let upper = &upper[..read(header, 4).into()];
            let len = u32::try_from(upper.len()).ok()?;
            let [source, destination] = [&header[8..24], &header[24..40]];
            let (source, destination) = (source.try_into().ok()?, destination.try_into().ok()?);
            let sum = Sum::pseudo_v6(source, destination, header[6], len);
            Some((header[6], sum, upper))
        }
        _ => None,
    }
}

fn read(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Zero when the upper header's checksum is right.
fn upper_sum(frame: &[u8]) -> Result<u16> {
    let (_, mut sum, bytes) = upper(frame).context("no plain IP packet")?;
    sum += Sum::of(bytes);
    Ok(sum.checksum())
}

/// How the port says no to an interface.
fn refusal(machine: &Machine, interface: &str) -> Result<InterfaceError> {
    let refused = machine.enter(|| Ok(LanSocket::open(interface).err()))?;
    refused.with_context(|| format!("{interface} was accepted"))
}

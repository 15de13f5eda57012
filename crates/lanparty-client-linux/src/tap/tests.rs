#![allow(clippy::disallowed_methods, reason = "tests own threads and processes")]

use super::*;
use crate::adapter::{Adapter, Address};
use crate::link::Link;
use crate::privilege;
use lanparty_proto::checksum::Sum;
use lanparty_proto::{IpMtu, MacAddr};
use rustix::thread::UnshareFlags;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

#[test]
fn names_are_what_the_kernel_takes() {
    for name in ["lanparty0", "a", "tap-1.2_3", "123456789012345"] {
        assert_eq!(name.parse::<TapName>().unwrap().as_str(), name);
    }
    for bad in [
        "",
        "1234567890123456",
        "a b",
        "tap%d",
        "a/b",
        "a:1",
        "..",
        "all",
        "default",
    ] {
        assert!(bad.parse::<TapName>().is_err(), "{bad}");
    }
}

#[test]
fn frames_cross_a_tap_both_ways_and_it_dies_with_its_descriptor() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link).want_mtu(IpMtu::MIN).unwrap();
        let lan: IpAddr = "192.168.50.7".parse().unwrap();
        assert!(link.addresses().unwrap().contains(&lan));

        // The answer to a question for its address carries the MAC that was set.
        assert_eq!(tap.try_send(&[arp_request().into()]).refused, 0);
        let reply = next_frame(&mut tap, |frame| frame[12..14] == [0x08, 0x06]).await;
        assert_eq!(reply[6..12], [2, 0, 0, 0, 0, 7]);
        assert_eq!(reply[0..6], [2, 0, 0, 0, 0, 9]);

        drop(tap);
        assert_eq!(
            Link::find("tap9").unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
    });
}

#[test]
fn a_stream_crosses_the_tap_in_super_frames_and_no_damage_is_blessed() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link);
        let neighbour = std::process::Command::new("ip")
            .args("neigh add 192.168.50.1 lladdr 02:00:00:00:00:09 dev tap9".split(' '))
            .status();
        assert!(neighbour.unwrap().success());
        let listener = std::net::TcpListener::bind("192.168.50.7:5000").unwrap();

        tap.try_send(&[segment(0, 0, SYN, &[])]);
        let is_tcp = |frame: &[u8]| frame[12..14] == [8, 0] && frame[23] == 6;
        let greeting = next_frame(&mut tap, is_tcp).await;
        let theirs = u32::from_be_bytes(greeting[38..42].try_into().unwrap()) + 1;
        tap.try_send(&[segment(1, theirs, ACK, &[])]);
        let mut stream = listener.accept().unwrap().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();

        // Towards the system: 40 segments, one of them damaged on the way.
        let sent: Vec<u8> = (0..40_000_u32).map(|at| (at * 7 / 5) as u8).collect();
        let segments: Vec<_> = (0..40_u32)
            .zip(sent.chunks(1000))
            .map(|(number, payload)| segment(1 + number * 1000, theirs, ACK, payload))
            .collect();
        let mut damaged = segments.clone();
        let mut bytes = damaged[20].to_vec();
        bytes[600] ^= 4;
        damaged[20] = bytes.into();
        let put_out = tap.try_send(&damaged);
        assert_eq!((put_out.writes, put_out.refused), (3, 0));
        let mut received = vec![0; 20_000];
        stream.read_exact(&mut received).unwrap();
        stream.set_nonblocking(true).unwrap();
        assert!(
            stream.read(&mut [0]).is_err(),
            "a damaged segment was believed"
        );
        stream.set_nonblocking(false).unwrap();
        tap.try_send(&segments[20..21]);
        received.resize(40_000, 0);
        stream.read_exact(&mut received[20_000..]).unwrap();
        assert_eq!(received, sent);

        // And back: what the first window holds comes at once, in frames of the agreed size.
        stream.write_all(&sent[..5360]).unwrap();
        let (mut reads, mut frames, mut back) = (0, 0, Vec::<u8>::new());
        while back.len() < 5360 {
            poll_fn(|cx| tap.poll_readable(cx)).await.unwrap();
            let mut take = |frame: Result<FrameBuf, DropReason>| {
                let frame = frame.unwrap();
                let frame = frame.frame();
                if is_tcp(frame) && frame.len() > 60 {
                    assert!(frame.len() <= 54 + 536, "{}", frame.len());
                    back.extend(&frame[54..]);
                    frames += 1;
                }
            };
            reads += tap.try_recv(&mut take).unwrap();
        }
        assert_eq!(back, sent[..5360]);
        assert!(
            frames >= 10 && reads < frames,
            "{frames} frames in {reads} reads"
        );
    });
}

#[test]
fn datagrams_cross_the_tap_as_one_and_a_program_gets_each_of_them() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link);
        let game = std::net::UdpSocket::bind("192.168.50.7:27960").unwrap();
        game.set_read_timeout(Some(PATIENCE)).unwrap();
        let sent: Vec<u8> = (0..40 * 500 + 33).map(|at| (at * 7 / 3) as u8).collect();
        let mut frames: Vec<_> = (0_u16..)
            .zip(sent.chunks(500))
            .map(|(number, payload)| datagram(number, payload))
            .collect();
        // One of them is damaged on the way.
        let mut damaged = frames[20].to_vec();
        damaged[300] ^= 4;
        frames[20] = damaged.into();
        let put_out = tap.try_send(&frames);
        assert_eq!((put_out.writes, put_out.refused), (3, 0));
        for (number, payload) in sent.chunks(500).enumerate() {
            if number != 20 {
                let mut buffer = [0; 1500];
                let len = game.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..len], *payload, "{number}");
            }
        }
        game.set_nonblocking(true).unwrap();
        assert!(game.recv(&mut [0; 1500]).is_err(), "too many came");
    });
}

#[test]
fn limited_broadcast_leaves_through_the_tap() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link);
        let game = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        game.set_broadcast(true).unwrap();
        game.send_to(b"anybody?", "255.255.255.255:27960").unwrap();
        let question = next_frame(&mut tap, |frame| frame.ends_with(b"anybody?")).await;
        assert_eq!(question[0..6], MacAddr::BROADCAST.octets());
    });
}

#[test]
fn the_first_frame_waits_for_no_other_read() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link);
        let mut ignored = |_: Result<FrameBuf, _>| {};
        while is_ready_now(&mut tap).await {
            tap.try_recv(&mut ignored).unwrap();
        }
        let game = broadcaster();
        for number in 0..3 {
            game.send_to(&[number], BROADCAST).unwrap();
        }
        poll_fn(|cx| tap.poll_readable(cx)).await.unwrap();
        assert_eq!(tap.try_recv(&mut ignored).unwrap(), 1);
        assert!(is_ready_now(&mut tap).await, "the others are forgotten");
        assert!(tap.try_recv(&mut ignored).unwrap() >= 2);
        assert!(!is_ready_now(&mut tap).await, "it would be read again");
    });
}

#[test]
fn no_frame_of_a_burst_is_left_lying() {
    const LONGEST: u16 = 200;
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        set_up(&link);
        let (arrived, next) = std::sync::mpsc::channel();
        // Beside the reader, so that frames come between any two of its steps; after each burst there is silence.
        let sender = std::thread::spawn(move || {
            let game = broadcaster();
            for burst in 1..=LONGEST {
                for number in 0..burst {
                    let payload = [burst, number].map(u16::to_be_bytes).concat();
                    game.send_to(&payload, BROADCAST).unwrap();
                }
                next.recv().unwrap();
            }
        });
        for burst in 1..=LONGEST {
            let mut numbers = Vec::new();
            while numbers.len() < usize::from(burst) {
                poll_fn(|cx| tap.poll_readable(cx)).await.unwrap();
                tap.try_recv(&mut |frame| {
                    let frame = frame.unwrap();
                    let is_ours =
                        frame.frame().starts_with(&[0xff; 6]) && frame.frame()[12..14] == [8, 0];
                    if let [.., a, b, c, d] = *frame.frame()
                        && is_ours
                    {
                        assert_eq!([a, b], burst.to_be_bytes());
                        numbers.push(u16::from_be_bytes([c, d]));
                    }
                })
                .unwrap();
            }
            assert_eq!(numbers, (0..burst).collect::<Vec<_>>());
            arrived.send(()).unwrap();
        }
        sender.join().unwrap();
    });
}

const BROADCAST: &str = "255.255.255.255:27960";

fn broadcaster() -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_broadcast(true).unwrap();
    socket
}

/// Whether the port would be read in this turn, before anything else happens.
async fn is_ready_now(tap: &mut Tap) -> bool {
    poll_fn(|cx| Poll::Ready(tap.poll_readable(cx).is_ready())).await
}

#[test]
fn a_name_that_is_taken_is_refused() {
    in_a_network_of_its_own(async || {
        let _first = Tap::create(&name()).unwrap();
        assert!(matches!(Tap::create(&name()), Err(TapError::NameTaken(_))));
        assert!(matches!(
            Tap::create(&"lo".parse().unwrap()),
            Err(TapError::NameTaken(_))
        ));
    });
}

#[test]
fn an_adapter_that_is_removed_is_noticed() {
    in_a_network_of_its_own(async || {
        let mut tap = Tap::create(&name()).unwrap();
        let removed = std::process::Command::new("ip")
            .args(["link", "delete", "tap9"])
            .status();
        assert!(removed.unwrap().success());
        assert!(poll_fn(|cx| tap.poll_readable(cx)).await.is_err());
    });
}

pub(crate) fn set_up(link: &Link) -> Adapter {
    let mac = "02:00:00:00:00:07".parse().unwrap();
    let adapter = Adapter::new(link.clone(), mac).unwrap();
    adapter.want_up().unwrap();
    for route in link.group_routes() {
        adapter.want_route(route).unwrap();
    }
    let address = Address::new("192.168.50.7/24".parse().unwrap());
    adapter.want_address(address).unwrap();
    adapter
}

pub(crate) fn name() -> TapName {
    "tap9".parse().unwrap()
}

pub(crate) async fn next_frame(tap: &mut Tap, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    loop {
        poll_fn(|cx| tap.poll_readable(cx)).await.unwrap();
        let mut found = None;
        let mut take = |frame: Result<FrameBuf, DropReason>| {
            let frame = frame.unwrap().frame().to_vec();
            if wanted(&frame) {
                found = Some(frame);
            }
        };
        tap.try_recv(&mut take).unwrap();
        if let Some(frame) = found {
            return frame;
        }
    }
}

/// Runs a test as root in an empty network namespace, which disappears with the test's thread.
pub(crate) fn in_a_network_of_its_own(test: impl AsyncFnOnce() + Send + 'static) {
    if privilege::check().is_err() {
        lanparty_skip::skip("only root may make TAP adapters");
        return;
    }
    let run = || {
        #[allow(unsafe_code, reason = "the safe wrapper is deprecated")]
        // SAFETY: only this thread's network becomes another; its descriptors stay what they were.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let test = async { tokio::time::timeout(PATIENCE, test()).await };
        let local = tokio::task::LocalSet::new();
        local
            .block_on(&runtime, test)
            .expect("the test took too long");
    };
    std::thread::spawn(run).join().unwrap();
}

/// A UDP datagram from 192.168.50.1:40000 to 192.168.50.7:27960, its checksums complete.
fn datagram(number: u16, payload: &[u8]) -> Bytes {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let mut udp = [40_000, 27_960, len, 0].map(u16::to_be_bytes).concat();
    udp.extend(payload);
    packet(17, number, 6, udp)
}

/// A TCP segment from 192.168.50.1:40000 to 192.168.50.7:5000, its checksums complete.
fn segment(sequence: u32, acknowledged: u32, flags: u8, payload: &[u8]) -> Bytes {
    let mut tcp = [40_000_u16, 5000].map(u16::to_be_bytes).concat();
    tcp.extend([sequence, acknowledged].map(u32::to_be_bytes).concat());
    tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(payload);
    packet(6, (sequence / 1000) as u16, 16, tcp)
}

/// From 192.168.50.1 to 192.168.50.7, for an upper header whose checksum stands at `field`.
fn packet(protocol: u8, number: u16, field: usize, mut upper: Vec<u8>) -> Bytes {
    let put = |bytes: &mut [u8], at: usize, value: u16| {
        bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    };
    let (source, destination) = ([192, 168, 50, 1], [192, 168, 50, 7]);
    let len = u16::try_from(upper.len()).unwrap();
    let mut sum = Sum::pseudo_v4(source, destination, protocol, len);
    sum += Sum::of(&upper);
    put(&mut upper, field, sum.checksum());
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    ip.extend([source, destination].concat());
    put(&mut ip, 2, 20 + len);
    put(&mut ip, 4, number);
    let sum = Sum::of(&ip);
    put(&mut ip, 10, sum.checksum());
    let macs = [[2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 9]].concat();
    [&macs[..], &[8, 0], &ip, &upper].concat().into()
}

fn arp_request() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9]);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend([
        2, 0, 0, 0, 0, 9, 192, 168, 50, 1, 0, 0, 0, 0, 0, 0, 192, 168, 50, 7,
    ]);
    frame
}

//! Trains of UDP datagrams, which the system hands over and takes as one frame (`UDP_SEGMENT`).

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use lanparty_lab::traffic::{Ends, Train, cut_by, frame};
use lanparty_lab::{RawSocket, Tap};
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{VnetHeader, wire_frames};

use crate::{Cable, Capture, EXPERIMENT, OTHER, PATIENCE, STRANGER, upper, upper_sum};

/// Nobody listens there.
const PORT: u16 = 27_999;
/// How long datagrams are, and how many bytes a train has: with a rest of one byte, of an odd and an even one, with none; 64
/// datagrams, and the longest that Ethernet takes.
const SHAPES: [(u16, usize); 7] = [
    (1200, 12_001),
    (1200, 3 * 1200),
    (999, 5000),
    (1, 64),
    (7, 440),
    (1452, 40_000),
    (500, 501),
];

pub(crate) fn a_train_of_udp_is_captured_as_the_datagrams_that_it_is(cable: &Cable) -> Result<()> {
    for (from, to) in [
        (Cable::HOST_V4, Cable::GATEWAY_V4),
        ("fd00:50::11", Cable::GATEWAY_V6),
    ] {
        let sender = cable.host.enter(|| UdpSocket::bind((from, 0)))?;
        for (size, len) in SHAPES {
            let mut capture = cable.capture()?;
            cut_by(&sender, size)?;
            let sent = content(len);
            sender.send_to(&sent, (to, PORT))?;
            let expected: Vec<_> = sent.chunks(size.into()).collect();
            let mut captured: Vec<Vec<u8>> = Vec::new();
            while captured.len() < expected.len() {
                let before = (captured.len(), capture.reads);
                for frame in capture.next()? {
                    captured.extend(datagram(
                        &frame.map_err(|reason| anyhow::anyhow!("{reason}"))?,
                    )?);
                }
                // What has come as one frame is handed over by one call.
                let reads = capture.reads - before.1;
                ensure!(
                    captured.len() == before.0 || reads < 4,
                    "it has come in {reads} frames, so nothing was to be cut"
                );
            }
            ensure!(
                captured == expected,
                "{size} bytes each, {len} in all, to {to}"
            );
        }
    }
    Ok(())
}

pub(crate) fn a_train_is_cut_as_the_kernel_cuts_it(cable: &Cable) -> Result<()> {
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.show_offloads()?;
    for ends in ends() {
        for (size, len) in SHAPES {
            let train = Train::new(&ends, size, &content(len)).bytes();
            let count = len.div_ceil(size.into());
            let mut cut_by_us = Vec::new();
            let mut cut_by_kernel = Vec::new();
            for (offload, frames) in [("on", &mut cut_by_us), ("off", &mut cut_by_kernel)] {
                for feature in ["tx", "tx-udp-segmentation"] {
                    cable
                        .host
                        .run(["ethtool", "-K", "eth0", feature, offload])?;
                }
                let mut capture = cable.capture()?;
                host.send(&train)?;
                while frames.len() < count {
                    let next = capture.next()?.into_iter().flatten();
                    frames.extend(next.filter(|frame| frame[..6] == STRANGER));
                }
            }
            for feature in ["tx", "tx-udp-segmentation"] {
                cable.host.run(["ethtool", "-K", "eth0", feature, "on"])?;
            }
            ensure!(
                cut_by_us == cut_by_kernel,
                "{size} bytes each, {len} in all: {ends:?}"
            );
        }
    }
    Ok(())
}

/// A card without offloads has the kernel split what the port joined.
pub(crate) fn joined_datagrams_leave_as_the_frames_that_they_were(cable: &Cable) -> Result<()> {
    for feature in ["tx-udp-segmentation", "tx"] {
        cable
            .gateway
            .run(["ethtool", "-K", "eth0", feature, "off"])?;
    }
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.set_timeout(PATIENCE)?;
    let [v4, v6] = ends();
    let mut batch = [
        datagrams(&Train::new(&v4, 700, &content(19 * 700 + 3)))?,
        datagrams(&Train::new(&v6, 900, &content(20 * 900)))?,
    ]
    .concat();
    // A damaged datagram stays damaged.
    let mut damaged = batch[30].to_vec();
    damaged[400] ^= 1;
    batch[30] = damaged.into();
    let sent = capture.port.try_send(&batch);
    ensure!(sent.refused == 0 && sent.writes == 4, "{sent:?}");
    let mut buffer = vec![0; 70_000];
    for (place, expected) in batch.iter().enumerate() {
        let length = loop {
            let length = host.receive(&mut buffer)?;
            if buffer[..6] == STRANGER {
                break length;
            }
        };
        ensure!(
            buffer[..length] == *expected,
            "frame {place} was changed, or changed places"
        );
    }
    for feature in ["tx", "tx-udp-segmentation"] {
        cable
            .gateway
            .run(["ethtool", "-K", "eth0", feature, "on"])?;
    }
    Ok(())
}

/// As an old virtual machine on the gateway's bridge sends it; and what a kernel before 6.2 does with every train.
pub(crate) fn a_super_frame_without_a_name_costs_no_other(cable: &Cable) -> Result<()> {
    const UFO: u8 = 3;
    let machine = cable.gateway.enter(|| Tap::with_vnet_header("vm0"))?;
    cable.gateway.ip("link set vm0 up")?;
    let mut capture = cable.capture_at("vm0")?;
    let [v4, _] = ends();
    let mut nameless = Train::new(&v4, 1000, &content(3000));
    nameless.header[1] = UFO;
    let whole = |last: u8| {
        let mut frame = frame(STRANGER, OTHER, EXPERIMENT, 100);
        frame[99] = last;
        frame
    };
    for round in 0..3 {
        machine.send(&[&[0; 10][..], &whole(round)].concat())?;
        machine.send(&nameless.bytes())?;
        machine.send(&nameless.bytes())?;
        machine.send(&[&[0; 10][..], &whole(round + 100)].concat())?;
        let mut lost = 0;
        for expected in [whole(round), whole(round + 100)] {
            lost += find_after_losses(&mut capture, &expected)?;
        }
        ensure!(lost == 2, "{lost} of 2 were counted");
    }
    Ok(())
}

/// How many frames without a name came before this one.
fn find_after_losses(capture: &mut Capture, expected: &[u8]) -> Result<usize> {
    let mut lost = 0;
    loop {
        for frame in capture.next()? {
            match frame {
                Ok(frame) if frame == expected => return Ok(lost),
                Ok(_) => {}
                Err(DropReason::UnknownOffload) => lost += 1,
                Err(reason) => bail!("{reason}"),
            }
        }
    }
}

/// Strangers to the stacks at both ends of the cable.
fn ends() -> [Ends; 2] {
    let ends = |from: &str, to: &str| Ends {
        source: OTHER,
        destination: STRANGER,
        from: SocketAddr::new(from.parse().expect("an address"), 40_000),
        to: SocketAddr::new(to.parse().expect("an address"), PORT),
    };
    [ends("10.0.0.1", "10.0.0.2"), ends("fd00::1", "fd00::2")]
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 / 3) as u8).collect()
}

/// The payload of a datagram to the port of these tests, whose checksum must be right.
fn datagram(frame: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some((17, _, udp)) = upper(frame) else {
        return Ok(None);
    };
    if udp[2..4] != PORT.to_be_bytes() {
        return Ok(None);
    }
    ensure!(upper_sum(frame)? == 0, "a UDP checksum is wrong");
    let len = u16::from_be_bytes([udp[4], udp[5]]);
    ensure!(usize::from(len) == udp.len(), "a UDP length is wrong");
    Ok(Some(udp[8..].to_vec()))
}

/// The frames of a train, as the other end of a tunnel delivers them.
fn datagrams(train: &Train) -> Result<Vec<Bytes>> {
    let mut slab = FrameSlab::default();
    let frames = wire_frames(VnetHeader::decode(train.header), &train.frame)?;
    Ok(frames
        .map(|wire| Bytes::copy_from_slice(wire.write_into(&mut slab).frame()))
        .collect())
}

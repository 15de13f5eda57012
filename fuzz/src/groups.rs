//! The gateway's voice in its LAN's IGMP and MLD.

use lanparty_proto::checksum::Sum;
use lanparty_proto::{EthernetFrame, MacAddr};
use lanparty_switch::snooping::Proxy;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const NIC: [u8; 6] = [0x52, 0, 0, 0, 0, 1];
/// The smallest packet that every link takes (RFC 8200 §5), behind its Ethernet header.
const MAX_LEN: usize = 14 + 1280;
/// What may be said at any time: of IGMP and MLD 32 frames a second each, after 64.
const BURST: usize = 2 * 64;
const PER_SECOND: usize = 2 * 32;

/// Players' reports, queriers' questions, comings and goings made of a stranger's bytes: what the LAN is told is well
/// made, is about groups that somebody named, ends, and in the end is what the players want.
///
/// The bytes are a row of steps, each of one byte of what, one of how long the rest is, and the rest.
pub fn groups(bytes: &[u8]) {
    let mut run = Run {
        now: crate::epoch(),
        proxy: Proxy::new(MacAddr::new(NIC), u64::from(bytes.len() as u32)),
        known: BTreeSet::new(),
        speaks_newest: true,
    };
    run.proxy.come_in(run.now);
    let mut rest = bytes;
    while let [what, len, more @ ..] = rest {
        let (step, more) = more.split_at(usize::from(*len).min(more.len()));
        run.step(*what, step);
        rest = more;
    }
    run.settle();
    // A switch that has just been plugged in hears all of it.
    run.known.clear();
    run.proxy.go();
    assert_eq!(run.proxy.poll_timeout(), None);
    run.proxy.come_in(run.now);
    run.settle();
    if run.speaks_newest {
        assert_eq!(run.known, run.proxy.groups().collect());
    }
    run.now += Duration::from_secs(300);
    run.proxy.expire(run.now);
    run.settle();
    assert_eq!(run.proxy.groups().count(), 0, "nobody has said it again");
}

struct Run {
    now: Instant,
    proxy: Proxy,
    /// What a switch has noted.
    known: BTreeSet<IpAddr>,
    /// Nobody has made it speak an old version, in which a leave may not be said.
    speaks_newest: bool,
}

impl Run {
    fn step(&mut self, what: u8, bytes: &[u8]) {
        let player = MacAddr::new([2, 0, 0, 0, 0, what >> 4]);
        match what & 0x0f {
            0 => self.report(player, &v4(player, bytes)),
            1 => self.report(player, &v6(player, bytes)),
            2 => self.report(player, bytes),
            3 => self.hear(&v4(player, bytes)),
            4 => self.hear(&v6(player, bytes)),
            5 => self.hear(bytes),
            6 => self.proxy.forget(self.now, player),
            7 => {
                self.proxy.go();
                self.proxy.come_in(self.now);
                self.known.clear();
            }
            8 => self.proxy.expire(self.now),
            _ => self.pass(Duration::from_millis(u64::from(what) * 50)),
        }
    }

    fn report(&mut self, player: MacAddr, frame: &[u8]) {
        self.proxy.handle_report(self.now, player, frame);
    }

    fn hear(&mut self, frame: &[u8]) {
        if let Ok(frame) = EthernetFrame::parse(frame) {
            self.speaks_newest = false;
            self.proxy.hear(self.now, frame);
        }
    }

    fn settle(&mut self) {
        self.pass(Duration::from_secs(12));
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut frames = 0;
        while let Some(next) = self.proxy.poll_timeout().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            for frame in self.proxy.poll(self.now) {
                self.note(&frame);
                frames += 1;
            }
            let later = self.proxy.poll_timeout();
            assert!(
                later.is_none_or(|later| later > self.now),
                "it stands still"
            );
        }
        let most = BURST + PER_SECOND * (time.as_secs() as usize + 1);
        assert!(frames <= most, "{frames} frames in {time:?}");
        self.now = end;
    }

    fn note(&mut self, frame: &[u8]) {
        assert!(
            (60 - 14..=MAX_LEN).contains(&frame.len()),
            "{}",
            frame.len()
        );
        assert_eq!(frame[6..12], NIC);
        let is_v4 = frame[12..14] == [8, 0];
        let body = if is_v4 { &frame[38..] } else { &frame[62..] };
        let mut sum = Sum::of(body);
        if !is_v4 {
            let [source, to] = [22, 38].map(|at| frame[at..at + 16].try_into().expect("16"));
            sum += Sum::pseudo_v6(source, to, 58, body.len() as u32);
        }
        assert_eq!(sum.checksum(), 0);
        let address = |bytes: &[u8]| match is_v4 {
            true => IpAddr::from(<[u8; 4]>::try_from(bytes).expect("a whole report")),
            false => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("a whole report")),
        };
        match body[0] {
            0x12 | 0x16 => self.note_group(true, address(&body[4..])),
            131 => self.note_group(true, address(&body[8..])),
            0x17 => self.note_group(false, address(&body[4..])),
            132 => self.note_group(false, address(&body[8..])),
            0x22 | 143 => {
                let len = if is_v4 { 8 } else { 20 };
                assert_eq!(body[8..].len() % len, 0);
                for record in body[8..].chunks_exact(len) {
                    self.note_group(record[0] != 3, address(&record[4..]));
                }
            }
            kind => assert_eq!(kind, 0x22, "no message about groups"),
        }
    }

    fn note_group(&mut self, wanted: bool, group: IpAddr) {
        assert!(group.is_multicast(), "{group}");
        match wanted {
            true => self.known.insert(group),
            false => self.known.remove(&group),
        };
    }
}

/// IGMP with a right checksum.
fn v4(from: MacAddr, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if message.len() >= 4 {
        message[2..4].fill(0);
        let sum = Sum::of(&message).checksum();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let len = u16::try_from(20 + message.len()).expect("at most 255");
    let mut frame = [&[1, 0, 0x5e, 0, 0, 22][..], &from.octets(), &[8, 0]].concat();
    frame.extend([0x45, 0]);
    frame.extend(len.to_be_bytes());
    frame.extend([0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, 224, 0, 0, 22]);
    frame.extend(message);
    frame
}

/// MLD with a right checksum.
fn v6(from: MacAddr, message: &[u8]) -> Vec<u8> {
    let (source, to) = ([0xfe; 16], [0xff; 16]);
    let mut message = message.to_vec();
    if message.len() >= 4 {
        message[2..4].fill(0);
        let mut sum = Sum::pseudo_v6(source, to, 58, message.len() as u32);
        sum += Sum::of(&message);
        message[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    }
    let len = u16::try_from(message.len()).expect("at most 255");
    let mut frame = [
        &[0x33, 0x33, 0, 0, 0, 22][..],
        &from.octets(),
        &[0x86, 0xdd],
    ]
    .concat();
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(len.to_be_bytes());
    frame.extend([58, 1]);
    frame.extend(source);
    frame.extend(to);
    frame.extend(message);
    frame
}

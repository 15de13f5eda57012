//! How old the packets are that come over TCP.
//!
//! TCP keeps what a path swallows, and delivers all of it once that path is back: seconds late, when a game wants none of it and QUIC
//! has taken it for lost long ago. So each side says with its packets when they were sent, by a clock of its own ([`Stamps`]), and
//! the other one compares that with its clock ([`Lateness`]): what the two are apart when a packet was quick is nobody's
//! delay, and what they are apart beyond that is how late this one is.
//!
//! Late is only what comes behind a silence, as the backlog of a path that was cut does, and as long as it comes faster than it was
//! sent. A path that has become slow would be no better for losing its packets, and a link that hears nothing for so long ends.

use bytes::{BufMut as _, Bytes, BytesMut};
use std::time::{Duration, Instant};

/// Packets that are later than this are worth nothing any more; frames wait no longer in a link's queue either.
const OLDEST: Duration = Duration::from_secs(1);
/// How long a backlog takes to come at most. What is as late after that is not: a clock has stood still, or the path is another one.
const BACKLOG: Duration = Duration::from_secs(2);
/// What was sent within so many milliseconds, by the other side's clock, comes in a backlog
const LOOK: u32 = 600;
/// so many milliseconds sooner after each other: half as fast again as it was sent, at least.
const SHRINKS: u32 = 200;
/// How often it is said when packets were sent.
const EVERY: Duration = Duration::from_millis(50);
/// What stands before the time.
const MARK: &[u8; 4] = b"sent";

/// When packets are sent.
#[derive(Debug)]
pub(crate) struct Stamps {
    begin: Instant,
    next: Instant,
}

impl Stamps {
    pub(crate) fn new(now: Instant) -> Self {
        Stamps {
            begin: now,
            next: now,
        }
    }

    /// What is said before a packet that is sent now, if it is time to say it.
    pub(crate) fn before_packet(&mut self, now: Instant) -> Option<Bytes> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let mut stamp = BytesMut::with_capacity(8);
        stamp.put_slice(MARK);
        stamp.put_u32(millis(now.saturating_duration_since(self.begin)));
        Some(stamp.freeze())
    }
}

/// How late what comes is. Pure, the time is passed in.
#[derive(Debug)]
pub(crate) struct Lateness {
    begin: Instant,
    heard: Option<Heard>,
}

/// What is known once a first stamp has come. All milliseconds begin anew after 2^32, which is 49 days.
#[derive(Debug)]
struct Heard {
    /// The least that the two clocks were apart,
    least: u32,
    /// and since when that has not been made more: no two clocks run alike for hours.
    eased: Instant,
    /// When the last stamp came.
    last: Instant,
    late: Option<Late>,
}

/// What comes is late, and is watched: a backlog, or a path that takes so long now?
#[derive(Debug)]
struct Late {
    since: Instant,
    /// When the other side sent what this look began with, by its clock,
    from: u32,
    /// and the most that the two clocks were apart since: a backlog may stand still once more while it comes.
    most: u32,
}

impl Lateness {
    pub(crate) fn new(now: Instant) -> Self {
        Lateness {
            begin: now,
            heard: None,
        }
    }

    /// Takes what was said before the packets that come next. What is no stamp says nothing.
    pub(crate) fn handle_stamp(&mut self, now: Instant, stamp: &[u8]) {
        let Some(sent) = stamp.strip_prefix(MARK).and_then(|it| it.try_into().ok()) else {
            return;
        };
        let arrived = millis(now.saturating_duration_since(self.begin));
        let sent = u32::from_be_bytes(sent);
        let apart = arrived.wrapping_sub(sent);
        match &mut self.heard {
            Some(heard) => heard.take(now, sent, apart),
            None => self.heard = Some(Heard::first(now, apart)),
        }
    }

    /// Whether a packet that comes now is worth nothing any more.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        let heard = self.heard.as_ref();
        heard.is_some_and(|heard| heard.late.is_some() || heard.has_been_silent(now))
    }
}

impl Heard {
    fn first(now: Instant, apart: u32) -> Self {
        Heard {
            least: apart,
            eased: now,
            last: now,
            late: None,
        }
    }

    fn take(&mut self, now: Instant, sent: u32, apart: u32) {
        let silence = now.saturating_duration_since(std::mem::replace(&mut self.last, now));
        self.ease(now);
        self.least = least(self.least, apart);
        let age = Duration::from_millis(apart.wrapping_sub(self.least).into());
        if age <= OLDEST {
            self.late = None;
        } else if let Some(late) = &mut self.late {
            if !late.is_backlog(now, sent, apart) {
                self.least = apart;
                self.late = None;
            }
        } else if silence >= OLDEST {
            self.late = Some(Late {
                since: now,
                from: sent,
                most: apart,
            });
        }
    }

    /// A packet without a stamp of its own was sent no longer after the last one than these are apart.
    fn has_been_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) > OLDEST + EVERY
    }

    /// A thousandth: clocks are better than that, and no outage is so long that it would matter.
    fn ease(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.eased).as_secs();
        self.eased += Duration::from_secs(seconds);
        self.least = self.least.wrapping_add(seconds as u32);
    }
}

impl Late {
    /// Whether what comes is still taken for a backlog.
    fn is_backlog(&mut self, now: Instant, sent: u32, apart: u32) -> bool {
        if now.saturating_duration_since(self.since) >= BACKLOG {
            return false;
        }
        if least(self.most, apart) == self.most {
            self.most = apart;
        }
        if sent.wrapping_sub(self.from) < LOOK {
            return true;
        }
        let shrinks = self.most.wrapping_sub(apart) >= SHRINKS;
        (self.from, self.most) = (sent, apart);
        shrinks
    }
}

/// The lesser one of two times that are less than 24 days apart.
fn least(one: u32, other: u32) -> u32 {
    match one.wrapping_sub(other) < u32::MAX / 2 {
        true => other,
        false => one,
    }
}

fn millis(time: Duration) -> u32 {
    time.as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Two ends whose clocks began an hour apart, and what comes of packets between them.
    struct Path {
        begin: Instant,
        stamps: Stamps,
        lateness: Lateness,
    }

    impl Path {
        fn new() -> Self {
            let begin = Instant::now() + Duration::from_secs(7200);
            Path {
                begin,
                stamps: Stamps::new(begin - Duration::from_secs(3600)),
                lateness: Lateness::new(begin),
            }
        }

        /// Whether a packet is late that was sent and came then, in milliseconds since the beginning.
        fn is_late(&mut self, sent: u64, came: u64) -> bool {
            if let Some(stamp) = self.stamps.before_packet(self.begin + ms(sent)) {
                self.lateness.handle_stamp(self.begin + ms(came), &stamp);
            }
            self.lateness.is_late(self.begin + ms(came))
        }

        /// Sixty packets a second that were sent within this time and take so long; how many are late.
        fn plays(&mut self, from: u64, to: u64, delay: u64) -> usize {
            let sent = (from..to).step_by(16);
            sent.filter(|&sent| self.is_late(sent, sent + delay))
                .count()
        }

        /// The same, for a path that is cut until then: all of them come at once when it is back.
        fn is_cut(&mut self, from: u64, to: u64, back: u64) -> Vec<u64> {
            let sent = (from..to).step_by(16);
            sent.filter(|&sent| self.is_late(sent, back)).collect()
        }
    }

    #[test]
    fn the_backlog_of_a_cut_is_late_but_for_its_last_second() {
        let mut path = Path::new();
        assert_eq!(path.plays(0, 10_000, 30), 0);
        let late = path.is_cut(10_000, 13_300, 13_330);
        let (first, last) = (late[0], *late.last().unwrap());
        assert_eq!(first, 10_000);
        assert!((12_250..=12_350).contains(&last), "{last}");
        assert_eq!(late.len() as u64, (last - first) / 16 + 1, "all of them");
        assert_eq!(path.plays(13_300, 20_000, 30), 0);
    }

    #[test]
    fn what_tcp_repairs_within_a_second_is_not_late() {
        let mut path = Path::new();
        path.plays(0, 5000, 30);
        assert_eq!(path.is_cut(5000, 5990, 6000), []);
    }

    #[test]
    fn a_path_that_becomes_slow_while_it_is_used_loses_nothing() {
        let mut path = Path::new();
        path.plays(0, 5000, 30);
        for step in 1..40 {
            let from = 5000 + step * 200;
            assert_eq!(path.plays(from, from + 200, 30 + step * 100), 0);
        }
    }

    #[test]
    fn a_clock_that_stood_still_costs_two_thirds_of_a_second() {
        for jump in [3000, 3_000_000] {
            let mut path = Path::new();
            path.plays(0, 5000, 30);
            // The other side was suspended, and its clock with it.
            let late = path.plays(5000, 20_000, jump);
            assert!((38..=44).contains(&late), "{late}");
            // This one was: what comes seems to be from the future.
            let mut path = Path::new();
            path.plays(0, 5000, jump);
            assert_eq!(path.plays(5000 + jump, 10_000 + jump, 30), 0);
            assert!(
                !path
                    .is_cut(10_000 + jump, 13_000 + jump, 13_000 + jump)
                    .is_empty()
            );
        }
    }

    #[test]
    fn a_path_that_is_slow_after_a_silence_is_heard_again_before_a_link_gives_up() {
        // How long packets take from now on, how much longer each second as a queue fills, how often one is sent, and for how
        // long they are lost at most.
        for (delay, grows, every, most) in [
            (1200, 0, 16, 700),
            (2000, 0, 16, 700),
            (1400, 300, 16, 700),
            (1200, 0, 1000, 1000),
            (2000, 0, 1000, 1000),
        ] {
            let mut path = Path::new();
            path.plays(0, 5000, 30);
            let came = |sent: u64| sent + delay + (sent - 5100) * grows / 1000;
            let sent = (5100..20_000).step_by(every);
            let late: Vec<_> = sent
                .filter(|&sent| path.is_late(sent, came(sent)))
                .collect();
            assert_eq!(late[0], 5100, "a backlog would begin as well");
            let heard = late.last().unwrap() + every as u64;
            assert!(heard - 5100 <= most, "{delay}, {every}: {late:?}");
            assert!(came(heard) - 5030 < 3500, "{delay}, {every}: {late:?}");
        }
    }

    #[test]
    fn a_backlog_that_takes_its_time_is_late_to_its_last_second() {
        // It comes two and a half times as fast as it was sent,
        let steady = |sent: u64| 8300 + sent * 2 / 5;
        // or four times, and the path is cut once more after a quarter of a second.
        let flaps = |sent: u64| 8300 + sent / 4 + if sent > 1000 { 800 } else { 0 };
        for came in [&steady as &dyn Fn(u64) -> u64, &flaps] {
            let mut path = Path::new();
            path.plays(0, 5000, 30);
            let came = |sent| came(sent - 5000).max(sent + 30);
            let sent = (5000..12_000).step_by(16);
            let late: Vec<_> = sent
                .filter(|&sent| path.is_late(sent, came(sent)))
                .collect();
            let last = *late.last().unwrap();
            assert_eq!(late.len() as u64, (last - 5000) / 16 + 1, "all of them");
            let age = came(last) - last;
            assert!((970..=1130).contains(&age), "{age}");
        }
    }

    #[test]
    fn a_link_that_is_used_once_a_second_by_clocks_that_drift_loses_nothing() {
        let mut path = Path::new();
        for second in 0..10_000 {
            // Three tenths of a millisecond each second.
            let drift = second * 3 / 10;
            assert!(!path.is_late(second * 1000, second * 1000 + 30 + drift));
        }
        assert!(path.is_late(10_000_000, 10_005_000));
    }

    #[test]
    fn time_begins_anew_after_49_days() {
        let mut path = Path::new();
        let days = u64::from(u32::MAX) - 3_600_000 - 3000;
        path.plays(days, days + 6000, 30);
        assert!(path.is_late(days + 6000, days + 9000));
        assert_eq!(path.plays(days + 9000, days + 12_000, 30), 0);
    }

    #[test]
    fn strangers_bytes_say_nothing() {
        let now = Instant::now();
        let mut lateness = Lateness::new(now);
        for stamp in [&b""[..], b"sent", b"sent123", b"sent12345", b"tens1234"] {
            lateness.handle_stamp(now, stamp);
            assert!(lateness.heard.is_none());
        }
        // Whoever makes up times has its own packets for it.
        for (second, time) in (0..1000).zip([0, u32::MAX, 1 << 31, 7].into_iter().cycle()) {
            let stamp = [&MARK[..], &u32::to_be_bytes(time)].concat();
            lateness.handle_stamp(now + Duration::from_secs(second), &stamp);
        }
    }
}

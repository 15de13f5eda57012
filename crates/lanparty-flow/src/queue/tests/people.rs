//! A line of 20 Mbit/s that many share, in virtual time.

use super::*;
use lanparty_proto::{MacAddr, PeerId};
use std::cmp::Reverse;

/// Nanoseconds that a byte takes.
const BYTE: u64 = 8 * 1_000_000_000 / 20_000_000;
const SECONDS: u64 = 10;

/// Somebody who sends frames of one length at one rate, from so many ports in turn.
#[derive(Clone, Copy)]
struct Sender {
    person: Person,
    ports: u32,
    len: usize,
    /// Bits a second.
    rate: u64,
}

impl Sender {
    fn new(number: u16, ports: u32, len: usize, rate: u64) -> Self {
        let person = player(number);
        Sender {
            person,
            ports,
            len,
            rate,
        }
    }

    /// Sixty frames of 150 bytes a second.
    fn game(number: u16) -> Self {
        Sender::new(number, 1, 150, 60 * 150 * 8)
    }

    fn gap(&self) -> u64 {
        self.len as u64 * 8 * 1_000_000_000 / self.rate
    }
}

fn machine(peer: u16, last: u8) -> Person {
    Person::Machine {
        peer: PeerId::new(peer).unwrap(),
        mac: MacAddr::new([2, 0, 0, 0, 0, last]),
    }
}

fn player(number: u16) -> Person {
    machine(number, 1)
}

/// What became of one sender's frames.
#[derive(Debug, Default, Clone)]
struct Fate {
    sent: usize,
    /// How long those that arrived had waited, in microseconds, sorted.
    waits: Vec<u64>,
    bytes: usize,
}

impl Fate {
    fn lost(&self) -> usize {
        self.sent - self.waits.len()
    }

    fn percentile(&self, percent: usize) -> u64 {
        let last = self.waits.len() - 1;
        self.waits[(self.waits.len() * percent / 100).min(last)]
    }

    /// Of the line.
    fn share(&self) -> f64 {
        self.bytes as f64 * BYTE as f64 / (SECONDS as f64 * 1e9)
    }
}

/// Ten seconds of these together; the line is as ready as it can be.
fn evening(senders: &[Sender]) -> Vec<Fate> {
    let mut queue: FlowQueue<(usize, u64), _> =
        FlowQueue::new(512 * 1024, BuildHasherDefault::<DefaultHasher>::default());
    let begin = Instant::now();
    let at = |nanos: u64| begin + Duration::from_nanos(nanos);
    let mut fates = vec![Fate::default(); senders.len()];
    // Nobody begins in the same instant.
    let starts = (0..senders.len()).map(|index| Reverse((index as u64 * 137_731, index)));
    let mut next: BinaryHeap<_> = starts.collect();
    let mut free = 0;
    while let Some(Reverse((now, index))) =
        next.pop().filter(|next| next.0.0 < SECONDS * 1_000_000_000)
    {
        while free <= now {
            let Some((of, since)) = queue.pop(at(free), Turn::Any) else {
                free = now + 1;
                break;
            };
            fates[of].waits.push((free - since) / 1000);
            fates[of].bytes += senders[of].len;
            free += senders[of].len as u64 * BYTE;
        }
        let sender = senders[index];
        let flow = Flow::Ipv4 {
            addresses: [index as u8; 8],
            protocol: 17,
            ports: (fates[index].sent as u32 % sender.ports).to_be_bytes(),
        };
        queue.push(at(now), sender.person, flow, (index, now), sender.len);
        fates[index].sent += 1;
        next.push(Reverse((now + sender.gap(), index)));
    }
    while let Some((of, since)) = queue.pop(at(free), Turn::Any) {
        fates[of].waits.push((free - since) / 1000);
        free += senders[of].len as u64 * BYTE;
    }
    for fate in &mut fates {
        fate.waits.sort_unstable();
    }
    fates
}

/// The rows of the table in docs/performance.md: ports, bytes of a frame, megabits a second.
const FLOODS: [(u32, usize, u64); 8] = [
    (1, 1300, 40),
    (100, 300, 40),
    (1000, 1300, 40),
    (1000, 300, 40),
    (1000, 1514, 40),
    (50_000, 100, 40),
    (50_000, 300, 24),
    (50_000, 60, 40),
];

#[test]
fn one_persons_flows_cost_another_ones_game_and_copy_nothing() {
    for (ports, len, rate) in FLOODS {
        let flood = Sender::new(1, ports, len, rate * 1_000_000);
        let copy = Sender::new(3, 1, 1300, 20_000_000);
        let fates = evening(&[flood, Sender::game(2), copy]);
        let [flooded, game, copied] = &fates[..] else {
            unreachable!()
        };
        println!(
            "{ports} ports, {len} bytes, {rate} Mbit/s: game {} lost, {} / {} us; copy {:.2}, flood {:.2} of the line",
            game.lost(),
            game.percentile(50),
            game.percentile(99),
            copied.share(),
            flooded.share(),
        );
        assert_eq!(game.lost(), 0);
        assert!(game.percentile(99) <= 5000, "{} us", game.percentile(99));
        assert!(copied.share() > 0.4, "{}", copied.share());
    }
}

#[test]
fn a_crowd_of_copies_leaves_every_game_its_time() {
    // Sixty-four who copy, and sixty-four who play.
    let copies = (1..=64).map(|number| Sender::new(number, 3, 1514, 1_000_000));
    let senders: Vec<_> = copies.chain((65..=128).map(Sender::game)).collect();
    let fates = evening(&senders);
    let (copies, games) = fates.split_at(64);
    for game in games {
        assert_eq!(game.lost(), 0);
        assert!(game.percentile(99) <= 10_000, "{} us", game.percentile(99));
    }
    let shares: Vec<_> = copies.iter().map(Fate::share).collect();
    let least = shares.iter().copied().fold(f64::MAX, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    assert!(most < 1.3 * least, "{least} to {most} of the line");
}

#[test]
fn ones_own_copy_leaves_ones_own_game_its_time() {
    let copy = Sender::new(1, 1, 1300, 40_000_000);
    let fates = evening(&[copy, Sender::game(1)]);
    assert_eq!(fates[1].lost(), 0);
    assert!(
        fates[1].percentile(99) <= 2000,
        "{:?}",
        fates[1].percentile(99)
    );
}

#[test]
fn machines_behind_one_peer_are_people() {
    let flood = Sender {
        person: machine(9, 1),
        ..Sender::new(1, 1000, 300, 40_000_000)
    };
    let game = Sender {
        person: machine(9, 2),
        ..Sender::game(1)
    };
    let fates = evening(&[flood, game]);
    assert_eq!(fates[1].lost(), 0);
    assert!(fates[1].percentile(99) <= 5000);
}

#[test]
fn people_without_number_are_a_crowd() {
    let (mut queue, mut now) = (queue(LIMIT), Instant::now());
    for number in 0..20_000u32 {
        let person = Person::Machine {
            peer: PeerId::new(9).unwrap(),
            mac: MacAddr::new([2, 1, 2, 3, (number >> 8) as u8, number as u8]),
        };
        queue.push(now, person, flow(1), 0, 60);
        now += Duration::from_micros(10);
        assert!(queue.people.len() <= MOST_PEOPLE + 1);
    }
    drain(&mut queue, now);
    assert!(is_forgetful(&mut queue, now + OLDEST));
}

#[test]
fn the_heaviest_person_loses_and_nobody_else() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    // One long flow of somebody who has little in all, and many short ones of somebody who has much.
    for frame in 0..10 {
        queue.push(now, player(1), flow(1), 1, FULL);
        queue.push(now, player(2), numbered_flow(frame), 2, 100);
    }
    for frame in 10..2000 {
        queue.push(now, player(2), numbered_flow(frame), 2, 100);
    }
    let left = drain(&mut queue, now);
    assert_eq!(left.iter().filter(|&&of| of == 1).count(), 10);
}

#[test]
fn what_goes_before_bulk_of_somebody_who_sends_much_is_bounded() {
    let (mut queue, mut now) = (queue(LIMIT), Instant::now());
    let mut passed = 0;
    for number in 0..100_000u32 {
        // A new port with each frame, while the path has no room.
        queue.push(now, player(1), numbered_flow(number), 1, 100);
        passed += u32::from(queue.pop(now, Turn::SmallFlows).is_some());
        now += Duration::from_micros(10);
    }
    // A second's worth of what somebody may send who sends little, twice: as one, and as small flows.
    let most = 2 * (PERSONS_RATE + 5.0 * QUANTUM) as u32 / 100;
    assert!((100..=most).contains(&passed), "{passed}, at most {most}");
}

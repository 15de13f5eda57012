//! A line of 20 Mbit/s that many share, in virtual time.

use super::*;
use lanparty_proto::{MacAddr, PeerId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds that a byte takes.
const BYTE: u64 = 8 * 1_000_000_000 / 20_000_000;
/// As long as the table in docs/performance.md, where that does not take minutes.
const SECONDS: u64 = if cfg!(debug_assertions) { 2 } else { 10 };
const QUEUE: usize = 512 * 1024;

/// Somebody who sends frames of one length at one rate, from so many ports in turn.
#[derive(Clone, Copy)]
struct Sender {
    person: Person,
    /// A MAC of so many with each frame.
    macs: u32,
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
            macs: 1,
            ports,
            len,
            rate,
        }
    }

    /// Sixty frames of 150 bytes a second.
    fn game(number: u16) -> Self {
        Sender::new(number, 1, 150, 60 * 150 * 8)
    }

    /// Behind the same peer as others, as another machine.
    fn at(self, person: Person) -> Self {
        Sender { person, ..self }
    }

    fn person(&self, number: u32) -> Person {
        match self.person {
            Person::Machine { peer, .. } if self.macs > 1 => {
                let [_, _, high, low] = (number % self.macs).to_be_bytes();
                let mac = MacAddr::new([6, 0, 0, 0, high, low]);
                Person::Machine { peer, mac }
            }
            person => person,
        }
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

/// Some seconds of these together; the line is as ready as it can be.
fn evening(senders: &[Sender]) -> Vec<Fate> {
    let mut queue: FlowQueue<(usize, u64), _> =
        FlowQueue::new(QUEUE, BuildHasherDefault::<DefaultHasher>::default());
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
        let person = sender.person(fates[index].sent as u32);
        queue.push(at(now), person, flow, (index, now), sender.len);
        assert!(queue.memory() <= QUEUE);
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
fn a_game_that_went_past_the_queue_has_a_place_when_a_flood_begins() {
    let mut queue: FlowQueue<u32, _> =
        FlowQueue::new(QUEUE, BuildHasherDefault::<DefaultHasher>::default());
    let flow = |port: u32| Flow::Ipv4 {
        addresses: [7; 8],
        protocol: 17,
        ports: port.to_be_bytes(),
    };
    let (me, mut now) = (player(1), Instant::now());
    for _ in 0..20 {
        now += Duration::from_millis(16);
        queue.note_passed(now, Some((me, flow(0))));
    }
    (1..=1000).for_each(|port| queue.push(now, me, flow(port), port, 300));
    queue.push(now, me, flow(0), 0, 150);
    let before = std::iter::from_fn(|| queue.pop(now, Turn::Any)).position(|port| port == 0);
    assert!(before.is_some_and(|before| before < 70), "{before:?}");
}

#[test]
fn hundreds_who_copy_take_a_games_frames_no_room() {
    for peers in [80_u16, 300] {
        // Twice what the line carries, together.
        let rate = 40_000_000 / u64::from(peers);
        let copies = (2..2 + peers).map(|number| Sender::new(number, 3, 1514, rate));
        let senders: Vec<_> = [Sender::game(1)].into_iter().chain(copies).collect();
        let fates = evening(&senders);
        assert_eq!(fates[0].lost(), 0);
        let line: f64 = fates.iter().map(Fate::share).sum();
        assert!(line > 0.95, "{line}");
        if peers < 144 {
            let p99 = fates[0].percentile(99);
            assert!(p99 <= 10_000, "{p99} us");
        }
    }
}

/// Whoever came before the flood and stays has a place of its own, and keeps it.
#[test]
fn ones_own_flood_leaves_ones_own_game_its_time() {
    for (ports, len, rate) in FLOODS {
        let flood = Sender::new(1, ports, len, rate * 1_000_000);
        let fates = evening(&[Sender::game(1), flood]);
        let (lost, late) = (fates[0].lost(), fates[0].percentile(99));
        println!("{ports} ports, {len} bytes, {rate} Mbit/s: {lost} lost, 99 % in {late} us");
        assert!(lost == 0 && late <= 5000);
    }
}

/// Whoever shares the line evenly in full frames is no game.
#[test]
fn many_who_send_no_more_than_their_share_leave_a_game_its_time() {
    for people in [4, 16, 64] {
        let share = 20_000_000 / u64::from(people);
        for rate in [share * 9 / 10, share, share * 2] {
            let even = (1..=people).map(|number| Sender::new(number, 1, 1514, rate));
            let games = (100..110).map(Sender::game);
            let fates = evening(&games.chain(even).collect::<Vec<_>>());
            for game in &fates[..10] {
                let (lost, late) = (game.lost(), game.percentile(99));
                assert!(
                    lost == 0 && late <= 5000,
                    "{people} at {rate}: {lost}, {late}"
                );
            }
        }
    }
}

/// A MAC is made up in no time: they are all one peer's.
#[test]
fn made_up_people_of_the_lan_cost_a_players_game_and_copy_little() {
    for (macs, len) in [(16, 1300), (2000, 300), (50_000, 60), (50_000, 1514)] {
        let made_up = Sender {
            macs,
            ..Sender::new(9, 1, len, 40_000_000)
        };
        let copy = Sender::new(3, 1, 1300, 20_000_000);
        let fates = evening(&[made_up, Sender::game(2), copy]);
        let (lost, late) = (fates[1].lost(), fates[1].percentile(99));
        println!("{macs} MACs, {len} bytes: {lost} lost, 99 % in {late} us");
        assert!(lost == 0 && late <= 5000);
        // The LAN counts as four.
        assert!(fates[2].share() > 0.18, "{}", fates[2].share());
    }
}

/// Those who do not stay give their places back; so whoever comes in between gets one, and keeps it.
#[test]
fn made_up_people_of_the_lan_do_not_keep_out_who_is_there() {
    for (macs, len) in [(2000, 300), (50_000, 60), (50_000, 1514)] {
        let made_up = Sender {
            macs,
            ..Sender::new(9, 1, len, 40_000_000)
        };
        let game = Sender::game(1).at(machine(9, 2));
        let [early, late] = [vec![game, made_up], vec![made_up, game]].map(|order| evening(&order));
        println!(
            "{macs} MACs, {len} bytes: {} and {} lost, 99 % in {} and {} us",
            early[0].lost(),
            late[1].lost(),
            early[0].percentile(99),
            late[1].percentile(99)
        );
        assert!(early[0].lost() == 0 && early[0].percentile(99) <= 5000);
        // It has none at first: somebody else's pause comes, and with its next frame it is there.
        assert!(late[1].lost() <= late[1].sent / 10 && late[1].percentile(90) <= 5000);
    }
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
    let flood = Sender::new(1, 1000, 300, 40_000_000).at(machine(9, 1));
    let game = Sender::game(1).at(machine(9, 2));
    let fates = evening(&[flood, game]);
    assert_eq!(fates[1].lost(), 0);
    assert!(fates[1].percentile(99) <= 5000);
}

/// In a crowd as well, and on the way out of it.
#[test]
fn whoever_has_no_place_stays_in_order() {
    // Ports of one person, machines of one peer, and both.
    for (macs, ports) in [(1, 300), (300, 1), (90, 7), (300, 300)] {
        let (mut queue, mut now) = (queue(LIMIT), Instant::now());
        let mut last = std::collections::HashMap::new();
        let mut came_out = 0;
        // Every third frame is of the same one.
        let who = |number: u32| if number.is_multiple_of(3) { 0 } else { number };
        let mut look = |number: u32| {
            let of = (who(number) % macs, who(number) % ports);
            let before = last.insert(of, number);
            assert!(before < Some(number), "{number} after {before:?} of {of:?}");
            came_out += 1;
        };
        for number in 0..60_000u32 {
            let mac = who(number) % macs;
            let mac = MacAddr::new([6, 0, 0, 0, (mac >> 8) as u8, mac as u8]);
            let peer = PeerId::new(9).unwrap();
            let person = Person::Machine { peer, mac };
            queue.push(now, person, numbered_flow(who(number) % ports), number, 60);
            if frames(&queue) > 150 || number % 5 == 0 {
                queue.pop(now, Turn::Any).into_iter().for_each(&mut look);
            }
            now += Duration::from_micros(u64::from(number % 7) * 100);
        }
        drain(&mut queue, now).into_iter().for_each(&mut look);
        assert!(came_out > 30_000, "{came_out}");
        assert!(is_forgetful(&mut queue, now));
    }
}

/// However many there are, and whatever they do.
#[test]
fn the_queue_takes_no_more_memory_than_it_may() {
    for (macs, ports, len) in [
        (1, 1, 60),
        (1, 50_000, 60),
        (50_000, 1, 60),
        (300, 300, 1514),
    ] {
        let (mut queue, mut now) = (queue(LIMIT), Instant::now());
        let mut most = 0;
        for number in 0..50_000u32 {
            let mac = number % macs;
            let mac = MacAddr::new([6, 0, 0, 0, (mac >> 8) as u8, mac as u8]);
            let peer = PeerId::new(9).unwrap();
            let person = Person::Machine { peer, mac };
            queue.push(now, person, numbered_flow(number % ports), number, len);
            assert!(queue.memory() <= LIMIT, "{} bytes", queue.memory());
            most = most.max(queue.memory());
            if number.is_multiple_of(3) {
                queue.pop(now, Turn::Any);
            }
            now += Duration::from_micros(u64::from(number % 7) * 10);
        }
        assert!(most > LIMIT / 2, "what it may it also takes: {most}");
        queue.handle_timeout(now + 2 * OLDEST);
        assert_eq!((queue.memory(), queue.poll_timeout()), (0, None));
    }
}

/// What is left over of a full line goes to whoever asks for it, by people and not by flows.
#[test]
fn the_line_is_shared_by_people() {
    let rate = 30_000_000;
    let one = Sender::new(1, 1, 1514, rate);
    let many = Sender::new(2, 40, 700, rate);
    let short = Sender::new(3, 5, 90, rate);
    let fates = evening(&[one, many, short]);
    for fate in &fates {
        assert!((0.31..0.36).contains(&fate.share()), "{}", fate.share());
    }
}

/// The machines behind one peer share what is its own, up to four as that many.
#[test]
fn machines_of_a_lan_count_as_four_at_most() {
    let rate = 30_000_000;
    for (machines, heads) in [(1, 1), (3, 3), (4, 4), (9, 4)] {
        let lan = (1..=machines).map(|last| Sender::new(9, 1, 1514, rate).at(machine(9, last)));
        let players = [Sender::new(1, 1, 1514, rate), Sender::new(2, 1, 1514, rate)];
        let fates = evening(&players.into_iter().chain(lan).collect::<Vec<_>>());
        let (players, lan) = fates.split_at(2);
        let part = 1.0 / f64::from(heads + 2);
        for player in players {
            assert!(
                (player.share() / part - 1.0).abs() < 0.1,
                "{}",
                player.share()
            );
        }
        let each = part * f64::from(heads) / f64::from(machines);
        for machine in lan {
            assert!(
                (machine.share() / each - 1.0).abs() < 0.15,
                "{}",
                machine.share()
            );
        }
    }
}

#[test]
fn what_passes_a_closed_gate_is_bounded_for_a_person_and_for_a_lan() {
    // Small flows, sixty frames of 200 bytes a second each, of as many machines behind a peer that copies.
    let passed = |machines: u8, flows: u8| {
        let (mut queue, begin) = (queue(10 * LIMIT), Instant::now());
        (0..20).for_each(|_| queue.push(begin, machine(9, 1), flow(200), 1, FULL));
        while queue.pop(begin, Turn::SmallFlows).is_some() {}
        let mut passed = 0;
        for tick in 1..=120 {
            let now = begin + Duration::from_millis(tick * 1000 / 60);
            for last in 1..=machines {
                (0..flows).for_each(|of| queue.push(now, machine(9, last), flow(of), 200, 200));
            }
            passed += std::iter::from_fn(|| queue.pop(now, Turn::SmallFlows)).sum::<u32>();
        }
        passed
    };
    // Two seconds of 64 and of four times 128 kilobytes, and what is there at the beginning.
    assert_eq!(passed(1, 5), 120 * 5 * 200);
    assert_eq!(passed(12, 2), 120 * 24 * 200);
    for (machines, flows, most) in [(1, 31, 2 * 64_000), (50, 2, 2 * 512_000)] {
        let (passed, offered) = (
            passed(machines, flows),
            24_000 * u32::from(machines * flows),
        );
        assert!(offered > most + 10_000, "a smaller bound shows nothing");
        assert!(
            (10_000..most + 10_000).contains(&passed),
            "{passed}, {most}"
        );
    }
}

/// Whoever makes up a flow with each frame has few small ones.
#[test]
fn new_flows_without_number_do_not_pass_a_closed_gate() {
    for macs in [1, 50_000] {
        let (mut queue, mut now) = (queue(LIMIT), Instant::now());
        let sender = Sender {
            macs,
            ..Sender::new(9, 1, 100, 1)
        };
        let mut passed = 0;
        for number in 0..100_000u32 {
            queue.push(now, sender.person(number), numbered_flow(number), 1, 100);
            passed += u32::from(queue.pop(now, Turn::SmallFlows).is_some());
            now += Duration::from_micros(10);
        }
        assert!((10..=200).contains(&passed), "{passed}");
    }
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
        assert!(queue.memory() <= LIMIT);
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

use super::*;
use proptest::prelude::*;

const STEP: Duration = Duration::from_millis(5);

/// A path, in milliseconds since it was made.
#[derive(Debug, Clone)]
struct Path {
    rtt: u64,
    /// While one of these lasts nothing gets there.
    breaks: Vec<(u64, u64)>,
    /// Full packets get lost.
    is_narrow: bool,
}

impl Path {
    fn new(rtt: u64) -> Self {
        Path {
            rtt,
            breaks: Vec::new(),
            is_narrow: false,
        }
    }

    fn broken(self, from: u64, until: u64) -> Self {
        let mut breaks = self.breaks;
        breaks.push((from, until));
        Path { breaks, ..self }
    }

    fn carries(&self, at: u64) -> bool {
        !self
            .breaks
            .iter()
            .any(|&(from, until)| (from..until).contains(&at))
    }
}

/// A peer that sends frames at these times, and has its turn unless it stands still.
struct Play {
    start: Instant,
    ways: Ways,
    path: Path,
    relay: Quality,
    loss_permille: u16,
    /// What comes back, and when: echoes by number, and acknowledgements.
    coming: Vec<(u64, Option<u32>)>,
    signs: u64,
    questions: u64,
    /// When frames began to go another way.
    changes: Vec<(u64, bool)>,
}

impl Play {
    fn new(path: Path, relay_rtt: u64) -> Self {
        let start = Instant::now();
        Play {
            start,
            ways: Ways::new(start, Trial::default()),
            path,
            relay: Quality {
                rtt: Duration::from_millis(relay_rtt),
                loss_permille: 0,
            },
            loss_permille: 0,
            coming: Vec::new(),
            signs: 0,
            questions: 0,
            changes: Vec::new(),
        }
    }

    fn now(&self, at: u64) -> Instant {
        self.start + Duration::from_millis(at)
    }

    /// Goes on from one moment to another, with frames at these; the peer has no turn while `is_still`.
    fn go(
        &mut self,
        from: u64,
        until: u64,
        sends: impl Fn(u64) -> bool,
        is_still: impl Fn(u64) -> bool,
    ) {
        let mut at = from;
        while at < until {
            if !is_still(at) {
                self.turn(at, sends(at));
            }
            at += STEP.as_millis() as u64;
        }
    }

    fn turn(&mut self, at: u64, sends: bool) {
        let now = self.now(at);
        let (come, coming) = self.coming.drain(..).partition(|&(when, _)| when <= at);
        self.coming = coming;
        let come: Vec<(u64, Option<u32>)> = come;
        for (_, echo) in come {
            self.signs += 1;
            if let Some(number) = echo {
                self.ways.handle_echo(now, number);
            }
        }
        if sends && self.ways.is_direct() {
            self.ways.note_sent(now);
            self.send(at, None, false);
        }
        while let Some(question) = self.ways.poll(now, self.signs) {
            self.questions += 1;
            self.send(at, Some(question.number), question.is_full);
        }
        if at.is_multiple_of(250) {
            self.ways.judge(now, self.relay, self.loss_permille);
        }
        let is_direct = self.ways.is_direct();
        if self
            .changes
            .last()
            .map_or(is_direct, |&(_, was)| was != is_direct)
        {
            self.changes.push((at, is_direct));
        }
    }

    fn send(&mut self, at: u64, echo: Option<u32>, is_full: bool) {
        let arrives = self.path.carries(at) && self.path.carries(at + self.path.rtt);
        if arrives && !(is_full && self.path.is_narrow) {
            self.coming.push((at + self.path.rtt, echo));
        }
    }

    fn is_direct(&self) -> bool {
        self.ways.is_direct()
    }
}

fn never(_: u64) -> bool {
    false
}

/// A game: 50 frames a second.
fn game(at: u64) -> bool {
    at.is_multiple_of(20)
}

#[test]
fn a_path_that_is_as_good_is_taken_within_a_second() {
    for (rtt, relay) in [(5, 40), (20, 20), (5, 4), (180, 240)] {
        let mut play = Play::new(Path::new(rtt), relay);
        play.go(0, 3000, game, never);
        let &(at, direct) = play.changes.first().expect("it was taken");
        assert!(direct && at <= 1000, "{rtt} {relay}: {at}");
        assert_eq!(play.changes.len(), 1);
    }
}

#[test]
fn a_longer_path_and_one_that_loses_more_are_not() {
    let mut play = Play::new(Path::new(30), 25);
    play.go(0, 60_000, game, never);
    assert_eq!(play.changes, []);
    assert_eq!(play.ways.why(), Some(Why::Slower));
    assert!(play.questions < 100, "{} questions", play.questions);
    let mut play = Play::new(Path::new(5), 25);
    play.loss_permille = 30;
    play.go(0, 60_000, game, never);
    assert_eq!(play.changes, []);
}

#[test]
fn a_path_that_swallows_full_packets_is_none() {
    let mut path = Path::new(5);
    path.is_narrow = true;
    let mut play = Play::new(path, 40);
    play.go(0, 60_000, game, never);
    assert_eq!(play.changes, []);
    assert_eq!(play.ways.why(), Some(Why::Narrow));
    // It becomes wider.
    play.path.is_narrow = false;
    play.go(60_000, 90_000, game, never);
    assert!(play.is_direct());
    // And narrow again, for which there is no hurry: what fits still gets there.
    play.path.is_narrow = true;
    play.go(90_000, 120_000, game, never);
    assert!(!play.is_direct());
    assert_eq!(play.ways.why(), Some(Why::Narrow));
}

#[test]
fn a_path_that_breaks_is_left_at_once_and_tried_ever_later() {
    let path = Path::new(20).broken(10_000, 12_000).broken(40_000, 42_000);
    let mut play = Play::new(path, 40);
    play.go(0, 120_000, game, never);
    let [_, (left, false), (back, true), (again, false), (last, true)] = play.changes[..] else {
        panic!("{:?}", play.changes);
    };
    assert!((10_000..10_400).contains(&left), "{left}");
    assert!((22_000..24_500).contains(&back), "{back}");
    assert!((40_000..40_400).contains(&again), "{again}");
    assert!((62_000..64_500).contains(&last), "{last}");
}

#[test]
fn what_takes_its_place_knows_what_it_was_worth() {
    let mut play = Play::new(Path::new(20).broken(5000, 7000), 40);
    play.go(0, 7000, game, never);
    play.ways = Ways::new(play.now(7000), play.ways.trial());
    play.go(7000, 16_000, game, never);
    assert!(!play.is_direct());
    play.go(16_000, 20_000, game, never);
    assert!(play.is_direct());
}

#[test]
fn a_short_path_that_gets_long_is_left_after_five_seconds() {
    let mut play = Play::new(Path::new(20), 40);
    play.go(0, 10_000, game, never);
    play.path.rtt = 100;
    play.go(10_000, 14_000, game, never);
    assert!(play.is_direct());
    play.go(14_000, 20_000, game, never);
    assert!(!play.is_direct());
    // A little longer is none that one would notice.
    let mut play = Play::new(Path::new(20), 20);
    play.go(0, 5000, game, never);
    play.relay.rtt = Duration::from_millis(17);
    play.go(5000, 60_000, game, never);
    assert!(play.is_direct());
}

#[test]
fn ways_that_take_turns_in_being_better_are_not_followed() {
    let mut play = Play::new(Path::new(20), 40);
    play.go(0, 3000, game, never);
    for second in (3..60).step_by(2) {
        let relay = if second % 4 == 3 { 5 } else { 60 };
        play.relay.rtt = Duration::from_millis(relay);
        play.go(second * 1000, (second + 2) * 1000, game, never);
    }
    assert_eq!(play.changes.len(), 1, "{:?}", play.changes);
}

#[test]
fn nothing_is_concluded_from_a_sleep() {
    for still in [(5000, 5450), (5000, 8000), (5003, 60_000)] {
        let mut play = Play::new(Path::new(20), 40);
        let is_still = |at| (still.0..still.1).contains(&at);
        play.go(0, 70_000, game, is_still);
        assert_eq!(play.changes.len(), 1, "{:?}", play.changes);
    }
}

#[test]
fn an_echo_that_was_read_late_is_no_longer_path() {
    let mut play = Play::new(Path::new(20), 25);
    play.go(0, 5000, never, never);
    for second in 5..60 {
        let is_still = |at| at % 3000 < 150;
        play.go(second * 1000, (second + 1) * 1000, never, is_still);
    }
    assert_eq!(play.changes.len(), 1, "{:?}", play.changes);
    assert_eq!(play.ways.rtt(), Some(Duration::from_millis(20)));
}

#[test]
fn two_ends_of_one_path_need_not_both_find_out() {
    let mut play = Play::new(Path::new(20).broken(5000, 9000), 40);
    play.go(0, 5200, game, never);
    assert!(play.is_direct());
    play.ways.doubt(play.now(5200));
    assert!(!play.is_direct());
    // On a path that answers it means nothing.
    let mut play = Play::new(Path::new(20), 40);
    play.go(0, 5000, game, never);
    for at in (5000..10_000).step_by(5) {
        play.turn(at, game(at));
        play.ways.doubt(play.now(at));
    }
    assert!(play.is_direct());
}

#[test]
fn an_idle_path_is_asked_once_a_second() {
    let mut play = Play::new(Path::new(20), 40);
    play.go(0, 10_000, never, never);
    assert!(play.is_direct());
    let before = play.questions;
    play.go(10_000, 70_000, never, never);
    assert!((58..=62).contains(&(play.questions - before)));
    // What breaks then is known before a game needs it.
    play.path = Path::new(20).broken(70_000, 90_000);
    play.go(70_000, 71_600, never, never);
    assert!(!play.is_direct());
}

#[test]
fn another_address_of_this_machine_is_another_path() {
    let mut play = Play::new(Path::new(20), 40);
    play.go(0, 3000, game, never);
    play.ways.break_off();
    assert!(!play.is_direct());
    play.go(3000, 12_000, game, never);
    assert!(!play.is_direct());
}

#[test]
fn two_parts_lose_what_each_of_them_loses() {
    let part = |rtt, loss_permille| Quality {
        rtt: Duration::from_millis(rtt),
        loss_permille,
    };
    assert_eq!(part(10, 100).then(part(20, 500)), part(30, 550));
    assert_eq!(part(10, 0).then(part(20, 0)), part(30, 0));
    assert_eq!(part(10, 2000).then(part(20, 5)), part(30, 1000));
}

proptest! {
    /// Whenever it plays, and however much, and whoever stands still meanwhile.
    #[test]
    fn a_path_that_carries_all_is_never_left(
        rtt in 0u64..400,
        frames in proptest::collection::btree_set(0u64..6000, 0..60),
        still in proptest::collection::vec((0u64..30_000, 0u64..5000), 0..4),
    ) {
        let mut play = Play::new(Path::new(rtt), rtt + 10_000);
        let sends = |at: u64| frames.contains(&(at / 5));
        let is_still = |at: u64| still.iter().any(|&(from, long)| (from..from + long).contains(&at));
        play.go(0, 30_000, sends, is_still);
        prop_assert!(play.changes.len() <= 1, "{:?}", play.changes);
    }

    /// Whenever that is.
    #[test]
    fn a_path_that_breaks_in_a_game_is_left_in_time(rtt in 0u64..130, at in 3000u64..9000) {
        let mut play = Play::new(Path::new(rtt).broken(at, 20_000), rtt + 10);
        play.go(0, 10_000, game, never);
        let broken = at - rtt.min(at);
        let left = play.changes.iter().find(|&&(_, direct)| !direct);
        prop_assert!(left.is_some_and(|&(left, _)| left >= broken && left <= at + 405), "{:?}", play.changes);
    }

    /// Whatever the path does.
    #[test]
    fn it_is_not_taken_before_a_full_packet_came_back(
        rtt in 0u64..200,
        breaks in proptest::collection::vec((0u64..20_000, 0u64..5000), 0..5),
    ) {
        let mut path = Path::new(rtt);
        path.is_narrow = true;
        for (from, long) in breaks {
            path = path.broken(from, from + long);
        }
        let mut play = Play::new(path, rtt + 10);
        play.go(0, 20_000, game, never);
        prop_assert_eq!(play.changes, vec![]);
    }

    /// Whatever echoes come.
    #[test]
    fn an_echo_of_nothing_says_nothing(numbers in proptest::collection::vec(any::<u32>(), 0..50)) {
        let start = Instant::now();
        let mut ways = Ways::new(start, Trial::default());
        for number in numbers {
            ways.handle_echo(start, number);
        }
        prop_assert_eq!(ways.rtt(), None);
    }
}

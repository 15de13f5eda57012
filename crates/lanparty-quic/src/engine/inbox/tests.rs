use super::*;
use lanparty_proto::{MacAddr, PeerId};
use smallvec::smallvec;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

fn parcel(number: u64) -> Parcel {
    parcel_of(1, number)
}

fn parcel_of(peer: u16, number: u64) -> Parcel {
    Parcel {
        handle: ConnectionHandle(0),
        number,
        now: Instant::now(),
        person: Person::Machine {
            peer: PeerId::new(peer).unwrap(),
            mac: MacAddr::new([number as u8; 6]),
        },
        flow: Flow::Other {
            addresses: [0; 12],
            kind: [0; 2],
        },
        pieces: smallvec![Bytes::from_static(&[0; 100])],
    }
}

fn numbers(inbox: &Inbox, from: usize) -> Vec<u64> {
    lock(&inbox.frames[from])
        .frames
        .iter()
        .map(|parcel| parcel.number)
        .collect()
}

#[test]
fn a_loop_that_floods_fills_its_own_place_alone() {
    let inbox = Arc::new(Inbox::new(7, 0, 3));
    let most = inbox.room / parcel(0).memory();
    let flood = {
        let inbox = inbox.clone();
        let flooding = move || {
            HERE.set(Some((7, 1)));
            (0..2 * most as u64)
                .filter(|&number| inbox.push(parcel_of((number % 64) as u16 + 1, number)))
                .count()
        };
        std::thread::spawn(flooding)
    };
    assert_eq!(flood.join().unwrap(), most);
    HERE.set(Some((7, 2)));
    assert!((0..100).all(|number| inbox.push(parcel(number))));
    assert_eq!(numbers(&inbox, 2), (0..100).collect::<Vec<_>>());
    assert_eq!(numbers(&inbox, 1).len(), most);
    // Another endpoint's loop is none of ours.
    HERE.set(Some((8, 1)));
    assert!(inbox.push(parcel(1)) && inbox.is_away());
    assert_eq!(numbers(&inbox, 3), [1]);
    inbox.awake();
    assert!(!inbox.is_away());
}

#[test]
fn whoever_sleeps_is_woken_once_and_whoever_does_not_goes_on() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let count = Arc::new(Count(0.into()));
    let waker = Waker::from(count.clone());
    let cx = Context::from_waker(&waker);
    let inbox = Inbox::new(7, 0, 2);
    let woken = || count.0.load(Ordering::SeqCst);
    assert!(inbox.sleep(&cx), "nothing has come");
    (0..50).for_each(|number| assert!(inbox.push(parcel(number))));
    assert_eq!(woken(), 1);
    inbox.awake();
    inbox.push(parcel(1));
    assert_eq!(woken(), 1, "it is awake");
    assert!(!inbox.sleep(&cx), "that one has come meanwhile");
}

#[test]
fn a_peer_that_floods_leaves_room_for_the_others_of_its_loop() {
    let inbox = Inbox::new(7, 0, 3);
    let mut state = Vec::new();
    for _ in 0..3 {
        HERE.set(Some((7, 1)));
        while inbox.push(parcel_of(1, 0)) {}
        let others = (2..=5).flat_map(|machine| (0..20).map(move |_| machine));
        assert!(
            others
                .into_iter()
                .all(|machine| inbox.push(parcel_of(machine, 1)))
        );
        let waiting = &mut *lock(&inbox.frames[1]);
        let of_the_flood = waiting.frames.iter().filter(|frame| frame.number == 0);
        let of_the_flood: usize = of_the_flood.map(Parcel::memory).sum();
        assert!(of_the_flood > inbox.room / 2 && of_the_flood < inbox.room * 5 / 8);
        // The next turn begins anew.
        waiting.take(&mut state);
        state.clear();
    }
}

#[test]
fn what_waits_is_bounded_in_bytes_however_many_loops_there_are() {
    for loops in [2, 8, 64] {
        let inbox = Inbox::new(7, 0, loops);
        assert!(inbox.room * (loops + 1) <= MAX_BYTES.max(LEAST_PLACE * (loops + 1)));
        HERE.set(Some((7, 1)));
        let mut frames = 0_usize;
        while inbox.push(parcel_of((frames % 50) as u16 + 1, frames as u64)) {
            frames += 1;
        }
        let waiting = lock(&inbox.frames[1]);
        let held: usize = waiting.frames.iter().map(Parcel::memory).sum();
        assert!(held <= inbox.room && waiting.bytes == held);
    }
}

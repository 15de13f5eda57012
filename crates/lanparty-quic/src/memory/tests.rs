use super::*;
use crate::control::{self, ControlError, Messages};
use crate::engine::StreamError;
use crate::tls::{Identity, Trust};
use crate::{Congestion, Endpoint, PathFloor};
use lanparty_proto::{FrameBuf, Header, PeerId, RoomId, fragment};
use std::sync::atomic::AtomicBool;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const ANN: u8 = 1;
const BEN: u8 = 2;

#[test]
fn frames_of_a_flow_come_in_order() {
    let (mut frames, now) = (Frames::default(), Instant::now());
    for number in 0..200 {
        push(&mut frames, now, ANN, number, 300);
    }
    let numbers: Vec<_> = take_all(&mut frames, now).iter().map(number_of).collect();
    assert!(numbers.into_iter().eq(0..200));
}

#[test]
fn one_players_flood_does_not_keep_anothers_frame_waiting() {
    let (mut frames, now) = (Frames::default(), Instant::now());
    for number in 0..1000 {
        push(&mut frames, now, ANN, number, 1514);
    }
    push(&mut frames, now, BEN, 0, 100);
    let all = take_all(&mut frames, now);
    let turn = all.iter().position(|frame| sender_of(frame) == BEN);
    assert!(turn.is_some_and(|turn| turn < 64), "{turn:?}");
}

#[test]
fn what_nobody_has_read_for_a_second_is_thrown_away_when_the_next_frame_comes() {
    let (mut frames, start) = (Frames::default(), Instant::now());
    for number in 0..100 {
        push(&mut frames, start, ANN, number, 1514);
    }
    let later = start + Duration::from_secs(2);
    push(&mut frames, later, BEN, 0, 100);
    let queue = frames.stats();
    assert_eq!((queue.late(), queue.bytes), (100, 108));
    assert_eq!(take_all(&mut frames, later).len(), 1);
}

#[tokio::test]
async fn both_ways_are_open() {
    let (near, far) = connected(None);
    for (from, to) in [(&near, &far), (&far, &near)] {
        send(from, ANN, 7, 300).unwrap();
        assert_eq!(read_all(to).await.iter().map(number_of).next(), Some(7));
    }
}

#[tokio::test]
async fn whoever_waits_for_a_frame_is_woken() {
    let (near, far) = connected(None);
    let waiting = tokio::spawn(async move {
        let mut room = [Bytes::new()];
        far.read_datagrams(&mut room).await.unwrap();
        number_of(&room[0])
    });
    tokio::task::yield_now().await;
    send(&near, ANN, 7, 60).unwrap();
    assert_eq!(waiting.await.unwrap(), 7);
}

#[tokio::test]
async fn a_handler_is_called_in_the_senders_turn_and_for_what_has_waited() {
    let (near, far) = connected(None);
    send(&near, ANN, 1, 60).unwrap();
    send(&near, ANN, 2, 60).unwrap();
    let seen = noted(&far, |_| {});
    assert_eq!(*lock(&seen), [1, 2]);
    send(&near, ANN, 3, 60).unwrap();
    assert_eq!(*lock(&seen), [1, 2, 3]);
    assert_eq!(ready(far.read_datagrams(&mut [Bytes::new()])), None);
    assert_eq!(near.stats(&mut WaitWindow::new(1)).unwrap().queue.bytes, 0);
}

#[tokio::test]
async fn a_handler_may_send_both_ways_and_end_the_connection() {
    let (near, far) = connected(None);
    let (there, back) = (near.clone(), far.clone());
    let seen = noted(&far, move |number| {
        send(&back, BEN, 10 * number, 60).unwrap();
        match number {
            1 => drop(send(&there, ANN, 2, 60).unwrap()),
            2 => drop(send(&there, ANN, 3, 60).unwrap()),
            _ => there.close(CloseCode::Bye),
        }
    });
    send(&near, ANN, 1, 60).unwrap();
    assert_eq!(*lock(&seen), [1, 2, 3]);
    assert_eq!(send(&near, ANN, 4, 60), Err(DropReason::LinkDown));
    assert_eq!(Arc::strong_count(&seen), 1, "the handler is gone");
}

#[tokio::test]
async fn a_handler_is_dropped_with_the_connection_and_keeps_nobody() {
    for who_ends in 0..3 {
        let (dialer, mut listener) = listen();
        let near = dialer.connect(None).await.unwrap();
        let far = listener.accept().await.unwrap();
        let its_own = far.clone();
        let seen = noted(&far, move |_| its_own.close(CloseCode::Bye));
        drop(far);
        match who_ends {
            0 => near.close(CloseCode::Bye),
            1 => drop(near),
            _ => {
                drop(listener);
                assert_eq!(near.closed().await, Closed::ByPeer(String::new()));
            }
        }
        assert_eq!(Arc::strong_count(&seen), 1, "{who_ends}");
    }
}

#[tokio::test]
async fn a_task_with_turns_of_its_own_is_woken_for_frames_its_time_and_the_end() {
    let (near, far) = connected(None);
    let mut drive = near.drive();
    let begun = Instant::now();
    // The moment at which its turns were taken is over, for tokio's clock of milliseconds too, and wakes nobody.
    while begun.elapsed() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    let hour = Some(Instant::now() + Duration::from_secs(3600));
    assert!(!wakes(&mut drive, hour).await, "nothing waits");
    send(&far, ANN, 1, 60).unwrap();
    assert!(wakes(&mut drive, hour).await, "something waits");
    read_all(&near).await;
    assert!(!wakes(&mut drive, hour).await);
    assert!(wakes(&mut drive, Some(Instant::now())).await);
    assert!(!wakes(&mut drive, hour).await, "it was put off");
    let soon = Instant::now() + Duration::from_millis(20);
    poll_fn(|cx| match soon <= Instant::now() {
        true => Poll::Ready(()),
        false => {
            drive.rest(cx, Some(soon));
            Poll::Pending
        }
    })
    .await;
    let flag = Arc::<Flag>::default();
    drive.rest(&mut Context::from_waker(&flag.clone().into()), hour);
    send(&far, ANN, 2, 60).unwrap();
    assert!(flag.0.load(Ordering::Relaxed));
    read_all(&near).await;
    drop(far);
    assert!(wakes(&mut drive, hour).await);
}

#[tokio::test]
async fn what_waits_for_a_reader_that_has_stopped_is_bounded_and_the_dead_are_counted() {
    let (near, far) = connected(None);
    for len in [60, 1514] {
        for number in 0..20_000 {
            send(&near, ANN, number, len).unwrap();
        }
        let waits = near.queue_stats().bytes;
        assert!(waits <= crate::engine::QUEUE_LIMIT as u64, "{waits}");
    }
    let read = read_all(&far).await.len() as u64;
    let queue = near.queue_stats();
    let died = queue.without_room() + queue.late();
    assert_eq!((read + died, queue.bytes), (40_000, 0));
    assert!(queue.without_room() > 0, "{queue:?}");
    assert_eq!(far.queue_stats(), QueueStats::default());
}

#[tokio::test]
async fn short_frames_that_wait_hold_no_memory_but_their_own() {
    let (near, far) = connected(None);
    let slab = Bytes::from([frame(ANN, 1, 60), Bytes::from(vec![0; 60_000])].concat());
    let frame = slab.slice(..68);
    near.send_frame(Instant::now(), frame, || 0, None).unwrap();
    assert!(slab.is_unique(), "the queue holds all of it");
    assert_eq!(read_all(&far).await.len(), 1);
}

#[tokio::test]
async fn nothing_is_cut_unless_somebody_wants_that() {
    let (near, far) = connected(None);
    let whole = frame(ANN, 1, 1514);
    let send = |cap| near.send_frame(Instant::now(), whole.clone(), || 9, cap);
    assert_eq!(send(None), Ok(1));
    assert_eq!(send(Some(near.budget())), Ok(1));
    assert_eq!(read_all(&far).await, [whole.clone(), whole.clone()]);
    let cap = DatagramBudget::new(600).unwrap();
    assert_eq!(send(Some(cap)), Ok(3));
    let pieces = read_all(&far).await;
    assert!(pieces.iter().all(|piece| piece.len() <= 600));
    let (header, inner) = Header::decode(&whole).unwrap();
    let expected: Vec<_> = fragment::cut(header, 9, inner, cap).collect();
    assert_eq!(pieces, expected, "in order, and none between them");
}

#[tokio::test]
async fn pieces_that_find_no_room_at_the_reader_come_next() {
    let (near, far) = connected(None);
    let cap = DatagramBudget::new(600);
    let send = |from| near.send_frame(Instant::now(), frame(from, 1, 1514), || 9, cap);
    send(ANN).unwrap();
    send(BEN).unwrap();
    let mut senders = Vec::new();
    for _ in 0..6 {
        let mut room = [Bytes::new()];
        assert_eq!(far.read_datagrams(&mut room).await, Ok(1));
        senders.push(Header::decode(&room[0]).unwrap().0.fragment);
    }
    assert_eq!(senders, [true; 6]);
    assert_eq!(near.queue_stats().bytes, 0);
}

#[tokio::test]
async fn a_probe_goes_before_all_frames_and_is_refused_when_too_many_wait() {
    let (near, far) = connected(None);
    send(&near, ANN, 1, 60).unwrap();
    let probe = Bytes::from_static(b"probe");
    let mut sent = 0;
    while near.send_probe(probe.clone()).is_ok() {
        sent += 1;
    }
    assert_eq!(near.send_probe(probe.clone()), Err(DropReason::QueueFull));
    let read = read_all(&far).await;
    assert_eq!(read.iter().take_while(|&read| *read == probe).count(), sent);
    assert_eq!(read.len(), sent + 1);
}

#[tokio::test]
async fn both_ends_have_what_no_other_connection_has() {
    let (near, far) = connected(None);
    assert_eq!(near.channel_binding(), far.channel_binding());
    let (other, _far) = connected(None);
    assert_ne!(near.channel_binding(), other.channel_binding());
}

#[tokio::test]
async fn whoever_dials_is_who_it_says() {
    let key = IdentityKey::from_random([3; 32]);
    let (near, far) = connected(Some(&key));
    assert_eq!(
        (near.identity(), far.identity()),
        (None, Some(key.fingerprint()))
    );
    let (_near, far) = connected(None);
    assert_eq!(far.identity(), None);
}

#[tokio::test]
async fn there_is_no_path_so_none_is_long_or_loses_anything() {
    let (near, far) = connected(None);
    assert_eq!(near.rtt(), Some(Duration::ZERO));
    assert_eq!(near.loss_permille(), None);
    let stats = near.stats(&mut WaitWindow::new(1)).unwrap();
    assert_eq!(stats.congestion.controller, Controller::None);
    // Whoever asks is never told that the other end was silent.
    let mut before = near.heard();
    for _ in 0..5 {
        assert_ne!(near.heard(), before);
        before = near.heard();
    }
    drop(far);
    assert_eq!(near.heard(), near.heard());
    assert_eq!(near.stats(&mut WaitWindow::new(1)), None);
}

#[tokio::test]
async fn a_room_that_begins_here_has_the_mtu_of_an_ordinary_path() {
    let name = "lanparty-relay";
    let identity = Identity::self_signed(name, &Identity::new_key().unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let relay = Endpoint::server(listen, &identity, Congestion::default()).unwrap();
    let address = relay.local_address().unwrap();
    let client = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
    let trust = Trust::pinned(identity.pin());
    let connecting = client.connect(address, name, &trust, None, PathFloor::Ordinary);
    let accepting = async {
        let stranger = relay.accept().await.unwrap();
        stranger.accept(Duration::from_secs(5)).await
    };
    let (over_quic, _relay) = tokio::join!(connecting, accepting);
    let (in_memory, _far) = connected(None);
    assert_eq!(in_memory.budget(), over_quic.unwrap().budget());
}

#[tokio::test]
async fn each_end_knows_who_has_closed_it_and_why() {
    let (near, far) = connected(None);
    send(&near, ANN, 1, 60).unwrap();
    far.close(CloseCode::Rejected);
    near.close(CloseCode::Bye);
    let rejected = Closed::ByPeer("rejected".to_owned());
    assert_eq!(far.closed().await, Closed::ByUs);
    assert_eq!(near.closed().await, rejected);
    let mut room = [Bytes::new()];
    assert_eq!(near.read_datagrams(&mut room).await, Err(rejected.clone()));
    assert_eq!(far.read_datagrams(&mut room).await, Err(Closed::ByUs));
    assert_eq!(send(&near, ANN, 2, 60), Err(DropReason::LinkDown));
    assert_eq!(near.open_uni().await.unwrap_err(), rejected);
    assert_eq!(near.queue_stats().bytes, 68, "as that was at its end");
}

#[tokio::test]
async fn the_end_is_told_to_whoever_waits_for_anything() {
    let (near, far) = connected(None);
    let (mut send, mut receive) = near.open_bi().await.unwrap();
    let mut room = [Bytes::new()];
    let mut byte = [0];
    let waiting = async {
        tokio::join!(
            near.read_datagrams(&mut room),
            near.accept_uni(),
            near.accept_bi(),
            near.closed(),
            receive.read_exact(&mut byte),
            send.write_all(&[0; 1_000_000]),
        )
    };
    let end = async {
        tokio::task::yield_now().await;
        drop(far);
    };
    let (ends, ()) = tokio::join!(waiting, end);
    let closed = Closed::ByPeer(String::new());
    assert_eq!(ends.0.unwrap_err(), closed);
    assert_eq!(ends.1.unwrap_err(), closed);
    assert_eq!(ends.2.unwrap_err(), closed);
    assert_eq!(ends.3, closed);
    assert!(matches!(ends.4, Err(StreamError::Closed(_))));
    assert!(matches!(ends.5, Err(StreamError::Closed(_))));
}

#[tokio::test]
async fn messages_come_in_order_on_streams_of_their_own_and_together() {
    let (near, far) = connected(None);
    let say = async {
        control::send_message(&near, &"one").await.unwrap();
        control::send_messages(&near, &["two", "three"])
            .await
            .unwrap();
    };
    let hear = async {
        let mut messages = Messages::new(far.clone());
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(messages.next::<String>().await.unwrap());
        }
        heard
    };
    let ((), heard) = tokio::join!(say, hear);
    assert_eq!(heard, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_question_is_answered_on_its_own_stream() {
    let (near, far) = connected(None);
    let ask = async {
        let (mut send, mut receive) = near.open_bi().await.unwrap();
        control::write_message(&mut send, &"hello").await.unwrap();
        control::read_message::<String>(&mut receive).await
    };
    let answer = async {
        let (mut send, mut receive) = far.accept_bi().await.unwrap();
        let hello: String = control::read_message(&mut receive).await.unwrap();
        control::write_message(&mut send, &hello.to_uppercase())
            .await
            .unwrap();
    };
    let (heard, ()) = tokio::join!(ask, answer);
    assert_eq!(heard.unwrap(), "HELLO");
}

#[tokio::test]
async fn a_stream_that_ends_too_early_or_is_not_wanted_says_so() {
    let (near, far) = connected(None);
    let mut send = near.open_uni().await.unwrap();
    let mut receive = far.accept_uni().await.unwrap();
    send.write_all(&[0, 0]).await.unwrap();
    drop(send);
    let broken = control::read_message::<String>(&mut receive).await;
    assert!(matches!(broken, Err(ControlError::Stream(_))), "{broken:?}");

    let mut send = near.open_uni().await.unwrap();
    drop(far.accept_uni().await.unwrap());
    let refused = send.write_all(&[0]).await;
    assert!(matches!(refused, Err(StreamError::GivenUp)), "{refused:?}");

    send.finish().unwrap();
    assert!(send.finish().is_err(), "once");
}

#[tokio::test]
async fn whoever_does_not_read_makes_the_other_end_wait() {
    let (near, far) = connected(None);
    let mut send = near.open_uni().await.unwrap();
    let window = vec![7; crate::transport::STREAM_WINDOW as usize];
    send.write_all(&window).await.unwrap();
    assert!(!is_ready(send.write_all(&[7])), "the window is full");
    let mut waiting = vec![send];
    for _ in 1..crate::transport::MAX_STREAMS {
        waiting.push(near.open_uni().await.unwrap());
    }
    assert!(!is_ready(near.open_uni()), "and there are many streams");
    drop(far.accept_uni().await.unwrap());
    assert!(is_ready(near.open_uni()));
}

#[tokio::test]
async fn frames_of_all_connections_are_counted_once() {
    let (dialer, mut listener) = listen();
    let tally = listener.tally();
    let total = || {
        let mut totals = Totals::default();
        tally.add_to(&mut totals);
        (totals.queue.without_room(), totals.waited.by_power())
    };
    let mut lost = 0;
    for turn in 0..3 {
        let near = dialer.connect(None).await.unwrap();
        let far = listener.accept().await.unwrap();
        for number in 0..5_000 {
            send(&far, ANN, number, 1514).unwrap();
            // What the dialer sends is its own business.
            send(&near, ANN, number, 1514).unwrap();
        }
        read_all(&near).await;
        lost += far.queue_stats().without_room();
        let counted = total();
        assert_eq!(counted.0, lost, "{turn}");
        drop((near, far));
        assert_eq!(total(), counted, "{turn}");
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn without_a_listener_nobody_connects() {
    let (dialer, listener) = listen();
    drop(listener);
    let error = dialer.connect(None).await.unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

fn connected(identity: Option<&IdentityKey>) -> (crate::Connection, crate::Connection) {
    let identity = identity.map(IdentityKey::fingerprint);
    let (near, far) = pair(rand::random(), identity, &Arc::default());
    (near.into(), far.into())
}

fn send(
    from: &crate::Connection,
    sender: u8,
    number: u32,
    len: usize,
) -> Result<usize, DropReason> {
    from.send_frame(Instant::now(), frame(sender, number, len), || 0, None)
}

/// The numbers of the frames for which a handler is called, which then does something with each.
fn noted(
    to: &crate::Connection,
    mut then: impl FnMut(u32) + Send + 'static,
) -> Arc<Mutex<Vec<u32>>> {
    let seen = Arc::<Mutex<Vec<u32>>>::default();
    let notes = seen.clone();
    to.hand_datagrams_to(move |_, datagrams| {
        for datagram in datagrams {
            lock(&notes).push(number_of(datagram));
            then(number_of(datagram));
        }
    });
    seen
}

/// Whether the task is woken again without anything happening.
async fn wakes(drive: &mut crate::Drive, at: Option<Instant>) -> bool {
    let flag = Arc::<Flag>::default();
    drive.rest(&mut Context::from_waker(&flag.clone().into()), at);
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    flag.0.load(Ordering::Relaxed)
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn push(frames: &mut Frames, now: Instant, sender: u8, number: u32, len: usize) {
    let datagram = frame(sender, number, len);
    let flow = Flow::of(&datagram[8..]).unwrap();
    frames.push(now, Person::Crowd, flow, Pieces::from_iter([datagram]));
}

fn take_all(frames: &mut Frames, now: Instant) -> Vec<Bytes> {
    let mut all = vec![Bytes::new(); 10_000];
    let count = frames.take(now, &mut all);
    all.truncate(count);
    all
}

/// The datagram of a frame of `len` bytes: an IPv4 packet of UDP from a port of the sender's own.
fn frame(sender: u8, number: u32, len: usize) -> Bytes {
    let mut frame = vec![0; len];
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, sender]);
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[23] = 17;
    frame[34..36].copy_from_slice(&[8, sender]);
    frame[42..46].copy_from_slice(&number.to_be_bytes());
    FrameBuf::from_frame(&frame).into_datagram(Header {
        peer: PeerId::new(2).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    })
}

fn number_of(datagram: &Bytes) -> u32 {
    let bytes = datagram[8 + 42..].first_chunk().unwrap();
    u32::from_be_bytes(*bytes)
}

fn sender_of(datagram: &Bytes) -> u8 {
    datagram[8 + 11]
}

/// All that waits.
async fn read_all(to: &crate::Connection) -> Vec<Bytes> {
    let mut all = Vec::new();
    let mut room = vec![Bytes::new(); 64];
    while let Some(count) = ready(to.read_datagrams(&mut room)) {
        all.extend_from_slice(&room[..count.unwrap()]);
    }
    all
}

fn is_ready<T>(event: impl Future<Output = T>) -> bool {
    ready(event).is_some()
}

/// What comes of it without waiting.
fn ready<T>(event: impl Future<Output = T>) -> Option<T> {
    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::pin!(event).as_mut().poll(&mut cx) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

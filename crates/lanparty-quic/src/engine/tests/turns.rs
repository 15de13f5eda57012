//! A turn of a socket with many connections, step by step.

use super::*;
use noq_proto::ConnectionHandle;

const PLAYERS: usize = 8;

#[tokio::test]
async fn a_frame_for_many_leaves_in_one_turn_before_what_only_acknowledges() {
    let (speakers, links) = room().await;
    let (shared, from) = (links[0].shared().clone(), links[0].handle());
    let listeners: Vec<_> = links[1..].iter().map(Connection::handle).collect();
    let targets = links[1..].to_vec();
    links[0].hand_datagrams_to(Box::new(move |now, datagrams| {
        for target in &targets {
            let pieces = smallvec![datagrams[0].clone()];
            target.send_frame(now, Person::Crowd, GAME, pieces).unwrap();
        }
    }));
    // From here on nobody else has the turns.
    shared.lock().is_by_hand = true;
    let frame = smallvec![Bytes::from(vec![1; 100])];
    speakers[0]
        .send_frame(Instant::now(), Person::Crowd, GAME, frame)
        .unwrap();
    poll_fn(|cx| {
        let now = Instant::now();
        let mut driver = shared.driver();
        driver.receive(cx, &shared, now);
        driver.hand_over(&shared, now);
        let mut state = shared.lock();
        match listeners.iter().all(|&to| has_frame(&mut state, to)) {
            true => Poll::Ready(()),
            false => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
    let mut order = Vec::new();
    let before = {
        let mut state = shared.lock();
        state.put_up(from);
        state.take_touched(&mut order);
        let mut first = order[..PLAYERS].to_vec();
        first.sort();
        assert_eq!(first, listeners, "{order:?}");
        assert!(order[PLAYERS..].contains(&from));
        // As it was.
        state.touched = order.clone();
        state.udp.sends
    };
    poll_fn(|cx| {
        shared.driver().send(cx, &shared, Instant::now());
        Poll::Ready(())
    })
    .await;
    let sends = shared.lock().udp.sends - before;
    assert!(
        (PLAYERS..=order.len()).contains(&(sends as usize)),
        "{sends}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_packet_of_a_burst_is_left_lying() {
    const LONGEST: u64 = 100;
    let local = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (near, far) = (local(), local());
    let to = near.local_addr().unwrap();
    let (config, ids) = crate::reset::nobodys_config();
    // Without a connection there is no moment either at which it would look again.
    let engine = Engine::new(config, ids, None, near).unwrap();
    let (arrived, next) = std::sync::mpsc::channel();
    // Beside the reader, so that packets come between any two of its steps; after each burst there is silence.
    let sender = std::thread::spawn(move || {
        for burst in 1..=LONGEST {
            (0..burst).for_each(|_| assert_eq!(far.send_to(b"packet", to).unwrap(), 6));
            next.recv().unwrap();
        }
    });
    let mut packets = 0;
    for burst in 1..=LONGEST {
        packets += burst;
        let begin = Instant::now();
        while engine.shared().lock().udp.received < packets {
            tokio::task::yield_now().await;
            assert!(begin.elapsed() < Duration::from_secs(10), "of {burst}");
        }
        arrived.send(()).unwrap();
    }
    sender.join().unwrap();
}

fn has_frame(state: &mut State, link: ConnectionHandle) -> bool {
    state.link(link).unwrap().has_frames_to_send()
}

/// A speaker and its listeners, and the relay's ends of their links.
async fn room() -> (Vec<Connection>, Vec<Connection>) {
    let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let relay = Endpoint::server(listen, &identity, Congestion::default()).unwrap();
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..=PLAYERS {
        let (client, server) = connect_to(&relay, &identity, Congestion::default()).await;
        near.push(client);
        far.push(server);
    }
    (near, far)
}

#[tokio::test]
async fn other_loops_see_how_a_link_stands_ten_times_a_second_and_no_more() {
    let (_speakers, links) = room().await;
    let mut state = links[0].shared().lock();
    let link = state.link(links[0].handle()).unwrap();
    let first = Instant::now() + Duration::from_secs(1);
    link.show_again(first);
    let nobodys = u64::MAX;
    for (ms, is_shown) in [
        (0, false),
        (99, false),
        (100, true),
        (150, false),
        (200, true),
    ] {
        let fate = link.fate.clone();
        fate.glance.sent.store(nobodys, Ordering::Relaxed);
        link.show_again(first + Duration::from_millis(ms));
        let sent = fate.glance.sent.load(Ordering::Relaxed);
        assert_eq!(sent != nobodys, is_shown, "{ms}");
    }
}

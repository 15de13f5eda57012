use super::*;
use crate::engine::tests::pipe::{End, pipe};
use std::task::Poll;

fn mover(stream: End) -> (Arc<Wire>, Arc<Wires>, Mover) {
    let peer = ([192, 0, 2, 7], 1).into();
    let wire = Arc::new(Wire::new(made_up::next(), peer, None));
    let wires = Arc::new(Wires::default());
    wires.add(&wire);
    let mover = Mover::new(wire.clone(), wires.clone(), Box::new(stream));
    (wire, wires, mover)
}

async fn turn(mover: &mut Mover) -> Poll<()> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *mover).poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_connection_ends_after_ten_seconds() {
    let (near, far) = pipe(10);
    let (_wire, _wires, mut mover) = mover(far);
    let begin = tokio::time::Instant::now();
    // Garbage is no connection.
    near.out.push(vec![1; 100]);
    poll_fn(|cx| Pin::new(&mut mover).poll(cx)).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
    drop(mover);
    assert!(near.back.is_over());
}

#[tokio::test(start_paused = true)]
async fn one_with_a_connection_stays_until_that_ends_and_says_its_last_words() {
    let (near, far) = pipe(10);
    let (wire, _wires, mut mover) = mover(far);
    wire.has_link();
    let day = Duration::from_secs(86_400);
    let staying = tokio::time::timeout(day, poll_fn(|cx| Pin::new(&mut mover).poll(cx)));
    assert!(staying.await.is_err());
    wire.send(Instant::now(), b"goodbye");
    wire.lost_link();
    assert!(turn(&mut mover).await.is_ready());
    assert_eq!(near.back.take(), [&b"goodbye"[..]]);
}

#[tokio::test(start_paused = true)]
async fn last_words_that_nobody_takes_have_two_seconds() {
    let (_near, far) = pipe(0);
    let (wire, _wires, mut mover) = mover(far);
    wire.has_link();
    wire.send(Instant::now(), b"goodbye");
    wire.lost_link();
    let begin = tokio::time::Instant::now();
    poll_fn(|cx| Pin::new(&mut mover).poll(cx)).await;
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn what_comes_waits_in_a_ring_of_64_packets_and_the_rest_in_the_stream() {
    let (near, far) = pipe(1000);
    let (wire, wires, mut mover) = mover(far);
    for number in 0..200u8 {
        near.out.push(vec![number; 10]);
    }
    for _ in 0..20 {
        assert!(turn(&mut mover).await.is_pending());
    }
    assert_eq!(near.out.len(), 200 - 64);
    let mut packets = Vec::new();
    let mut came = Vec::new();
    while wires.next_ready().is_some() {
        let news = wire.take(FROM_ONE, &mut packets);
        assert!(packets.len() <= FROM_ONE && !news.has_ended);
        came.extend(packets.drain(..).map(|packet| packet[0]));
        if news.has_more {
            wires.announce(&wire);
        }
        assert!(turn(&mut mover).await.is_pending());
    }
    assert_eq!(came, (0..200).collect::<Vec<u8>>());
    // Long ones take more room.
    for _ in 0..100 {
        near.out.push(vec![1; 1500]);
    }
    for _ in 0..20 {
        assert!(turn(&mut mover).await.is_pending());
    }
    assert_eq!(near.out.len(), 100 - (64 * 1024_usize).div_ceil(1500));
}

#[tokio::test]
async fn what_goes_waits_in_a_ring_of_32_kib_until_the_stream_has_written_it() {
    let (near, far) = pipe(4);
    let (wire, wires, mut mover) = mover(far);
    let link = ConnectionHandle(7);
    let mut sent = 0;
    while !wire.is_full() {
        assert!(!wire.park(link));
        wire.send(Instant::now(), &[sent; 1200]);
        sent += 1;
    }
    assert_eq!(sent, 28);
    assert!(wire.park(link) && wire.park(link));
    // It is lost.
    wire.send(Instant::now(), &[99; 1200]);
    let mut came = Vec::new();
    let mut freed = Vec::new();
    while came.len() < 28 {
        assert!(turn(&mut mover).await.is_pending());
        came.extend(near.back.take().iter().map(|packet| packet[0]));
        while let Some(wire) = wires.next_ready() {
            let news = wire.take(FROM_ONE, &mut Vec::new());
            freed.extend(news.freed.into_iter().map(|link| (link, came.len())));
        }
    }
    assert_eq!(came, (0..28).collect::<Vec<_>>());
    let [(freed, at)] = freed[..] else {
        panic!("{freed:?}");
    };
    assert_eq!(freed, link);
    assert!(
        (13..28).contains(&at),
        "with half of the ring still full: {at}"
    );
}

#[tokio::test]
async fn what_no_stream_takes_for_a_second_is_lost_and_makes_room() {
    let (near, far) = pipe(4);
    let (wire, wires, mut mover) = mover(far);
    let link = ConnectionHandle(7);
    let long_ago = Instant::now() - 2 * Duration::from_secs(1);
    while !wire.is_full() {
        wire.send(long_ago, &[1; 1200]);
    }
    assert!(wire.park(link));
    assert!(turn(&mut mover).await.is_pending());
    assert_eq!(near.back.len(), 0);
    assert!(!wire.is_full());
    let news = wires.next_ready().unwrap().take(FROM_ONE, &mut Vec::new());
    assert_eq!(news.freed[..], [link]);
    wire.send(Instant::now(), &[2; 1200]);
    assert!(turn(&mut mover).await.is_pending());
    assert_eq!(near.back.take(), [&[2; 1200][..]]);
}

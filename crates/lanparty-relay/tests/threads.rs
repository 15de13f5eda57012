//! A relay on several threads: what its peers must not notice.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::{DisconnectReason, LeaveReason, RelayMessage};
use lanparty_quic::Closed;
use lanparty_quic::control::{self, ControlError};
use lanparty_relay::Limits;
use party::{Peer, Relay, frame, mac, soon};
use std::time::Duration;
use tokio::task::JoinSet;

const THREADS: usize = 4;
/// So many that all of them on one thread is as likely as a lottery's first prize twice.
const PLAYERS: u8 = 12;

async fn party(relay: &Relay) -> (Peer, Vec<Peer>) {
    let gateway = relay.gateway().await;
    let mut players = Vec::new();
    for number in 1..=PLAYERS {
        players.push(relay.client(number).await);
    }
    (gateway, players)
}

/// Sends until it has come; a busy machine may lose one.
async fn passes(from: &Peer, to: &mut Peer, frame: &[u8]) {
    for _ in 0..50 {
        from.send(frame);
        let came = tokio::time::timeout(Duration::from_millis(200), to.frame()).await;
        if came.is_ok_and(|(_, came)| came == frame) {
            return;
        }
    }
    panic!("nothing comes");
}

#[tokio::test]
async fn frames_pass_between_all_members_whichever_thread_they_are_on() {
    let relay = Relay::start_on(THREADS, Limits::default(), |_| {});
    let (mut gateway, mut players) = party(&relay).await;
    for number in 1..=PLAYERS {
        let (player, lan) = (mac(number), mac(200));
        let at = usize::from(number) - 1;
        passes(&players[at], &mut gateway, &frame(lan, player, 100)).await;
        // More than one packet holds: it goes in pieces.
        passes(&gateway, &mut players[at], &frame(player, lan, 1514)).await;
        let next = number % PLAYERS + 1;
        let [from, to] = players
            .get_disjoint_mut([at, usize::from(next) - 1])
            .unwrap();
        passes(from, to, &frame(mac(next), player, 60)).await;
    }
}

#[tokio::test]
async fn everybody_is_told_that_the_relay_stops() {
    let mut relay = Relay::start_on(THREADS, Limits::default(), |_| {});
    let (gateway, players) = party(&relay).await;
    relay.stop.take().unwrap().send(()).unwrap();
    let mut told = JoinSet::new();
    for peer in players.into_iter().chain([gateway]) {
        told.spawn(async move {
            loop {
                match control::next_message(peer.connection()).await {
                    Ok(RelayMessage::Disconnect(goodbye)) => {
                        assert_eq!(goodbye.reason, DisconnectReason::Draining);
                    }
                    Ok(_) => {}
                    // A busy machine may not have read the words in time.
                    Err(ControlError::Closed(Closed::ByPeer(_))) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    soon(told.join_all()).await;
    soon(relay.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_breaks_off_leaves_the_room_whichever_thread_it_was_on() {
    let relay = Relay::start_on(THREADS, Limits::default(), |_| {});
    let (gateway, players) = party(&relay).await;
    for _ in &players {
        gateway.joined().await;
    }
    for player in players {
        let id = player.welcome.peer_id;
        drop(player);
        assert_eq!(gateway.left().await, (id, LeaveReason::Closed));
    }
}

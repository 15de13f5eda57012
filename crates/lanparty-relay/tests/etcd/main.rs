//! The fleet on a real etcd: its own, on loopback, with its data in a folder that goes. Skipped where there is none.
#![cfg(feature = "cluster-etcd")]
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test that starts etcd, and waits for what it says"
)]

mod garbage;
mod machines;
mod relay;

use lanparty_fleet::*;
use lanparty_relay::directory::DirectoryError;
use machines::{Authority, Cluster, Etcd};
use relay::{Relay, both, directory};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn room(number: u8) -> RoomHash {
    RoomHash::from_bytes([number; 32])
}

fn is_in(relay: &mut Relay) -> bool {
    relay.fleet.standing() == Standing::In
}

#[tokio::test]
async fn a_room_is_claimed_seen_by_the_other_and_free_when_its_relay_is_gone() {
    let Some(mut etcd) = Etcd::start(None).await else {
        return;
    };
    let mut one = Relay::new(1, directory(&etcd.address(""), None));
    one.until("one is in", is_in).await;
    let Located::Here { fence } = one.located(room(1)).await else {
        panic!("not here")
    };
    one.fleet.room_opened(Instant::now(), room(1));
    let mut two = Relay::new(2, directory(&etcd.address(""), None));
    two.until("two is in", is_in).await;
    two.until("two sees one", |two| two.fleet.size() == 2).await;
    let Located::Redirect {
        to,
        fence: Some(told),
    } = two.located(room(1)).await
    else {
        panic!("not sent")
    };
    assert_eq!((to.address.as_str(), told), ("relay-1.example.net", fence));

    // Away, and back with everything: the room is still there, and nobody has lost anything.
    etcd.kill();
    one.until("fenced", |one| one.fleet.standing() == Standing::Fenced)
        .await;
    assert!(matches!(one.located(room(1)).await, Located::Here { .. }));
    assert_eq!(
        one.located(room(9)).await,
        Located::Refused(Refusal::NoDirectory)
    );
    assert!(
        one.troubles.iter().any(|trouble| !trouble.is_final()),
        "{:?}",
        one.troubles
    );
    etcd.again(false).await;
    one.until("in again", is_in).await;

    // Away, and back with nothing: everything is put back, by a higher fence.
    etcd.kill();
    one.until("fenced again", |one| {
        one.fleet.standing() == Standing::Fenced
    })
    .await;
    etcd.again(true).await;
    one.until("put back", |one| {
        one.fleet.fence_of(&room(1)).is_some_and(|now| now > fence)
    })
    .await;
    assert!(
        !one.outputs
            .iter()
            .any(|output| matches!(output, Output::RoomLost { .. }))
    );

    // A relay that is gone without a word has nothing after its lease.
    both(&mut one, &mut two, "two sees one again", |_, two| {
        is_in(two) && two.fleet.size() == 2
    })
    .await;
    drop(one);
    two.until("one is gone", |two| is_in(two) && two.fleet.size() == 1)
        .await;
    let Located::Here { fence: later } = two.located(room(1)).await else {
        panic!("not taken")
    };
    assert!(later > fence);
}

#[tokio::test]
async fn a_room_moves_from_one_relay_to_the_other_by_way_of_etcd() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    let mut one = Relay::new(1, directory(&etcd.address(""), None));
    one.until("one is in", is_in).await;
    one.located(room(1)).await;
    one.fleet.room_opened(Instant::now(), room(1));
    let mut two = Relay::new(2, directory(&etcd.address(""), None));
    two.until("two is in", is_in).await;
    both(&mut one, &mut two, "one sees two", |one, _| {
        one.fleet.size() == 2
    })
    .await;
    one.fleet.drain(Instant::now());
    let moved = |output: &Output| {
        let whom = Whom::Clients;
        matches!(output, Output::Moved { whom: told, .. } if *told == whom)
    };
    both(&mut one, &mut two, "moved", |one, _| {
        one.outputs.iter().any(moved)
    })
    .await;
    assert!(two.fleet.fence_of(&room(1)).is_some());
}

#[tokio::test]
async fn a_user_with_rights_below_the_prefix_is_enough_and_others_hear_why_not() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    for words in [
        &["user", "add", "root:pw"][..],
        &["role", "add", "root"],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "relay:secret"],
        &["user", "add", "stranger:secret"],
        &["role", "add", "fleet"],
        &[
            "role",
            "grant-permission",
            "fleet",
            "readwrite",
            "--prefix=true",
            "/lanparty/",
        ],
        &["user", "grant-role", "relay", "fleet"],
        &["auth", "enable"],
    ] {
        etcd.ctl(words);
    }
    let mut relay = Relay::new(1, directory(&etcd.address("relay@"), Some("secret\n")));
    relay
        .directory
        .check()
        .await
        .expect("its rights are enough");
    relay.until("in", is_in).await;
    relay
        .until("its card is there", |relay| relay.fleet.relays().len() == 1)
        .await;
    let wrong = directory(&etcd.address("relay@"), Some("guess"))
        .check()
        .await;
    assert!(
        matches!(wrong, Err(DirectoryError::UserRefused { .. })),
        "{wrong:?}"
    );
    let nobody = directory(&etcd.address(""), None).check().await;
    assert!(matches!(nobody, Err(DirectoryError::NoUser)), "{nobody:?}");
    let stranger = directory(&etcd.address("stranger@"), Some("secret"))
        .check()
        .await;
    assert!(
        matches!(stranger, Err(DirectoryError::Forbidden { .. })),
        "{stranger:?}"
    );
}

#[tokio::test]
async fn an_etcd_with_tls_is_known_by_its_authority_and_knows_its_clients_by_theirs() {
    let Some(etcd) = Etcd::start(Some(&Authority::new())).await else {
        return;
    };
    let mut relay = Relay::new(1, directory(&etcd.address(""), None));
    relay
        .directory
        .check()
        .await
        .expect("both certificates are good");
    relay.until("in", is_in).await;
    let port = etcd.port;
    let ca = etcd.folder.path().join("ca.pem");
    let plain = directory(&format!("etcd://127.0.0.1:{port}"), None)
        .check()
        .await;
    assert!(
        matches!(plain, Err(DirectoryError::HungUp { .. })),
        "{plain:?}"
    );
    let anonymous = directory(
        &format!("etcd://127.0.0.1:{port}?ca={}", ca.display()),
        None,
    )
    .check()
    .await;
    assert!(
        matches!(anonymous, Err(DirectoryError::OwnCertificate { .. })),
        "{anonymous:?}"
    );
    let other = TempDir::new().expect("a folder");
    Authority::new().write(other.path());
    let wrong = format!(
        "etcd://127.0.0.1:{port}?ca={}/ca.pem",
        other.path().display()
    );
    let wrong = directory(&wrong, None).check().await;
    assert!(
        matches!(wrong, Err(DirectoryError::Certificate { .. })),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn of_three_etcds_one_may_hang_and_with_two_gone_rooms_go_on() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let mut relay = Relay::new(1, directory(&cluster.address(), None));
    relay.until("in", is_in).await;
    assert!(matches!(relay.located(room(1)).await, Located::Here { .. }));
    relay.fleet.room_opened(Instant::now(), room(1));

    // Each of them hangs for a while, also the one that was asked: its kernel goes on taking packets.
    for hangs in 0..3 {
        cluster.signal(hangs, "-STOP");
        let until = Instant::now() + Duration::from_secs(6);
        relay.until("time", |_| Instant::now() >= until).await;
        cluster.signal(hangs, "-CONT");
        // On a machine that is busy three seconds may pass; then it is back in soon, and has lost nothing.
        relay.until("in", is_in).await;
        let Located::Here { .. } = relay.located(room(10 + hangs as u8)).await else {
            panic!("a new room is not opened")
        };
    }

    cluster.signal(0, "-STOP");
    cluster.signal(1, "-STOP");
    relay
        .until("fenced", |relay| relay.fleet.standing() == Standing::Fenced)
        .await;
    assert!(matches!(relay.located(room(1)).await, Located::Here { .. }));
    cluster.signal(0, "-CONT");
    relay.until("in again", is_in).await;
    let lost = |output: &Output| matches!(output, Output::RoomLost { .. });
    assert!(!relay.outputs.iter().any(lost), "{:?}", relay.outputs);
}

#[tokio::test]
async fn one_of_two_addresses_is_enough() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    // Nobody listens at the first; at the second somebody who says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let silent = silent.local_addr().expect("its number").port();
    let address = format!(
        "etcd://127.0.0.1:1,127.0.0.1:{silent},127.0.0.1:{}",
        etcd.port
    );
    let mut relay = Relay::new(1, directory(&address, None));
    relay.until("in", is_in).await;
    relay
        .until("hears", |relay| relay.fleet.relays().len() == 1)
        .await;
}

#[tokio::test]
async fn who_is_no_etcd_is_told_from_one_that_is_away() {
    let nobody = directory("etcd://127.0.0.1:1", None).check().await;
    assert!(
        matches!(nobody, Err(DirectoryError::Unreachable { .. })),
        "{nobody:?}"
    );
    let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = web.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for stream in web.incoming().flatten() {
            answer(stream);
        }
    });
    let said = directory(&format!("etcd://127.0.0.1:{port}"), None)
        .check()
        .await;
    assert!(
        matches!(said, Err(DirectoryError::NotEtcd { status: 404, .. })),
        "{said:?}"
    );
}

fn answer(mut stream: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnope\n");
}

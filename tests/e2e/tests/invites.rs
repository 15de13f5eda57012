//! Rooms for invited people, over real connections.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]

use lanparty_ctrl::RoomKey;
use lanparty_e2e::{Peer, Relay};
use lanparty_peer::args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use tokio::task::LocalSet;

#[tokio::test]
async fn who_has_the_key_meets_the_host_and_nobody_else() {
    let relay = Relay::start();
    let with = |key: Option<u8>| RelayConfig {
        key: key.map(|number| RoomKey::from_random([number; 16])),
        ..relay.config()
    };
    let party = async {
        let mut host = Peer::gateway(with(Some(7)), MacAddr::new([0, 0x1b, 0x21, 0, 0, 1]));
        let host_id = host.is_in().await;
        let mut guest = Peer::client(with(Some(7)), mac(1));
        guest.is_in().await;
        guest.meets(host_id).await;
        let cause = Peer::client(with(Some(8)), mac(2)).is_refused().await;
        assert!(cause.contains("the invite opens no room now"), "{cause}");
        let cause = Peer::client(with(None), mac(2)).gives_up().await;
        assert!(cause.contains("you are not invited"), "{cause}");
    };
    LocalSet::new().run_until(party).await;
}

#[tokio::test]
async fn a_guest_who_is_early_waits_for_the_host() {
    let relay = Relay::start();
    let config = RelayConfig {
        key: Some(RoomKey::from_random([7; 16])),
        ..relay.config()
    };
    let party = async {
        let mut guest = Peer::client(config.clone(), mac(1));
        let cause = guest.is_refused().await;
        assert!(cause.contains("the host is not there yet"), "{cause}");
        let mut host = Peer::gateway(config, MacAddr::new([0, 0x1b, 0x21, 0, 0, 1]));
        host.is_in().await;
        guest.is_in().await;
    };
    LocalSet::new().run_until(party).await;
}

fn mac(last: u8) -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, last])
}

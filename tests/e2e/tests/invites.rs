//! Rooms for invited people, over real connections.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test with real sockets"
)]

use lanparty_ctrl::{HostKey, HostSecret, RoomKey};
use lanparty_e2e::{Peer, ROOM, Relay, soon};
use lanparty_edge::address::RelayAddress;
use lanparty_peer::link::acquaintance::{self, Acquaintance};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::{Identity, Trust};
use std::net::SocketAddr;
use tokio::task::LocalSet;

const NIC: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 1]);
const LAN_HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);

/// A relay, and what host and guests know of the room.
struct Party {
    relay: Relay,
    key: RoomKey,
}

impl Party {
    fn new() -> Self {
        Party {
            relay: Relay::start(),
            key: RoomKey::from_random([7; 16]),
        }
    }

    /// With an older invite, which has the room's key alone.
    fn invited(&self) -> RelayConfig {
        RelayConfig {
            key: Some(self.key.clone()),
            ..self.relay.config()
        }
    }

    /// With an invite of the host who has this key.
    fn guest_of(&self, host: u8) -> RelayConfig {
        RelayConfig {
            host: Some(host_key(host).id()),
            ..self.invited()
        }
    }

    /// With the key itself.
    fn host(&self, host: u8) -> RelayConfig {
        RelayConfig {
            host_key: Some(host_key(host)),
            ..self.invited()
        }
    }
}

fn host_key(number: u8) -> HostKey {
    HostSecret::from_random([number; 32]).host_key(&ROOM.parse().unwrap())
}

fn mac(last: u8) -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, last])
}

fn frame(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(60, 0x5a);
    frame
}

#[tokio::test]
async fn who_has_the_key_meets_the_host_and_nobody_else() {
    let party = Party::new();
    let story = async {
        let mut host = Peer::gateway(party.host(1), NIC);
        let host_id = host.is_in().await;
        for (number, config) in [(1, party.guest_of(1)), (2, party.invited())] {
            let mut guest = Peer::client(config, mac(number));
            guest.is_in().await;
            guest.meets(host_id).await;
        }
        let other_key = RelayConfig {
            key: Some(RoomKey::from_random([8; 16])),
            ..party.guest_of(1)
        };
        let cause = Peer::client(other_key, mac(3)).is_refused().await;
        assert!(cause.contains("the invite opens no room now"), "{cause}");
        let open = party.relay.config();
        let cause = Peer::client(open, mac(3)).gives_up().await;
        assert!(cause.contains("you are not invited"), "{cause}");
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn a_guest_who_is_early_waits_for_the_host() {
    let party = Party::new();
    let story = async {
        let mut guest = Peer::client(party.guest_of(1), mac(1));
        let cause = guest.is_refused().await;
        assert!(cause.contains("the host is not there yet"), "{cause}");
        let mut host = Peer::gateway(party.host(1), NIC);
        host.is_in().await;
        guest.is_in().await;
    };
    LocalSet::new().run_until(story).await;
}

/// The cable is out for a moment: the guest, who has the room's key, waits for it.
#[tokio::test]
async fn a_guest_never_becomes_the_gateway_and_the_host_gets_its_place_back() {
    let party = Party::new();
    let story = async {
        let mut host = Peer::gateway(party.host(1), NIC);
        let before = host.is_in().await;
        let mut player = Peer::client(party.guest_of(1), mac(1));
        player.meets(before).await;
        let cause = Peer::gateway(party.invited(), NIC).gives_up().await;
        assert!(cause.contains("only the host's own machine"), "{cause}");
        host.leave().await;
        player.misses(before).await;
        let cause = Peer::gateway(party.invited(), NIC).gives_up().await;
        assert!(cause.contains("only the host's own machine"), "{cause}");
        let mut guest = Peer::gateway(party.host(2), NIC);
        guest.is_in().await;
        let mut host = Peer::gateway(party.host(1), NIC);
        let back = host.is_in().await;
        player.meets(back).await;
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn frames_flow_once_the_gateway_has_proved_to_be_the_hosts() {
    let party = Party::new();
    let story = async {
        let mut host = Peer::gateway(party.host(1), NIC);
        let host_id = host.is_in().await;
        let mut player = Peer::client(party.guest_of(1), mac(1));
        let player_id = player.is_in().await;
        player.meets(host_id).await;
        host.meets(player_id).await;
        let from_the_lan = frame(mac(1).addr(), LAN_HOST);
        host.cable.send(&from_the_lan);
        assert_eq!(player.cable.receive().await, from_the_lan);
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn of_two_gateways_with_one_hosts_key_the_first_waits_with_a_sentence() {
    let party = Party::new();
    let story = async {
        let mut first = Peer::gateway(party.host(1), NIC);
        first.is_in().await;
        let mut second = Peer::gateway(party.host(1), NIC);
        second.is_in().await;
        let cause = first.is_refused().await;
        assert!(cause.contains("run one of them only"), "{cause}");
        second.leave().await;
        first.leave().await;
    };
    LocalSet::new().run_until(story).await;
}

/// At any address but one there may be somebody else, a private one above all: the pin says who is right.
#[tokio::test]
async fn of_several_addresses_the_relays_own_is_found_whoever_has_the_others() {
    let (party, stranger) = (Party::new(), Relay::start());
    let (ours, theirs) = (party.relay.address(), stranger.address());
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = nobody.local_addr().unwrap();
    let invited = |first: SocketAddr, also: &[SocketAddr]| RelayConfig {
        address: first.into(),
        also: also.to_vec(),
        ..party.guest_of(1)
    };
    let story = async {
        let mut host = Peer::gateway(party.host(1), NIC);
        let host_id = host.is_in().await;
        for (number, (first, also)) in (1..).zip([
            (theirs, &[ours][..]),
            (ours, &[theirs]),
            (nowhere, &[theirs, ours]),
        ]) {
            let mut guest = Peer::client(invited(first, also), mac(number));
            guest.is_in().await;
            guest.meets(host_id).await;
        }
        // Who stands elsewhere with another key says nothing about the relay, which may come back.
        let cause = Peer::client(invited(nowhere, &[theirs]), mac(9))
            .is_refused()
            .await;
        assert!(!cause.contains("certificate"), "{cause}");
        // Where it should be is somebody else.
        let cause = Peer::client(invited(theirs, &[nowhere]), mac(9))
            .gives_up()
            .await;
        assert!(cause.contains("its certificate"), "{cause}");
    };
    LocalSet::new().run_until(story).await;
}

/// An old invite that a shell has cut at its first `&` has lost the relay's pin.
#[tokio::test]
async fn a_cut_invite_is_not_called_a_wrong_certificate() {
    let party = Party::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.der");
    let other = Identity::self_signed("r.example", &Identity::new_key().unwrap()).unwrap();
    std::fs::write(&file, other.certificate_der()).unwrap();
    let story = async {
        for (may_be_cut, says) in [(true, "it may have been cut"), (false, "its certificate")] {
            let config = RelayConfig {
                trust: Trust::load(Some(&file)).unwrap(),
                may_be_cut,
                ..party.invited()
            };
            let cause = Peer::client(config, mac(1)).gives_up().await;
            assert!(cause.contains(says), "{cause}");
        }
    };
    LocalSet::new().run_until(story).await;
}

/// The pin with which players know a relay is what it says itself, and good.
#[tokio::test]
async fn a_relay_with_a_key_of_its_own_tells_its_pin_to_who_asks() {
    let relay = Relay::start();
    let at: RelayAddress = relay.address().to_string().parse().unwrap();
    let known = acquaintance::ask(at, ROOM.parse().unwrap());
    let Acquaintance::Key(pin) = soon("the relay's key", known).await.unwrap() else {
        panic!("no authority vouches for it");
    };
    let story = async {
        let config = RelayConfig {
            trust: Trust::pinned(pin),
            ..relay.config()
        };
        Peer::gateway(config, NIC).is_in().await;
    };
    LocalSet::new().run_until(story).await;
}

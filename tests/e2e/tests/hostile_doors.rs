//! What a player's program of its own making gets past a gateway by the direct path between them.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]
#![allow(clippy::disallowed_methods, reason = "reads the clock")]

use bytes::Bytes;
use lanparty_client_core::Session;
use lanparty_ctrl::message::{Newcomer, Welcome};
use lanparty_ctrl::{HostSecret, RelayMessage, RoomKey};
use lanparty_e2e::{Peer, Relay};
use lanparty_obs::{DropReason, PeerStats, Way};
use lanparty_peer::door::{Door, Standing};
use lanparty_peer::relay_args::{DoorConfig, RelayConfig};
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proto::{DatagramBudget, FrameBuf, MacAddr, PeerId, VirtualMac};
use std::time::Instant;
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const OTHER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 2];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const LAN_HOST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const EVERYBODY: [u8; 6] = [0xff; 6];

/// A player's program that judges nothing and has everything go straight.
struct Hostile(Session);

impl PeerCore for Hostile {
    fn newcomer(&self) -> Newcomer {
        self.0.newcomer()
    }

    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome, budget: DatagramBudget) {
        self.0.handle_welcome(now, welcome, budget);
    }

    fn handle_lost_link(&mut self, now: Instant) {
        self.0.handle_lost_link(now);
    }

    fn handle_frame(&mut self, _: Instant, _: &mut FrameBuf) -> Result<(), DropReason> {
        Ok(())
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.0.handle_datagram(now, datagram)
    }

    fn handle_control(&mut self, now: Instant, message: RelayMessage) {
        self.0.handle_control(now, message);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    /// It says nothing but what the test has it say.
    fn poll_output(&mut self) -> Option<PeerOutput> {
        while self.0.poll_output().is_some() {}
        None
    }

    fn knows_doors(&self) -> bool {
        true
    }

    fn meets(&self, peer: PeerId) -> Option<VirtualMac> {
        self.0.meets(peer)
    }

    fn standing(&self, player: VirtualMac) -> Standing {
        self.0.standing(player)
    }

    fn open_door(&mut self, now: Instant, door: Door) {
        self.0.open_door(now, door);
    }

    fn close_door(&mut self, now: Instant, player: VirtualMac) {
        self.0.close_door(now, player);
    }

    fn direct_player(&mut self, _: Instant, _: &[u8]) -> Option<VirtualMac> {
        Some(mac(PLAYER))
    }

    fn handle_direct(
        &mut self,
        now: Instant,
        player: VirtualMac,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.0.handle_direct(now, player, datagram)
    }

    fn counters(&mut self) -> &mut PeerStats {
        self.0.counters()
    }
}

#[tokio::test]
async fn nothing_crosses_by_a_direct_path_that_others_would_have_to_hear_of() {
    let run = async {
        let relay = Relay::start();
        let config = RelayConfig {
            key: Some(RoomKey::from_random([3; 16])),
            door: Some(DoorConfig::default()),
            ..relay.config()
        };
        let host = HostSecret::from_random([5; 32]).host_key(&config.room);
        let hosts = RelayConfig {
            host_key: Some(host),
            ..config.clone()
        };
        let mut gateway = Peer::gateway(hosts, MacAddr::new(NIC));
        gateway.is_in().await;
        let mut other = Peer::client(config.clone(), mac(OTHER));
        other.is_in().await;
        let mut hostile = Peer::of(config, Hostile(Session::new(mac(PLAYER))));
        hostile.is_in().await;
        hostile.goes(Way::Direct).await;

        for said in [
            ipx(EVERYBODY, PLAYER),
            ipx([1, 0, 0x5e, 0, 0, 0xfb], PLAYER),
            ipx(OTHER, PLAYER),
            arp(LAN_HOST, PLAYER),
            arp(EVERYBODY, PLAYER),
            ipx(LAN_HOST, OTHER),
            ipx(LAN_HOST, LAN_HOST),
        ] {
            hostile.cable.send(&said);
        }
        // What comes behind all of it by the same way is the first that comes out.
        hostile.cable.send(&ipx(LAN_HOST, PLAYER));
        assert_eq!(gateway.cable.receive().await, ipx(LAN_HOST, PLAYER));
        hostile.leave().await;
        let counters = gateway.leave().await;
        let drops = &counters.drops;
        assert_eq!(drops.of(DropReason::NotDirect), 5, "{drops:?}");
        assert_eq!(drops.of(DropReason::UnauthorizedSourceMac), 2, "{drops:?}");
    };
    LocalSet::new().run_until(run).await;
}

fn mac(octets: [u8; 6]) -> VirtualMac {
    MacAddr::new(octets).try_into().unwrap()
}

/// IPX, so that nobody looks inside.
fn ipx(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(64, 7);
    frame
}

/// "I have this address."
fn arp(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(source);
    frame.extend([192, 168, 50, 7]);
    frame.extend([0; 6]);
    frame.extend([192, 168, 50, 7]);
    frame.resize(64, 0);
    frame
}

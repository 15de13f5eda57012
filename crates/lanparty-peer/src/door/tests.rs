//! What becomes of a path whose place another one takes, with real connections and made-up time.

use super::doors::Doors;
use super::retired::LINGER;
use super::{Door, Standing};
use crate::peer::{PeerCore, PeerOutput};
use bytes::Bytes;
use lanparty_ctrl::RelayMessage;
use lanparty_ctrl::message::{Newcomer, Welcome};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::{DatagramBudget, FrameBuf, Header, PeerId, RoomId, VirtualMac};
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{Closed, Congestion, Connection, Endpoint, PathFloor};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const ALPN: &[u8] = b"lanparty-door/1";
const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_is_on_its_way_by_a_path_that_is_replaced_comes_in() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.lets_in(1, 7).await, gateway.lets_in(1, 8).await);
    assert_eq!(gateway.core.door, Some(door(1, 8)));
    let said = frame(door(1, 7), b"on its way");
    old.send_probe(said).unwrap();
    // As if it had been sent by the new one.
    assert_eq!(gateway.hears().await, frame(door(1, 8), b"on its way"));
    new.send_probe(frame(door(1, 8), b"and on")).unwrap();
    assert_eq!(gateway.hears().await, frame(door(1, 8), b"and on"));

    let until = gateway.now + LINGER;
    assert!(gateway.doors.poll_timeout().unwrap() <= until);
    gateway.doors.poll_links(&mut gateway.core, until);
    is_closed(&old).await;
    assert_eq!(gateway.doors.connections().count(), 1);
}

#[tokio::test]
async fn there_is_one_old_path_and_it_ends_with_the_new_one() {
    let mut gateway = Gateway::new();
    let first = gateway.lets_in(1, 7).await;
    let second = gateway.lets_in(1, 7).await;
    let third = gateway.lets_in(1, 7).await;
    is_closed(&first).await;
    assert_eq!(gateway.doors.connections().count(), 2);
    let now = gateway.now;
    gateway.core.standing = Standing::Out;
    gateway.doors.settle(&mut gateway.core, now);
    assert_eq!(gateway.doors.connections().count(), 0);
    assert_eq!(gateway.core.door, None);
    is_closed(&second).await;
    is_closed(&third).await;
}

#[tokio::test]
async fn nobody_speaks_as_the_next_one_with_this_mac() {
    let mut gateway = Gateway::new();
    let somebody = gateway.lets_in(1, 7).await;
    let _other = gateway.lets_in(2, 7).await;
    is_closed(&somebody).await;
    assert_eq!(gateway.doors.connections().count(), 1);
}

#[tokio::test]
async fn the_end_of_an_old_path_is_not_that_of_the_new_one() {
    let mut gateway = Gateway::new();
    let _old = gateway.lets_in(1, 7).await;
    let _new = gateway.lets_in(1, 7).await;
    gateway.doors.retired_ended(player());
    assert_eq!(gateway.doors.connections().count(), 1);
    assert!(gateway.core.door.is_some());
}

struct Gateway {
    doors: Doors,
    core: Core,
    endpoint: Endpoint,
    guests: Endpoint,
    trust: Trust,
    now: Instant,
}

impl Gateway {
    fn new() -> Self {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed("lanparty-door", &key).unwrap();
        let here = (Ipv4Addr::LOCALHOST, 0).into();
        let client = || {
            let endpoint = Endpoint::client_at(here, PathFloor::Ordinary, Congestion::default());
            endpoint.unwrap()
        };
        let endpoint = client();
        endpoint.serve(&identity, ALPN).unwrap();
        let now = Instant::now();
        endpoint.expect(Ipv4Addr::LOCALHOST.into(), now + 10 * DEADLINE, 9);
        let (news, _) = mpsc::channel(1);
        Gateway {
            doors: Doors::new(true, news),
            core: Core {
                door: None,
                standing: Standing::In,
                stats: PeerStats::default(),
            },
            endpoint,
            guests: client(),
            trust: Trust::pinned(identity.pin()),
            now,
        }
    }

    /// The player's end of another path.
    async fn lets_in(&mut self, number: u16, room: u32) -> Connection {
        let at = self.endpoint.local_address().unwrap();
        let comes = self.guests.call(at, ALPN, &self.trust);
        let lets_in = async { self.endpoint.accept().await.unwrap().accept(DEADLINE).await };
        let (there, here) = tokio::join!(comes, lets_in);
        let path = (here.unwrap(), self.endpoint.clone());
        let door = door(number, room);
        self.doors
            .open(&mut self.core, self.now, path, (door, door.gateway), None);
        there.unwrap()
    }

    /// The next frame, by whichever path.
    async fn hears(&mut self) -> Bytes {
        let next = async {
            loop {
                let mut room = vec![Bytes::new(); 1];
                for (_, link) in self.doors.links_mut() {
                    if link.connection().try_read_datagrams(&mut room) == Ok(1) {
                        return link.renumbered(room.remove(0));
                    }
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, next).await.unwrap()
    }
}

async fn is_closed(path: &Connection) {
    let closed = tokio::time::timeout(DEADLINE, path.closed()).await;
    assert!(matches!(closed, Ok(Closed::ByPeer(_))), "{closed:?}");
}

fn player() -> VirtualMac {
    VirtualMac::from_random([7; 6])
}

fn door(client: u16, room: u32) -> Door {
    Door {
        player: player(),
        client: PeerId::new(client).unwrap(),
        gateway: PeerId::new(9).unwrap(),
        room: RoomId::new(room).unwrap(),
    }
}

fn frame(door: Door, said: &[u8]) -> Bytes {
    let header = Header {
        peer: door.client,
        room: door.room,
        fragment: false,
    };
    [&header.encode()[..], said].concat().into()
}

/// It knows which door is open.
struct Core {
    door: Option<Door>,
    standing: Standing,
    stats: PeerStats,
}

impl PeerCore for Core {
    fn newcomer(&self) -> Newcomer {
        Newcomer::Gateway
    }

    fn handle_welcome(&mut self, _: Instant, _: &Welcome, _: DatagramBudget) {}

    fn handle_lost_link(&mut self, _: Instant) {}

    fn handle_frame(&mut self, _: Instant, _: &mut FrameBuf) -> Result<(), DropReason> {
        Ok(())
    }

    fn handle_datagram(&mut self, _: Instant, _: Bytes) -> Result<Option<Bytes>, DropReason> {
        Ok(None)
    }

    fn handle_control(&mut self, _: Instant, _: RelayMessage) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        None
    }

    fn standing(&self, _: VirtualMac) -> Standing {
        self.standing
    }

    fn open_door(&mut self, _: Instant, door: Door) {
        self.door = Some(door);
    }

    fn close_door(&mut self, _: Instant, _: VirtualMac) {
        self.door = None;
    }

    fn counters(&mut self) -> &mut PeerStats {
        &mut self.stats
    }
}

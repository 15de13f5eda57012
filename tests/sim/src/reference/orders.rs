//! What a host orders.

use super::{Mac, Reference};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{Fingerprint, HostOrder};
use lanparty_proto::PeerId;

/// Somebody who is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Mac(Mac),
    Identity(Fingerprint),
}

impl Who {
    fn of(person: &Person) -> Self {
        match person {
            Person::Mac(mac) => Who::Mac(mac.addr().octets()),
            Person::Identity(identity) => Who::Identity(*identity),
        }
    }
}

/// True when one of these is this one, by its MAC or by who it has proved to be.
pub(super) fn are_meant(people: &[Who], mac: Option<Mac>, identity: Option<u8>) -> bool {
    let known = [
        mac.map(Who::Mac),
        identity.map(|number| Who::Identity(Fingerprint::from_sha256([number; 32]))),
    ];
    known.iter().flatten().any(|who| people.contains(who))
}

impl Reference {
    /// The host of `link`'s room wants this; answers who is out. Nothing, if `link` is no host.
    pub fn order(&mut self, link: u32, order: &HostOrder) -> Option<Vec<u32>> {
        let host = &self.peers[self.position(link)?];
        let (room_id, room) = (host.room_id, host.room.clone());
        if host.mac.is_some() {
            return None;
        }
        let clients = || {
            let room = self.room(&room).into_iter();
            room.filter_map(|peer| Some((peer.peer_id, peer.link, peer.mac?)))
        };
        let client = |wanted: PeerId| clients().find(|client| client.0 == wanted.number());
        match order.clone() {
            HostOrder::Kick { peer_id } => {
                let (_, kicked, mac) = client(peer_id)?;
                self.strike_off(room_id, mac);
                return Some(vec![kicked]);
            }
            HostOrder::Ban { banned } => {
                let banned: Vec<_> = banned.iter().map(Who::of).collect();
                let out = self.room(&room).into_iter().filter_map(|peer| {
                    let mac = peer.mac?;
                    are_meant(&banned, Some(mac), peer.identity).then_some((peer.link, mac))
                });
                let out: Vec<_> = out.collect();
                self.banned.retain(|ban| ban.0 != room_id);
                self.banned.push((room_id, banned));
                out.iter()
                    .for_each(|&(_, mac)| self.strike_off(room_id, mac));
                return Some(out.into_iter().map(|(link, _)| link).collect());
            }
            HostOrder::Lock { locked, also } => {
                let also = also.iter().map(|mac| mac.addr().octets());
                let guests = clients().map(|client| client.2).chain(also).collect();
                self.locked.retain(|lock| lock.0 != room_id);
                if locked {
                    self.locked.push((room_id, guests));
                }
            }
            HostOrder::Mute { peer_id, muted } => {
                let (_, link, _) = client(peer_id)?;
                let at = self.position(link)?;
                self.peers[at].muted = muted;
            }
            HostOrder::Isolate { isolated } => {
                self.isolated.retain(|&other| other != room_id);
                if isolated {
                    self.isolated.push(room_id);
                }
            }
            HostOrder::OnLan { mac } => {
                let mac = mac.addr().octets();
                let out = clients().find(|client| client.2 == mac);
                let out = out.map(|client| client.1);
                self.heard.push((room_id, mac));
                return Some(out.into_iter().collect());
            }
            HostOrder::Known { macs } => {
                let players: Vec<_> = clients().map(|client| client.2).collect();
                let machines = macs.iter().map(|mac| mac.octets());
                let machines = machines.filter(|mac| !players.contains(mac));
                self.heard.extend(machines.map(|mac| (room_id, mac)));
            }
            HostOrder::Rotate { admission_key } => self.rotate(&room, &admission_key),
            HostOrder::Place { .. } | HostOrder::Members => {}
        }
        Some(Vec::new())
    }

    /// Who is sent away is no guest of a locked room any more.
    fn strike_off(&mut self, room_id: u32, mac: Mac) {
        let lock = self.locked.iter_mut().find(|lock| lock.0 == room_id);
        if let Some((_, guests)) = lock {
            guests.retain(|&guest| guest != mac);
        }
    }

    /// What a host who has just come in has ordered before: answers who is out.
    pub fn repeat_orders(&mut self, link: u32, orders: &[HostOrder]) -> Vec<u32> {
        let mut out = Vec::new();
        for order in orders {
            let stands = matches!(
                order,
                HostOrder::Lock { .. } | HostOrder::Ban { .. } | HostOrder::Isolate { .. }
            );
            if stands {
                out.extend(self.order(link, order).unwrap_or_default());
            }
        }
        out
    }
}

//! What hosts order, and operators.

use super::newcomers::{access_token, admission_key};
use super::*;

impl Party {
    /// Some gateway, or a client that would like to be one.
    pub(super) fn somebody_orders(&mut self) {
        let hosts = self.reference.peers.iter();
        let hosts = hosts.filter(|peer| peer.mac.is_none());
        let hosts: Vec<_> = hosts
            .map(|peer| (peer.link, self.present[&peer.link]))
            .collect();
        let host = match self.dice.one_in(8) {
            true => self.somebody(),
            false => self.dice.any(&hosts).copied(),
        };
        let Some((link, place)) = host else { return };
        let order = self.some_order(Some(place));
        self.note(|| format!("link {link} orders {order:?}"));
        let expected = self.reference.order(link, &order);
        let is_host = self.peer(link).mac.is_none();
        let asks = order == HostOrder::Members;
        let obeyed = self.registry.handle_order(self.instant(), place, order);
        assert_eq!(obeyed.is_ok(), is_host);
        let Ok(obeyed) = obeyed else { return };
        assert_eq!(!obeyed.steps.is_empty(), asks);
        self.are_out(obeyed.kicked, expected.unwrap_or_default());
    }

    /// By a host's order.
    pub(super) fn are_out(&mut self, departures: Vec<Departure<u32>>, mut expected: Vec<u32>) {
        let kicked = departures.iter().map(|departure| departure.link);
        let mut kicked: Vec<_> = kicked.collect();
        kicked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(kicked, expected, "who is out");
        for departure in departures {
            self.tally.kicked += 1;
            assert!(!departure.room_closed);
            self.has_left(departure.link, departure.reason, &departure.steps);
        }
    }

    pub(super) fn some_order(&mut self, host: Option<Seat>) -> HostOrder {
        let room = self.reference.peers.iter();
        let room = room.filter(|peer| host.is_some_and(|host| peer.room_id == host.room.number()));
        let room: Vec<_> = room.map(|peer| peer.peer_id).collect();
        let member = self.dice.any(&room).copied().unwrap_or(3);
        let someone = *self.dice.pick(&[member, member, 1, 77]);
        let peer_id = PeerId::new(someone).unwrap();
        match self.dice.between(0, 13) {
            0 => HostOrder::Kick { peer_id },
            10 => HostOrder::Ban {
                banned: self.some_people(),
            },
            11 => HostOrder::Rotate {
                admission_key: admission_key(self.dice.between(1, 3) as u8),
            },
            12 => {
                let mac = MacAddr::new(client_mac(self.dice.between(1, CLIENTS.into())));
                HostOrder::OnLan {
                    mac: mac.try_into().unwrap(),
                }
            }
            13 => HostOrder::Known {
                macs: vec![MacAddr::new(client_mac(
                    self.dice.between(1, CLIENTS.into()),
                ))],
            },
            1 => HostOrder::Members,
            2 | 3 => HostOrder::Lock {
                locked: self.dice.one_in(2),
                also: self.some_guests(),
            },
            4..7 => HostOrder::Mute {
                peer_id,
                muted: !self.dice.one_in(3),
            },
            _ => HostOrder::Isolate {
                isolated: self.dice.one_in(2),
            },
        }
    }

    fn some_guests(&mut self) -> Vec<VirtualMac> {
        let count = self.dice.between(0, 2);
        let guests = (0..count).map(|_| client_mac(self.dice.between(1, CLIENTS.into())));
        let guests = guests.map(|mac| VirtualMac::try_from(MacAddr::new(mac)).unwrap());
        guests.collect()
    }

    /// Nobody as a rule, so that parties last.
    fn some_people(&mut self) -> Vec<Person> {
        let count = self.dice.between(0, 2).saturating_sub(1);
        let people = (0..count).map(|_| {
            let number = self.dice.between(1, CLIENTS.into());
            match self.dice.one_in(2) {
                true => Person::Identity(Fingerprint::from_sha256([number as u8; 32])),
                false => {
                    let mac = MacAddr::new(client_mac(number));
                    Person::Mac(VirtualMac::try_from(mac).unwrap())
                }
            }
        });
        people.collect()
    }

    /// The operator gives new hosts another token, or wants none.
    pub(super) fn the_access_token_changes(&mut self) {
        let number = self.dice.between(1, 2) as u8;
        let wanted = self.dice.one_in(2).then_some(number);
        self.note(|| format!("the access token is {wanted:?}"));
        self.registry.set_access(wanted.map(access_token));
        self.reference.set_access(wanted);
    }
}

//! Who wants to come in, and what they show.

use super::*;

impl Party {
    /// Somebody without an invitation, with the right one, or with a part of one.
    pub(super) fn some_hello(&mut self) -> Hello {
        let room = match self.dice.one_in(2) {
            true => ROOMS[0].to_owned(),
            false => (*self.dice.pick(&ROOMS)).to_owned(),
        };
        // Without its gateway a room for invited people is no room.
        let hosts = if self.reference.has_gateway(&room) {
            5
        } else {
            2
        };
        let mac =
            (!self.dice.one_in(hosts)).then(|| client_mac(self.dice.between(1, CLIENTS.into())));
        let numbered = |dice: &mut Dice, one_in, most| {
            let number = dice.between(1, most) as u8;
            (!dice.one_in(one_in)).then_some(number)
        };
        let as_usual = !self.dice.one_in(6);
        let strange = (!self.dice.one_in(2)).then(|| Shown {
            key: self.dice.between(1, 3) as u8,
            host: numbered(&mut self.dice, 4, 2),
            fresh: !self.dice.one_in(4),
        });
        let shown = if as_usual { self.usual } else { strange };
        let orders = match mac {
            None if self.dice.one_in(3) => {
                let count = self.dice.between(1, 2);
                (0..count).map(|_| self.some_order(None)).collect()
            }
            _ => Vec::new(),
        };
        Hello {
            link: self.last_link,
            token: self.some_token(&room, mac),
            room,
            mac,
            source: self.dice.between(1, 3) as u8,
            // As a rule the same person has the same MAC.
            identity: match (mac, self.dice.one_in(4)) {
                (Some(mac), false) => Some(mac[5]),
                (None, false) => Some(100),
                (_, true) => numbered(&mut self.dice, 2, CLIENTS.into()),
            },
            shown,
            access: numbered(&mut self.dice, 2, 2),
            orders,
            budget: self.dice.between(600, 2000) as u16,
            tells_groups: self.dice.one_in(2),
        }
    }

    /// None, the right one, or another peer's.
    pub(super) fn some_token(&mut self, code: &str, mac: Option<Mac>) -> Option<[u8; 16]> {
        let own = self.reference.peers.iter();
        let own = own
            .filter(|peer| peer.room.starts_with(code) && peer.mac == mac)
            .map(|peer| peer.token)
            .next();
        let all: Vec<_> = self.reference.peers.iter().map(|peer| peer.token).collect();
        match self.dice.between(0, 3) {
            0 => None,
            1 => self.dice.any(&all).copied(),
            _ => own,
        }
    }
}

pub(super) fn entry(hello: &Hello) -> Entry {
    let who = match hello.mac {
        Some(mac) => Newcomer::Client(VirtualMac::try_from(MacAddr::new(mac)).unwrap()),
        None => Newcomer::Gateway,
    };
    let budget = DatagramBudget::new(hello.budget).unwrap();
    let room: RoomCode = hello.room.parse().unwrap();
    let channel = ChannelBinding([hello.link as u8; 32]);
    let invitation = hello.shown.map(|shown| {
        let (key, made_for) = (admission_key(shown.key), ChannelBinding([0; 32]));
        let made_for = if shown.fresh { &channel } else { &made_for };
        Invitation {
            proof: key.prove(made_for, &room, who),
            channel,
            host: shown.host.map(|host| HostId::from_sha256([host; 32])),
            admission_key: hello.mac.is_none().then_some(key),
        }
    });
    let identity = hello.identity;
    Entry {
        resume_token: hello.token.map(ResumeToken::from_random),
        identity: identity.map(|number| Fingerprint::from_sha256([number; 32])),
        invitation,
        access_token: hello.access.map(access_token),
        orders: hello.orders.clone(),
        tells_groups: hello.tells_groups,
        ..Entry::new(room, who, budget)
    }
}

pub(super) fn admission_key(number: u8) -> AdmissionKey {
    RoomKey::from_random([number; 16]).admission_key()
}

pub(super) fn access_token(number: u8) -> AccessToken {
    format!("the-access-token-{number}").parse().unwrap()
}

//! What a relay that was killed and started again says to links that it has forgotten: a stateless reset
//! (RFC 9000 §10.3), so that its peers come back at once instead of waiting for an answer in vain.
//!
//! The secrets behind it come from the relay's own key, which outlives the process. One key is for one
//! relay: whoever has two with the same key could be made to reset the links of one through the other
//! (RFC 9000 §21.11).

use crate::steer::{IN_LONG, LONG, Place};
use crate::tls::Identity;
use noq_proto::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig, HashedConnectionIdGenerator, InvalidCid,
};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

const RESET_LABEL: &[u8] = b"softlan-vpn stateless reset 1";
const CONNECTION_ID_LABEL: &[u8] = b"softlan-vpn connection IDs 1";
/// A room full of players asks within a second. A reset is never longer than what it answers.
const BETWEEN_RESETS: Duration = Duration::from_millis(1);

/// The settings of a loop that knows the connection IDs of its endpoint again when that was restarted, with whatever number
/// of loops.
pub(crate) fn endpoint_config(identity: &Identity, place: Place) -> (EndpointConfig, OwnIds) {
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, &identity.derive(RESET_LABEL));
    let secret = identity.derive(CONNECTION_ID_LABEL);
    let (secret, _) = secret.split_first_chunk().expect("it has 32 bytes");
    let ids = OwnIds {
        secret: u64::from_le_bytes(*secret),
        place,
    };
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config
        .cid_generator(ids.factory())
        .min_reset_interval(BETWEEN_RESETS);
    (config, ids)
}

/// The settings of an endpoint that nobody has to know again. It may serve too, and says to its guests of before that it has
/// forgotten them as long as it lives: the key for that is as random as all else.
pub(crate) fn nobodys_config() -> (EndpointConfig, OwnIds) {
    let ids = OwnIds {
        secret: rand::random(),
        place: Place::ALONE,
    };
    let mut config = EndpointConfig::default();
    config.cid_generator(ids.factory());
    (config, ids)
}

/// The secret behind the connection IDs that an endpoint gives out, and which of its loops gives them.
#[derive(Clone, Copy)]
pub(crate) struct OwnIds {
    secret: u64,
    place: Place,
}

/// Makes IDs of one loop. All loops of an endpoint take each other's for ones of the endpoint.
struct Generator {
    ids: HashedConnectionIdGenerator,
    place: Place,
}

impl ConnectionIdGenerator for Generator {
    fn generate_cid(&mut self) -> ConnectionId {
        // The steering byte is one of the random ones, so this is as many attempts as there are loops.
        loop {
            let id = self.ids.generate_cid();
            if self.place.is_mine(&id) {
                return id;
            }
        }
    }

    fn validate(&self, id: ConnectionId) -> Result<(), InvalidCid> {
        self.ids.validate(id)
    }

    fn cid_len(&self) -> usize {
        self.ids.cid_len()
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        self.ids.cid_lifetime()
    }
}

impl OwnIds {
    fn generator(self) -> Generator {
        Generator {
            ids: HashedConnectionIdGenerator::from_key(self.secret),
            place: self.place,
        }
    }

    /// Which loop's they are.
    pub(crate) fn place(self) -> Place {
        self.place
    }

    /// A short packet that a connection on that loop could have been sent.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn packet_for(self, index: usize, len: usize) -> Vec<u8> {
        let place = Place::all(self.place.loops()).nth(index).expect("a loop");
        let id = OwnIds { place, ..self }.generator().generate_cid();
        let mut packet = [&[0x40], &id[..]].concat();
        packet.resize(len, 7);
        packet
    }

    /// Whether a packet is a long one and its ID none of ours: somebody begins something, for whoever answers us uses the
    /// ID that we have said.
    pub(crate) fn is_of_stranger(self, packet: &[u8]) -> bool {
        let ids = self.generator();
        let Some((&first, _)) = packet.split_first() else {
            return false;
        };
        let id = packet.get(IN_LONG..IN_LONG + ids.cid_len());
        let has_length = packet
            .get(IN_LONG - 1)
            .is_some_and(|&len| usize::from(len) == ids.cid_len());
        let is_ours = id.is_some_and(|id| ids.validate(ConnectionId::new(id)).is_ok());
        first & LONG != 0 && !(has_length && is_ours)
    }

    fn factory(self) -> Arc<dyn Fn() -> Box<dyn ConnectionIdGenerator> + Send + Sync> {
        Arc::new(move || Box::new(self.generator()))
    }

    /// Whether a packet is a short one and for none of our connections. When noq has a connection for it all the
    /// same, it ends in a reset token that came from where that connection sends to: it is a stateless reset.
    ///
    /// We look ourselves because noq 1.4 forgets to: it knows the token of the ID that is in use, and to whom a
    /// reset belongs, but after a change of network its connection compares with the token of the ID before.
    pub(crate) fn is_for_none(self, packet: &[u8]) -> bool {
        let ids = self.generator();
        match packet.split_first() {
            Some((first, rest)) if first & LONG == 0 => rest
                .get(..ids.cid_len())
                .is_some_and(|id| ids.validate(ConnectionId::new(id)).is_err()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_knows_its_own_ids_and_no_others() {
        let [ours, theirs] = [1, 2].map(|secret| OwnIds {
            secret,
            place: Place::ALONE,
        });
        let id = ours.generator().generate_cid();
        let packet = [&[0x40][..], &id, &[7; 20]].concat();
        assert!(!ours.is_for_none(&packet));
        assert!(theirs.is_for_none(&packet));
        let long = [&[0xc0][..], &packet[1..]].concat();
        assert!(!theirs.is_for_none(&long), "a reset looks like a short one");
        let long = [&[0xc0, 0, 0, 0, 1, id.len() as u8][..], &id, &[7; 20]].concat();
        assert!(!ours.is_of_stranger(&long) && theirs.is_of_stranger(&long));
        assert!(ours.is_of_stranger(&long[..8]), "there is no whole ID");
        assert!(!ours.is_of_stranger(&packet) && !ours.is_of_stranger(&[]));
        assert!(!theirs.is_for_none(&packet[..8]), "there is no whole ID");
        assert!(!theirs.is_for_none(&[]));
    }

    #[test]
    fn an_id_carries_its_loop_and_is_known_in_all_of_them() {
        for loops in [1, 2, 3, 7, 64] {
            let ids = |place| OwnIds { secret: 7, place };
            let all: Vec<_> = Place::all(loops).map(ids).collect();
            for ids in &all {
                let mut generator = ids.generator();
                for _ in 0..50 {
                    let id = generator.generate_cid();
                    let packet = [&[0x40][..], &id, &[7; 20]].concat();
                    assert_eq!(ids.place().of(&packet), ids.place().index());
                    assert!(all.iter().all(|ids| !ids.is_for_none(&packet)));
                }
            }
        }
    }
}

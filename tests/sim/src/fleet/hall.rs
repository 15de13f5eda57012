//! A room as its people mean it.

use super::{RELAYS, Sabotage, Scale};
use crate::dice::Dice;
use lanparty_ctrl::{HostId, RoomCode, RoomKey};
use lanparty_fleet::{FleetSecret, Near, RoomHash};

/// One room in so many has a namesake of somebody else's.
const NAMESAKES: usize = 20;

/// A room.
pub(super) struct Hall {
    pub(super) code: RoomCode,
    pub(super) host: HostId,
    pub(super) key: RoomKey,
    pub(super) hash: RoomHash,
    pub(super) hash_text: String,
    /// The hash of the open room of its code.
    pub(super) open: RoomHash,
    /// Its gateway's round trips.
    pub(super) near: Vec<Near>,
    /// How many players it has.
    pub(super) players: usize,
    /// Whose code it has, if that was somebody else's first.
    pub(super) namesake: Option<usize>,
    /// Its gateway, among the peers.
    pub(super) gateway: usize,
}

pub(super) fn secret() -> FleetSecret {
    FleetSecret::new("the same for all of them").unwrap()
}

pub(super) fn address(relay: usize) -> String {
    format!("relay-{relay}.example.net")
}

impl Hall {
    /// The rooms, and the namesakes of some of them behind.
    pub(super) fn all(dice: &mut Dice, scale: &Scale, sabotage: Sabotage) -> Vec<Hall> {
        let namesakes = scale.rooms.div_ceil(NAMESAKES);
        let mut halls: Vec<Hall> = (0..scale.rooms)
            .map(|number| {
                let players = scale.players / scale.rooms;
                Hall::new(dice, number, number, players, sabotage)
            })
            .collect();
        for number in 0..namesakes {
            let of = number * NAMESAKES;
            let mut hall = Hall::new(dice, scale.rooms + number, of, 1, sabotage);
            hall.namesake = Some(of);
            halls.push(hall);
        }
        halls
    }

    fn new(
        dice: &mut Dice,
        number: usize,
        code: usize,
        players: usize,
        sabotage: Sabotage,
    ) -> Self {
        let mut bits = [0; 32];
        bits[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let host = HostId::from_sha256(bits);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&dice.bits().to_be_bytes());
        let code: RoomCode = format!("ROOM-{code:05}").parse().unwrap();
        let of_host = (sabotage != Sabotage::HashesWithoutHost).then_some(&host);
        let hash = secret().room(&code, of_host);
        let near = (0..RELAYS).map(|relay| Near {
            address: address(relay),
            rtt_ms: *dice.pick(&[12, 15, 18, 40]),
        });
        Hall {
            near: near.collect(),
            open: secret().room(&code, None),
            code,
            host,
            key: RoomKey::from_random(key),
            hash_text: hash.to_string(),
            hash,
            players,
            namesake: None,
            gateway: 0,
        }
    }
}

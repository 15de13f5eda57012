//! Where a new room goes: near its gateway, and there by weighted rendezvous.
//!
//! All frames pass the gateway, so the room belongs near it. Among relays that are equally near each room has an order
//! of its own (rendezvous hashing, weighted as in Schindelhauer and Schomaker's logarithmic method), so that all relays
//! agree on where it goes, and only a lost relay's rooms go elsewhere.

use crate::card::Card;
use crate::name::{RelayId, RoomHash, affinity};
use std::collections::BTreeMap;

/// Relays whose round trips differ by less are equally near.
const AS_NEAR_MS: u32 = 10;
/// More measurements are not read; a fleet gives out fewer.
const MAX_NEAR: usize = 32;

/// A gateway's round trip to a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The relay, as its card has it.
    pub address: String,
    /// The round trip, in milliseconds.
    pub rtt_ms: u32,
}

/// Measured round trips by relay.
pub(crate) type Distances = Vec<(RelayId, u32)>;

/// Which relays those are.
pub(crate) fn distances(near: &[Near], relays: &BTreeMap<RelayId, Card>) -> Distances {
    let near = near.iter().take(MAX_NEAR);
    let known = near.flat_map(|near| {
        let same = relays.iter();
        let same = same.filter(|(_, card)| card.address.as_str() == near.address);
        same.map(|(&relay, _)| (relay, near.rtt_ms))
    });
    known.collect()
}

/// The nearest of these, and those as near; all of them, if nothing was measured to any.
pub(crate) fn nearest<'a>(
    candidates: impl Iterator<Item = (RelayId, &'a Card)>,
    near: &Distances,
) -> Vec<(RelayId, &'a Card)> {
    let candidates: Vec<_> = candidates.collect();
    let distance = |relay: RelayId| {
        let measured = near.iter().filter(|(measured, _)| *measured == relay);
        measured.map(|&(_, rtt)| rtt).min()
    };
    let best = candidates.iter().filter_map(|&(relay, _)| distance(relay));
    let Some(best) = best.min() else {
        return candidates;
    };
    let is_near = |relay| distance(relay).is_some_and(|rtt| rtt <= best.saturating_add(AS_NEAR_MS));
    let near = candidates.into_iter();
    near.filter(|&(relay, _)| is_near(relay)).collect()
}

/// The one of these to which a room goes.
pub(crate) fn choose<'a>(
    room: &RoomHash,
    candidates: impl IntoIterator<Item = (RelayId, &'a Card)>,
) -> Option<RelayId> {
    let scored = candidates
        .into_iter()
        .map(|(relay, card)| (score(room, relay, card.free), relay));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    best.map(|(_, relay)| relay)
}

/// Higher the more room there is.
fn score(room: &RoomHash, relay: RelayId, free: u32) -> f64 {
    // Strictly between 0 and 1, for the logarithm.
    let uniform = ((affinity(room, relay) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    -f64::from(coarse(free)) / uniform.ln()
}

/// The number's two highest bits, so that a player more or less does not send rooms elsewhere.
pub(crate) fn coarse(free: u32) -> u32 {
    let low = (u32::BITS - free.leading_zeros()).saturating_sub(2);
    free >> low << low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(address: &str, free: u32) -> Card {
        Card {
            address: address.parse().unwrap(),
            pin: None,
            region: "".into(),
            free,
            draining: false,
            slow: false,
            ready: true,
        }
    }

    fn relays(free: &[u32]) -> BTreeMap<RelayId, Card> {
        let cards = free.iter().zip(1..).map(|(&free, number)| {
            let card = card(&format!("relay-{number}"), free);
            (RelayId::from_random(number), card)
        });
        cards.collect()
    }

    fn room(number: u16) -> RoomHash {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        RoomHash::from_bytes(bytes)
    }

    fn spread(relays: &BTreeMap<RelayId, Card>) -> BTreeMap<RelayId, usize> {
        let mut spread = BTreeMap::new();
        for number in 0..4000 {
            let candidates = relays.iter().map(|(&relay, card)| (relay, card));
            *spread
                .entry(choose(&room(number), candidates).unwrap())
                .or_default() += 1;
        }
        spread
    }

    #[test]
    fn rooms_spread_by_free_capacity() {
        let spread = spread(&relays(&[256, 256, 512]));
        let [a, b, c] = [1, 2, 3].map(|number| spread[&RelayId::from_random(number)]);
        assert!(
            (900..1100).contains(&a) && (900..1100).contains(&b),
            "{a} {b}"
        );
        assert!((1900..2100).contains(&c), "{c}");
    }

    #[test]
    fn a_lost_relay_moves_its_own_rooms_only() {
        let three = relays(&[256, 256, 256]);
        let mut two = three.clone();
        two.remove(&RelayId::from_random(2));
        for number in 0..1000 {
            let all = |relays: &'_ BTreeMap<RelayId, Card>| {
                choose(
                    &room(number),
                    relays.iter().map(|(&relay, card)| (relay, card)),
                )
            };
            let before = all(&three);
            if before != Some(RelayId::from_random(2)) {
                assert_eq!(before, all(&two));
            }
        }
    }

    #[test]
    fn who_is_ten_milliseconds_farther_is_not_asked() {
        let relays = relays(&[1, 1, 1, 1]);
        let near = |address: &str, rtt_ms| Near {
            address: address.into(),
            rtt_ms,
        };
        let measured = [
            near("relay-1", 20),
            near("relay-2", 30),
            near("relay-3", 31),
            near("elsewhere", 1),
        ];
        let chosen = |measured: &[Near]| {
            let near = distances(measured, &relays);
            let all = relays.iter().map(|(&relay, card)| (relay, card));
            nearest(all, &near).len()
        };
        assert_eq!(chosen(&measured), 2);
        assert_eq!(chosen(&[]), 4);
        assert_eq!(chosen(&measured[3..]), 4);
    }

    #[test]
    fn capacity_is_told_apart_coarsely() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 470, 479, 511].map(coarse),
            [0, 1, 2, 3, 4, 4, 384, 384, 384]
        );
        assert_eq!(coarse(u32::MAX), 3 << 30);
    }
}

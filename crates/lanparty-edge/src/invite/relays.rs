//! The relays of a party as somebody names them, checked as a whole.

use super::{MAX_OTHERS, OtherRelay};
use crate::address::RelayAddress;
use lanparty_ctrl::Pin;

/// At least one relay, and none of them twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relays {
    /// The first, which is all that older programs know.
    pub first: RelayAddress,
    /// How that is known; without it by a certificate of an authority.
    pub pin: Option<Pin>,
    /// Where the party may move, at most [`MAX_OTHERS`].
    pub others: Vec<OtherRelay>,
}

/// Why relays cannot be named like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelaysError {
    /// One of them is there again.
    #[error("the relay {0} is named twice; name each relay once")]
    Twice(RelayAddress),
    /// No invite could say all of them.
    #[error(
        "{0} relays are named, and a party has {max} at most; leave some out",
        max = MAX_OTHERS + 1
    )]
    TooMany(usize),
    /// Nobody can tell which one is meant.
    #[error(
        "the relay {0} is given two different pins, one behind its ~ and one by a flag of its own; give the one that it prints when \
         it starts"
    )]
    TwoPins(RelayAddress),
}

impl Relays {
    /// These relays in the order of their flags, the first of which may have its `pin` from a flag of its own; nothing where none
    /// is named.
    ///
    /// # Errors
    /// [`RelaysError`].
    pub fn named(named: Vec<OtherRelay>, pin: Option<Pin>) -> Result<Option<Self>, RelaysError> {
        let count = named.len();
        let mut named = named.into_iter();
        let Some(first) = named.next() else {
            return Ok(None);
        };
        let others: Vec<_> = named.collect();
        let mut before = vec![&first.address];
        for OtherRelay { address, .. } in &others {
            if before.iter().any(|before| before.is_same(address)) {
                return Err(RelaysError::Twice(address.clone()));
            }
            before.push(address);
        }
        if others.len() > MAX_OTHERS {
            return Err(RelaysError::TooMany(count));
        }
        match (pin, first.pin) {
            (Some(one), Some(other)) if one != other => Err(RelaysError::TwoPins(first.address)),
            (one, other) => Ok(Some(Relays {
                first: first.address,
                pin: one.or(other),
                others,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINS: [&str; 2] = [
        "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw",
        "z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs",
    ];

    fn named(words: &[&str], pin: Option<&str>) -> Result<Option<Relays>, RelaysError> {
        let relays = words.iter().map(|word| word.parse().unwrap());
        Relays::named(relays.collect(), pin.map(|pin| pin.parse().unwrap()))
    }

    #[test]
    fn the_first_has_its_pin_from_either_place() {
        let pinned = format!("a.example~{}", PINS[0]);
        for (first, pin) in [
            ("a.example", Some(PINS[0])),
            (&*pinned, None),
            (&*pinned, Some(PINS[0])),
        ] {
            let relays = named(&[first, "b.example:4433"], pin).unwrap().unwrap();
            assert_eq!(relays.first.to_string(), "a.example:443");
            assert_eq!(relays.pin, PINS[0].parse().ok());
            assert_eq!(relays.others, ["b.example:4433".parse().unwrap()]);
        }
        assert_eq!(named(&[], Some(PINS[0])), Ok(None));
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let pinned = format!("a.example~{}", PINS[0]);
        let many = ["a", "b", "c", "d", "e", "f"];
        for (words, pin, says) in [
            (
                &["a.example", "b.example", "A.Example."][..],
                None,
                "the relay A.Example.:443 is named twice",
            ),
            (&many, None, "6 relays are named, and a party has 5 at most"),
            (&[&*pinned], Some(PINS[1]), "two different pins"),
        ] {
            let error = named(words, pin).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(named(&many[..5], None).unwrap().unwrap().others.len(), 4);
    }
}

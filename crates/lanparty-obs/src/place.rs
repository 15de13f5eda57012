//! At which of several relays a party is, as people read it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of several relays of an invite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayPlace {
    /// Which one of them, the first is 1; nothing for one of a fleet to which another one has led.
    #[serde(default)]
    pub number: Option<usize>,
    /// How many the invite names.
    pub of: usize,
    /// `HOST:PORT`.
    #[serde(default)]
    pub address: String,
    /// Where it is, as its operator calls it.
    #[serde(default)]
    pub region: Option<String>,
}

impl fmt::Display for RelayPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "relay {number} of {}", self.of)?,
            None => write!(f, "relay {}", self.address)?,
        }
        match &self.region {
            Some(region) => write!(f, ", {region}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_and_a_region() {
        let place = |number, region: Option<&str>| RelayPlace {
            number,
            of: 3,
            address: "d.example:443".to_owned(),
            region: region.map(str::to_owned),
        };
        for (place, said) in [
            (place(Some(2), Some("Paris")), "relay 2 of 3, Paris"),
            (place(Some(1), None), "relay 1 of 3"),
            (place(None, Some("Oslo")), "relay d.example:443, Oslo"),
        ] {
            assert_eq!(place.to_string(), said);
        }
    }
}

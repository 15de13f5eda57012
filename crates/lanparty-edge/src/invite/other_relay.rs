//! The relays beside the first, where a party goes on when that one is gone.

use crate::address::{RelayAddress, RelayAddressError};
use lanparty_ctrl::{Pin, PinError};
use std::fmt;
use std::str::FromStr;

/// What stands between a relay's address and its pin: a character that is in neither.
const MARK: char = '~';

/// A relay beside the first: `HOST[:PORT][~PIN]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRelay {
    /// Where it is.
    pub address: RelayAddress,
    /// How it is known; without it by a certificate of an authority.
    pub pin: Option<Pin>,
}

/// The text names no relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherRelayError {
    /// What stands before the mark is no address.
    #[error(transparent)]
    Address(#[from] RelayAddressError),
    /// What stands behind it is no pin.
    #[error("what stands behind the ~ of `{relay}` is no pin: {cause}")]
    Pin {
        /// What stands before it.
        relay: String,
        /// What a pin is.
        #[source]
        cause: PinError,
    },
}

impl FromStr for OtherRelay {
    type Err = OtherRelayError;

    fn from_str(text: &str) -> Result<Self, OtherRelayError> {
        let (address, pin) = match text.split_once(MARK) {
            Some((address, pin)) => (address, Some(pin)),
            None => (text, None),
        };
        let bad_pin = |cause| OtherRelayError::Pin {
            relay: address.to_owned(),
            cause,
        };
        Ok(OtherRelay {
            address: address.parse()?,
            pin: pin.map(str::parse).transpose().map_err(bad_pin)?,
        })
    }
}

impl fmt::Display for OtherRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        match &self.pin {
            Some(pin) => write!(f, "{MARK}{pin}"),
            None => Ok(()),
        }
    }
}

impl OtherRelay {
    /// Each of these once, and none that is the first; a name is the same in any case (RFC 4343).
    pub fn distinct<'a>(
        first: &'a RelayAddress,
        others: &'a [OtherRelay],
    ) -> impl Iterator<Item = &'a OtherRelay> {
        let is_new = move |(number, other): &(usize, &OtherRelay)| {
            let mut before = others[..*number].iter().map(|other| &other.address);
            !first.is_same(&other.address) && !before.any(|before| before.is_same(&other.address))
        };
        others
            .iter()
            .enumerate()
            .filter(is_new)
            .map(|(_, other)| other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

    #[test]
    fn a_relay_is_written_with_its_pin_or_without() {
        for (text, shown) in [
            ("b.example".to_owned(), "b.example:443".to_owned()),
            (
                format!("b.example:4433~{PIN}"),
                format!("b.example:4433~{PIN}"),
            ),
            (
                format!("2001:db8::7~{PIN}"),
                format!("[2001:db8::7]:443~{PIN}"),
            ),
        ] {
            let relay: OtherRelay = text.parse().unwrap();
            assert_eq!(relay.to_string(), shown);
            assert_eq!(shown.parse(), Ok(relay));
        }
    }

    #[test]
    fn what_is_wrong_in_it_is_said() {
        for (bad, says) in [
            (format!("re lay~{PIN}"), "`re lay` is not a relay address"),
            (
                "b.example~".to_owned(),
                "behind the ~ of `b.example` is no pin: a pin is the 43",
            ),
            (format!("b.example~{PIN}~{PIN}"), "is no pin"),
            (format!("~{PIN}"), "`` is not a relay address"),
        ] {
            let error = bad.parse::<OtherRelay>().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_same_relay_counts_once() {
        let relay = |text: &str| text.parse::<OtherRelay>().unwrap();
        let first = relay("A.example").address;
        let others = ["a.example:443", "b.example", "B.Example", "b.example:4433"].map(relay);
        let distinct: Vec<_> = OtherRelay::distinct(&first, &others).collect();
        assert_eq!(distinct, [&others[1], &others[3]]);
    }
}

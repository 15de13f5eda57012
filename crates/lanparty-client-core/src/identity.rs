//! By what a player is known: the MAC of the virtual adapter, made once and kept.

use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// What the file `lanparty-client-identity.json` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The virtual adapter's MAC.
    pub mac: VirtualMac,
}

impl Identity {
    /// A new identity from 48 bits of OS randomness.
    pub fn from_random(octets: [u8; 6]) -> Self {
        Identity {
            mac: VirtualMac::from_random(octets),
        }
    }

    /// The identity as JSON.
    pub fn encode(self) -> String {
        let mut json = serde_json::to_string_pretty(&self).expect("an identity is plain data");
        json.push('\n');
        json
    }

    /// Reads what [`Self::encode`] wrote; fields of later versions are ignored.
    ///
    /// # Errors
    /// When it is not JSON, or its MAC is not one that a virtual adapter may have.
    pub fn decode(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{\n  \"mac\": \"02:1a:2b:3c:4d:5e\"\n}\n";

    #[test]
    fn an_identity_is_a_mac_in_json() {
        let identity = Identity::from_random([0x01, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e]);
        assert_eq!(identity.encode(), JSON);
        assert_eq!(Identity::decode(JSON).unwrap(), identity);
    }

    #[test]
    fn later_versions_may_add_fields() {
        assert!(Identity::decode(r#"{ "mac": "02:00:00:00:00:01", "name": "x" }"#).is_ok());
    }

    #[test]
    fn other_files_are_no_identity() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{ "mac": "00:1b:21:00:00:01" }"#,
            r#"{ "mac": 7 }"#,
        ] {
            assert!(Identity::decode(bad).is_err(), "{bad}");
        }
    }
}

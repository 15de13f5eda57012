//! By what a player is known: the MAC of the virtual adapter, for the LAN, and a key, for the relay; both
//! made once and kept.

use lanparty_ctrl::{IdentityKey, Name};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// What the file `lanparty-client-identity.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The virtual adapter's MAC.
    pub mac: VirtualMac,
    /// What proves to the relay that it is the same player again.
    pub key: IdentityKey,
    /// What the host and the others call the player.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

/// What may be in such a file: earlier versions knew no keys, and fields of later ones are ignored.
#[derive(Deserialize)]
struct Kept {
    mac: VirtualMac,
    key: Option<IdentityKey>,
    name: Option<Name>,
}

impl Identity {
    /// A new identity from OS randomness.
    pub fn from_random(octets: [u8; 6], seed: [u8; 32]) -> Self {
        Identity {
            mac: VirtualMac::from_random(octets),
            key: IdentityKey::from_random(seed),
            name: None,
        }
    }

    /// The identity as JSON.
    pub fn encode(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("an identity is plain data");
        json.push('\n');
        json
    }

    /// Reads what [`Self::encode`] wrote. What an earlier version wrote gets a key made of `seed`; then
    /// the answer is not what the file says, which is the second part.
    ///
    /// # Errors
    /// When it is not JSON, its MAC is not one that a virtual adapter may have, or its key is none.
    pub fn decode(json: &str, seed: [u8; 32]) -> Result<(Self, bool), serde_json::Error> {
        let Kept { mac, key, name } = serde_json::from_str(json)?;
        let is_whole = key.is_some();
        let key = key.unwrap_or_else(|| IdentityKey::from_random(seed));
        Ok((Identity { mac, key, name }, is_whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{\n  \"mac\": \"02:1a:2b:3c:4d:5e\",\n  \
        \"key\": \"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"\n}\n";

    #[test]
    fn an_identity_is_a_mac_and_a_key_in_json() {
        let identity = Identity::from_random([0x01, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e], [7; 32]);
        assert_eq!(identity.encode(), JSON);
        assert_eq!(Identity::decode(JSON, [9; 32]).unwrap(), (identity, true));
    }

    #[test]
    fn an_identity_of_an_earlier_version_gets_a_key() {
        let old = r#"{ "mac": "02:1a:2b:3c:4d:5e" }"#;
        let (identity, is_whole) = Identity::decode(old, [7; 32]).unwrap();
        assert_eq!((identity.encode().as_str(), is_whole), (JSON, false));
    }

    #[test]
    fn a_name_is_kept_with_it() {
        let (identity, _) = Identity::decode(JSON, [9; 32]).unwrap();
        let name = Some("Bert".parse().unwrap());
        let named = Identity { name, ..identity };
        assert_eq!(
            Identity::decode(&named.encode(), [9; 32]).unwrap(),
            (named, true)
        );
    }

    #[test]
    fn later_versions_may_add_fields() {
        let json = JSON.replacen('{', "{ \"colour\": \"x\",", 1);
        assert!(Identity::decode(&json, [0; 32]).is_ok());
    }

    #[test]
    fn other_files_are_no_identity() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{ "mac": "00:1b:21:00:00:01" }"#,
            r#"{ "mac": 7 }"#,
            r#"{ "mac": "02:1a:2b:3c:4d:5e", "key": "short" }"#,
        ] {
            assert!(Identity::decode(bad, [0; 32]).is_err(), "{bad}");
        }
    }
}

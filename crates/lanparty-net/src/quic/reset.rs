//! What a relay that was killed and started again says to links that it has forgotten: a stateless reset
//! (RFC 9000 §10.3), so that its peers come back at once instead of waiting for an answer in vain.
//!
//! The secrets behind it come from the relay's own key, which outlives the process. One key is for one
//! relay: whoever has two with the same key could be made to reset the links of one through the other
//! (RFC 9000 §21.11).

use crate::tls::Identity;
use noq_proto::{ConnectionIdGenerator, EndpointConfig, HashedConnectionIdGenerator};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

const RESET_LABEL: &[u8] = b"softlan-vpn stateless reset 1";
const CONNECTION_ID_LABEL: &[u8] = b"softlan-vpn connection IDs 1";
/// A room full of players asks within a second. A reset is never longer than what it answers.
const BETWEEN_RESETS: Duration = Duration::from_millis(1);

/// The settings of an endpoint that knows its connection IDs again when it was restarted.
pub(super) fn endpoint_config(identity: &Identity) -> EndpointConfig {
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, &identity.derive(RESET_LABEL));
    let secret = identity.derive(CONNECTION_ID_LABEL);
    let (secret, _) = secret.split_first_chunk().expect("it has 32 bytes");
    let secret = u64::from_le_bytes(*secret);
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config
        .cid_generator(Arc::new(move || {
            let generator: Box<dyn ConnectionIdGenerator> =
                Box::new(HashedConnectionIdGenerator::from_key(secret));
            generator
        }))
        .min_reset_interval(BETWEEN_RESETS);
    config
}

//! What outlives the gateway: the token, so that a bookmark leads to the page of the next evening too, and the certificate.

use crate::token::Token;
use lanparty_edge::state_folder::{StateError, StateFolder};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType,
};
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const TOKEN_FILE: &str = "page-token";
const CERTIFICATE_FILE: &str = "page-certificate.json";

/// The token of this folder, and a sentence where it holds for this start alone.
pub(crate) fn token(folder: Option<&StateFolder>, random: [u8; 16]) -> (Token, Option<String>) {
    let fresh = Token::from_random(random);
    let Some(folder) = folder else {
        return (fresh, None);
    };
    let kept = folder.load_or_create(TOKEN_FILE, || fresh.reveal().into_bytes());
    let trouble = match kept {
        Ok(kept) => match std::str::from_utf8(&kept).ok().and_then(Token::parse) {
            Some(token) => return (token, None),
            None => format!(
                "{} holds no token; delete it",
                folder.file(TOKEN_FILE).display()
            ),
        },
        Err(error) => short(&error),
    };
    (
        fresh,
        Some(format!(
            "The party page's link holds until the gateway ends, as {trouble}."
        )),
    )
}

/// What is wrong and with which file; what helps is said for keys there.
fn short(error: &StateError) -> String {
    match error {
        StateError::NoFolder => "there is no folder to keep it in".to_owned(),
        StateError::Unreadable { file, cause } => {
            format!("{} cannot be read ({cause})", file.display())
        }
        StateError::Unwritable { file, cause } => {
            format!("{} cannot be written ({cause})", file.display())
        }
    }
}

/// A certificate that the page has made for itself, and for which addresses.
#[derive(Serialize, Deserialize)]
struct Kept {
    addresses: BTreeSet<IpAddr>,
    /// DER, as base64.
    key: String,
    certificate: String,
}

/// What the page shows browsers by TLS.
pub(crate) struct Certificate {
    pub(crate) config: Arc<ServerConfig>,
    /// By which a host knows it, as browsers show it.
    pub(crate) fingerprint: String,
    /// A sentence, where it holds for this start alone.
    pub(crate) trouble: Option<String>,
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made for it ({0})")]
pub(crate) struct NoCertificate(String);

/// The certificate of this folder, if it is for these addresses; or else a new one.
pub(crate) fn certificate(
    folder: Option<&StateFolder>,
    addresses: &[IpAddr],
) -> Result<Certificate, NoCertificate> {
    let addresses: BTreeSet<_> = addresses.iter().map(IpAddr::to_canonical).collect();
    let kept = folder.and_then(|folder| folder.load(CERTIFICATE_FILE).ok().flatten());
    let kept = kept.and_then(|kept| serde_json::from_slice::<Kept>(&kept).ok());
    if let Some(kept) = kept.filter(|kept| addresses.is_subset(&kept.addresses))
        && let Ok(certificate) = shown(&kept)
    {
        return Ok(certificate);
    }
    let made = make(addresses)?;
    let mut certificate = shown(&made)?;
    if let Some(folder) = folder {
        let text = serde_json::to_vec(&made).map_err(|error| NoCertificate(error.to_string()))?;
        let failed = folder.replace(CERTIFICATE_FILE, &text).err();
        certificate.trouble = failed.map(|error| {
            format!(
                "The party page's certificate holds until the gateway ends, as {}.",
                short(&error)
            )
        });
    }
    Ok(certificate)
}

fn make(addresses: BTreeSet<IpAddr>) -> Result<Kept, NoCertificate> {
    let failed = |error: rcgen::Error| NoCertificate(error.to_string());
    let loopback = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(failed)?;
    let addresses: BTreeSet<_> = addresses.into_iter().chain(loopback).collect();
    params
        .subject_alt_names
        .extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "softlan-vpn party page");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let text = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    Ok(Kept {
        addresses,
        key: text(&key.serialize_der()),
        certificate: text(certificate.der()),
    })
}

fn shown(kept: &Kept) -> Result<Certificate, NoCertificate> {
    let failed = |error: String| NoCertificate(error);
    let bytes = |text: &str| data_encoding::BASE64.decode(text.as_bytes());
    let key = bytes(&kept.key).map_err(|error| failed(error.to_string()))?;
    let der = bytes(&kept.certificate).map_err(|error| failed(error.to_string()))?;
    let hash = digest::digest(&digest::SHA256, &der);
    let pairs: Vec<_> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(der)],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
        );
    let mut config = config.map_err(|error| failed(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate {
        config: Arc::new(config),
        fingerprint: pairs.join(":"),
        trouble: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_kept_for_its_owner_and_the_same_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().to_owned());
        let (made, none) = token(Some(&state), [1; 16]);
        assert_eq!(none, None);
        let (again, _) = token(Some(&state), [2; 16]);
        assert!(again.is(&made));
        let mode = fs::metadata(state.file(TOKEN_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_token_that_cannot_be_kept_is_one_sentence_and_never_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = |name: &str| StateFolder::new(folder.path().join(name));
        fs::write(folder.path().join(TOKEN_FILE), "half").unwrap();
        fs::create_dir_all(folder.path().join("b").join(TOKEN_FILE)).unwrap();
        fs::write(folder.path().join("c"), "a file").unwrap();
        for state in [
            state("."),
            state("b"),
            state("c"),
            StateFolder::new("/proc/nowhere".into()),
        ] {
            let (token, trouble) = token(Some(&state), [3; 16]);
            let trouble = trouble.unwrap();
            assert!(trouble.contains("until the gateway ends, as"), "{trouble}");
            assert!(!trouble.contains(&token.reveal()), "{trouble}");
        }
    }

    #[test]
    fn a_certificate_is_the_same_while_the_addresses_are() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().to_owned());
        let fingerprint = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            certificate(Some(&state), &addresses).unwrap().fingerprint
        };
        let both = fingerprint(&["192.168.50.2", "fd00::2"]);
        assert_eq!(both.len(), 95);
        assert_eq!(fingerprint(&["fd00::2"]), both);
        assert_eq!(fingerprint(&["127.0.0.1", "192.168.50.2"]), both);
        let mode = fs::metadata(state.file(CERTIFICATE_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let moved = fingerprint(&["192.168.60.2"]);
        assert_ne!(moved, both);
        fs::write(state.file(CERTIFICATE_FILE), "half").unwrap();
        assert_ne!(fingerprint(&["192.168.60.2"]), moved);
    }
}

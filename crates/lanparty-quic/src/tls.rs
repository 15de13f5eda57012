//! Whom to trust, and who we are.

mod asked;
mod identities;
mod pinned;
mod validity;

pub(crate) use identities::fingerprint_of;

use asked::AskedKey;
use identities::AnyIdentity;
use lanparty_ctrl::{ALPN, IdentityKey, Pin};
use pinned::PinnedKey;
use ring::hmac;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Whose certificates a peer accepts from its relay.
#[derive(Debug, Clone)]
pub struct Trust(Trusted);

#[derive(Debug, Clone)]
enum Trusted {
    /// What one of these has signed, in the relay's name.
    Roots(Arc<RootCertStore>),
    /// Whoever has this key, whatever its certificate says.
    Key(Pin),
    /// Nobody; the first key that is shown is put here.
    Nobody(Arc<OnceLock<Pin>>),
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error(
        "the certificate file {0} cannot be read: {1}; give the file that the relay wrote with --dev-cert-der-out, or your CA's certificate"
    )]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is something else.
    #[error("the file {0} holds no certificate; give a certificate in PEM or DER form")]
    NoCertificate(PathBuf),
    /// The system has no list of authorities.
    #[error(
        "this system has no list of certificate authorities; install ca-certificates or use --relay-ca-cert"
    )]
    NoSystemRoots,
    /// Neither a DNS name nor an IP address.
    #[error(
        "`{0}` cannot be the name in a certificate; give a DNS name or an IP address to --server-name"
    )]
    BadServerName(String),
}

impl Trust {
    /// Trusts the certificate in a file (PEM with one or more, or DER), or, without a file, whom the
    /// system trusts.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(file: Option<&Path>) -> Result<Self, TrustError> {
        match file {
            Some(file) => Self::from_file(file),
            None => Self::system(),
        }
    }

    /// Trusts whoever has the key with this pin, and nobody else.
    pub fn pinned(pin: Pin) -> Self {
        Trust(Trusted::Key(pin))
    }

    /// The pin that must be the relay's, if one alone is trusted.
    pub fn pin(&self) -> Option<Pin> {
        match self.0 {
            Trusted::Key(pin) => Some(pin),
            Trusted::Roots(_) | Trusted::Nobody(_) => None,
        }
    }

    /// Trusts nobody, and remembers the first key that it is shown.
    pub fn asking() -> (Self, Arc<OnceLock<Pin>>) {
        let shown = Arc::default();
        (Trust(Trusted::Nobody(Arc::clone(&shown))), shown)
    }

    fn from_file(file: &Path) -> Result<Self, TrustError> {
        let certificates = certificates_in(file)?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TrustError::NoCertificate(file.to_owned()));
        }
        Ok(Trust(Trusted::Roots(Arc::new(roots))))
    }

    fn system() -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let (added, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err(TrustError::NoSystemRoots);
        }
        Ok(Trust(Trusted::Roots(Arc::new(roots))))
    }

    /// TLS for a peer, which says by its `identity` who it is if it has one.
    pub(crate) fn client_config(
        &self,
        identity: Option<&IdentityKey>,
    ) -> Result<ClientConfig, IdentityError> {
        self.client_config_for(ALPN, identity)
    }

    /// The same for a peer that speaks this.
    pub(crate) fn client_config_for(
        &self,
        alpn: &[u8],
        identity: Option<&IdentityKey>,
    ) -> Result<ClientConfig, IdentityError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites for TLS 1.3");
        let builder = match &self.0 {
            Trusted::Roots(roots) => builder.with_root_certificates(roots.clone()),
            Trusted::Key(pin) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(PinnedKey::new(*pin, provider))),
            Trusted::Nobody(shown) => {
                let schemes = provider
                    .signature_verification_algorithms
                    .supported_schemes();
                let asked = AskedKey::new(Arc::clone(shown), schemes);
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(asked))
            }
        };
        let mut config = match identity {
            Some(identity) => {
                let (certificate, key) = introduce(identity)?;
                builder.with_client_auth_cert(vec![certificate], key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(config)
    }
}

/// The certificate around a peer's key, for TLS knows no naked keys. Nobody reads more in it than that.
fn introduce(
    identity: &IdentityKey,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = PrivatePkcs8KeyDer::from(identity.pkcs8());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519)?;
    let params = rcgen::CertificateParams::new(["softlan-peer".to_owned()])?;
    Ok((params.self_signed(&pair)?.into(), key.into()))
}

/// True when a certificate could carry this name at all.
///
/// # Errors
/// [`TrustError::BadServerName`].
pub fn check_server_name(name: &str) -> Result<(), TrustError> {
    match ServerName::try_from(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(TrustError::BadServerName(name.to_owned())),
    }
}

/// The certificates in a file of PEM, or the one in a file of DER.
fn certificates_in(file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let bytes =
        std::fs::read(file).map_err(|error| TrustError::Unreadable(file.to_owned(), error))?;
    let mut certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        certificates.push(CertificateDer::from(bytes));
    }
    Ok(certificates)
}

/// The pin of the relay whose own certificate is in this file, first if there are several (PEM or DER).
///
/// # Errors
/// [`TrustError`].
pub fn pin_of_file(file: &Path) -> Result<Pin, TrustError> {
    let certificates = certificates_in(file)?;
    let pin = certificates.first().and_then(pin_of);
    pin.ok_or_else(|| TrustError::NoCertificate(file.to_owned()))
}

/// The pin of the key that a certificate speaks of; `None` when it is no certificate.
pub(crate) fn pin_of(certificate: &CertificateDer<'_>) -> Option<Pin> {
    spki_digest(certificate).map(Pin::from_sha256)
}

fn spki_digest(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let key = parsed.subject_public_key_info();
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_ref());
    digest.as_ref().try_into().ok()
}

/// Who a relay is: a certificate chain and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pin: Pin,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, …)", self.pin)
    }
}

/// Why an identity cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The name cannot stand in a certificate.
    #[error("no certificate can be made for this server name; give a DNS name to --server-name")]
    Certificate(#[from] rcgen::Error),
    /// The kept key is none.
    #[error("the kept key is broken; delete it to get a new one, which has another pin")]
    BrokenKey,
    /// There is no certificate in the text.
    #[error(
        "there is no certificate in PEM form; give a file with the whole chain, the relay's own first"
    )]
    NoCertificate,
    /// There is no key in the text.
    #[error("there is no private key in PEM form; give the key that belongs to the certificate")]
    NoKey,
    /// TLS does not take it.
    #[error("the certificate and its key do not fit together; give a matching pair")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// A new key in PEM form, for [`Identity::self_signed`].
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when no key can be made.
    pub fn new_key() -> Result<String, IdentityError> {
        Ok(rcgen::KeyPair::generate()?.serialize_pem())
    }

    /// A certificate for `name` that nobody but its own `key` (PEM) has signed.
    ///
    /// # Errors
    /// [`IdentityError`] when the name cannot stand in a certificate, or the key is none.
    pub fn self_signed(name: &str, key: &str) -> Result<Self, IdentityError> {
        Self::self_signed_for(&[name], key)
    }

    /// The same for several names.
    ///
    /// # Errors
    /// [`IdentityError`] when one of them cannot stand in a certificate, or the key is none.
    pub fn self_signed_for(names: &[&str], key: &str) -> Result<Self, IdentityError> {
        let pair = rcgen::KeyPair::from_pem(key).map_err(|_| IdentityError::BrokenKey)?;
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(&pair)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
        Self::new(
            vec![certificate.der().clone()],
            key.map_err(|_| IdentityError::BrokenKey)?,
        )
    }

    /// A certificate chain, the relay's own first, and its key, both in PEM form.
    ///
    /// # Errors
    /// [`IdentityError`] when one of them is missing, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| IdentityError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::NoKey)?;
        Self::new(chain, key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityError> {
        let own = chain.first().ok_or(IdentityError::NoCertificate)?;
        let pin = pin_of(own).ok_or(IdentityError::NoCertificate)?;
        let identity = Identity { chain, key, pin };
        identity.server_config()?;
        Ok(identity)
    }

    /// The pin of its key.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// When the certificate ends, in seconds since 1970, as far as that can be read.
    pub fn ends_at(&self) -> Option<i64> {
        validity::ends_at(self.chain.first()?)
    }

    /// A secret of the key's own for the purpose that `label` names; the same for the same key.
    pub(crate) fn derive(&self, label: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.secret_der());
        let tag = hmac::sign(&key, label);
        let secret = tag.as_ref().try_into();
        secret.expect("SHA-256 has 32 bytes")
    }

    /// The certificate that peers may pin, as DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.chain
            .first()
            .map_or(&[], |certificate| certificate.as_ref())
    }

    /// Chain and key, for a server of another kind that is the same relay.
    pub fn certified(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, IdentityError> {
        self.server_config_for(ALPN)
    }

    /// The same for whoever speaks this.
    pub(crate) fn server_config_for(&self, alpn: &[u8]) -> Result<ServerConfig, IdentityError> {
        let provider = provider();
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(AnyIdentity(provider)))
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![alpn.to_vec()];
        // Our order, not the client's: it puts the cheapest suite first on this processor.
        config.ignore_client_order = true;
        // Nobody comes back with a ticket: who it is and what it knows is proved anew on each connection.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }
}

/// QUIC begins with TLS 1.3 (RFC 9001 §4.2), so nobody gets as far as a signature of the version before.
fn no_tls12() -> rustls::Error {
    rustls::PeerIncompatible::Tls12NotOffered.into()
}

/// ring, with AES-128-GCM first where the processor has AES, because rustls prefers AES-256 and
/// each byte is sealed and opened four times between a player and the LAN.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    if has_aes_instructions() {
        let rank = |suite: rustls::CipherSuite| match suite {
            rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => 0,
            _ => 1,
        };
        provider
            .cipher_suites
            .sort_by_key(|suite| rank(suite.suite()));
    }
    Arc::new(provider)
}

fn has_aes_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_file_may_be_der_or_pem() {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed("lanparty-relay", &key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let der = folder.path().join("relay.der");
        std::fs::write(&der, identity.certificate_der()).unwrap();
        assert!(Trust::load(Some(&der)).is_ok());
        let pem = folder.path().join("relay.pem");
        let text = rcgen::generate_simple_self_signed(["x.example".to_owned()])
            .unwrap()
            .cert
            .pem();
        std::fs::write(&pem, text).unwrap();
        assert!(Trust::load(Some(&pem)).is_ok());
    }

    #[test]
    fn a_file_that_is_missing_or_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.der");
        let sentence = |file: &Path| Trust::load(Some(file)).unwrap_err().to_string();
        assert!(sentence(&file).contains("cannot be read"));
        std::fs::write(&file, "not a certificate").unwrap();
        assert!(sentence(&file).contains("relay.der holds no certificate"));
    }

    #[test]
    fn a_certificate_renewed_with_the_same_key_has_the_same_pin() {
        let key = Identity::new_key().unwrap();
        let [one, two] =
            ["one.example", "two.example"].map(|name| Identity::self_signed(name, &key).unwrap());
        assert_ne!(one.certificate_der(), two.certificate_der());
        assert_eq!(one.pin(), two.pin());
        let other = Identity::new_key().unwrap();
        assert_ne!(
            one.pin(),
            Identity::self_signed("one.example", &other).unwrap().pin()
        );
    }

    #[test]
    fn a_pin_is_the_sha_256_of_the_subject_public_key_info() {
        // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | basenc --base64url
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        assert_eq!(pin_of(&certificate).unwrap().to_string(), PIN);
    }

    #[test]
    fn a_peer_shows_the_key_that_its_fingerprint_names() {
        let key = IdentityKey::from_random([7; 32]);
        let (certificate, _) = introduce(&key).unwrap();
        assert_eq!(fingerprint_of(&certificate), Some(key.fingerprint()));
        let pin = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw".parse();
        let trust = Trust::pinned(pin.unwrap());
        assert!(trust.client_config(Some(&key)).is_ok(), "TLS takes it");
    }

    #[test]
    fn a_certificate_without_its_own_key_is_no_identity() {
        let pem = |name| {
            let made = rcgen::generate_simple_self_signed([String::from(name)]).unwrap();
            (
                made.cert.pem().into_bytes(),
                made.signing_key.serialize_pem().into_bytes(),
            )
        };
        let ((chain, key), (_, other)) = (pem("a.example"), pem("b.example"));
        let sentence =
            |chain: &[u8], key: &[u8]| Identity::from_pem(chain, key).unwrap_err().to_string();
        assert!(Identity::from_pem(&chain, &key).is_ok());
        assert!(sentence(&chain, &other).contains("matching pair"));
        assert!(sentence(b"", &key).contains("no certificate"));
        assert!(sentence(&chain, &chain).contains("no private key"));
    }

    #[test]
    fn a_key_never_shows() {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed("lanparty-relay", &key).unwrap();
        assert_eq!(
            format!("{identity:?}"),
            format!("Identity({}, …)", identity.pin())
        );
    }

    #[test]
    fn names_that_no_certificate_carries_are_refused() {
        assert!(check_server_name("relay.example.net").is_ok());
        assert!(check_server_name("203.0.113.7").is_ok());
        assert!(check_server_name("not a name").is_err());
    }

    #[test]
    fn aes_128_comes_first_where_the_processor_has_it() {
        if has_aes_instructions() {
            let first = provider().cipher_suites[0].suite();
            assert_eq!(first, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
        }
    }

    const PIN: &str = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";
    const CERTIFICATE: &[u8] = b"\
-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUAk5koBxAZ0CaK6CuQsg5N2XouvAwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNcmVsYXkuZXhhbXBsZTAgFw0yNjExMjExMzIwNTRaGA8yMTI2
MTAyODEzMjA1NFowGDEWMBQGA1UEAwwNcmVsYXkuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABAqH7ldTZxHqiC1jv40sPphySyEuj6+dtAsRVNKzcwot
i3HWmZbBKIQTDKRY7WpjBipYGVlIg6EQbVCkJLad77KjUzBRMB0GA1UdDgQWBBTG
0aaWSdW9yvSWeduU2xOFzhPZ4zAfBgNVHSMEGDAWgBTG0aaWSdW9yvSWeduU2xOF
zhPZ4zAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIGYQsw1dJl8E
aoIfmPCNkXVgRwcemB0HK6gs+jh0t91CAiEA5fSe0cq1tLjp9v83Piwu+4bkxwu/
y4x9Kg6fMtb+s0E=
-----END CERTIFICATE-----
";
}

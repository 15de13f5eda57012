//! Whom to trust, and who we are.

use lanparty_ctrl::ALPN;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose certificates a peer accepts from its relay.
#[derive(Debug, Clone)]
pub struct Trust(Arc<RootCertStore>);

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

    fn from_file(file: &Path) -> Result<Self, TrustError> {
        let bytes =
            std::fs::read(file).map_err(|error| TrustError::Unreadable(file.to_owned(), error))?;
        let mut certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .filter_map(Result::ok)
            .collect();
        if certificates.is_empty() {
            certificates.push(CertificateDer::from(bytes));
        }
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TrustError::NoCertificate(file.to_owned()));
        }
        Ok(Trust(Arc::new(roots)))
    }

    fn system() -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let (added, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err(TrustError::NoSystemRoots);
        }
        Ok(Trust(Arc::new(roots)))
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites for TLS 1.3")
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }
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

/// Who a relay is: a certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why an identity cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The name cannot stand in a certificate.
    #[error("no certificate can be made for this server name; give a DNS name to --server-name")]
    Certificate(#[from] rcgen::Error),
    /// TLS does not take it.
    #[error("the certificate and its key do not fit together; give a matching pair")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// A fresh self-signed certificate for `name`, good for this run of the program.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when the name cannot stand in a certificate.
    pub fn self_signed(name: &str) -> Result<Self, IdentityError> {
        let certified = rcgen::generate_simple_self_signed([name.to_owned()])?;
        Ok(Identity {
            chain: vec![certified.cert.der().clone()],
            key: PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()).into(),
        })
    }

    /// The certificate that peers may pin, as DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.chain
            .first()
            .map_or(&[], |certificate| certificate.as_ref())
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, IdentityError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Our order, not the client's: it puts the cheapest suite first on this processor.
        config.ignore_client_order = true;
        Ok(config)
    }
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
        let identity = Identity::self_signed("lanparty-relay").unwrap();
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
}

//! Whom to believe that it is etcd, and who we are.

use super::address::Tls;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no TLS with etcd.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryTrustError {
    /// A file holds none of what it should.
    #[error(
        "{file} holds no {what} in PEM form that can be read: {cause}; name the right file in the address of the directory"
    )]
    File {
        /// The file.
        file: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// Certificate and key are not a pair.
    #[error(
        "the certificate {cert} cannot be used for the directory: {cause}; give the key that belongs to it"
    )]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// What TLS says.
        #[source]
        cause: rustls::Error,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no list of certificate authorities; install ca-certificates, or give etcd's own with `ca=FILE`"
    )]
    NoSystemRoots,
}

/// TLS for these settings.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, DirectoryTrustError> {
    let roots = roots(tls.ca.as_deref())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites for TLS 1.3")
        .with_root_certificates(roots);
    let Some((cert, key)) = &tls.own else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let chain = certificates(cert)?;
    let own =
        PrivateKeyDer::from_pem_file(key).map_err(|cause| unread(key, "private key", &cause))?;
    let config = builder.with_client_auth_cert(chain, own);
    let cert = cert.clone();
    let config = config.map_err(|cause| DirectoryTrustError::Pair { cert, cause })?;
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, DirectoryTrustError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let (added, _) = roots.add_parsable_certificates(certificates(file)?);
            if added == 0 {
                return Err(unread(file, "certificate", &"it is not one of X.509"));
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs().certs;
            if roots.add_parsable_certificates(system).0 == 0 {
                return Err(DirectoryTrustError::NoSystemRoots);
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, DirectoryTrustError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| unread(file, "certificate", &cause))?;
    if certificates.is_empty() {
        return Err(unread(file, "certificate", &"there is none in it"));
    }
    Ok(certificates)
}

fn unread(file: &Path, what: &'static str, cause: &dyn std::fmt::Display) -> DirectoryTrustError {
    DirectoryTrustError::File {
        file: file.to_owned(),
        what,
        cause: cause.to_string(),
    }
}

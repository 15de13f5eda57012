//! Nobody is trusted, but the key that was shown is remembered.

use super::{no_tls12, pin_of};
use lanparty_ctrl::Pin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::{Arc, OnceLock};

/// Ends every handshake once the other side has shown a key. It proves nothing yet: that is for a second handshake, which
/// trusts this key alone.
#[derive(Debug)]
pub(super) struct AskedKey {
    shown: Arc<OnceLock<Pin>>,
    schemes: Vec<SignatureScheme>,
}

impl AskedKey {
    pub(super) fn new(shown: Arc<OnceLock<Pin>>, schemes: Vec<SignatureScheme>) -> Self {
        AskedKey { shown, schemes }
    }
}

impl ServerCertVerifier for AskedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(pin) = pin_of(end_entity) {
            self.shown.get_or_init(|| pin);
        }
        Err(Error::General("only its key was asked for".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only its key was asked for".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

//! What docs/errors.md says of etcd.

use super::{DirectoryAddressError, DirectoryError, DirectoryTrustError};
use lanparty_told::{Chapter, told};
use std::io;

fn at() -> String {
    "etcd1.example.net:2379".into()
}

/// An error of HTTP: what somebody says who does not speak it.
fn no_http() -> hyper::Error {
    use http_body_util::Empty;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let closed = async {
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        let near = hyper_util::rt::TokioIo::new(near);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(near).await?;
        tokio::spawn(async move { drop(connection.await) });
        let asked = hyper::Request::new(Empty::<bytes::Bytes>::new());
        sender.send_request(asked).await
    };
    runtime.block_on(closed).expect_err("nobody is there")
}

#[test]
fn the_page_explains_what_is_wrong_with_etcd() {
    let alert = || rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
    let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let garbled = || rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    let user = || "relay".to_owned();
    let address = told!(DirectoryAddressError {
        DirectoryAddressError::Scheme = DirectoryAddressError::Scheme => "Only etcd can be a directory.", "As the sentence has it.";
        DirectoryAddressError::Password = DirectoryAddressError::Password => "A password must not stand on a command line.", "As the sentence says.";
        DirectoryAddressError::Endpoint(_) = DirectoryAddressError::Endpoint("etcd1:x".into()) => "A name or port is misspelt.", "Commas between them, no spaces.";
        DirectoryAddressError::Setting(_) = DirectoryAddressError::Setting("tsl".into()) => "What stands behind `?` is misspelt.", "One of those that it names.";
        DirectoryAddressError::Half = DirectoryAddressError::Half => "A certificate without its key, or the other way round.", "Both, or none.";
        DirectoryAddressError::Prefix = DirectoryAddressError::Prefix => "Keys of the fleet all begin with it.", "A short word.";
    });
    let trust = told!(DirectoryTrustError {
        DirectoryTrustError::File { .. } = DirectoryTrustError::File { file: "/etc/lanparty/etcd-ca.pem".into(), what: "certificate", cause: "there is none in it".into() } => "The file is another one, is empty, or the relay's user may not read it.", "What the reason says.";
        DirectoryTrustError::Pair { .. } = DirectoryTrustError::Pair { cert: "/etc/lanparty/etcd.pem".into(), cause: rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) } => "Two files of different pairs.", "As the sentence says.";
        DirectoryTrustError::NoSystemRoots = DirectoryTrustError::NoSystemRoots => "`?tls` without `ca` asks those whom the system trusts.", "As the sentence says.";
    });
    let etcd = told!(DirectoryError {
        DirectoryError::Unreachable { .. } = DirectoryError::Unreachable { endpoint: at(), cause: io::Error::from_raw_os_error(111) } => "No etcd listens there, or a firewall stands between. Another one of the list is asked.", "`systemctl status etcd` there.";
        DirectoryError::Late { .. } = DirectoryError::Late { endpoint: at() } => "It hangs, its disk is slow, or packets are lost without a word.", "`etcdctl endpoint status`, `etcdctl check perf`.";
        DirectoryError::Certificate { .. } = DirectoryError::Certificate { endpoint: at(), cause: unknown() } => "It is signed by somebody else, for another name, or too old.", "As the sentence says.";
        DirectoryError::OwnCertificate { .. } = DirectoryError::OwnCertificate { endpoint: at(), cause: alert() } => "etcd runs with `--client-cert-auth`.", "As the sentence says.";
        DirectoryError::Tls { .. } = DirectoryError::Tls { endpoint: at(), cause: garbled() } => "etcd speaks no TLS on that port, or none of version 1.3.", "As the sentence says.";
        DirectoryError::HungUp { .. } = DirectoryError::HungUp { endpoint: at(), cause: no_http() } => "etcd wants TLS, or it ended in this moment.", "As the sentence says, if it stays so.";
        DirectoryError::UserRefused { .. } = DirectoryError::UserRefused { user: user() } => "There is no such user, or it has another password.", "`etcdctl user passwd relay`.";
        DirectoryError::NoUser = DirectoryError::NoUser => "etcd has `auth enable`, and the address has no user.", "As the sentence says.";
        DirectoryError::Forbidden { .. } = DirectoryError::Forbidden { user: user(), prefix: "/lanparty/".into() } => "The user has no role with the right to the fleet's keys.", "As the sentence says; `etcdctl user grant-role` gives the role.";
        DirectoryError::NotEtcd { .. } = DirectoryError::NotEtcd { endpoint: at(), status: 404 } => "Something else listens there, a proxy, or an etcd without its JSON gateway.", "As the sentence says.";
        DirectoryError::NoLeader { .. } = DirectoryError::NoLeader { endpoint: at() } => "Of three etcds two must run and hear each other. Rooms go on meanwhile.", "Bring one more back.";
        DirectoryError::Says { .. } = DirectoryError::Says { endpoint: at(), said: "etcdserver: mvcc: database space exceeded".into() } => "etcd's own words.", "`etcdctl alarm list`, and its log.";
    });
    Chapter::new("directory")
        .with(address)
        .with(trust)
        .with(etcd)
        .check();
}

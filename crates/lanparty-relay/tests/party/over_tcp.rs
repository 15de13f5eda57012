//! Those who come over TCP.

use super::{Stranger, soon};
use lanparty_carrier::{CarrierStream, Dial, dial};
use lanparty_quic::tls::Trust;
use lanparty_quic::{Congestion, Endpoint, PathFloor};
use std::net::SocketAddr;

pub(crate) async fn call(at: SocketAddr) -> CarrierStream {
    let way = Dial {
        address: at,
        host: at.ip().to_string(),
        port: at.port(),
        server_name: "lanparty-relay".to_owned(),
        proxy: None,
    };
    soon(dial(&way)).await.unwrap()
}

/// Whoever comes over a stream that leads to `at`.
pub(crate) async fn over(trust: &Trust, at: SocketAddr, stream: CarrierStream) -> Stranger {
    let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
    let to = endpoint.carry(stream, at);
    let floor = PathFloor::Ordinary;
    let connecting = endpoint.connect(to, "lanparty-relay", trust, None, floor);
    let connection = soon(connecting).await.unwrap();
    assert!(connection.is_carried());
    assert_eq!(connection.remote_address(), Some(at));
    Stranger {
        endpoint,
        connection,
    }
}

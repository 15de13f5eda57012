//! Whoever knocks.

use super::{Connection, Shared};
use noq_proto::{self as proto, ConnectionError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// Somebody's first packet. Dropping it says nothing to them.
#[derive(Debug)]
pub(crate) struct Stranger {
    packet: Option<proto::Incoming>,
    shared: Arc<Shared>,
}

impl Stranger {
    pub(super) fn new(packet: proto::Incoming, shared: &Arc<Shared>) -> Self {
        Stranger {
            packet: Some(packet),
            shared: shared.clone(),
        }
    }

    fn packet(&self) -> &proto::Incoming {
        self.packet.as_ref().expect("it is taken by value")
    }

    fn take(&mut self) -> proto::Incoming {
        self.packet.take().expect("it is taken by value")
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.packet().remote_address()
    }

    pub(crate) fn address_validated(&self) -> bool {
        self.packet().remote_address_validated()
    }

    /// Where the tasks of its connection are at home.
    pub(crate) fn home(&self) -> &Handle {
        &self.shared.runtime
    }

    pub(crate) fn refuse(mut self) {
        let (packet, mut answer) = (self.take(), Vec::new());
        let transmit = self.shared.lock().endpoint.refuse(packet, &mut answer);
        self.shared.answer(&transmit, &answer);
    }

    /// Asks for proof of the address. One that has given it already is not asked again but ignored.
    pub(crate) fn retry(mut self) {
        let (packet, mut answer) = (self.take(), Vec::new());
        let asked = self.shared.lock().endpoint.retry(packet, &mut answer);
        match asked {
            Ok(transmit) => self.shared.answer(&transmit, &answer),
            Err(error) => self.packet = Some(error.into_incoming()),
        }
    }

    /// Completes the handshake.
    pub(crate) async fn accept(mut self) -> Result<Connection, ConnectionError> {
        let (packet, mut answer) = (self.take(), Vec::new());
        let accepted = {
            let mut state = self.shared.lock();
            match state
                .endpoint
                .accept(packet, Instant::now(), &mut answer, None)
            {
                Ok((handle, quic)) => Ok(Connection::new(&self.shared, &mut state, handle, quic)),
                Err(error) => Err(error),
            }
        };
        let connection = accepted.map_err(|error| {
            if let Some(transmit) = &error.response {
                self.shared.answer(transmit, &answer);
            }
            error.cause
        })?;
        connection.connected().await?;
        Ok(connection)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if let Some(packet) = self.packet.take() {
            self.shared.lock().endpoint.ignore(packet);
        }
    }
}

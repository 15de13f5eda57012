//! Whoever knocks.

use super::state::State;
use super::strangers::Knock;
use super::wire::Wire;
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
    /// Over which stream it came.
    wire: Option<Arc<Wire>>,
    shared: Arc<Shared>,
}

impl Stranger {
    pub(super) fn new(knock: Knock, shared: &Arc<Shared>) -> Self {
        Stranger {
            packet: Some(knock.packet),
            wire: knock.wire,
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
        let carried = self.wire.as_ref().map(|wire| wire.peer);
        carried.unwrap_or_else(|| self.packet().remote_address())
    }

    pub(crate) fn is_carried(&self) -> bool {
        self.wire.is_some()
    }

    /// Whoever has a TCP connection has shown it.
    pub(crate) fn address_validated(&self) -> bool {
        self.is_carried() || self.packet().remote_address_validated()
    }

    /// Where the tasks of its connection are at home.
    pub(crate) fn home(&self) -> &Handle {
        &self.shared.runtime
    }

    pub(crate) fn refuse(self) {
        self.judge(Verdict::Refuse);
    }

    /// Asks for proof of the address. One that has given it already is not asked again but ignored.
    pub(crate) fn retry(self) {
        self.judge(Verdict::Retry);
    }

    fn judge(mut self, verdict: Verdict) {
        let packet = self.take();
        self.shared.judge(packet, verdict);
    }

    /// Completes the handshake.
    pub(crate) async fn accept(mut self) -> Result<Connection, ConnectionError> {
        let (packet, wire, mut answer) = (self.take(), self.wire.take(), Vec::new());
        let accepted = {
            let mut state = self.shared.lock();
            match state
                .endpoint
                .accept(packet, Instant::now(), &mut answer, None)
            {
                Ok((handle, quic)) => Ok(Connection::new(
                    &self.shared,
                    &mut state,
                    handle,
                    quic,
                    wire,
                )),
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
            self.shared.judge(packet, Verdict::Ignore);
        }
    }
}

/// What becomes of a stranger who is not let in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Ignore,
    Refuse,
    Retry,
}

impl Shared {
    /// Carries out a verdict; another loop does that in its own turn, for whoever waited for it would wait as long as a flood at its
    /// socket takes.
    fn judge(&self, packet: proto::Incoming, verdict: Verdict) {
        match self.away() {
            Some(inbox) => inbox.push_verdict(packet, verdict),
            None => self.carry_out(&mut self.lock(), packet, verdict),
        }
    }

    pub(super) fn carry_out(&self, state: &mut State, packet: proto::Incoming, verdict: Verdict) {
        let (endpoint, mut answer) = (&mut state.endpoint, Vec::new());
        let transmit = match verdict {
            Verdict::Ignore => return endpoint.ignore(packet),
            Verdict::Refuse => endpoint.refuse(packet, &mut answer),
            Verdict::Retry => match endpoint.retry(packet, &mut answer) {
                Ok(transmit) => transmit,
                Err(error) => return endpoint.ignore(error.into_incoming()),
            },
        };
        self.answer(&transmit, &answer);
    }
}

//! Turns in the hands of the task that carries a connection's frames, over whatever it goes.

use crate::connection::{Connection, Kind as Connected};
use crate::{engine, memory};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Context;
use std::time::Instant;

/// The turns of a connection's endpoint, in the hands of the task that carries frames over that connection: it takes
/// packets, does with them what it has to do, and has everything sent that came of it, without another task in
/// between. As long as this is there nobody else moves the endpoint's packets. Within one program there are none, and the
/// turns are those of the task alone.
#[derive(Debug)]
pub struct Drive(Kind);

#[derive(Debug)]
enum Kind {
    Quic(engine::Drive),
    Memory(memory::Drive),
}

impl From<engine::Drive> for Drive {
    fn from(drive: engine::Drive) -> Self {
        Drive(Kind::Quic(drive))
    }
}

impl From<memory::Drive> for Drive {
    fn from(drive: memory::Drive) -> Self {
        Drive(Kind::Memory(drive))
    }
}

impl Connection {
    /// Takes the turns of this connection's endpoint from the task that has them, until the answer is dropped.
    pub fn drive(&self) -> Drive {
        match &self.0 {
            Connected::Quic(quic) => quic.drive().into(),
            Connected::Memory(memory) => memory.drive().into(),
        }
    }
}

impl Drive {
    /// Waits for something else, while the endpoint's own task moves packets again if that takes time.
    pub async fn beside<T>(&mut self, something: impl Future<Output = T>) -> T {
        Self::all_beside(std::slice::from_mut(self), something).await
    }

    /// The same with the turns of several endpoints.
    pub async fn all_beside<T>(drives: &mut [Drive], something: impl Future<Output = T>) -> T {
        let mut something = pin!(something);
        let done = poll_fn(|cx| {
            let done = something.as_mut().poll(cx);
            if done.is_pending() {
                drives.iter_mut().for_each(Drive::let_go);
            }
            done
        })
        .await;
        drives.iter_mut().for_each(Drive::take_up);
        done
    }

    /// Whether they are the turns of this connection's endpoint.
    pub fn moves(&self, connection: &Connection) -> bool {
        match (&self.0, connection.as_quic()) {
            (Kind::Quic(drive), Some(connection)) => drive.moves(connection),
            (Kind::Memory(_), None) => true,
            (Kind::Quic(_), None) | (Kind::Memory(_), Some(_)) => false,
        }
    }

    fn let_go(&mut self) {
        if let Kind::Quic(quic) = &mut self.0 {
            quic.let_go();
        }
    }

    fn take_up(&mut self) {
        if let Kind::Quic(quic) = &mut self.0 {
            quic.take_up();
        }
    }

    /// The first half of a turn: takes packets. True when there may be more of them. The connections see it when there is no
    /// socket any more.
    pub fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        match &mut self.0 {
            Kind::Quic(quic) => quic.receive(cx, now),
            Kind::Memory(_) => false,
        }
    }

    /// The second half: sends what there is to send.
    pub fn send(&mut self, cx: &mut Context<'_>, now: Instant) {
        match &mut self.0 {
            Kind::Quic(quic) => quic.send(cx, now),
            Kind::Memory(_) => {}
        }
    }

    /// Has the task woken for another turn as soon as everybody else who has something to do has had one.
    pub fn go_on(&mut self, cx: &mut Context<'_>) {
        engine::after_others(cx);
    }

    /// Has the task woken when another turn is due: for a packet, for what another task wants sent, for a connection's own
    /// reasons, or `at` that moment.
    pub fn rest(&mut self, cx: &mut Context<'_>, at: Option<Instant>) {
        match &mut self.0 {
            Kind::Quic(quic) => quic.rest(cx, at),
            Kind::Memory(memory) => memory.rest(cx, at),
        }
    }
}

//! Turns in the hands of the task that carries a connection's frames, over whatever it goes.

use crate::{engine, memory};
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

impl Drive {
    /// Waits for something else, while the endpoint's own task moves packets again if that takes time.
    pub async fn beside<T>(&mut self, something: impl Future<Output = T>) -> T {
        match &mut self.0 {
            Kind::Quic(quic) => quic.beside(something).await,
            Kind::Memory(_) => something.await,
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

//! What the loop does about direct paths beside frames, and with them alone while the relay is away.

use super::super::turn::{Interruption, Turn, Turns};
use super::super::{Event, FramePort, PeerCore, PeerHost, RunError};
use super::{Peer, interval};
use crate::door::{Doors, Hands};
use crate::link::{LOOK, RelayLink};
use lanparty_ctrl::PeerMessage;
use lanparty_ctrl::message::Newcomer;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// What may happen while there is none, and frames go by direct paths.
enum Meanwhile<T> {
    Done(T),
    InTurn(Interruption),
    /// The program wants something, of its core if not of the relay.
    Wanted(Option<PeerMessage>),
    Look,
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// Says goodbye where there is no relay.
    pub(super) async fn leave(&mut self) -> Result<(), RunError> {
        self.turns = Turns::new();
        self.doors.leave().await;
        Ok(())
    }

    /// Has the turns of this link's socket, and of those of all direct paths.
    pub(super) fn take_turns(&mut self, link: Option<&RelayLink>) {
        let link = link.map(RelayLink::connection);
        let doors: Vec<_> = self.doors.connections().collect();
        self.turns
            .take(link.into_iter().chain(doors.iter().copied()));
    }

    /// Does something about direct paths that is not a turn's.
    pub(super) fn about_doors(
        &mut self,
        link: &RelayLink,
        act: impl FnOnce(&mut Doors, &mut Hands<'_, C, H>),
    ) {
        let config = self.config();
        let mut hands = Hands {
            core: self.core,
            host: self.host,
            relay: &config,
            link,
        };
        act(&mut self.doors, &mut hands);
    }

    /// Says how the link is doing, and which ways frames take.
    pub(super) async fn tell_facts(&mut self, link: &mut RelayLink) -> Result<(), RunError> {
        let now = Instant::now();
        let mut facts = link.facts(now);
        let config = self.config();
        facts.ways.not_direct = Doors::why_none(&Hands {
            core: self.core,
            host: self.host,
            relay: &config,
            link,
        });
        let ways = self.doors.ways(now, facts.ways);
        match self.core.newcomer() {
            Newcomer::Gateway => self.tell(Event::Ways(&ways)).await?,
            // A player has one way, to its gateway.
            Newcomer::Client(_) => {
                if let Some(&(_, ways)) = ways.last() {
                    facts.ways = ways;
                }
            }
        }
        self.tell(Event::Tick(facts)).await
    }

    /// Waits for something without a link to the relay. Frames go by direct paths as long as there are any.
    pub(super) async fn meanwhile<T>(
        &mut self,
        event: impl Future<Output = T>,
    ) -> Result<T, RunError> {
        let mut event = pin!(event);
        if self.doors.is_empty() {
            return self.discarding(event).await;
        }
        self.turns.begin();
        let mut look = interval(LOOK);
        while !self.doors.is_empty() {
            self.doors.settle(self.core, Instant::now());
            self.take_turns(None);
            let mut turn = Turn {
                core: &mut *self.core,
                port: &mut *self.port,
                to_port: &mut self.to_port,
                link: None,
                doors: &mut self.doors,
                turns: &mut self.turns,
            };
            let happened = {
                let mut wanted = pin!(self.host.next_message());
                poll_fn(|cx| {
                    if let Poll::Ready(done) = event.as_mut().poll(cx) {
                        return Poll::Ready(Ok(Meanwhile::Done(done)));
                    }
                    if let Poll::Ready(wanted) = wanted.as_mut().poll(cx) {
                        return Poll::Ready(Ok(Meanwhile::Wanted(wanted)));
                    }
                    match turn.poll(cx) {
                        Poll::Ready(interrupted) => Poll::Ready(interrupted.map(Meanwhile::InTurn)),
                        Poll::Pending if turn.doors.is_empty() => Poll::Ready(Ok(Meanwhile::Look)),
                        Poll::Pending => look.poll_tick(cx).map(|_| Ok(Meanwhile::Look)),
                    }
                })
                .await?
            };
            match happened {
                Meanwhile::Done(done) => return Ok(done),
                Meanwhile::InTurn(Interruption::News) => self.tell(Event::News).await?,
                Meanwhile::InTurn(Interruption::Slept) => {
                    self.doors.clear(self.core, Instant::now());
                }
                Meanwhile::Wanted(None) => self.tell(Event::News).await?,
                // No relay is there to hear it; what has to be said again is said in the next hello.
                Meanwhile::Wanted(Some(message)) => {
                    self.core.handle_own(Instant::now(), &message);
                }
                // Nobody is met without a relay, and none is there to be lost.
                Meanwhile::InTurn(Interruption::Meeting | Interruption::Closed(_)) => {}
                Meanwhile::Look => {
                    self.doors.judge(Instant::now(), None);
                }
            }
        }
        self.take_turns(None);
        self.to_port.clear();
        self.discarding(event).await
    }
}

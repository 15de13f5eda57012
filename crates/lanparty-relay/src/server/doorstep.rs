//! The strangers who are being heard, each in a task of its own, and the place that each has meanwhile.

use crate::strangers::{KnockAnswer, KnockLimits, Strangers};
use std::collections::HashMap;
use std::net::IpAddr;
use tokio::runtime::Handle;
use tokio::task::{Id, JoinError, JoinSet};

/// Strangers, and what comes of hearing them. A place is free again when its task has ended, however it
/// ended.
#[derive(Debug)]
pub(super) struct Doorstep<T> {
    strangers: Strangers,
    heard: JoinSet<T>,
    sources: HashMap<Id, IpAddr>,
}

impl<T: Send + 'static> Doorstep<T> {
    pub(super) fn new(limits: KnockLimits) -> Self {
        Doorstep {
            strangers: Strangers::new(limits),
            heard: JoinSet::new(),
            sources: HashMap::new(),
        }
    }

    /// Lets so many be heard at once from now on.
    pub(super) fn set_limits(&mut self, limits: KnockLimits) {
        self.strangers.set_limits(limits);
    }

    /// Says whether a stranger may be heard; then [`Self::hear`] must follow.
    pub(super) fn knock(&mut self, source: IpAddr, validated: bool) -> KnockAnswer {
        self.strangers.knock(source, validated)
    }

    /// Hears a stranger from `source` to whom the door is open, on the runtime `home`.
    pub(super) fn hear(
        &mut self,
        source: IpAddr,
        home: &Handle,
        hearing: impl Future<Output = T> + Send + 'static,
    ) {
        let task = self.heard.spawn_on(hearing, home);
        self.sources.insert(task.id(), source);
    }

    /// Hears somebody from within this program, who takes no stranger's place.
    pub(super) fn hear_from_inside(&mut self, hearing: impl Future<Output = T> + Send + 'static) {
        self.heard.spawn(hearing);
    }

    /// What has come of one of them; `None` while nobody is heard.
    pub(super) async fn next(&mut self) -> Option<Result<T, JoinError>> {
        let (id, heard) = match self.heard.join_next_with_id().await? {
            Ok((id, heard)) => (id, Ok(heard)),
            Err(error) => (error.id(), Err(error)),
        };
        if let Some(source) = self.sources.remove(&id) {
            self.strangers.gone(source);
        }
        Some(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_however_its_task_has_ended() {
        let limits = KnockLimits {
            at_once: 8,
            per_address: 2,
            per_network: 8,
        };
        let mut doorstep = Doorstep::new(limits);
        let source = IpAddr::from([198, 51, 100, 1]);
        for _ in 0..8 {
            assert_eq!(doorstep.knock(source, true), KnockAnswer::Open);
            doorstep.hear(source, &Handle::current(), async {
                panic!("as a test wants it")
            });
            assert!(doorstep.next().await.unwrap().is_err());
        }
        assert_eq!(doorstep.knock(source, true), KnockAnswer::Open);
        doorstep.hear(source, &Handle::current(), std::future::ready(7));
        assert_eq!(doorstep.next().await.unwrap().unwrap(), 7);
        assert_eq!(doorstep.knock(source, true), KnockAnswer::Open);
        assert!(doorstep.sources.is_empty() && doorstep.next().await.is_none());
    }
}

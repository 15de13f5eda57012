//! Asking relays side by side whether the party is there.

use super::choose::{Ages, Answer, Choice, Chooser, Open, choose, is_good};
use super::trail::Trail;
use crate::link::ConnectError;
use crate::link::carriage::Means;
use crate::link::greeting::{Finding, find};
use crate::link::race::{NearProxy, Reached, Targets, near_proxy, race};
use crate::link::resolve;
use crate::relay_args::RelayConfig;
use lanparty_ctrl::Term;
use lanparty_ctrl::message::Hello;
use lanparty_ctrl::places::{Elsewhere, Found};
use lanparty_quic::PathFloor;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long a relay keeps a connection on which it was asked, and somewhat less.
pub(crate) const KEPT: Duration = Duration::from_millis(2500);
/// How long a name may take to be resolved of which it is known where it led last.
const RESOLVE: Duration = Duration::from_secs(1);

/// Where a relay's name leads, and its proxy.
#[derive(Debug)]
pub(crate) struct LookedUp {
    pub(crate) addresses: Result<Vec<SocketAddr>, ConnectError>,
    pub(crate) proxy: Option<NearProxy>,
}

/// What a relay has answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The party may be there, and a hello may follow as long as the connection is kept.
    Found(Box<Found>, Option<Box<(Targets, Reached)>>),
    /// It was reached, and is not asked anything before a hello.
    Reached(Box<(Targets, Reached)>),
    /// Its fleet's relay for the room, and whether it is one of the internet that says so.
    Sent(Box<Elsewhere>, bool),
    /// It does not know how to answer.
    Old,
}

/// What has become of one step.
#[derive(Debug)]
pub(crate) enum Step {
    LookedUp(LookedUp),
    Replied(Result<Reply, ConnectError>),
}

/// How far one relay is asked.
#[derive(Debug)]
enum Ask {
    Running,
    Replied {
        at: Instant,
        answer: Answer,
        reply: Result<Reply, ConnectError>,
    },
}

/// What a relay has answered, and when.
#[derive(Debug)]
pub(crate) struct Replied<'a> {
    pub(crate) place: usize,
    pub(crate) at: Instant,
    pub(crate) answer: &'a Answer,
    pub(crate) reply: &'a Result<Reply, ConnectError>,
}

/// What is asked of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Whether the party is there.
    Find,
    /// Nothing: whoever reaches it says hello.
    Nothing,
}

#[derive(Debug)]
struct Asked {
    place: usize,
    number: u64,
    question: Question,
    trail: Trail,
    state: Ask,
}

impl Asked {
    fn has_replied(&self) -> bool {
        matches!(self.state, Ask::Replied { .. })
    }
}

/// Relays that are asked side by side, each on a task of its own.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    running: JoinSet<(u64, Step)>,
    asked: Vec<Asked>,
    next_number: u64,
    good: Option<Instant>,
    any: Option<Instant>,
}

impl Survey {
    /// Another round begins: whoever has not answered has its time, and whoever has is asked anew, unless that was a moment ago and
    /// it can be entered. What it says who cannot may be over any moment.
    pub(crate) fn begin(&mut self, now: Instant, keep: Duration) {
        self.asked.retain(|asked| match &asked.state {
            Ask::Running => true,
            Ask::Replied { at, answer, .. } => {
                matches!(answer, Answer::Open(_)) && now.saturating_duration_since(*at) < keep
            }
        });
        if !self.asked.iter().any(Asked::has_replied) {
            (self.good, self.any) = (None, None);
        }
    }

    /// Nobody is asked any more.
    pub(crate) fn stop(&mut self) {
        *self = Survey {
            next_number: self.next_number,
            ..Survey::default()
        };
    }

    /// True while somebody is asked who has not answered.
    pub(crate) fn is_running(&self) -> bool {
        !self.asked.iter().all(Asked::has_replied)
    }

    /// True where this one is asked, or has answered in this round.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.asked.iter().any(|asked| asked.place == place)
    }

    /// Looks where this relay is; [`Self::ask`] follows.
    pub(crate) fn look_up(
        &mut self,
        place: usize,
        question: Question,
        trail: Trail,
        config: RelayConfig,
        is_known: bool,
    ) {
        if self.has(place) {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.asked.push(Asked {
            place,
            number,
            question,
            trail,
            state: Ask::Running,
        });
        self.running.spawn(async move {
            let resolving = resolve(&config.address);
            let resolved = async {
                match is_known {
                    true => tokio::time::timeout(RESOLVE, resolving)
                        .await
                        .unwrap_or(Ok(Vec::new())),
                    false => resolving.await,
                }
            };
            let (addresses, proxy) = tokio::join!(resolved, near_proxy(&config));
            (number, Step::LookedUp(LookedUp { addresses, proxy }))
        });
    }

    /// Asks it there.
    pub(crate) fn ask(
        &mut self,
        place: usize,
        config: RelayConfig,
        targets: Targets,
        hello: Hello,
        is_old: bool,
    ) {
        let Some(asked) = self.asked.iter().find(|asked| asked.place == place) else {
            return;
        };
        let (number, question) = (asked.number, asked.question);
        self.running.spawn(async move {
            let reply = reach(&config, targets, question, hello, is_old).await;
            (number, Step::Replied(reply))
        });
    }

    /// Waits for the next step of any of them, for ever while there is none. Safe to cancel.
    pub(crate) async fn next(&mut self) -> (usize, Step) {
        loop {
            match self.running.join_next().await {
                Some(Ok((number, step))) => {
                    let asked = self.asked.iter().find(|asked| asked.number == number);
                    if let Some(asked) = asked {
                        return (asked.place, step);
                    }
                }
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// How this one was come by.
    pub(crate) fn trail(&self, place: usize) -> Option<&Trail> {
        self.asked
            .iter()
            .find(|asked| asked.place == place)
            .map(|asked| &asked.trail)
    }

    /// It has answered; `term` is its gateway's, if it is the host's.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        place: usize,
        chooser: Chooser,
        mut reply: Result<Reply, ConnectError>,
        term: Option<Term>,
    ) {
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.place == place) else {
            return;
        };
        let answer = match &reply {
            Ok(Reply::Found(found, reached)) => Answer::Open(Open {
                gateway: found.gateway.then_some(term),
                waiting: found.waiting,
                rtt: rtt(reached.as_deref()).unwrap_or_default(),
            }),
            Ok(Reply::Reached(_) | Reply::Old) => Answer::Old,
            Ok(Reply::Sent(..)) => Answer::No { is_refusal: true },
            Err(error) => Answer::No {
                is_refusal: error.is_refusal(),
            },
        };
        let is_keyed_player = matches!(
            chooser,
            Chooser::Player {
                is_open_room: false,
                ..
            }
        );
        if let Ok(Reply::Found(found, reached)) = &mut reply
            && is_keyed_player
            && !found.gateway
        {
            // Nobody enters there, so the relay need not keep it either.
            *reached = None;
        }
        if is_good(chooser, &answer) {
            self.good.get_or_insert(now);
        }
        if answer != (Answer::No { is_refusal: false }) {
            self.any.get_or_insert(now);
        }
        asked.state = Ask::Replied {
            at: now,
            answer,
            reply,
        };
    }

    /// Chooses among these places; what `is_wanted` says no to is no choice, and for whom `is_doubted` nobody waits.
    pub(crate) fn choose(
        &self,
        now: Instant,
        chooser: Chooser,
        order: &[usize],
        is_wanted: impl Fn(usize, &Answer) -> bool,
        is_doubted: impl Fn(usize) -> bool,
    ) -> Choice {
        let answers: Vec<_> = self
            .asked
            .iter()
            .map(|asked| match &asked.state {
                Ask::Running if is_doubted(asked.place) => Answer::Doubted,
                Ask::Running => Answer::None,
                Ask::Replied { answer, .. } if is_wanted(asked.place, answer) => *answer,
                Ask::Replied { .. } => Answer::No { is_refusal: false },
            })
            .collect();
        let position = |place: &usize| self.asked.iter().position(|asked| asked.place == *place);
        let order: Vec<_> = order.iter().filter_map(position).collect();
        let age = |since: Option<Instant>| since.map(|since| now.saturating_duration_since(since));
        let ages = Ages {
            good: age(self.good),
            any: age(self.any),
        };
        match choose(chooser, &answers, &order, ages) {
            Choice::Enter(number) => Choice::Enter(self.asked[number].place),
            choice => choice,
        }
    }

    /// The connection on which it was asked, as long as it stands.
    pub(crate) fn take_reached(
        &mut self,
        now: Instant,
        place: usize,
    ) -> Option<(Targets, Reached)> {
        let asked = self.asked.iter_mut().find(|asked| asked.place == place)?;
        let Ask::Replied { at, reply, .. } = &mut asked.state else {
            return None;
        };
        let is_kept = now.saturating_duration_since(*at) < KEPT;
        let taken = std::mem::replace(reply, Ok(Reply::Old));
        match taken {
            Ok(Reply::Found(_, Some(reached)) | Reply::Reached(reached)) if is_kept => {
                Some(*reached)
            }
            other => {
                *reply = other;
                None
            }
        }
    }

    /// It did not let us in after all.
    pub(crate) fn refused(&mut self, now: Instant, place: usize, error: ConnectError) {
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.place == place) {
            asked.state = Ask::Replied {
                at: now,
                answer: Answer::No {
                    is_refusal: error.is_refusal(),
                },
                reply: Err(error),
            };
        }
    }

    /// What all have answered that have.
    pub(crate) fn replies(&self) -> impl Iterator<Item = Replied<'_>> {
        self.asked.iter().filter_map(|asked| match &asked.state {
            Ask::Running => None,
            Ask::Replied { at, answer, reply } => Some(Replied {
                place: asked.place,
                at: *at,
                answer,
                reply,
            }),
        })
    }

    /// What is wrong with each of those that have answered, for good.
    pub(crate) fn take_errors(&mut self) -> Vec<(usize, ConnectError)> {
        let mut errors = Vec::new();
        for asked in &mut self.asked {
            let Ask::Replied { reply, .. } = &mut asked.state else {
                continue;
            };
            let error = match std::mem::replace(reply, Ok(Reply::Old)) {
                Err(error) => error,
                Ok(Reply::Sent(elsewhere, _)) => ConnectError::Sent(elsewhere),
                Ok(Reply::Found(..) | Reply::Reached(_) | Reply::Old) => ConnectError::NoGateway,
            };
            errors.push((asked.place, error));
        }
        errors
    }
}

fn rtt(reached: Option<&(Targets, Reached)>) -> Option<Duration> {
    reached.and_then(|(_, reached)| reached.rtt())
}

/// Reaches a relay, and asks it.
async fn reach(
    config: &RelayConfig,
    targets: Targets,
    question: Question,
    hello: Hello,
    is_old: bool,
) -> Result<Reply, ConnectError> {
    if is_old && question == Question::Find {
        return Ok(Reply::Old);
    }
    let reached = race(config, &targets, PathFloor::Ordinary).await;
    let reached = reached.map_err(|error| error.of_invite(config))?;
    if question == Question::Nothing {
        return Ok(Reply::Reached(Box::new((targets, reached))));
    }
    match find(reached.connection(), hello, config).await? {
        Finding::Found(found) => Ok(Reply::Found(found, Some(Box::new((targets, reached))))),
        Finding::Sent(elsewhere) => {
            tracing::debug!(to = elsewhere.address, by = %reached.address(), tcp = reached.means != Means::Udp, "Sent on");
            Ok(Reply::Sent(elsewhere, reached.is_of_internet()))
        }
        Finding::Old => Ok(Reply::Old),
    }
}

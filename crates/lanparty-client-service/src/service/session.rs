//! A running session: the player who plays it, and what is heard of it.

use super::{Failure, News, Place, Service, Wanted};
use lanparty_client_control::{Member, Secret, Way};
use lanparty_client_core::identity_store::{FILE_NAME, Random};
use lanparty_client_core::player::{PlayerError, usual_name_of};
use lanparty_client_core::{MemberFacts, Player, PlayerArgs, Report, Reporter, sentence};
use lanparty_ctrl::{RoomKey, Text};
use lanparty_edge::invite::InviteSource;
use lanparty_obs::Ways;
use lanparty_peer::RunError;
use lanparty_peer::relay_args::{RelayArgs, TcpArgs};
use lanparty_proto::VirtualMac;
use std::cell::OnceCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A session, and how to end it.
#[derive(Debug)]
pub(super) struct Running {
    stop: Option<oneshot::Sender<Text>>,
    _task: JoinHandle<()>,
}

impl Running {
    pub(super) fn new(stop: oneshot::Sender<Text>, task: JoinHandle<()>) -> Self {
        Running {
            stop: Some(stop),
            _task: task,
        }
    }

    /// Asks it to end, with words for the relay.
    pub(super) fn stop(&mut self, words: &str) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself in this moment.
            let _ = stop.send(words.into());
        }
    }
}

/// The MAC of a machine whose disk keeps no identity: the same until the service ends.
#[derive(Debug, Default)]
pub(super) struct StandIn(OnceCell<VirtualMac>);

/// Plays until the session is stopped or fails.
pub(super) async fn play<P: Place>(
    service: &Rc<Service<P>>,
    wanted: &Wanted,
    stop: oneshot::Receiver<Text>,
) -> Result<(), Failure> {
    let player = player(service, wanted).map_err(|error| Failure {
        sentence: whole(&sentence(&error)),
        may_pass: false,
    })?;
    let reporter = Teller {
        mac: player.mac.to_string(),
        name: player
            .relay
            .name
            .as_ref()
            .map(|name| name.as_str().to_owned()),
        service: service.clone(),
    };
    let stop = async {
        match stop.await {
            Ok(words) => words,
            Err(_) => "the player's service ends".into(),
        }
    };
    let played = service
        .place
        .play(player, reporter, &service.wishes, stop)
        .await;
    played.map_err(|error| failure(&error))
}

/// The player of this machine, in the party that is wanted. A disk that keeps no identity is no reason to stay at home.
fn player<P: Place>(service: &Service<P>, wanted: &Wanted) -> Result<Player, PlayerError> {
    let file = service.options.state.file(FILE_NAME);
    let args = PlayerArgs {
        // The service's own name means nothing to anybody.
        name: wanted
            .name
            .clone()
            .or_else(|| usual_name_of(&wanted.caller.account)),
        virtual_mac: None,
        identity: None,
        // Whoever wants the LAN's internet says so at a terminal.
        full_lease: false,
        relay_only: service.options.relay_only || wanted.relay_only,
    };
    let tcp = &service.options.tcp;
    let random = || Ok::<Random, io::Error>(rand::random());
    match args
        .clone()
        .load(relay(&wanted.text, tcp), Some(file), random)
    {
        Err(PlayerError::Identity(error)) => {
            tracing::warn!(%error, "Plays without an identity of its own");
            let mac = service
                .stand_in
                .0
                .get_or_init(|| VirtualMac::from_random(rand::random()));
            let args = PlayerArgs {
                virtual_mac: Some(*mac),
                ..args
            };
            args.load(relay(&wanted.text, tcp), None, random)
        }
        loaded => loaded,
    }
}

fn relay(invite: &Secret, tcp: &TcpArgs) -> RelayArgs {
    RelayArgs {
        invite: Some(InviteSource::Text(invite.reveal().to_owned())),
        invite_file: None,
        relay: Vec::new(),
        server_name: None,
        relay_ca_cert: None,
        pin: None,
        room: None,
        datagram_budget: None,
        tcp: tcp.clone(),
        congestion: Default::default(),
    }
}

/// Who is sent out of a room, and whom the relay will not let in, stays out until a person tries again.
fn failure(error: &anyhow::Error) -> Failure {
    let may_pass = match error.downcast_ref::<RunError>() {
        Some(RunError::Relay { .. } | RunError::Kicked(_)) => false,
        Some(RunError::Port(_) | RunError::Host(_)) | None => true,
    };
    Failure {
        sentence: whole(&sentence(&**error)),
        may_pass,
    }
}

/// A part of a sentence as a whole one.
fn whole(part: &str) -> String {
    let mut letters = part.trim().trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase);
    let capital: String = first.into_iter().flatten().collect();
    format!("{capital}{}.", letters.as_str())
}

/// Tells the service what the session does.
struct Teller<P> {
    mac: String,
    name: Option<String>,
    service: Rc<Service<P>>,
}

impl<P: Place> Reporter for Teller<P> {
    fn hear(&mut self, now: Instant, report: Report<'_>) {
        let ways = report.facts.ways;
        self.service.hear(News {
            status: report.status,
            facts: report.facts,
            mac: self.mac.clone(),
            name: self.name.clone(),
            members: report
                .session
                .members(now)
                .map(|facts| member(facts, ways))
                .collect(),
            games: report.session.games(now),
        });
    }

    fn keep_key(&mut self, key: &RoomKey) {
        self.service.keep_key(key);
    }
}

/// Frames to other players go by the relay whatever the way to the gateway is.
fn member(facts: MemberFacts, ways: Ways) -> Member {
    let micros = |rtt: Duration| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
    Member {
        name: facts.name.map(|name| name.as_str().to_owned()),
        mac: facts.mac.map(|mac| mac.to_string()),
        is_gateway: facts.is_gateway,
        ping_us: facts.rtt.map(micros),
        way: Some(match facts.is_gateway {
            true => ways.way,
            false => Way::by_relay(false, ways.way.is_over_tcp()),
        }),
        talks: facts.is_talking,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_session_is_a_whole_sentence_and_says_whether_it_may_pass() {
        let kicked = failure(&RunError::Kicked("the host has sent you out".into()).into());
        assert_eq!(kicked.sentence, "The host has sent you out.");
        assert!(!kicked.may_pass);
        let pulled = failure(&RunError::Port(io::Error::other("it is gone")).into());
        assert!(pulled.may_pass, "{pulled:?}");
    }
}

//! How things stand, as a snapshot for one account.

use super::kept::party;
use super::{Desk, Stage};
use crate::Caller;
use lanparty_client_control::{
    LanAddress, Lease, Loss, Me, Measured, Mtu, Ping, Snapshot, State, VERSION,
};
use lanparty_obs::{Diagnostics, NotDirect, PlayerStatus, Ways};
use std::time::Instant;

impl Desk {
    /// How things stand, with what this account alone may see; `today` is the time in seconds since 1970.
    pub(crate) fn snapshot(&self, now: Instant, today: u64, caller: &Caller) -> Snapshot {
        let (state, since) = self.state;
        let wanted = self.wanted.as_deref();
        let is_linked = self.progress.facts().is_some();
        let news = self.progress.news.as_ref().filter(|_| is_linked);
        let address = self.progress.any_address();
        let ways = self.progress.facts().map(|facts| facts.ways);
        let measured = |of: fn(Ways) -> Measured| ways.map(of).unwrap_or_default();
        Snapshot {
            version: VERSION,
            program: self.program.to_owned(),
            state,
            state_ms: millis(now, since),
            sentence: self.sentence(),
            party: wanted.map(|wanted| party(&wanted.invite, Some(&wanted.caller))),
            me: self.me(),
            address: address.map(|(ip, made_up)| LanAddress { ip, made_up }),
            lease: self.progress.facts().and_then(lease),
            mtu: self.progress.facts().and_then(mtu),
            ping: self.ping(now),
            way: ways.map(|ways| ways.way),
            relay: measured(|ways| ways.relay),
            direct: measured(|ways| ways.direct),
            not_direct: ways
                .and_then(|ways| ways.not_direct)
                .map(NotDirect::to_player),
            place: self.progress.facts().and_then(|facts| facts.place.clone()),
            members: news.map(|news| news.members.clone()).unwrap_or_default(),
            games: news.map(|news| news.games.clone()).unwrap_or_default(),
            warnings: self.warnings(now, today),
            rooms: self.kept.rooms(&caller.id),
            auto_join: self.kept.auto_join(&caller.id),
            relay_only: self.kept.relay_only(&caller.id),
        }
    }

    /// The state in one word.
    pub(super) fn current_state(&self) -> State {
        match &self.stage {
            Stage::Idle => State::NotConnected,
            Stage::Failed(_) | Stage::Waiting { .. } => State::CannotConnect,
            Stage::Stopping(stopping) if stopping.next.is_none() => State::NotConnected,
            Stage::Stopping(_) => State::Connecting,
            Stage::Running { .. } => self.state_of_session(),
        }
    }

    fn state_of_session(&self) -> State {
        let on_the_way = match self.progress.has_been_connected {
            true => State::Reconnecting,
            false => State::Connecting,
        };
        let Some(news) = &self.progress.news else {
            return on_the_way;
        };
        match &news.status {
            PlayerStatus::Refused { .. } | PlayerStatus::NoRelay { refused: true, .. } => {
                State::CannotConnect
            }
            _ if news.facts.relay_faint => on_the_way,
            PlayerStatus::Connecting { .. }
            | PlayerStatus::LookingUp { .. }
            | PlayerStatus::NotReachable { .. }
            | PlayerStatus::LookingForParty { .. }
            | PlayerStatus::LookingElsewhere { .. }
            | PlayerStatus::NoRelay { .. }
            | PlayerStatus::Awake
            | PlayerStatus::AdapterAway
            | PlayerStatus::AdapterDown { .. } => on_the_way,
            PlayerStatus::WaitingForGateway { .. }
            | PlayerStatus::SilentGateway { .. }
            | PlayerStatus::LookingBeside { .. }
            | PlayerStatus::StrangeGateway { .. } => State::WaitingForGateway,
            PlayerStatus::Hindered { .. }
            | PlayerStatus::NoLanAddress
            | PlayerStatus::SelfAssigned { .. }
            | PlayerStatus::AddressMissing(_)
            | PlayerStatus::OnTheLan { .. } => match self.progress.lan_address() {
                Some(_) => State::Connected,
                None => on_the_way,
            },
        }
    }

    fn sentence(&self) -> String {
        match &self.stage {
            Stage::Idle => Snapshot::idle("").sentence,
            Stage::Failed(failure) => failure.sentence.clone(),
            Stage::Waiting { failure, .. } => format!("{} Trying again soon.", failure.sentence),
            Stage::Stopping(stopping) => match &stopping.next {
                None => "Leaving the party.".to_owned(),
                Some(_) => "Leaving the party for another one.".to_owned(),
            },
            Stage::Running { .. } => self.sentence_of_session(),
        }
    }

    /// Who cannot be heard, or gets no address, reads what to do in a warning, not in place of where the session stands.
    fn sentence_of_session(&self) -> String {
        match &self.progress.news {
            Some(news) if news.facts.relay_faint => self.faint(),
            None => "Setting up the network adapter for the party.".to_owned(),
            Some(news) => match &news.status {
                PlayerStatus::Hindered { .. } | PlayerStatus::AddressMissing(_) => Diagnostics {
                    notice: None,
                    no_address: None,
                    ..news.facts.clone()
                }
                .joined_status("")
                .to_string(),
                PlayerStatus::AdapterDown { adapter } => format!(
                    "The party's network adapter {adapter} is set down, so nothing crosses it."
                ),
                status => status.to_string(),
            },
        }
    }

    /// The relay does not answer any more, and the link still stands: nobody else is asked yet.
    fn faint(&self) -> String {
        let invite = self.wanted.as_ref().map(|wanted| &wanted.invite);
        match invite.map_or(0, |invite| invite.others().count()) {
            0 => PlayerStatus::NotReachable {
                relay: self.relay(),
                cause: "it does not answer any more".to_owned(),
            }
            .to_string(),
            1 => {
                "The relay does not answer; if it stays so, the other relay of the invite is asked."
                    .to_owned()
            }
            others => format!(
                "The relay does not answer; if it stays so, the other {others} relays of the invite are asked."
            ),
        }
    }

    fn relay(&self) -> String {
        let wanted = self.wanted.as_ref();
        let relay = wanted.map(|wanted| wanted.invite.relay.to_string());
        relay.unwrap_or_default()
    }

    fn me(&self) -> Option<Me> {
        let news = self.progress.news.as_ref()?;
        Some(Me {
            name: news.name.clone(),
            mac: news.mac.clone(),
        })
    }

    fn ping(&self, now: Instant) -> Ping {
        Ping {
            us: self.progress.ping_us(),
            minute: self.progress.minute.seconds(now),
            loss: self.progress.loss_permille().map(Loss),
        }
    }
}

fn millis(now: Instant, since: Instant) -> u64 {
    let passed = now.saturating_duration_since(since).as_millis();
    u64::try_from(passed).unwrap_or(u64::MAX)
}

fn lease(facts: &Diagnostics) -> Option<Lease> {
    let (server, left) = facts.lease?;
    Some(Lease {
        server,
        seconds: left.map(|left| left.as_secs()),
    })
}

fn mtu(facts: &Diagnostics) -> Option<Mtu> {
    Some(Mtu {
        room: facts.room_mtu?,
        path: facts.datagram_budget,
    })
}

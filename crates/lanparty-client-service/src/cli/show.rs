//! Snapshots as people read them.

use super::{Code, Outcome, Trouble, say};
use lanparty_client_control::{
    Member, Ping, PingVerdict, RelayPlace, Snapshot, State, Warning, Way, ms,
};
use lanparty_edge::table::table;
use lanparty_games::Game;
use lanparty_obs::Utc;

/// All that a person wants to know at once.
pub(super) fn status(snapshot: &Snapshot) -> String {
    let mut text = format!("{}{}\n", snapshot.state, headline(snapshot));
    text += &format!("  {}\n", snapshot.sentence);
    let address = snapshot.address.map(|address| match address.made_up {
        true => format!("{} (made up by this computer)", address.ip),
        false => address.ip.to_string(),
    });
    let facts = [
        ("address", address),
        ("ping", ping(&snapshot.ping)),
        (
            "way",
            snapshot.way.map(|way| way.with_ping(snapshot.ping.us)),
        ),
        ("", other_way(snapshot)),
        ("", snapshot.not_direct.clone().map(|why| why.sentence)),
        ("relay", snapshot.place.as_ref().map(place)),
        (
            "you are",
            snapshot.me.as_ref().and_then(|me| me.name.clone()),
        ),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            text += &format!("  {name:<10}{value}\n");
        }
    }
    if let Some(sentence) = versions_differ(snapshot) {
        text += &format!("  ! {sentence}\n");
    }
    for warning in &snapshot.warnings {
        text += &warned(warning);
    }
    if !snapshot.members.is_empty() {
        text += &format!("\n{}", members(snapshot));
    }
    if !snapshot.games.is_empty() {
        text += &format!("\n{}", game_table(snapshot));
    }
    text
}

/// What there is to say when the service is of another version than this program.
pub(super) fn versions_differ(snapshot: &Snapshot) -> Option<String> {
    const PROGRAM: &str = env!("CARGO_PKG_VERSION");
    (snapshot.program != PROGRAM).then(|| {
        format!(
            "The service is version {}, this program is {PROGRAM}; restart the service, or install softlan-vpn anew.",
            snapshot.program
        )
    })
}

fn headline(snapshot: &Snapshot) -> String {
    let Some(party) = &snapshot.party else {
        return String::new();
    };
    let since = lasted(snapshot.state_ms);
    let whose = party.joined_by.as_deref();
    let whose = whose.map_or_else(String::new, |account| format!(", joined by {account}"));
    // Of several relays the one where it is, and not the first of the invite.
    let place = snapshot.place.as_ref();
    let relay = place.map_or(&party.relay, |place| &place.address);
    format!(" for {since}: {} at {relay}{whose}", party.title())
}

/// A time as people say it.
fn lasted(ms: u64) -> String {
    match ms / 1000 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

fn ping(ping: &Ping) -> Option<String> {
    let word = match ping.verdict()? {
        PingVerdict::Good => "good",
        PingVerdict::Slow => "slow",
        PingVerdict::Bad => "bad",
    };
    let loss = ping
        .loss
        .map(|loss| format!(", {}.{} % lost", loss.0 / 10, loss.0 % 10));
    Some(format!(
        "{} ({word}{})",
        ms(ping.us?),
        loss.unwrap_or_default()
    ))
}

/// `2 of 3, Paris (b.example:443)`: the row says already that it is a relay.
fn place(place: &RelayPlace) -> String {
    let said = place.to_string();
    let said = said.strip_prefix("relay ").unwrap_or(&said);
    match place.number {
        Some(_) => format!("{said} ({})", place.address),
        None => said.to_owned(),
    }
}

/// What the way measures that is not taken, where there is one.
fn other_way(snapshot: &Snapshot) -> Option<String> {
    let (by, other) = match snapshot.way? {
        Way::Direct => ("by the relay", snapshot.relay),
        Way::Relay => ("directly", snapshot.direct),
        Way::RelayOverTcp | Way::Here | Way::HereOverTcp | Way::Other => return None,
    };
    Some(format!("{by} it would be {}", ms(other.rtt_us?)))
}

fn warned(warning: &Warning) -> String {
    format!("  ! {}\n", warning.sentence)
}

fn members(snapshot: &Snapshot) -> String {
    let rows = snapshot.members.iter().map(|member| {
        let ping = snapshot.ping_to(member).map(ms).unwrap_or_default();
        let by = member.way.map(|way| way.to_string()).unwrap_or_default();
        let talks = if member.talks { "talks" } else { "" };
        [name(member), ping, by, talks.to_owned()]
    });
    table(["WHO IS HERE", "PING TO THEM", "WAY", ""], rows)
}

/// What somebody in the room is called.
pub(super) fn name(member: &Member) -> String {
    match (&member.name, &member.mac, member.is_gateway) {
        (_, _, true) => "the party's LAN".to_owned(),
        (Some(name), _, false) => name.clone(),
        (None, Some(mac), false) => mac.clone(),
        (None, None, false) => "somebody".to_owned(),
    }
}

fn game_table(snapshot: &Snapshot) -> String {
    table(Game::COLUMNS, snapshot.games.iter().map(Game::row))
}

pub(super) fn games(snapshot: &Snapshot) -> Outcome {
    needs_party(snapshot)?;
    if snapshot.games.is_empty() {
        say("No game server has been heard yet; look for one in your game, and again here.")?;
    } else {
        say(game_table(snapshot).trim_end())?;
    }
    Ok(Code::Done)
}

pub(super) fn invite(snapshot: &Snapshot) -> Outcome {
    needs_party(snapshot)?;
    let Some(party) = &snapshot.party else {
        return Err(Trouble::strange());
    };
    let ends = party.expires.map_or_else(
        || "it has no end".to_owned(),
        |end| format!("it ends at {}", Utc(end)),
    );
    say(format_args!(
        "{}: lanparty://{}/{}/…\n{ends}; its secrets stay with the service",
        party.title(),
        party.relay,
        party.room
    ))?;
    Ok(Code::Done)
}

pub(super) fn rooms(snapshot: &Snapshot) -> Outcome {
    if snapshot.rooms.is_empty() {
        say("No invite is kept for you yet; `join` keeps the one that it is given.")?;
        return Ok(Code::Done);
    }
    let rows = snapshot.rooms.iter().map(|room| {
        let ends = room.party.expires.map(|end| Utc(end).to_string());
        let party = &room.party;
        [
            room.name.clone(),
            party.room.clone(),
            party.relay.clone(),
            ends.unwrap_or_default(),
        ]
    });
    let auto = match snapshot.auto_join {
        true => "The first is joined when this computer starts.",
        false => "None is joined by itself when this computer starts; `autojoin on` changes that.",
    };
    say(format_args!(
        "{}{auto}",
        table(["NAME", "ROOM", "RELAY", "ENDS"], rows)
    ))?;
    Ok(Code::Done)
}

pub(super) fn needs_party(snapshot: &Snapshot) -> Result<(), Trouble> {
    match snapshot.state {
        State::NotConnected => Err(Trouble::not_connected(
            "you are in no party; join one first",
        )),
        State::Connecting
        | State::WaitingForGateway
        | State::Connected
        | State::Reconnecting
        | State::CannotConnect => Ok(()),
    }
}

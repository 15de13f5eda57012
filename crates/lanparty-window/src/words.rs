//! All sentences that the window says, in one place, so that they can be translated.
//!
//! What the service says (states, sentences, warnings, rows) comes with its snapshots and is not here.

use lanparty_client_control::{RelayPlace, Way};
use lanparty_games::{Game, Host};
use std::time::Duration;

pub(crate) const PROGRAM: &str = "softlan-vpn";
pub(crate) const WINDOW: &str = "LAN party";

// The head.
pub(crate) const LOOKING: &str = "One moment";
pub(crate) const LOOKING_WHY: &str = "Asking the service how things stand.";
pub(crate) const NOT_RUNNING: &str = "The service is not running";
pub(crate) const NOT_RUNNING_WHY: &str =
    "It holds the connection to the party, so nothing is connected now. Start it to go on.";
pub(crate) const NOT_PERMITTED: &str = "You may not use the service yet";
pub(crate) const NOT_PERMITTED_WHY: &str = "An administrator of this PC has to let you.";
pub(crate) const LET_IN: &str = "Let me in now";
pub(crate) const LET_IN_WHY: &str = "The system asks for an administrator's password now, and once more when this window is opened anew.";
pub(crate) const LETTING_IN: &str = "Waiting for the password…";
pub(crate) const RESTARTING: &str = "Restarting…";
pub(crate) const SILENT: &str = "The service does not answer";
pub(crate) const SILENT_WHY: &str = "Whether you are connected is not known. Restarting it helps; a party that it is in is left for that moment.";
pub(crate) const STRANGE: &str = "The service is of another version";
pub(crate) const STRANGE_WHY: &str =
    "This window does not understand what it says. Restart it, or install softlan-vpn anew.";
pub(crate) const IMPOSTOR: &str = "Another program answers in the service's place";
pub(crate) const START: &str = "Start the service";
pub(crate) const RESTART: &str = "Restart the service";
pub(crate) const STARTING: &str = "Starting…";

// Joining.
pub(crate) const PASTE: &str = "Paste the invite that the host sent you";
pub(crate) const PASTE_HINT: &str = "lanparty://…";
pub(crate) const FIELD: &str = "Invite";
pub(crate) const JOIN: &str = "Join";
pub(crate) const JOINING: &str = "Joining…";
pub(crate) const LEAVE: &str = "Leave";
pub(crate) const LEAVING: &str = "Leaving…";
pub(crate) const EXPIRED: &str = "This invite has expired; ask the host for a new one.";
pub(crate) const CLICKED: &str = "You opened this link. Press Join if you trust who sent it.";
pub(crate) const FROM_CLIPBOARD: &str = "Found in the clipboard.";
pub(crate) const ROOMS: &str = "Parties you have been to";
pub(crate) const FORGET: &str = "Forget";
pub(crate) const NO: &str = "No";
pub(crate) const ANOTHER: &str = "Or join with another invite";

// A session.
pub(crate) const ADDRESS: &str = "Your address on the LAN";
pub(crate) const COPY: &str = "Copy";
pub(crate) const COPIED: &str = "Copied";
pub(crate) const NO_ADDRESS: &str = "none yet";
/// While the party is lost: the adapter may have it still.
pub(crate) const ADDRESS_AWAY: &str = "none just now";
pub(crate) const MADE_UP: &str = "Nobody on the LAN gives addresses, so your adapter has given itself this one. It reaches others who have done the same.";
pub(crate) const GET_ADDRESS: &str = "Get an address";
pub(crate) const PING: &str = "Ping";
pub(crate) const PING_UNKNOWN: &str = "not known yet";
pub(crate) const GOOD: &str = "good";
pub(crate) const SLOW: &str = "slow";
pub(crate) const BAD: &str = "bad";
pub(crate) const HERE: &str = "Who is here";
pub(crate) const PINGS: &str = "The times are the pings from you to them.";
pub(crate) const ALONE: &str = "Nobody else yet. Send the invite to a friend.";
/// While the party is lost, or not found yet.
pub(crate) const NOBODY_SEEN: &str = "Others are shown as soon as you are connected.";
pub(crate) const LAN: &str = "The party's LAN";
pub(crate) const UNNAMED: &str = "Somebody without a name";
pub(crate) const TALKS: &str = "active now";
pub(crate) const WHY_NOT_DIRECT: &str = "Why not direct:";
pub(crate) const GAMES: &str = "Games on the LAN";
pub(crate) const NO_GAMES: &str =
    "None seen yet. Open your game's list of LAN games: what answers it appears here too.";
pub(crate) const NO_GAMES_SEEN: &str = "Games are shown as soon as you are connected.";
pub(crate) const COPY_ADDRESS: &str = "Copy address";
pub(crate) const MAYBE_GONE: &str = "may be gone";

// Doctor.
pub(crate) const DOCTOR: &str = "Check this PC";
pub(crate) const DOCTOR_WHY: &str =
    "What softlan-vpn needs on this PC, looked at one by one. This works without a connection too.";
pub(crate) const LOOKS: &str = "Looking…";
pub(crate) const LOOK_AGAIN: &str = "Look again";
pub(crate) const COPY_TEXT: &str = "Copy as text";
pub(crate) const FIX_ASKS: &str = "The system will ask for an administrator.";
pub(crate) const DO_IT: &str = "Do it";
pub(crate) const NOT_NOW: &str = "Not now";
pub(crate) const MENDING: &str = "Mending…";
pub(crate) const ALL_GOOD: &str = "Everything is as it should be.";

// Settings.
pub(crate) const SETTINGS: &str = "Settings";
pub(crate) const BACK: &str = "Back";
pub(crate) const NAME: &str = "Your name";
pub(crate) const NAME_WHY: &str =
    "What the others see, from the next time you join. Left empty, your account's name is used.";
pub(crate) const AUTO_JOIN: &str = "Join the last party by itself when this PC starts";
pub(crate) const TEXT_SIZE: &str = "Text size";
pub(crate) const SMALLER: &str = "Smaller";
pub(crate) const LARGER: &str = "Larger";

// What it changes.
pub(crate) const CHANGES: &str = "What this changes on your PC";
pub(crate) const CHANGES_POINTS: [&str; 4] = [
    "While you are at a party, this PC has a second network adapter, with an address of the party's LAN. It works as if a cable ran there.",
    "Your internet, your home network and its printers stay as they are. Only traffic for the party's LAN goes through the adapter.",
    "The others on that LAN can reach this PC as on any LAN: share no folders there that you would not share with them.",
    "Leave, or switch the PC off, and every change is undone. Nothing is sent to anybody but the party's relay.",
];
pub(crate) const UNDERSTOOD: &str = "Got it";

// Closing.
pub(crate) const STAY: &str = "Stay connected?";
pub(crate) const STAY_WHY: &str = "The service holds the connection, with or without this window. Open the window again at any time.";
pub(crate) const STAY_YES: &str = "Stay connected and close";
pub(crate) const STAY_NO: &str = "Leave and close";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const TO_TRAY: &str = "The window goes on in the tray";
pub(crate) const TO_TRAY_WHY: &str =
    "Click the icon beside the clock to see it again; its menu has Quit. This is said only once.";
pub(crate) const OK: &str = "OK";
pub(crate) const SHOW: &str = "Show";
pub(crate) const QUIT: &str = "Quit";

pub(crate) fn join(title: &str) -> String {
    format!("Join {title}")
}

pub(crate) fn reconnecting(word: &str, seconds: u64) -> String {
    format!("{word} ({seconds} s)")
}

pub(crate) fn here(count: usize) -> String {
    format!("{HERE} ({count})")
}

pub(crate) fn games(count: usize) -> String {
    format!("{GAMES} ({count})")
}

/// How long ago a game was heard, where that is long ago.
pub(crate) fn age(game: &Game) -> Option<String> {
    match (game.is_on(), game.heard_ms) {
        (false, _) => Some(MAYBE_GONE.to_owned()),
        (true, ..60_000) => None,
        (true, _) => Some(format!("heard {}", game.heard())),
    }
}

/// On whose PC a game is, where that is a player's.
pub(crate) fn hosted(game: &Game) -> Option<String> {
    match game.host.as_ref()? {
        Host::Player(name) => Some(format!("hosted by {name}")),
        Host::Lan => None,
    }
}

pub(crate) fn you(name: Option<&str>) -> String {
    name.map_or_else(|| "You".to_owned(), |name| format!("{name} (you)"))
}

/// By which way the ping is.
pub(crate) fn ping_by(way: Option<Way>) -> String {
    match way {
        Some(Way::Other) | None => PING.to_owned(),
        Some(way) => format!("{PING} · {way}"),
    }
}

/// At which of several relays the party is.
pub(crate) fn at(place: &RelayPlace) -> String {
    format!("The party is at {place}.")
}

pub(crate) fn loss(of_1000: u16) -> String {
    format!("{}.{} % lost", of_1000 / 10, of_1000 % 10)
}

pub(crate) fn players(now: Option<u16>, most: Option<u16>) -> Option<String> {
    Some(match (now?, most) {
        (now, Some(most)) => format!("{now} of {most} play"),
        (1, None) => "1 plays".to_owned(),
        (now, None) => format!("{now} play"),
    })
}

/// For how long something has been so, as coarsely as people speak.
pub(crate) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{} days", seconds / 86_400),
    }
}

pub(crate) fn for_so_long(time: Duration) -> String {
    format!("for {}", span(time))
}

pub(crate) fn ends_in(time: Duration) -> String {
    format!("The invite ends in {}.", span(time))
}

pub(crate) fn joined_by(user: &str) -> String {
    format!(
        "{user} joined this party on this PC. A PC has one connection, which all its users share."
    )
}

pub(crate) fn versions_differ(service: &str, window: &str) -> String {
    format!(
        "The service is version {service}, this window is {window}. Restart the service, or install softlan-vpn anew."
    )
}

pub(crate) fn another_party(now: &str, new: &str) -> String {
    format!("You are at {now}. Leave it and join {new}?")
}

pub(crate) fn leave_and_join(new: &str) -> String {
    format!("Leave and join {new}")
}

pub(crate) fn changes_how(changes: &str) -> String {
    format!("This will happen: {changes}")
}

pub(crate) fn version(version: &str) -> String {
    format!("{PROGRAM} {version}")
}

pub(crate) fn percent(zoom: f32) -> String {
    format!("{:.0} %", zoom * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!(loss(7), "0.7 % lost");
        assert_eq!(loss(1000), "100.0 % lost");
        assert_eq!(players(None, Some(8)), None);
        assert_eq!(players(Some(3), Some(8)).unwrap(), "3 of 8 play");
        assert_eq!(players(Some(1), None).unwrap(), "1 plays");
        assert_eq!(span(Duration::from_secs(59)), "59 s");
        assert_eq!(span(Duration::from_secs(3 * 3600 + 62)), "3 h 1 min");
        assert_eq!(span(Duration::from_secs(86_400 * 9)), "9 days");
    }
}

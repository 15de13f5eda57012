//! How everything stands, on one screen.

use super::table;
use lanparty_gateway_control::{Mark, Snapshot};
use std::fmt::Write as _;

/// How many of the latest events are shown.
const EVENTS: usize = 5;

/// Party, link, LAN, port, what is wrong, who is in, what has happened of late.
pub(super) fn draw(now: &Snapshot) -> String {
    let mut text = String::new();
    let mut line = |head: &str, what: &str| {
        let _ = writeln!(text, "{head:<9}{what}");
    };
    line("Party", &party(now));
    line("Link", &link(now));
    line("LAN", &lan(now));
    if let Some(port) = &now.port {
        line("Port", &port.sentence);
    }
    for warning in &now.warnings {
        let head = match warning.mark {
            Mark::Bad => "✗",
            Mark::Doubtful => "!",
            Mark::Note => "·",
        };
        line(head, &warning.sentence);
    }
    text.push('\n');
    text += &table::draw(now);
    if !now.events.is_empty() {
        text += "\nOf late:\n";
    }
    for event in now.events.iter().take(EVENTS) {
        let _ = writeln!(text, "  {}  {}", time_of_day(event.at), event.sentence);
    }
    text
}

fn party(now: &Snapshot) -> String {
    let party = &now.party;
    let room = &party.room;
    let called = match &party.name {
        Some(name) => format!("{name}, room {room}"),
        None => format!("room {room}"),
    };
    let invited = match party.keyed {
        true => "for invited people",
        false => "open to whoever knows the code",
    };
    let seconds = table::duration(now.seconds);
    format!("{called}, {invited}; running for {seconds}")
}

fn link(now: &Snapshot) -> String {
    let link = &now.link;
    let ping = link.ping_us.map(|us| table::ping(us.into()));
    let loss = link.loss_permille.map(table::loss);
    let loss = loss.map(|loss| format!("{loss} lost"));
    let figures: Vec<_> = ping.into_iter().chain(loss).collect();
    match &figures[..] {
        [] => link.sentence.clone(),
        figures => format!("{} ({})", link.sentence, figures.join(", ")),
    }
}

fn lan(now: &Snapshot) -> String {
    let lan = &now.lan;
    let machine = match lan.with_this_machine {
        true => "; this machine takes part",
        false => "",
    };
    let (to, from) = (
        table::rate(now.rates.to_lan),
        table::rate(now.rates.from_lan),
    );
    match &lan.trouble {
        Some(trouble) => trouble.clone(),
        None => format!(
            "{}: {to} from players, {from} to players{machine}",
            lan.interface
        ),
    }
}

/// In UTC, as logs have it: no two machines must agree on a zone.
fn time_of_day(unix: u64) -> String {
    let (hours, minutes) = (unix / 3600 % 24, unix / 60 % 60);
    format!("{hours:02}:{minutes:02} UTC")
}

#[cfg(test)]
pub(super) fn nothing_yet() -> Snapshot {
    use lanparty_gateway_control::{LanSide, Party};
    let party = Party {
        room: "FRIDAY".to_owned(),
        name: Some("LAN in the cellar".to_owned()),
        keyed: true,
        hosted: true,
    };
    let lan = LanSide {
        interface: "eth0".to_owned(),
        up: true,
        trouble: None,
        with_this_machine: true,
    };
    Snapshot::begin("1.2.3", party, lan, "r.example:443".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_gateway_control::{Event, Warning};

    #[test]
    fn one_screen_says_how_everything_stands() {
        let mut now = nothing_yet();
        now.seconds = 3723;
        now.link.ping_us = Some(21_340);
        now.warnings = vec![Warning {
            id: "loop".to_owned(),
            mark: Mark::Bad,
            sentence: "Loop: unplug a cable.".to_owned(),
        }];
        now.events = vec![Event {
            number: 1,
            at: 1_000_000_020,
            mark: Mark::Note,
            sentence: "Ann joined.".to_owned(),
        }];
        let expected = "\
Party    LAN in the cellar, room FRIDAY, for invited people; running for 1:02:03
Link     Connecting to the relay r.example:443. (21.3 ms)
LAN      eth0: 0 B/s from players, 0 B/s to players; this machine takes part
✗        Loop: unplug a cable.

MAC  NAME  KEY  LAN ADDRESS  IN FOR  WAY  LOSS  SENDS  RECEIVES
Nobody is in the room.

Of late:
  01:47 UTC  Ann joined.
";
        assert_eq!(draw(&now), expected);
    }
}

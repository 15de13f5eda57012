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
    for relay in others(now) {
        line("", &relay);
    }
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

/// Where the party could go on, a line each.
fn others(now: &Snapshot) -> impl Iterator<Item = String> {
    let places = &now.link.places;
    let others = places.relays.iter().filter(|relay| !relay.here);
    others.map(|relay| {
        let lead = places.lead(relay).map(|lead| format!("it {lead}"));
        let unknown = || "not asked yet".to_owned();
        let region = relay.region.as_ref().map(|region| format!(" in {region}"));
        let (could, state) = match (&relay.trouble, relay.ping_us) {
            (Some(trouble), _) => ("could not", trouble.clone()),
            (None, Some(us)) => ("could", table::ping(us.into())),
            (None, None) => ("could", lead.unwrap_or_else(unknown)),
        };
        let (address, region) = (&relay.address, region.unwrap_or_default());
        format!("It {could} go on at {address}{region}: {state}.")
    })
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
    use lanparty_gateway_control::{Event, Relay, Relays, Warning};

    #[test]
    fn of_several_relays_each_has_a_line() {
        let mut now = nothing_yet();
        let relay = |address: &str, ping_us, trouble: Option<&str>| Relay {
            address: address.to_owned(),
            region: Some("Paris".to_owned()),
            ping_us,
            here: trouble.is_none(),
            leads_to: None,
            trouble: trouble.map(str::to_owned),
        };
        now.link.places = Relays {
            relays: vec![
                relay("a:443", Some(9000), None),
                relay("b:443", None, Some("it does not answer")),
            ],
            term: Some(17),
            moves: 1,
            asked_s: None,
        };
        let said = draw(&now);
        assert!(
            said.contains("\n         It could not go on at b:443 in Paris: it does not answer.\n"),
            "{said}"
        );
        assert!(!said.contains("It could go on at a:443"), "{said}");
        now.link.relay = "a:443".to_owned();
        assert_eq!(
            table::place(&now.link),
            "The party is at a:443, relay 1 of 2, Paris, term 17.\n"
        );
        let expected = [
            "   RELAY  REGION  PING",
            "1  a:443  Paris   9.0 ms  the party is here",
            "2  b:443  Paris   –       it does not answer",
            "Term 17; the party has moved once.",
        ];
        let drawn = table::draw_relays(&now.link.places);
        assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
        now.link.places.asked_s = Some(59);
        assert_eq!(table::draw_relays(&now.link.places), drawn);
        now.link.places.asked_s = Some(560);
        let old = table::draw_relays(&now.link.places);
        assert_eq!(old, format!("{drawn}They were asked up to 9 min ago.\n"));
        assert!(table::draw_relays(&Relays::default()).contains("one relay"));
    }

    #[test]
    fn a_name_that_leads_to_the_party_is_a_way_on() {
        let mut now = nothing_yet();
        let relay = |address: &str, here: bool, leads_to: Option<&str>| Relay {
            address: address.to_owned(),
            region: None,
            ping_us: here.then_some(9000),
            here,
            leads_to: leads_to.map(str::to_owned),
            trouble: None,
        };
        now.link.places.relays = vec![
            relay("relay.example:443", false, Some("r2:443")),
            relay("r2:443", true, None),
            relay("old.example:443", false, Some("r3:443")),
        ];
        let said = draw(&now);
        for line in [
            "It could go on at relay.example:443: it leads to r2:443, where the party is.",
            "It could go on at old.example:443: it leads to r3:443.",
        ] {
            assert!(said.contains(line), "{said}");
        }
        let drawn = table::draw_relays(&now.link.places);
        assert!(
            drawn.contains("–       leads to r2:443, where the party is\n"),
            "{drawn}"
        );
    }

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

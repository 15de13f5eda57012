//! A fleet of relays, as one of them sees it, for its operator.

use super::wire::{FleetRow, FleetStanding, FleetView};
use lanparty_edge::table::table;

/// How a relay stands with its fleet, in a line.
pub(super) fn line(standing: &FleetStanding) -> String {
    let FleetStanding {
        relays,
        rooms,
        trouble,
    } = standing;
    let fleet = format!("Fleet of {relays}; rooms that are this relay's: {rooms}.");
    match trouble {
        None => fleet + "\n",
        Some(trouble) => format!("{fleet} {}.\n", capital(trouble)),
    }
}

/// The relays, and what is wrong.
pub(super) fn draw(fleet: &FleetView) -> String {
    let head = [
        "RELAY",
        "REGION",
        "ROOMS",
        "FREE",
        "STATE",
        "PLAYERS",
        "LEASE",
        "LAG",
        "DIRECTORY",
    ];
    let trouble = fleet.trouble.as_deref().map(capital);
    let trouble = trouble.map(|trouble| trouble + ".\n");
    table(head, fleet.relays.iter().map(row)) + &trouble.unwrap_or_default()
}

fn row(relay: &FleetRow) -> [String; 9] {
    let unknown = || "–".to_owned();
    let milliseconds = |seconds: Option<f64>| {
        seconds.map_or_else(unknown, |seconds| format!("{:.1} ms", seconds * 1000.0))
    };
    let region = relay.region.as_ref();
    let own = if relay.own { " (this one)" } else { "" };
    let state = match relay {
        relay if relay.draining => "takes no rooms",
        relay if !relay.ready => "just started",
        relay if relay.slow => "busy",
        _ => "ready",
    };
    [
        format!("{}{own}", relay.relay),
        region.map_or_else(unknown, ToString::to_string),
        relay.rooms.to_string(),
        relay.free.to_string(),
        state.to_owned(),
        relay
            .players
            .map_or_else(unknown, |players| players.to_string()),
        relay
            .lease_age
            .map_or_else(unknown, |age| format!("{age:.1} s ago")),
        milliseconds(relay.lag),
        milliseconds(relay.directory_rtt),
    ]
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_a_table_and_what_is_wrong_a_sentence() {
        let other = FleetRow {
            relay: "b.example:443".into(),
            region: Some("Paris".into()),
            rooms: 12,
            free: 300,
            ready: true,
            ..FleetRow::default()
        };
        let own = FleetRow {
            relay: "a.example:443".into(),
            own: true,
            draining: true,
            players: Some(70),
            lease_age: Some(0.42),
            lag: Some(0.0001),
            directory_rtt: Some(0.0023),
            ..FleetRow::default()
        };
        let mut fleet = FleetView {
            relays: vec![own, other],
            trouble: None,
        };
        let drawn = draw(&fleet);
        let lines: Vec<Vec<_>> = drawn
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1].join(" "),
            "a.example:443 (this one) – 0 0 takes no rooms 70 0.4 s ago 0.1 ms 2.3 ms"
        );
        assert_eq!(
            lines[2].join(" "),
            "b.example:443 Paris 12 300 ready – – – –"
        );
        fleet.trouble = Some("the relay is not in its fleet yet".into());
        assert!(draw(&fleet).ends_with("The relay is not in its fleet yet.\n"));
        let standing = FleetStanding {
            relays: 3,
            rooms: 12,
            trouble: None,
        };
        let said = "Fleet of 3; rooms that are this relay's: 12.\n";
        assert_eq!(line(&standing), said);
    }
}

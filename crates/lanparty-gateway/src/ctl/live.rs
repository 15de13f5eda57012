//! `lanparty-gateway ctl top`: players by what they cost.

use lanparty_edge::ctl;
use lanparty_gateway_control::{Answer, Player, Players, Relay, Relays, Request};
use lanparty_top::{Column, Figure, Look, Row, Table, Unit};
use std::path::Path;

const FIGURES: &[Column] = &[
    Column {
        head: "SENDS/S",
        key: 's',
        unit: Unit::Bytes,
    },
    Column {
        head: "GETS/S",
        key: 'g',
        unit: Unit::Bytes,
    },
    Column {
        head: "DROPS/S",
        key: 'd',
        unit: Unit::Pieces,
    },
];

/// What the gateway says now.
pub(super) fn look(socket: &Path) -> Result<Look, String> {
    match ctl::ask(socket, &Request::List) {
        Ok(Answer::Players(players)) => Ok(draw(&players)),
        Ok(Answer::Refused(why)) => Err(why),
        Ok(_) => Err(super::STRANGE.to_owned()),
        Err(_) => Err("The gateway does not answer any more; asking again each second.".to_owned()),
    }
}

fn draw(room: &Players) -> Look {
    let locked = if room.locked {
        " The room is locked."
    } else {
        ""
    };
    let apart = if room.isolated {
        " Players are kept apart."
    } else {
        ""
    };
    let players = room.players.len();
    let players_table = Table {
        words: &["NAME", "MAC", "LAN ADDRESS", "WAY", "LOSS"],
        figures: FIGURES,
        rows: room.players.iter().map(row).collect(),
    };
    let several = !room.places.relays.is_empty();
    let relays = several.then(|| relays(&room.places));
    let place = place(&room.places);
    Look {
        title: format!(
            "Players: {players}. Games: {}.{locked}{apart}{place}",
            room.games
        ),
        tables: relays.into_iter().chain([players_table]).collect(),
    }
}

/// Where the party is, where there are several places.
fn place(places: &Relays) -> String {
    let term = places.term.map(|term| format!(", term {term}"));
    let term = term.unwrap_or_default();
    places
        .place()
        .map_or_else(String::new, |place| format!(" At {place}{term}."))
}

fn relays(places: &Relays) -> Table {
    let row = |relay: &Relay| Row {
        id: relay.address.clone(),
        words: vec![
            relay.address.clone(),
            relay.region.clone().unwrap_or_else(|| "–".to_owned()),
            match relay.ping_us {
                Some(us) => format!("{:.1} ms", f64::from(us) / 1000.0),
                None => "–".to_owned(),
            },
            match &relay.trouble {
                _ if relay.here => "the party is here".to_owned(),
                Some(trouble) => trouble.clone(),
                None => String::new(),
            },
        ],
        figures: Vec::new(),
    };
    Table {
        words: &["RELAY", "REGION", "PING", ""],
        figures: &[],
        rows: places.relays.iter().map(row).collect(),
    }
}

fn row(player: &Player) -> Row {
    let unknown = || "–".to_owned();
    let member = &player.member;
    let milliseconds = |us| format!("{:.1} ms", f64::from(us) / 1000.0);
    let percent = |permille| format!("{}.{} %", permille / 10, permille % 10);
    let rate =
        |bytes: Option<u64>| bytes.map_or(Figure::Unknown, |bytes| Figure::Rate(bytes as f64));
    let address = member.addresses.first();
    Row {
        // Who comes in anew has dropped nothing yet.
        id: format!("{} {}", player.mac, member.peer_id),
        words: vec![
            player
                .name
                .as_ref()
                .map_or_else(unknown, ToString::to_string),
            player.mac.to_string(),
            address.map_or_else(unknown, ToString::to_string),
            match player.ping_us {
                Some(us) => format!("{} {}", player.way, milliseconds(us)),
                None => player.way.to_string(),
            },
            member.loss_permille.map_or_else(unknown, percent),
        ],
        figures: vec![
            rate(member.sends),
            rate(member.receives),
            Figure::Count(member.dropped),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_is_a_row_with_what_is_known() {
        let json = r#"{ "locked": true, "isolated": false, "games": 2, "players": [
            { "mac": "02:00:00:00:00:01", "name": "Bert", "identity": null, "peer_id": 3, "sends": 1500, "dropped": 7, "way": "direct", "ping_us": 9000,
              "rtt_us": 12000, "loss_permille": 15, "addresses": ["192.0.2.7"] } ] }"#;
        let players: Players = serde_json::from_str(json).unwrap();
        let look = draw(&players);
        assert_eq!(look.title, "Players: 1. Games: 2. The room is locked.");
        let row = &look.tables[0].rows[0];
        assert_eq!(
            row.words,
            [
                "Bert",
                "02:00:00:00:00:01",
                "192.0.2.7",
                "direct 9.0 ms",
                "1.5 %"
            ]
        );
        let figures = [Figure::Rate(1500.0), Figure::Unknown, Figure::Count(7)];
        assert_eq!(row.figures, figures);
        assert_eq!(look.tables.len(), 1, "of one relay there is nothing to say");
    }

    #[test]
    fn of_several_relays_each_is_a_row() {
        let json = r#"{ "locked": false, "isolated": false, "players": [], "places": { "term": 7, "moves": 1, "relays": [
            { "address": "a:443", "trouble": "it does not answer" },
            { "address": "b:443", "region": "Paris", "ping_us": 9000, "here": true } ] } }"#;
        let players: Players = serde_json::from_str(json).unwrap();
        let look = draw(&players);
        assert!(
            look.title.ends_with(" At relay 2 of 2, Paris, term 7."),
            "{}",
            look.title
        );
        let words = |at: usize| look.tables[0].rows[at].words.join("|");
        assert_eq!(words(0), "a:443|–|–|it does not answer");
        assert_eq!(words(1), "b:443|Paris|9.0 ms|the party is here");
    }
}

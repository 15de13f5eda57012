//! What everybody in the hall may see: who is here and how it goes, and nothing by which somebody is found or reached.
//!
//! It is a list of what is shown, so that a field that is new in the snapshot stays with the host until somebody puts it here.

use lanparty_games::Game;
use lanparty_gateway_control::{Guest, LinkState, Rates, Snapshot, Way};
use serde::Serialize;

/// The snapshot for strangers. Names are as in [`Snapshot`].
#[derive(Serialize)]
pub(crate) struct Public<'a> {
    version: u16,
    /// So that a page knows which one it is.
    public: bool,
    seconds: u64,
    party: Party<'a>,
    lan: Lan,
    link: Link,
    players: Vec<Player<'a>>,
    games: Vec<Shown<'a>>,
    rates: Rates,
}

/// Not the room's code: in an open room that is all one needs.
#[derive(Serialize)]
struct Party<'a> {
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Lan {
    up: bool,
}

/// Not the relay's address, nor sentences, in which it stands.
#[derive(Serialize)]
struct Link {
    state: LinkState,
    seconds: u64,
    ping_us: Option<u32>,
    loss_permille: Option<u16>,
}

/// Not MAC, address and key, nor what the host has done about somebody.
#[derive(Serialize)]
struct Player<'a> {
    name: Option<&'a str>,
    way: Way,
    ping_us: Option<u32>,
    pings_us: &'a [u32],
    loss_permille: Option<u16>,
    rates: Rates,
    seconds: u64,
}

/// Not whose machine it is on, and where.
#[derive(Serialize)]
struct Shown<'a> {
    game: &'a str,
    server: &'a str,
    map: Option<&'a str>,
    players: Option<u16>,
    max_players: Option<u16>,
}

impl<'a> Public<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        Public {
            version: snapshot.version,
            public: true,
            seconds: snapshot.seconds,
            party: Party {
                name: snapshot.party.name.as_deref(),
            },
            lan: Lan {
                up: snapshot.lan.up,
            },
            link: Link {
                state: snapshot.link.state,
                seconds: snapshot.link.seconds,
                ping_us: snapshot.link.ping_us,
                loss_permille: snapshot.link.loss_permille,
            },
            players: snapshot.players.iter().map(player).collect(),
            games: snapshot.games.iter().map(game).collect(),
            rates: snapshot.rates,
        }
    }
}

fn player(guest: &Guest) -> Player<'_> {
    Player {
        name: guest.name.as_deref(),
        way: guest.way,
        ping_us: guest.ping_us,
        pings_us: &guest.pings_us,
        loss_permille: guest.loss_permille,
        rates: guest.rates,
        seconds: guest.seconds,
    }
}

fn game(game: &Game) -> Shown<'_> {
    Shown {
        game: &game.game,
        server: &game.server,
        map: game.map.as_deref(),
        players: game.players,
        max_players: game.max_players,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    /// Every field of a full snapshot, and whether a hall sees it.
    #[test]
    fn a_hall_sees_these_fields_and_no_others() {
        let shown: BTreeSet<_> = paths(&serde_json::to_value(Public::of(&full())).unwrap(), "");
        let expected = [
            "version",
            "public",
            "seconds",
            "party.name",
            "lan.up",
            "link.state",
            "link.seconds",
            "link.ping_us",
            "link.loss_permille",
            "players.name",
            "players.way",
            "players.ping_us",
            "players.pings_us",
            "players.loss_permille",
            "players.rates.to_lan",
            "players.rates.from_lan",
            "players.seconds",
            "games.game",
            "games.server",
            "games.map",
            "games.players",
            "games.max_players",
            "rates.to_lan",
            "rates.from_lan",
        ];
        assert_eq!(shown, expected.map(str::to_owned).into());
    }

    #[test]
    fn nothing_by_which_somebody_is_found_stands_in_what_a_hall_sees() {
        let text = serde_json::to_string(&Public::of(&full())).unwrap();
        for secret in [
            "SECRET",
            "02:00:00:00:00",
            "192.168.",
            "203.0.113.7",
            "LAN-7GKQ",
            "eth0",
        ] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("Ada") && text.contains("Friday"), "{text}");
    }

    /// A snapshot in which everything is said.
    fn full() -> Snapshot {
        let rates = json!({"to_lan": 1, "from_lan": 2});
        let mac = "02:00:00:00:00:01";
        let full = json!({
            "version": 1, "program": "SECRET", "seconds": 3,
            "party": {"room": "LAN-7GKQ", "name": "Friday", "keyed": true, "hosted": true},
            "lan": {"interface": "eth0", "up": true, "trouble": "SECRET", "with_this_machine": true},
            "link": {"relay": "203.0.113.7:443", "state": "connected", "seconds": 4, "sentence": "SECRET", "ping_us": 5, "loss_permille": 6},
            "port": {"listens": 443, "state": "opened", "sentence": "SECRET", "addresses": ["203.0.113.7:443"]},
            "locked": true, "isolated": true, "reach": {"only": {"allowed": ["192.168.50.2"]}},
            "players": [{"mac": mac, "name": "Ada", "own_name": "SECRET", "key": "SECRET", "addresses": ["192.168.50.9"], "way": "relay",
                "ping_us": 7, "pings_us": [7], "loss_permille": 8, "rates": rates, "seconds": 9, "muted": true,
                "reach": "everything", "dropped": 10, "dropped_why": "SECRET"}],
            "bans": [{"who": {"mac": mac}, "mac": mac, "name": "SECRET"}],
            "games": [{"game": "OpenArena", "server": "arena", "address": "192.168.50.9:27960", "mac": mac, "host": {"player": "SECRET"},
                "map": "q3dm17", "players": 1, "max_players": 2, "heard_ms": 3, "silence_ms": 4}],
            "leases": [{"mac": mac, "address": "192.168.50.9", "server": "192.168.50.1", "seconds": 5}],
            "attempts": [{"mac": mac, "name": "SECRET", "protocol": "tcp", "address": "192.168.50.2", "port": 445, "what": "SECRET",
                "frames": 1, "seconds": 2, "allow": "192.168.50.2:445"}],
            "warnings": [{"id": "SECRET", "mark": "bad", "sentence": "SECRET"}],
            "events": [{"number": 1, "at": 2, "mark": "note", "sentence": "SECRET"}],
            "rates": rates,
        });
        serde_json::from_value(full).unwrap()
    }

    fn paths(value: &Value, at: &str) -> BTreeSet<String> {
        match value {
            Value::Object(fields) => {
                let below =
                    |(name, value): (&String, &Value)| paths(value, &format!("{at}.{name}"));
                fields.iter().flat_map(below).collect()
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                items.iter().flat_map(|item| paths(item, at)).collect()
            }
            _ => [at.trim_start_matches('.').to_owned()].into(),
        }
    }
}

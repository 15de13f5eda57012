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

//! Who is in the room, for people.

use crate::reach::{kept, told};
use lanparty_ctrl::orders::Person;
use lanparty_edge::table::table;
use lanparty_games::Game;
use lanparty_gateway_control::{Ban, Guest, Link, Reaches, Relays, Snapshot};
use lanparty_obs::DropCounts;
use std::cmp::Reverse;
use std::collections::BTreeMap;

const HEAD: [&str; 10] = [
    "MAC",
    "NAME",
    "KEY",
    "LAN ADDRESS",
    "IN FOR",
    "WAY",
    "LOSS",
    "SENDS",
    "RECEIVES",
    "",
];

/// The table, and one line about the room.
pub(super) fn draw(room: &Snapshot) -> String {
    let rows = room.players.iter().flat_map(rows);
    table(HEAD, rows) + &summary(room)
}

/// Who is banned, a line each.
pub(super) fn draw_bans(bans: &[Ban]) -> String {
    let rows = bans.iter().map(|ban| {
        let key = match ban.who {
            Person::Identity(identity) => identity.short(),
            Person::Mac(_) => unknown(),
        };
        let mac = shown(ban.mac, |mac| mac.to_string());
        [mac, shown(ban.name.as_ref(), ToString::to_string), key]
    });
    match bans {
        [] => "Nobody is banned.\n".to_owned(),
        [..] => table(["MAC", "NAME", "KEY"], rows),
    }
}

/// What players may reach: a sentence for everybody, one for each who has its own, and a table of what they tried.
pub(super) fn draw_reaches(reaches: &Reaches) -> String {
    let mut text = format!("Players reach {}.\n", told(&kept(&reaches.everybody)));
    for own in &reaches.own {
        let mac = shown(own.mac, |mac| mac.to_string());
        let who = own.name.as_ref().map_or(mac, ToString::to_string);
        text += &format!("{who} reaches {}.\n", told(&kept(&own.reach)));
    }
    if reaches.attempts.is_empty() {
        return text;
    }
    text += "What players tried and were not let; `lanparty-gateway ctl allow WHERE` lets them:\n";
    let rows = reaches.attempts.iter().map(|attempt| {
        let who = attempt.name.clone().unwrap_or_else(|| attempt.mac.clone());
        let ago = match attempt.seconds {
            0..10 => "now".to_owned(),
            seconds @ 10..60 => format!("{seconds} s ago"),
            seconds => format!("{} min ago", seconds / 60),
        };
        [
            who,
            attempt.allow.clone(),
            attempt.what.clone().unwrap_or_default(),
            attempt.frames.to_string(),
            ago,
        ]
    });
    text + &table(
        ["PLAYER", "WHERE", "WHAT IT MAY BE", "FRAMES", "LAST"],
        rows,
    )
}

/// Which games are on, a line each.
pub(super) fn draw_games(games: &[Game]) -> String {
    match games {
        [] => "No game server has been heard of late: look for one in a game, and here again.\n"
            .to_owned(),
        [..] => table(Game::COLUMNS, games.iter().map(Game::row)),
    }
}

/// Where the party is, where there are several places: a line, or nothing.
pub(super) fn place(link: &Link) -> String {
    let place = link.places.place();
    let term = link.places.term.map(|term| format!(", term {term}"));
    let term = term.unwrap_or_default();
    let relay = &link.relay;
    place.map_or_else(String::new, |place| {
        format!("The party is at {relay}, {place}{term}.\n")
    })
}

/// The relays at which the party may be, a line each.
pub(super) fn draw_relays(places: &Relays) -> String {
    let Relays {
        relays,
        term,
        moves,
        asked_s,
    } = places;
    if relays.is_empty() {
        return "This party has one relay; with several, it goes on at another one when that fails: start the gateway with \
                --relay several times, and make a new invite.\n"
            .to_owned();
    }
    let rows = relays.iter().enumerate().map(|(at, relay)| {
        let state = match &relay.trouble {
            _ if relay.here => "the party is here".to_owned(),
            Some(trouble) => trouble.clone(),
            None if relay.ping_us.is_some() => String::new(),
            None => {
                let lead = places.lead(relay);
                lead.unwrap_or_else(|| "not asked yet".to_owned())
            }
        };
        [
            (at + 1).to_string(),
            relay.address.clone(),
            shown(relay.region.clone(), |region| region),
            shown(relay.ping_us, |us| ping(us.into())),
            state,
        ]
    });
    let term = term.map(|term| format!("Term {term}"));
    let moves = match moves {
        0 => None,
        1 => Some("the party has moved once".to_owned()),
        n => Some(format!("the party has moved {n} times")),
    };
    let said: Vec<_> = term.into_iter().chain(moves).collect();
    let said = match &said[..] {
        [] => String::new(),
        said => format!("{}.\n", said.join("; ")),
    };
    // Most are asked for whoever reads this, but not all of a fleet.
    let asked = asked_s.filter(|asked| *asked >= 60);
    let asked = asked.map(|asked| format!("They were asked up to {} min ago.\n", asked / 60));
    table(["", "RELAY", "REGION", "PING", ""], rows) + &said + &asked.unwrap_or_default()
}

/// A player with several addresses takes several lines.
fn rows(player: &Guest) -> Vec<[String; 10]> {
    let mut addresses = player.addresses.iter().map(ToString::to_string);
    let first = [
        player.mac.clone(),
        shown(player.name.clone(), |name| name),
        shown(player.key.clone(), |key| key),
        addresses.next().unwrap_or_else(unknown),
        duration(player.seconds),
        way(player),
        shown(player.loss_permille, loss),
        rate(player.rates.to_lan),
        rate(player.rates.from_lan),
        remarks(player),
    ];
    let others = addresses.map(|address| {
        let mut row = <[String; 10]>::default();
        row[3] = address;
        row
    });
    [first].into_iter().chain(others).collect()
}

fn summary(room: &Snapshot) -> String {
    let players = match room.players.len() {
        0 => "Nobody is in the room".to_owned(),
        1 => "1 player".to_owned(),
        n => format!("{n} players"),
    };
    let locked = if room.locked {
        "; the room is locked"
    } else {
        ""
    };
    let apart = if room.isolated {
        "; players are kept apart"
    } else {
        ""
    };
    let dropped = match reasons(&room.drops) {
        None => String::new(),
        Some(reasons) => format!("Dropped by the relay, also of those who have left: {reasons}.\n"),
    };
    let games = match room.games.len() {
        0 => String::new(),
        1 => "1 game is on: `lanparty-gateway ctl games` names it.\n".to_owned(),
        n => format!("{n} games are on: `lanparty-gateway ctl games` names them.\n"),
    };
    let detours = detours(&room.players);
    format!("{players}{locked}{apart}.\n{detours}{games}{dropped}")
}

/// Why frames were dropped, the commonest reason first; `None` when none was.
fn reasons(drops: &DropCounts) -> Option<String> {
    let mut counts: Vec<_> = drops.iter().collect();
    counts.sort_by_key(|&(_, frames)| Reverse(frames));
    let counts = counts
        .into_iter()
        .map(|(reason, frames)| format!("{reason} {frames}"));
    let counts: Vec<_> = counts.collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

fn remarks(player: &Guest) -> String {
    let calls = player.own_name.as_ref();
    let calls = calls.map(|own| format!("calls itself {own}"));
    let muted = player.muted.then(|| "muted".to_owned());
    let dropped = (player.dropped > 0).then(|| match reasons(&player.drops) {
        Some(reasons) => format!("{} frames dropped ({reasons})", player.dropped),
        None => format!("{} frames dropped", player.dropped),
    });
    let remarks: Vec<_> = calls.into_iter().chain(muted).chain(dropped).collect();
    remarks.join(", ")
}

/// The way that frames take, and how long it is: `direct 12.3 ms`.
fn way(player: &Guest) -> String {
    match player.ping_us {
        Some(us) => format!("{} {}", player.way, ping(us.into())),
        None => player.way.to_string(),
    }
}

/// Why some do not go straight, a line for each reason.
fn detours(players: &[Guest]) -> String {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for player in players {
        let why = player.not_direct.as_ref();
        if let Some(why) = why.filter(|why| !why.id.is_passing()) {
            let who = player.name.as_deref().unwrap_or(&player.mac);
            found.entry(&why.sentence).or_default().push(who);
        }
    }
    let lines = found.into_iter();
    let lines = lines.map(|(why, who)| format!("Not direct: {}. {why}\n", who.join(", ")));
    lines.collect()
}

/// A round trip in microseconds.
pub(super) fn ping(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1000.0)
}

/// So many of a thousand.
pub(super) fn loss(permille: u16) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(unknown, show)
}

fn unknown() -> String {
    "–".to_owned()
}

pub(super) fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

pub(super) fn rate(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B/s"),
        1000..1_000_000 => format!("{:.1} kB/s", bytes as f64 / 1e3),
        1_000_000.. => format!("{:.1} MB/s", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::Fingerprint;
    use lanparty_games::Host;
    use lanparty_gateway_control::{Measured, NotDirect, Rates, Way};
    use lanparty_obs::DropReason;

    fn dropped(counts: &[(DropReason, u64)]) -> DropCounts {
        let mut drops = DropCounts::default();
        counts
            .iter()
            .for_each(|&(reason, frames)| drops.add(reason, frames));
        drops
    }

    #[test]
    fn the_table_has_this_shape() {
        let player = |last: u8, name: Option<&str>| Guest {
            mac: format!("02:00:00:00:00:0{last}"),
            name: name.map(str::to_owned),
            own_name: None,
            key: (last == 1).then(|| "________".to_owned()),
            addresses: Vec::new(),
            way: Way::Relay,
            ping_us: None,
            relay: Measured::default(),
            direct: Measured::default(),
            not_direct: None,
            pings_us: Vec::new(),
            loss_permille: None,
            rates: Rates::default(),
            seconds: 3723,
            muted: false,
            reach: None,
            dropped: 0,
            drops: DropCounts::default(),
            dropped_why: None,
        };
        let ann = Guest {
            own_name: Some("Anna".to_owned()),
            addresses: vec![[192, 168, 50, 17].into(), [169, 254, 7, 7].into()],
            ping_us: Some(21_340),
            loss_permille: Some(3),
            rates: Rates {
                to_lan: 1200,
                from_lan: 2_500_000,
            },
            dropped: 7,
            drops: dropped(&[
                (DropReason::BroadcastRate, 2),
                (DropReason::ClaimedAddress, 5),
            ]),
            muted: true,
            not_direct: Some(NotDirect::PlayerNat.to_host()),
            ..player(1, Some("Ann"))
        };
        let room = Snapshot {
            locked: true,
            players: vec![ann, player(2, None)],
            drops: dropped(&[(DropReason::ClaimedAddress, 9)]),
            ..super::super::status::nothing_yet()
        };
        let expected = "\
MAC                NAME  KEY       LAN ADDRESS    IN FOR   WAY            LOSS   SENDS     RECEIVES
02:00:00:00:00:01  Ann   ________  192.168.50.17  1:02:03  relay 21.3 ms  0.3 %  1.2 kB/s  2.5 MB/s  calls itself Anna, muted, 7 frames dropped (claimed_address 5, broadcast_rate 2)
                                   169.254.7.7
02:00:00:00:00:02  –     –         –              1:02:03  relay          –      0 B/s     0 B/s
2 players; the room is locked.
Not direct: Ann. The player's router gives every destination another port (symmetric NAT); a port opened in your router (UPnP), or IPv6 on both sides, makes up for it.
Dropped by the relay, also of those who have left: claimed_address 9.
";
        assert_eq!(draw(&room), expected);
        let empty = draw(&super::super::status::nothing_yet());
        assert!(empty.ends_with("Nobody is in the room.\n"), "{empty}");
        let ban = Ban {
            who: Person::Identity(Fingerprint::from_sha256([0xff; 32])),
            mac: None,
            name: None,
        };
        assert_eq!(draw_bans(&[ban]), "MAC  NAME  KEY\n–    –     ________\n");
        assert_eq!(draw_bans(&[]), "Nobody is banned.\n");
    }

    #[test]
    fn strange_names_and_long_addresses_keep_their_columns() {
        let game = |server: &str, address: &str, host, heard_ms| Game {
            game: "OpenArena".to_owned(),
            server: server.to_owned(),
            address: address.parse().unwrap(),
            mac: None,
            host: Some(host),
            map: Some("oa_dm1".to_owned()),
            players: Some(3),
            max_players: Some(8),
            heard_ms,
            silence_ms: None,
        };
        let player = || Host::Player("日本太郎".to_owned());
        let games = [
            game("Zoë's", "[fe80::1]:27960", player(), 0),
            game("y", "10.0.0.1:1", Host::Lan, 125_000),
        ];
        let expected = "\
GAME       SERVER  PLAYERS  MAP     HOST      ADDRESS          HEARD
OpenArena  Zoë's   3/8      oa_dm1  日本太郎  [fe80::1]:27960  now
OpenArena  y       3/8      oa_dm1  LAN       10.0.0.1:1       2 min ago
";
        assert_eq!(draw_games(&games), expected);
        assert!(draw_games(&[]).starts_with("No game server"));
    }
}

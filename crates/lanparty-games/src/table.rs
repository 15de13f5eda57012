//! The games that were heard of late.

use crate::Game;
use crate::datagram::Datagram;
use crate::found::Found;
use crate::recognise::{is_lead, recognise};
use crate::warcraft3;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How many games are kept in mind; the one that was heard least lately makes room for another.
pub const MAX_GAMES: usize = 64;
/// After so long without a word a game is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// What was heard of games on the party's LAN.
#[derive(Debug, Default)]
pub struct Games {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    address: SocketAddr,
    found: Found,
    heard_at: Instant,
}

impl Games {
    /// Hears a frame on its way to the player's adapter. True when it says something new: of a server that was not
    /// there, or that has another map or other players now.
    pub fn hear(&mut self, now: Instant, frame: &[u8]) -> bool {
        let Some(datagram) = Datagram::in_frame(frame, is_lead) else {
            return false;
        };
        if let Some(players) = warcraft3::hear_refresh(datagram.payload) {
            return self.refresh(now, datagram.source, players);
        }
        let Some(found) = recognise(&datagram) else {
            return false;
        };
        let port = found.port.unwrap_or(datagram.from_port);
        self.note(now, SocketAddr::new(datagram.source, port), found)
    }

    /// The games that are on or were a moment ago, by their names, so that rows stay where they are.
    pub fn list(&self, now: Instant) -> Vec<Game> {
        let known = self.known.iter().filter(|known| !known.is_old(now));
        let shown = known.filter(|known| !self.has_shorter_address(now, known));
        let mut games: Vec<Game> = shown.map(|known| known.tell(now)).collect();
        games.sort_by(|a, b| (&a.game, &a.server, a.address).cmp(&(&b.game, &b.server, b.address)));
        games
    }

    /// True for a server that has answered over IPv4 as well: one row is enough, and that address is the one to type.
    fn has_shorter_address(&self, now: Instant, long: &Known) -> bool {
        let is_same = |short: &Known| {
            let (a, b) = (&short.found, &long.found);
            short.address.port() == long.address.port()
                && (&a.game, &a.server) == (&b.game, &b.server)
        };
        let mut known = self.known.iter();
        let is_shorter = |known: &Known| known.address.is_ipv4() && !known.is_old(now);
        long.address.is_ipv6() && known.any(|known| is_shorter(known) && is_same(known))
    }

    /// The hosts of Warcraft III say that their games are still there, and not which.
    fn refresh(&mut self, now: Instant, host: IpAddr, players: u16) -> bool {
        let mut known = self.known.iter_mut();
        let known = known.find(|known| known.address.ip() == host && known.found.is_warcraft3());
        known.is_some_and(|known| {
            known.heard_at = now;
            known.found.players.replace(players) != Some(players)
        })
    }

    fn note(&mut self, now: Instant, address: SocketAddr, found: Found) -> bool {
        self.known.retain(|known| !known.is_old(now));
        let known = self.known.iter_mut().find(|known| known.address == address);
        if let Some(known) = known {
            known.heard_at = now;
            let found = found.after(&known.found);
            let is_news = known.found != found;
            known.found = found;
            return is_news;
        }
        if self.known.len() == MAX_GAMES {
            let oldest = (0..MAX_GAMES).min_by_key(|&at| self.known[at].heard_at);
            oldest.map(|at| self.known.swap_remove(at));
        }
        self.known.push(Known {
            address,
            found,
            heard_at: now,
        });
        true
    }
}

impl Found {
    /// The same server's next answer, which may be a shorter one: a guess does not take the place of what another answer
    /// knew.
    fn after(self, before: &Found) -> Found {
        let is_worse = self.is_guess && !before.is_guess;
        match is_worse {
            true => Found {
                game: before.game.clone(),
                is_guess: false,
                ..self
            },
            false => self,
        }
    }
}

impl Known {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard_at) >= FORGOTTEN_AFTER
    }

    fn tell(&self, now: Instant) -> Game {
        let Found {
            game,
            server,
            map,
            players,
            max_players,
            ..
        } = self.found.clone();
        let heard = now.saturating_duration_since(self.heard_at);
        Game {
            game,
            // Some have no name.
            server: match server.is_empty() {
                true => self.address.ip().to_string(),
                false => server,
            },
            address: self.address,
            map,
            players,
            max_players,
            heard_ms: u64::try_from(heard.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;
    use crate::datagram::tests::{frame, frame_from};
    use crate::words::Codes;
    use crate::{GREY_AFTER_MS, MAX_CHARS};
    use proptest::prelude::*;

    fn quake(name: &str, players: u8) -> Vec<u8> {
        let said =
            format!("infoResponse\n\\hostname\\{name}\\clients\\{players}\\gamename\\Xonotic");
        [&[0xff; 4], said.as_bytes()].concat()
    }

    #[test]
    fn a_game_is_on_then_grey_then_forgotten() {
        let (mut games, start) = (Games::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert!(games.hear(start, &frame(26_000, 40_000, &quake("Friday", 3))));
        let expected = Game {
            game: "Xonotic".to_owned(),
            server: "Friday".to_owned(),
            address: "192.168.50.20:26000".parse().unwrap(),
            map: None,
            players: Some(3),
            max_players: None,
            heard_ms: 0,
        };
        assert_eq!(games.list(start), [expected]);
        assert!(games.list(at(GREY_AFTER_MS - 1))[0].is_on());
        assert!(!games.list(at(GREY_AFTER_MS))[0].is_on());
        assert_eq!(games.list(at(119_999)).len(), 1);
        assert_eq!(games.list(at(120_000)), []);
    }

    #[test]
    fn news_is_another_server_or_another_answer() {
        let (mut games, now) = (Games::default(), Instant::now());
        let mut hear = |port, said: &[u8]| games.hear(now, &frame(port, 40_000, said));
        assert!(hear(26_000, &quake("Friday", 3)));
        assert!(!hear(26_000, &quake("Friday", 3)));
        assert!(hear(26_000, &quake("Friday", 4)));
        assert!(hear(26_001, &quake("Attic", 4)));
        assert!(!hear(26_002, b"no game"));
        let servers: Vec<_> = games
            .list(now)
            .into_iter()
            .map(|game| game.server)
            .collect();
        assert_eq!(servers, ["Attic", "Friday"], "by name");
    }

    #[test]
    fn a_longer_answer_knows_better_which_game_it_is() {
        let (mut games, now) = (Games::default(), Instant::now());
        let info =
            b"\xff\xff\xff\xffinfoResponse\n\\hostname\\x\\mapname\\dm4ish\\gamename\\Quake3Arena";
        let status = b"\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\x\\mapname\\dm4ish\\gamename\\baseoa\n";
        for (said, expected) in [
            (&info[..], "Quake III Arena"),
            (status, "OpenArena"),
            (info, "OpenArena"),
        ] {
            games.hear(now, &frame(27_960, 40_000, said));
            assert_eq!(games.list(now)[0].game, expected);
        }
        assert_eq!(games.list(now).len(), 1);
    }

    #[test]
    fn a_server_without_a_name_is_its_address() {
        let (mut games, now) = (Games::default(), Instant::now());
        games.hear(now, &frame(3979, 40_000, b"\x03\0\x01"));
        assert_eq!(games.list(now)[0].server, "192.168.50.20");
    }

    #[test]
    fn a_server_with_two_addresses_is_one() {
        let (mut games, now) = (Games::default(), Instant::now());
        let found = |server: &str| Found::new("Xonotic", server.as_bytes(), Codes::None);
        let note = |games: &mut Games, address: &str, server| {
            games.note(now, address.parse().unwrap(), found(server));
        };
        note(&mut games, "[fe80::9]:26000", "Friday");
        assert_eq!(games.list(now).len(), 1);
        note(&mut games, "192.168.50.20:26000", "Friday");
        note(&mut games, "[fe80::9]:26001", "Attic");
        note(&mut games, "192.168.50.21:26000", "Friday");
        let told = games.list(now).into_iter();
        let told: Vec<_> = told.map(|game| game.address.to_string()).collect();
        let two = ["192.168.50.20:26000", "192.168.50.21:26000"];
        assert_eq!(told, [&["[fe80::9]:26001"], &two[..]].concat());
    }

    #[test]
    fn a_host_of_warcraft_3_keeps_its_game_on() {
        let (mut games, start) = (Games::default(), Instant::now());
        let later = start + Duration::from_secs(100);
        let refresh = [0xf7, 0x32, 16, 0, 7, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0];
        let refresh = frame(6112, 6112, &refresh);
        assert!(!games.hear(start, &refresh), "nobody knows what it is");
        for (host, game) in [(20, "Warcraft III"), (21, "Warcraft III"), (20, "Xonotic")] {
            let port = if game == "Xonotic" { 26_000 } else { 6112 };
            let address = SocketAddr::from(([192, 168, 50, host], port));
            games.note(start, address, Found::new(game, b"x", Codes::None));
        }
        assert!(games.hear(later, &refresh), "other players");
        let told = games.list(later).into_iter();
        let told: Vec<_> = told.map(|game| (game.heard_ms, game.players)).collect();
        assert_eq!(told, [(0, Some(3)), (100_000, None), (100_000, None)]);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut games, start) = (Games::default(), Instant::now());
        let at = |second: u8| start + Duration::from_secs(second.into());
        let most = u8::try_from(MAX_GAMES).unwrap();
        let hear = |games: &mut Games, host: u8, now| {
            let said = quake("x", 0);
            games.hear(now, &frame_from([10, 0, 0, host], 26_000, 1, &said));
        };
        for host in 1..=most {
            hear(&mut games, host, at(host));
        }
        // The first is heard again, so the second is the oldest.
        hear(&mut games, 1, at(most + 1));
        hear(&mut games, 200, at(most + 2));
        let hosts: Vec<_> = games.list(at(most + 2));
        assert_eq!(hosts.len(), MAX_GAMES);
        let is_there = |host: u8| {
            let address = SocketAddr::from(([10, 0, 0, host], 26_000));
            hosts.iter().any(|game| game.address == address)
        };
        assert!(is_there(1) && !is_there(2) && is_there(200));
    }

    /// Beginnings that lead somewhere, and ports that do.
    const LEADS: &[&[u8]] = &[
        b"\xff\xff\xff\xffinfoResponse\n\\hostname\\",
        b"\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\",
        b"\xff\xff\xff\xffinfo\n",
        b"\xff\xff\xff\xff\x49\x11",
        b"\xff\xff\xff\xff\x6d",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffiext1\0",
        b"!LANpLANp\xff\xff\xff\xffinf3",
        b"\xff\xffinfoResponse\0si_name\0",
        b"\x80\0",
        b"\x1c",
        b"[MOTD]",
        b"\\hostname\\",
        b"\0LANphostname\0",
        b"\xf7\x30",
        b"\0\0\0\x06",
        b"\x02",
        b"",
    ];

    proptest! {
        #[test]
        fn no_strangers_bytes_do_more_than_be_read(
            lead in 0..LEADS.len(),
            from in prop::sample::select(vec![3979, 2757, 27_960]),
            to in prop::sample::select(vec![4445, 4556, 40_000]),
            rest in prop::collection::vec(prop_oneof![Just(0u8), Just(b'\\'), Just(b'\n'), any::<u8>()], 0..100),
        ) {
            let (mut games, now) = (Games::default(), Instant::now());
            let said = [LEADS[lead], &rest].concat();
            games.hear(now, &frame(from, to, &said));
            for game in games.list(now) {
                for text in [Some(&game.game), Some(&game.server), game.map.as_ref()] {
                    let text = text.map_or("", String::as_str);
                    prop_assert!(text.chars().count() <= MAX_CHARS);
                    prop_assert!(!text.chars().any(char::is_control));
                }
                prop_assert_ne!(game.address.port(), 0);
            }
        }

        #[test]
        fn no_frame_is_too_odd(frame in prop::collection::vec(any::<u8>(), 0..200)) {
            Games::default().hear(Instant::now(), &frame);
        }
    }
}

//! The games that were heard of late.

#[cfg(test)]
mod tests;

use crate::datagram::Datagram;
use crate::found::Found;
use crate::recognise::{is_lead, recognise};
use crate::{Game, warcraft3};
use lanparty_proto::MacAddr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How many games are kept in mind.
pub const MAX_GAMES: usize = 64;
/// How many of them may be of one machine.
pub const MAX_OF_ONE: usize = 16;
/// So many of the LAN's are safe from players' games, and so many of the players' from the LAN's.
const SHARE: usize = 16;
/// After so long without a word any game is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// The same of one that speaks by itself.
const SILENT_FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// Who has been heard for longer than this is no passing claim.
const SETTLED: Duration = Duration::from_secs(1);

/// After so long without a word a game is forgotten, whether it speaks by itself or not.
pub(crate) fn forgotten_after(speaks_by_itself: bool) -> Duration {
    match speaks_by_itself {
        true => SILENT_FORGOTTEN_AFTER,
        false => FORGOTTEN_AFTER,
    }
}

/// What was heard of games at the party.
#[derive(Debug, Default)]
pub struct Games {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    mac: MacAddr,
    /// Of a player, whose MAC nobody else has; on a LAN anybody may make up another.
    is_players: bool,
    address: SocketAddr,
    found: Found,
    first_heard_at: Instant,
    heard_at: Instant,
}

impl Games {
    /// Hears a frame. True when it says something new: of a server that was not there, or is over, or that has another
    /// map or other players now.
    pub fn hear(&mut self, now: Instant, frame: &[u8]) -> bool {
        self.hear_from(now, frame, false)
    }

    /// The same of a player's frame.
    pub fn hear_player(&mut self, now: Instant, frame: &[u8]) -> bool {
        self.hear_from(now, frame, true)
    }

    fn hear_from(&mut self, now: Instant, frame: &[u8], is_players: bool) -> bool {
        match Datagram::in_frame(frame, is_lead) {
            Some(said) => self.listen(now, &said, is_players),
            None => false,
        }
    }

    /// The games that are on or were of late, by their names, so that rows stay where they are.
    pub fn list(&self, now: Instant) -> Vec<Game> {
        let known = self.known.iter().filter(|known| !known.is_old(now));
        let shown = known.filter(|known| !self.has_shorter_address(now, known));
        let mut games: Vec<Game> = shown.map(|known| known.tell(now)).collect();
        games.sort_by(|a, b| (&a.game, &a.server, a.address).cmp(&(&b.game, &b.server, b.address)));
        games
    }

    /// Who has this MAC has left, and its games with it.
    pub fn forget(&mut self, mac: MacAddr) {
        self.known.retain(|known| known.mac != mac);
    }

    /// All players are gone, and their games with them.
    pub fn forget_players(&mut self) {
        self.known.retain(|known| !known.is_players);
    }

    fn listen(&mut self, now: Instant, said: &Datagram<'_>, is_players: bool) -> bool {
        let host = (said.mac, said.source);
        if let Some(players) = warcraft3::hear_refresh(said.payload) {
            return self.refresh(now, host, players);
        }
        if warcraft3::hear_end(said.payload) {
            return self.end(|known| known.is_warcraft3_of(host));
        }
        let Some(found) = recognise(said) else {
            return false;
        };
        let port = found.port.unwrap_or(said.from_port);
        let address = SocketAddr::new(said.source, port);
        match found.is_over {
            true => self.end(|known| known.address == address && known.mac == said.mac),
            false => self.note(now, (said.mac, is_players), address, found),
        }
    }

    /// True for a server that has answered over IPv4 as well: one row is enough, and that address is the one to type.
    fn has_shorter_address(&self, now: Instant, long: &Known) -> bool {
        let is_same = |short: &Known| {
            let (a, b) = (&short.found, &long.found);
            short.mac == long.mac
                && short.address.port() == long.address.port()
                && (&a.game, &a.server) == (&b.game, &b.server)
        };
        let mut known = self.known.iter();
        let is_shorter = |known: &Known| known.address.is_ipv4() && !known.is_old(now);
        long.address.is_ipv6() && known.any(|known| is_shorter(known) && is_same(known))
    }

    /// The hosts of Warcraft III say that their games are still there, and not which.
    fn refresh(&mut self, now: Instant, host: (MacAddr, IpAddr), players: u16) -> bool {
        let mut known = self.known.iter_mut();
        let known = known.find(|known| known.is_warcraft3_of(host));
        known.is_some_and(|known| {
            known.heard_at = now;
            known.found.players.replace(players) != Some(players)
        })
    }

    fn end(&mut self, is_over: impl Fn(&Known) -> bool) -> bool {
        let before = self.known.len();
        self.known.retain(|known| !is_over(known));
        self.known.len() < before
    }

    fn note(
        &mut self,
        now: Instant,
        (mac, is_players): (MacAddr, bool),
        address: SocketAddr,
        found: Found,
    ) -> bool {
        // Another machine that says to have the address is another game: neither takes the other's place.
        let is_it = |known: &&mut Known| known.address == address && known.mac == mac;
        if let Some(known) = self.known.iter_mut().find(is_it) {
            return known.hear(now, found);
        }
        if self.known.len() == MAX_GAMES {
            self.known.retain(|known| !known.is_old(now));
        }
        let of_it = self.known.iter().filter(|known| known.mac == mac).count();
        if of_it >= MAX_OF_ONE {
            self.drop_least(|known| known.mac == mac);
        } else if self.known.len() == MAX_GAMES {
            let ours = self.known.iter();
            let ours = ours.filter(|known| known.is_players == is_players);
            let ours = ours.count();
            self.drop_least(|known| match known.is_players == is_players {
                true => ours >= SHARE,
                false => MAX_GAMES - ours > SHARE,
            });
        }
        self.known.push(Known {
            mac,
            is_players,
            address,
            found,
            first_heard_at: now,
            heard_at: now,
        });
        true
    }

    /// Takes the place of one of these: first of one that was heard for a moment only, and was heard least lately; of
    /// those who have answered again, of the one that came last. So whoever makes up machines drives out nobody who was
    /// there before and has answered twice. Within each kind those go first whose machine has more games than others.
    fn drop_least(&mut self, may_go: impl Fn(&Known) -> bool) {
        let mut counts = BTreeMap::<_, usize>::new();
        for known in &self.known {
            *counts.entry(known.mac).or_default() += 1;
        }
        let worth = |known: &Known| {
            let count = counts.get(&known.mac).copied();
            let since = known.is_settled().then_some(Reverse(known.first_heard_at));
            (since.is_some(), Reverse(count), since, known.heard_at)
        };
        let known = (0..self.known.len()).filter(|&at| may_go(&self.known[at]));
        let least = known.min_by_key(|&at| worth(&self.known[at]));
        least.map(|at| self.known.swap_remove(at));
    }
}

impl Found {
    /// The same server's next answer, which may be a shorter one: a guess does not take the place of what another answer
    /// knew.
    fn after(self, before: &Found) -> Found {
        if !self.is_guess || before.is_guess {
            return self;
        }
        Found {
            game: before.game.clone(),
            server: match self.server.is_empty() {
                true => before.server.clone(),
                false => self.server,
            },
            map: self.map.or_else(|| before.map.clone()),
            players: self.players.or(before.players),
            max_players: self.max_players.or(before.max_players),
            is_guess: false,
            ..self
        }
    }
}

impl Known {
    fn hear(&mut self, now: Instant, found: Found) -> bool {
        self.heard_at = now;
        let found = found.after(&self.found);
        let is_news = self.found != found;
        self.found = found;
        is_news
    }

    fn is_warcraft3_of(&self, (mac, ip): (MacAddr, IpAddr)) -> bool {
        self.mac == mac && self.address.ip() == ip && self.found.is_warcraft3()
    }

    fn is_old(&self, now: Instant) -> bool {
        let speaks = self.found.silence.is_some();
        now.saturating_duration_since(self.heard_at) >= forgotten_after(speaks)
    }

    fn is_settled(&self) -> bool {
        self.heard_at.saturating_duration_since(self.first_heard_at) >= SETTLED
    }

    fn tell(&self, now: Instant) -> Game {
        let found = self.found.clone();
        let heard = now.saturating_duration_since(self.heard_at);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Game {
            game: found.game,
            // Some have no name.
            server: match found.server.is_empty() {
                true => self.address.ip().to_string(),
                false => found.server,
            },
            address: self.address,
            mac: Some(self.mac),
            host: None,
            map: found.map,
            players: found.players,
            max_players: found.max_players,
            heard_ms: millis(heard),
            silence_ms: found.silence.map(millis),
        }
    }
}

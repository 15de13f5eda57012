//! Who must stay out: a key, which is the person, or the MAC of somebody who showed none.

use super::{Controls, Mark, Present, absent, ambiguous};
use lanparty_ctrl::Fingerprint;
use lanparty_ctrl::orders::{MAX_BANNED, Person};
use lanparty_gateway_control::{Answer, Ban};

const FULL: &str =
    "as many players are banned as there can be; `lanparty-gateway ctl unban` one first";

fn is_called(ban: &Ban, mark: Mark<'_>) -> bool {
    let is_mac = ban.mac.is_some_and(|mac| mark == Mark::Mac(mac));
    mark.is_of(ban.who) || is_mac || mark.is_name(ban.name.as_ref())
}

/// Who that is, in words; `who` is the host's own one.
fn whom(ban: &Ban, who: &str) -> String {
    match (&ban.name, ban.mac) {
        (Some(name), Some(mac)) => format!("{name} ({mac})"),
        (None, Some(mac)) => mac.to_string(),
        (_, None) => who.to_owned(),
    }
}

impl Controls {
    pub(super) fn bans(&self) -> Answer {
        Answer::Bans(self.wishes.banned.clone())
    }

    /// Bans somebody who is in the room, who left it, or of whom only MAC or fingerprint is known.
    pub(super) fn ban(&mut self, who: &str) -> Result<String, String> {
        let ban = self.accused(who)?;
        let banned = &mut self.wishes.banned;
        banned.retain(|known| known.who != ban.who);
        if banned.len() >= MAX_BANNED {
            return Err(FULL.to_owned());
        }
        if let Some(guests) = &mut self.wishes.guests {
            let known = self.players.values().chain(&self.gone);
            let known = known.filter(|one| one.person() == ban.who);
            for mac in known.map(|one| one.mac).chain(ban.mac) {
                guests.remove(&mac);
            }
        }
        let whom = whom(&ban, who);
        let sentence = match ban.who {
            Person::Identity(identity) => {
                format!("{whom} is banned, with the key {}.", identity.short())
            }
            Person::Mac(mac) => format!(
                "{whom} is banned by the MAC address {mac} alone, which can be changed: nobody with a key is known by it. \
                 Rotate the room's key, when that is not enough."
            ),
        };
        self.wishes.banned.push(ban);
        self.order(self.wishes.ban());
        // Who is not there would come back through the lock, with the same MAC and without the key.
        if self.wishes.guests.is_some() {
            self.order(self.wishes.lock());
        }
        Ok(sentence)
    }

    pub(super) fn unban(&mut self, who: &str) -> Result<String, String> {
        let banned = &self.wishes.banned;
        let found = Mark::all(who).find_map(|mark| {
            let meant = banned.iter().filter(|ban| is_called(ban, mark));
            let meant: Vec<_> = meant.map(|ban| ban.who).collect();
            (!meant.is_empty()).then_some(meant)
        });
        match found.as_deref() {
            None => Err(not_banned(who)),
            Some(&[person]) => {
                let ban = banned.iter().find(|ban| ban.who == person);
                let whom = ban.map_or_else(|| who.to_owned(), |ban| whom(ban, who));
                self.wishes.banned.retain(|ban| ban.who != person);
                self.order(self.wishes.ban());
                Ok(format!("{whom} may come again."))
            }
            Some(_) => Err(ambiguous(who)),
        }
    }

    fn accused(&self, who: &str) -> Result<Ban, String> {
        let mut found = Mark::all(who).filter_map(|mark| self.known(mark, who).transpose());
        let known = found.next().transpose()?;
        if let Some(player) = known {
            return Ok(Ban {
                who: player.person(),
                mac: Some(player.mac),
                name: self.shown_name(&player).cloned(),
            });
        }
        let by_mac = who.parse().ok().map(|mac| (Person::Mac(mac), Some(mac)));
        let by_key = || Some((Person::Identity(who.parse::<Fingerprint>().ok()?), None));
        let (person, mac) = by_mac.or_else(by_key).ok_or_else(|| never_here(who))?;
        Ok(Ban {
            who: person,
            mac,
            name: None,
        })
    }

    /// Who is meant, of all who are in the room or were.
    pub(super) fn known_to_all(&self, who: &str) -> Result<Present, String> {
        let mut found = Mark::all(who).filter_map(|mark| self.known(mark, who).transpose());
        found.next().unwrap_or_else(|| Err(absent(who)))
    }

    /// Who is in the room, or else who left it last, of those whom this marks.
    pub(super) fn known(&self, mark: Mark<'_>, who: &str) -> Result<Option<Present>, String> {
        let here = self.present(mark, who)?.map(|(_, player)| player);
        let gone = || {
            self.gone
                .iter()
                .find(|one| self.is_called(one, mark))
                .cloned()
        };
        Ok(here.or_else(gone))
    }
}

fn not_banned(who: &str) -> String {
    format!("nobody {who:?} is banned; `lanparty-gateway ctl bans` shows who is")
}

fn never_here(who: &str) -> String {
    format!("no player {who:?} is or was in the room; `lanparty-gateway ctl list` shows who is")
}

/// What `ctl` may hear instead of an answer, for the page that explains it.
#[cfg(test)]
pub(super) fn refusals() -> Vec<lanparty_told::Told> {
    let told = |sentence: String, means, remedy| lanparty_told::Told {
        sentence,
        means,
        remedy,
    };
    vec![
        told(
            FULL.to_owned(),
            "The list has an end.",
            "Let somebody come again; or a new key, which none of them has.",
        ),
        told(
            not_banned("bert"),
            "No ban has that name, MAC or key.",
            "Look in the list of bans.",
        ),
        told(
            never_here("bert"),
            "Nobody of that name has been here of late; who has not been here is banned by MAC or key.",
            "The MAC address, or the key.",
        ),
    ]
}

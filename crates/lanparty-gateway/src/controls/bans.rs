//! Who must stay out: a key, which is the person, or the MAC of somebody who showed none.

use super::{Controls, ambiguous, is_called};
use crate::ctl::wire::{Answer, Ban};
use lanparty_ctrl::Fingerprint;
use lanparty_ctrl::host::{MAX_BANNED, Person};

const FULL: &str =
    "as many players are banned as there can be; `lanparty-gateway ctl unban` one first";

impl Ban {
    fn is_called(&self, who: &str) -> bool {
        let identity = match self.who {
            Person::Identity(identity) => Some(identity.to_string()),
            Person::Mac(_) => None,
        };
        is_called(who, self.mac, self.name.as_ref(), identity.as_deref())
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
        if let (Some(guests), Some(mac)) = (&mut self.wishes.guests, ban.mac) {
            guests.remove(&mac);
        }
        let sentence = match ban.who {
            Person::Identity(identity) => {
                format!("{who} is banned, with the key {}.", identity.short())
            }
            Person::Mac(mac) => format!(
                "{who} is banned by the MAC address {mac} alone, which can be changed: nobody with a key is known by it. \
                 Lock the room or rotate its key, when that is not enough."
            ),
        };
        banned.push(ban);
        let order = self.wishes.ban();
        self.order(order);
        Ok(sentence)
    }

    pub(super) fn unban(&mut self, who: &str) -> Result<String, String> {
        let meant = |ban: &Ban| ban.is_called(who);
        match self.wishes.banned.iter().filter(|ban| meant(ban)).count() {
            0 => Err(format!(
                "nobody {who:?} is banned; `lanparty-gateway ctl bans` shows who is"
            )),
            1 => {
                self.wishes.banned.retain(|ban| !meant(ban));
                let order = self.wishes.ban();
                self.order(order);
                Ok(format!("{who} may come again."))
            }
            _ => Err(ambiguous(who)),
        }
    }

    fn accused(&self, who: &str) -> Result<Ban, String> {
        let here: Vec<_> = self
            .players
            .values()
            .filter(|one| one.is_called(who))
            .collect();
        let known = match here[..] {
            [] => self.gone.iter().find(|one| one.is_called(who)),
            [player] => Some(player),
            [..] => return Err(ambiguous(who)),
        };
        if let Some(player) = known {
            return Ok(Ban {
                who: player.person(),
                mac: Some(player.mac),
                name: player.name.clone(),
            });
        }
        let by_mac = who.parse().ok().map(|mac| (Person::Mac(mac), Some(mac)));
        let by_key = || Some((Person::Identity(who.parse::<Fingerprint>().ok()?), None));
        let (person, mac) = by_mac.or_else(by_key).ok_or_else(|| {
            format!(
                "no player {who:?} is or was in the room; `lanparty-gateway ctl list` shows who is"
            )
        })?;
        Ok(Ban {
            who: person,
            mac,
            name: None,
        })
    }
}

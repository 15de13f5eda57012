//! A party at a relay elsewhere: which relay, that it is the right one, and that it opens the room.

use super::answers::Party;
use super::ask::{Asker, Question};
use super::relay::{self, Showing, Verdict};
use super::{Setup, TOKEN_FILE, sentence};
use crate::keys;
use anyhow::bail;
use lanparty_ctrl::{AccessToken, HostSecret, Pin, RoomCode, RoomKey};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{OtherRelay, Relays};
use std::fs;
use std::path::{Path, PathBuf};

/// No file with an access token is longer, in bytes.
const MAX_TOKEN: usize = 1024;

impl Setup<'_> {
    /// A party at a relay: which, that it is the right one, and that it opens the room.
    pub(super) fn relay(
        &self,
        asker: &mut Asker<'_>,
    ) -> anyhow::Result<(Party, RoomCode, Option<AccessToken>)> {
        let (relay, pin) = self.known_relay(asker)?;
        let mut taken = None;
        let (mut token, mut token_file) = self.given_token()?;
        loop {
            let room = self.room(asker, taken.as_deref())?;
            let verdict = relay::try_room(Showing {
                relay: &relay,
                pin,
                room: &room,
                key: keys::kept(Some(self.keys.path()), &room)?
                    .unwrap_or_else(|| RoomKey::from_random(self.random.key)),
                host_key: keys::kept_secret(Some(self.keys.path()))?
                    .unwrap_or_else(|| HostSecret::from_random(self.random.secret))
                    .host_key(&room),
                access_token: token.clone(),
            })?;
            match verdict {
                Verdict::Open => asker.say(&format!("The relay opens room {room} for you."))?,
                Verdict::OursIsThere => {
                    asker.say(&format!("Your gateway is in room {room} already."))?;
                }
                Verdict::NoAccess if self.is_all_given(asker) => bail!(
                    "the relay {relay} opens rooms only for hosts who have its access token: name the file with the one that its \
                     operator gave you with --access-token-file; nothing has been changed"
                ),
                Verdict::NoAccess => {
                    let new = self.ask_token(asker, token.is_some())?;
                    (token, token_file) = (Some(new), Some(self.keys.file(TOKEN_FILE)));
                    taken = Some(room.to_string());
                    continue;
                }
                Verdict::Taken if self.args.room.is_some() || asker.takes_defaults() => bail!(
                    "room {room} is somebody else's at {relay}: choose another one with --room; nothing has been changed"
                ),
                Verdict::Taken => {
                    asker.say(&format!(
                        "Room {room} is somebody else's at this relay: please choose another one."
                    ))?;
                    taken = Some(String::new());
                    continue;
                }
                Verdict::Other(why) => bail!(
                    "the relay {relay} does not open room {room}: {why}; nothing has been changed"
                ),
            }
            let party = Party::Relay {
                others: self.others(&relay)?,
                relay,
                pin,
                access_token_file: token_file,
            };
            return Ok((party, room, token));
        }
    }

    /// Whether nobody can be asked for what a flag could have said.
    fn is_all_given(&self, asker: &Asker<'_>) -> bool {
        asker.takes_defaults() || self.args.access_token_file.is_some()
    }

    /// The relays of the flags.
    fn named_relays(&self) -> anyhow::Result<Option<Relays>> {
        Ok(Relays::named(self.args.relay.clone(), self.args.pin)?)
    }

    /// Where the party may move from this relay: as the flags name it, or where they name nothing as it is set.
    fn others(&self, relay: &RelayAddress) -> anyhow::Result<Vec<OtherRelay>> {
        let room = self.usual_room()?;
        let Some(named) = self.named_relays()? else {
            let kept = self.settings.relays();
            let kept = kept.map(|relays| relays.others).unwrap_or_default();
            return Ok(OtherRelay::distinct(relay, &kept).cloned().collect());
        };
        // The first may be another one by now, which a person has typed.
        for other in OtherRelay::distinct(relay, &named.others) {
            let address = &other.address;
            match (other.pin, relay::known_by(address, &room)?) {
                (Some(pin), Ok(Some(shown))) if pin != shown => bail!(
                    "the relay at {address} shows the pin {shown} and not {pin}: it has another key now, or is another relay; ask its \
                     operator, and say --relay {address}~{shown} if that is right; nothing has been changed"
                ),
                (None, Ok(Some(shown))) => bail!(
                    "the relay at {address} shows a key with the pin {shown}: compare it with what its operator told you, and say \
                     --relay {address}~{shown} if it is the same; nothing has been changed"
                ),
                (_, Err(why)) => {
                    bail!("the relay at {address} cannot be used: {why}; nothing has been changed")
                }
                (_, Ok(_)) => {}
            }
        }
        Ok(OtherRelay::distinct(relay, &named.others)
            .cloned()
            .collect())
    }

    /// The relay, and what it is known by.
    fn known_relay(&self, asker: &mut Asker<'_>) -> anyhow::Result<(RelayAddress, Option<Pin>)> {
        let named = self.named_relays()?;
        let kept = self.settings.relays();
        let kept = kept.map(|kept| kept.first.to_string());
        let mut is_first = true;
        loop {
            let relay = match (&named, is_first) {
                (Some(named), true) => named.first.clone(),
                _ => {
                    let question = Question {
                        text: "The relay's address",
                        default: kept.as_deref(),
                        flags: "--relay",
                    };
                    asker.ask(&question, |answer| answer.parse().map_err(sentence))?
                }
            };
            is_first = false;
            asker.say(&format!("Asking the relay at {relay} …"))?;
            // No room is opened by that.
            let room = self.usual_room()?;
            match relay::known_by(&relay, &room)? {
                Ok(shown) => match self.checked_pin(asker, &relay, shown)? {
                    Some(pin) => return Ok((relay, pin)),
                    None => continue,
                },
                Err(why) if asker.takes_defaults() || named.is_some() => {
                    bail!("the relay at {relay} cannot be used: {why}; nothing has been changed")
                }
                Err(why) => asker.say(&format!(
                    "That will not do: the relay at {relay} cannot be used: {why}."
                ))?,
            }
        }
    }

    /// The pin that players will trust, if it is the right relay's; `None` when it is not.
    fn checked_pin(
        &self,
        asker: &mut Asker<'_>,
        relay: &RelayAddress,
        shown: Option<Pin>,
    ) -> anyhow::Result<Option<Option<Pin>>> {
        let is_this = |relays: &Relays| relays.first == *relay;
        let [named, kept] = [self.named_relays()?, self.settings.relays()]
            .map(|relays| relays.filter(is_this).and_then(|relays| relays.pin));
        match (shown, self.args.pin.or(named).or(kept)) {
            (Some(shown), Some(expected)) if shown == expected => {
                asker.say("It has the key with the pin that you know.")?;
                Ok(Some(Some(shown)))
            }
            // It has a certificate of an authority; the pin is looked at when the room is tried.
            (None, Some(expected)) => Ok(Some(Some(expected))),
            (Some(shown), Some(expected)) => bail!(
                "the relay at {relay} shows the pin {shown} and not {expected}: it has another key now, or is another relay; ask its \
                 operator, and say --pin {shown} if that is right; nothing has been changed"
            ),
            (None, None) => {
                asker.say("It has a certificate that everybody's system trusts.")?;
                Ok(Some(None))
            }
            (Some(shown), None) if asker.takes_defaults() => bail!(
                "the relay at {relay} shows a key with the pin {shown}: compare it with what its operator told you, and say --pin \
                 {shown} if it is the same; nothing has been changed"
            ),
            (Some(shown), None) => {
                asker.say(&format!(
                    "It shows a key with this pin:\n    {shown}\nThe operator has told you one, or the relay has printed it at its start: whoever \
                     stands between you and the relay would show another."
                ))?;
                let is_same = asker.confirm("Is it the same", "--pin", None)?;
                if !is_same {
                    asker.say("Then it is not your relay that answers there: ask its operator, or give another address.")?;
                }
                Ok(is_same.then_some(Some(shown)))
            }
        }
    }

    /// The access token that a flag or the settings name, and the file for it.
    fn given_token(&self) -> anyhow::Result<(Option<AccessToken>, Option<PathBuf>)> {
        let kept = self.settings.parsed::<PathBuf>("access-token-file");
        if let Some(file) = &self.args.access_token_file {
            let token =
                read_token(file).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
            return Ok((Some(token), Some(self.keys.file(TOKEN_FILE))));
        }
        let token = kept.as_deref().and_then(|file| read_token(file).ok());
        Ok((token.clone(), kept.filter(|_| token.is_some())))
    }

    fn ask_token(&self, asker: &mut Asker<'_>, is_wrong: bool) -> anyhow::Result<AccessToken> {
        asker.say(match is_wrong {
            true => "The relay does not take that access token.",
            false => "This relay opens rooms only for hosts who have its access token; its operator gives it out.",
        })?;
        let question = Question {
            text: "Access token, or the file with it",
            default: None,
            flags: "--access-token-file",
        };
        asker.ask(&question, |answer| {
            let file = Path::new(answer);
            match file.is_file() {
                true => read_token(file),
                false => answer.parse().map_err(sentence),
            }
        })
    }
}

fn read_token(file: &Path) -> Result<AccessToken, String> {
    let text = fs::read_to_string(file).map_err(sentence)?;
    if text.len() > MAX_TOKEN {
        return Err("that is no access token, as it is too long".to_owned());
    }
    text.trim().parse().map_err(sentence)
}

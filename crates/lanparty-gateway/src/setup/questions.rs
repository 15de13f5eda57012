//! What every party is asked: where the LAN is, where players meet, and what it is called.

use super::ask::{Asker, Question};
use super::{Setup, sentence};
use crate::config::Mode;
use crate::lan::choice::{self, Choice, Seen};
use crate::lan::survey;
use crate::serverless;
use anyhow::{Context, bail};
use lanparty_ctrl::{RoomCode, Text};
use std::str;

impl Setup<'_> {
    /// Which interface has the party's LAN.
    pub(super) fn interface(&self, asker: &mut Asker<'_>) -> anyhow::Result<String> {
        let mut seen = survey::look()?;
        if let Some(named) = &self.args.interface {
            return self.named(asker, &seen, named);
        }
        asker.say("Looking for the party's LAN: asking on each cable for a DHCP server, which takes up to six seconds.")?;
        survey::ask(&mut seen)?;
        let kept = self.settings.text("interface");
        let kept = kept.filter(|kept| usable(&seen).any(|one| one.name == *kept));
        let choice = choice::choose(&seen);
        let default = match (&kept, &choice) {
            (Some(kept), _) => Some(kept.clone()),
            (None, Choice::One(one)) => Some(one.name.clone()),
            (None, Choice::Several(_) | Choice::None) => None,
        };
        self.show(asker, &seen)?;
        if usable(&seen).next().is_none() {
            bail!(
                "no interface here can carry a party: put the LAN's cable into one, and start this again; nothing has been changed"
            );
        }
        let question = Question {
            text: "Which interface is the party's",
            default: default.as_deref(),
            flags: "--interface",
        };
        asker.ask(&question, |answer| {
            match seen.iter().find(|one| one.name == answer) {
                Some(one) => match &one.fault {
                    None => Ok(one.name.clone()),
                    Some(_) => Err(format!("{answer} {}", one.remark())),
                },
                None => {
                    let names: Vec<_> = usable(&seen).map(|one| &*one.name).collect();
                    Err(format!(
                        "there is no {answer} here; it is one of {}",
                        names.join(", ")
                    ))
                }
            }
        })
    }

    /// The one that a flag names.
    fn named(&self, asker: &mut Asker<'_>, seen: &[Seen], named: &str) -> anyhow::Result<String> {
        let Some(one) = seen.iter().find(|one| one.name == named) else {
            bail!(
                "there is no interface {named} here: give one that `ip link` shows; nothing has been changed"
            );
        };
        if let Some(fault) = &one.fault {
            bail!("{fault}; nothing has been changed");
        }
        if let Some(doubt) = choice::doubt(seen, named) {
            asker.say(&doubt)?;
        }
        Ok(named.to_owned())
    }

    /// All of them, each with what it is good for.
    fn show(&self, asker: &mut Asker<'_>, seen: &[Seen]) -> anyhow::Result<()> {
        for one in seen {
            let address = one
                .address
                .as_deref()
                .map(|address| format!(" ({address})"));
            let mark = if one.fault.is_none() { '+' } else { '-' };
            let line = format!(
                "  {mark} {}{}: {}",
                one.name,
                address.unwrap_or_default(),
                one.remark()
            );
            asker.say(&line)?;
        }
        Ok(())
    }

    /// Where players meet.
    pub(super) fn mode(&self, asker: &mut Asker<'_>) -> anyhow::Result<Mode> {
        if self.args.host || self.args.listen.is_some() || self.args.public_address.is_some() {
            return Ok(Mode::Host);
        }
        if !self.args.relay.is_empty() {
            return Ok(Mode::Relay);
        }
        if !asker.takes_defaults() {
            asker.say(
                "\nWhere do players meet?\n\
                 \x20 host   at this machine. No server is needed, but your router must let one UDP port in.\n\
                 \x20 relay  at a server that somebody runs. No port to open, works behind any router.",
            )?;
        }
        let default = match self.settings.mode() {
            Some(Mode::Relay) => Some("relay"),
            Some(Mode::Host) => Some("host"),
            // Who asks for nothing should not open a port unasked.
            None => Some("host").filter(|_| !asker.takes_defaults()),
        };
        let question = Question {
            text: "host or relay",
            default,
            flags: "--host or --relay",
        };
        asker.ask(&question, |answer| match &*answer.to_lowercase() {
            "host" | "h" => Ok(Mode::Host),
            "relay" | "r" => Ok(Mode::Relay),
            _ => Err("it is host or relay".to_owned()),
        })
    }

    /// The room's code; another one than `not`, where that is somebody else's. One that `not` names is taken again.
    pub(super) fn room(
        &self,
        asker: &mut Asker<'_>,
        not: Option<&str>,
    ) -> anyhow::Result<RoomCode> {
        match (&self.args.room, not) {
            (Some(room), _) => return Ok(room.clone()),
            (None, Some(again)) if !again.is_empty() => {
                return again.parse().context("a room's code");
            }
            (None, _) => {}
        }
        let usual = match not {
            None => self.usual_room()?,
            Some(_) => serverless::made_room(rand::random()),
        };
        if asker.takes_defaults() {
            return Ok(usual);
        }
        let usual = usual.to_string();
        let question = Question {
            text: "The room's code, which is no secret",
            default: Some(&usual),
            flags: "--room",
        };
        asker.ask(&question, |answer| answer.parse().map_err(sentence))
    }

    /// What is set, or what `host` has kept, or a new one.
    pub(super) fn usual_room(&self) -> anyhow::Result<RoomCode> {
        if let Some(room) = self.settings.parsed("room") {
            return Ok(room);
        }
        let kept = self.keys.load(serverless::ROOM_FILE)?;
        let kept = kept.and_then(|kept| str::from_utf8(&kept).ok()?.trim().parse().ok());
        Ok(kept.unwrap_or_else(|| serverless::made_room(self.random.room)))
    }

    pub(super) fn name(&self, asker: &mut Asker<'_>) -> anyhow::Result<Option<Text>> {
        if let Some(name) = &self.args.name {
            return Ok(Some(name.clone()).filter(|name| !name.as_str().is_empty()));
        }
        let kept = self.settings.text("name").unwrap_or_default();
        let question = Question {
            text: "What is the party called",
            default: Some(&kept),
            flags: "--name",
        };
        let name = asker.ask(&question, |answer| Ok(Text::from(answer)))?;
        Ok(Some(name).filter(|name| !name.as_str().is_empty()))
    }
}

fn usable(seen: &[Seen]) -> impl Iterator<Item = &Seen> {
    seen.iter().filter(|one| one.fault.is_none())
}

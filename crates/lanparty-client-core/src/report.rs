//! What the program around a session tells of it, whoever listens.

use crate::{Session, StatusLine};
use lanparty_ctrl::RoomKey;
use lanparty_obs::{Diagnostics, PlayerStatus};
use std::time::Instant;

/// How a session does at one moment.
#[derive(Debug)]
pub struct Report<'a> {
    /// The same as a sentence.
    pub status: PlayerStatus,
    /// The facts behind it, with what the program knows of adapter and routes.
    pub facts: Diagnostics,
    /// The session itself, for whoever wants to know more.
    pub session: &'a Session,
}

/// What a player hears whose invite is not kept here.
const NEW_KEY: &str = "The host has given the room a new key, which you have until you leave: for the next start ask for \
    the new invite.";

/// Who listens: a person at a terminal, or a service with its views.
pub trait Reporter {
    /// Something may have changed; it is told each second and whenever something happens.
    fn hear(&mut self, now: Instant, report: Report<'_>);

    /// The host has given the room this key, and invites with another one open it no more.
    fn keep_key(&mut self, key: &RoomKey);
}

/// A person reads a sentence whenever it is another one, and once what is worth knowing beside it.
impl Reporter for StatusLine {
    fn hear(&mut self, _now: Instant, report: Report<'_>) {
        let way = report.status.is_on_the_lan().then_some(report.facts.ways);
        let is_there = report.status.is_on_the_lan();
        let place = report.facts.place.as_ref().filter(|_| is_there);
        self.show(report.status);
        self.show_place(place);
        self.show_way(way);
        report
            .facts
            .overlap
            .iter()
            .for_each(|both| self.remark(both));
    }

    /// An invite that somebody typed is not this program's to change.
    fn keep_key(&mut self, _key: &RoomKey) {
        self.remark(NEW_KEY);
    }
}

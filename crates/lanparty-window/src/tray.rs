//! The icon beside the clock, where there is such a place: the state's shape and word, Show, Leave, Quit.

#[cfg_attr(target_os = "linux", path = "tray/linux.rs")]
#[cfg_attr(windows, path = "tray/windows.rs")]
mod imp;

use crate::app::{App, Standing};
use crate::look;
use crate::mark::{self, Shape, Tone};
use lanparty_client_control::{State, Way};
use std::time::Instant;

pub(crate) use imp::Tray;

/// What the icon shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Face {
    /// The state's word, the same as the window's.
    pub(crate) word: String,
    /// The party, while there is one.
    pub(crate) party: Option<String>,
    /// At which of several relays it is.
    place: Option<String>,
    /// The way to it; how long that is changes each second.
    way: Option<Way>,
    shape: Shape,
    tone: Tone,
    /// True while there is something to leave.
    pub(crate) leaves: bool,
    /// True when somebody should look.
    pub(crate) alarms: bool,
}

impl Face {
    /// The side of the icon in pixels; trays make it smaller.
    const SIDE: usize = 32;

    pub(crate) fn of(app: &App, now: Instant) -> Self {
        let standing = app.standing(now);
        let (shape, tone) = mark::of(&standing);
        let snapshot = app.snapshot(now);
        let session = snapshot.filter(|it| it.state.is_session());
        let party = session.and_then(|it| it.party.as_ref());
        Face {
            // A tooltip that changes each second would redraw the tray each second.
            word: app.still_word(now),
            party: party.map(|party| party.title().to_owned()),
            place: session
                .and_then(|it| it.place.as_ref())
                .map(ToString::to_string),
            way: session.and_then(|it| it.way),
            shape,
            tone,
            leaves: session.is_some(),
            alarms: matches!(standing, Standing::Is(State::CannotConnect)),
        }
    }

    /// The icon, as red, green, blue and opacity.
    pub(crate) fn rgba(&self) -> (Vec<u8>, u32) {
        let colour = look::tray_colour(self.tone);
        (
            mark::rgba(self.shape, colour, Self::SIDE),
            Self::SIDE as u32,
        )
    }

    /// What the icon says when it is pointed at.
    pub(crate) fn tip(&self) -> String {
        let party = self.party.as_deref().map(without_tags);
        let way = self.way.map(|way| way.to_string());
        let place = self.place.as_deref().map(without_tags);
        let parts = [Some(self.word.clone()), party, place, way];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        parts.join(" · ")
    }
}

/// KDE takes a tooltip with tags in it for a page and fetches its pictures, and others show escaped letters as they are
/// written; a host names its party as it likes.
fn without_tags(text: &str) -> String {
    text.replace('<', "‹").replace('>', "›")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use lanparty_client_control::Snapshot;
    use lanparty_client_service::cli::status_text;

    /// Check W6: a person who looks at two views never reads two states.
    #[test]
    fn every_view_has_the_same_word_for_every_state() {
        let now = Instant::now();
        let mut app = App::new(Memory::default(), None, now);
        let words = State::ALL.map(|state| {
            let mut snapshot = Snapshot::idle(crate::VERSION);
            (snapshot.state, snapshot.state_ms) = (state, 3_000);
            let json: serde_json::Value =
                serde_json::from_str(&status_text(&snapshot, true)).unwrap();
            let status = status_text(&snapshot, false);
            app.heard(snapshot, now);
            let (window, tray) = (app.word(now), Face::of(&app, now).tip());
            let status = status.lines().next().unwrap().to_owned();
            let json = json["state"].as_str().unwrap().replace('_', " ");
            [window, tray, status, json]
        });
        let expected = [
            "Not connected",
            "Connecting",
            "Waiting for the party's gateway",
            "Connected",
            "Reconnecting",
            "Cannot connect",
        ];
        for (views, word) in words.into_iter().zip(expected) {
            let [window, tray, status, json] = views;
            assert!(
                window == word || window == format!("{word} (3 s)"),
                "{window}"
            );
            assert_eq!((tray.as_str(), status.as_str()), (word, word));
            assert_eq!(json, word.to_lowercase().replace("the party's ", ""));
        }
    }

    /// Checks W6 and W7: the same word, and a picture of its own, for each state.
    #[test]
    fn the_icon_says_and_shows_what_the_window_does() {
        let now = Instant::now();
        let mut app = App::new(Memory::default(), None, now);
        let mut seen = Vec::new();
        for state in State::ALL {
            let mut snapshot = Snapshot::idle("0.1.0");
            snapshot.state = state;
            app.heard(snapshot, now);
            let face = Face::of(&app, now);
            assert_eq!(face.tip(), state.to_string());
            assert!(app.word(now).starts_with(&face.tip()));
            assert_eq!(face.leaves, state.is_session());
            let icon = face.rgba().0;
            assert!(!seen.contains(&icon), "{state}");
            seen.push(icon);
        }
    }

    #[test]
    fn a_partys_name_is_no_page() {
        let now = Instant::now();
        let app = App::new(Memory::default(), None, now);
        let face = Face {
            party: Some("<img src='http://x.example/y'> & <b>Friday".to_owned()),
            place: Some("relay 2 of 3, <i>Paris".to_owned()),
            ..Face::of(&app, now)
        };
        let tip = face.tip();
        assert!(
            tip.ends_with(" · ‹img src='http://x.example/y'› & ‹b›Friday · relay 2 of 3, ‹i›Paris"),
            "{tip}"
        );
    }
}

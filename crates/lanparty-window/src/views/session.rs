//! A session: the address, the ping, who is here, what is played.

use super::{parts, people, playing};
use crate::app::{App, Clock, Source};
use crate::look::{self, Palette};
use crate::mark::Tone;
use crate::{invite_field, words};
use egui::{Button, RichText, Ui, Vec2};
use lanparty_client_control::{Fix, PingVerdict, Snapshot, State, Way, ms};

/// How high the two cards are at least, so that they are alike.
const CARD: f32 = 98.0;
/// From this width on the word stands beside the address.
const WIDE: f32 = 204.0;
/// As long as an IPv4 address can be.
const V4: usize = 15;
/// Longer ones have smaller letters, so that they stand on one line.
const SHORT: usize = 12;

pub(super) fn draw(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    if snapshot.state != State::CannotConnect {
        offered(ui, app, snapshot, clock);
        parts::refusal(ui, app);
    }
    if let Some(done) = &app.done {
        parts::told(ui, done, Tone::Good);
    }
    if snapshot.state == State::CannotConnect {
        return;
    }
    let mut left = |ui: &mut Ui| address(ui, app, snapshot, clock);
    parts::side_by_side(ui, [&mut left, &mut |ui| ping(ui, snapshot)]);
    if let Some(place) = &snapshot.place {
        parts::weak(ui, &words::at(place));
    }
    not_direct(ui, snapshot);
    people::draw(ui, snapshot);
    playing::draw(ui, app, snapshot, clock);
}

/// A link that came while at another party: nothing happens to this one without a word (check W3).
fn offered(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    if app.source != Source::Link || app.field.text.is_empty() {
        return;
    }
    parts::boxed(ui, look::warning(ui.visuals()), |ui| {
        let Some(invite) = app.invite(clock.wall) else {
            let objection = app.objection(clock.wall).unwrap_or_default();
            parts::told(ui, &objection, Tone::Bad);
            if parts::button(ui, words::OK, true).clicked() {
                app.field.clear();
            }
            return;
        };
        let new = invite_field::title(&invite);
        let now = snapshot.party.as_ref().map_or("", |party| party.title());
        parts::told(ui, &words::another_party(now, &new), Tone::Doubt);
        ui.horizontal_wrapped(|ui| {
            if parts::button(ui, &words::leave_and_join(&new), app.pending.is_none()).clicked() {
                app.join(clock.wall);
            }
            if parts::button(ui, words::NO, true).clicked() {
                app.field.clear();
            }
        });
    });
}

fn address(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        ui.set_min_height(CARD);
        parts::weak(ui, words::ADDRESS);
        let Some(address) = snapshot.address else {
            let none = match snapshot.state == State::Reconnecting {
                true => words::ADDRESS_AWAY,
                false => words::NO_ADDRESS,
            };
            ui.label(RichText::new(none).font(look::strong(20.0)));
            return;
        };
        let palette = Palette::of(ui.visuals());
        let colour = if address.made_up {
            palette.tone(Tone::Doubt)
        } else {
            palette.text
        };
        let text = address.ip.to_string();
        let copied = app.is_copied(&text, clock.now);
        let word = if copied { words::COPIED } else { words::COPY };
        let wide = ui.available_width() > WIDE && text.len() <= V4;
        let letters = if wide && text.len() <= SHORT {
            20.0
        } else {
            16.0
        };
        let number = RichText::new(&text)
            .font(look::strong(letters))
            .color(colour);
        let size = Vec2::new(ui.available_width(), 52.0);
        let button = Button::new(number).min_size(size);
        let response = if wide {
            let hint = RichText::new(word).size(13.0).color(palette.accent);
            ui.add(button.right_text(hint))
        } else {
            let response = ui.add(button.wrap());
            parts::weak(ui, word);
            response
        };
        let said = format!("{}: {text}, {word}", words::ADDRESS);
        ui.ctx()
            .accesskit_node_builder(response.id, |node| node.set_label(said));
        if response.clicked() {
            parts::copy(ui, app, &text, clock);
        }
        if address.made_up {
            parts::told(ui, words::MADE_UP, Tone::Doubt);
            if parts::button(ui, words::GET_ADDRESS, app.pending.is_none()).clicked() {
                app.mend(Fix::RenewAddress);
            }
        }
    });
}

fn ping(ui: &mut Ui, snapshot: &Snapshot) {
    let ping = &snapshot.ping;
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        ui.set_min_height(CARD);
        parts::weak(ui, &words::ping_by(snapshot.way));
        let (Some(us), Some(verdict)) = (ping.us, ping.verdict()) else {
            ui.label(RichText::new(words::PING_UNKNOWN).font(look::strong(20.0)));
            return;
        };
        let tone = look::ping_tone(verdict);
        let palette = Palette::of(ui.visuals());
        ui.horizontal_wrapped(|ui| {
            let number = RichText::new(ms(us)).font(look::strong(20.0));
            ui.label(number.color(palette.tone(tone)));
            ui.label(RichText::new(verdict_word(verdict)).color(palette.tone(tone)));
            if let Some(loss) = ping.loss {
                ui.label(RichText::new(words::loss(loss.0)).size(13.0).weak());
            }
        });
        parts::sparkline(ui, &ping.minute, tone, words::PING);
    });
}

/// Why frames take the longer way, unless that is over in a moment, or a warning says so already.
fn not_direct(ui: &mut Ui, snapshot: &Snapshot) {
    let is_warned = snapshot.way.is_some_and(Way::is_over_tcp);
    let why = snapshot.not_direct.as_ref();
    if let Some(why) = why.filter(|why| !why.id.is_passing() && !is_warned) {
        parts::weak(ui, &format!("{} {}", words::WHY_NOT_DIRECT, why.sentence));
    }
}

fn verdict_word(verdict: PingVerdict) -> &'static str {
    match verdict {
        PingVerdict::Good => words::GOOD,
        PingVerdict::Slow => words::SLOW,
        PingVerdict::Bad => words::BAD,
    }
}

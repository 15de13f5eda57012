//! The state: its shape, its word, what it means, and the way out of it.

use super::parts;
use crate::app::{Absence, App, Clock, Forbidden, Pending, Standing};
use crate::look::{self, Palette};
use crate::{mark, words};
use egui::{Button, Label, RichText, Ui, Vec2};
use lanparty_client_control::{Snapshot, State};

/// Below this width the button stands under the words.
const WIDE: f32 = 330.0;
const LEAVE: f32 = 84.0;
/// No more letters of a party's name are shown.
const NAME: usize = 60;

pub(super) fn draw(ui: &mut Ui, app: &mut App, snapshot: Option<&Snapshot>, clock: Clock) {
    let standing = app.standing(clock.now);
    let (shape, tone) = mark::of(&standing);
    let leaves = snapshot.is_some_and(|it| it.state.is_session());
    let beside = leaves && ui.available_width() >= WIDE;
    ui.add_space(4.0);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        parts::shape(ui, shape, tone, 30.0);
        let room = if beside { LEAVE + 12.0 } else { 0.0 };
        let width = ui.available_width() - room;
        ui.allocate_ui(Vec2::new(width, 0.0), |ui| {
            ui.set_width(width);
            ui.vertical(|ui| said(ui, app, &standing, snapshot, clock));
        });
        if beside {
            ui.vertical(|ui| leave(ui, app));
        }
    });
    if leaves && !beside {
        leave(ui, app);
    }
}

fn said(ui: &mut Ui, app: &App, standing: &Standing, snapshot: Option<&Snapshot>, clock: Clock) {
    ui.spacing_mut().item_spacing.y = 4.0;
    let palette = Palette::of(ui.visuals());
    let (_, tone) = mark::of(standing);
    let colour = match standing {
        Standing::Is(State::NotConnected) | Standing::Looking => palette.text,
        _ => palette.tone(tone),
    };
    let word = RichText::new(app.word(clock.now))
        .font(look::strong(24.0))
        .color(colour);
    let label = ui.add(Label::new(word).wrap());
    // A clock that is read out each second would be the only thing one hears.
    let still = app.still_word(clock.now);
    ui.ctx()
        .accesskit_node_builder(label.id, |node| node.set_value(still));
    parts::live(ui, &label);
    let session = snapshot.filter(|it| it.state.is_session());
    if let Some(party) = session.and_then(|it| it.party.as_ref()) {
        let mut line = parts::short(party.title(), NAME).into_owned();
        if party.title() != party.room {
            line = format!("{line} · {}", party.room);
        }
        if let (Some(lasts), State::Connected) = (
            app.lasts(clock.now),
            session.map_or(State::NotConnected, |it| it.state),
        ) {
            line = format!("{line} · {}", words::for_so_long(lasts));
        }
        ui.add(Label::new(RichText::new(line).font(look::strong(15.0))).wrap());
    }
    let sentence = sentence(app, standing, snapshot);
    parts::weak(ui, sentence);
}

fn sentence<'a>(app: &'a App, standing: &'a Standing, snapshot: Option<&'a Snapshot>) -> &'a str {
    match (standing, snapshot) {
        (Standing::Is(_), Some(snapshot)) => &snapshot.sentence,
        (Standing::Looking | Standing::Is(_), _) => words::LOOKING_WHY,
        (Standing::Away(Absence::NotRunning), _) => words::NOT_RUNNING_WHY,
        // Who is in the group and has not logged in anew is told that, which the doctor knows.
        (Standing::Away(Absence::NotPermitted), _) => match &app.forbidden {
            Some(Forbidden { row, .. })
                if row.sentence.trim_end_matches('.') != words::NOT_PERMITTED =>
            {
                &row.sentence
            }
            Some(_) | None => words::NOT_PERMITTED_WHY,
        },
        (Standing::Away(Absence::Silent), _) => words::SILENT_WHY,
        (Standing::Away(Absence::Strange), _) => words::STRANGE_WHY,
        (Standing::Away(Absence::Impostor(who)), _) => who,
    }
}

fn leave(ui: &mut Ui, app: &mut App) {
    let leaves = app.pending == Some(Pending::Leave);
    let word = if leaves { words::LEAVING } else { words::LEAVE };
    let size = Vec2::new(LEAVE, look::BUTTON);
    if parts::centred(ui, Button::new(word), size, app.pending.is_none()).clicked() {
        app.leave();
    }
}

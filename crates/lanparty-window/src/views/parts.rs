//! The pieces that the pages are made of.

use crate::app::{App, Clock, Pending, VERSION};
use crate::look::{self, Palette};
use crate::mark::{self, Shape, Tone};
use crate::words;
use egui::accesskit::Live;
use egui::{
    Align, Button, Color32, Frame, Label, Layout, Response, RichText, Sense, Stroke, TextWrapMode,
    Ui, Vec2, pos2,
};
use lanparty_client_control::{Fix, FixOffer, Snapshot};
use std::borrow::Cow;

/// A state's shape.
pub(super) fn shape(ui: &mut Ui, shape: Shape, tone: Tone, size: f32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size), Sense::hover());
    let colour = Palette::of(ui.visuals()).tone(tone);
    mark::paint(ui.painter(), shape, colour, rect.center(), size / 2.0);
}

/// The one button that matters most.
pub(super) fn primary(ui: &mut Ui, words: &str, enabled: bool) -> Response {
    /// No letter is wider on average.
    const LETTER: f32 = 9.5;
    let palette = Palette::of(ui.visuals());
    let text = RichText::new(short(words, (ui.available_width() / LETTER) as usize))
        .font(look::strong(16.0))
        .color(palette.on_accent);
    let size = Vec2::new(ui.available_width(), look::PRIMARY);
    let button = Button::new(text)
        .fill(palette.accent)
        .wrap_mode(TextWrapMode::Extend);
    centred(ui, button, size, enabled)
}

/// A button of this size with its words in the middle.
pub(super) fn centred(ui: &mut Ui, button: Button<'_>, size: Vec2, enabled: bool) -> Response {
    let layout = Layout::top_down(Align::Center);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.add_enabled(enabled, button.min_size(size))
    })
    .inner
}

/// No more than so many letters of it.
pub(super) fn short(words: &str, letters: usize) -> Cow<'_, str> {
    match words.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()).into(),
        None => words.into(),
    }
}

/// A button of less weight.
pub(super) fn button(ui: &mut Ui, words: &str, enabled: bool) -> Response {
    let size = Vec2::new(0.0, look::BUTTON);
    ui.add_enabled(enabled, Button::new(words).min_size(size))
}

/// A button that looks like a word.
pub(super) fn link(ui: &mut Ui, words: &str, selected: bool) -> Response {
    let palette = Palette::of(ui.visuals());
    let text = RichText::new(words).color(palette.accent);
    let text = if selected {
        text.font(look::strong(15.0))
    } else {
        text
    };
    let button = Button::new(text)
        .fill(Color32::TRANSPARENT)
        .frame_when_inactive(false)
        .min_size(Vec2::new(0.0, look::BUTTON));
    ui.scope(|ui| {
        ui.spacing_mut().button_padding.x = 6.0;
        ui.add(button)
    })
    .inner
}

/// A heading within a page.
pub(super) fn title(ui: &mut Ui, words: &str) -> Response {
    ui.add(Label::new(RichText::new(words).font(look::strong(16.0))).wrap())
}

/// Words of less weight.
pub(super) fn weak(ui: &mut Ui, words: &str) -> Response {
    ui.add(Label::new(RichText::new(words).weak().size(14.0)).wrap())
}

/// Words in a tone, told to screen readers when they change.
pub(super) fn told(ui: &mut Ui, words: &str, tone: Tone) -> Response {
    let colour = Palette::of(ui.visuals()).tone(tone);
    let label = ui.add(Label::new(RichText::new(words).color(colour).size(14.0)).wrap());
    live(ui, &label);
    label
}

/// Makes screen readers say a thing when it changes (check W16).
pub(super) fn live(ui: &Ui, response: &Response) {
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_live(Live::Polite));
}

/// What the last answer refused, where there is one.
pub(super) fn refusal(ui: &mut Ui, app: &App) {
    if let Some(sentence) = &app.refusal {
        told(ui, sentence, Tone::Bad);
    }
}

/// A box as wide as the page.
pub(super) fn boxed<R>(ui: &mut Ui, frame: Frame, add: impl FnOnce(&mut Ui) -> R) -> R {
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui)
        })
        .inner
}

/// A page's heading with the way back.
pub(super) fn page_title(ui: &mut Ui, app: &mut App, words: &str) {
    ui.horizontal_wrapped(|ui| {
        if link(ui, &format!("‹ {}", words::BACK), false).clicked() {
            app.go(crate::app::Page::Party);
        }
        ui.add(Label::new(RichText::new(words).font(look::strong(18.0))));
    });
}

/// Puts a text into the clipboard and says so for a moment.
pub(super) fn copy(ui: &Ui, app: &mut App, text: &str, clock: Clock) {
    ui.ctx().copy_text(text.to_owned());
    app.copied(text, clock.now);
}

/// What is wrong though the window works: versions, somebody else's session, the service's warnings.
pub(super) fn notes(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    if snapshot.program != VERSION {
        let words = words::versions_differ(&snapshot.program, VERSION);
        boxed(ui, look::warning(ui.visuals()), |ui| {
            told(ui, &words, Tone::Doubt)
        });
    }
    if let Some(user) = app.other_user(snapshot) {
        let words = words::joined_by(user);
        boxed(ui, look::card(ui.visuals()), |ui| {
            told(ui, &words, Tone::Busy)
        });
    }
    let made_up = snapshot.address.is_some_and(|address| address.made_up);
    for warning in &snapshot.warnings {
        // The address has this button beside it already.
        let fix = warning.fix.as_ref();
        let fix = fix.filter(|it| !(made_up && it.fix == Fix::RenewAddress));
        boxed(ui, look::warning(ui.visuals()), |ui| {
            told(ui, &warning.sentence, Tone::Doubt);
            offer(ui, app, fix, clock);
        });
    }
}

/// A button that mends something: the first press says what it will change, the second does it (check W13).
pub(super) fn offer(ui: &mut Ui, app: &mut App, fix: Option<&FixOffer>, _clock: Clock) {
    let Some(fix) = fix.filter(|it| it.fix != Fix::Unknown) else {
        return;
    };
    if app.fix.as_ref() != Some(fix) {
        let mends = app.pending == Some(Pending::Fix);
        let label = if mends { words::MENDING } else { &fix.label };
        if button(ui, label, app.pending.is_none()).clicked() {
            app.fix = Some(fix.clone());
        }
        return;
    }
    let words = words::changes_how(&fix.changes);
    let said = ui.add(Label::new(words).wrap());
    live(ui, &said);
    if fix.asks_admin {
        weak(ui, words::FIX_ASKS);
    }
    ui.horizontal_wrapped(|ui| {
        if button(ui, words::DO_IT, true).clicked() {
            app.mend(fix.fix);
        }
        if button(ui, words::NOT_NOW, true).clicked() {
            app.fix = None;
        }
    });
}

/// A row with something to cut short on its left, and something whole on its right.
pub(super) fn row(ui: &mut Ui, left: impl FnOnce(&mut Ui), right: impl FnOnce(&mut Ui)) {
    egui::Sides::new()
        .shrink_left()
        .truncate()
        .show(ui, left, right);
}

/// Two things side by side where there is room, else one below the other.
pub(super) fn side_by_side(ui: &mut Ui, add: [&mut dyn FnMut(&mut Ui); 2]) {
    const EACH: f32 = 210.0;
    if ui.available_width() < 2.0 * EACH {
        for add in add {
            add(ui);
        }
        return;
    }
    ui.columns(2, |columns| {
        for (ui, add) in columns.iter_mut().zip(add) {
            ui.with_layout(Layout::top_down(Align::Min), add);
        }
    });
}

/// The last minute's round trips as a line.
pub(super) fn sparkline(ui: &mut Ui, minute: &[Option<u32>], tone: Tone, name: &str) {
    const LEAST_TOP: u32 = 60_000;
    let size = Vec2::new(ui.available_width(), 34.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let said = name.to_owned();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Image, true, said.clone()));
    let palette = Palette::of(ui.visuals());
    ui.painter()
        .hline(rect.x_range(), rect.bottom() - 0.5, (1.0, palette.line));
    let top = minute.iter().flatten().copied().max().unwrap_or_default();
    let top = top.max(LEAST_TOP) as f32;
    let point = |(index, us): (usize, u32)| {
        let from_end = minute.len() - 1 - index;
        let x = rect.right() - 2.0 - rect.width() * from_end as f32 / 60.0;
        let y = rect.bottom() - 3.0 - (rect.height() - 6.0) * us as f32 / top;
        pos2(x, y)
    };
    let stroke = Stroke::new(2.0, palette.tone(tone));
    let known = minute.iter().enumerate();
    let runs: Vec<_> = known.map(|(at, us)| us.map(|us| (at, us))).collect();
    for run in runs.split(Option::is_none) {
        let points: Vec<_> = run.iter().flatten().copied().map(point).collect();
        match points.as_slice() {
            [] => {}
            [one] => {
                ui.painter().circle_filled(*one, 1.5, stroke.color);
            }
            _ => {
                ui.painter().line(points, stroke);
            }
        }
    }
}

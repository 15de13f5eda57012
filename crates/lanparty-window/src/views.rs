//! What is drawn: the state on top, always; below it one page; at the bottom the ways to the others.

mod away;
mod changes;
mod doctor;
mod head;
mod parts;
mod people;
mod playing;
mod question;
mod session;
mod settings;
mod start;

use crate::app::{App, Clock, Page, Standing};
use crate::{fonts, look, words};
use egui::{Event, Key, Margin, Rect, ScrollArea, Ui, UiBuilder, Vec2, pos2};
use lanparty_client_control::{Snapshot, State};

/// The margin to the window's edges.
const EDGE: i8 = 16;
/// How high the foot is.
const FOOT: f32 = 44.0;
/// A window less high than this scrolls as a whole; a higher one keeps its head and foot in sight.
const LOW: f32 = 360.0;
/// How far a press of an arrow scrolls.
const LINE: f32 = 36.0;

/// Draws everything, and takes what was pressed.
pub fn draw(ui: &mut Ui, app: &mut App, clock: Clock) {
    fonts::seek(ui.ctx(), app, clock.now);
    let whole = ui.max_rect();
    ui.painter()
        .rect_filled(whole, 0.0, look::ground(ui.visuals()).fill);
    let snapshot = app.snapshot(clock.now).cloned();
    ui.spacing_mut().item_spacing.y = look::GAP;
    if whole.height() < LOW {
        scrolling(ui, whole, |ui| {
            margins(ui, |ui| head::draw(ui, app, snapshot.as_ref(), clock));
            margins(ui, |ui| page(ui, app, snapshot.as_ref(), clock));
            margins(ui, |ui| foot(ui, app));
        });
    } else {
        margins(ui, |ui| head::draw(ui, app, snapshot.as_ref(), clock));
        let top = ui.cursor().top();
        let line = whole.bottom() - FOOT;
        let middle = Rect::from_min_max(pos2(whole.left(), top), pos2(whole.right(), line));
        scrolling(ui, middle, |ui| {
            margins(ui, |ui| page(ui, app, snapshot.as_ref(), clock));
        });
        let below = Rect::from_min_max(pos2(whole.left(), line), whole.max);
        ui.scope_builder(UiBuilder::new().max_rect(below), |ui| {
            let colour = look::Palette::of(ui.visuals()).line;
            ui.painter().hline(whole.x_range(), line, (1.0, colour));
            margins(ui, |ui| foot(ui, app));
        });
    }
    copy_key(ui, app, snapshot.as_ref(), clock);
    question::draw(ui, app, clock);
    if app.question.is_none() && ui.input(|input| input.key_pressed(Key::Escape)) {
        escape(app);
    }
}

fn margins<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let margin = Margin::symmetric(EDGE, 6);
    let frame = egui::Frame::new().inner_margin(margin);
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui)
        })
        .inner
}

/// A part that scrolls by wheel, by keys, and to whatever the keyboard reaches.
fn scrolling(ui: &mut Ui, place: Rect, add: impl FnOnce(&mut Ui)) {
    ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        let area = ScrollArea::vertical()
            .auto_shrink(false)
            .min_scrolled_height(0.0);
        area.show(ui, |ui| {
            add(ui);
            scroll_by_keys(ui, place);
        });
    });
}

fn scroll_by_keys(ui: &Ui, place: Rect) {
    let page = place.height() - LINE;
    let by = ui.input(|input| {
        let pressed = |key, by| if input.key_pressed(key) { by } else { 0.0 };
        pressed(Key::PageDown, -page) + pressed(Key::PageUp, page)
    });
    if by != 0.0 {
        ui.scroll_with_delta(Vec2::new(0.0, by));
    }
    let moved = ui.input(|input| {
        [Key::Tab, Key::ArrowDown, Key::ArrowUp]
            .into_iter()
            .any(|key| input.key_pressed(key))
    });
    let focused = ui.memory(egui::Memory::focused);
    if moved && let Some(response) = focused.and_then(|id| ui.ctx().read_response(id)) {
        let seen =
            response.rect.height() < page && ui.max_rect().x_range().contains(response.rect.left());
        if seen && response.rect.top() >= ui.min_rect().top() {
            ui.scroll_to_rect(response.rect.expand(LINE / 2.0), None);
        }
    }
}

fn page(ui: &mut Ui, app: &mut App, snapshot: Option<&Snapshot>, clock: Clock) {
    match app.page {
        Page::Party => party(ui, app, snapshot, clock),
        Page::Doctor => doctor::draw(ui, app, clock),
        Page::Settings => settings::draw(ui, app, snapshot),
        Page::Changes => changes::draw(ui, app),
    }
}

fn party(ui: &mut Ui, app: &mut App, snapshot: Option<&Snapshot>, clock: Clock) {
    let standing = app.standing(clock.now);
    match (&standing, snapshot) {
        (Standing::Away(absence), _) => away::draw(ui, app, absence, clock),
        (Standing::Is(state), Some(snapshot)) if state.is_session() => {
            parts::notes(ui, app, snapshot, clock);
            session::draw(ui, app, snapshot, clock);
            if *state == State::CannotConnect {
                start::another(ui, app, snapshot, clock);
            }
        }
        (_, snapshot) => {
            if let Some(snapshot) = snapshot {
                parts::notes(ui, app, snapshot, clock);
            }
            start::draw(ui, app, snapshot, clock);
        }
    }
}

fn foot(ui: &mut Ui, app: &mut App) {
    ui.horizontal(|ui| {
        for (page, word) in [
            (Page::Doctor, words::DOCTOR),
            (Page::Settings, words::SETTINGS),
        ] {
            if parts::link(ui, word, app.page == page).clicked() {
                app.go(if app.page == page { Page::Party } else { page });
            }
        }
    });
}

/// Ctrl+C without anything selected copies the address (check W9).
fn copy_key(ui: &Ui, app: &mut App, snapshot: Option<&Snapshot>, clock: Clock) {
    let copies = ui.input(|input| input.events.contains(&Event::Copy));
    let editing = ui.ctx().egui_wants_keyboard_input();
    let address = snapshot.and_then(|it| it.address);
    if copies
        && !editing
        && let Some(address) = address
    {
        parts::copy(ui, app, &address.ip.to_string(), clock);
    }
}

fn escape(app: &mut App) {
    if app.fix.take().is_none() && app.page != Page::Party {
        app.go(Page::Party);
    }
}

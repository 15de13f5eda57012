//! A question that lies over everything until it is answered.

use super::parts;
use crate::app::{App, Clock, Question};
use crate::{look, words};
use egui::{Id, Modal, Ui};

pub(super) fn draw(ui: &Ui, app: &mut App, _clock: Clock) {
    let Some(question) = app.question else {
        return;
    };
    let width = (ui.max_rect().width() - 48.0).min(380.0);
    let frame = look::card(ui.visuals()).inner_margin(18);
    let modal = Modal::new(Id::new("question")).frame(frame);
    let shown = modal.show(ui.ctx(), |ui| {
        ui.set_width(width);
        match question {
            Question::Stay => stay(ui, app),
            Question::ToTray => to_tray(ui, app),
        }
    });
    if shown.should_close() && app.question == Some(question) {
        app.question = None;
    }
}

fn stay(ui: &mut Ui, app: &mut App) {
    parts::title(ui, words::STAY);
    parts::weak(ui, words::STAY_WHY);
    if parts::primary(ui, words::STAY_YES, true).clicked() {
        app.answer(Question::Stay, true);
    }
    ui.horizontal_wrapped(|ui| {
        if parts::button(ui, words::STAY_NO, true).clicked() {
            app.answer(Question::Stay, false);
        }
        if parts::button(ui, words::CANCEL, true).clicked() {
            app.question = None;
        }
    });
}

fn to_tray(ui: &mut Ui, app: &mut App) {
    parts::title(ui, words::TO_TRAY);
    parts::weak(ui, words::TO_TRAY_WHY);
    if parts::primary(ui, words::OK, true).clicked() {
        app.answer(Question::ToTray, true);
    }
}

//! The few things that can be set.

use super::parts;
use crate::app::{App, Page, VERSION};
use crate::{look, words};
use egui::{Checkbox, TextEdit, Ui, Vec2};
use lanparty_client_control::Snapshot;

/// The steps of the text's size.
const STEPS: [f32; 6] = [0.8, 1.0, 1.25, 1.5, 1.75, 2.0];
/// No name is longer.
const NAME: usize = 32;

pub(super) fn draw(ui: &mut Ui, app: &mut App, snapshot: Option<&Snapshot>) {
    parts::page_title(ui, app, words::SETTINGS);
    parts::boxed(ui, look::card(ui.visuals()), |ui| name(ui, app));
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        if let Some(snapshot) = snapshot {
            let mut on = snapshot.auto_join;
            let free = app.pending.is_none();
            let check = Checkbox::new(&mut on, words::AUTO_JOIN);
            if ui.add_enabled(free, check).changed() {
                app.auto_join(on);
            }
        }
        text_size(ui, app);
    });
    parts::refusal(ui, app);
    if parts::link(ui, words::CHANGES, false).clicked() {
        app.go(Page::Changes);
    }
    parts::weak(ui, &words::version(VERSION));
}

fn name(ui: &mut Ui, app: &mut App) {
    let label = parts::title(ui, words::NAME);
    let mut name = app.memory.name.clone().unwrap_or_default();
    let edit = TextEdit::singleline(&mut name)
        .id(egui::Id::new("name"))
        .char_limit(NAME)
        .desired_width(f32::INFINITY)
        .margin(Vec2::new(10.0, 8.0));
    let response = ui.add(edit).labelled_by(label.id);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label(words::NAME));
    if response.changed() {
        app.memory.name = Some(name).filter(|name| !name.trim().is_empty());
    }
    if response.lost_focus() {
        app.remember();
    }
    parts::weak(ui, words::NAME_WHY);
}

fn text_size(ui: &mut Ui, app: &mut App) {
    let now = app.memory.zoom();
    let step = |larger: bool| {
        let mut steps = STEPS.into_iter();
        if larger {
            steps.find(|step| *step > now + 0.01)
        } else {
            steps.rfind(|step| *step < now - 0.01)
        }
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(words::TEXT_SIZE);
        ui.label(words::percent(now));
        for (word, larger) in [(words::SMALLER, false), (words::LARGER, true)] {
            let to = step(larger);
            if parts::button(ui, word, to.is_some()).clicked() {
                app.memory.zoom = to;
                ui.ctx().set_zoom_factor(app.memory.zoom());
                app.remember();
            }
        }
    });
}

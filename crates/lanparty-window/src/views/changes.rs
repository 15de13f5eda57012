//! What the program changes on this PC, in plain words.

use super::parts;
use crate::app::App;
use crate::look::{self, Palette};
use crate::words;
use egui::{Label, RichText, Ui};

pub(super) fn draw(ui: &mut Ui, app: &mut App) {
    parts::page_title(ui, app, words::SETTINGS);
    parts::boxed(ui, look::card(ui.visuals()), points);
}

pub(super) fn points(ui: &mut Ui) {
    parts::title(ui, words::CHANGES);
    let palette = Palette::of(ui.visuals());
    for point in words::CHANGES_POINTS {
        ui.horizontal_top(|ui| {
            ui.label(RichText::new("•").color(palette.accent));
            ui.add(Label::new(RichText::new(point).size(14.0)).wrap());
        });
    }
}

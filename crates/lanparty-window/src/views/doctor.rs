//! The look at this PC, row by row.

use super::parts;
use crate::app::{self, App, Clock};
use crate::look::{self, Palette};
use crate::mark::Tone;
use crate::words;
use egui::{Label, RichText, Ui};
use lanparty_client_control::Row;

pub(super) fn draw(ui: &mut Ui, app: &mut App, clock: Clock) {
    parts::page_title(ui, app, words::DOCTOR);
    parts::weak(ui, words::DOCTOR_WHY);
    let rows = app.doctor.rows.clone();
    if !rows.is_empty() {
        parts::boxed(ui, look::card(ui.visuals()), |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    ui.separator();
                }
                ui.push_id(&row.id, |ui| one(ui, app, row, clock));
            }
        });
    }
    if app.doctor.looks {
        parts::told(ui, words::LOOKS, Tone::Quiet);
    } else if !rows.is_empty() && !app::needs_care(&rows) {
        parts::told(ui, words::ALL_GOOD, Tone::Good);
    }
    parts::refusal(ui, app);
    if let Some(done) = &app.done {
        parts::told(ui, done, Tone::Good);
    }
    ui.horizontal_wrapped(|ui| {
        if parts::button(ui, words::LOOK_AGAIN, !app.doctor.looks).clicked() {
            app.examine();
        }
        let text = app.doctor_text();
        let copied = app.is_copied(&text, clock.now);
        let word = if copied {
            words::COPIED
        } else {
            words::COPY_TEXT
        };
        if parts::button(ui, word, !rows.is_empty()).clicked() {
            parts::copy(ui, app, &text, clock);
        }
    });
}

fn one(ui: &mut Ui, app: &mut App, row: &Row, clock: Clock) {
    let palette = Palette::of(ui.visuals());
    ui.horizontal_top(|ui| {
        let sign = RichText::new(row.mark.sign())
            .font(look::strong(16.0))
            .color(palette.tone(look::mark_tone(row.mark)));
        ui.add_sized([18.0, 22.0], Label::new(sign));
        ui.vertical(|ui| {
            ui.add(Label::new(&row.sentence).wrap());
            if let Some(how_to) = &row.how_to {
                parts::weak(ui, how_to);
            }
            parts::offer(ui, app, row.fix.as_ref(), clock);
        });
    });
}

//! No service: nothing but the way to one.

use super::parts;
use crate::app::{Absence, App, Clock, Forbidden, Pending};
use crate::mark::Tone;
use crate::words;
use egui::Ui;
use lanparty_client_control::Fix;

pub(super) fn draw(ui: &mut Ui, app: &mut App, absence: &Absence, clock: Clock) {
    match absence {
        Absence::NotRunning => press(ui, app, words::START, words::STARTING, Fix::StartService),
        Absence::Silent | Absence::Strange => {
            press(
                ui,
                app,
                words::RESTART,
                words::RESTARTING,
                Fix::RestartService,
            );
        }
        Absence::NotPermitted => {
            if let Some(forbidden) = app.forbidden.clone() {
                let_in(ui, app, &forbidden, clock);
            }
        }
        Absence::Impostor(_) => {
            parts::told(ui, lanparty_doctor::AGAINST_IMPOSTORS, Tone::Bad);
        }
    }
    parts::refusal(ui, app);
    if let Some(done) = &app.done {
        parts::told(ui, done, Tone::Good);
    }
}

fn press(ui: &mut Ui, app: &mut App, word: &str, meanwhile: &str, fix: Fix) {
    let waits = app.pending.is_some();
    let word = if waits { meanwhile } else { word };
    if parts::primary(ui, word, !waits).clicked() {
        app.mend(fix);
    }
}

/// For now by an administrator's word, and for ever by the group, each where the system has it.
fn let_in(ui: &mut Ui, app: &mut App, forbidden: &Forbidden, clock: Clock) {
    if forbidden.asks {
        let waits = app.pending == Some(Pending::LetIn);
        let word = if waits {
            words::LETTING_IN
        } else {
            words::LET_IN
        };
        if parts::primary(ui, word, app.pending.is_none()).clicked() {
            app.let_in();
        }
        parts::weak(ui, words::LET_IN_WHY);
    }
    if let Some(how_to) = &forbidden.row.how_to {
        parts::told(ui, how_to, Tone::Quiet);
    }
    parts::offer(ui, app, forbidden.row.fix.as_ref(), clock);
}

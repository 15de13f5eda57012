//! Not connected: one field, one button, and the parties that are kept.

use super::parts;
use crate::app::{App, Clock, Page, Pending, Source};
use crate::look::{self, Palette};
use crate::mark::Tone;
use crate::{invite_field, words};
use egui::{Event, Key, Label, RichText, TextEdit, Ui, Vec2};
use lanparty_client_control::{Room, Snapshot};

pub(super) fn draw(ui: &mut Ui, app: &mut App, snapshot: Option<&Snapshot>, clock: Clock) {
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        let label = parts::title(ui, words::PASTE);
        field(ui, app, label.id, clock);
    });
    let rooms = snapshot.map_or(&[][..], |it| &it.rooms);
    if !rooms.is_empty() {
        kept(ui, app, rooms);
    }
    if !app.memory.welcomed {
        welcome(ui, app);
    }
}

/// A session stands in the way, or does not come to be: another invite beside it.
pub(super) fn another(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        let label = parts::title(ui, words::ANOTHER);
        field(ui, app, label.id, clock);
    });
    if !snapshot.rooms.is_empty() {
        kept(ui, app, &snapshot.rooms);
    }
}

fn field(ui: &mut Ui, app: &mut App, label: egui::Id, clock: Clock) {
    let id = egui::Id::new("invite");
    take_paste(ui, app, id);
    let hint = RichText::new(words::PASTE_HINT).weak();
    let edit = TextEdit::singleline(&mut app.field.text)
        .id(id)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(Vec2::new(10.0, 8.0))
        .min_size(Vec2::new(0.0, look::PRIMARY))
        .vertical_align(egui::Align::Center);
    let response = ui.add(edit).labelled_by(label);
    ui.ctx()
        .accesskit_node_builder(id, |node| node.set_label(words::FIELD));
    if response.changed() {
        app.field.settle();
        app.refusal = None;
        app.source = Source::Hand;
    }
    if std::mem::take(&mut app.focus_field) {
        response.request_focus();
    }
    let enters = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let invite = app.invite(clock.wall);
    said(ui, app, invite.as_deref(), clock);
    let joins = app.pending == Some(Pending::Join);
    let words = match &invite {
        _ if joins => words::JOINING.to_owned(),
        Some(invite) => words::join(&invite_field::title(invite)),
        None => words::JOIN.to_owned(),
    };
    let ready = invite.is_some() && app.pending.is_none();
    if parts::primary(ui, &words, ready).clicked() || enters && ready {
        app.join(clock.wall);
    } else if enters {
        response.request_focus();
    }
}

/// What is pasted is looked at before the field has it, so that no key is ever drawn or told.
fn take_paste(ui: &Ui, app: &mut App, id: egui::Id) {
    if !ui.memory(|memory| memory.has_focus(id)) {
        return;
    }
    ui.input_mut(|input| {
        input.events.retain(|event| match event {
            Event::Paste(text) | Event::Text(text) if app.field.paste(text) => {
                app.refusal = None;
                app.source = Source::Hand;
                false
            }
            _ => true,
        });
    });
}

/// One sentence under the field: what is wrong with it, or what it is.
fn said(ui: &mut Ui, app: &App, invite: Option<&lanparty_edge::invite::Invite>, clock: Clock) {
    if let Some(refusal) = &app.refusal {
        parts::told(ui, refusal, Tone::Bad);
    } else if let Some(objection) = app.objection(clock.wall) {
        parts::told(ui, &objection, Tone::Bad);
    } else if let Some(invite) = invite {
        let from = match app.source {
            Source::Hand => None,
            Source::Clipboard => Some(words::FROM_CLIPBOARD.to_owned()),
            Source::Link => Some(words::CLICKED.to_owned()),
        };
        let ends = invite_field::ends_in(invite, clock.wall).map(words::ends_in);
        let line: Vec<_> = from.into_iter().chain(ends).collect();
        if !line.is_empty() {
            parts::told(ui, &line.join(" "), Tone::Quiet);
        }
    }
}

fn kept(ui: &mut Ui, app: &mut App, rooms: &[Room]) {
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        parts::title(ui, words::ROOMS);
        for room in rooms {
            ui.push_id(&room.name, |ui| kept_room(ui, app, room));
        }
    });
}

fn kept_room(ui: &mut Ui, app: &mut App, room: &Room) {
    let free = app.pending.is_none();
    let (mut joins, mut forgets) = (false, false);
    let palette = Palette::of(ui.visuals());
    parts::row(
        ui,
        |ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add(Label::new(room.party.title()).truncate());
                let relay = RichText::new(&room.party.relay)
                    .size(13.0)
                    .color(palette.weak);
                ui.add(Label::new(relay).truncate());
            });
        },
        |ui| {
            let named = |word: &str| format!("{word} {}", room.party.title());
            let forget = parts::button(ui, words::FORGET, free);
            ui.ctx()
                .accesskit_node_builder(forget.id, |node| node.set_label(named(words::FORGET)));
            let join = parts::button(ui, words::JOIN, free);
            ui.ctx()
                .accesskit_node_builder(join.id, |node| node.set_label(named(words::JOIN)));
            (joins, forgets) = (join.clicked(), forget.clicked());
        },
    );
    if joins {
        app.join_room(room.name.clone());
    } else if forgets {
        app.forget(room.name.clone());
    }
}

/// The first start: what the program does to this PC, in plain words.
fn welcome(ui: &mut Ui, app: &mut App) {
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        super::changes::points(ui);
        if parts::button(ui, words::UNDERSTOOD, true).clicked() {
            app.welcome_read();
        }
    });
    debug_assert!(app.page == Page::Party);
}

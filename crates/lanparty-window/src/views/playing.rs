//! Which games are on.

use super::parts;
use crate::app::{self, App, Clock};
use crate::look::{self, Palette};
use crate::words;
use egui::{Label, RichText, Ui};
use lanparty_client_control::Snapshot;
use lanparty_games::Game;

pub(super) fn draw(ui: &mut Ui, app: &mut App, snapshot: &Snapshot, clock: Clock) {
    let games = &snapshot.games;
    parts::boxed(ui, look::card(ui.visuals()), |ui| {
        if games.is_empty() {
            parts::title(ui, words::GAMES);
            let why = match app::is_on_the_way(snapshot) {
                true => words::NO_GAMES_SEEN,
                false => words::NO_GAMES,
            };
            parts::weak(ui, why);
            return;
        }
        parts::title(ui, &words::games(games.len()));
        for (index, game) in games.iter().enumerate() {
            ui.push_id((index, game.address), |ui| one(ui, app, game, clock));
        }
    });
}

fn one(ui: &mut Ui, app: &mut App, game: &Game, clock: Clock) {
    let palette = Palette::of(ui.visuals());
    let address = game.address.to_string();
    let mut copies = false;
    parts::row(
        ui,
        |ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                let colour = if game.is_on() {
                    palette.text
                } else {
                    palette.weak
                };
                let name = format!("{} · {}", game.game, game.server);
                let name = RichText::new(name).font(look::strong(15.0)).color(colour);
                ui.add(Label::new(name).truncate());
                let facts = RichText::new(facts(game)).size(14.0).color(palette.weak);
                ui.add(Label::new(facts).truncate());
            });
        },
        |ui| {
            let copied = app.is_copied(&address, clock.now);
            let word = if copied {
                words::COPIED
            } else {
                words::COPY_ADDRESS
            };
            let button = parts::button(ui, word, true);
            let said = format!("{word}: {}, {address}", game.server);
            ui.ctx()
                .accesskit_node_builder(button.id, |node| node.set_label(said));
            copies = button.clicked();
        },
    );
    if copies {
        parts::copy(ui, app, &address, clock);
    }
}

fn facts(game: &Game) -> String {
    let facts = [
        words::age(game),
        words::players(game.players, game.max_players),
        game.map.clone(),
        words::hosted(game),
        Some(game.address.to_string()),
    ];
    let facts: Vec<_> = facts.into_iter().flatten().collect();
    facts.join(" · ")
}

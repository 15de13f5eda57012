//! Who is here.

use super::parts;
use crate::app;
use crate::look::{self, Palette};
use crate::mark::Tone;
use crate::words;
use egui::{
    EventFilter, Key, Label, RichText, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, WidgetType,
};
use lanparty_client_control::{Member, Snapshot, Way, ms};

pub(super) fn draw(ui: &mut Ui, snapshot: &Snapshot) {
    let members = sorted(&snapshot.members);
    let players = members.iter().filter(|it| !it.is_gateway).count() + 1;
    // Without a link nobody is known to be away either.
    let unseen = members.is_empty() && app::is_on_the_way(snapshot);
    let title = match unseen {
        true => words::HERE.to_owned(),
        false => words::here(players),
    };
    let frame = look::card(ui.visuals());
    let response = frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            parts::title(ui, &title);
            ui.spacing_mut().item_spacing.y = 2.0;
            me(ui, snapshot);
            for member in &members {
                person(ui, member, snapshot.ping_to(member));
            }
            if unseen {
                parts::weak(ui, words::NOBODY_SEEN);
            } else if players == 1 {
                parts::weak(ui, words::ALONE);
            }
            if members.iter().any(|it| snapshot.ping_to(it).is_some()) {
                parts::weak(ui, words::PINGS);
            }
        })
        .response;
    reach_by_keys(ui, &response, &title);
}

/// The list is one stop of the Tab key; there the arrows scroll.
fn reach_by_keys(ui: &Ui, list: &egui::Response, name: &str) {
    let id = egui::Id::new("members");
    let focus = ui.interact(list.rect, id, Sense::focusable_noninteractive());
    focus.widget_info(|| WidgetInfo::labeled(WidgetType::Panel, true, name));
    if !focus.has_focus() {
        return;
    }
    let filter = EventFilter {
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let ring = Stroke::new(2.0, Palette::of(ui.visuals()).text);
    ui.painter()
        .rect_stroke(list.rect, 10.0, ring, StrokeKind::Inside);
    let by = ui.input(|input| {
        let pressed = |key| f32::from(u8::from(input.key_pressed(key)));
        pressed(Key::ArrowUp) - pressed(Key::ArrowDown)
    });
    if by != 0.0 {
        ui.scroll_with_delta(Vec2::new(0.0, by * super::LINE));
    }
}

fn me(ui: &mut Ui, snapshot: &Snapshot) {
    let name = snapshot.me.as_ref().and_then(|me| me.name.as_deref());
    line(
        ui,
        RichText::new(words::you(name)).font(look::strong(15.0)),
        false,
        &facts(snapshot.way, None),
    );
}

fn person(ui: &mut Ui, member: &Member, ping: Option<u32>) {
    let name = member.name.as_deref();
    let name = match name.filter(|name| !name.trim().is_empty()) {
        Some(name) => name,
        None if member.is_gateway => words::LAN,
        None => words::UNNAMED,
    };
    let facts = facts(member.way, ping);
    line(
        ui,
        RichText::new(name),
        member.talks && !member.is_gateway,
        &facts,
    );
}

fn line(ui: &mut Ui, name: RichText, talks: bool, facts: &str) {
    let palette = Palette::of(ui.visuals());
    parts::row(
        ui,
        |ui| {
            ui.set_min_height(26.0);
            let (dot, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            let good = palette.tone(Tone::Good);
            if talks {
                ui.painter().circle_filled(dot.center(), 4.0, good);
            } else {
                let ring = Stroke::new(1.5, palette.weak);
                ui.painter().circle_stroke(dot.center(), 3.5, ring);
            }
            ui.add(Label::new(name).truncate());
        },
        |ui| {
            let facts = RichText::new(facts).size(14.0).color(palette.weak);
            ui.label(facts);
            if talks {
                let talks = RichText::new(words::TALKS).size(13.0);
                ui.label(talks.color(palette.tone(Tone::Good)));
            }
        },
    );
}

fn facts(way: Option<Way>, ping: Option<u32>) -> String {
    match way {
        Some(Way::Other) | None => ping.map(ms).unwrap_or_default(),
        Some(way) => way.with_ping(ping),
    }
}

/// By name, so that rows do not jump as pings do; the LAN itself first.
fn sorted(members: &[Member]) -> Vec<Member> {
    let mut members = members.to_vec();
    members.sort_by_key(|member| {
        let name = member.name.as_ref().map(|name| name.to_lowercase());
        (!member.is_gateway, name.is_none(), name, member.mac.clone())
    });
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_name_and_do_not_move_with_their_pings() {
        let member = |name: Option<&str>, is_gateway, ping| Member {
            name: name.map(str::to_owned),
            mac: Some("02:00:00:00:00:01".to_owned()),
            is_gateway,
            ping_us: Some(ping),
            way: None,
            talks: false,
        };
        let names = |slowest: u32| {
            let members = [
                member(None, false, 1),
                member(Some("zoe"), false, slowest),
                member(Some("Bert"), false, 3),
                member(None, true, 0),
                member(Some("anna"), false, 500_000 - slowest),
            ];
            let sorted = sorted(&members).into_iter();
            sorted.map(|it| it.name).collect::<Vec<_>>()
        };
        let expected = [None, Some("anna"), Some("Bert"), Some("zoe"), None];
        assert_eq!(names(1), expected.map(|name| name.map(str::to_owned)));
        assert_eq!(names(1), names(400_000));
    }
}

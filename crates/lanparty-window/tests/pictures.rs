//! Every state as a picture, drawn by the rasterizer that ships, without a display; and what must hold in each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, looks at the clock and writes pictures"
)]

mod support;

use egui::Theme;
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use lanparty_client_control::connection::DoorError;
use lanparty_client_control::{
    Fix, FixOffer, LanAddress, Loss, Mark, NotDirect, RelayPlace, Row, Snapshot, State, Warning,
    Way,
};
use lanparty_games::Host;
use lanparty_obs::PlayerStatus;
use lanparty_window::{App, Effect, Forbidden, VERSION};
use std::io;
use support::{
    KEY, Picture, Said, app, clock, contrast, crowd, evening, hearing, in_state, link, member,
    open, ping, rooms, rows, told, usual, warnings,
};

/// An address as long as operators have them.
const LONG_RELAY: &str = "relay-17.frankfurt.games.example-hosting.net:44433";
/// What the service says of several relays.
const FAINT: &str =
    "The relay does not answer; if it stays so, the other 2 relays of the invite are asked.";
const PLAYS_ON: &str = "The relay is away, and you go on playing by the direct path to the host; the other players are \
    back as soon as there is a relay again.";

const LOGIN: &str = "You may use the service, but only from your next login on.";

type Scene = (&'static str, fn() -> App);

/// All that the window can show, each with a name.
fn scenes() -> Vec<Scene> {
    vec![
        ("start-first", || {
            let mut app = App::new(Default::default(), None, clock().now);
            app.heard(in_state(State::NotConnected), clock().now);
            app
        }),
        ("start", || hearing(in_state(State::NotConnected))),
        ("start-looking", app),
        ("start-rooms", || {
            let mut snapshot = in_state(State::NotConnected);
            snapshot.rooms = rooms();
            hearing(snapshot)
        }),
        ("start-invite", || {
            offered(&link("FRIDAY-LAN", "&expires=1790030000"))
        }),
        ("start-expired", || {
            offered(&link("FRIDAY-LAN", "&expires=1700000000"))
        }),
        ("start-damaged", || {
            offered(&link("FRIDAY-LAN", "&host=oops"))
        }),
        ("connecting", || hearing(in_state(State::Connecting))),
        ("waiting", || hearing(in_state(State::WaitingForGateway))),
        ("connected", || hearing(evening())),
        ("connected-alone", || {
            let mut snapshot = evening();
            snapshot.members.clear();
            snapshot.games.clear();
            hearing(snapshot)
        }),
        ("connected-crowd", || hearing(crowd())),
        ("connected-warning", || {
            let mut snapshot = evening();
            snapshot.warnings = warnings();
            snapshot.ping = ping(96, 7);
            hearing(snapshot)
        }),
        ("connected-not-direct", || {
            let mut snapshot = evening();
            snapshot.not_direct = Some(NotDirect::PlayerNat.to_player());
            hearing(snapshot)
        }),
        ("connected-made-up", || {
            let mut snapshot = evening();
            snapshot.address = Some(LanAddress {
                ip: "169.254.12.7".parse().unwrap(),
                made_up: true,
            });
            snapshot.ping = ping(212, 31);
            hearing(snapshot)
        }),
        ("connected-other-user", || {
            let mut snapshot = evening();
            snapshot.party.as_mut().unwrap().joined_by = Some("bert".to_owned());
            snapshot.program = "0.0.9".to_owned();
            hearing(snapshot)
        }),
        ("connected-link", || {
            let mut app = hearing(evening());
            app.offered(&link("LAKE", ""));
            app
        }),
        ("reconnecting", || {
            let mut snapshot = evening();
            (snapshot.state, snapshot.state_ms) = (State::Reconnecting, 7_900);
            snapshot.sentence = in_state(State::Reconnecting).sentence;
            snapshot.ping.us = None;
            hearing(snapshot)
        }),
        ("cannot", || hearing(in_state(State::CannotConnect))),
        ("relays-looking", || {
            hearing(without_relay(
                State::Connecting,
                PlayerStatus::LookingForParty { relays: 3 },
            ))
        }),
        ("relays-at", || {
            hearing(at(Some(2), "paris.example.net:443", Some("Paris")))
        }),
        ("relays-at-led", || {
            let mut snapshot = at(None, LONG_RELAY, Some("Frankfurt am Main"));
            snapshot.not_direct = Some(NotDirect::PlayerNat.to_player());
            hearing(snapshot)
        }),
        ("relays-faint", || {
            hearing(without_relay(State::Reconnecting, FAINT))
        }),
        ("relays-elsewhere", || {
            hearing(without_relay(
                State::Reconnecting,
                PlayerStatus::LookingElsewhere { others: 2 },
            ))
        }),
        ("relays-plays-on", || {
            let mut snapshot = evening();
            snapshot.way = Some(Way::Direct);
            snapshot.warnings = vec![Warning {
                id: "hindered".to_owned(),
                sentence: PLAYS_ON.to_owned(),
                fix: None,
            }];
            hearing(snapshot)
        }),
        ("relays-none", || {
            hearing(without_relay(State::Reconnecting, PlayerStatus::NoRelay {
                cause: "none of the 3 relays of the party answers (frankfurt.example.net:443, paris.example.net:443, oslo.example.net:4433); see whether the internet works here, and whether UDP gets through".to_owned(),
                refused: false,
            }))
        }),
        ("away-not-running", || away(&DoorError::NotRunning)),
        ("away-not-permitted", || away(&DoorError::NotPermitted)),
        ("away-login", || {
            let mut app = away(&DoorError::NotPermitted);
            app.forbidden(forbidden(LOGIN, false));
            app
        }),
        ("away-silent", || {
            away(&DoorError::Silent(io::ErrorKind::TimedOut.into()))
        }),
        ("away-strange", || {
            away(&DoorError::Strange(io::ErrorKind::InvalidData.into()))
        }),
        ("away-impostor", || {
            away(&DoorError::Impostor("evil.exe".to_owned()))
        }),
        ("closing", || {
            let mut app = hearing(evening());
            app.close(clock().now);
            app
        }),
        ("closing-tray", || {
            let mut app = hearing(evening());
            app.tray(true);
            app.close(clock().now);
            app
        }),
    ]
}

/// At one of three relays, whose number or address is known.
fn at(number: Option<usize>, address: &str, region: Option<&str>) -> Snapshot {
    let mut snapshot = evening();
    snapshot.place = Some(RelayPlace {
        number,
        of: 3,
        address: address.to_owned(),
        region: region.map(str::to_owned),
    });
    snapshot
}

/// On the way to one of three.
fn without_relay(state: State, sentence: impl ToString) -> Snapshot {
    let mut snapshot = in_state(state);
    (snapshot.sentence, snapshot.way) = (sentence.to_string(), None);
    snapshot
}

fn offered(link: &str) -> App {
    let mut app = hearing(in_state(State::NotConnected));
    app.offered(link);
    app
}

fn away(error: &DoorError) -> App {
    let mut app = app();
    app.not_heard(error);
    app.forbidden(forbidden("You may not use the service yet.", true));
    app
}

/// What the doctor says to who may not use the service, with its fix or without.
fn forbidden(sentence: &str, has_fix: bool) -> Forbidden {
    let offer = FixOffer {
        fix: Fix::Permit,
        label: "Let me use it".to_owned(),
        changes: "The account anna joins the group lanparty.".to_owned(),
        asks_admin: true,
    };
    Forbidden {
        row: Row {
            id: "service".to_owned(),
            mark: Mark::Bad,
            sentence: sentence.to_owned(),
            fix: has_fix.then_some(offer),
            how_to: (!has_fix).then(|| "Log out of this computer and in again.".to_owned()),
            details: Vec::new(),
        },
        asks: has_fix,
    }
}

/// Pages that are reached by pressing something.
fn pages() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("doctor", &["Check this PC"]),
        ("doctor-fix", &["Check this PC", "Start the service"]),
        ("settings", &["Settings"]),
        ("changes", &["Settings", "What this changes on your PC"]),
    ]
}

/// What must hold in every picture: nothing reaches out of the window sideways (check W17), all text is read on its
/// ground (check W19), every control has a name (check W16), and the key stands nowhere (check W5).
fn judge(name: &str, window: &support::Window) {
    let picture = Picture::of(window);
    picture.save(name);
    judge_places(name, window);
    for said in told(window) {
        let text = said.role == Role::Label || said.role == Role::Button;
        let [_, top, _, bottom] = said.place;
        let seen = bottom < picture.height as f64 - 60.0 && top > 0.0;
        let open = !name.starts_with("closing") && !name.contains("scrolled");
        if text && seen && open && !said.disabled && !said.words.trim().is_empty() {
            judge_contrast(name, &picture, &said);
        }
    }
}

fn judge_places(name: &str, window: &support::Window) {
    let width = f64::from(window.ctx.content_rect().width() * window.ctx.pixels_per_point());
    let controls = [Role::Button, Role::TextInput, Role::CheckBox];
    for said in told(window) {
        assert!(!said.words.contains(KEY), "{name}: {said:?}");
        if controls.contains(&said.role) {
            assert!(!said.words.trim().is_empty(), "{name}: {said:?}");
        }
        let text = said.role == Role::Label || said.role == Role::Button;
        if !text || said.words.is_empty() {
            continue;
        }
        let [left, _, right, _] = said.place;
        assert!(left >= -0.5 && right <= width + 0.5, "{name}: {said:?}");
    }
}

fn judge_contrast(name: &str, picture: &Picture, said: &Said) {
    let contrast = contrast(picture, said.place).unwrap_or_default();
    assert!(contrast >= 4.4, "{name}: {contrast:.2} {said:?}");
}

fn judge_all(size: [f32; 2], scale: f32, suffix: &str, themes: &[Theme]) {
    for theme in themes {
        let theme_name = if *theme == Theme::Dark {
            "dark"
        } else {
            "light"
        };
        for (name, scene) in scenes() {
            let window = open(scene(), size, scale, *theme);
            judge_or_look(&format!("{name}-{theme_name}{suffix}"), &window);
        }
        for (name, presses) in pages() {
            let mut app = hearing(in_state(State::NotConnected));
            app.examined(rows());
            let mut window = open(app, size, scale, *theme);
            for press in presses {
                window.get_by_label(press).click_accesskit();
                window.run_ok();
                window.state_mut().examined(rows());
                window.run_ok();
            }
            judge_or_look(&format!("{name}-{theme_name}{suffix}"), &window);
        }
    }
}

/// At other scales a few pictures are enough for the eye; where things stand is judged in all.
fn judge_or_look(name: &str, window: &support::Window) {
    let plain = name.ends_with("light") || name.ends_with("dark");
    let shown = [
        "start-invite",
        "connected-l",
        "connected-d",
        "connected-made-up",
        "waiting",
        "doctor-fix",
        "settings",
        "closing",
    ];
    if plain || shown.iter().any(|start| name.starts_with(start)) {
        judge(name, window);
    } else {
        judge_places(name, window);
    }
}

#[test]
fn every_state_in_light_and_dark() {
    judge_all([520.0, 680.0], 1.0, "", &[Theme::Light, Theme::Dark]);
}

/// Check W17.
#[test]
fn every_state_at_other_scales() {
    judge_all([520.0, 680.0], 1.5, "-x1.5", &[Theme::Light]);
    judge_all([520.0, 680.0], 2.0, "-x2", &[Theme::Dark]);
}

/// Check W17: text of twice the size in a window of 520 pixels leaves half the room.
#[test]
fn every_state_with_text_of_twice_the_size() {
    judge_all([260.0, 340.0], 2.0, "-text2", &[Theme::Light]);
}

#[test]
fn a_low_window_keeps_its_head() {
    for (name, scene) in scenes() {
        let window = open(scene(), [520.0, 400.0], 1.0, Theme::Light);
        judge_or_look(&format!("{name}-low"), &window);
    }
}

/// Check W1.
#[test]
fn an_empty_start_is_one_field_that_has_the_focus_and_one_button() {
    let window = usual(hearing(in_state(State::NotConnected)));
    let told = told(&window);
    let fields: Vec<_> = told
        .iter()
        .filter(|it| it.role == Role::TextInput)
        .collect();
    assert!(
        matches!(fields.as_slice(), [one] if one.focused),
        "{fields:?}"
    );
    let join = window.query_all_by_label("Join").count();
    assert_eq!(join, 1);
}

/// Check W11: the head and the list's way stay where they are.
#[test]
fn a_full_room_scrolls_under_a_head_that_stays() {
    let mut window = open(hearing(crowd()), [520.0, 400.0], 1.0, Theme::Light);
    let before = window.get_by_value("Connected").rect();
    let last = "Player 31 of the house at the lake";
    assert!(window.get_by_value(last).rect().top() > 400.0);
    for _ in 0..8 {
        window.key_press(egui::Key::PageDown);
        window.run_ok();
    }
    assert_eq!(window.get_by_value("Connected").rect(), before);
    assert!(window.get_by_value(last).rect().bottom() < 400.0);
    judge("crowd-scrolled", &window);
}

/// Check W10.
#[test]
fn a_ping_is_a_number_with_a_word() {
    for (ms, loss, word) in [
        (23, 0, "good"),
        (80, 0, "slow"),
        (20, 5, "slow"),
        (150, 0, "bad"),
        (20, 20, "bad"),
    ] {
        let mut snapshot = evening();
        snapshot.ping = ping(ms, loss);
        snapshot.ping.loss = Some(Loss(loss));
        let window = usual(hearing(snapshot));
        let number = format!("{ms} ms");
        assert!(window.query_all_by_value(&number).count() > 0, "{number}");
        assert_eq!(window.query_all_by_value(word).count(), 1, "{ms} {loss}");
    }
}

/// Check W12.
#[test]
fn a_game_that_is_not_heard_any_more_is_said_to_be() {
    let window = usual(hearing(evening()));
    assert_eq!(
        window
            .query_all_by_value("OpenArena · Bert's cellar")
            .count(),
        1
    );
    let grey: Vec<_> = told(&window)
        .into_iter()
        .filter(|said| said.words.contains("may be gone"))
        .collect();
    assert!(
        matches!(grey.as_slice(), [one] if one.words.contains("25565")),
        "{grey:?}"
    );
}

/// Silence says nothing of a server that speaks only when it is asked: its age is said, and a player's machine by name.
#[test]
fn a_game_says_how_old_its_row_is_and_who_hosts_it() {
    let mut snapshot = evening();
    let game = &mut snapshot.games[0];
    (game.heard_ms, game.silence_ms) = (185_000, None);
    game.host = Some(Host::Player("Chloé".to_owned()));
    let window = usual(hearing(snapshot));
    let words = told(&window).into_iter().map(|said| said.words);
    let facts: Vec<_> = words.filter(|words| words.contains("27960")).collect();
    assert!(
        facts.iter().any(|facts| {
            facts.starts_with("heard 3 min ago") && facts.contains("hosted by Chloé")
        }),
        "{facts:?}"
    );
    assert!(!facts.iter().any(|facts| facts.contains("may be gone")));
}

/// Names are strangers' text; none of it may move anything out of place.
#[test]
fn no_name_breaks_the_window() {
    let mut snapshot = evening();
    let long = "Wolfeschlegelsteinhausenbergerdorff".repeat(8);
    for name in [
        "",
        " ",
        "\u{202e}drowssap",
        "日本太郎",
        "Ωμέγα",
        "Жук",
        "😀 Zoë",
        &long,
        "a\u{300}\u{300}\u{300}",
    ] {
        snapshot
            .members
            .push(member(name, 60_000, Way::Other, true));
    }
    snapshot.party.as_mut().unwrap().name = Some(long.clone());
    snapshot.games[0].server = long.clone();
    snapshot.games[0].map = Some(long);
    for size in [[520.0, 680.0], [260.0, 340.0]] {
        let window = open(hearing(snapshot.clone()), size, 1.0, Theme::Light);
        judge(&format!("names-{}", size[0]), &window);
    }
}

/// Each absence has the way out that helps against it, and none that does not.
#[test]
fn without_a_service_there_is_the_way_to_one() {
    let ways = [
        (
            away(&DoorError::NotRunning),
            "Start the service",
            Some(Effect::Mend(Fix::StartService)),
        ),
        (
            away(&DoorError::NotPermitted),
            "Let me in now",
            Some(Effect::LetIn),
        ),
        (
            away(&DoorError::Silent(io::ErrorKind::TimedOut.into())),
            "Restart the service",
            Some(Effect::Mend(Fix::RestartService)),
        ),
        (
            away(&DoorError::Strange(io::ErrorKind::InvalidData.into())),
            "Restart the service",
            Some(Effect::Mend(Fix::RestartService)),
        ),
        (
            away(&DoorError::Impostor("evil".to_owned())),
            "Restart the computer",
            None,
        ),
    ];
    for (app, word, effect) in ways {
        let mut window = usual(app);
        assert!(
            told(&window).iter().any(|said| said.words.contains(word)),
            "{word}"
        );
        let Some(effect) = effect else {
            continue;
        };
        window.get_by_label(word).click();
        window.run_ok();
        assert_eq!(window.state_mut().effects(), [effect]);
    }
    let mut waits = away(&DoorError::NotPermitted);
    waits.forbidden(forbidden(LOGIN, false));
    let window = usual(waits);
    let says = |words: &str| told(&window).iter().any(|said| said.words.contains(words));
    assert!(
        says(LOGIN) && says("Log out") && !says("Let me"),
        "who is in the group logs in anew"
    );
}

/// A service of another version is named, whatever the state.
#[test]
fn versions_that_differ_are_said() {
    let mut snapshot = in_state(State::NotConnected);
    snapshot.program = "9.9.9".to_owned();
    let window = usual(hearing(snapshot));
    let said = told(&window);
    let both = |said: &&Said| said.words.contains("9.9.9") && said.words.contains(VERSION);
    assert_eq!(said.iter().filter(both).count(), 1);
}

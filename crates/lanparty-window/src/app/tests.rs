use super::*;
use lanparty_client_control::{Party, Room};
use std::io;
use std::time::UNIX_EPOCH;

const LINK: &str = "lanparty://relay.example.net/FRIDAY-LAN#key=MDEyMzQ1Njc4OWFiY2RlZg";

#[allow(
    clippy::disallowed_methods,
    reason = "any moment will do, and there is no other way to one"
)]
static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

fn app(now: Instant) -> App {
    App::new(Memory::default(), Some("anna".to_owned()), now)
}

fn snapshot(state: State, state_ms: u64) -> Snapshot {
    let mut snapshot = Snapshot::idle(VERSION);
    (snapshot.state, snapshot.state_ms) = (state, state_ms);
    snapshot
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Check W8: never the last good state.
#[test]
fn a_service_that_says_nothing_for_so_long_is_not_believed() {
    let start = *START;
    let mut app = app(start);
    assert_eq!(app.standing(start), Standing::Looking);
    app.heard(snapshot(State::Connected, 0), start);
    assert_eq!(app.poll_timeout(start), Some(start + ms(1000)));
    let late = start + ms(2500);
    assert_eq!(app.standing(late - ms(1)), Standing::Is(State::Connected));
    assert_eq!(app.standing(late), Standing::Away(Absence::Silent));
    assert_eq!(app.word(late), words::SILENT);
    assert_eq!(app.snapshot(late), None);
    assert_eq!(app.poll_timeout(late), None);
}

#[test]
fn a_service_that_is_gone_is_said_at_once() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::Connected, 0), start);
    assert!(app.not_heard(&DoorError::NotRunning));
    assert!(!app.not_heard(&DoorError::NotRunning));
    assert_eq!(app.word(start), words::NOT_RUNNING);
    assert!(app.not_heard(&DoorError::Silent(io::ErrorKind::TimedOut.into())));
    assert_eq!(app.word(start), words::SILENT);
}

#[test]
fn the_clock_of_a_lost_connection_runs_between_snapshots() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::Reconnecting, 3900), start);
    assert_eq!(app.word(start), "Reconnecting (3 s)");
    let next = app.poll_timeout(start).unwrap();
    assert_eq!(next, start + ms(100));
    assert_eq!(app.word(next), "Reconnecting (4 s)");
}

/// Check W6: the word is the service's, in the window as everywhere.
#[test]
fn each_state_has_its_word() {
    let start = *START;
    let mut app = app(start);
    for state in State::ALL {
        app.heard(snapshot(state, 0), start);
        let word = app.word(start);
        assert!(word.starts_with(&state.to_string()), "{word}");
    }
}

#[test]
fn what_changes_by_time_alone_is_no_news() {
    let start = *START;
    let mut app = app(start);
    assert!(app.heard(snapshot(State::NotConnected, 0), start));
    assert!(!app.heard(snapshot(State::NotConnected, 1000), start + ms(1000)));
    assert!(app.heard(snapshot(State::Connecting, 0), start + ms(1100)));
    assert_eq!(app.poll_timeout(start + ms(1100)), Some(start + ms(2100)));
}

#[test]
fn an_idle_window_waits_for_nothing_but_silence() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::NotConnected, 0), start);
    assert_eq!(app.poll_timeout(start), Some(start + SILENCE));
}

/// Check W3.
#[test]
fn a_clicked_link_is_offered_and_not_joined() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::NotConnected, 0), start);
    app.offered(LINK);
    assert_eq!(app.effects(), []);
    assert!(app.invite(UNIX_EPOCH).is_some());
    app.join(UNIX_EPOCH);
    let effects = app.effects();
    let [_, Effect::Ask(requests)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(
        matches!(requests.as_slice(), [Request::Join { invite, name: Some(name) }] if name.is_empty() && invite_field::find(invite.reveal()) == invite_field::find(LINK))
    );
}

/// What Settings promise of the name holds however a party is joined.
#[test]
fn a_kept_party_is_joined_by_the_name_in_settings() {
    let start = *START;
    for (set, sent) in [(Some("Anna"), "Anna"), (None, "")] {
        let mut app = app(start);
        app.memory.name = set.map(str::to_owned);
        app.heard(snapshot(State::NotConnected, 0), start);
        app.join_room("FRIDAY".to_owned());
        let join = Request::JoinRoom {
            room: "FRIDAY".to_owned(),
            name: Some(sent.to_owned()),
        };
        assert_eq!(app.effects().last(), Some(&Effect::Ask(vec![join])));
    }
}

#[test]
fn a_second_party_takes_the_place_of_the_first_and_a_refused_one_does_not() {
    let start = *START;
    let mut app = app(start);
    // Also one that failed for good, which may be another account's: nobody else may leave it.
    for state in [State::Connected, State::CannotConnect] {
        app.heard(snapshot(state, 0), start);
        app.offered(LINK);
        app.join(UNIX_EPOCH);
        let effects = app.effects();
        let Some(Effect::Ask(requests)) = effects.last() else {
            panic!("{effects:?}");
        };
        assert!(matches!(requests.as_slice(), [Request::Join { .. }]));
        app.answered(Ok(Answer::Refused("No.".to_owned())));
    }
}

/// Another account of this PC may join while somebody types.
#[test]
fn a_session_that_begins_takes_no_text_away() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::NotConnected, 0), start);
    app.offered(LINK);
    app.heard(snapshot(State::Connecting, 0), start);
    assert!(app.invite(UNIX_EPOCH).is_some());
    app.join(UNIX_EPOCH);
    app.answered(Ok(Answer::Done("Joining.".to_owned())));
    assert!(app.invite(UNIX_EPOCH).is_none());
}

#[test]
fn a_refusal_is_shown_and_the_text_stays() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::NotConnected, 0), start);
    app.offered(LINK);
    app.join(UNIX_EPOCH);
    app.answered(Ok(Answer::Refused("No.".to_owned())));
    assert_eq!(app.refusal.as_deref(), Some("No."));
    assert!(app.invite(UNIX_EPOCH).is_some());
    app.join(UNIX_EPOCH);
    app.answered(Err(DoorError::NotRunning));
    assert!(
        app.refusal
            .as_ref()
            .unwrap()
            .starts_with("The service is not running")
    );
}

/// Check W2.
#[test]
fn an_invite_in_the_clipboard_is_taken_once_and_never_over_what_somebody_types() {
    let start = *START;
    let mut app = app(start);
    assert!(!app.clipboard("milk, eggs", UNIX_EPOCH));
    assert!(app.clipboard(LINK, UNIX_EPOCH));
    app.field.clear();
    assert!(!app.clipboard(LINK, UNIX_EPOCH), "wiped, and comes again");
    app.field.text = "lanparty://rel".to_owned();
    app.source = Source::Hand;
    assert!(!app.clipboard(&LINK.replace("FRIDAY", "SUNDAY"), UNIX_EPOCH));
    assert_eq!(app.field.text, "lanparty://rel");
    let old = format!("{LINK}&expires=1700000000");
    app.field.clear();
    assert!(
        !app.clipboard(&old, UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        "expired"
    );
}

/// Check W20.
#[test]
fn closing_goes_to_the_tray_where_there_is_one_and_says_so_once() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::Connected, 0), start);
    app.tray(true);
    app.close(start);
    assert_eq!(app.question, Some(Question::ToTray));
    app.answer(Question::ToTray, true);
    assert_eq!(app.effects(), [Effect::Remember, Effect::Hide]);
    app.close(start);
    assert_eq!((app.question, app.effects()), (None, vec![Effect::Hide]));
}

#[test]
fn closing_without_a_tray_asks_while_there_is_a_session() {
    let start = *START;
    let mut app = app(start);
    app.heard(snapshot(State::Connected, 0), start);
    app.close(start);
    assert_eq!(app.question, Some(Question::Stay));
    app.answer(Question::Stay, false);
    let leaves = Effect::Ask(vec![Request::Leave]);
    assert_eq!(app.effects(), [leaves, Effect::Quit]);
    app.heard(snapshot(State::NotConnected, 0), start);
    app.close(start);
    assert_eq!((app.question, app.effects()), (None, vec![Effect::Quit]));
}

#[test]
fn an_account_of_windows_is_the_same_in_any_case() {
    for own in [r"PC\anna", r"pc\Anna", "anna"] {
        assert!(is_same_account(own, r"PC\Anna"), "{own}");
    }
    for own in [r"PC\bert", r"FIRM\anna", "bert"] {
        assert!(!is_same_account(own, r"PC\anna"), "{own}");
    }
    assert!(!is_same_account("Anna", "anna"), "Linux has two of them");
}

#[test]
fn another_users_session_is_told_from_ones_own() {
    let start = *START;
    let app = app(start);
    let mut connected = snapshot(State::Connected, 0);
    assert_eq!(app.other_user(&connected), None);
    let mut party = Party {
        room: "FRIDAY-LAN".to_owned(),
        name: None,
        relay: "relay.example.net".to_owned(),
        also: Vec::new(),
        others: Vec::new(),
        expires: None,
        joined_by: Some("anna".to_owned()),
    };
    connected.party = Some(party.clone());
    assert_eq!(app.other_user(&connected), None);
    party.joined_by = Some("bert".to_owned());
    connected.rooms = vec![Room {
        name: "x".to_owned(),
        party: party.clone(),
    }];
    connected.party = Some(party);
    assert_eq!(app.other_user(&connected), Some("bert"));
}

#[test]
fn who_may_not_use_the_service_asks_an_administrator_once_at_a_time() {
    let start = *START;
    let mut app = app(start);
    app.not_heard(&DoorError::NotPermitted);
    let forbidden = Forbidden {
        row: lanparty_doctor::forbidden(),
        asks: true,
    };
    assert!(app.forbidden(forbidden.clone()));
    assert!(!app.forbidden(forbidden));
    app.let_in();
    app.let_in();
    assert_eq!(app.effects(), [Effect::LetIn]);
    app.mended(Err("no".to_owned()));
    assert_eq!(app.refusal.as_deref(), Some("No."));
    app.let_in();
    assert_eq!(app.effects(), [Effect::LetIn]);
}

/// Check W13: after each press that mends, the rows are looked at again.
#[test]
fn a_fix_is_done_and_then_looked_at_again() {
    let start = *START;
    let mut app = app(start);
    app.go(Page::Doctor);
    assert_eq!(app.effects(), [Effect::Examine]);
    app.examined(Vec::new());
    app.mend(Fix::Repair);
    app.mend(Fix::Repair);
    app.mended(Ok("Repaired.".to_owned()));
    assert_eq!(app.effects(), [Effect::Mend(Fix::Repair), Effect::Examine]);
    assert_eq!(app.done.as_deref(), Some("Repaired."));
    app.examined(Vec::new());
    app.mend(Fix::StartService);
    app.mended(Err("systemctl did not do it: no".to_owned()));
    let said = app.refusal.as_deref();
    assert_eq!(said, Some("Systemctl did not do it: no."));
}

#[test]
fn an_errors_words_become_a_sentence() {
    assert_eq!(sentence("the key is cut; ask"), "The key is cut; ask.");
    assert_eq!(sentence("Why?"), "Why?");
    assert_eq!(sentence(""), ".");
}

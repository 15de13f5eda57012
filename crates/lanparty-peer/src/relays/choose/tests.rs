use super::*;

const ORDER: [usize; 3] = [0, 1, 2];
const REFUSED: Answer = Answer::No { is_refusal: true };
const SILENT: Answer = Answer::No { is_refusal: false };

#[test]
fn a_player_enters_where_the_highest_term_is() {
    let answers = [gateway(5), gateway(7), nobody()];
    assert_eq!(player(6, &answers, 0), Choice::Enter(1));
    assert_eq!(player(0, &answers, 0), Choice::Enter(1));
    let answers = [gateway(5), nobody(), nobody()];
    assert_eq!(
        player(6, &answers, 900),
        Choice::Nowhere,
        "the relay that was left shows the gateway still"
    );
}

#[test]
fn a_player_who_has_seen_the_party_does_not_wait_for_silent_relays() {
    let answers = [Answer::None, gateway(7), Answer::None];
    assert_eq!(player(6, &answers, 0), Choice::Enter(1));
    // The same term may be shown by the relay that the gateway has just left.
    let again = Choice::Wait(Some(OTHERS));
    assert_eq!(player(7, &answers, 0), again);
    assert_eq!(player(7, &answers, 300), Choice::Enter(1));
}

#[test]
fn a_new_player_waits_a_moment_for_a_higher_term() {
    let answers = [Answer::None, gateway(7), REFUSED];
    let rest = Duration::from_millis(100);
    assert_eq!(player(0, &answers, 200), Choice::Wait(Some(rest)));
    assert_eq!(player(0, &answers, 300), Choice::Enter(1));
    let all = [gateway(8), gateway(7), REFUSED];
    assert_eq!(player(0, &all, 0), Choice::Enter(0));
}

#[test]
fn without_a_gateway_a_player_soon_asks_again_and_enters_nowhere() {
    let answers = [Answer::None, REFUSED, nobody()];
    assert_eq!(player(3, &answers, 0), Choice::Wait(Some(LATE)));
    assert_eq!(player(3, &answers, 800), Choice::Nowhere);
    let asked = [Answer::None, Answer::None, Answer::None];
    let ages = Ages::default();
    assert_eq!(
        choose(PLAYER, &asked, &ORDER, ages),
        Choice::Wait(None),
        "nobody has answered at all"
    );
    assert_eq!(player(0, &[SILENT, SILENT, REFUSED], 0), Choice::Nowhere);
}

#[test]
fn an_old_relay_is_tried_last_and_a_gateway_without_a_term_before_it() {
    let answers = [Answer::Old, nobody(), REFUSED];
    assert_eq!(player(0, &answers, 0), Choice::Enter(0));
    let old_gateway = Answer::Open(Open {
        gateway: Some(None),
        ..Open::default()
    });
    let answers = [Answer::Old, nobody(), old_gateway];
    assert_eq!(player(0, &answers, 0), Choice::Enter(2));
    assert_eq!(player(4, &answers, 0), Choice::Enter(2));
    let answers = [Answer::Old, gateway(4), old_gateway];
    assert_eq!(player(4, &answers, 0), Choice::Enter(1));
}

#[test]
fn in_an_open_room_players_meet_also_without_a_gateway_and_at_the_same_relay() {
    let open = Chooser::Player {
        seen: Term::default(),
        is_open_room: true,
    };
    let answers = [nobody(), nobody(), SILENT];
    let at = |order: &[usize]| choose(open, &answers, order, aged(0));
    assert_eq!(at(&[2, 1, 0]), Choice::Enter(1));
    assert_eq!(at(&[0, 1, 2]), Choice::Enter(0));
}

#[test]
fn a_gateway_goes_to_the_nearest_and_among_equals_to_the_rooms_own() {
    let answers = [away(50), away(12), away(20)];
    assert_eq!(host(&answers, &[0, 2, 1], 0), Choice::Enter(2));
    assert_eq!(host(&answers, &[0, 1, 2], 0), Choice::Enter(1));
    let answers = [away(50), away(12), away(23)];
    assert_eq!(host(&answers, &[0, 2, 1], 0), Choice::Enter(1));
}

#[test]
fn a_gateway_waits_a_moment_for_relays_that_may_be_nearer_and_no_longer() {
    let answers = [Answer::None, away(50), REFUSED];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Wait(Some(OTHERS)));
    assert_eq!(host(&answers, &ORDER, 300), Choice::Enter(1));
    assert_eq!(host(&[REFUSED, SILENT, SILENT], &ORDER, 0), Choice::Nowhere);
}

/// Of three relays of a fleet one is dead, and the two others send us there until its lease is over.
#[test]
fn a_gateway_does_not_wait_for_a_silent_relay_where_the_others_have_said_no() {
    let answers = [Answer::None, REFUSED, SILENT];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Wait(Some(LATE)));
    assert_eq!(host(&answers, &ORDER, 800), Choice::Nowhere);
    let answers = [Answer::Doubted, REFUSED, REFUSED];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Wait(Some(DOUBTED)));
    assert_eq!(host(&answers, &ORDER, 200), Choice::Nowhere);
    let nobody_answers = [Answer::Doubted, Answer::None, SILENT];
    let choice = choose(HOST, &nobody_answers, &ORDER, Ages::default());
    assert_eq!(choice, Choice::Wait(None));
}

#[test]
fn nobody_waits_for_a_relay_that_has_failed_where_another_one_is_good() {
    let answers = [Answer::Doubted, away(50), REFUSED];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Enter(1));
    let answers = [Answer::Doubted, gateway(7), REFUSED];
    assert_eq!(player(7, &answers, 0), Choice::Enter(1));
    let answers = [Answer::Doubted, nobody(), REFUSED];
    assert_eq!(player(7, &answers, 0), Choice::Wait(Some(DOUBTED)));
    assert_eq!(player(7, &answers, 200), Choice::Nowhere);
}

#[test]
fn a_gateway_goes_to_an_old_relay_only_where_no_other_takes_it() {
    let answers = [Answer::Old, away(200), SILENT];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Enter(1));
    let answers = [SILENT, Answer::Old, REFUSED];
    assert_eq!(host(&answers, &ORDER, 0), Choice::Enter(1));
}

#[test]
fn a_gateway_whose_players_are_elsewhere_goes_to_where_they_ask_for_it() {
    let sought = Answer::Open(Open {
        waiting: 2,
        rtt: Duration::from_millis(90),
        ..Open::default()
    });
    let answers = [away(5), sought, away(5)];
    let gateway = |is_sought| Chooser::Gateway { is_sought };
    let at = |is_sought| choose(gateway(is_sought), &answers, &ORDER, aged(0));
    assert_eq!((at(false), at(true)), (Choice::Enter(0), Choice::Enter(1)));
    let nobody_asks = [away(5), away(90), away(90)];
    let choice = choose(gateway(true), &nobody_asks, &ORDER, aged(0));
    assert_eq!(choice, Choice::Enter(0));
}

const HOST: Chooser = Chooser::Gateway { is_sought: false };
const PLAYER: Chooser = Chooser::Player {
    seen: Term::new(0),
    is_open_room: false,
};

fn player(seen: u64, answers: &[Answer], age: u64) -> Choice {
    let chooser = Chooser::Player {
        seen: Term::new(seen),
        is_open_room: false,
    };
    choose(chooser, answers, &ORDER, aged(age))
}

fn host(answers: &[Answer], order: &[usize], age: u64) -> Choice {
    let gateway = Chooser::Gateway { is_sought: false };
    choose(gateway, answers, order, aged(age))
}

fn aged(millis: u64) -> Ages {
    let age = Some(Duration::from_millis(millis));
    Ages {
        good: age,
        any: age,
    }
}

fn gateway(term: u64) -> Answer {
    Answer::Open(Open {
        gateway: Some(Some(Term::new(term))),
        ..Open::default()
    })
}

fn nobody() -> Answer {
    Answer::Open(Open::default())
}

fn away(millis: u64) -> Answer {
    Answer::Open(Open {
        rtt: Duration::from_millis(millis),
        ..Open::default()
    })
}

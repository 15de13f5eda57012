//! What somebody sees, on a terminal that is memory.

use crate::board::{Board, Column, Figure, Look, Press, Row, Table, Unit};
use crate::draw::draw;
use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend};
use std::time::{Duration, Instant};

const FIGURES: &[Column] = &[
    Column {
        head: "BYTES/S",
        key: 'b',
        unit: Unit::Bytes,
    },
    Column {
        head: "DROPS/S",
        key: 'd',
        unit: Unit::Pieces,
    },
];

fn look(rows: &[(&str, u64, u64)]) -> Look {
    let rows = rows.iter().map(|&(name, bytes, drops)| Row {
        id: name.to_owned(),
        words: vec!["7/3".to_owned(), name.to_owned()],
        figures: vec![Figure::Count(bytes), Figure::Count(drops)],
    });
    let peers = Table {
        words: &["PEER", "NAME"],
        figures: FIGURES,
        rows: rows.collect(),
    };
    let rooms = Table {
        words: &["ROOM"],
        figures: FIGURES,
        rows: vec![Row {
            id: "7".to_owned(),
            words: vec!["FRIDAY".to_owned()],
            figures: vec![Figure::Rate(12_345_678.0), Figure::Unknown],
        }],
    };
    Look {
        title: "lanparty-relay 1.2.3".to_owned(),
        tables: vec![rooms, peers],
    }
}

fn seen(board: &Board, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| draw(board, frame.area(), frame.buffer_mut());
    terminal.draw(draw).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    let text = rows.map(|row| {
        row.iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect::<String>()
    });
    text.map(|line| line.trim_end().to_owned()).collect()
}

/// A board that has been told twice, two seconds apart.
fn board() -> Board {
    let (mut board, start) = (Board::new(), Instant::now());
    board.take(
        start,
        look(&[("Alice", 1000, 0), ("Bert", 0, 0), ("Cleo", 5, 5)]),
    );
    let later = start + Duration::from_secs(2);
    board.take(
        later,
        look(&[("Alice", 3000, 1), ("Bert", 8000, 0), ("Dora", 9, 9)]),
    );
    board
}

#[test]
fn who_costs_most_stands_first_with_rates_of_what_was_counted() {
    let screen = seen(&board(), 80, 24);
    let expected = [
        "lanparty-relay 1.2.3",
        "Sort: b BYTES/S, d DROPS/S, n name, o other way round. Up, down: scroll. q quits",
        "ROOM     BYTES/S   DROPS/S",
        "FRIDAY   12.3 MB         –",
        "PEER NAME   *BYTES/S   DROPS/S",
        "7/3  Bert     4.0 kB         0",
        "7/3  Alice    1.0 kB         0",
        "7/3  Dora          –         –",
    ];
    assert_eq!(screen[..8], expected);
    assert!(screen[8..].iter().all(String::is_empty));
}

#[test]
fn keys_sort_scroll_and_end() {
    let mut board = board();
    let first = |board: &Board| seen(board, 80, 24)[5].clone();
    assert!(!board.press(Press::Letter('d')));
    assert!(first(&board).contains("Alice"), "a drop is the most");
    assert!(!board.press(Press::Letter('n')));
    assert!(first(&board).contains("Alice"));
    assert!(!board.press(Press::Letter('o')));
    assert!(first(&board).contains("Dora"));
    assert!(!board.press(Press::Down));
    assert!(first(&board).contains("Bert"));
    (0..50).for_each(|_| assert!(!board.press(Press::PageDown)));
    assert!(first(&board).contains("Alice"), "the last one stays");
    assert!(!board.press(Press::PageUp));
    assert!(first(&board).contains("Dora"));
    assert!(!board.press(Press::Letter('x')));
    assert!(board.press(Press::Letter('q')) && board.press(Press::Quit));
}

#[test]
fn a_program_that_does_not_answer_leaves_the_last_picture_and_a_sentence() {
    let mut board = Board::new();
    board.fail("no relay runs here".to_owned());
    assert_eq!(seen(&board, 80, 3)[0], "no relay runs here");
    let mut board = self::board();
    board.fail("the relay does not answer".to_owned());
    let screen = seen(&board, 80, 24);
    assert_eq!(screen[2], "the relay does not answer");
    assert!(screen[6].contains("Bert"));
    board.take(Instant::now(), look(&[]));
    assert!(!seen(&board, 80, 24).concat().contains("does not answer"));
}

#[test]
fn who_has_fewer_than_before_has_begun_anew() {
    let (mut board, start) = (Board::new(), Instant::now());
    board.take(start, look(&[("Alice", 1000, 0)]));
    board.take(start + Duration::from_secs(1), look(&[("Alice", 10, 0)]));
    assert!(seen(&board, 80, 24)[5].contains("–"));
}

#[test]
fn no_name_steers_the_terminal_or_moves_its_neighbours() {
    let names = [
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "a\nb\tc\r",
        "\u{202e}evil",
        "日本語日本語日本語日本語日本語日本語",
        "",
    ];
    let (mut board, start) = (Board::new(), Instant::now());
    let rows: Vec<_> = names.iter().map(|name| (*name, 1, 1)).collect();
    board.take(start, look(&rows));
    let screen = seen(&board, 40, 12);
    let text = screen.concat();
    assert!(
        !text
            .chars()
            .any(|letter| letter.is_control() || letter == '\u{202e}'),
        "{text:?}"
    );
    assert!(
        text.contains("·[2J·]0;x·") && text.contains("·evil"),
        "{text}"
    );
    assert!(screen.iter().any(|line| line.contains('…')), "{screen:#?}");
}

proptest! {
    #[test]
    fn nothing_panics_at_any_size(
        width in 0_u16..200, height in 0_u16..60, names in proptest::collection::vec(".{0,40}", 0..40),
        keys in proptest::collection::vec(any::<char>(), 0..8),
    ) {
        let (mut board, start) = (Board::new(), Instant::now());
        let rows: Vec<_> = names.iter().map(|name| (name.as_str(), 7, 7)).collect();
        board.take(start, look(&rows));
        for key in keys {
            board.press(Press::Letter(key));
            board.press(Press::PageDown);
        }
        seen(&board, width, height);
    }
}

//! What stands in the table: counters made to rates, sorted as somebody wants it. Pure.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Instant;

/// What a program says at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Which program, and how it is, in one line.
    pub title: String,
    /// Groups and their members, the latter last; each begins with its head.
    pub tables: Vec<Table>,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the words are.
    pub words: &'static [&'static str],
    /// What the figures are.
    pub figures: &'static [Column],
    /// The rows, in any order.
    pub rows: Vec<Row>,
}

/// A figure of each row, and the key by which rows are sorted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// The key.
    pub key: char,
    /// What it is counted in.
    pub unit: Unit,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things, such as frames.
    Pieces,
    /// Bytes.
    Bytes,
}

/// Somebody, or a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The same for the same one at each look.
    pub id: String,
    /// Who that is. Strangers may have written some of it.
    pub words: Vec<String>,
    /// As many as there are columns for them.
    pub figures: Vec<Figure>,
}

/// A number of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// What has been counted so far, of which a rate is made.
    Count(u64),
    /// A rate, per second.
    Rate(f64),
    /// Nobody knows.
    Unknown,
}

/// A row with its rates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) words: Vec<String>,
    pub(crate) rates: Vec<Option<f64>>,
}

/// What somebody wants who has pressed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    Letter(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Quit,
}

/// By what rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sorted {
    ByFigure(usize),
    ByName,
}

/// What is shown, between two looks.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) look: Option<Look>,
    pub(crate) lines: Vec<Vec<Line>>,
    /// Why there is no news, if there is none.
    pub(crate) trouble: Option<String>,
    pub(crate) sorted: Sorted,
    pub(crate) is_reversed: bool,
    /// So many rows of the last table are above the screen.
    pub(crate) scroll: usize,
    before: HashMap<(usize, String), (Instant, Vec<Figure>)>,
}

/// How many rows a page key moves.
const PAGE: usize = 10;

impl Board {
    pub(crate) fn new() -> Self {
        Board {
            look: None,
            lines: Vec::new(),
            trouble: None,
            // Bytes, where there are some.
            sorted: Sorted::ByFigure(0),
            is_reversed: false,
            scroll: 0,
            before: HashMap::new(),
        }
    }

    /// The program says how it is.
    pub(crate) fn take(&mut self, now: Instant, look: Look) {
        let mut known = HashMap::new();
        let lines = look.tables.iter().enumerate().map(|(table, rows)| {
            let rows = rows.rows.iter().map(|row| {
                let key = (table, row.id.clone());
                let rates = self.rates(now, &key, &row.figures);
                known.insert(key, (now, row.figures.clone()));
                Line {
                    words: row.words.iter().map(|word| plain(word)).collect(),
                    rates,
                }
            });
            rows.collect()
        });
        self.lines = lines.collect();
        self.before = known;
        self.look = Some(look);
        self.trouble = None;
        self.sort();
    }

    fn rates(&self, now: Instant, key: &(usize, String), figures: &[Figure]) -> Vec<Option<f64>> {
        let before = self.before.get(key);
        let rate = |(at, figure): (usize, &Figure)| match *figure {
            Figure::Unknown => None,
            Figure::Rate(rate) => Some(rate),
            Figure::Count(count) => {
                let (then, figures) = before?;
                let seconds = now.saturating_duration_since(*then).as_secs_f64();
                match figures.get(at) {
                    // Who has fewer than before has begun anew.
                    Some(Figure::Count(counted)) if seconds > 0.0 => {
                        Some(count.checked_sub(*counted)? as f64 / seconds)
                    }
                    _ => None,
                }
            }
        };
        figures.iter().enumerate().map(rate).collect()
    }

    /// There is no news.
    pub(crate) fn fail(&mut self, why: String) {
        self.trouble = Some(plain(&why));
    }

    /// Somebody has pressed a key; true when this is the end.
    pub(crate) fn press(&mut self, press: Press) -> bool {
        match press {
            Press::Quit | Press::Letter('q') => return true,
            Press::Letter('n') => self.sorted = Sorted::ByName,
            Press::Letter('o') => self.is_reversed = !self.is_reversed,
            Press::Letter('k') | Press::Up => self.scroll = self.scroll.saturating_sub(1),
            Press::Letter('j') | Press::Down => self.scroll += 1,
            Press::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            Press::PageDown => self.scroll += PAGE,
            Press::Letter(letter) => {
                let place = self
                    .columns()
                    .iter()
                    .position(|column| column.key == letter);
                if let Some(place) = place {
                    self.sorted = Sorted::ByFigure(place);
                }
            }
        }
        self.sort();
        false
    }

    /// The figures of the last table, which are those by which everything is sorted.
    pub(crate) fn columns(&self) -> &'static [Column] {
        let last = self.look.as_ref().and_then(|look| look.tables.last());
        last.map_or(&[], |table| table.figures)
    }

    fn sort(&mut self) {
        let (sorted, is_reversed) = (self.sorted, self.is_reversed);
        for lines in &mut self.lines {
            lines.sort_by(|one, other| {
                let order = match sorted {
                    Sorted::ByName => Ordering::Equal,
                    // What costs most comes first, and nobody knows what comes last.
                    Sorted::ByFigure(at) => {
                        let rate =
                            |line: &Line| line.rates.get(at).copied().flatten().unwrap_or(-1.0);
                        rate(other).total_cmp(&rate(one))
                    }
                };
                let order = order.then_with(|| one.words.cmp(&other.words));
                if is_reversed { order.reverse() } else { order }
            });
        }
        let most = self
            .lines
            .last()
            .map_or(0, |lines| lines.len().saturating_sub(1));
        self.scroll = self.scroll.min(most);
    }
}

/// What a terminal shows as it is: strangers may have written it, and a terminal obeys some characters.
fn plain(text: &str) -> String {
    let is_odd = |letter: char| {
        letter.is_control()
            // What turns the direction of a line around, joins, or takes no room.
            || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}')
    };
    let letters = text
        .chars()
        .map(|letter| if is_odd(letter) { '·' } else { letter });
    letters.collect()
}

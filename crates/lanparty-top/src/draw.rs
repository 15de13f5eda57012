//! The board, as cells of a terminal.

use crate::board::{Board, Column, Line, Sorted, Table, Unit};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr as _;

/// A word is shortened when there is no room; so much of each is shown where there is any.
const LEAST_WORD: usize = 4;
const FIGURE: usize = 9;
/// Groups have at most this part of the screen.
const GROUPS_SHARE: usize = 3;

/// Puts all of it into the terminal's buffer, whatever its size.
pub(crate) fn draw(board: &Board, area: Rect, buffer: &mut Buffer) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut page = Page {
        area,
        buffer,
        row: 0,
    };
    let Some(look) = &board.look else {
        let text = board.trouble.as_deref().unwrap_or("Asking…");
        page.line(text, Modifier::empty());
        return;
    };
    page.line(&look.title, Modifier::BOLD);
    page.line(&help(board), Modifier::empty());
    if let Some(trouble) = &board.trouble {
        page.line(trouble, Modifier::BOLD);
    }
    let old = match board.trouble {
        Some(_) => Modifier::DIM,
        None => Modifier::empty(),
    };
    let last = look.tables.len().saturating_sub(1);
    for (at, (table, lines)) in look.tables.iter().zip(&board.lines).enumerate() {
        let left = height.saturating_sub(page.row + 1);
        let (skipped, room) = match at == last {
            true => (board.scroll, left),
            false => (0, left.min(height / GROUPS_SHARE)),
        };
        let shown: Vec<_> = lines.iter().skip(skipped).take(room).collect();
        let widths = widths(table, lines, width);
        let sorted = (at == last).then_some(board.sorted);
        page.line(&head(table, &widths, sorted), Modifier::REVERSED);
        for line in shown {
            page.line(&row(table, line, &widths), old);
        }
    }
}

/// Lines from the top of the screen down.
struct Page<'a> {
    area: Rect,
    buffer: &'a mut Buffer,
    row: usize,
}

impl Page<'_> {
    fn line(&mut self, text: &str, modifier: Modifier) {
        let Some(row) = u16::try_from(self.row)
            .ok()
            .filter(|row| *row < self.area.height)
        else {
            return;
        };
        let style = Style::new().add_modifier(modifier);
        let (x, y) = (self.area.x, self.area.y + row);
        let width = usize::from(self.area.width);
        self.buffer.set_stringn(x, y, text, width, style);
        self.row += 1;
    }
}

fn help(board: &Board) -> String {
    let keys = board.columns().iter();
    let keys: Vec<_> = keys
        .map(|column| format!("{} {}", column.key, column.head))
        .collect();
    format!(
        "Sort: {}, n name, o other way round. Up, down: scroll. q quits.",
        keys.join(", ")
    )
}

/// How wide each word is: as its widest, and less where all together need more room than there is.
fn widths(table: &Table, lines: &[Line], width: usize) -> Vec<usize> {
    let mut widths: Vec<_> = table.words.iter().map(|head| head.width()).collect();
    for line in lines {
        for (width, word) in widths.iter_mut().zip(&line.words) {
            *width = (*width).max(word.width());
        }
    }
    let figures = table.figures.len() * (FIGURE + 1);
    let room = width.saturating_sub(figures);
    while widths.iter().map(|width| width + 1).sum::<usize>() > room {
        let widest = widths.iter_mut().max_by_key(|width| **width);
        match widest {
            Some(widest) if *widest > LEAST_WORD => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn head(table: &Table, widths: &[usize], sorted: Option<Sorted>) -> String {
    let words = table.words.iter().zip(widths);
    let mut text: String = words
        .map(|(word, &width)| cell(word, width) + " ")
        .collect();
    for (at, column) in table.figures.iter().enumerate() {
        let mark = if sorted == Some(Sorted::ByFigure(at)) {
            "*"
        } else {
            ""
        };
        text += &format!("{:>FIGURE$} ", format!("{mark}{}", column.head));
    }
    text
}

fn row(table: &Table, line: &Line, widths: &[usize]) -> String {
    let words = line.words.iter().zip(widths);
    let mut text: String = words
        .map(|(word, &width)| cell(word, width) + " ")
        .collect();
    for (column, rate) in table.figures.iter().zip(&line.rates) {
        text += &format!(
            "{:>FIGURE$} ",
            rate.map_or("–".to_owned(), |rate| figure(column, rate))
        );
    }
    text
}

/// The word in just so many columns of the terminal.
fn cell(word: &str, width: usize) -> String {
    let mut text = String::new();
    let fits = word.width() <= width;
    for letter in word.chars() {
        let next = text.clone() + letter.encode_utf8(&mut [0; 4]);
        if next.width() + usize::from(!fits) > width {
            break;
        }
        text = next;
    }
    if !fits && width > 0 {
        text.push('…');
    }
    let rest = width.saturating_sub(text.width());
    text + &" ".repeat(rest)
}

/// A rate with its unit, in three digits or so.
fn figure(column: &Column, rate: f64) -> String {
    let unit = match column.unit {
        Unit::Pieces => "",
        Unit::Bytes => "B",
    };
    match rate {
        ..1e3 => format!("{rate:.0} {unit}"),
        ..1e6 => format!("{:.1} k{unit}", rate / 1e3),
        ..1e9 => format!("{:.1} M{unit}", rate / 1e6),
        _ => format!("{:.1} G{unit}", rate / 1e9),
    }
    .trim_end()
    .to_owned()
}

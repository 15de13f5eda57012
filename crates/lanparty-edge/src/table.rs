//! Tables for people.

use unicode_width::UnicodeWidthStr as _;

/// Columns as wide as their widest cell as a terminal shows it, and nothing behind the last one.
pub fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cells = rows.iter().map(|row| row[column].width());
            let width = cells.max().unwrap_or(0);
            line += cell;
            line += &" ".repeat(width - cell.width() + 2);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["long one", ""], ["x", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["A", "B"], rows),
            "A         B\nlong one\nx         y\n"
        );
    }

    #[test]
    fn a_letter_may_take_two_columns_or_none() {
        let rows = [["日本", "x"], ["Zoe\u{308}", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["A", "B"], rows),
            "A     B\n日本  x\nZoe\u{308}   y\n"
        );
    }
}

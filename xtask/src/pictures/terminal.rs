//! A terminal's window as SVG: text stays text, and the blocks of a QR code become squares that every font agrees on.

/// Columns after which a line goes on in the next one.
const COLUMNS: usize = 112;
/// Of one character, in pixels.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 17.0;
const MARGIN: f32 = 16.0;
/// The window's bar with its title.
const BAR: f32 = 30.0;

/// What has been typed and said, line by line.
pub(super) struct Terminal {
    title: String,
    lines: Vec<Line>,
}

struct Line {
    text: String,
    is_typed: bool,
}

impl Terminal {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            lines: Vec::new(),
        }
    }

    /// A person's line.
    pub(super) fn typed(&mut self, command: &str) {
        self.push(&format!("# {command}"), true);
    }

    /// A program's lines.
    pub(super) fn said(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            self.push(line.trim_end(), false);
        }
    }

    fn push(&mut self, text: &str, is_typed: bool) {
        let mut rest: Vec<char> = text.chars().collect();
        while rest.len() > COLUMNS {
            let space = rest[..COLUMNS].iter().rposition(|&own| own == ' ');
            // Not for the sake of one word alone, such as a link.
            let cut = space.filter(|&cut| cut > COLUMNS / 2).unwrap_or(COLUMNS);
            let line = rest.drain(..cut).collect();
            self.lines.push(Line {
                text: line,
                is_typed,
            });
            if rest.first() == Some(&' ') {
                rest.remove(0);
            }
        }
        let text = rest.into_iter().collect();
        self.lines.push(Line { text, is_typed });
    }

    /// The picture.
    pub(super) fn svg(&self) -> String {
        let longest = self.lines.iter().map(|line| line.text.chars().count());
        let columns = longest.max().unwrap_or(0).max(40);
        let width = MARGIN * 2.0 + columns as f32 * WIDTH;
        let height = BAR + MARGIN * 2.0 + self.lines.len() as f32 * HEIGHT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             font-family=\"ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"14\">\n\
             <title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#15181e\"/>\n\
             <path d=\"M0 8a8 8 0 0 1 8-8H{right:.0}a8 8 0 0 1 8 8V{BAR}H0z\" fill=\"#2a2f3a\"/>\n\
             <text x=\"{MARGIN}\" y=\"20\" fill=\"#aab2c0\" font-size=\"13\">{title}</text>\n",
            title = escaped(&self.title),
            right = width - 8.0,
        );
        for (row, line) in self.lines.iter().enumerate() {
            let top = BAR + MARGIN + row as f32 * HEIGHT;
            svg += &drawn(line, top);
        }
        svg + "</svg>\n"
    }
}

fn drawn(line: &Line, top: f32) -> String {
    if line.text.chars().any(|character| half(character).is_some()) {
        return line
            .text
            .chars()
            .enumerate()
            .filter_map(|(column, character)| Some((column, half(character)?)))
            .map(|(column, part)| square(column, part, top))
            .collect();
    }
    if line.text.is_empty() {
        return String::new();
    }
    let colour = if line.is_typed { "#7ee787" } else { "#e6e9ef" };
    let length = line.text.chars().count() as f32 * WIDTH;
    format!(
        "<text x=\"{MARGIN}\" y=\"{:.1}\" fill=\"{colour}\" textLength=\"{length:.1}\" xml:space=\"preserve\">{}</text>\n",
        top + HEIGHT * 0.75,
        escaped(&line.text)
    )
}

/// Which part of its place a block fills: where it begins, and how high it is.
fn half(character: char) -> Option<(f32, f32)> {
    match character {
        '█' => Some((0.0, 1.0)),
        '▀' => Some((0.0, 0.5)),
        '▄' => Some((0.5, 0.5)),
        _ => None,
    }
}

fn square(column: usize, (begin, part): (f32, f32), top: f32) -> String {
    format!(
        "<path fill=\"#fff\" shape-rendering=\"crispEdges\" d=\"M{:.1} {:.1}h{WIDTH}v{:.1}h-{WIDTH}z\"/>\n",
        MARGIN + column as f32 * WIDTH,
        top + begin * HEIGHT,
        part * HEIGHT,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_blocks_become_squares() {
        let mut screen = Terminal::new("Here");
        screen.typed("say <this> & that");
        screen.said("one\n\n█▀▄ \n");
        let svg = screen.svg();
        assert!(
            svg.contains("># say &lt;this&gt; &amp; that</text>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<path fill=\"#fff\"").count(), 3);
        assert_eq!(svg.matches("</text>").count(), 3, "title, command, one");
    }

    #[test]
    fn a_long_line_goes_on_in_the_next() {
        let mut screen = Terminal::new("Here");
        screen.said(&"x".repeat(COLUMNS * 2 + 1));
        assert_eq!(screen.lines.len(), 3);
        screen.said(&"four ".repeat(30));
        assert_eq!(screen.lines[3].text.len(), 109);
        assert!(screen.lines[4].text.starts_with("four"));
    }
}

//! The pages, put together of the files in `page/`: one answer each, so that the first look costs one round trip.
//!
//! There is no build step: what is left out is what only a reader of the files wants, indentation, comments and a style's spaces.

const STYLE: &str = include_str!("../page/page.css");
const HALL_STYLE: &str = include_str!("../page/hall.css");
const WORDS: &str = include_str!("../page/words.js");
const LINE: &str = include_str!("../page/line.js");
const VIEW: &str = include_str!("../page/view.js");
const ACTS: &str = include_str!("../page/acts.js");

/// The host's page.
pub(crate) fn for_host() -> String {
    let page = include_str!("../page/index.html");
    put_together(page, &[STYLE], &[WORDS, LINE, VIEW, ACTS])
}

/// The page for a screen in the hall. It has no program for orders at all.
pub(crate) fn for_everybody() -> String {
    let page = include_str!("../page/public.html");
    put_together(page, &[STYLE, HALL_STYLE], &[WORDS, LINE, VIEW])
}

/// The page with its styles and scripts in the place of the links to them.
fn put_together(page: &str, styles: &[&str], scripts: &[&str]) -> String {
    let lines = page.lines().map(|line| match line {
        _ if line.starts_with("<link rel=\"stylesheet\"") => dense(&inline("style", styles)),
        _ if line.starts_with("<script src=") => inline("script", scripts),
        _ => lean(line),
    });
    lines.collect()
}

fn inline(tag: &str, files: &[&str]) -> String {
    let text: String = files.iter().map(|file| lean(file)).collect();
    format!("<{tag}>\n{text}</{tag}>\n")
}

/// The same without indentation and lines that are only comment.
fn lean(text: &str) -> String {
    let mut is_comment = false;
    let mut lean = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        let was_comment = is_comment;
        is_comment = (was_comment || line.starts_with("/*")) && !line.ends_with("*/");
        if was_comment || line.is_empty() || line.starts_with("/*") || line.starts_with("//") {
            continue;
        }
        lean.push_str(line);
        lean.push('\n');
    }
    lean
}

/// A style without the spaces that part its signs.
fn dense(style: &str) -> String {
    let signs = [
        (" {", "{"),
        ("{ ", "{"),
        (": ", ":"),
        ("; ", ";"),
        (", ", ","),
    ];
    let style = style.to_owned();
    signs
        .iter()
        .fold(style, |style, (spaced, sign)| style.replace(spaced, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_means_the_same_without_spaces() {
        let style = "@media (width < 40rem) {\na:hover, .b { margin: 0 -1px; color: red }\n}\n";
        let lean = "@media (width < 40rem){\na:hover,.b{margin:0 -1px;color:red }\n}\n";
        assert_eq!(dense(style), lean);
        // In a text between quotation marks they would be missed.
        for file in [STYLE, HALL_STYLE] {
            for text in file.split('"').skip(1).step_by(2) {
                assert_eq!(dense(text), text);
            }
        }
    }

    #[test]
    fn what_only_a_reader_wants_is_left_out() {
        let text = "// A head.\n\nlet a = 1; // why\n/** Of\n * lines. */\nfor (;;) {\n\tb();\n}\n/* x */\n";
        assert_eq!(lean(text), "let a = 1; // why\nfor (;;) {\nb();\n}\n");
    }

    #[test]
    fn no_line_of_a_text_looks_like_a_comment() {
        // A text over several lines would be changed.
        for file in [WORDS, LINE, VIEW, ACTS] {
            for line in file.lines() {
                assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            }
        }
    }

    #[test]
    fn a_page_is_one_file() {
        for page in [for_host(), for_everybody()] {
            assert_eq!(page.matches("<style>").count(), 1);
            assert_eq!(page.matches("<script>").count(), 1);
            assert_eq!(page.matches("</script>").count(), 1);
            assert!(!page.contains("src=") && !page.contains("href=\"/"));
        }
    }

    #[test]
    fn the_pages_are_small() {
        // All that a browser gets is 60 kB: what is left is for headers and the first snapshots.
        let size = for_host().len();
        assert!(size < 57_000, "{size} bytes");
        assert!(for_everybody().len() < size);
    }

    #[test]
    fn a_hall_has_nothing_to_press() {
        let page = for_everybody();
        for word in [
            "<button",
            "<input",
            "<form",
            "<dialog",
            "data-do",
            "confirmFirst",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }
}

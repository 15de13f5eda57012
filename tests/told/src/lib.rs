//! Keeps `docs/errors.md` true.
//!
//! Each crate explains its errors in a test, with [`told!`]: for every variant an example, what it means and what to do. A
//! variant without an explanation does not compile, and [`Chapter::check`] compares the page with all of them. With
//! `UPDATE=1` in the environment it writes the page's chapter anew instead. That no error is forgotten as a whole is
//! tested in `tests/complete.rs`.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool of tests, which reads and writes the page"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The tests of a crate run side by side, and there is one page.
static PAGE_LOCK: Mutex<()> = Mutex::new(());
/// The page.
const PAGE: &str = "docs/errors.md";

/// A sentence that a person may read, explained.
#[derive(Debug, Clone)]
pub struct Told {
    /// The sentence, or the part of one, with an example's names in it.
    pub sentence: String,
    /// What has happened.
    pub means: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Explains the variants of an error: `told!(Kind { pattern = example => means, remedy; … })`. What is explained by the
/// error that it wraps stands behind `elsewhere`.
#[macro_export]
macro_rules! told {
    ($kind:ty { $($pattern:pat = $example:expr => $means:literal, $remedy:literal;)* }) => {
        $crate::told!($kind { $($pattern = $example => $means, $remedy;)* } elsewhere)
    };
    ($kind:ty { $($pattern:pat = $example:expr => $means:literal, $remedy:literal;)* } elsewhere $($other:pat),*) => {{
        // What nobody explains does not compile.
        let _: fn(&$kind) = |told| match told {
            $($pattern => {})*
            $($other => {})*
        };
        <Vec<$crate::Told>>::from([$({
            let example: $kind = $example;
            assert!(matches!(&example, $pattern), "{example} is another error's example");
            $crate::Told { sentence: example.to_string(), means: $means, remedy: $remedy }
        }),*])
    }};
}

/// A part of the page, between two marks.
#[derive(Debug)]
pub struct Chapter {
    name: &'static str,
    told: Vec<Told>,
}

impl Chapter {
    /// The chapter between `<!-- begin NAME -->` and `<!-- end NAME -->`.
    pub fn new(name: &'static str) -> Self {
        Chapter {
            name,
            told: Vec::new(),
        }
    }

    /// And these.
    pub fn with(mut self, told: Vec<Told>) -> Self {
        self.told.extend(told);
        self
    }

    /// Compares the page with the code, or makes it so.
    ///
    /// # Panics
    /// When the page says something else, or what a person reads is no sentence.
    pub fn check(self) {
        let (page, table) = (page(), self.table());
        let _alone = PAGE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(&page).unwrap();
        let [begin, end] = ["begin", "end"].map(|mark| format!("<!-- {mark} {} -->\n", self.name));
        let (before, rest) = text
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{PAGE} lacks {begin}"));
        let (written, after) = rest
            .split_once(&end)
            .unwrap_or_else(|| panic!("{PAGE} lacks {end}"));
        if written == table {
            return;
        }
        assert!(
            std::env::var_os("UPDATE").is_some(),
            "{PAGE} is not what the code says in the chapter {}; run this test with UPDATE=1, and read what it has written:\n{table}",
            self.name
        );
        fs::write(page, format!("{before}{begin}{table}{end}{after}")).unwrap();
    }

    fn table(&self) -> String {
        let mut table = "\n| it says | it means | what to do |\n| --- | --- | --- |\n".to_owned();
        for Told {
            sentence,
            means,
            remedy,
        } in &self.told
        {
            assert!(
                !sentence.is_empty() && !sentence.contains('\n'),
                "{sentence:?} is not one sentence"
            );
            assert!(!sentence.contains("  "), "{sentence:?} has a gap");
            let sentence = sentence.replace('|', "\\|").replace('<', "&lt;");
            writeln!(table, "| {sentence} | {means} | {remedy} |").unwrap();
        }
        table.push('\n');
        table
    }
}

fn page() -> PathBuf {
    workspace().join(PAGE)
}

/// The folder of the whole project.
///
/// # Panics
/// Never: this crate stands two folders below it.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

//! Questions to a person at a terminal, one after the other, on lines that 80 columns hold.

use anyhow::{Context, bail};
use std::fmt::Write as _;
use std::io::{BufRead, Write};

/// How many characters stand on a line.
const COLUMNS: usize = 79;

/// Asks, and reads answers.
pub(super) struct Asker<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
    /// Whether what stands in brackets is taken unasked.
    takes_defaults: bool,
}

/// A question.
pub(super) struct Question<'a> {
    /// What is asked, without a question's mark where it is a name of something.
    pub(super) text: &'a str,
    /// What Enter means.
    pub(super) default: Option<&'a str>,
    /// The flags that answer it, for who is not asked.
    pub(super) flags: &'a str,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        input: &'a mut dyn BufRead,
        output: &'a mut dyn Write,
        takes_defaults: bool,
    ) -> Self {
        Asker {
            input,
            output,
            takes_defaults,
        }
    }

    /// True when nobody is asked.
    pub(super) fn takes_defaults(&self) -> bool {
        self.takes_defaults
    }

    /// Says a paragraph.
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.put(&format!("{}\n", wrapped(text, COLUMNS)))
    }

    /// Says what has lines of its own already.
    pub(super) fn put(&mut self, text: &str) -> anyhow::Result<()> {
        let written = self.output.write_all(text.as_bytes());
        written
            .and_then(|()| self.output.flush())
            .context("cannot write to standard output; nothing has been changed")
    }

    /// Asks until the answer will do; `parse` says why one does not.
    pub(super) fn ask<T>(
        &mut self,
        question: &Question<'_>,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        if self.takes_defaults {
            return self.unasked(question, parse);
        }
        loop {
            let brackets = match question.default {
                None => String::new(),
                Some("") => " [none]".to_owned(),
                Some(default) => format!(" [{default}]"),
            };
            self.put(&format!("{}{brackets}: ", question.text))?;
            let answer = self.line(question)?;
            let answer = match (answer.trim(), question.default) {
                ("", Some(default)) => default,
                ("", None) => {
                    self.say("Please type something; there is no answer that is usual here.")?;
                    continue;
                }
                (answer, _) => answer,
            };
            match parse(answer) {
                Ok(answer) => return Ok(answer),
                Err(why) => self.say(&format!("That will not do: {why}."))?,
            }
        }
    }

    /// What is meant by who wants no questions.
    fn unasked<T>(
        &mut self,
        question: &Question<'_>,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let Some(default) = question.default else {
            bail!(
                "{} is not known, and --yes asks nothing: say it with {}",
                question.text,
                question.flags
            );
        };
        parse(default).map_err(|why| {
            let text = question.text;
            anyhow::anyhow!(
                "{text} cannot be {default}: {why}; say it with {}",
                question.flags
            )
        })
    }

    /// Asks for yes or no.
    pub(super) fn confirm(
        &mut self,
        text: &str,
        flags: &str,
        default: Option<bool>,
    ) -> anyhow::Result<bool> {
        let default = default.map(|yes| if yes { "yes" } else { "no" });
        let question = Question {
            text,
            default,
            flags,
        };
        self.ask(&question, |answer| match &*answer.to_lowercase() {
            "y" | "yes" | "j" | "ja" => Ok(true),
            "n" | "no" | "nein" => Ok(false),
            _ => Err("it is yes or no".to_owned()),
        })
    }

    fn line(&mut self, question: &Question<'_>) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        let read = self.input.read_until(b'\n', &mut bytes);
        if read.context("cannot read the answer; nothing has been changed")? == 0 {
            // The terminal's cursor stands behind the question.
            let _ = self.put("\n");
            bail!(
                "the answers ended at \"{}\", and nothing has been changed: start again at a terminal, or say it with {}",
                question.text,
                question.flags
            );
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The text with line ends in place of blanks, so that no line is longer. What stands at a line's beginning stays there, for
/// the lines that follow it too.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let indent: String = paragraph.chars().take_while(|&c| c == ' ').collect();
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let is_first = line.is_empty();
            if !is_first && line.chars().count() + 1 + word.chars().count() > columns {
                lines.push(std::mem::take(&mut line));
            }
            let before = if line.is_empty() { &*indent } else { " " };
            let _ = write!(line, "{before}{word}");
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(
        answers: &str,
        is_quiet: bool,
        ask: impl FnOnce(&mut Asker<'_>) -> T,
    ) -> (T, String) {
        let (mut input, mut output) = (answers.as_bytes(), Vec::new());
        let outcome = ask(&mut Asker::new(&mut input, &mut output, is_quiet));
        (outcome, String::from_utf8(output).unwrap())
    }

    fn number(asker: &mut Asker<'_>, default: Option<&str>) -> anyhow::Result<u8> {
        let question = Question {
            text: "A number",
            default,
            flags: "--number",
        };
        asker.ask(&question, |text| {
            text.parse().map_err(|_| "it is no number".to_owned())
        })
    }

    #[test]
    fn what_will_not_do_is_told_why_and_asked_again() {
        let (answer, said) = with("\nx\n 7 \n", false, |asker| number(asker, None));
        assert_eq!(answer.unwrap(), 7);
        assert_eq!(said.matches("A number: ").count(), 3);
        assert!(said.contains("there is no answer that is usual"), "{said}");
        assert!(
            said.contains("That will not do: it is no number."),
            "{said}"
        );
    }

    #[test]
    fn enter_takes_what_stands_in_brackets() {
        let (answer, said) = with("\n", false, |asker| number(asker, Some("9")));
        assert_eq!((answer.unwrap(), &*said), (9, "A number [9]: "));
    }

    #[test]
    fn an_end_of_answers_ends_with_a_sentence_that_names_the_flag() {
        for answers in ["", "x\n"] {
            let (answer, _) = with(answers, false, |asker| number(asker, Some("9")));
            let error = answer.unwrap_err().to_string();
            assert!(
                error.contains("nothing has been changed") && error.contains("--number"),
                "{error}"
            );
        }
    }

    #[test]
    fn who_wants_no_questions_gets_none() {
        let (answer, said) = with("", true, |asker| number(asker, Some("9")));
        assert_eq!((answer.unwrap(), &*said), (9, ""));
        for default in [None, Some("x")] {
            let (answer, _) = with("", true, |asker| number(asker, default));
            let error = answer.unwrap_err().to_string();
            assert!(error.contains("--number"), "{error}");
        }
    }

    #[test]
    fn yes_and_no_have_more_than_one_spelling() {
        for (answers, yes) in [
            ("y\n", true),
            ("NO\n", false),
            ("maybe\nyes\n", true),
            ("\n", true),
        ] {
            let (answer, _) = with(answers, false, |asker| {
                asker.confirm("Really?", "--yes", Some(true))
            });
            assert_eq!(answer.unwrap(), yes, "{answers}");
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        let text = format!("  {}\n\nshort", "word ".repeat(40));
        let wrapped = wrapped(&text, COLUMNS);
        assert!(
            wrapped.lines().all(|line| line.chars().count() <= COLUMNS),
            "{wrapped}"
        );
        assert!(
            wrapped.starts_with("  word") && wrapped.ends_with("\n\nshort"),
            "{wrapped}"
        );
        assert!(wrapped.lines().nth(1).unwrap().starts_with("  word"));
    }
}

//! Which version this is, and what is new in it: from the workspace and CHANGELOG.md, and nowhere else.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::output;

/// Who answers for the packages, as Debian writes it.
pub(crate) const MAINTAINER: &str =
    "softlan-vpn maintainers <softlan-vpn@users.noreply.github.com>";
pub(crate) const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");

/// One state of the project.
pub(crate) struct Release {
    pub(crate) version: String,
    /// Seconds since 1970 that stand for its date everywhere, so that two builds of one state are the same.
    pub(crate) seconds: u64,
    /// Whether packages of it are for a test, which waits for them.
    pub(crate) is_draft: bool,
    /// What is new, newest first.
    changes: Vec<Changes>,
}

#[derive(Debug, PartialEq, Eq)]
struct Changes {
    heading: String,
    points: Vec<String>,
}

impl Release {
    /// As it lies here.
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string("CHANGELOG.md").context("read CHANGELOG.md")?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seconds: date()?,
            is_draft: false,
            changes: parse(&text),
        })
    }

    /// The same state for a test, which may give it a later name to try an upgrade.
    pub(crate) fn draft(later: &str) -> Result<Self> {
        let mut release = Self::read()?;
        release.version += later;
        release.is_draft = true;
        Ok(release)
    }

    /// The changes as Debian writes them for this package.
    pub(crate) fn debian_changelog(&self, package: &str) -> Result<String> {
        let when = format!("@{}", self.seconds);
        let date = output(Command::new("date").args(["-u", "-R", "-d", &when]))?;
        Ok(entries(package, &self.version, &self.changes, date.trim()))
    }
}

fn date() -> Result<u64> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => output(Command::new("git").args(["log", "-1", "--format=%ct"]))?,
    };
    text.trim()
        .parse()
        .with_context(|| format!("`{}` is no date in seconds", text.trim()))
}

/// Headings of the second level, and the points below each.
fn parse(markdown: &str) -> Vec<Changes> {
    let mut all: Vec<Changes> = Vec::new();
    for line in markdown.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let heading = heading.trim().to_owned();
            let points = Vec::new();
            all.push(Changes { heading, points });
        } else if let (Some(point), Some(changes)) = (line.strip_prefix("* "), all.last_mut()) {
            changes.points.push(without_links(point));
        } else if let Some(point) = all.last_mut().and_then(|changes| changes.points.last_mut())
            && !line.trim().is_empty()
        {
            *point = format!("{point} {}", without_links(line.trim()));
        }
    }
    all
}

/// `[this](there)` is this.
fn without_links(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        let link = after.split_once("](").and_then(|(shown, target)| {
            let (_, behind) = target.split_once(')')?;
            Some((shown, behind))
        });
        match link {
            Some((shown, behind)) => {
                text.push_str(shown);
                rest = behind;
            }
            None => {
                text.push('[');
                rest = after;
            }
        }
    }
    text + rest
}

/// The newest changes are those of the version at hand, whatever their heading says; older ones say their own.
fn entries(package: &str, version: &str, changes: &[Changes], date: &str) -> String {
    let mut text = String::new();
    for (index, Changes { heading, points }) in changes.iter().enumerate() {
        let own = heading.split_whitespace().next().unwrap_or_default();
        let version = if index == 0 { version } else { own };
        text += &format!("{package} ({version}) unstable; urgency=medium\n\n");
        for point in points {
            text += &folded(point);
        }
        text += &format!("\n -- {MAINTAINER}  {date}\n\n");
    }
    text
}

/// A point in lines of at most 78 characters.
fn folded(point: &str) -> String {
    let mut text = String::from("  *");
    let mut width = text.len();
    for word in point.split_whitespace() {
        let length = word.chars().count();
        if width + 1 + length > 78 {
            text.push_str("\n   ");
            width = 3;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKDOWN: &str = "\
# Changelog

What changes. Newest first.

## Unreleased

* A player joins ([how](docs/a.md#x)),
  and plays [on].
* Twice.

## 0.1.0 (2026-11-29)

* The first one.
";

    #[test]
    fn points_lose_their_links_and_line_breaks() {
        let [newest, first] = &parse(MARKDOWN)[..] else {
            panic!("two versions")
        };
        assert_eq!(
            newest.points,
            ["A player joins (how), and plays [on].", "Twice."]
        );
        assert_eq!(first.heading, "0.1.0 (2026-11-29)");
    }

    #[test]
    fn an_entry_is_as_debian_reads_it() {
        let changes = parse(MARKDOWN);
        let text = entries(
            "relay",
            "0.2.0",
            &changes,
            "Sun, 29 Nov 2026 10:00:00 +0000",
        );
        let expected = "\
relay (0.2.0) unstable; urgency=medium

  * A player joins (how), and plays [on].
  * Twice.

 -- softlan-vpn maintainers <softlan-vpn@users.noreply.github.com>  Sun, 29 Nov 2026 10:00:00 +0000

relay (0.1.0) unstable; urgency=medium
";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn long_points_are_folded() {
        let point = "word ".repeat(40);
        let text = folded(&point);
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert_eq!(text.split_whitespace().count(), 41);
        assert!(text.lines().skip(1).all(|line| line.starts_with("    ")));
    }
}

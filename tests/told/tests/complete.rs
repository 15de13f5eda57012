//! No error of the programs is missing from docs/errors.md.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that reads the project's source"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Errors that no person reads as such, and why.
const UNREAD: [(&str, &str); 27] = [
    ("HeaderError", "a stranger's datagram, dropped and counted"),
    (
        "FragmentError",
        "a stranger's datagram, dropped and counted",
    ),
    ("OffloadError", "a frame, dropped and counted"),
    ("Runt", "a frame, dropped and counted"),
    ("ReservedId", "inside a stranger's datagram"),
    ("MtuError", "inside a relay's message"),
    (
        "TokenError",
        "inside a message, or a file that is made anew",
    ),
    ("RoomKeyError", "inside an invite or a file, which say it"),
    ("MaterialError", "inside a message"),
    ("SealedKeyError", "inside a message"),
    ("IdentityKeyError", "inside an identity file, which says it"),
    ("HostKeyError", "inside a file, which says it"),
    ("RoleWithoutMac", "inside a stranger's message"),
    (
        "CodecError",
        "inside a stranger's message; a link's end says it",
    ),
    ("StreamError", "a stream's end; a link's end says it"),
    ("ControlError", "a link's end; the error around it says it"),
    (
        "Refusal",
        "what the relay says to a stranger, by its reason",
    ),
    ("NotTheHost", "a peer's wrong message"),
    ("AcceptError", "a stranger's connection, closed and counted"),
    ("Broken", "made by a test"),
    ("Told", "made by a test"),
    ("NoCertificate", "inside the page's error, which says it"),
    ("MeetSecretError", "inside a relay's message"),
    ("NotIn", "why a path is not direct says it"),
    ("LoadError", "hands on the errors of what it loads"),
    (
        "NotPlaced",
        "a clause of what the relay says to a host; the gateway's sentence has it",
    ),
    (
        "FleetError",
        "hands on the errors of what a fleet is made of",
    ),
];

#[test]
fn every_error_is_explained_or_nobody_reads_it() {
    let mut explained = String::new();
    let mut errors = Vec::new();
    for file in sources(&lanparty_told::workspace().join("crates")) {
        let text = fs::read_to_string(&file).unwrap();
        if text.contains("told!(") {
            explained.push_str(&text);
        }
        errors.extend(errors_in(&text).map(|name| (name, file.clone())));
    }
    let missing: Vec<_> = errors
        .into_iter()
        .filter(|(name, _)| !explained.contains(&format!("told!({name} {{")))
        .filter(|(name, _)| !UNREAD.iter().any(|(unread, _)| unread == name))
        .collect();
    assert!(
        missing.is_empty(),
        "explain these with `told!`: {missing:#?}"
    );
}

#[test]
fn every_chapter_of_the_page_has_a_test() {
    let workspace = lanparty_told::workspace();
    let page = fs::read_to_string(workspace.join("docs/errors.md")).unwrap();
    let marks = page
        .lines()
        .filter_map(|line| line.strip_prefix("<!-- begin "));
    let chapters: Vec<_> = marks.map(|mark| mark.trim_end_matches(" -->")).collect();
    assert!(chapters.len() > 9, "{chapters:?}");
    let files = sources(&workspace.join("crates"));
    let tests: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    for chapter in chapters {
        let test = format!("Chapter::new(\"{chapter}\")");
        assert!(tests.contains(&test), "no test has {test}");
    }
}

/// The names of the types in a file that are errors.
fn errors_in(text: &str) -> impl Iterator<Item = String> {
    let behind = |mark| text.split(mark).skip(1);
    let derived = behind("thiserror::Error)]").filter_map(|rest| {
        let mut lines = rest.lines().map(str::trim);
        let line = lines.find(|line| line.contains("enum ") || line.contains("struct "))?;
        let (_, name) = line
            .split_once("enum ")
            .or_else(|| line.split_once("struct "))?;
        Some(word(name))
    });
    let by_hand = behind("Error for ").map(word);
    let by_hand =
        by_hand.filter(move |name| text.contains(&format!("std::error::Error for {name}")));
    derived.chain(by_hand)
}

fn word(text: &str) -> String {
    let letters = text.chars().take_while(|letter| letter.is_alphanumeric());
    letters.collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                Some(extension) if extension == "rs" => files.push(path),
                _ if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    files
}

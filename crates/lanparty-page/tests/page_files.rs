//! What the page's files may hold: nothing of other hosts, and no way for a stranger's text to become markup.

#![allow(clippy::disallowed_methods, reason = "a test reads the files")]

use std::fs;
use std::path::Path;

/// What makes markup or a program of a text, or asks another host.
const NEVER: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "setHTML",
    "createContextualFragment",
    "srcdoc",
    "eval(",
    "Function(",
    "javascript:",
    "importScripts",
    "setTimeout('",
    "setTimeout(\"",
    "@import",
    "url(",
    "style=\"",
    "<style",
    "localStorage",
    "sessionStorage",
];

/// The page's files, by name.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let entries = fs::read_dir(folder).expect("the page's folder");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let text = fs::read_to_string(entry.path()).expect("a text");
        (entry.file_name().to_string_lossy().into_owned(), text)
    };
    let files: Vec<_> = entries.map(read).collect();
    assert!(files.iter().any(|(name, _)| name == "index.html"));
    files
}

#[test]
fn nothing_makes_markup_of_a_text() {
    for (name, text) in files() {
        for word in NEVER {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn nothing_names_another_host() {
    for (name, text) in files() {
        // The namespace of pictures is a name, and nothing is asked there.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for scheme in ["http:", "https:", "ws:", "wss:", "src=\"//", "href=\"//"] {
            assert!(!text.contains(scheme), "{name} has {scheme}");
        }
    }
}

#[test]
fn nothing_happens_inline() {
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".html")) {
        assert!(!text.contains("<script>"), "{name} has a script of its own");
        let words = text.split([' ', '\n', '\t', '<', '>']);
        let handler = words.filter(|word| word.starts_with("on") && word.contains('='));
        assert_eq!(handler.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn every_button_has_its_act() {
    let files = files();
    let text = |wanted: &str| &files.iter().find(|(name, _)| name == wanted).unwrap().1;
    let acts = text("acts.js");
    let named = text("index.html").split("data-do=\"").skip(1);
    let named: Vec<_> = named.filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() > 20, "{named:?}");
    for act in named {
        let is_there = [format!("\t{act}:"), format!("\t{act}(")];
        assert!(
            is_there.iter().any(|start| acts.contains(start)),
            "{act} is nobody's act"
        );
    }
    assert!(!text("public.html").contains("<button"));
}

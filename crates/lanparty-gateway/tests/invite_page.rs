//! `dist/invite-page` in a browser without a window, where one is installed: it needs none of what our tests need.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test with a real browser"
)]

use lanparty_edge::invite::Invite;
use std::path::Path;
use std::process::{Command, Stdio};

const BROWSERS: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];
const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../dist/invite-page/index.html"
);
const OLD: &str = "FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg";
/// Relays, and how a link and so the page has them.
const RELAYS: [(&str, &str); 4] = [
    ("r.example:4433", "r.example:4433"),
    ("198.51.100.7", "198.51.100.7"),
    ("[2001:db8::7]", "2001-db8--7"),
    ("[2001:db8::7]:4433", "2001-db8--7:4433"),
];

/// What the page is like once its script has run.
fn shown(browser: &str, fragment: &str) -> String {
    let page = Path::new(PAGE).canonicalize().unwrap();
    let address = format!("file://{}#{fragment}", page.display());
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(address)
        .stderr(Stdio::null())
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn is_there(browser: &&&str) -> bool {
    let asked = Command::new(browser).arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

#[test]
fn the_page_hands_over_the_invite_in_its_address_and_names_a_missing_one() {
    let Some(browser) = BROWSERS.iter().find(is_there) else {
        eprintln!("skipped: no browser of {BROWSERS:?} is installed");
        return;
    };
    for (relay, shown_as) in RELAYS {
        let old = format!("lanparty://{relay}/{OLD}");
        let link = Invite::find(&old).unwrap().reveal();
        let rest = link.strip_prefix("lanparty://").unwrap();
        for fragment in [
            rest.to_owned(),
            rest.replace('/', "%2F"),
            format!("{rest}."),
        ] {
            let page = shown(browser, &fragment);
            assert!(page.contains(&format!("href=\"{link}\"")), "{page}");
            assert!(page.contains("<main id=\"whole\">"), "{page}");
            let relay = format!("<strong id=\"relay\">{shown_as}</strong>");
            assert!(page.contains(&relay), "{page}");
        }
    }
    for fragment in [
        "",
        "nothing",
        "r.example/FRIDAY/SHORT",
        "\"><script>alert(1)</script>",
    ] {
        let page = shown(browser, fragment);
        assert!(page.contains("<p id=\"none\">"), "{page}");
        assert!(page.contains("id=\"join\" href=\"#\""), "{page}");
    }
}

//! How the page looks, and what it weighs.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Table;
use crate::browser::Browser;

const AXE: &str = include_str!("axe.min.js");

/// Nothing reaches over the edge, so that nobody scrolls aside.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth";

pub(crate) fn nobody_and_many_have_room(table: &Table) -> Result<()> {
    for players in [0, 32, 64] {
        table.party(|state| {
            state.players = players;
            state.quiet = players == 0;
        })?;
        for (width, scheme) in [(1440, "light"), (360, "dark")] {
            table.browser.look(width, 900, scheme)?;
            let browser = table.open()?;
            browser.until(&format!("by('player-list').children.length == {players}"))?;
            browser.until(FITS)?;
        }
        if players == 0 {
            for (place, word) in [
                ("no-players", "Nobody is here yet. Send them the invite."),
                ("no-games", "No game has been heard yet"),
                ("no-leases", "No DHCP server has lent"),
                ("no-events", "Nothing has happened yet."),
                ("well", "Nothing needs you."),
            ] {
                table
                    .browser
                    .until(&format!("by('{place}').innerText.includes('{word}')"))?;
            }
        }
    }
    table.party(|state| {
        state.players = 8;
        state.quiet = false;
    })?;
    table.browser.look(1440, 1000, "light")
}

pub(crate) fn a_phone_scrolls_down_and_not_aside(table: &Table) -> Result<()> {
    table.browser.look(360, 740, "light")?;
    table.party(|state| state.relays = many_relays())?;
    let browser = table.open()?;
    browser.until("by('relay-list').children.length == 3")?;
    browser.until(FITS)?;
    browser.press("#player-list tr:nth-child(3) [data-do=menu]")?;
    browser.until(FITS)?;
    browser.until(
        "(() => { const menu = document.querySelector('.menu:not([hidden])').getBoundingClientRect();
           return menu.left >= 0 && menu.right <= innerWidth; })()",
    )?;
    for size in ["150%", "200%"] {
        browser.run(
            "document.documentElement.style.fontSize = arguments[0]",
            &[json!(size)],
        )?;
        browser.until(FITS)?;
    }
    table.party(|state| state.relays = json!([]))?;
    browser.look(1440, 1000, "light")
}

/// Names of relays are as long as their operators make them.
fn many_relays() -> Value {
    json!([
        {"address": "relay-17.frankfurt.games.example-hosting.net:44433", "region": "Frankfurt am Main, by the river", "ping_us": 11_000, "here": true},
        {"address": "relay-18.paris.games.example-hosting.net:44433", "region": "Paris", "ping_us": 324_000},
        {"address": "c.example:4433", "trouble": "it is full; try again later, or ask its operator for more room"},
    ])
}

/// A message lies over what is below. Whoever scrolls there, with a wheel or by the keyboard, has each button free of it.
pub(crate) fn a_message_keeps_nobody_from_a_button(table: &Table) -> Result<()> {
    for (width, height) in [(1440, 1000), (390, 740), (390, 400)] {
        table.browser.look(width, height, "light")?;
        let browser = table.open()?;
        browser.run(
            "say({ text: arguments[0], done: true }, { do: 'list' })",
            &[json!(LONG)],
        )?;
        browser.until("!by('toast').hidden && !by('undo').hidden")?;
        for way in ["scrollIntoView({ block: 'nearest' })", "focus()"] {
            let covered = browser.value(&format!("({COVERED})((button) => button.{way})"))?;
            ensure!(covered == json!([]), "{way}, {width}x{height}: {covered:#}");
        }
        browser.until(FITS)?;
        // At the end of the page everything is free, however one came there.
        browser.run("scrollTo(0, document.documentElement.scrollHeight)", &[])?;
        browser.until(
            "document.querySelector('main').getBoundingClientRect().bottom <= by('toast').getBoundingClientRect().top",
        )?;
        browser.press("#toast [data-do=hush]")?;
        browser.until(
            "by('toast').hidden && document.documentElement.style.scrollPaddingBottom == ''",
        )?;
    }
    table.browser.look(1440, 1000, "light")
}

/// The longest sentence that an order is answered with, nearly.
const LONG: &str = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW (02:1a:00:00:02:04) is banned by the MAC address 02:1a:00:00:02:04 alone, \
    which can be changed: nobody with a key is known by it. Rotate the room's key, when that is not enough.";

/// What can be pressed, seen and not free once one has come to it in this way from the top of the page.
const COVERED: &str = "(come) => [...document.querySelectorAll('header button, main button, main input, main textarea')]
    .filter((one) => one.checkVisibility())
    .filter((one) => {
        scrollTo(0, 0);
        come(one);
        const box = one.getBoundingClientRect();
        const there = document.elementFromPoint((box.left + box.right) / 2, box.bottom - 2);
        return !one.contains(there) && !one.labels?.[0]?.contains(there);
    }).map((one) => one.outerHTML)";

pub(crate) fn axe_finds_nothing(table: &Table) -> Result<()> {
    let mut found = Vec::new();
    table.party(|state| state.relays = many_relays())?;
    for (width, height, scheme) in [
        (1440, 1000, "light"),
        (1440, 1000, "dark"),
        (360, 740, "light"),
    ] {
        let mut look = |browser: &Browser, what: &str| -> Result<()> {
            let violations = axe(browser)?;
            if violations != json!([]) {
                found.push(format!("{what}, {width} wide, {scheme}: {violations:#}"));
            }
            Ok(())
        };
        table.browser.look(width, height, scheme)?;
        let browser = table.open()?;
        browser.run(AXE, &[])?;
        browser.press("#lock")?;
        browser.until("!by('toast').hidden")?;
        look(browser, "the page")?;
        browser.press("#undo")?;
        browser.press("#player-list tr:nth-child(3) [data-do=menu]")?;
        look(browser, "a menu")?;
        for (act, dialog) in [
            ("ban", "confirm"),
            ("rename", "rename"),
            ("ownReach", "own-reach"),
        ] {
            browser.run(
                "document.querySelector(`#player-list tr:nth-child(3) [data-do=${arguments[0]}]`).click()",
                &[json!(act)],
            )?;
            browser.until(&format!("by('{dialog}').open"))?;
            look(browser, dialog)?;
            browser.press(&format!("#{dialog} [data-do=close]"))?;
        }
        browser.press("[data-do=invite]")?;
        browser.until("!by('invite-shown').hidden")?;
        look(browser, "the invite")?;
        browser.press("#invite [data-do=close]")?;
        browser.go(&table.hall()?)?;
        browser.until("by('player-list').children.length == 8")?;
        browser.run(AXE, &[])?;
        look(browser, "the hall")?;
    }
    table.party(|state| state.relays = json!([]))?;
    table.browser.look(1440, 1000, "light")?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// What axe-core finds: the rule, and where.
fn axe(browser: &Browser) -> Result<Value> {
    browser.run_long(
        "const done = arguments[0];
         axe.run().then((found) => done(found.violations.map((rule) => [rule.id, rule.nodes.map((node) => node.html)])));",
    )
}

pub(crate) fn a_hall_sees_and_orders_nothing(table: &Table) -> Result<()> {
    table.browser.look(1920, 1080, "dark")?;
    let browser = &table.browser;
    browser.go(&table.hall()?)?;
    browser.until(
        "by('player-list').children.length == 8 && by('player-list').innerText.includes('Ana')",
    )?;
    browser.until("document.querySelector('button, input, form, dialog, a') == null")?;
    browser.until("!/02:1a|192\\.168|FRIDAY/.test(document.documentElement.textContent)")?;
    browser.until(
        "parseFloat(getComputedStyle(document.querySelector('.hall-player')).fontSize) >= 24",
    )?;
    browser.until(FITS)?;
    browser.look(1440, 1000, "light")
}

/// The figures of the issue, printed; a machine that is busy fails none of them. An empty page of the same browser in
/// the same run is what the first paint stands beside.
pub(crate) fn the_page_is_small_quick_and_quiet(table: &Table) -> Result<()> {
    let browser = table.open()?;
    let paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0";
    browser.until(&format!("({paint}) > 0"))?;
    let page = browser.value(paint)?.as_f64().context("a time")?;
    let loaded = browser.value(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
             .map((entry) => [entry.name, entry.transferSize])",
    )?;
    let loaded = loaded.as_array().context("what was loaded")?;
    let mut bytes = 0;
    for entry in loaded {
        let name = entry[0].as_str().context("a name")?;
        ensure!(
            name.starts_with("http://127.0.0.1:4480/") || name.starts_with("data:"),
            "{name} was asked for"
        );
        bytes += entry[1].as_u64().unwrap_or_default();
    }
    ensure!(bytes > 10_000 && bytes <= 60_000, "{bytes} bytes");
    browser.go("data:text/html,<p>nothing</p>")?;
    browser.until(&format!("({paint}) > 0"))?;
    let nothing = browser.value(paint)?.as_f64().context("a time")?;
    println!(
        "    first paint {page:.0} ms (300 promised; an empty page {nothing:.0} ms), {bytes} bytes in {} answers",
        loaded.len()
    );
    let complaints = browser.complaints()?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

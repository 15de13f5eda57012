//! The party page in a real Chromium: behind the real server, with a party that is made up, so that each state can be
//! had; and before a real gateway with real players (`real`). Neither has a way out of its machine.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

mod browser;
mod crowd;
mod looks;
mod made;
mod real;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use browser::Browser;
use lanparty_lab::{Lab, Machine, Needs, Suite, World, checks, run};
use made::{LINK, Made, State};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let needs = Needs::programs(&["chromium", "chromedriver", "dnsmasq", "zbarimg"]);
    let all = checks![
        without_a_link_the_page_says_where_the_link_is,
        a_wrong_link_is_named,
        the_link_opens_the_page_and_leaves_no_token_behind,
        every_button_gives_its_order_and_says_the_answer,
        the_party_is_taken_to_another_relay_after_a_question,
        what_can_be_undone_is_undone,
        a_refusal_is_shown_where_it_was_asked,
        a_button_is_pending_until_the_answer,
        what_is_open_stays_while_rows_change,
        the_keyboard_is_enough,
        a_name_is_only_a_name,
        the_invite_is_read_by_a_phone_and_hides_itself,
        a_gateway_that_is_gone_is_said_and_comes_back,
        looks::nobody_and_many_have_room,
        looks::a_phone_scrolls_down_and_not_aside,
        looks::a_message_keeps_nobody_from_a_button,
        looks::axe_finds_nothing,
        looks::a_hall_sees_and_orders_nothing,
        looks::the_page_is_small_quick_and_quiet,
    ];
    let real = checks![
        real::eight_players_are_in_the_page_as_in_the_list,
        real::each_button_reaches_the_relay,
        real::what_was_tried_is_shown_and_allowed,
        real::the_invite_is_the_real_one,
        real::the_hall_has_names_and_pings_and_nothing_more,
        real::sixty_four_players_have_room,
        real::a_killed_gateway_comes_back_by_itself,
    ];
    run(
        &needs,
        [
            Suite::new("page", Table::lay, all),
            Suite::new("real", real::Party::lay, real),
        ],
    )
}

/// A browser and a party on one machine.
pub(crate) struct Table {
    pub(crate) browser: Browser,
    made: Mutex<Option<Made>>,
    state: Arc<Mutex<State>>,
    machine: Machine,
    pub(crate) lab: Lab,
}

impl World for Table {
    fn report(&self) -> String {
        self.browser.report()
    }
}

impl Table {
    fn lay() -> Result<Self> {
        let lab = Lab::new()?;
        let machine = lab.machine("host")?;
        let state = Made::state();
        let made = Made::start(&machine, &lab.folder().join("page"), &state)?;
        let browser = Browser::start(&lab, &machine)?;
        browser.look(1440, 1000, "light")?;
        Ok(Table {
            browser,
            made: Mutex::new(Some(made)),
            state,
            machine,
            lab,
        })
    }

    /// The gateway ends; nothing of it is left.
    fn kill(&self) {
        self.made().take();
    }

    fn start_again(&self) -> Result<()> {
        let made = Made::start(&self.machine, &self.lab.folder().join("page"), &self.state)?;
        *self.made() = Some(made);
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, Option<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes the party.
    pub(crate) fn party<T>(&self, action: impl FnOnce(&mut State) -> T) -> Result<T> {
        Ok(self.made().as_ref().context("a gateway")?.with(action))
    }

    pub(crate) fn hall(&self) -> Result<String> {
        Ok(self.made().as_ref().context("a gateway")?.hall())
    }

    /// The host's page, drawn.
    pub(crate) fn open(&self) -> Result<&Browser> {
        let link = self.made().as_ref().context("a gateway")?.link();
        self.browser.go(&link)?;
        self.browser
            .until("now && !document.body.classList.contains('lost')")?;
        Ok(&self.browser)
    }

    /// Waits for what the page says below, and gives it.
    fn says(&self, sentence: &str) -> Result<()> {
        let sentence = json!(sentence);
        self.browser.until(&format!(
            "!by('toast').hidden && by('toast-text').textContent.includes({sentence})"
        ))
    }

    /// What was ordered since this was asked last.
    fn orders(&self) -> Result<Vec<Value>> {
        self.party(|state| std::mem::take(&mut state.orders))
    }

    /// What was ordered, which must be this alone.
    fn ordered(&self, wanted: &Value) -> Result<()> {
        let orders = self.orders()?;
        ensure!(orders == [wanted.clone()], "{orders:?}, not {wanted}");
        Ok(())
    }
}

/// The third player, who is nobody in particular.
const THIRD: &str = "02:1a:2b:00:00:02";

/// In the menu of the third player.
fn in_menu(act: &str) -> String {
    format!("#player-list tr:nth-child(3) [data-do={act}]")
}

fn open_menu(browser: &Browser, act: &str) -> Result<()> {
    browser.press(&in_menu("menu"))?;
    browser.press(&in_menu(act))
}

fn without_a_link_the_page_says_where_the_link_is(table: &Table) -> Result<()> {
    table.browser.go("http://127.0.0.1:4480/")?;
    table
        .browser
        .until("by('banner').textContent.includes('lanparty-gateway ctl page')")?;
    table
        .browser
        .until("getComputedStyle(document.querySelector('main')).visibility == 'hidden'")
}

fn a_wrong_link_is_named(table: &Table) -> Result<()> {
    table
        .browser
        .go("http://127.0.0.1:4480/#t=AAAAAAAAAAAAAAAAAAAAAA")?;
    table
        .browser
        .until("by('banner').textContent.startsWith('This link is not')")?;
    // Of being let in nowhere; from here on there are none.
    table.browser.complaints().map(drop)
}

fn the_link_opens_the_page_and_leaves_no_token_behind(table: &Table) -> Result<()> {
    let browser = table.open()?;
    browser.until("by('player-list').children.length == 8")?;
    browser.until("location.href == 'http://127.0.0.1:4480/' && document.cookie == ''")?;
    browser.until("document.title == '(2) Friday at Bo’s · LAN party'")?;
    // The gravest first.
    browser.until("by('warning-list').firstElementChild.textContent.includes('UDP 4433')")?;
    let row = browser.value("by('player-list').children[1].innerText")?;
    let row = row.as_str().context("a row")?;
    for word in [
        "Bertram",
        "02:1a:2b:00:00:01",
        "192.168.50.101",
        "direct",
        "slow",
        "0.8 % some",
        "1,204 dropped: more than one",
        "2.0 MB/s",
    ] {
        ensure!(row.contains(word), "no {word} in {row}");
    }
    Ok(())
}

fn every_button_gives_its_order_and_says_the_answer(table: &Table) -> Result<()> {
    let browser = table.open()?;
    table.orders()?;
    browser.press("#lock")?;
    table.says("It is done: lock.")?;
    table.ordered(&json!({"do": "lock", "on": true}))?;
    browser.until("!by('locked').hidden && by('lock').textContent == 'Unlock the party'")?;
    browser.press("#isolate")?;
    table.says("It is done: isolate.")?;
    table.ordered(&json!({"do": "isolate", "on": true}))?;

    open_menu(browser, "mute")?;
    table.says("It is done: mute.")?;
    table.ordered(&json!({"do": "mute", "who": THIRD, "on": true}))?;
    browser.until("document.querySelector('.menu:not([hidden])') == null")?;
    open_menu(browser, "ban")?;
    browser.until("by('confirm').open && by('confirm-name').textContent == 'Çağla'")?;
    ensure!(table.orders()?.is_empty(), "banned before it was confirmed");
    browser.press("#confirm-yes")?;
    table.says("It is done: ban.")?;
    table.ordered(&json!({"do": "ban", "who": THIRD}))?;
    browser.until("!by('bans').hidden")?;
    browser.press("#ban-list [data-do=unban]")?;
    table.says("It is done: unban.")?;
    table.ordered(&json!({"do": "unban", "who": THIRD}))?;

    open_menu(browser, "rename")?;
    browser.until("by('rename').open")?;
    browser.keys("Zoe\u{e007}")?;
    table.says("It is done: rename.")?;
    table.ordered(&json!({"do": "rename", "who": THIRD, "name": "Zoe"}))?;
    browser.press("[data-do=renameParty]")?;
    browser.keys("Saturday\u{e007}")?;
    browser.until("!by('rename').open")?;
    table.ordered(&json!({"do": "rename", "who": null, "name": "Saturday"}))?;

    browser.press("[name=reach][value=games]")?;
    browser.press("#reach-form [type=submit]")?;
    table.says("It is done: reach.")?;
    let games = json!({"games": {"also": []}});
    table.ordered(&json!({"do": "reach", "who": null, "reach": games}))?;
    browser.until("by('reach-now').textContent == 'games only'")?;
    open_menu(browser, "ownReach")?;
    browser.press("#own-reach [value=only]")?;
    browser.press("#own-reach-text")?;
    browser.keys("192.168.50.11:27015")?;
    browser.press("#own-reach-yes")?;
    browser.until("!by('own-reach').open")?;
    let only = json!({"only": {"allowed": ["192.168.50.11:27015"]}});
    table.ordered(&json!({"do": "reach", "who": THIRD, "reach": only}))?;
    browser.press("#attempt-list [data-do=allow]")?;
    table.says("It is done: allow.")?;
    table.ordered(&json!({"do": "allow", "what": "192.168.50.2:445", "who": null}))?;

    browser.press("header [data-do=newKey]")?;
    browser.press("#confirm-yes")?;
    browser.until(&format!(
        "by('invite').open && by('invite-link').value == '{LINK}'"
    ))?;
    table.ordered(&json!({"do": "new_key"}))?;
    browser.press("#invite [data-do=close]")?;
    let complaints = browser.complaints()?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

fn the_party_is_taken_to_another_relay_after_a_question(table: &Table) -> Result<()> {
    let browser = table.open()?;
    table.orders()?;
    browser.until("by('relays').hidden")?;
    table.party(|state| {
        state.relays = json!([
            {"address": "a.example:443", "region": "Frankfurt", "ping_us": 11_000, "here": true},
            {"address": "b.example:443", "region": "Paris <b>", "ping_us": 24_000},
            {"address": "c.example:4433", "trouble": "it does not answer"},
        ]);
    })?;
    browser.until("!by('relays').hidden && by('relay-list').children.length == 3")?;
    for (row, words) in [
        (0, "Frankfurt|ping 11 ms good|The party is here"),
        (1, "b.example:443|Paris <b>|ping 24 ms"),
        (2, "c.example:4433|it does not answer"),
    ] {
        let text = browser.value(&format!("by('relay-list').children[{row}].innerText"))?;
        let text = text.as_str().context("a row")?;
        for word in words.split('|') {
            ensure!(text.contains(word), "no {word} in {text}");
        }
    }
    for sentence in [
        "When one fails, the party goes on at another by itself.",
        "It has moved once. They were asked up to 4 min ago.",
    ] {
        let sentence = json!(sentence);
        browser.until(&format!("by('relays').textContent.includes({sentence})"))?;
    }
    let button = |row: u8| format!("#relay-list li:nth-child({row}) [data-do=moveTo]");
    browser.until("by('relay-list').firstElementChild.querySelector('button').hidden")?;
    browser.press(&button(2))?;
    browser.until("by('confirm').open && by('confirm-mac').textContent == 'b.example:443'")?;
    ensure!(table.orders()?.is_empty(), "moved before it was confirmed");
    browser.press("#confirm-no")?;
    browser.press(&button(2))?;
    browser.press("#confirm-yes")?;
    table.says("It is done: move_to.")?;
    table.ordered(&json!({"do": "move_to", "relay": "b.example:443"}))?;
    browser.until("by('relay-list').children[1].querySelector('button').hidden")?;
    let complaints = browser.complaints()?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    table.party(|state| {
        state.relays = json!([
            {"address": "a.example:443", "ping_us": 11_000, "here": true},
            {"address": "c.example:4433", "trouble": "it does not answer"},
        ]);
    })?;
    browser.until("by('relay-rest').textContent.startsWith('No other one could take')")?;
    table.party(|state| {
        state.relays = json!([
            {"address": "relay.example:443", "leads_to": "r2.example:443"},
            {"address": "r2.example:443", "ping_us": 11_000, "here": true},
        ]);
    })?;
    browser.until("by('relay-rest').textContent.startsWith('When one fails')")?;
    browser.until(
        "by('relay-list').textContent.includes('leads to r2.example:443, where the party is')",
    )?;
    table.party(|state| state.relays = json!([]))
}

fn what_can_be_undone_is_undone(table: &Table) -> Result<()> {
    table.party(|state| {
        state.locked = false;
        state.isolated = false;
        state.reach = json!("everything");
    })?;
    let browser = table.open()?;
    table.orders()?;
    let mute = |on: bool| json!({"do": "mute", "who": THIRD, "on": on});
    for (press, there, back) in [
        (
            "#lock",
            json!({"do": "lock", "on": true}),
            json!({"do": "lock", "on": false}),
        ),
        (
            "#isolate",
            json!({"do": "isolate", "on": true}),
            json!({"do": "isolate", "on": false}),
        ),
        ("", mute(true), mute(false)),
    ] {
        match press {
            "" => open_menu(browser, "mute")?,
            button => browser.press(button)?,
        }
        browser.until("!by('undo').hidden")?;
        table.ordered(&there)?;
        browser.press("#undo")?;
        // What was undone cannot be undone.
        browser.until("by('undo').hidden")?;
        table.ordered(&back)?;
    }
    Ok(())
}

fn a_refusal_is_shown_where_it_was_asked(table: &Table) -> Result<()> {
    let browser = table.open()?;
    open_menu(browser, "kick")?;
    browser.press("#confirm-yes")?;
    browser.until("by('confirm').open && by('confirm-trouble').textContent == 'no player of that name is here'")?;
    browser.press("#confirm-no")?;
    table.orders().map(drop)
}

fn a_button_is_pending_until_the_answer(table: &Table) -> Result<()> {
    let browser = table.open()?;
    table.orders()?;
    table.party(|state| state.holds = true)?;
    browser.press("#lock")?;
    browser.until("by('lock').ariaBusy == 'true' && document.activeElement == by('lock')")?;
    // Nor does a second press order anything.
    browser.press("#lock")?;
    table.party(|state| state.holds = false)?;
    browser.until("by('lock').ariaBusy == null")?;
    table.says("It is done: lock.")?;
    table.ordered(&json!({"do": "lock", "on": true}))?;
    browser.until("by('said').textContent.includes('It is done: lock.')")?;
    table.party(|state| state.locked = false)
}

/// Waits until so many more snapshots were drawn.
fn snapshots(browser: &Browser, count: u32) -> Result<()> {
    browser.run_long(&format!(
        "const done = arguments[0]; let left = {count};
         document.addEventListener('drawn', function seen() {{
             left -= 1;
             if (left > 0) return;
             document.removeEventListener('drawn', seen);
             done(true);
         }});"
    ))?;
    Ok(())
}

fn what_is_open_stays_while_rows_change(table: &Table) -> Result<()> {
    let browser = table.open()?;
    browser.press(&in_menu("menu"))?;
    browser.keys("\u{e015}")?;
    browser.run(
        "window.kept = document.activeElement;
         const mac = by('player-list').children[1].querySelector('[data-f=mac]').firstChild;
         getSelection().setBaseAndExtent(mac, 3, mac, 11);
         scrollTo(0, 120);
         window.row = by('player-list').children[2];
         window.was = window.row.querySelector('[data-f=ping]').textContent;",
        &[],
    )?;
    // The first row is gone, others come, and every figure is another one.
    table.party(|state| {
        state.names.push("Between".into());
        state.players = 12;
    })?;
    snapshots(browser, 4)?;
    table.party(|state| state.players = 9)?;
    snapshots(browser, 4)?;
    for kept in [
        "document.activeElement == kept && kept.textContent == 'Rename…'",
        "!document.querySelector('.menu').hidden || !row.querySelector('.menu').hidden",
        "getSelection().toString() == '1a:2b:00'",
        "scrollY == 120",
        "by('player-list').children[2] == row && by('player-list').children.length == 9",
    ] {
        ensure!(browser.value(kept)? == true, "{kept}");
    }
    browser.keys("\u{e00c}")?;
    browser.until("document.activeElement == row.querySelector('[data-do=menu]')")?;
    table.party(|state| {
        state.names.pop();
        state.players = 8;
    })
}

fn the_keyboard_is_enough(table: &Table) -> Result<()> {
    let browser = table.open()?;
    table.orders()?;
    // Over the link to the players and the party's five buttons, to the sixth: what somebody tried.
    browser.keys("\u{e004}\u{e004}\u{e004}")?;
    browser.until("document.activeElement == by('lock')")?;
    browser.keys(" ")?;
    table.says("It is done: lock.")?;
    browser.run(
        "by('player-list').children[2].querySelector('[data-do=menu]').focus()",
        &[],
    )?;
    browser.keys("\u{e007}")?;
    browser.until("document.activeElement.dataset.do == 'mute'")?;
    browser.keys("\u{e013}")?;
    browser.until("document.activeElement.dataset.do == 'ban'")?;
    browser.keys("\u{e007}")?;
    // On what changes nothing.
    browser.until("document.activeElement == by('confirm-no')")?;
    browser.keys("\u{e00c}")?;
    browser.until("!by('confirm').open")?;
    // With the focus where it was, and seen.
    browser.until("document.activeElement.matches('#player-list tr:nth-child(3) [data-do=menu]:focus-visible')")?;
    table.ordered(&json!({"do": "lock", "on": true}))?;
    table.party(|state| state.locked = false)
}

fn a_name_is_only_a_name(table: &Table) -> Result<()> {
    let hostile = [
        "<img src=x onerror=document.title='bad'>",
        "\u{202e}nimdA\u{202c} \u{2066}\u{200f}",
        "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
        "a\u{336}\u{337}\u{338}\u{30d}\u{30e}\u{310}\u{312}\u{313}\u{31a}\u{350}\u{351}\u{352}",
    ];
    let before =
        table.party(|state| std::mem::replace(&mut state.names, hostile.map(Into::into).into()))?;
    let browser = table.open()?;
    browser.until("document.images.length == 0 && document.title.startsWith('(2) Friday')")?;
    browser.until("by('player-list').textContent.includes('<img src=x')")?;
    browser.until("!/[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.body.textContent)")?;
    // It stays in its cell, and paints over nothing.
    browser.until(
        "[...document.querySelectorAll('.name')].every((name) => ['clip', 'hidden'].includes(getComputedStyle(name).overflowY))",
    )?;
    browser.until("document.documentElement.scrollWidth <= innerWidth")?;
    browser.press(&in_menu("menu"))?;
    browser.press(&in_menu("kick"))?;
    browser.until("by('confirm').scrollWidth <= by('confirm').clientWidth")?;
    table.party(|state| state.names = before)
}

fn the_invite_is_read_by_a_phone_and_hides_itself(table: &Table) -> Result<()> {
    let browser = table.open()?;
    ensure!(
        browser.value(&format!(
            "!document.documentElement.outerHTML.includes('{LINK}')"
        ))? == true
    );
    browser.press("[data-do=invite]")?;
    browser.until(&format!("by('invite-link').value == '{LINK}'"))?;
    browser.until("by('qr').firstElementChild.getBoundingClientRect().width >= 256")?;
    for (width, height, scheme) in [(1440, 1000, "light"), (360, 740, "dark")] {
        browser.look(width, height, scheme)?;
        let file = table.lab.write("invite.b64", &browser.picture()?)?;
        let read = format!("base64 -d {file} > invite.png && zbarimg --quiet --raw invite.png");
        let text = table.machine.run(["sh", "-c", &read])?;
        ensure!(text.starts_with("LANPARTY://R.EXAMPLE/FRIDAY#"), "{text}");
    }
    browser.look(1440, 1000, "light")?;
    browser.press("[data-do=copyLink]")?;
    browser.until("by('said').textContent.includes('clipboard')")?;
    // A minute later.
    browser.run(
        "const was = Date.now; Date.now = () => was() + 61_000;",
        &[],
    )?;
    browser.until(
        "!by('invite').open && by('invite-link').value == '' && by('qr').children.length == 0",
    )?;
    table.orders().map(drop)
}

fn a_gateway_that_is_gone_is_said_and_comes_back(table: &Table) -> Result<()> {
    let browser = table.open()?;
    browser.run(
        "window.same = true;
         const began = performance.now();
         new MutationObserver(() => { window.toldAfter ??= performance.now() - began; })
             .observe(by('banner'), { attributes: true });",
        &[],
    )?;
    table.kill();
    browser.until("by('banner').textContent.startsWith('Connection lost, trying again.')")?;
    let after = browser.value("toldAfter")?.as_f64().context("a time")?;
    println!("    connection lost: said within {after:.0} ms of the last look before");
    browser.until("by('player-list').children.length == 8")?;
    // The figures are grey: as soft as what matters less, and no colour says that they are good.
    browser.until(
        "(() => { const probe = document.createElement('i'); probe.style.color = 'var(--soft)'; document.body.append(probe);
           const soft = getComputedStyle(probe).color; probe.remove();
           return [...document.querySelectorAll('td .q')].every((figure) => getComputedStyle(figure).color == soft); })()",
    )?;
    browser.press("#lock")?;
    table.says("The gateway has not answered")?;
    table.start_again()?;
    browser.until("same && by('banner').hidden && !document.body.classList.contains('lost')")?;
    browser.complaints().map(drop)
}

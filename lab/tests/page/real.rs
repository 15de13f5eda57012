//! The same page before a real gateway: a relay, a gateway and players without adapters. What the page says and what
//! `ctl` says of it are the same.

use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::traffic::speaker;
use lanparty_lab::{Plan, Process, Venue, World, eventually, program};
use serde_json::json;

use crate::browser::Browser;
use crate::crowd::Crowd;

const SOON: Duration = Duration::from_secs(30);
const ROOM: &str = "FRIDAY-LAN";
const HOST: &str = "127.0.0.1:4480";
const HALL: &str = "127.0.0.1:4481";
/// What some of the eight are called.
const WIDE: &str = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";
const CJK: &str = "日本語を話すプレイヤーたち";

/// A party, and the host's browser on the gateway's machine.
pub(crate) struct Party {
    browser: Browser,
    crowd: Mutex<Crowd>,
    gateway: Mutex<Process>,
    open: Vec<String>,
    relay: Process,
    venue: Venue,
}

impl World for Party {
    fn report(&self) -> String {
        format!("{}\n---\n{}", self.relay.tail(15), self.gateway().tail(15))
    }
}

impl Party {
    pub(crate) fn lay() -> Result<Self> {
        let venue = Venue::build(Plan::default())?;
        let mut command = program("lanparty-relay")?;
        command.extend(["--max-peers-per-address", "100"].map(Into::into));
        let relay = venue.relay.spawn("relay", command)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let relay_at = Venue::RELAY.to_string();
        let place = ["--relay", &relay_at, "--pin", &pin, "--room", ROOM];
        // The first one makes the key; without one the room is open.
        let mut print = program("lanparty-gateway")?;
        print.push("invite".into());
        print.extend(place.map(Into::into));
        venue.gateway.run(&print)?;
        let mut open = program("lanparty-gateway")?;
        open.extend(place.map(Into::into));
        open.extend(["--interface", "eth0", "--page", HOST, "--page-public", HALL].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", &open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let browser = Browser::start(&venue.lab, &venue.gateway)?;
        browser.look(1440, 1000, "light")?;
        let party = Party {
            browser,
            crowd: Mutex::new(Crowd::start(&venue.relay)),
            gateway: Mutex::new(gateway),
            open,
            relay,
            venue,
        };
        party.come(1..=8)?;
        Ok(party)
    }

    fn gateway(&self) -> MutexGuard<'_, Process> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    /// These come in, by the invite that holds now.
    fn come(&self, numbers: impl Iterator<Item = u8>) -> Result<()> {
        let invite = self.ctl(&["invite"])?;
        let invite = invite.lines().next().context("an invite")?;
        let file = self.venue.lab.write("invite.txt", invite)?;
        for number in numbers {
            let name = match number {
                4 => WIDE.to_owned(),
                5 => CJK.to_owned(),
                number => format!("player-{number:02}"),
            };
            self.crowd().join(&file, number, &name)?;
        }
        Ok(())
    }

    /// The host's page, drawn, by the link that `ctl page` prints.
    fn open(&self) -> Result<&Browser> {
        let said = self.ctl(&["page"])?;
        let link = said.split_whitespace().find(|word| word.contains("/#t="));
        self.browser.go(link.with_context(|| said.clone())?)?;
        self.browser
            .until("now && !document.body.classList.contains('lost')")?;
        Ok(&self.browser)
    }

    /// What `ctl` answers to these words is so in the end.
    fn says(&self, words: &[&str], what: &str, is: impl Fn(&str) -> bool) -> Result<()> {
        let mut last = String::new();
        eventually(what, SOON, || {
            last = self.ctl(words).ok()?;
            is(&last).then_some(())
        })
        .with_context(|| last.clone())
    }

    fn lists(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<()> {
        self.says(&["list"], what, is)
    }

    /// A player knocks at a machine of the LAN, as it does to open its file shares.
    fn knocks(&self, number: u8) -> Result<()> {
        let to = self.venue.lan2.mac("eth0")?;
        self.crowd().knock(number, to, LAN2, 445)
    }
}

const LAN2: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 12);
const SHARE: &str = "192.168.50.12:445/tcp";

fn mac(number: u8) -> String {
    format!("02:1a:00:00:02:{number:02x}")
}

/// In the row of this player, whatever place it has.
fn row(number: u8) -> String {
    let mac = json!(mac(number));
    format!("[...by('player-list').children].find((row) => row.textContent.includes({mac}))")
}

/// Presses what is in this player's menu.
fn menu(browser: &Browser, number: u8, act: &str) -> Result<()> {
    let row = row(number);
    browser.until(&format!("{row} != null"))?;
    browser.run(
        &format!("({row}).id = arguments[0]"),
        &[json!(format!("p{number}"))],
    )?;
    browser.press(&format!("#p{number} [data-do=menu]"))?;
    browser.press(&format!("#p{number} [data-do={act}]"))
}

fn rows(browser: &Browser, count: usize) -> Result<()> {
    browser.until(&format!("by('player-list').children.length == {count}"))
}

fn undo(browser: &Browser) -> Result<()> {
    browser.until("!by('undo').hidden")?;
    browser.press("#undo")?;
    browser.until("by('undo').hidden")
}

pub(crate) fn eight_players_are_in_the_page_as_in_the_list(party: &Party) -> Result<()> {
    let browser = party.open()?;
    rows(browser, 8)?;
    let three = row(3);
    browser.until(&format!("{three}.innerText.includes('player-03')"))?;
    browser.until(&format!("{}.innerText.includes({})", row(4), json!(WIDE)))?;
    browser.until(&format!("{}.innerText.includes({})", row(5), json!(CJK)))?;
    browser.until("by('state-word').textContent == 'The party is on'")?;
    // The round trips are there in time.
    browser.until(
        "[...document.querySelectorAll('[data-f=ping]')].every((ping) => ping.dataset.q != 'none')",
    )?;
    let title = "document.title.endsWith('FRIDAY-LAN · LAN party')";
    browser.until(title)?;
    party.lists("eight", |list| list.contains("8 players"))
}

pub(crate) fn each_button_reaches_the_relay(party: &Party) -> Result<()> {
    let browser = party.open()?;
    rows(browser, 8)?;
    browser.press("#lock")?;
    browser.until("!by('locked').hidden")?;
    party.lists("locked", |list| list.contains("the room is locked"))?;
    undo(browser)?;
    browser.until("by('locked').hidden")?;
    party.lists("open again", |list| !list.contains("the room is locked"))?;
    browser.press("#isolate")?;
    browser.until("!by('isolated').hidden")?;
    party.lists("apart", |list| list.contains("players are kept apart"))?;
    undo(browser)?;
    party.lists("together", |list| !list.contains("players are kept apart"))?;

    menu(browser, 3, "mute")?;
    browser.until(&format!(
        "!{}.querySelector('[data-f=muted]').hidden",
        row(3)
    ))?;
    let third = mac(3);
    let is_muted = |line: &str| line.contains(&third) && line.contains("muted");
    party.lists("muted", |list| list.lines().any(is_muted))?;
    menu(browser, 3, "mute")?;
    party.lists("heard", |list| !list.lines().any(is_muted))?;

    for (who, before) in [(Some(8), "player-08"), (None, ROOM)] {
        match who {
            Some(number) => menu(browser, number, "rename")?,
            None => browser.press("[data-do=renameParty]")?,
        }
        browser.until("by('rename').open")?;
        browser.keys("zoe\u{e007}")?;
        browser.until("!by('rename').open")?;
        let shown = match who {
            Some(number) => format!("{}.querySelector('.name').textContent", row(number)),
            None => "by('name').textContent".to_owned(),
        };
        browser.until(&format!("{shown} == 'zoe'"))?;
        if who.is_some() {
            party.lists("renamed", |list| list.contains("zoe"))?;
        }
        undo(browser)?;
        browser.until(&format!("{shown} == {}", json!(before)))?;
    }

    menu(browser, 7, "kick")?;
    browser.press("#confirm-yes")?;
    rows(browser, 7)?;
    let (kicked, banned) = (mac(7), mac(6));
    party.lists("kicked", |list| {
        list.contains("7 players") && !list.contains(&kicked)
    })?;
    menu(browser, 6, "ban")?;
    browser.press("#confirm-yes")?;
    rows(browser, 6)?;
    browser.until("!by('bans').hidden && by('ban-list').textContent.includes('player-06')")?;
    party.says(&["bans"], "banned", |bans| bans.contains(&banned))?;
    browser.press("#ban-list [data-do=unban]")?;
    browser.until("by('bans').hidden")?;
    party.says(&["bans"], "let in", |bans| !bans.contains(&banned))?;
    browser.until("by('event-list').textContent.includes('player-06')")?;
    party.come(6..=7)?;
    rows(browser, 8)?;
    let complaints = browser.complaints()?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

pub(crate) fn what_was_tried_is_shown_and_allowed(party: &Party) -> Result<()> {
    let browser = party.open()?;
    rows(browser, 8)?;
    browser.press("[name=reach][value=games]")?;
    browser.press("#reach-form [type=submit]")?;
    browser.until("by('reach-now').textContent == 'games only'")?;
    let games = "Players reach games on the LAN, and nothing else.";
    party.says(&["reach"], "games only", |said| said.contains(games))?;

    tries_and_is_not_let(party)?;
    let shown = browser.value("by('attempt-list').textContent")?;
    let shown = shown.as_str().context("a row")?;
    for word in ["player-01", "192.168.50.12:445", "file shares", "TCP"] {
        ensure!(shown.contains(word), "no {word} in {shown}");
    }
    let is_told = |line: &str| line.starts_with("player-01") && line.contains(SHARE);
    party.says(&["reach"], "the same", |said| said.lines().any(is_told))?;

    browser.press("#attempt-list [data-do=allow]")?;
    browser.until(&format!(
        "by('reach-now').textContent == 'games only, and {SHARE}'"
    ))?;
    // What is allowed was nothing to tell of.
    browser.until("by('attempts').hidden")?;
    let allowed = format!("Players reach games on the LAN and {SHARE}");
    party.says(&["reach"], "allowed", |said| said.starts_with(&allowed))?;
    let refusals = || party.venue.lan2.counter("TcpOutRsts");
    let before = refusals()?;
    eventually("the machine hears the player", SOON, || {
        party.knocks(1).ok()?;
        (refusals().ok()? > before).then_some(())
    })?;
    undo(browser)?;
    browser.until("by('reach-now').textContent == 'games only'")?;
    party.says(&["reach"], "taken back", |said| said.contains(games))?;

    menu(browser, 2, "ownReach")?;
    browser.press("#own-reach [value=only]")?;
    browser.press("#own-reach-text")?;
    browser.keys("nas")?;
    browser.press("#own-reach-yes")?;
    browser.until("!by('own-reach-trouble').hidden && by('own-reach-trouble').textContent.includes('IP address')")?;
    browser.run("by('own-reach-text').value = ''", &[])?;
    browser.press("#own-reach-text")?;
    browser.keys("192.168.50.11:445")?;
    browser.press("#own-reach-yes")?;
    browser.until("!by('own-reach').open")?;
    let chip = format!("{}.querySelector('[data-f=ownReach]')", row(2));
    browser.until(&format!(
        "!{chip}.hidden && {chip}.textContent == 'may reach 192.168.50.11:445'"
    ))?;
    let own = "player-02 reaches 192.168.50.11:445";
    party.says(&["reach"], "its own", |said| said.contains(own))?;
    // What is allowed to everybody is so to this one, and is taken back from this one as well.
    tries_and_is_not_let(party)?;
    browser.press("#attempt-list [data-do=allow]")?;
    let too = format!("{own}, {SHARE}");
    party.says(&["reach"], "this one too", |said| said.contains(&too))?;
    undo(browser)?;
    party.says(&["reach"], "from both", |said| {
        said.contains(own) && said.contains(games) && !said.contains(&too)
    })?;
    menu(browser, 2, "ownReach")?;
    browser.press("#own-reach [value='']")?;
    browser.press("#own-reach-yes")?;
    browser.until(&format!("{chip}.hidden"))?;
    party.says(&["reach"], "as everybody", |said| !said.contains(own))?;

    browser.press("[name=reach][value=everything]")?;
    browser.press("#reach-form [type=submit]")?;
    party.says(&["reach"], "everything", |said| {
        said.starts_with("Players reach everything")
    })
}

fn tries_and_is_not_let(party: &Party) -> Result<()> {
    let told = "!by('attempts').hidden && by('attempt-list').children.length == 1";
    eventually("the page tells what was tried", SOON, || {
        party.knocks(1).ok()?;
        (party.browser.value(told).ok()? == true).then_some(())
    })
}

pub(crate) fn the_invite_is_the_real_one(party: &Party) -> Result<()> {
    let old = party.ctl(&["invite"])?;
    let old = Invite::find(&old)?;
    let browser = party.open()?;
    browser.press("[data-do=invite]")?;
    browser.until("!by('invite-shown').hidden")?;
    ensure!(
        invite(party)? == old,
        "the page has another invite than ctl"
    );
    browser.press("#invite [data-do=newKey]")?;
    browser.press("#confirm-yes")?;
    browser.until("by('invite').open && by('invite-link').value.startsWith('lanparty://')")?;
    let new = invite(party)?;
    ensure!(new.key != old.key, "the key is the old one");
    ensure!(
        new == Invite::find(&party.ctl(&["invite"])?)?,
        "ctl has another"
    );
    browser.press("#invite [data-do=close]")?;
    // Who is in stays in.
    rows(browser, 8)
}

/// What the page shows as a link and as a picture, which must be the same.
fn invite(party: &Party) -> Result<Invite> {
    let browser = &party.browser;
    let link = browser.value("by('invite-link').value")?;
    let link = Invite::find(link.as_str().context("a link")?)?;
    let file = party.venue.lab.write("qr.b64", &browser.picture()?)?;
    let read = format!("base64 -d {file} > qr.png && zbarimg --quiet --raw qr.png");
    let text = party.venue.gateway.run(["sh", "-c", &read])?;
    ensure!(Invite::find(&text)? == link, "the picture is of another");
    Ok(link)
}

pub(crate) fn the_hall_has_names_and_pings_and_nothing_more(party: &Party) -> Result<()> {
    let browser = &party.browser;
    party.ctl(&["rename", "--party", "Friday at Bo’s"])?;
    // What Minecraft says of a world that was opened to the LAN.
    let world = speaker((&party.venue.lan1, Venue::LAN1))?;
    let says = || {
        world.send_to(
            b"[MOTD]Bo - World[/MOTD][AD]54321[/AD]",
            (Ipv4Addr::new(224, 0, 2, 60), 4445),
        )
    };
    eventually("the game is heard", SOON, || {
        says().ok()?;
        party
            .ctl(&["games"])
            .ok()?
            .contains("Minecraft")
            .then_some(())
    })?;
    for scheme in ["light", "dark"] {
        browser.look(1920, 1080, scheme)?;
        browser.go(&format!("http://{HALL}/"))?;
        rows(browser, 8)?;
        browser.until("by('name').textContent == 'Friday at Bo’s'")?;
        browser.until("by('game-list').innerText.includes('Minecraft')")?;
        browser.until(&format!(
            "by('player-list').innerText.includes({})",
            json!(WIDE)
        ))?;
        browser.until("!/02:1a|192\\.168|10\\.9\\./.test(document.documentElement.textContent)")?;
        browser.until(APART)?;
        browser.until("document.documentElement.scrollHeight <= innerHeight")?;
    }
    browser.look(1440, 1000, "light")
}

/// No card and no name lies over another, or out of its card.
const APART: &str = "(() => {
    const boxes = [...by('player-list').children].map((card) => card.getBoundingClientRect());
    const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return boxes.every((a, at) => boxes.slice(at + 1).every((b) => !over(a, b)))
        && [...by('player-list').children].every((card) => card.scrollWidth <= card.clientWidth
            && !over(card.querySelector('.name').getBoundingClientRect(), card.querySelector('.q').getBoundingClientRect()));
})()";

pub(crate) fn sixty_four_players_have_room(party: &Party) -> Result<()> {
    let browser = party.open()?;
    for (first, all) in [(9, 32), (33, 64)] {
        party.come(first..=all)?;
        rows(browser, all.into())?;
        browser.until("document.documentElement.scrollWidth <= innerWidth")?;
        let counted = format!("{all} players");
        party.lists("all", |list| list.contains(&counted))?;
    }
    browser.look(1920, 1080, "dark")?;
    browser.go(&format!("http://{HALL}/"))?;
    rows(browser, 64)?;

    browser.until(APART)?;
    browser.until("document.documentElement.scrollHeight <= innerHeight")?;
    browser.look(1440, 1000, "light")
}

pub(crate) fn a_killed_gateway_comes_back_by_itself(party: &Party) -> Result<()> {
    let browser = party.open()?;
    browser.until("by('player-list').children.length >= 8")?;
    browser.run("window.same = true", &[])?;
    party.gateway().kill()?;
    browser.until("by('banner').textContent.startsWith('Connection lost, trying again.')")?;
    let again = party.venue.gateway.spawn("gateway-again", &party.open)?;
    *party.gateway() = again;
    browser.until("same && by('banner').hidden && by('player-list').children.length >= 8")
}

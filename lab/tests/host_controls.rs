//! The host's hand on the room while everybody plays: `lanparty-gateway ctl`, seen from the players' machines.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::traffic::Pings;
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Spare, Suite, Venue, World, checks, eventually,
};
use lanparty_lab::{program, run};

const SOON: Duration = Duration::from_secs(30);
/// Where others have the processor all evening, they may take one ping of two hundred. Whoever comes anew for an order of the host's
/// loses several in a row, each time.
const BUSY_LOSS: f32 = 0.005;
const TO_SPARE: f64 = 0.2;
const ROOM: &str = "FRIDAY-LAN";
/// The player who plays on, and the one who gets into trouble.
const GOOD: &str = "02:00:00:00:00:01";
const BAD: &str = "02:00:00:00:00:02";
/// The one who is banned.
const MALLORY: &str = "02:00:00:00:00:66";
const BANNED: &str = "the host has banned you from this room";

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let all = checks![
        the_list_has_both_players_and_their_addresses,
        the_link_is_told_in_numbers_that_move,
        the_party_page_shows_the_party_and_orders,
        a_locked_room_lets_nobody_in,
        players_who_are_kept_apart_have_the_lan_and_not_each_other,
        who_is_not_there_cannot_be_kicked,
        a_banned_player_is_told_so_and_stays_out_with_another_mac,
        a_kicked_player_is_told_so_and_ends,
        after_a_new_key_the_old_invite_opens_nothing_and_the_new_one_does,
        where_no_gateway_runs_ctl_says_so,
        and_the_other_player_lost_no_packet_by_all_that,
        a_gateway_that_is_started_anew_still_bans,
        no_log_and_no_command_line_has_a_key,
    ];
    run(&needs, [Suite::new("host_controls", Table::lay, all)])
}

/// A host and two players; the first one's pings to the LAN go on all the time.
struct Table {
    began: Instant,
    spare: Spare,
    pings: Pings,
    bad: Process,
    good: Process,
    gateway: Process,
    /// With what the gateway is started.
    open: Vec<String>,
    relay: Process,
    invite: String,
    venue: Venue,
}

impl World for Table {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway, &self.good, &self.bad];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Table {
    fn lay() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 3,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", with_trace("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM];

        let mut print = program("lanparty-gateway")?;
        print.push("invite".into());
        print.extend(place.map(Into::into));
        let invite = first_line(&venue.gateway.run(&print)?)?;

        let mut open = with_trace("lanparty-gateway")?;
        open.extend(place.map(Into::into));
        open.extend(["--interface", "eth0"].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", &open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;

        venue.lab.write("invite.txt", &invite)?;
        let good = join(&venue.remotes[0], "good", GOOD, "invite.txt")?;
        let bad = join(&venue.remotes[1], "bad", BAD, "invite.txt")?;
        for (machine, client) in venue.remotes.iter().zip([&good, &bad]) {
            is_on_the_lan(machine, client)?;
        }
        let pings = Pings::start(&venue.remotes[0], Venue::LAN1, 20, 56)?;
        let (began, spare) = (Instant::now(), Spare::now()?);
        pings.wait_for_answers(began, 5, SOON)?;
        Ok(Table {
            began,
            spare,
            pings,
            bad,
            good,
            gateway,
            open,
            relay,
            invite,
            venue,
        })
    }

    fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    /// What the page on the gateway's machine answers: all of it, or up to a line with this where it does not end.
    fn http(&self, request: &str, last: &str) -> Result<String> {
        let script = "exec 3<>/dev/tcp/127.0.0.1/4480; printf %s \"$1\" >&3; timeout 20 sed \"/$2/q\" <&3; true";
        let asked = ["bash", "-c", script, "bash", request, last];
        let answer = self.venue.gateway.output(asked)?;
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }

    /// A newcomer's client says this and tries again, as it may be let in later.
    fn keeps_out(&self, title: &str, says: &str) -> Result<()> {
        let mac = "02:00:00:00:00:03";
        let newcomer = join(&self.venue.remotes[2], title, mac, "invite.txt")?;
        newcomer.wait_for_line(says, SOON)?;
        let status = newcomer.interrupt()?;
        ensure!(status.success(), "{status}:\n{}", newcomer.tail(20));
        Ok(())
    }
}

/// The pings alone are a hundred frames in five seconds.
fn the_link_is_told_in_numbers_that_move(table: &Table) -> Result<()> {
    let stats = || serde_json::from_str(&table.ctl(&["stats"]).ok()?).ok();
    let first: serde_json::Value = eventually("there are numbers", SOON, stats)?;
    eventually("the numbers move", SOON, || {
        let now: serde_json::Value = stats()?;
        let grows = |name: &str| now[name].as_u64() > first[name].as_u64();
        // What goes straight waits in no queue of the relay's link.
        let waits = &now["link"]["queue"]["waits"];
        let counted = waits["frames"].as_u64().is_some();
        (grows("frames_to_relay") && grows("datagrams_to_relay") && counted).then_some(())
    })
}

fn the_list_has_both_players_and_their_addresses(table: &Table) -> Result<()> {
    // The counters, and with them the round trips, come every five seconds.
    let list = eventually("the list has both round trips", SOON, || {
        let list = table.ctl(&["list"]).ok()?;
        (list.matches(" ms ").count() == 2).then_some(list)
    })?;
    for (machine, (mac, name)) in table
        .venue
        .remotes
        .iter()
        .zip([(GOOD, "good"), (BAD, "bad")])
    {
        let address = machine.ipv4(Player::TAP).context("an address")?.to_string();
        let has =
            |line: &str| line.starts_with(&format!("{mac}  {name}")) && line.contains(&address);
        ensure!(list.lines().any(has), "no {mac} with {address}:\n{list}");
    }
    ensure!(list.lines().any(|line| line == "2 players."), "{list}");
    Ok(())
}

fn the_party_page_shows_the_party_and_orders(table: &Table) -> Result<()> {
    let said = table.ctl(&["page"])?;
    let link = first_line(&said)?;
    let (page, token) = link.split_once("/#t=").context("a token")?;
    ensure!(
        page == "http://127.0.0.1:4480" && token.len() == 22,
        "{said}"
    );
    ensure!(
        !table.gateway.log().contains(token),
        "the log has the token"
    );
    let own = format!(
        "Host: 127.0.0.1:4480\r\nOrigin: {page}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    );
    let post = |path: &str, headers: &str, body: &str| {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\n{own}{headers}Content-Length: {length}\r\n\r\n{body}");
        table.http(&request, "no such line")
    };
    let order = r#"{"do":"isolate","on":true}"#;
    let forged = post("/order", "", order)?;
    ensure!(forged.starts_with("HTTP/1.1 403 "), "{forged}");
    let swapped = post("/session", "", &format!(r#"{{"token":"{token}"}}"#))?;
    let cookie = swapped
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie
        .and_then(|cookie| cookie.split(';').next())
        .context("a cookie")?;
    let cookie = format!("Cookie: {cookie}\r\n");
    let watch = format!("GET /events HTTP/1.1\r\nHost: 127.0.0.1:4480\r\n{cookie}\r\n");
    let shown = table.http(&watch, BAD)?;
    ensure!(
        shown.contains(ROOM) && shown.contains(GOOD) && shown.contains(BAD),
        "{shown}"
    );
    let done = post("/order", &cookie, order)?;
    ensure!(
        done.starts_with("HTTP/1.1 200 ") && done.contains("done"),
        "{done}"
    );
    let list = table.ctl(&["list"])?;
    ensure!(list.contains("apart"), "{list}");
    let link = post("/order", &cookie, r#"{"do":"page"}"#)?;
    ensure!(!link.contains(token), "the page tells its own link");
    post("/order", &cookie, r#"{"do":"isolate","on":false}"#)?;
    Ok(())
}

fn a_locked_room_lets_nobody_in(table: &Table) -> Result<()> {
    table.ctl(&["lock"])?;
    let list = table.ctl(&["list"])?;
    ensure!(list.contains("the room is locked"), "{list}");
    table.keeps_out("locked", "the host has locked the room")?;
    table.ctl(&["unlock"])?;
    Ok(())
}

fn players_who_are_kept_apart_have_the_lan_and_not_each_other(table: &Table) -> Result<()> {
    let [good, bad, ..] = &table.venue.remotes[..] else {
        unreachable!("three remotes were planned")
    };
    let target = good.ipv4(Player::TAP).context("an address")?;
    bad.pings(target, 56)?;
    table.ctl(&["isolate", "on"])?;
    bad.pings(Venue::LAN1, 56)?;
    // The order is the gateway's; the relay, which keeps players apart, hears of it a moment later.
    let target_text = target.to_string();
    eventually("the players do not hear each other", SOON, || {
        let ping = ["ping", "-c", "3", "-i", "0.2", "-W", "1", &target_text];
        let heard = bad.output(ping).ok()?;
        (!heard.status.success()).then_some(())
    })?;
    table.ctl(&["isolate", "off"])?;
    eventually("they hear each other again", SOON, || {
        bad.pings(target, 56).ok()
    })
}

fn who_is_not_there_cannot_be_kicked(table: &Table) -> Result<()> {
    let error = refused(table.ctl(&["kick", "02:00:00:00:00:77"]))?;
    ensure!(error.contains("no player"), "{error}");
    Ok(())
}

fn a_banned_player_is_told_so_and_stays_out_with_another_mac(table: &Table) -> Result<()> {
    let machine = &table.venue.remotes[2];
    let mallory = join(machine, "mallory", MALLORY, "invite.txt")?;
    is_on_the_lan(machine, &mallory)?;
    table.ctl(&["ban", "mallory"])?;
    ends_with(&mallory, BANNED)?;
    let disguised = join(machine, "mallory", "02:00:00:00:00:67", "invite.txt")?;
    ends_with(&disguised, BANNED)?;
    let bans = table.ctl(&["bans"])?;
    ensure!(bans.contains(MALLORY) && bans.contains("mallory"), "{bans}");
    Ok(())
}

/// The last for the gateway of the beginning.
fn a_gateway_that_is_started_anew_still_bans(table: &Table) -> Result<()> {
    let status = table.gateway.interrupt()?;
    ensure!(status.success(), "{status}");
    let again = table.venue.gateway.spawn("gateway-again", &table.open)?;
    again.wait_for_line("As you ordered before: 1 player is banned.", SOON)?;
    again.wait_for_line("connected to the relay", SOON)?;
    let machine = &table.venue.remotes[2];
    let mallory = join(machine, "mallory", MALLORY, "new-invite.txt")?;
    ends_with(&mallory, BANNED)?;
    table.ctl(&["unban", "mallory"])?;
    let forgiven = join(machine, "mallory", MALLORY, "new-invite.txt")?;
    is_on_the_lan(machine, &forgiven)?;
    for program in [&forgiven, &again] {
        ensure!(program.interrupt()?.success(), "{}", program.tail(20));
    }
    Ok(())
}

fn ends_with(process: &Process, sentence: &str) -> Result<()> {
    let status = process.wait(SOON)?;
    let log = process.log();
    let told = |line: &str| line.starts_with("error: ") && line.contains(sentence);
    ensure!(
        status.code() == Some(1) && log.lines().any(told),
        "{status}, without `{sentence}`:\n{log}"
    );
    Ok(())
}

fn a_kicked_player_is_told_so_and_ends(table: &Table) -> Result<()> {
    table.ctl(&["kick", "bad"])?;
    ends_with(&table.bad, "the host has sent you out of the room")?;
    table
        .gateway
        .wait_for_line(&format!("Player bad ({BAD}, "), SOON)?;
    Ok(())
}

fn after_a_new_key_the_old_invite_opens_nothing_and_the_new_one_does(table: &Table) -> Result<()> {
    let invite = first_line(&table.ctl(&["rotate", "--name", "Friday"])?)?;
    ensure!(invite != table.invite, "the key is the old one");
    table.venue.lab.write("new-invite.txt", &invite)?;
    table.keeps_out("old-key", "the invite opens no room now")?;
    let machine = &table.venue.remotes[1];
    let back = join(machine, "new-key", BAD, "new-invite.txt")?;
    is_on_the_lan(machine, &back)?;
    let status = back.interrupt()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn where_no_gateway_runs_ctl_says_so(table: &Table) -> Result<()> {
    let mut command = program("lanparty-gateway")?;
    command.extend(["ctl", "list"].map(Into::into));
    let error = refused(table.venue.lan1.run(command))?;
    ensure!(error.contains("no gateway runs here"), "{error}");
    Ok(())
}

fn and_the_other_player_lost_no_packet_by_all_that(table: &Table) -> Result<()> {
    let now = Instant::now();
    table.pings.wait_for_answers(now, 5, SOON)?;
    let report = table.pings.report(table.began, now);
    let had_time = table.spare.was_more_than(TO_SPARE)?;
    let allowed = if had_time { 0.0 } else { BUSY_LOSS };
    ensure!(
        report.sent > 20 && report.lost_part() <= allowed,
        "{report:?}"
    );
    Ok(())
}

fn no_log_and_no_command_line_has_a_key(table: &Table) -> Result<()> {
    let folder = table.venue.lab.folder();
    let read = |name: &str| fs::read_to_string(folder.join(name)).context(name.to_owned());
    let new = read("new-invite.txt")?;
    let state = format!("{}-state", table.venue.gateway.name());
    let secrets = ["gateway.identity-key", "gateway.host-secret"];
    let mut keys = Vec::new();
    for secret in secrets {
        keys.push(read(&format!("{state}/{secret}"))?);
    }
    for invite in [&table.invite, &new] {
        let (_, payload) = invite.trim().rsplit_once('/').context("a payload")?;
        keys.push(payload.to_owned());
        keys.push(Invite::find(invite)?.key.reveal());
    }
    for title in ["good", "bad", "mallory"] {
        let identity = read(&format!("identity-{title}.json"))?;
        let (_, rest) = identity.split_once("\"key\": \"").context("a key")?;
        keys.push(rest.split('"').next().unwrap_or(rest).to_owned());
    }
    for key in &keys {
        ensure!(key.len() >= 22, "{key:?} is no key");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                ensure!(!log.contains(key), "{} has a key", path.display());
            }
        }
        for entry in fs::read_dir("/proc")? {
            // Most entries are no processes, and some end meanwhile.
            let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            ensure!(!line.contains(key), "{line}");
        }
    }
    Ok(())
}

fn join(machine: &Machine, title: &str, mac: &str, invite: &str) -> Result<Process> {
    let mut join = with_trace("lanparty-client")?;
    join.extend([format!("@{invite}"), "--dhcp".into()]);
    let identity = format!("identity-{title}.json");
    join.extend(
        [
            "--name",
            title,
            "--identity",
            &identity,
            "--virtual-mac",
            mac,
        ]
        .map(Into::into),
    );
    machine.spawn(title, join)
}

fn is_on_the_lan(machine: &Machine, client: &Process) -> Result<()> {
    let leased = eventually("the player gets a LAN address", SOON, || {
        machine.ipv4(Player::TAP)
    });
    leased.with_context(|| client.tail(30)).map(drop)
}

fn refused(outcome: Result<String>) -> Result<String> {
    match outcome {
        Ok(said) => bail!("it is done: {said}"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

fn first_line(text: &str) -> Result<String> {
    text.lines().next().context("an invite").map(Into::into)
}

fn with_trace(name: &str) -> Result<Vec<String>> {
    let mut command = program(name)?;
    command.extend(["--log", "trace"].map(Into::into));
    Ok(command)
}

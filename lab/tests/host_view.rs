//! What the host sees while everybody plays: the gateway's snapshot, and `ctl` as a view of it.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually,
};
use lanparty_lab::{program, run};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const ROOM: &str = "FRIDAY-LAN";
const ANN: &str = "02:00:00:00:00:01";
const BERT: &str = "02:00:00:00:00:02";
const LATE: &str = "02:00:00:00:00:03";

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "bash"]);
    let all = checks![
        the_snapshot_has_players_with_figures_addresses_and_leases,
        list_and_status_show_what_the_snapshot_has,
        a_newcomer_has_figures_within_seconds,
        a_player_is_known_by_any_case_and_by_the_hosts_own_name,
        a_game_on_the_lan_is_in_the_snapshot,
        who_says_nothing_at_the_socket_holds_up_nobody,
        the_invite_is_shown_again_and_a_new_key_is_kept_by_the_gateway,
        the_partys_new_name_is_in_its_invites,
        a_cable_that_is_out_is_a_warning_and_an_event_until_it_is_back,
        a_player_who_leaves_is_an_event_with_the_reason,
        no_event_and_no_log_has_the_key,
    ];
    run(&needs, [Suite::new("host_view", Table::lay, all)])
}

struct Table {
    ann: Process,
    bert: Process,
    gateway: Process,
    relay: Process,
    place: Vec<String>,
    venue: Venue,
}

impl World for Table {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway, &self.ann, &self.bert];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Table {
    fn lay() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 3,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let relay_at = Venue::RELAY.to_string();
        let place = ["--relay", &relay_at, "--pin", &pin, "--room", ROOM];
        let place: Vec<String> = place.map(Into::into).into();

        let mut print = program("lanparty-gateway")?;
        print.push("invite".into());
        print.extend(place.iter().cloned());
        let invite = venue.gateway.run(&print)?;
        venue.lab.write("invite.txt", &invite)?;

        let mut open = program("lanparty-gateway")?;
        open.extend(place.iter().cloned());
        open.extend(["--interface", "eth0"].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", &open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let ann = join(&venue.remotes[0], "Ann", ANN)?;
        let bert = join(&venue.remotes[1], "Bert", BERT)?;
        for (machine, client) in venue.remotes.iter().zip([&ann, &bert]) {
            is_on_the_lan(machine, client)?;
        }
        Ok(Table {
            ann,
            bert,
            gateway,
            relay,
            place,
            venue,
        })
    }

    fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    fn snapshot(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.ctl(&["snapshot"])?)?)
    }

    /// The snapshot once it is like this.
    fn shows(&self, what: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        let shown = eventually(what, SOON, || {
            last = self.snapshot().ok()?;
            like(&last).then(|| last.clone())
        });
        shown.with_context(|| format!("{last:#}"))
    }
}

fn player<'a>(snapshot: &'a Value, mac: &str) -> Option<&'a Value> {
    let players = snapshot["players"].as_array()?;
    players.iter().find(|player| player["mac"] == *mac)
}

fn told(snapshot: &Value, words: &str) -> bool {
    let events = snapshot["events"].as_array().into_iter().flatten();
    let mut sentences = events.filter_map(|event| event["sentence"].as_str());
    sentences.any(|sentence| sentence.contains(words))
}

fn the_snapshot_has_players_with_figures_addresses_and_leases(table: &Table) -> Result<()> {
    let now = table.shows("both players have figures", |now| {
        let whole = |mac| {
            player(now, mac).is_some_and(|one| {
                let of_minute = one["pings_us"].as_array().map_or(0, Vec::len);
                one["ping_us"].as_u64() > Some(0) && of_minute > 2
            })
        };
        whole(ANN) && whole(BERT)
    })?;
    ensure!(now["link"]["state"] == "connected", "{now:#}");
    ensure!(now["lan"]["up"] == true, "{now:#}");
    ensure!(
        now["warnings"].as_array().is_some_and(Vec::is_empty),
        "{now:#}"
    );
    for (machine, mac, name) in [
        (&table.venue.remotes[0], ANN, "Ann"),
        (&table.venue.remotes[1], BERT, "Bert"),
    ] {
        let address = machine.ipv4(Player::TAP).context("an address")?.to_string();
        let one = player(&now, mac).context("a player")?;
        ensure!(
            one["name"] == name && one["addresses"][0] == *address,
            "{one:#}"
        );
        let leases = now["leases"].as_array().context("leases")?;
        let is_lent = |lease: &&Value| {
            lease["mac"] == *mac
                && lease["address"] == *address
                && lease["server"] == "192.168.50.1"
                && lease["seconds"].as_u64() > Some(60)
        };
        ensure!(leases.iter().any(|lease| is_lent(&lease)), "{leases:#?}");
        ensure!(told(&now, &format!("{name} ({mac}) joined.")), "{now:#}");
        let got = format!("{name} ({mac}) has got the LAN address {address}.");
        ensure!(told(&now, &got), "{now:#}");
        table
            .gateway
            .wait_for_line(&format!("Player {name} ({mac}) joined."), SOON)?;
    }
    Ok(())
}

fn list_and_status_show_what_the_snapshot_has(table: &Table) -> Result<()> {
    let now = table.snapshot()?;
    let (list, status) = (table.ctl(&["list"])?, table.ctl(&["status"])?);
    for mac in [ANN, BERT] {
        let one = player(&now, mac).context("a player")?;
        let address = one["addresses"][0].as_str().context("an address")?;
        let key = one["key"].as_str().context("a key")?;
        for text in [&list, &status] {
            let line = text.lines().find(|line| line.starts_with(mac));
            let line = line.with_context(|| text.clone())?;
            ensure!(line.contains(address) && line.contains(key), "{line}");
        }
    }
    ensure!(status.contains("Connected to the relay"), "{status}");
    ensure!(status.contains("joined."), "{status}");
    let lines = table.ctl(&["list", "--json"])?;
    ensure!(lines.lines().count() == 2, "{lines}");
    let line: Value = serde_json::from_str(lines.lines().next().unwrap_or_default())?;
    ensure!(line["name"] == "Ann", "{line}");
    Ok(())
}

/// Counters come every five seconds, and rates need two of them; so that would be ten.
fn a_newcomer_has_figures_within_seconds(table: &Table) -> Result<()> {
    let late = join(&table.venue.remotes[2], "late", LATE)?;
    is_on_the_lan(&table.venue.remotes[2], &late)?;
    let began = Instant::now();
    table.shows("the newcomer's ping and rates", |now| {
        player(now, LATE).is_some_and(|one| {
            let rates = &one["rates"];
            one["ping_us"].as_u64() > Some(0) && rates["to_lan"].as_u64() > Some(0)
        })
    })?;
    let took = began.elapsed();
    println!("figures after {took:?}");
    ensure!(took < Duration::from_secs(6), "{took:?}");
    ensure!(late.interrupt()?.success(), "{}", late.tail(20));
    Ok(())
}

fn a_player_is_known_by_any_case_and_by_the_hosts_own_name(table: &Table) -> Result<()> {
    let said = table.ctl(&["mute", "bERT"])?;
    ensure!(
        said.starts_with(&format!("Bert ({BERT}) is muted")),
        "{said}"
    );
    let now = table.snapshot()?;
    ensure!(
        player(&now, BERT).context("Bert")?["muted"] == true,
        "{now:#}"
    );
    table.ctl(&["rename", "bert", "Uncle Bert"])?;
    let now = table.snapshot()?;
    let bert = player(&now, BERT).context("Bert")?;
    ensure!(
        bert["name"] == "Uncle Bert" && bert["own_name"] == "Bert",
        "{bert}"
    );
    let said = table.ctl(&["unmute", "uncle bert"])?;
    ensure!(
        said.contains(&format!("Uncle Bert ({BERT}) is heard again")),
        "{said}"
    );
    let said = table.ctl(&["rename", BERT, ""])?;
    ensure!(said.contains("Bert again"), "{said}");
    let now = table.snapshot()?;
    for order in ["is muted", "is heard again", "from now on"] {
        ensure!(told(&now, order), "{order}: {now:#}");
    }
    Ok(())
}

fn a_game_on_the_lan_is_in_the_snapshot(table: &Table) -> Result<()> {
    let lan1 = &table.venue.lan1;
    lan1.ip("route add 224.0.0.0/4 dev eth0")?;
    let announce = "printf '[MOTD]Cellar[/MOTD][AD]25565[/AD]' > /dev/udp/224.0.2.60/4445";
    eventually("the world is in the snapshot", SOON, || {
        lan1.run(["bash", "-c", announce]).ok()?;
        let now = table.snapshot().ok()?;
        let games = now["games"].as_array()?;
        games
            .iter()
            .any(|game| game["server"] == "Cellar")
            .then_some(())
    })
}

fn who_says_nothing_at_the_socket_holds_up_nobody(table: &Table) -> Result<()> {
    let state = format!("{}-state", table.venue.gateway.name());
    let socket = find(
        table.venue.lab.folder().join(state),
        "lanparty-gateway-eth0.ctl",
    )?;
    let silent: Vec<_> = (0..8).map(|_| UnixStream::connect(&socket)).collect();
    let began = Instant::now();
    table.ctl(&["status"])?;
    // One after the other would take 40 s.
    ensure!(began.elapsed() < SOON, "{:?}", began.elapsed());
    for stream in silent {
        drop(stream?);
    }
    Ok(())
}

fn the_invite_is_shown_again_and_a_new_key_is_kept_by_the_gateway(table: &Table) -> Result<()> {
    let before = Invite::find(&fs::read_to_string(
        table.venue.lab.folder().join("invite.txt"),
    )?)?;
    let shown = table.ctl(&["invite"])?;
    ensure!(
        shown.lines().count() == 1,
        "a pipe gets the link alone: {shown}"
    );
    ensure!(Invite::find(&shown)? == before, "it is the same invite");
    let renewed = Invite::find(&table.ctl(&["rotate"])?)?;
    ensure!(renewed.key != before.key, "the key is the old one");
    ensure!(Invite::find(&table.ctl(&["invite"])?)? == renewed);
    let now = table.snapshot()?;
    ensure!(told(&now, "The room has a new key"), "{now:#}");
    // The next start has it from the folder.
    let mut print = program("lanparty-gateway")?;
    print.push("invite".into());
    print.extend(table.place.iter().cloned());
    let kept = Invite::find(&table.venue.gateway.run(&print)?)?;
    ensure!(kept.key == renewed.key, "the gateway has not kept it");
    Ok(())
}

fn the_partys_new_name_is_in_its_invites(table: &Table) -> Result<()> {
    table.ctl(&["rename", "--party", "LAN in the cellar"])?;
    let invite = Invite::find(&table.ctl(&["invite"])?)?;
    let name = invite.name.context("a name")?;
    ensure!(name.as_str() == "LAN in the cellar", "{name}");
    ensure!(table.snapshot()?["party"]["name"] == "LAN in the cellar");
    Ok(())
}

fn a_cable_that_is_out_is_a_warning_and_an_event_until_it_is_back(table: &Table) -> Result<()> {
    let port = |state: &str| table.venue.switch.ip(&format!("link set gw {state}"));
    port("down")?;
    let now = table.shows("the cable is missed", |now| {
        now["warnings"][0]["id"] == "no_carrier"
    })?;
    ensure!(now["lan"]["up"] == false, "{now:#}");
    ensure!(
        now["players"].as_array().is_some_and(Vec::is_empty),
        "{now:#}"
    );
    let status = table.ctl(&["status"])?;
    ensure!(status.contains("plug its cable"), "{status}");
    match table.ctl(&["list"]) {
        Ok(list) => bail!("somebody is in: {list}"),
        Err(error) => ensure!(format!("{error:#}").contains("not connected"), "{error:#}"),
    }
    port("up")?;
    let now = table.shows("everybody is back", |now| {
        let is_in = |mac| player(now, mac).is_some();
        is_in(ANN) && is_in(BERT) && now["warnings"].as_array().is_some_and(Vec::is_empty)
    })?;
    ensure!(
        told(&now, "plug its cable") && told(&now, "eth0 is back."),
        "{now:#}"
    );
    Ok(())
}

fn a_player_who_leaves_is_an_event_with_the_reason(table: &Table) -> Result<()> {
    ensure!(table.bert.interrupt()?.success(), "{}", table.bert.tail(20));
    let now = table.shows("Bert is gone", |now| player(now, BERT).is_none())?;
    ensure!(told(&now, "left: it said goodbye."), "{now:#}");
    let address = format!("Player Bert ({BERT}, 192.168.50.");
    table.gateway.wait_for_line(&address, SOON)?;
    Ok(())
}

fn no_event_and_no_log_has_the_key(table: &Table) -> Result<()> {
    let invite = Invite::find(&table.ctl(&["invite"])?)?;
    let snapshot = table.ctl(&["snapshot"])?;
    for key in [invite.key.reveal(), invite.reveal()] {
        ensure!(!snapshot.contains(&key), "the snapshot has a key");
        ensure!(!table.gateway.log().contains(&key), "the log has a key");
    }
    Ok(())
}

fn find(folder: PathBuf, name: &str) -> Result<PathBuf> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|file| file == name) {
                return Ok(path);
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    bail!("there is no {name}")
}

fn join(machine: &Machine, name: &str, mac: &str) -> Result<Process> {
    let mut join = program("lanparty-client")?;
    let identity = format!("identity-{name}.json");
    let words = [
        "@invite.txt",
        "--dhcp",
        "--name",
        name,
        "--identity",
        &identity,
    ];
    join.extend(words.map(Into::into));
    join.extend(["--virtual-mac", mac].map(Into::into));
    machine.spawn(name, join)
}

fn is_on_the_lan(machine: &Machine, client: &Process) -> Result<()> {
    let leased = eventually("the player gets a LAN address", SOON, || {
        machine.ipv4(Player::TAP)
    });
    leased.with_context(|| client.tail(30)).map(drop)
}

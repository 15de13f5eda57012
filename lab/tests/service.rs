//! The service: whoever may use its socket joins, and what happens to the party, to views and to the service itself is
//! seen in its snapshots.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitCode, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_ctrl::RoomKey;
use lanparty_edge::invite::Invite;
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Spare, Suite, Venue, World, checks, eventually, pass,
    program, run,
};
use rustix::process::Signal;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);
const ROOM: &str = "FRIDAY-LAN";
/// Whoever is in this group may use the service.
const GROUP: u32 = 4242;
/// Two people of the player's machine.
const ANNA: u32 = 12_345;
const BERT: u32 = 12_346;
/// How soon a view must say that something is gone, where the machine has time for it; the service looks at its link four times a
/// second, and by then has asked (`lanparty-peer/src/pulse.rs`).
const TRUTH: Duration = Duration::from_secs(3);
/// Where others have the processor.
const BUSY: Duration = Duration::from_secs(6);
const TO_SPARE: f64 = 0.2;
/// So often at most something in a service without a party has a reason to look up, in ten seconds.
const LOOKS: u64 = 40;
/// In a party some fifteen times a second: it looks at its link, its address and its port.
const LOOKS_IN_A_PARTY: u64 = 500;

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping", "setpriv"]);
    let evening = checks![
        nobody_outside_the_group_comes_near_the_service,
        an_invite_is_joined_and_the_player_is_on_the_lan,
        what_json_says_is_what_is_watched,
        strangers_words_and_silence_disturb_nobody,
        a_second_person_reads_who_is_in_which_party,
        whom_polkit_lets_in_is_who_they_are,
        a_killed_service_comes_back_and_joins_again,
        a_relay_that_is_gone_is_said_within_three_seconds,
        a_gateway_that_is_gone_is_waited_for,
        a_lan_without_a_dhcp_server_is_a_state_with_an_address,
        who_is_kicked_reads_so_and_may_come_back_by_hand,
        a_locked_room_is_a_state_and_not_an_end,
        a_player_without_views_costs_next_to_nothing,
        who_leaves_leaves_no_trace,
        a_service_without_a_party_does_nothing,
        a_wrong_key_is_said,
        a_full_disk_keeps_nobody_from_playing,
        the_units_rights_are_enough,
    ];
    run(&needs, [Suite::new("service", Evening::begin, evening)])
}

/// A host, and a player's machine with the service.
struct Evening {
    service: Mutex<Process>,
    gateway: Mutex<Process>,
    relay: Mutex<Process>,
    open: Vec<String>,
    invite: String,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        [&self.relay, &self.gateway, &self.service]
            .map(|program| lock(program).tail(25))
            .join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM].map(String::from);
        let mut print = program("lanparty-gateway")?;
        print.extend(["invite".to_owned()].into_iter().chain(place.clone()));
        let printed = venue.gateway.run(&print)?;
        let invite = first_invite(&printed)?;
        let mut open = program("lanparty-gateway")?;
        open.extend(place);
        open.extend(["--interface", "eth0"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", &open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        // Other people of that machine get at the socket, if its own mode lets them.
        fs::set_permissions(venue.lab.folder(), fs::Permissions::from_mode(0o711))?;
        let service = start_service(&venue)?;
        Ok(Evening {
            service: Mutex::new(service),
            gateway: Mutex::new(gateway),
            relay: Mutex::new(relay),
            open,
            invite,
            venue,
        })
    }

    fn machine(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    fn socket(&self) -> PathBuf {
        self.venue.lab.folder().join("client.sock")
    }

    /// What root types.
    fn client(&self, words: &[&str]) -> Result<Output> {
        self.types(&[], words)
    }

    /// What somebody in the group types, or somebody who is not.
    fn person(&self, uid: u32, group: u32, words: &[&str]) -> Result<Output> {
        let ids = [format!("--reuid={uid}"), format!("--regid={group}")];
        let before = ["setpriv", &ids[0], &ids[1], "--clear-groups", "--"];
        self.types(&before, words)
    }

    fn types(&self, before: &[&str], words: &[&str]) -> Result<Output> {
        let mut command: Vec<String> = before.iter().map(|word| (*word).into()).collect();
        command.extend(program("lanparty-client")?);
        command.extend(words.iter().map(|word| (*word).into()));
        command.extend(["--socket", "client.sock"].map(String::from));
        self.machine().output(command)
    }

    /// The same for what must work.
    fn does(&self, words: &[&str]) -> Result<String> {
        let output = self.client(words)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{words:?} ended with {}:\n{said}{complained}",
            output.status
        );
        Ok(said)
    }

    fn snapshot(&self) -> Result<Value> {
        let output = self.client(&["status", "--json"])?;
        serde_json::from_slice(&output.stdout).context("a snapshot")
    }

    /// Waits until the service says that.
    fn is(&self, state: &str, deadline: Duration) -> Result<Value> {
        let mut last = Value::Null;
        let seen = eventually(&format!("the state is {state}"), deadline, || {
            last = self.snapshot().ok()?;
            (last["state"] == state).then(|| last.clone())
        });
        seen.with_context(|| format!("the last was {last}"))
    }

    fn joins(&self) -> Result<String> {
        let file = self.venue.lab.write("invite.txt", &self.invite)?;
        self.does(&["join", &format!("@{file}"), "--name", "Anna"])
    }
}

fn lock(program: &Mutex<Process>) -> MutexGuard<'_, Process> {
    program.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(' ').map(String::from)
}

fn start_service(venue: &Venue) -> Result<Process> {
    let mut command = program("lanparty-client")?;
    command.extend(words(
        "service --socket client.sock --state service --log debug",
    ));
    let service = venue.remotes[0].spawn("service", command)?;
    service.wait_for_line("Views are heard", SOON)?;
    let socket = venue.lab.folder().join("client.sock");
    std::os::unix::fs::chown(socket, None, Some(GROUP))?;
    Ok(service)
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

fn nobody_outside_the_group_comes_near_the_service(evening: &Evening) -> Result<()> {
    let mode = fs::metadata(evening.socket())?.permissions().mode();
    ensure!(mode & 0o777 == 0o660, "{mode:o}");
    let inside = evening.person(ANNA, GROUP, &["status"])?;
    ensure!(inside.status.code() == Some(3), "{}", said(&inside));
    let outside = evening.person(ANNA, GROUP + 1, &["status"])?;
    ensure!(outside.status.code() == Some(5), "{}", said(&outside));
    let lines = said(&outside);
    ensure!(lines.lines().count() == 1, "not one sentence:\n{lines}");
    Ok(())
}

fn an_invite_is_joined_and_the_player_is_on_the_lan(evening: &Evening) -> Result<()> {
    let begin = Instant::now();
    let said = evening.joins()?;
    println!("from `join` to connected: {:?}", begin.elapsed());
    ensure!(said.contains("Connected to the LAN"), "{said}");
    let snapshot = evening.snapshot()?;
    ensure!(snapshot["state"] == "connected", "{snapshot}");
    let address = evening.machine().ipv4(Player::TAP).context("an address")?;
    ensure!(
        snapshot["address"]["ip"] == address.to_string(),
        "{snapshot}"
    );
    evening.machine().pings(Venue::LAN1, 56)?;
    let lan = &snapshot["members"][0];
    ensure!(lan["is_gateway"] == true, "{snapshot}");
    let pinged = eventually("the ping is known", SOON, || {
        let snapshot = evening.snapshot().ok()?;
        snapshot["ping"]["us"].as_u64()
    })?;
    ensure!(pinged < 1_000_000, "{pinged}");
    let status = evening.does(&["status"])?;
    ensure!(status.starts_with("Connected for"), "{status}");
    println!("{status}");
    let invite = evening.does(&["invite"])?;
    ensure!(invite.contains("/FRIDAY-LAN/…"), "{invite}");
    let rooms = evening.does(&["rooms"])?;
    ensure!(rooms.contains(ROOM), "{rooms}");
    Ok(())
}

fn what_json_says_is_what_is_watched(evening: &Evening) -> Result<()> {
    let mut command = program("lanparty-client")?;
    command.extend(["status", "--json", "--watch", "--socket", "client.sock"].map(String::from));
    let watch = evening.machine().spawn("watch", command)?;
    watch.wait_for_line("\"state\"", SOON)?;
    let fields = [
        "version", "program", "state", "sentence", "party", "me", "address", "rooms",
    ];
    // Something may change between the two.
    let mut differ = String::new();
    let same = eventually("what is watched is what is asked", SOON, || {
        let asked = evening.snapshot().ok()?;
        let log = watch.log();
        let line = log.lines().rfind(|line| line.contains("\"state\""))?;
        let watched: Value = serde_json::from_str(line.trim()).ok()?;
        let other = fields
            .iter()
            .find(|field| watched[**field] != asked[**field]);
        differ = format!("{other:?}: {watched} {asked}");
        other.is_none().then_some(())
    });
    same.context(differ)?;
    // A view that is killed takes nothing with it.
    watch.kill()?;
    evening.machine().pings(Venue::LAN1, 56)
}

fn who_leaves_leaves_no_trace(evening: &Evening) -> Result<()> {
    let said = evening.does(&["leave"])?;
    ensure!(said.contains("You have left"), "{said}");
    ensure!(
        !evening.machine().has_interface(Player::TAP),
        "the adapter is there"
    );
    let routes = evening.machine().ip_shows("route")?;
    ensure!(!routes.contains(&Venue::RELAY.to_string()), "{routes}");
    let status = evening.client(&["status"])?;
    ensure!(status.status.code() == Some(3), "{status:?}");
    let left = evening.client(&["games"])?;
    ensure!(left.status.code() == Some(3), "{left:?}");
    Ok(())
}

fn strangers_words_and_silence_disturb_nobody(evening: &Evening) -> Result<()> {
    let log = lock(&evening.service).mark();
    let silent: Vec<_> = (0..1000)
        .map(|_| UnixStream::connect(evening.socket()))
        .collect();
    let mut deaf = UnixStream::connect(evening.socket())?;
    deaf.write_all(b"{\"do\":\"watch\"}\n")?;
    for words in [&b"\n"[..], b"{}\n", b"\xff\x00{{{\n", &[b'x'; 64 * 1024]] {
        let mut view = UnixStream::connect(evening.socket())?;
        view.set_read_timeout(Some(SOON))?;
        // It may have been given up before it has said all.
        let _ = view.write_all(words);
        let mut answer = Vec::new();
        let _ = view.read_to_end(&mut answer);
        ensure!(!answer.starts_with(b"{\"snapshot"), "{words:?} is answered");
    }
    let begin = Instant::now();
    ensure!(evening.snapshot()?["state"] == "connected");
    ensure!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    evening.machine().pings(Venue::LAN1, 56)?;
    drop((silent, deaf));
    let service = lock(&evening.service);
    let lines = service.log().lines().count() - log;
    ensure!(lines < 200, "strangers fill the log: {lines} lines");
    Ok(())
}

fn a_second_person_reads_who_is_in_which_party(evening: &Evening) -> Result<()> {
    evening.does(&["leave"])?;
    let file = evening.venue.lab.write("for-all.txt", &evening.invite)?;
    fs::set_permissions(
        evening.venue.lab.folder().join(&file),
        fs::Permissions::from_mode(0o644),
    )?;
    let join = ["join", &format!("@{file}")];
    let anna = evening.person(ANNA, GROUP, &join)?;
    ensure!(anna.status.success(), "{}", said(&anna));
    for order in [&join[..], &["leave"]] {
        let bert = evening.person(BERT, GROUP, order)?;
        let lines = said(&bert);
        let told = lines.contains("12345") && lines.contains(ROOM) && lines.lines().count() == 1;
        ensure!(bert.status.code() == Some(1) && told, "{lines}");
    }
    let rooms = evening.person(BERT, GROUP, &["rooms"])?;
    ensure!(
        said(&rooms).contains("No invite is kept"),
        "{}",
        said(&rooms)
    );
    let left = evening.person(ANNA, GROUP, &["leave"])?;
    ensure!(left.status.success(), "{}", said(&left));
    let again = evening.person(ANNA, GROUP, &["join", ROOM])?;
    ensure!(again.status.success(), "{}", said(&again));
    // An administrator may end it, and has rooms of their own.
    evening.does(&["leave"])?;
    evening.joins().map(drop)
}

/// As pkexec would run it, in a name space where the service is at its usual place.
fn whom_polkit_lets_in_is_who_they_are(evening: &Evening) -> Result<()> {
    let client = program("lanparty-client")?.concat();
    let bridge = |uid: &str| {
        let script = format!(
            "mount -t tmpfs none /run && mkdir /run/lanparty && ln -s {} /run/lanparty/client.sock && \
             printf '{{\"do\":\"status\"}}\\n{{\"do\":\"leave\"}}\\n' | env {uid} {client} bridge",
            evening.socket().display()
        );
        evening.machine().output(["sh", "-c", &script])
    };
    let anna = bridge(&format!("PKEXEC_UID={ANNA}"))?;
    let lines = said(&anna);
    ensure!(
        anna.status.success() && lines.trim().lines().count() == 2,
        "{lines}"
    );
    ensure!(
        lines.contains(&format!("\"name\":\"{ROOM}\"")),
        "not her rooms: {lines}"
    );
    ensure!(
        lines.contains("refused"),
        "she may not end root's party: {lines}"
    );
    let nobody = bridge("-u PKEXEC_UID")?;
    ensure!(!nobody.status.success(), "{}", said(&nobody));
    Ok(())
}

fn a_killed_service_comes_back_and_joins_again(evening: &Evening) -> Result<()> {
    let mut service = lock(&evening.service);
    service.kill()?;
    let gone = evening.client(&["status"])?;
    ensure!(gone.status.code() == Some(4), "{}", said(&gone));
    let begin = Instant::now();
    *service = start_service(&evening.venue)?;
    drop(service);
    evening.is("connected", SOON)?;
    println!("from the restart to connected: {:?}", begin.elapsed());
    evening.machine().pings(Venue::LAN1, 56)?;
    let routes = evening.machine().ip_shows("route")?;
    let pins = routes.matches(&Venue::RELAY.to_string()).count();
    ensure!(pins == 1, "{routes}");
    Ok(())
}

fn a_relay_that_is_gone_is_said_within_three_seconds(evening: &Evening) -> Result<()> {
    let mut relay = lock(&evening.relay);
    relay.kill()?;
    let (begin, spare) = (Instant::now(), Spare::now()?);
    let gone = evening.is("reconnecting", SOON)?;
    let had_time = spare.was_more_than(TO_SPARE)?;
    // By the service's own clock, as whoever asks may be slow.
    let since = Duration::from_millis(gone["state_ms"].as_u64().context("a time")?);
    let after = begin.elapsed().saturating_sub(since);
    println!("a dead relay is said after {after:?}");
    let allowed = if had_time { TRUTH } else { BUSY };
    ensure!(after < allowed, "{after:?}");
    ensure!(
        gone["address"].is_null() && gone["ping"]["us"].is_null(),
        "{gone}"
    );
    *relay = evening
        .venue
        .relay
        .spawn("relay", program("lanparty-relay")?)?;
    drop(relay);
    evening.is("connected", SOON).map(drop)
}

fn a_gateway_that_is_gone_is_waited_for(evening: &Evening) -> Result<()> {
    let mut gateway = lock(&evening.gateway);
    gateway.stop()?;
    evening.is("waiting_for_gateway", SOON)?;
    let status = evening.client(&["status"])?;
    ensure!(status.status.code() == Some(3), "{}", said(&status));
    *gateway = evening.venue.gateway.spawn("gateway", &evening.open)?;
    drop(gateway);
    evening.is("connected", SOON).map(drop)
}

fn a_lan_without_a_dhcp_server_is_a_state_with_an_address(evening: &Evening) -> Result<()> {
    evening.does(&["leave"])?;
    // It is silent rather than gone, so that it can be there again.
    evening.venue.dhcp.signal(Signal::STOP)?;
    let seen = without_a_dhcp_server(evening);
    evening.venue.dhcp.signal(Signal::CONT)?;
    evening.does(&["leave"])?;
    seen?;
    evening.joins()?;
    let address = evening.snapshot()?["address"]["ip"].clone();
    ensure!(
        address
            .as_str()
            .is_some_and(|ip| ip.starts_with("192.168.50.")),
        "{address}"
    );
    Ok(())
}

fn without_a_dhcp_server(evening: &Evening) -> Result<()> {
    // It waits for the address as long as a person would.
    let joined = said(&evening.client(&["join", ROOM])?);
    let snapshot = eventually("an address", 2 * SOON, || {
        let snapshot = evening.snapshot().ok()?;
        snapshot["address"]["ip"].is_string().then_some(snapshot)
    })?;
    let ip = snapshot["address"]["ip"].as_str().context("an address")?;
    ensure!(ip.starts_with("169.254."), "{snapshot}");
    ensure!(snapshot["state"] == "connected", "{joined}\n{snapshot}");
    let sentence = snapshot["sentence"].as_str().context("a sentence")?;
    let told = "your adapter has given itself 169.254.";
    ensure!(sentence.contains(told), "{snapshot}");
    let status = evening.client(&["status"])?;
    let shown = said(&status);
    ensure!(status.status.success() && shown.contains(ip), "{shown}");
    ensure!(
        shown.contains("no DHCP server") || shown.contains("given itself"),
        "{shown}"
    );
    Ok(())
}

fn who_is_kicked_reads_so_and_may_come_back_by_hand(evening: &Evening) -> Result<()> {
    evening
        .venue
        .gateway
        .ctl("lanparty-gateway", &["kick", "Anna"])?;
    let out = evening.is("cannot_connect", SOON)?;
    println!("who is kicked reads: {}", out["sentence"]);
    ensure!(
        !evening.machine().has_interface(Player::TAP),
        "the adapter is there"
    );
    evening.joins()?;
    evening.is("connected", SOON).map(drop)
}

fn a_locked_room_is_a_state_and_not_an_end(evening: &Evening) -> Result<()> {
    evening.does(&["leave"])?;
    evening.venue.gateway.ctl("lanparty-gateway", &["lock"])?;
    let file = evening.venue.lab.write("invite.txt", &evening.invite)?;
    let locked = evening.client(&["join", &format!("@{file}")])?;
    ensure!(locked.status.code() == Some(1), "{}", said(&locked));
    ensure!(said(&locked).contains("locked"), "{}", said(&locked));
    evening.venue.gateway.ctl("lanparty-gateway", &["unlock"])?;
    evening.is("connected", SOON).map(drop)
}

/// The figure is for people; what is asserted is far above it, as other programs share this machine.
fn a_player_without_views_costs_next_to_nothing(evening: &Evening) -> Result<()> {
    let (part, looks) = costs(evening)?;
    ensure!(
        part < 0.05 && looks <= LOOKS_IN_A_PARTY,
        "{part}, {looks} looks"
    );
    Ok(())
}

/// Counted: what a look costs is the machine's affair.
fn a_service_without_a_party_does_nothing(evening: &Evening) -> Result<()> {
    let (_, looks) = costs(evening)?;
    ensure!(looks <= LOOKS, "it has looked up {looks} times");
    Ok(())
}

/// In ten seconds: the part of a processor that it uses, and how often one of its threads has slept and was woken.
fn costs(evening: &Evening) -> Result<(f64, u64)> {
    let service = lock(&evening.service);
    let looks = || anyhow::Ok(service.threads()?.iter().map(|status| sleeps(status)).sum());
    let (time, before, begun): (_, _, u64) = (Duration::from_secs(10), service.usage()?, looks()?);
    pass(time);
    let (after, now): (_, u64) = (service.usage()?, looks()?);
    let part = (after.cpu - before.cpu).as_secs_f64() / time.as_secs_f64();
    // A thread that is gone has taken its own along.
    let looks = now.saturating_sub(begun);
    println!(
        "nobody watches: {:.2} % of a processor, {looks} looks, {} KiB",
        100.0 * part,
        after.memory_bytes / 1024
    );
    Ok((part, looks))
}

/// Out of a thread's status (proc_pid_status(5)).
fn sleeps(status: &str) -> u64 {
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

fn a_wrong_key_is_said(evening: &Evening) -> Result<()> {
    let wrong = Invite {
        key: RoomKey::from_random([0; 16]),
        ..Invite::find(&evening.invite)?
    };
    let invite = wrong.reveal();
    let file = evening.venue.lab.write("wrong.txt", &invite)?;
    let wrong = evening.client(&["join", &format!("@{file}")])?;
    ensure!(wrong.status.code() == Some(1), "{}", said(&wrong));
    // Between two attempts.
    let state = evening.is("cannot_connect", SOON)?;
    println!("with a wrong key: {}", state["sentence"]);
    evening.does(&["leave"])?;
    evening.does(&["forget", ROOM]).map(drop)
}

/// On a disk without any room: the folder is one of the service's own name space.
fn a_full_disk_keeps_nobody_from_playing(evening: &Evening) -> Result<()> {
    lock(&evening.service).stop()?;
    let client = program("lanparty-client")?.concat();
    let script = format!(
        "mkdir -p full && mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero > full/fill; \
         exec {client} service --socket client.sock --state full/state --log debug"
    );
    let service = evening.machine().spawn("full", ["sh", "-c", &script])?;
    service.wait_for_line("Views are heard", SOON)?;
    evening.joins().with_context(|| service.tail(20))?;
    let snapshot = evening.snapshot()?;
    let warned = snapshot["warnings"].to_string();
    ensure!(warned.contains("not_kept"), "{snapshot}");
    evening.machine().pings(Venue::LAN1, 56)?;
    let status = service.stop()?;
    ensure!(status.success(), "{status}:\n{}", service.tail(20));
    Ok(())
}

/// What dist/linux/lanparty-client.service gives, and nobody's uid.
fn the_units_rights_are_enough(evening: &Evening) -> Result<()> {
    let state = evening.venue.lab.folder().join("unit");
    fs::create_dir(&state)?;
    std::os::unix::fs::chown(&state, Some(ANNA), Some(GROUP))?;
    // Where systemd makes the socket, its folder is root's; here the service makes its own.
    // A usual system lets everybody open this; what that gives is another matter.
    let tun = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"";
    let mut command: Vec<String> = ["sh", "-c", tun, "sh"].map(String::from).into();
    command.extend(words("setpriv --reuid=12345 --regid=4242 --clear-groups"));
    let rights = "+net_admin";
    command.extend(["--inh-caps", "--ambient-caps"].map(|set| format!("{set}={rights}")));
    command.push(format!("--bounding-set=-all,{rights}"));
    command.push("--".into());
    command.extend(program("lanparty-client")?);
    command.extend(words(
        "service --socket unit/client.sock --state unit --log debug",
    ));
    let service = evening.machine().spawn("unit", command)?;
    service.wait_for_line("Views are heard", SOON)?;
    let file = evening.venue.lab.write("invite.txt", &evening.invite)?;
    let mut join = program("lanparty-client")?;
    join.extend(["join".into(), format!("@{file}")]);
    join.extend(["--socket", "unit/client.sock"].map(String::from));
    let said = evening
        .machine()
        .run(join)
        .with_context(|| service.tail(30))?;
    ensure!(said.contains("Connected to the LAN"), "{said}");
    ensure!(
        !service
            .log()
            .contains("may change this machine's default route"),
        "{}",
        service.tail(30)
    );
    let status = service.stop()?;
    ensure!(status.success(), "{status}");
    ensure!(
        !evening.machine().has_interface(Player::TAP),
        "the adapter is there"
    );
    Ok(())
}

fn first_invite(printed: &str) -> Result<String> {
    let line = printed.lines().find(|line| line.contains("lanparty://"));
    let word = line.and_then(|line| {
        line.split_whitespace()
            .find(|word| word.starts_with("lanparty://"))
    });
    Ok(word.context("an invite")?.to_owned())
}

//! A party with no server: one command at the party, one at home.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::traffic::{openarena_server, openarena_servers_seen};
use lanparty_lab::{LAN_BROADCAST, Needs, Plan, Player, Process, Suite, Venue, World};
use lanparty_lab::{checks, eventually, program, run};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "openarena-server", "ping", "quakestat"]);
    let all = checks![
        the_host_is_told_what_the_invite_says,
        the_player_has_a_lease_and_reaches_the_lan,
        no_frame_of_the_party_crosses_the_hosts_loopback,
        the_player_finds_a_game_on_the_lan_by_broadcast,
        relay_and_gateway_may_use_raw_sockets_and_their_buffers_only,
        a_stranger_opens_no_room_of_his_own,
        // It ends the party.
        the_next_evening_has_the_same_invite,
        after_a_new_key_the_old_invite_opens_nothing,
    ];
    run(&needs, [Suite::new("host", Evening::begin, all)])
}

/// A host who has said one command, and a player who has said another.
struct Evening {
    player: Process,
    host: Process,
    invite: String,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        [&self.host, &self.player]
            .map(|program| program.tail(15))
            .join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let (host, invite) = host(&venue)?;
        let file = venue.lab.write("invite.txt", &invite)?;
        let mut join = program("lanparty-client")?;
        join.extend(["--dhcp".into(), format!("@{file}")]);
        let player = venue.remotes[0].spawn("client", join)?;
        let leased = eventually("the player gets a LAN address", SOON, || {
            venue.remotes[0].ipv4(Player::TAP)
        });
        leased.with_context(|| player.tail(30))?;
        Ok(Evening {
            player,
            host,
            invite,
            venue,
        })
    }
}

fn host(venue: &Venue) -> Result<(Process, String)> {
    let mut command = program("lanparty-gateway")?;
    command.extend(["host", "--interface", "eth0"].map(Into::into));
    let host = venue.gateway.spawn("host", command)?;
    let invite = host.wait_for_line("lanparty://", SOON)?;
    host.wait_for_line("connected to the relay 127.0.0.1:443", SOON)?;
    Ok((host, invite))
}

fn the_host_is_told_what_the_invite_says(evening: &Evening) -> Result<()> {
    let invite = &evening.invite;
    ensure!(invite.starts_with("lanparty://10.9.2.1/LAN-"), "{invite}");
    let read = Invite::find(invite)?;
    ensure!(read.pin.is_some() && read.host.is_some(), "{invite}");
    let log = evening.host.log();
    ensure!(
        log.contains("Relay listening on [::]:443 (udp, tcp)."),
        "{log}"
    );
    let advice = "The router 10.9.2.254 does not open UDP port 443 by itself";
    ensure!(log.contains(advice) && !log.contains('▀'), "{log}");
    ensure!(!log.contains("is open"), "{log}");
    Ok(())
}

fn the_player_has_a_lease_and_reaches_the_lan(evening: &Evening) -> Result<()> {
    let player = &evening.venue.remotes[0];
    let address = player.ipv4(Player::TAP).context("no address")?;
    let lease = format!("DHCPACK(eth0) {address}");
    evening.venue.dhcp.wait_for_line(&lease, SOON)?;
    player.pings(Venue::LAN1, 1000)?;
    evening.venue.lan2.pings(address, 1472)
}

/// The gateway meets its own relay in memory.
fn no_frame_of_the_party_crosses_the_hosts_loopback(evening: &Evening) -> Result<()> {
    let host = &evening.venue.gateway;
    let packets = || -> Result<u64> {
        let devices = host.run(["cat", "/proc/net/dev"])?;
        let lo = devices
            .lines()
            .find_map(|line| line.trim().strip_prefix("lo:"));
        // Bytes, and packets, that were received; what is sent there is received there.
        let packets = lo.and_then(|counts| counts.split_whitespace().nth(1));
        Ok(packets.context("no loopback")?.parse()?)
    };
    let player = &evening.venue.remotes[0];
    let address = player.ipv4(Player::TAP).context("no address")?;
    let before = packets()?;
    player.pings(Venue::LAN1, 1000)?;
    evening.venue.lan2.pings(address, 1472)?;
    let after = packets()?;
    ensure!(after == before, "{} packets", after - before);
    Ok(())
}

fn the_player_finds_a_game_on_the_lan_by_broadcast(evening: &Evening) -> Result<()> {
    let _server = openarena_server(&evening.venue.lan1, "Quaking")?;
    let seen = openarena_servers_seen(&evening.venue.remotes[0], LAN_BROADCAST)?;
    ensure!(seen.contains("Quaking"), "{seen}");
    Ok(())
}

/// The same as a gateway alone.
fn relay_and_gateway_may_use_raw_sockets_and_their_buffers_only(evening: &Evening) -> Result<()> {
    for status in evening.host.threads()? {
        // Threads that write what is said, and what is kept, need nothing, nor do those that strangers ask.
        let is_aside = ["stdout", "stderr", "kept-file", "page", "metrics"]
            .iter()
            .any(|name| status.contains(&format!("Name:\t{name}\n")));
        let rights = if is_aside { "0000" } else { "3000" };
        let line = format!("CapEff:\t000000000000{rights}\n");
        ensure!(status.contains(&line), "{status}");
        ensure!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    }
    Ok(())
}

fn a_stranger_opens_no_room_of_his_own(evening: &Evening) -> Result<()> {
    let pin = Invite::find(&evening.invite)?.pin.context("a pin")?;
    let pin = &pin.to_string();
    let mut join = program("lanparty-client")?;
    join.extend(["--relay", "10.9.2.1", "--pin", pin, "--room", "MINE"].map(Into::into));
    let stranger = evening.venue.remotes[1].spawn("stranger", join)?;
    let status = stranger.wait(SOON)?;
    let log = stranger.log();
    ensure!(
        status.code() == Some(1) && log.contains("you are not invited"),
        "{status}:\n{log}"
    );
    Ok(())
}

fn the_next_evening_has_the_same_invite(evening: &Evening) -> Result<()> {
    let status = evening.host.interrupt()?;
    ensure!(status.success(), "{status}");
    let log = evening.host.log();
    let gateway = log.find("stopped.").context("the gateway's end")?;
    let relay = log.find("Relay stopped.").context("the relay's end")?;
    ensure!(gateway < relay, "{log}");
    evening.player.wait_for_line("not reachable", SOON)?;
    let mark = evening.player.mark();
    let (again, invite) = host(&evening.venue)?;
    ensure!(invite == evening.invite, "{invite}");
    evening
        .player
        .wait_for_line_after(mark, "Connected to the LAN", SOON)?;
    evening.venue.remotes[0].pings(Venue::LAN1, 56)?;
    ensure!(again.interrupt()?.success(), "{}", again.tail(10));
    Ok(())
}

fn after_a_new_key_the_old_invite_opens_nothing(evening: &Evening) -> Result<()> {
    let (host, _) = host(&evening.venue)?;
    let mut rotate = program("lanparty-gateway")?;
    rotate.extend(["ctl", "rotate"].map(Into::into));
    let printed = evening.venue.gateway.run(rotate)?;
    let invite = printed.lines().next().context("an invite")?;
    let before = evening.invite.trim();
    ensure!(
        invite.starts_with("lanparty://10.9.2.1/") && invite != before,
        "{invite}"
    );
    let machine = &evening.venue.remotes[1];
    let join = |title: &str, invite: &str| {
        let file = evening.venue.lab.write(&format!("{title}.txt"), invite)?;
        let mut join = program("lanparty-client")?;
        join.extend(["--tap", "guest0"].map(Into::into));
        join.extend([
            "--identity".into(),
            format!("{title}.json"),
            format!("@{file}"),
        ]);
        machine.spawn(title, join)
    };
    let late = join("late", before)?;
    late.wait_for_line("the invite opens no room now", SOON)?;
    ensure!(late.interrupt()?.success(), "{}", late.tail(10));
    let guest = join("guest", invite)?;
    guest.wait_for_line("Connected to the LAN", SOON)?;
    // The relay in the same program takes its own gateway back under the new key.
    let (mark, seen) = (host.mark(), guest.mark());
    evening.venue.gateway.ip("link set eth0 down")?;
    host.wait_for_line_after(mark, "Out of the room", SOON)?;
    evening.venue.gateway.ip("link set eth0 up")?;
    host.wait_for_line_after(mark, "connected to the relay", SOON)?;
    guest.wait_for_line_after(seen, "waiting for the LAN gateway", SOON)?;
    guest.wait_for_line_after(seen, "Connected to the LAN", SOON)?;
    ensure!(guest.interrupt()?.success(), "{}", guest.tail(10));
    ensure!(host.interrupt()?.success(), "{}", host.tail(10));
    Ok(())
}

//! Errors point the right way: each cause is told apart on a machine where it is true.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Addressing, Machine, Needs, Party, Process, Suite, Venue, checks, eventually, program, run,
};
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let needs = Needs::programs(&["nft", "setcap"]);
    let all = checks![
        a_local_firewall_is_no_silent_relay,
        a_network_that_is_off_is_no_silent_relay,
        a_silent_relay_is_none_of_these,
        a_name_server_that_hangs_is_told_at_once,
        what_nohup_ignores_stays_ignored,
        without_nohup_a_closed_terminal_ends_the_client,
        root_of_a_container_is_told_what_it_lacks,
        a_host_hears_of_all_rights_at_once,
        who_did_setcap_on_a_nosuid_mount_is_told_that,
        an_adapter_that_somebody_sets_down_is_told,
        nobody_sets_an_address_and_that_is_told,
    ];
    let party = || {
        Party::builder()
            .players(1)
            .strangers(1)
            .addressing(Addressing::Static)
            .start()
    };
    run(&needs, [Suite::new("errors", party, all)])
}

fn a_local_firewall_is_no_silent_relay(party: &Party) -> Result<()> {
    let machine = stranger(party);
    let rules = "table inet own {\n chain out {\n type filter hook output priority 0\n udp dport 443 drop\n }\n}\n";
    let file = party.venue.lab.write("own.nft", rules)?;
    machine.run(["nft", "-f", &file])?;
    // With TCP it would come in.
    let flags = ["--address", "192.168.50.231/24", "--no-tcp"];
    let client = join(party, "walled", &flags)?;
    client.wait_for_line("a firewall on this machine keeps back what is sent", SOON)?;
    machine.run(["nft", "delete", "table", "inet", "own"])?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    ends_well(&client)
}

fn a_network_that_is_off_is_no_silent_relay(party: &Party) -> Result<()> {
    let machine = stranger(party);
    let route = machine.ip_shows("route show default")?;
    machine.ip("route del default")?;
    let client = join(party, "offline", &["--address", "192.168.50.231/24"])?;
    client.wait_for_line("this machine has no network that leads there", SOON)?;
    machine.ip(&format!("route add {}", route.trim()))?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    ends_well(&client)
}

fn a_silent_relay_is_none_of_these(party: &Party) -> Result<()> {
    // Nobody has this address.
    party
        .venue
        .internet
        .ip("route add blackhole 10.77.0.0/16")?;
    let mut command = program("lanparty-client")?;
    command.extend(["--relay", "10.77.0.1", "--room", "LAB-1"].map(Into::into));
    let client = stranger(party).spawn("silent", command)?;
    client.wait_for_line("it does not answer; check the address and port", SOON)?;
    ends_well(&client)
}

fn a_name_server_that_hangs_is_told_at_once(party: &Party) -> Result<()> {
    let machine = stranger(party);
    party
        .venue
        .internet
        .ip("route add blackhole 192.0.2.53/32")?;
    machine.set_resolver("192.0.2.53")?;
    let mut command = program("lanparty-client")?;
    command.extend(["--relay", "relay.example.net", "--room", "LAB-1"].map(Into::into));
    let client = machine.spawn("unnamed", command)?;
    client.wait_for_line("Connecting to the relay relay.example.net", SOON)?;
    // The name server's own time is five seconds at least, after which another sentence would come.
    client.wait_for_line(
        "Looking up where relay.example.net:443 is",
        Duration::from_secs(4),
    )?;
    client.wait_for_line("no name server says where that is", Duration::from_secs(40))?;
    ends_well(&client)
}

fn what_nohup_ignores_stays_ignored(party: &Party) -> Result<()> {
    let mut command = vec!["nohup".to_owned()];
    command.extend(client(party, &["--address", "192.168.50.231/24"])?);
    let client = stranger(party).spawn("nohup", command)?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    client.signal(Signal::HUP)?;
    stranger(party).pings(Venue::LAN1, 56)?;
    ensure!(client.is_running(), "{}", client.tail(10));
    ends_well(&client)
}

fn without_nohup_a_closed_terminal_ends_the_client(party: &Party) -> Result<()> {
    let client = join(party, "terminal", &["--address", "192.168.50.231/24"])?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    client.signal(Signal::HUP)?;
    let status = client.wait(SOON)?;
    ensure!(status.success(), "{status}: {}", client.tail(10));
    Ok(())
}

fn root_of_a_container_is_told_what_it_lacks(party: &Party) -> Result<()> {
    let command = without("net_admin", client(party, &[])?);
    let said = refusal(stranger(party), "container", command)?;
    let flags = "--cap-add NET_ADMIN --device /dev/net/tun";
    ensure!(said.contains(flags) && !said.contains("sudo"), "{said}");
    Ok(())
}

fn a_host_hears_of_all_rights_at_once(party: &Party) -> Result<()> {
    let mut host = program("lanparty-gateway")?;
    host.extend(["host", "--interface", "eth0", "--keys", "host-keys"].map(Into::into));
    let command = without("net_raw,-net_bind_service", host);
    let said = refusal(&party.venue.gateway, "host", command)?;
    ensure!(
        said.contains("CAP_NET_RAW") && said.contains("CAP_NET_BIND_SERVICE"),
        "{said}"
    );
    Ok(())
}

fn who_did_setcap_on_a_nosuid_mount_is_told_that(party: &Party) -> Result<()> {
    let words = client(party, &["--virtual-mac", "02:00:00:00:00:77"])?;
    let (file, flags) = words.split_first().context("no program")?;
    let script = "mount -t tmpfs -o nosuid none /mnt && cp \"$0\" /mnt/client && setcap cap_net_admin+ep /mnt/client \
                  && cp *.der /mnt && cd /mnt && chmod -R a+rX /mnt && exec setpriv --reuid=65534 --regid=65534 \
                  --clear-groups env -u HOME -u STATE_DIRECTORY /mnt/client \"$@\"";
    let mut command: Vec<String> = ["unshare", "--mount", "sh", "-c", script]
        .map(Into::into)
        .to_vec();
    command.push(file.clone());
    command.extend_from_slice(flags);
    let said = refusal(stranger(party), "nosuid", command)?;
    ensure!(
        said.contains("`setcap` was done") && said.contains("nosuid"),
        "{said}"
    );
    Ok(())
}

fn an_adapter_that_somebody_sets_down_is_told(party: &Party) -> Result<()> {
    let client = join(party, "down", &["--address", "192.168.50.231/24"])?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    // Once is undone; whoever insists is not fought for ever.
    eventually("the adapter stays down", SOON, || {
        stranger(party).ip("link set lanparty0 down").ok()?;
        client.log().contains("down again and again").then_some(())
    })?;
    client.wait_for_line("Somebody has set the adapter lanparty0 down", SOON)?;
    ends_well(&client)
}

fn nobody_sets_an_address_and_that_is_told(party: &Party) -> Result<()> {
    let client = join(party, "bare", &["--no-dhcp"])?;
    client.wait_for_line("no LAN address yet", SOON)?;
    client.wait_for_line("start again without --no-dhcp, or with --address", 3 * SOON)?;
    ends_well(&client)
}

/// A machine far away, without a client of its own.
fn stranger(party: &Party) -> &Machine {
    &party.venue.remotes[1]
}

fn client(party: &Party, more: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(party.join_flags());
    command.extend(more.iter().map(|word| (*word).into()));
    Ok(command)
}

fn join(party: &Party, title: &str, more: &[&str]) -> Result<Process> {
    let own = ["--identity", "errors.json"];
    let more: Vec<_> = own.iter().chain(more).copied().collect();
    stranger(party).spawn(title, client(party, &more)?)
}

/// As root has it in a container.
fn without(capabilities: &str, command: Vec<String>) -> Vec<String> {
    let flags = ["bounding-set", "inh-caps"].map(|set| format!("--{set}=-{capabilities}"));
    let start = ["setpriv".to_owned()].into_iter().chain(flags);
    start.chain(command).collect()
}

/// The one sentence with which a program ends that cannot go on.
fn refusal(machine: &Machine, title: &str, command: Vec<String>) -> Result<String> {
    let process = machine.spawn(title, command)?;
    let status = process.wait(3 * SOON)?;
    let log = process.log();
    ensure!(
        matches!(status.code(), Some(1 | 2)),
        "{title} ended with {status}:\n{log}"
    );
    let mut errors = log.lines().filter(|line| line.starts_with("error: "));
    let said = errors.next().with_context(|| format!("no error:\n{log}"))?;
    ensure!(errors.next().is_none(), "more than one error:\n{log}");
    Ok(said.to_owned())
}

fn ends_well(process: &Process) -> Result<()> {
    let status = process.interrupt()?;
    ensure!(status.success(), "{status}: {}", process.tail(10));
    Ok(())
}

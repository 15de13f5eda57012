//! What can happen to a party in one evening. Each fault answers with the moment when the last thing was back.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::{Machine, Party, Role, Venue, pass};
use rustix::process::Signal;

use crate::certificate;

/// Something that goes wrong and is put right.
pub(crate) struct Fault {
    /// What a person would say happened.
    pub(crate) name: String,
    pub(crate) happens: Happens,
    /// The longest silence after that moment.
    pub(crate) within: Duration,
    /// The player's adapter goes with the client, and with it the ground under TCP's feet.
    pub(crate) may_end_tcp: bool,
    /// Whether the short form has it too.
    pub(crate) telling: bool,
    /// The silence that it makes by itself; without that it did not happen.
    pub(crate) gone: Duration,
    /// What else shows that it happened, where nobody falls silent.
    pub(crate) proof: Option<fn(&Party) -> Result<()>>,
}

type Happens = Box<dyn Fn(&mut Party) -> Result<Instant>>;

const AT_ONCE: Duration = Duration::ZERO;
/// Long enough that peers try in vain, shorter than every timeout.
const A_WHILE: Duration = Duration::from_secs(3);
/// How long somebody is away, in milliseconds: from before anybody notices, over each beat of the pulse, to long after
/// the link has been given up.
const AWAY: [u64; 12] = [
    200, 500, 1000, 1500, 2000, 2200, 2600, 3000, 3300, 4000, 5000, 6000,
];
/// With this one the party was once away for twelve seconds.
const TELLING: u64 = 2600;
/// Longer than every timeout of ours (15 seconds).
const A_SLEEP: Duration = Duration::from_secs(20);
/// Too short for a timeout, long enough for the queues to fill.
const A_NAP: Duration = Duration::from_secs(6);

const RESTART: Duration = Duration::from_secs(5);
const NO_TIME: Duration = Duration::ZERO;
const MOVE: Duration = Duration::from_secs(1);

/// In an order in which each finds what it needs: who changed to the cable stays there.
#[rustfmt::skip]
pub(crate) fn faults() -> Vec<Fault> {
    let mut faults = vec![
        fault("the relay dies and is back at once", |party| again(party, KILL, RELAY, AT_ONCE), RESTART).telling(),
        fault("the relay is stopped and started", |party| again(party, TERM, RELAY, AT_ONCE), RESTART),
        fault("the relay's certificate is renewed", certificate::is_renewed, NO_TIME),
        fault("the gateway dies and is back at once", |party| again(party, KILL, GATEWAY, AT_ONCE), RESTART).telling(),
        fault("the gateway is stopped and started", |party| again(party, TERM, GATEWAY, AT_ONCE), RESTART),
        fault("the client dies and is started again", |party| again(party, KILL, CLIENT, AT_ONCE), RESTART).ends_tcp(),
    ];
    for (who, role) in [("relay", RELAY), ("gateway", GATEWAY), ("client", CLIENT)] {
        faults.extend(AWAY.map(|millis| away(who, role, millis)));
    }
    faults.extend([
        fault("the player's NAT takes another port", nat_takes_another_port, MOVE).proved_by(nat_was_used).telling(),
        fault("the player changes from Wi-Fi to cable", to_the_cable, MOVE).telling(),
        fault("the player's network gets other addresses", other_addresses, MOVE),
        fault("the relay moves and its name leads there", relay_moves, RESTART),
        fault("the gateway's LAN interface goes down and up", lan_down_and_up, MOVE).silent_for(A_WHILE),
        fault("somebody pulls the gateway's LAN cable", lan_cable_out_and_in, MOVE).silent_for(A_WHILE).telling(),
        fault("the gateway's LAN adapter is unplugged", lan_adapter_out_and_in, RESTART).silent_for(A_WHILE),
        fault("the gateway's internet address changes", gateways_address_changes, MOVE),
        fault("the player's laptop naps for 6 s", |party| sleeps(party, A_NAP), RESTART).silent_for(A_NAP).telling(),
        fault("the player's laptop sleeps for 20 s", |party| sleeps(party, A_SLEEP), RESTART).silent_for(A_SLEEP),
        fault("all die; back: relay, gateway, client", |party| all(party, [RELAY, GATEWAY, CLIENT]), RESTART).ends_tcp(),
        fault("all die; back: relay, client, gateway", |party| all(party, [RELAY, CLIENT, GATEWAY]), RESTART).ends_tcp(),
        fault("all die; back: gateway, relay, client", |party| all(party, [GATEWAY, RELAY, CLIENT]), RESTART).ends_tcp(),
        fault("all die; back: gateway, client, relay", |party| all(party, [GATEWAY, CLIENT, RELAY]), RESTART).ends_tcp(),
        fault("all die; back: client, relay, gateway", |party| all(party, [CLIENT, RELAY, GATEWAY]), RESTART).ends_tcp(),
        fault("all die; back: client, gateway, relay", |party| all(party, [CLIENT, GATEWAY, RELAY]), RESTART).ends_tcp(),
    ]);
    faults
}

const KILL: Signal = Signal::KILL;
const TERM: Signal = Signal::TERM;
const RELAY: Role = Role::Relay;
const GATEWAY: Role = Role::Gateway;
const CLIENT: Role = Role::Player(0);

fn fault(
    name: impl Into<String>,
    happens: impl Fn(&mut Party) -> Result<Instant> + 'static,
    within: Duration,
) -> Fault {
    Fault {
        name: name.into(),
        happens: Box::new(happens),
        within,
        may_end_tcp: false,
        telling: false,
        gone: Duration::ZERO,
        proof: None,
    }
}

fn away(who: &str, role: Role, millis: u64) -> Fault {
    let gone = Duration::from_millis(millis);
    let name = format!("the {who} dies and is back after {} s", gone.as_secs_f32());
    let happens = move |party: &mut Party| again(party, KILL, role, gone);
    let mut fault = fault(name, happens, RESTART).silent_for(gone);
    fault.may_end_tcp = role == CLIENT;
    fault.telling = role == RELAY && millis == TELLING;
    fault
}

impl Fault {
    fn telling(mut self) -> Self {
        self.telling = true;
        self
    }

    fn ends_tcp(mut self) -> Self {
        self.may_end_tcp = true;
        self
    }

    fn silent_for(mut self, gone: Duration) -> Self {
        self.gone = gone;
        self
    }

    fn proved_by(mut self, proof: fn(&Party) -> Result<()>) -> Self {
        self.proof = Some(proof);
        self
    }
}

fn again(party: &mut Party, signal: Signal, role: Role, gone: Duration) -> Result<Instant> {
    let program = party.program(role);
    program.signal(signal)?;
    program.wait(Duration::from_secs(5))?;
    pass(gone);
    let back = Instant::now();
    party.start_again(role)?;
    Ok(back)
}

/// All three are killed; each next one starts while the one before is still on its way.
fn all(party: &mut Party, order: [Role; 3]) -> Result<Instant> {
    for role in order {
        party.program(role).kill()?;
    }
    let mut back = Instant::now();
    for role in order {
        back = Instant::now();
        party.start_again(role)?;
        pass(Duration::from_millis(300));
    }
    Ok(back)
}

/// From now on the player's packets come from other ports than before, and only what goes to those arrives.
fn nat_takes_another_port(party: &mut Party) -> Result<Instant> {
    let rules = r#"table ip nat {
        chain out {
            type filter hook prerouting priority raw
            iifname "r1" udp dport 443 counter udp sport set udp sport ^ 0x0101
        }
        chain in {
            type filter hook postrouting priority raw
            oifname "r1" udp sport 443 counter udp dport set udp dport ^ 0x0101
        }
    }"#;
    let file = party.venue.lab.write("nat.nft", rules)?;
    party.venue.internet.run(["nft", "-f", &file])?;
    Ok(Instant::now())
}

/// Packets have been rewritten in both directions.
fn nat_was_used(party: &Party) -> Result<()> {
    let rules = party
        .venue
        .internet
        .run(["nft", "list", "table", "ip", "nat"])?;
    let words: Vec<_> = rules.split_whitespace().collect();
    let counted = words
        .windows(3)
        .filter(|words| words[..2] == ["counter", "packets"]);
    let counted: Vec<u64> = counted.filter_map(|words| words[2].parse().ok()).collect();
    ensure!(
        matches!(counted[..], [up, down] if up > 0 && down > 0),
        "the NAT has not taken another port: {rules}"
    );
    Ok(())
}

const CABLE_HOME: &str = "10.9.61";
const OTHER_HOME: &str = "10.9.62";

fn to_the_cable(party: &mut Party) -> Result<Instant> {
    let (player, internet) = (&party.players[0].machine, &party.venue.internet);
    party
        .venue
        .lab
        .cable((player, "cable0"), (internet, "cable"))?;
    player.ip("link set wan0 down")?;
    address(player, "cable0", CABLE_HOME, 1)?;
    address(internet, "cable", CABLE_HOME, 254)?;
    default_route(player, CABLE_HOME)?;
    Ok(Instant::now())
}

/// The same interface, another network: what was the way to the relay leads nowhere now.
fn other_addresses(party: &mut Party) -> Result<Instant> {
    let (player, internet) = (&party.players[0].machine, &party.venue.internet);
    let (mine, theirs) = if player.has_interface("cable0") {
        ("cable0", "cable")
    } else {
        ("wan0", "r1")
    };
    address(player, mine, OTHER_HOME, 1)?;
    address(internet, theirs, OTHER_HOME, 254)?;
    default_route(player, OTHER_HOME)?;
    Ok(Instant::now())
}

fn gateways_address_changes(party: &mut Party) -> Result<Instant> {
    address(&party.venue.gateway, "wan0", "10.9.2", 77)?;
    default_route(&party.venue.gateway, "10.9.2")?;
    Ok(Instant::now())
}

fn relay_moves(party: &mut Party) -> Result<Instant> {
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 1, 77));
    party.relay.kill()?;
    let venue = &party.venue;
    address(&venue.relay, "wan0", "10.9.1", 77)?;
    default_route(&venue.relay, "10.9.1")?;
    for machine in venue.remotes.iter().chain([&venue.gateway]) {
        machine.set_host(Party::RELAY_NAME, ELSEWHERE)?;
    }
    let back = Instant::now();
    party.start_again(Role::Relay)?;
    Ok(back)
}

fn lan_down_and_up(party: &mut Party) -> Result<Instant> {
    party.venue.gateway.ip("link set eth0 down")?;
    pass(A_WHILE);
    party.venue.gateway.ip("link set eth0 up")?;
    Ok(Instant::now())
}

fn lan_cable_out_and_in(party: &mut Party) -> Result<Instant> {
    party.venue.switch.ip("link set gw down")?;
    pass(A_WHILE);
    party.venue.switch.ip("link set gw up")?;
    Ok(Instant::now())
}

/// What comes back has the old one's name; its MAC address is another one.
fn lan_adapter_out_and_in(party: &mut Party) -> Result<Instant> {
    let Venue {
        lab,
        gateway,
        switch,
        ..
    } = &party.venue;
    gateway.ip("link del eth0")?;
    pass(A_WHILE);
    lab.plug(gateway, "eth0", switch)?;
    Ok(Instant::now())
}

/// The machine stands still; its packets wait in the kernel meanwhile.
fn sleeps(party: &mut Party, time: Duration) -> Result<Instant> {
    party.players[0].program.signal(Signal::STOP)?;
    pass(time);
    party.players[0].program.signal(Signal::CONT)?;
    Ok(Instant::now())
}

/// Takes every IPv4 address from the interface and gives it this one.
fn address(machine: &Machine, interface: &str, network: &str, host: u8) -> Result<()> {
    machine.ip(&format!("-4 addr flush dev {interface}"))?;
    machine.ip(&format!(
        "addr add {network}.{host}/24 brd + dev {interface}"
    ))
}

fn default_route(machine: &Machine, network: &str) -> Result<()> {
    machine.ip(&format!("route replace default via {network}.254"))
}

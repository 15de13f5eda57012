//! What is left of a gateway on its machine: nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Machine, Party, Player, Process, World, eventually, program};
use rustix::process::Signal;

use crate::reach::MACHINE;
use crate::{LEG, SOON, WITH, party, player};

/// A party whose gateway has gone, and a connection between LAN and machine that stands all the time.
pub(crate) struct Traces {
    party: Party,
    before: String,
    standing: [TcpStream; 2],
}

impl World for Traces {
    fn report(&self) -> String {
        self.party.report()
    }
}

impl Traces {
    pub(crate) fn begin() -> Result<Self> {
        let party = party().start()?;
        player(&party)?.machine.pings(MACHINE, 56)?;
        let machine = &party.venue.gateway;
        ensure!(party.gateway.interrupt()?.success());
        let listener = machine.enter(|| TcpListener::bind((MACHINE, 0)))?;
        let target = listener.local_addr()?;
        let far = party.venue.lan1.enter(|| TcpStream::connect(target))?;
        let (near, _) = listener.accept()?;
        for end in [&near, &far] {
            end.set_read_timeout(Some(Duration::from_secs(5)))?;
        }
        Ok(Traces {
            before: state(machine)?,
            standing: [near, far],
            party,
        })
    }

    fn machine(&self) -> &Machine {
        &self.party.venue.gateway
    }

    fn gateway(&self) -> Result<Process> {
        let mut command = program("lanparty-gateway")?;
        command.extend(["--interface", "eth0", WITH].map(Into::into));
        command.extend(self.party.join_flags());
        self.machine().spawn("gateway-again", command)
    }

    fn is_as_before(&self) -> Result<()> {
        let gone = eventually("everything is as before", Duration::from_secs(5), || {
            (state(self.machine()).ok()? == self.before).then_some(())
        });
        let after = state(self.machine())?;
        gone.with_context(|| difference(&self.before, &after))
    }

    /// The LAN has always reached the machine, at the same address.
    fn connection_stands(&self) -> Result<()> {
        let [near, far] = &self.standing;
        for (mut from, mut to) in [(near, far), (far, near)] {
            from.write_all(b"still here")?;
            let mut heard = [0; 10];
            to.read_exact(&mut heard)?;
            ensure!(&heard == b"still here");
        }
        Ok(())
    }
}

/// Whether a gateway has come so far.
type Reached<'a> = &'a dyn Fn(&Process) -> bool;

/// All that somebody could have changed on a machine's network, in words.
fn state(machine: &Machine) -> Result<String> {
    let mut state = String::new();
    for question in [
        "-d link show",
        "addr show",
        "route show table all",
        "-6 route show table all",
        "rule show",
    ] {
        state += &format!("# ip {question}\n{}", machine.ip_shows(question)?);
    }
    for question in [
        &["tc", "qdisc", "show"][..],
        &["tc", "filter", "show", "dev", "eth0", "ingress"],
        &["bridge", "-d", "link"],
    ] {
        state += &format!("# {question:?}\n{}", machine.run(question)?);
    }
    // Some of them can only be written, which is no failure.
    let folders = ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"];
    let settings = machine.output(["grep", "-rs", "."].into_iter().chain(folders))?;
    let settings = String::from_utf8_lossy(&settings.stdout).into_owned();
    let mut settings: Vec<_> = settings.lines().collect();
    settings.sort_unstable();
    Ok(state + &settings.join("\n"))
}

fn difference(before: &str, after: &str) -> String {
    let only_in = |one: &str, other: &str| {
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("  {line}\n")).collect::<String>()
    };
    format!(
        "gone:\n{}new:\n{}",
        only_in(before, after),
        only_in(after, before)
    )
}

pub(crate) fn nothing_is_left_of_a_gateway_that_ends(traces: &Traces) -> Result<()> {
    let gateway = traces.gateway()?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    let player = &player(&traces.party)?.machine;
    eventually("the player reaches the machine", SOON, || {
        player.ping_on(Player::TAP, MACHINE).ok()
    })?;
    traces.connection_stands()?;
    ensure!(state(traces.machine())?.contains(LEG), "where is the leg?");
    ensure!(gateway.interrupt()?.success(), "{}", gateway.tail(10));
    traces.is_as_before()?;
    traces.connection_stands()
}

pub(crate) fn nothing_is_left_of_one_that_is_killed_at_any_step(traces: &Traces) -> Result<()> {
    let has_leg = |_: &Process| traces.machine().has_interface(LEG);
    let redirects = |_: &Process| {
        let shown = traces
            .machine()
            .run(["tc", "filter", "show", "dev", LEG, "ingress"]);
        shown.is_ok_and(|shown| shown.contains("Redirect to device eth0"))
    };
    let speaks = |gateway: &Process| gateway.log().contains("This machine takes part");
    let has_joined = |gateway: &Process| gateway.log().contains("connected to the relay");
    let steps: [(&str, Reached<'_>); 5] = [
        ("at once", &|_| true),
        ("with a leg", &has_leg),
        ("with a leg that leads somewhere", &redirects),
        ("before it has joined", &speaks),
        ("in the room", &has_joined),
    ];
    for (step, reached) in steps {
        let gateway = traces.gateway()?;
        eventually(step, SOON, || reached(&gateway).then_some(()))
            .with_context(|| gateway.tail(10))?;
        gateway.signal(Signal::KILL)?;
        gateway.wait(SOON)?;
        traces.is_as_before().context(step)?;
        traces.connection_stands().context(step)?;
    }
    Ok(())
}

/// A shaper's filters of its own at the interface are nobody's business.
pub(crate) fn a_queue_of_the_interface_stays_as_it_is(traces: &Traces) -> Result<()> {
    let machine = traces.machine();
    machine.run(["tc", "qdisc", "add", "dev", "eth0", "clsact"])?;
    let before = machine.run(["tc", "qdisc", "show", "dev", "eth0"])?;
    let gateway = traces.gateway()?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    let player = &player(&traces.party)?.machine;
    eventually("the player reaches the machine", SOON, || {
        player.ping_on(Player::TAP, MACHINE).ok()
    })?;
    ensure!(gateway.interrupt()?.success(), "{}", gateway.tail(10));
    ensure!(machine.run(["tc", "qdisc", "show", "dev", "eth0"])? == before);
    machine.run(["tc", "qdisc", "del", "dev", "eth0", "clsact"])?;
    traces.is_as_before()
}

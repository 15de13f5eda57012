//! Which of the kernel's interfaces are the LAN's end of a wire: each kind that this kernel makes.

#![allow(
    clippy::disallowed_methods,
    reason = "these tests own sockets, threads and the clock"
)]

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use lanparty_gateway::lan::{LanPort, LanSocket};
use lanparty_lab::traffic::frame;
use lanparty_lab::{Lab, Machine, Needs, RawSocket, Suite, World, checks, eventually, run};
use lanparty_peer::FramePort;
use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const PLAYER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];
const HOST: [u8; 6] = [0x52, 0, 0, 0, 0, 0x78];
const EXPERIMENT: u16 = 0x88b6;

fn main() -> ExitCode {
    let all = checks![
        a_bridge_will_do_and_its_members_will_not,
        a_macvlan_will_not_unless_it_passes_everything,
        a_macvtap_will_not,
        what_leads_into_this_machine_will_not,
        a_tap_will_do,
    ];
    run(
        &Needs::programs(&[]),
        [Suite::new("interfaces", Cable::new, all)],
    )
}

fn a_bridge_will_do_and_its_members_will_not(cable: &Cable) -> Result<()> {
    let gateway = &cable.gateway;
    gateway.ip("link add lan0 type bridge")?;
    gateway.ip("link set eth0 master lan0")?;
    gateway.ip("link set lan0 up")?;
    let said = refused(gateway, "eth0")?;
    let sentence = "eth0 is a part of lan0, and the LAN behind the other parts would not be reached: give lan0 instead";
    ensure!(said == sentence, "{said}");
    // Also when it would be refused for something else.
    gateway.ip("link set eth0 down")?;
    ensure!(refused(gateway, "eth0")? == sentence);
    gateway.ip("link set eth0 up")?;
    carries(cable, "lan0")?;
    gateway.ip("link del lan0")
}

fn a_macvlan_will_not_unless_it_passes_everything(cable: &Cable) -> Result<()> {
    let gateway = &cable.gateway;
    for mode in ["private", "vepa", "bridge"] {
        gateway.ip(&format!("link add link eth0 mv0 type macvlan mode {mode}"))?;
        let said = refused(gateway, "mv0")?;
        let sentence = "mv0 is of the kind macvlan, which gets only frames for its own MAC address: give eth0 itself, \
             or a veth into a bridge";
        ensure!(said == sentence, "{mode}: {said}");
        gateway.ip("link del mv0")?;
    }
    gateway.ip("link add link eth0 mv0 type macvlan mode passthru")?;
    gateway.ip("link set mv0 up")?;
    carries(cable, "mv0")?;
    gateway.ip("link del mv0")
}

/// Seen from a container, the NIC is elsewhere.
fn a_macvtap_will_not(cable: &Cable) -> Result<()> {
    let (gateway, container) = (&cable.gateway, &cable.container);
    gateway.ip("link add link eth0 mt0 type macvtap mode bridge")?;
    let said = refused(gateway, "mt0")?;
    ensure!(said.starts_with("mt0 is of the kind macvtap, "), "{said}");
    gateway.ip(&format!("link set mt0 netns {}", container.namespace()))?;
    let said = refused(container, "mt0")?;
    ensure!(
        said.ends_with(": give the NIC itself, or a veth into a bridge"),
        "{said}"
    );
    container.ip("link del mt0")
}

fn what_leads_into_this_machine_will_not(cable: &Cable) -> Result<()> {
    let gateway = &cable.gateway;
    gateway.ip("link add in0 type ifb")?;
    let said = refused(gateway, "in0")?;
    ensure!(
        said == "in0 is of the kind ifb, which leads to no LAN: give the one with the LAN's cable",
        "{said}"
    );
    gateway.ip("link del in0")
}

/// A virtual machine or another VPN may be behind it.
fn a_tap_will_do(cable: &Cable) -> Result<()> {
    let gateway = &cable.gateway;
    gateway.ip("tuntap add mode tap name tap0")?;
    gateway.ip("link set tap0 up")?;
    let said = refused(gateway, "tap0")?;
    ensure!(said.starts_with("tap0 has no carrier"), "{said}");
    gateway.ip("tuntap del mode tap name tap0")
}

/// A gateway with this interface sees what the LAN says to a player, and speaks for one.
fn carries(cable: &Cable, interface: &str) -> Result<()> {
    // The kernel notices a carrier up to a second late.
    let open = || LanSocket::open(interface).map_err(io::Error::other);
    let lan = eventually(&format!("{interface} is taken"), PATIENCE, || {
        cable.gateway.enter(open).ok()
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _inside = runtime.enter();
    let mut port = LanPort::new(lan)?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    host.set_timeout(PATIENCE)?;
    let to_player = frame(PLAYER, HOST, EXPERIMENT, 100);
    host.send(&to_player)?;
    let mut has_come = false;
    while !has_come {
        let ready =
            async { tokio::time::timeout(PATIENCE, poll_fn(|cx| port.poll_readable(cx))).await };
        runtime.block_on(ready).context("nothing came")??;
        port.try_recv(&mut |frame| {
            has_come |= frame.is_ok_and(|frame| frame.frame() == to_player);
        })?;
    }
    let to_host = frame(HOST, PLAYER, EXPERIMENT, 100);
    let sent = port.try_send(&[Bytes::copy_from_slice(&to_host)]);
    ensure!(sent.refused == 0, "{interface} does not take it");
    let mut buffer = vec![0; 2000];
    loop {
        let length = host.receive(&mut buffer)?;
        if buffer[..length] == to_host {
            return Ok(());
        }
    }
}

/// The sentence with which an interface is refused.
fn refused(machine: &Machine, interface: &str) -> Result<String> {
    let refusal = machine.enter(|| Ok(LanSocket::open(interface).err()))?;
    let refusal = refusal.with_context(|| format!("{interface} was accepted"))?;
    Ok(refusal.to_string())
}

/// A machine on the LAN, one for a gateway, and a container of the latter.
struct Cable {
    host: Machine,
    gateway: Machine,
    container: Machine,
    _lab: Lab,
}

impl World for Cable {
    fn report(&self) -> String {
        self.gateway.ip_shows("-d -s addr").unwrap_or_default()
    }
}

impl Cable {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let [host, gateway, container] =
            ["host", "gateway", "inside"].map(|name| lab.machine(name));
        let (host, gateway, container) = (host?, gateway?, container?);
        lab.cable((&host, "eth0"), (&gateway, "eth0"))?;
        Ok(Cable {
            host,
            gateway,
            container,
            _lab: lab,
        })
    }
}

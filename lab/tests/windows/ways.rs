//! The ways to the party from a Windows PC: direct, by the relay, over TCP, and by the proxy of Windows' settings.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{EchoSession, Pings};
use lanparty_lab::{
    GuestPlan, Guests, Nat, NatRouter, Plan, Process, Router, Venue, Weather, WindowsPc,
    WireConditions, World, eventually, http_proxy,
};
use rustix::process::Signal;

use crate::guest::{PROGRAM, SOON};

const HOME: &[Router] = &[Router::new(Nat::Linux)];
const PROXY: Ipv4Addr = Ipv4Addr::new(10, 9, 3, 1);
const SETTINGS: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
/// UDP that ends in mid-evening (spec R142), and what Wine and a busy machine may add.
const MOVED: Duration = Duration::from_secs(5 + 15);

/// A PC behind a home's router.
pub(crate) struct Traveller {
    pc: WindowsPc,
    guests: Guests,
}

impl World for Traveller {
    fn report(&self) -> String {
        self.guests.report()
    }
}

impl Traveller {
    /// The relay is far, so that a direct path is worth taking.
    pub(crate) fn at_home() -> Result<Self> {
        let far = WireConditions {
            delay: Duration::from_millis(10),
            ..WireConditions::default()
        };
        let guests = Guests::gather(GuestPlan {
            venue: Plan {
                remotes: 1,
                gateway_routers: HOME,
                player_routers: &[HOME],
                relay_path: Some(far),
                ..Plan::default()
            },
            ..GuestPlan::default()
        })?;
        let pc = WindowsPc::new(&guests.venue.lab, &guests.venue.remotes[0])?;
        Ok(Self { pc, guests })
    }

    fn router(&self) -> &NatRouter {
        &self.guests.venue.player_routers[0][0]
    }

    fn join(&self) -> Result<Process> {
        let program = WindowsPc::program(PROGRAM)?.to_string_lossy().into_owned();
        let command = [program, self.guests.invite.clone()].into_iter();
        let log = ["--log", "info"].map(str::to_owned);
        self.pc.spawn("windows-client", command.chain(log))
    }

    /// The LAN answers, by this way.
    fn plays(&self, client: &Process, way: &str) -> Result<()> {
        client.wait_for_line(&format!("The way to the party: {way} "), SOON)?;
        eventually("the LAN answers", SOON, || {
            let machine = self.pc.machine();
            machine.ipv4(WindowsPc::TAP)?;
            machine.ping_on(WindowsPc::TAP, Venue::LAN1).ok()
        })
    }
}

fn leave(client: &Process) -> Result<()> {
    client.signal(Signal::INT)?;
    let status = client.wait(SOON)?;
    let log = client.log();
    ensure!(
        status.success() && !log.contains("panicked"),
        "{}",
        client.tail(30)
    );
    Ok(())
}

pub(crate) fn where_no_udp_gets_through_it_is_tcp(traveller: &Traveller) -> Result<()> {
    traveller.router().weather(&[Weather::NoUdp])?;
    let client = traveller.join()?;
    traveller.plays(&client, "relay over TCP")?;
    client.wait_for_line("UDP does not get through", SOON)?;
    leave(&client)?;
    traveller.router().weather(&[])
}

/// First the direct path, then all of UDP.
pub(crate) fn what_ends_in_mid_evening_is_replaced(traveller: &Traveller) -> Result<()> {
    let venue = &traveller.guests.venue;
    let client = traveller.join()?;
    traveller.plays(&client, "direct")?;
    let machine = traveller.pc.machine();
    let tcp = EchoSession::open(machine, &venue.lan1, Venue::LAN1)?;
    let pings = Pings::start(machine, Venue::LAN1, 60, 56)?;
    pings.wait_for_answers(Instant::now(), 10, SOON)?;
    let between = Weather::NoUdpBetween(
        traveller.router().outside().into(),
        venue.gateway_routers[0].outside().into(),
    );
    for (what, way) in [("direct path", "relay"), ("UDP", "relay over TCP")] {
        let (begin, mark) = (Instant::now(), client.mark());
        match way {
            "relay" => venue.internet.weather(&[between])?,
            _ => traveller.router().weather(&[Weather::NoUdp])?,
        }
        client.wait_for_line_after(mark, &format!("The way to the party: {way} "), SOON)?;
        pings.wait_for_answers(Instant::now(), 10, SOON)?;
        let gap = pings.report(begin, Instant::now()).silence;
        println!("the {what} ends: the player at Windows is without an answer for {gap:.1?}");
        ensure!(gap <= MOVED, "{gap:?}");
        tcp.lives(SOON)?;
    }
    leave(&client)?;
    venue.internet.weather(&[])?;
    traveller.router().weather(&[])
}

pub(crate) fn the_proxy_of_windows_settings_is_used(traveller: &Traveller) -> Result<()> {
    let venue = &traveller.guests.venue;
    let machine = venue.public_machine("proxy", 3)?;
    let proxy = http_proxy::tinyproxy(&venue.lab, &machine)?;
    let server = format!("{PROXY}:8888");
    for (name, kind, value) in [
        ("ProxyServer", "REG_SZ", server.as_str()),
        ("ProxyEnable", "REG_DWORD", "1"),
    ] {
        let words = [
            "reg", "add", SETTINGS, "/v", name, "/t", kind, "/d", value, "/f",
        ];
        let done = traveller.pc.output(words)?;
        ensure!(done.status.success(), "{name}: {}", done.status);
    }
    traveller.router().weather(&[Weather::OnlyBy(PROXY)])?;
    let client = traveller.join()?;
    traveller.plays(&client, "relay over TCP")?;
    proxy.wait_for_line("CONNECT", SOON)?;
    leave(&client)?;
    let words = ["reg", "delete", SETTINGS, "/v", "ProxyEnable", "/f"];
    let done = traveller.pc.output(words)?;
    ensure!(done.status.success(), "{}", done.status);
    traveller.router().weather(&[])
}

//! The port in the home router: miniupnpd as the router, each protocol alone and none; and routers that lie.
//!
//! ```text
//!   192.168.50.0/24                                     a public address              another home
//!   lan1 .11 ─┐
//!   gw   .2  ─┴─ sw ─ .1 eth0 [ router ] wan0 11.1.1.1 ─ .254 [ inet ] .254 ─ 11.1.2.1 wan0 [ r1 ]
//! ```
//!
//! The gateway's one cable is its LAN and its way out, as in most homes. miniupnpd takes no test network of RFC 5737 for a
//! public address, so the addresses outside are real ones, of which nothing leaves the namespaces.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::{Lab, Machine, Needs, Process, Suite, World, checks, eventually, program, run};

/// All three protocols in vain take about six seconds; a machine with other work has its time.
const SOON: Duration = Duration::from_secs(30);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 1);
const LAN1: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 11));
/// Where PCP and NAT-PMP are spoken.
const PORT: u16 = 5351;

/// The router's firewall: what comes from outside gets in by what miniupnpd has opened and no other way.
const RULES: &str = r#"
flush ruleset
table inet filter {
    chain input { type filter hook input priority 0; policy accept; }
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname "eth0" accept
        ct state established,related accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        jump postrouting_miniupnpd
        oifname "wan0" masquerade
    }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"#;

const CONFIG: &str = "\
ext_ifname=wan0
listening_ip=eth0
secure_mode=yes
system_uptime=no
min_lifetime=1
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=0f5e8a3c-9c5a-4f9e-8a3e-7f4f4a1d2b3c
";

fn main() -> ExitCode {
    let needs = Needs::programs(&["miniupnpd", "nft", "ping"]);
    let all = checks![
        each_protocol_alone_opens_the_port_and_gives_it_back,
        without_any_of_them_the_party_goes_on_and_says_what_helps,
        a_player_from_outside_comes_in_and_a_router_that_starts_anew_is_asked_again,
        a_short_lease_is_renewed,
        what_a_killed_host_has_left_open_is_taken_over,
        a_port_that_another_machine_has_is_left_to_it,
        a_router_that_refuses_is_named_with_its_reason,
        an_address_that_the_provider_shares_is_said_with_the_cure,
        a_router_that_talks_nonsense_harms_nobody_and_sends_nobody_elsewhere,
        no_router_is_asked_where_that_is_not_wanted,
        a_gateway_at_a_relay_has_a_port_for_direct_paths_opened,
    ];
    run(&needs, [Suite::new("port", Home::begin, all)])
}

struct Home {
    router: Machine,
    gateway: Machine,
    lan1: Machine,
    player: Machine,
    internet: Machine,
    _switch: Machine,
    lab: Lab,
}

impl World for Home {}

impl Home {
    fn begin() -> Result<Self> {
        let lab = Lab::new()?;
        let switch = lab.switch("sw")?;
        let (router, gateway, lan1) = (
            lab.machine("router")?,
            lab.machine("gw")?,
            lab.machine("lan1")?,
        );
        for (machine, host) in [(&router, 1), (&gateway, 2), (&lan1, 11)] {
            lab.plug(machine, "eth0", &switch)?;
            machine.ip(&format!("addr add 192.168.50.{host}/24 brd + dev eth0"))?;
        }
        let (internet, player) = (lab.machine("inet")?, lab.machine("r1")?);
        for (machine, network) in [(&router, "11.1.1"), (&player, "11.1.2")] {
            lab.cable((machine, "wan0"), (&internet, machine.name()))?;
            machine.ip(&format!("addr add {network}.1/24 dev wan0"))?;
            internet.ip(&format!("addr add {network}.254/24 dev {}", machine.name()))?;
            machine.ip(&format!("route add default via {network}.254"))?;
        }
        for machine in [&gateway, &lan1] {
            machine.ip(&format!("route add default via {ROUTER}"))?;
        }
        for machine in [&router, &internet] {
            machine.sysctl("net/ipv4/ip_forward", "1")?;
        }
        let home = Home {
            router,
            gateway,
            lan1,
            player,
            internet,
            _switch: switch,
            lab,
        };
        home.forget()?;
        Ok(home)
    }

    /// What a router does when its plug is pulled.
    fn forget(&self) -> Result<()> {
        let file = self.lab.write("rules.nft", RULES)?;
        self.router.run(["nft", "-f", &file]).map(drop)
    }

    fn refuses(&self, what: &str) -> Result<()> {
        let rule = format!("add rule inet filter input {what} drop");
        self.router.run(["nft", &rule]).map(drop)
    }

    fn miniupnpd(&self, more: &str) -> Result<Process> {
        let config = format!("{CONFIG}{more}");
        let file = self.lab.write("miniupnpd.conf", &config)?;
        let pid = self.lab.folder().join("miniupnpd.pid");
        let _ = std::fs::remove_file(&pid);
        let pid = pid.to_string_lossy();
        let router = self
            .router
            .spawn("miniupnpd", ["miniupnpd", "-d", "-f", &file, "-P", &pid])?;
        let is_there = match more.contains("enable_natpmp=yes") {
            true => "Listening for NAT-PMP/PCP traffic",
            false => "HTTP listening on port",
        };
        router.wait_for_line(is_there, SOON)?;
        Ok(router)
    }

    fn host(&self, more: &[&str]) -> Result<Process> {
        let mut command = program("lanparty-gateway")?;
        command.extend(["host", "--interface", "eth0"].map(Into::into));
        command.extend(["--log", "warn,lanparty_portmap=debug"].map(Into::into));
        command.extend(more.iter().map(|word| (*word).into()));
        self.gateway.spawn("host", command)
    }

    /// The ports that are led to the gateway, as the kernel has them.
    fn opened(&self) -> Vec<String> {
        let rules = self.router.run([
            "nft",
            "list",
            "chain",
            "inet",
            "filter",
            "prerouting_miniupnpd",
        ]);
        let rules = rules.unwrap_or_default();
        let is_ours = |rule: &&str| rule.contains("192.168.50.2:");
        rules.lines().filter(is_ours).map(str::to_owned).collect()
    }

    fn is_open(&self, port: u16) -> bool {
        let port = format!("dport {port} ");
        self.opened().iter().any(|rule| rule.contains(&port))
    }

    /// A program of a player on this machine, with this invite.
    fn joins(
        &self,
        machine: &Machine,
        title: &str,
        invite: &str,
        address: &str,
    ) -> Result<Process> {
        let file = self.lab.write(&format!("{title}.txt"), invite)?;
        let mut join = program("lanparty-client")?;
        let identity = format!("{title}.json");
        let words = [
            "--tap",
            title,
            "--identity",
            &identity,
            "--address",
            address,
        ];
        join.extend(words.map(Into::into));
        join.push(format!("@{file}"));
        machine.spawn(title, join)
    }
}

fn invite_of(host: &Process) -> Result<Invite> {
    Ok(Invite::find(&host.wait_for_line("lanparty://", SOON)?)?)
}

fn ends(host: &Process) -> Result<()> {
    let status = host.stop()?;
    ensure!(status.success(), "{status}:\n{}", host.tail(15));
    Ok(())
}

fn each_protocol_alone_opens_the_port_and_gives_it_back(home: &Home) -> Result<()> {
    let version = |number: u8| format!("udp dport {PORT} @th,64,8 {number}");
    for (name, drops, config) in [
        (
            "PCP",
            Some(version(0)),
            "enable_natpmp=yes\nenable_upnp=no\n",
        ),
        (
            "NAT-PMP",
            Some(version(2)),
            "enable_natpmp=yes\nenable_upnp=no\n",
        ),
        ("UPnP", None, "enable_natpmp=no\nenable_upnp=yes\n"),
    ] {
        home.forget()?;
        if let Some(drops) = drops {
            home.refuses(&drops)?;
        }
        let router = home.miniupnpd(config)?;
        let host = home.host(&[])?;
        let said = format!(
            "The router {ROUTER} has opened UDP port 443 ({name}): players find this party at 11.1.1.1:443. Whether"
        );
        host.wait_for_line(&said, SOON)?;
        let invite = invite_of(&host)?;
        ensure!(invite.relay.to_string() == "11.1.1.1:443", "{invite}");
        let also: Vec<_> = invite.also().map(|also| also.to_string()).collect();
        ensure!(also == ["192.168.50.2:443"], "{also:?}");
        ensure!(home.is_open(443), "{name}: {:?}", home.opened());
        ends(&host)?;
        ensure!(home.opened().is_empty(), "{name}: {:?}", home.opened());
        router.stop()?;
    }
    Ok(())
}

fn without_any_of_them_the_party_goes_on_and_says_what_helps(home: &Home) -> Result<()> {
    home.forget()?;
    let host = home.host(&[])?;
    host.wait_for_line("connected to the relay 127.0.0.1:443", SOON)?;
    let said = host.wait_for_line("does not open UDP port 443 by itself", SOON)?;
    for part in [
        "PCP: ",
        "NAT-PMP: ",
        "UPnP: ",
        "forward UDP port 443 to 192.168.50.2",
        "relay",
    ] {
        ensure!(said.contains(part), "{said}");
    }
    let invite = invite_of(&host)?;
    ensure!(invite.relay.to_string() == "192.168.50.2:443", "{invite}");
    ends(&host)
}

fn a_player_from_outside_comes_in_and_a_router_that_starts_anew_is_asked_again(
    home: &Home,
) -> Result<()> {
    home.forget()?;
    let config = "enable_natpmp=yes\nenable_upnp=yes\n";
    let router = home.miniupnpd(config)?;
    let host = home.host(&[])?;
    host.wait_for_line("has opened UDP port 443 (PCP)", SOON)?;
    let invite = host.wait_for_line("lanparty://", SOON)?;
    let player = home.joins(&home.player, "early", &invite, "192.168.50.201/24")?;
    player.wait_for_line("Connected to the LAN", SOON)?;
    home.player.pings(LAN1, 1000)?;
    ends(&player)?;
    // Somebody at home uses the same invite; this router leads nobody back in from inside.
    let neighbour = home.joins(&home.lan1, "near", &invite, "192.168.50.202/24")?;
    neighbour.wait_for_line("Connected to the LAN", SOON)?;
    ends(&neighbour)?;

    router.kill()?;
    home.forget()?;
    ensure!(home.opened().is_empty(), "{:?}", home.opened());
    let again = home.miniupnpd(config)?;
    // It looks each half minute, and listens to what a router says at its start.
    let is_open = || home.is_open(443).then_some(());
    eventually("the port is open again", 2 * SOON, is_open).with_context(|| {
        format!(
            "{}
{}",
            host.tail(20),
            again.tail(20)
        )
    })?;
    let late = home.joins(&home.player, "late", &invite, "192.168.50.203/24")?;
    late.wait_for_line("Connected to the LAN", SOON)?;
    ends(&late)?;
    ends(&host)?;
    ensure!(home.opened().is_empty(), "{:?}", home.opened());
    again.stop().map(drop)
}

fn a_short_lease_is_renewed(home: &Home) -> Result<()> {
    home.forget()?;
    let router = home.miniupnpd("enable_natpmp=yes\nenable_upnp=no\nmax_lifetime=6\n")?;
    let host = home.host(&[])?;
    host.wait_for_line("has opened UDP port 443 (PCP)", SOON)?;
    // Six seconds are over by the fourth question, as each comes after two at least.
    let given = || router.log().matches("PCP MAP: added mapping").count();
    // To renew a lease miniupnpd takes the old one away, and only then adds the new one.
    let is_renewed = || (given() >= 5 && home.is_open(443)).then_some(());
    eventually("it is renewed", SOON, is_renewed).with_context(|| router.tail(20))?;
    ensure!(
        host.log().matches("has opened").count() == 1,
        "{}",
        host.tail(10)
    );
    ends(&host)?;
    router.stop().map(drop)
}

fn what_a_killed_host_has_left_open_is_taken_over(home: &Home) -> Result<()> {
    home.forget()?;
    let router = home.miniupnpd("enable_natpmp=yes\nenable_upnp=yes\n")?;
    let killed = home.host(&[])?;
    killed.wait_for_line("has opened UDP port 443 (PCP)", SOON)?;
    killed.kill()?;
    ensure!(home.is_open(443), "{:?}", home.opened());
    let host = home.host(&[])?;
    host.wait_for_line("has opened UDP port 443 (PCP)", SOON)?;
    ensure!(home.opened().len() == 1, "{:?}", home.opened());
    ends(&host)?;
    ensure!(home.opened().is_empty(), "{:?}", home.opened());
    router.stop().map(drop)
}

fn a_port_that_another_machine_has_is_left_to_it(home: &Home) -> Result<()> {
    for (name, refuses) in [
        ("PCP", None),
        (
            "UPnP",
            Some(format!("ip saddr 192.168.50.2 udp dport {PORT}")),
        ),
    ] {
        home.forget()?;
        let router = home.miniupnpd("enable_natpmp=yes\nenable_upnp=yes\n")?;
        let lan1 = home.lan1.enter(|| UdpSocket::bind((LAN1, 0)))?;
        // UDP port 443 for lan1, for an hour, by NAT-PMP.
        lan1.send_to(&[0, 1, 0, 0, 1, 187, 1, 187, 0, 0, 14, 16], (ROUTER, PORT))?;
        lan1.set_read_timeout(Some(SOON))?;
        let mut answer = [0; 16];
        ensure!(
            lan1.recv(&mut answer)? == 16 && answer[3] == 0,
            "{answer:?}"
        );
        if let Some(refuses) = refuses {
            home.refuses(&refuses)?;
        }
        let host = home.host(&[])?;
        let said = host.wait_for_line(&format!("for this machine's 443 ({name})"), SOON)?;
        let invite = host.wait_for_line("lanparty://", SOON)?;
        let port = Invite::find(&invite)?.relay.port();
        ensure!(
            port != 443 && said.contains(&format!("11.1.1.1:{port}")),
            "{said}"
        );
        let player = home.joins(&home.player, "other", &invite, "192.168.50.204/24")?;
        player.wait_for_line("Connected to the LAN", SOON)?;
        ends(&player)?;
        ends(&host)?;
        ensure!(home.opened().is_empty(), "{:?}", home.opened());
        router.stop()?;
    }
    Ok(())
}

fn a_router_that_refuses_is_named_with_its_reason(home: &Home) -> Result<()> {
    home.forget()?;
    let router =
        home.miniupnpd("enable_natpmp=no\nenable_upnp=yes\ndeny 0-65535 0.0.0.0/0 0-65535\n")?;
    let host = home.host(&[])?;
    host.wait_for_line("UPnP: refused", SOON)?;
    ends(&host)?;
    router.stop().map(drop)
}

/// A router that answers every question on PCP's port in the same way.
struct Pretender {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Pretender {
    fn begin(router: &Machine, port: u16, answer: fn(&[u8]) -> Vec<Vec<u8>>) -> Result<Self> {
        let socket = router.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let ends = Arc::new(AtomicBool::new(false));
        let until = ends.clone();
        let thread = thread::spawn(move || {
            let mut question = [0; 2048];
            while !until.load(Ordering::Relaxed) {
                if let Ok((len, from)) = socket.recv_from(&mut question) {
                    for answer in answer(&question[..len]) {
                        let _ = socket.send_to(&answer, from);
                    }
                }
            }
        });
        Ok(Pretender {
            ends,
            threads: vec![thread],
        })
    }
}

impl Drop for Pretender {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// NAT-PMP alone, with an address outside that the provider shares among its customers.
fn shared_address(question: &[u8]) -> Vec<Vec<u8>> {
    let epoch = [0, 0, 1, 0];
    let answer = match question {
        [0, 0] => [&[0, 128, 0, 0][..], &epoch, &[100, 64, 3, 4]].concat(),
        [0, 1, _, _, rest @ ..] if rest.len() == 8 => [&[0, 129, 0, 0][..], &epoch, rest].concat(),
        _ => [&[0, 128, 0, 1][..], &epoch].concat(),
    };
    vec![answer]
}

fn an_address_that_the_provider_shares_is_said_with_the_cure(home: &Home) -> Result<()> {
    home.forget()?;
    let pretender = Pretender::begin(&home.router, PORT, shared_address)?;
    let host = home.host(&[])?;
    let said = host.wait_for_line("has opened UDP port 443 (NAT-PMP), but", SOON)?;
    for part in [
        "100.64.3.4",
        "carrier-grade NAT",
        "ask the provider for a public address",
        "a relay",
    ] {
        ensure!(said.contains(part), "{said}");
    }
    let invite = invite_of(&host)?;
    ensure!(invite.relay.to_string() == "192.168.50.2:443", "{invite}");
    ends(&host)?;
    drop(pretender);
    // miniupnpd hides such an address, and refuses.
    home.router.ip("addr add 100.64.3.4/24 dev wan0")?;
    home.router.ip("addr del 11.1.1.1/24 dev wan0")?;
    let outcome = home
        .miniupnpd("enable_natpmp=yes\nenable_upnp=yes\n")
        .and_then(|router| {
            let host = home.host(&[])?;
            host.wait_for_line("carrier-grade NAT", SOON)?;
            ends(&host)?;
            router.stop()
        });
    home.router.ip("addr add 11.1.1.1/24 dev wan0")?;
    home.router.ip("addr del 100.64.3.4/24 dev wan0")?;
    home.router.ip("route replace default via 11.1.1.254")?;
    outcome.map(drop)
}

/// Too much of anything.
fn nonsense(question: &[u8]) -> Vec<Vec<u8>> {
    let answer = [&[question[0], 129][..], &[255; 1400]].concat();
    vec![answer; 20]
}

/// A description elsewhere, then one at the router.
fn leads_astray(_: &[u8]) -> Vec<Vec<u8>> {
    let places = [
        "http://192.168.50.11:8080/a.xml",
        "http://127.0.0.1:8080/a.xml",
        "http://192.168.50.1:8080/a.xml",
    ];
    let answer = |place: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: {place}\r\n\r\n"
        )
    };
    places.map(|place| answer(place).into_bytes()).to_vec()
}

fn a_router_that_talks_nonsense_harms_nobody_and_sends_nobody_elsewhere(home: &Home) -> Result<()> {
    home.forget()?;
    let _pcp = Pretender::begin(&home.router, PORT, nonsense)?;
    let _ssdp = Pretender::begin(&home.router, 1900, leads_astray)?;
    // Whoever follows a redirect, or a control address on another machine, comes here.
    let elsewhere = home
        .lan1
        .enter(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)))?;
    elsewhere.set_nonblocking(true)?;
    let at_home = home
        .gateway
        .enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)))?;
    at_home.set_nonblocking(true)?;
    let web = home
        .router
        .enter(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)))?;
    web.set_nonblocking(true)?;
    let host = home.host(&[])?;
    let mut served = 0;
    eventually(
        "the description is asked for and the host goes on",
        SOON,
        || {
            served += usize::from(redirects(&web));
            host.log()
                .contains("does not open UDP port 443 by itself")
                .then_some(())
        },
    )?;
    ensure!(served > 0, "nobody came for the router's own description");
    for listener in [&elsewhere, &at_home] {
        let came = listener.accept().map(|(_, from)| from);
        ensure!(came.is_err(), "{came:?} was sent elsewhere");
    }
    host.wait_for_line("connected to the relay 127.0.0.1:443", SOON)?;
    ends(&host)
}

/// Serves one who asks, if there is one, with a redirect to somebody else.
fn redirects(web: &TcpListener) -> bool {
    let serve = |(mut stream, _): (std::net::TcpStream, SocketAddr)| -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let _ = stream.read(&mut [0; 1024])?;
        let place = "http://192.168.50.11:8080/a.xml";
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    web.accept()
        .map(|came| serve(came).is_ok())
        .unwrap_or(false)
}

fn no_router_is_asked_where_that_is_not_wanted(home: &Home) -> Result<()> {
    home.forget()?;
    let router = home.miniupnpd("enable_natpmp=yes\nenable_upnp=yes\n")?;
    let host = home.host(&[
        "--no-port-mapping",
        "--public-address",
        "party.example:5000",
    ])?;
    host.wait_for_line("The router is not asked (--no-port-mapping)", SOON)?;
    let invite = invite_of(&host)?;
    ensure!(invite.relay.to_string() == "party.example:5000", "{invite}");
    ends(&host)?;
    let log = router.log();
    ensure!(
        !log.contains("request received from 192.168.50.2")
            && !log.contains("M-SEARCH from 192.168.50.2"),
        "{log}"
    );
    router.stop().map(drop)
}

/// A relay somewhere in the internet.
fn relay(home: &Home) -> Result<Process> {
    let mut command = program("lanparty-relay")?;
    let keys = home.lab.folder().join("relay");
    let keys = keys.to_string_lossy();
    let words = ["--listen", "0.0.0.0:443", "--no-tcp", "--state", &keys];
    command.extend(words.map(str::to_owned));
    let relay = home.internet.spawn("relay", command)?;
    relay.wait_for_line("Relay listening", SOON)?;
    Ok(relay)
}

/// A gateway of the room to which it has made an invite before, and that one.
fn gateway(home: &Home, more: &[&str]) -> Result<(Process, String)> {
    let keys = home.lab.folder().join("keys");
    let keys = keys.to_string_lossy();
    let at = ["--relay", "11.1.1.254", "--room", "FRIDAY", "--keys", &keys];
    let mut invite = program("lanparty-gateway")?;
    invite.push("invite".to_owned());
    invite.extend(at.map(str::to_owned));
    let invite = home.gateway.run(invite.iter().map(String::as_str))?;
    let invite = invite.lines().find(|line| line.contains("lanparty://"));
    let invite = invite.context("no invite")?.to_owned();
    let mut command = program("lanparty-gateway")?;
    command.extend(at.map(str::to_owned));
    command.extend(["--interface", "eth0"].map(str::to_owned));
    command.extend(more.iter().map(|word| (*word).to_owned()));
    Ok((home.gateway.spawn("gateway", command)?, invite))
}

fn a_gateway_at_a_relay_has_a_port_for_direct_paths_opened(home: &Home) -> Result<()> {
    home.forget()?;
    let router = home.miniupnpd("enable_natpmp=yes\nenable_upnp=no\n")?;
    let relay = relay(home)?;
    let (chosen, invite) = gateway(home, &["--door-port", "40000"])?;
    chosen.wait_for_line("Direct paths are on: you and each player see", SOON)?;
    let opened = format!(
        "The router {ROUTER} has opened a UDP port for direct paths (PCP): players find this gateway at 11.1.1.1:40000."
    );
    chosen.wait_for_line(&opened, SOON)?;
    ensure!(home.is_open(40000), "{:?}", home.opened());
    // Its one cable is the LAN's, and its way to players as well.
    let player = home.joins(&home.player, "straight", &invite, "192.168.50.204/24")?;
    player.wait_for_line("direct", SOON)?;
    home.player.pings(LAN1, 1000)?;
    ends(&player)?;
    ends(&chosen)?;
    ensure!(home.opened().is_empty(), "{:?}", home.opened());

    for wants_none in ["--no-port-mapping", "--no-door"] {
        let (quiet, _) = gateway(home, &[wants_none])?;
        quiet.wait_for_line("connected to the relay", SOON)?;
        ends(&quiet)?;
        let said = quiet.log();
        ensure!(!said.contains("has opened a UDP port"), "{said}");
        let says_who = said.contains("see each other's internet address");
        ensure!(says_who != (wants_none == "--no-door"), "{said}");
    }
    ensure!(home.opened().is_empty(), "{:?}", home.opened());
    relay.stop()?;
    router.stop().map(drop)
}

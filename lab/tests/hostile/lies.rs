//! Pretending to be somebody else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Player, RawSocket, Venue, eventually};
use rustix::process::Signal;

use crate::frames::{
    ARP, Behind, EVERYBODY, EXPERIMENT, IPV4, Mac, Station, arp, better_bridge, dhcp_answer,
    ethernet, neighbour_advertisement, router_advertisement,
};
use crate::scene::{Eye, HOSTILE, Mouth, NOBODY, Scene};

const MOUTHS: [Mouth; 2] = [Mouth::Link, Mouth::Tap];
const SOON: Duration = Duration::from_secs(5);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 1);
const LAN1: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 11);

pub(crate) fn a_stolen_mac_is_heard_by_nobody_and_moves_no_entry_of_the_switch(
    scene: &Scene,
) -> Result<()> {
    let venue = &scene.party.venue;
    let owners = [
        ("lan1", venue.lan1.mac("eth0")?),
        ("lan2", venue.lan2.mac("eth0")?),
        ("router", venue.router.mac("eth0")?),
        ("gw", venue.gateway.mac("eth0")?),
    ];
    for target in [Venue::LAN2, ROUTER.into(), IpAddr::from([192, 168, 50, 2])] {
        venue.lan1.pings(target, 56)?;
    }
    let entries = || -> Result<Vec<Option<String>>> {
        let table = forwarding_table(scene)?;
        Ok(owners
            .iter()
            .map(|(_, mac)| table.get(mac).cloned())
            .collect())
    };
    let before = entries()?;
    let sockets: Vec<_> = owners
        .iter()
        .map(|(socket, _)| Some((*socket).to_owned()))
        .collect();
    ensure!(before == sockets, "the switch has learnt {before:?}");
    for mouth in MOUTHS {
        let other_player = match mouth {
            Mouth::Link => scene.player().mac(),
            Mouth::Tap => HOSTILE,
        };
        let group = [0x03, 0x66, 0, 0, 0, 1];
        let stolen = owners.map(|(_, mac)| mac).into_iter();
        let stolen = stolen.chain([other_player, group, [0; 6]]);
        let everybody_and_one = [EVERYBODY, owners[1].1];
        let frames: Vec<_> = stolen
            .flat_map(|source| {
                everybody_and_one.map(|to| ethernet(to, source, EXPERIMENT, b"it is me"))
            })
            .collect();
        scene.nobody_hears(mouth, &frames)?;
        ensure!(entries()? == before, "the switch learnt from {mouth:?}");
    }
    Ok(())
}

/// Behind which socket the LAN's switch believes each MAC.
fn forwarding_table(scene: &Scene) -> Result<BTreeMap<Mac, String>> {
    let shown = scene
        .party
        .venue
        .switch
        .run(["bridge", "fdb", "show", "br", "br0"])?;
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let mac: Vec<u8> = words
            .next()?
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16).ok())
            .collect::<Option<_>>()?;
        let socket = words.nth(1)?.to_owned();
        // The bridge's own entries belong to its ends of the cables.
        (!line.contains("permanent")).then_some((mac.try_into().ok()?, socket))
    };
    Ok(shown.lines().filter_map(entry).collect())
}

/// The LAN's own server is stopped meanwhile, so the liars are alone with the client.
pub(crate) fn a_rogue_dhcp_server_gives_no_lease(scene: &Scene) -> Result<()> {
    let (venue, guest, player) = (&scene.party.venue, &scene.guest, &scene.player().machine);
    player.ip(&format!("addr add 10.66.1.1/24 dev {}", Player::TAP))?;
    let rogue = player.spawn(
        "rogue-dnsmasq",
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--no-ping",
            "--user=root",
            "--pid-file=",
            "--dhcp-leasefile=rogue.leases",
            "--dhcp-authoritative",
            "--log-dhcp",
            "--log-facility=-",
            "--interface=lanparty0",
            "--dhcp-range=10.66.1.100,10.66.1.199,255.255.255.0,1h",
        ],
    )?;
    rogue.wait_for_line("DHCP, IP range", SOON)?;
    let eye = Eye::on_the_gateway(scene)?;
    let leases = venue.lab.write("guest.leases", "")?;
    venue.dhcp.signal(Signal::STOP)?;
    let client = guest.spawn(
        "dhclient",
        [
            "dhclient",
            "-4",
            "-d",
            "-1",
            "-v",
            "-sf",
            "/bin/true",
            "-lf",
            &leases,
            "-pf",
            "guest.pid",
            "eth0",
        ],
    )?;
    let answers = scene.answers_dhcp(2).with_context(|| client.log())?;
    rogue.wait_for_line("DHCPOFFER", SOON)?;
    let heard = eye.sees_within(Duration::from_millis(500), |frame| {
        frame.get(12..14) == Some(&IPV4.to_be_bytes()) && frame.get(34..36) == Some(&[0, 67])
    });
    let early = client.log();
    venue.dhcp.signal(Signal::CONT)?;
    player.ip(&format!("addr del 10.66.1.1/24 dev {}", Player::TAP))?;
    ensure!(answers >= 2, "the hostile peer was not asked");
    ensure!(!heard, "a rogue answer reached the LAN");
    ensure!(
        !early.contains("DHCPOFFER"),
        "the client was offered a lease:\n{early}"
    );
    let bound = client.wait_for_line("bound to ", Duration::from_secs(20))?;
    ensure!(bound.contains("bound to 192.168.50."), "{bound}");
    let servers: Vec<_> = client
        .log()
        .lines()
        .filter(|line| line.contains(" from "))
        .map(str::to_owned)
        .collect();
    ensure!(
        !servers.is_empty()
            && servers
                .iter()
                .all(|line| line.contains("from 192.168.50.1")),
        "somebody else answered: {servers:?}"
    );
    Ok(())
}

impl Scene {
    /// Answers DHCP clients from the hostile link, each time whole and in pieces, until so many answers were given.
    fn answers_dhcp(&self, wanted: usize) -> Result<usize> {
        let given = Arc::new(AtomicUsize::new(0));
        let server = Ipv4Addr::new(10, 66, 0, 1);
        let answer = async {
            while given.load(Ordering::Relaxed) < wanted {
                let asked = self.hostile.hear().await?;
                let lease = Ipv4Addr::new(10, 66, 0, 100);
                let Some(packet) = dhcp_answer(&asked, server, lease) else {
                    continue;
                };
                let frame = ethernet(EVERYBODY, self.hostile.mac, IPV4, &packet);
                let pieces = self.hostile.pieces(&frame, 100);
                for datagram in [self.hostile.whole(&frame)].into_iter().chain(pieces) {
                    self.hostile.try_say(&datagram);
                }
                given.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        };
        let patience = Duration::from_secs(15);
        let answered = self
            .tasks
            .block_on(async { tokio::time::timeout(patience, answer).await });
        answered.context("no DHCP client asked")??;
        Ok(given.load(Ordering::Relaxed))
    }
}

pub(crate) fn a_rogue_router_gives_no_address_and_no_route(scene: &Scene) -> Result<()> {
    let prefix = |number: u16| Ipv6Addr::new(0xfd66, number, 0, 0, 0, 0, 0, 0);
    let lies = |source, first: u16| {
        let forms = [
            Behind::Nothing,
            Behind::HopByHop,
            Behind::DestinationOptions,
        ];
        let lies = (first..)
            .zip(forms)
            .map(move |(number, form)| router_advertisement(source, prefix(number), form));
        lies.collect::<Vec<_>>()
    };
    for mouth in MOUTHS {
        scene.nobody_hears(mouth, &lies(scene.own_mac(mouth), 1))?;
    }
    let believed = || -> Result<String> {
        let guest = &scene.guest;
        let (routes, addresses) = ("-6 route show default", "-6 addr show dev eth0");
        Ok(guest.ip_shows(routes)? + &guest.ip_shows(addresses)?)
    };
    let now = believed()?;
    ensure!(
        !now.contains("default via") && !now.contains("fd66:"),
        "the guest believes:\n{now}"
    );
    // The same words from a machine of the LAN: this is what the guest would have believed.
    let lan2 = &scene.party.venue.lan2;
    let socket = lan2.enter(|| RawSocket::open("eth0"))?;
    for lie in lies(lan2.mac("eth0")?, 0x11) {
        socket.send(&lie)?;
    }
    let taken_in = || {
        let now = believed().ok()?;
        let prefixes = [0x11, 0x12, 0x13].map(|number: u16| format!("fd66:{number:x}:"));
        let all = prefixes.iter().all(|prefix| now.contains(prefix));
        (now.contains("default via") && all).then_some(())
    };
    eventually("the guest believes a router on the LAN", SOON, taken_in)
        .with_context(|| believed().unwrap_or_default())
}

/// The judge is a machine behind the LAN's switch, which passes on what is for bridges, as a cheap one does. A bridge with
/// spanning tree cannot be one: Linux hears such frames in its first network namespace only.
pub(crate) fn what_is_for_bridges_and_cables_stays_out_of_the_lan(scene: &Scene) -> Result<()> {
    let lies = |own: Mac| {
        let (bridges, pause, lldp) = (
            [1, 0x80, 0xc2, 0, 0, 0],
            [1, 0x80, 0xc2, 0, 0, 1],
            [1, 0x80, 0xc2, 0, 0, 0x0e],
        );
        let (slow_protocols, authenticators) = ([1, 0x80, 0xc2, 0, 0, 2], [1, 0x80, 0xc2, 0, 0, 3]);
        [
            better_bridge(own),
            ethernet(EVERYBODY, own, 0x8808, &[0, 1, 0xff, 0xff]),
            ethernet(EVERYBODY, own, 0x88cc, &[2, 7, 4, 2, 0x66, 0, 0, 0, 1]),
            ethernet(EVERYBODY, own, 0x888e, &[1, 1, 0, 0]),
            ethernet(pause, own, 0x8808, &[0, 1, 0xff, 0xff]),
            ethernet(lldp, own, 0x88cc, &[2, 7, 4, 2, 0x66, 0, 0, 0, 1]),
            ethernet(authenticators, own, 0x888e, &[1, 1, 0, 0]),
            ethernet(slow_protocols, own, 0x8809, &[1, 1, 1, 20]),
            ethernet(bridges, own, EXPERIMENT, b"for bridges"),
        ]
    };
    for mouth in MOUTHS {
        scene.nobody_hears(mouth, &lies(scene.own_mac(mouth)))?;
    }
    // From a machine of the LAN the first four arrive: the switch is not who stops them.
    let (guest, lan2) = (&scene.guest, &scene.party.venue.lan2);
    let (eye, socket) = (
        Eye::open(guest, "eth0")?,
        lan2.enter(|| RawSocket::open("eth0"))?,
    );
    for lie in lies(NOBODY).iter().take(4) {
        socket.send(lie)?;
        ensure!(
            eye.sees_within(SOON, |seen| seen == lie),
            "the LAN's own switch stops {lie:02x?}"
        );
    }
    Ok(())
}

pub(crate) fn a_lie_about_an_address_changes_no_neighbour(scene: &Scene) -> Result<()> {
    let lan1 = &scene.party.venue.lan1;
    let router = &scene.party.venue.router;
    let (lan1_mac, router_mac) = (lan1.mac("eth0")?, router.mac("eth0")?);
    let link_local = |machine: &lanparty_lab::Machine| match machine.ipv6_link_local("eth0") {
        Some(IpAddr::V6(address)) => Ok(address),
        _ => Err(anyhow::anyhow!("{} has no IPv6 address", machine.name())),
    };
    let (lan1_v6, router_v6) = (link_local(lan1)?, link_local(router)?);
    lan1.pings(ROUTER.into(), 56)?;
    lan1.ping_target(&format!("{router_v6}%eth0"), 56)?;
    let neighbours = || lan1.ip_shows("neigh show dev eth0");
    let knows = |mac: Mac| -> Result<bool> {
        let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        let shown = neighbours()?;
        let at = |address: String| {
            let start = format!("{address} ");
            shown
                .lines()
                .any(|line| line.starts_with(&start) && line.contains(&mac))
        };
        Ok(at(ROUTER.to_string()) && at(router_v6.to_string()))
    };
    ensure!(knows(router_mac)?, "{}", neighbours()?);
    for mouth in MOUTHS {
        let own = scene.own_mac(mouth);
        scene.nobody_hears(
            mouth,
            &lies_about_the_router(own, NOBODY, (lan1_mac, lan1_v6), router_v6),
        )?;
        ensure!(
            knows(router_mac)?,
            "lan1 believed {mouth:?}:\n{}",
            neighbours()?
        );
    }
    // A machine of the LAN is believed: this is what the room keeps out.
    let (lan2, lan2_mac) = (&scene.party.venue.lan2, scene.party.venue.lan2.mac("eth0")?);
    let socket = lan2.enter(|| RawSocket::open("eth0"))?;
    let lies = lies_about_the_router(lan2_mac, NOBODY, (lan1_mac, lan1_v6), router_v6);
    let poisoned = eventually("lan1 believes a liar on the LAN", SOON, || {
        lies.iter().for_each(|lie| drop(socket.send(lie)));
        knows(NOBODY).ok()?.then_some(())
    });
    lan1.ip("neigh flush dev eth0")?;
    poisoned
}

/// The router's addresses are at `claimed`: asked for, in passing, to one and to all.
fn lies_about_the_router(
    source: Mac,
    claimed: Mac,
    victim: (Mac, Ipv6Addr),
    router_v6: Ipv6Addr,
) -> Vec<Vec<u8>> {
    let liar: Station = (claimed, ROUTER);
    let gratuitous: Station = (EVERYBODY, ROUTER);
    let (mac, address) = victim;
    let all_nodes = (
        [0x33, 0x33, 0, 0, 0, 1],
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
    );
    vec![
        ethernet(mac, source, ARP, &arp(2, liar, (mac, LAN1))),
        ethernet(EVERYBODY, source, ARP, &arp(2, liar, gratuitous)),
        ethernet(EVERYBODY, source, ARP, &arp(1, liar, gratuitous)),
        ethernet(EVERYBODY, source, ARP, &arp(1, liar, ([0; 6], LAN1))),
        neighbour_advertisement((mac, address), source, router_v6, claimed),
        neighbour_advertisement(all_nodes, source, router_v6, claimed),
    ]
}

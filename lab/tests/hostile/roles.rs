//! Pretending to be what only the LAN has: a router, a querier, a bridge, another machine's DHCP client.

use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::pass;
use std::net::Ipv4Addr;

use crate::frames::{ARP, EVERYBODY, EXPERIMENT, IPV4, Mac, arp, dhcp_question, ethernet, udp};
use crate::scene::{Eye, HOSTILE, Mouth, Scene};

const MOUTHS: [Mouth; 2] = [Mouth::Link, Mouth::Tap];
const SOON: Duration = Duration::from_secs(10);
const VRRP: u8 = 112;

pub(crate) fn a_player_with_keepalived_is_no_router_of_the_lan(scene: &Scene) -> Result<()> {
    let player = scene.player();
    let config = scene.party.venue.lab.write(
        "keepalived.conf",
        "global_defs { vrrp_version 3 }\n\
         vrrp_instance lie {\n\
             state MASTER\n interface lanparty0\n virtual_router_id 66\n priority 255\n advert_int 0.2\n\
             virtual_ipaddress { 192.168.50.1 }\n\
         }\n",
    )?;
    let lan = Eye::on_the_gateway(scene)?;
    let liar = player.machine.spawn(
        "keepalived",
        [
            "keepalived",
            "--dont-fork",
            "--log-console",
            "--vrrp",
            "--use-file",
            &config,
            "--pid=keepalived.pid",
            "--vrrp_pid=vrrp.pid",
        ],
    )?;
    liar.wait_for_line("MASTER STATE", SOON)?;
    // Five announcements, and what it says of the router's address.
    pass(Duration::from_secs(1));
    let marker = ethernet(EVERYBODY, player.mac(), EXPERIMENT, b"that was all");
    let seen = lan.until(&marker, || {
        scene.say(Mouth::Tap, std::slice::from_ref(&marker))
    })?;
    let lies = seen.iter().filter(|frame| is_vrrp(frame)).count();
    ensure!(
        lies == 0,
        "the LAN heard {lies} announcements of the router"
    );
    let claim = [&player.mac()[..], &[192, 168, 50, 1]].concat();
    let stolen = |frame: &&Vec<u8>| frame.get(22..32) == Some(&claim);
    ensure!(
        !seen.iter().any(|frame| stolen(&frame)),
        "and of its address"
    );
    Ok(())
}

fn is_vrrp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&IPV4.to_be_bytes()) && frame.get(23) == Some(&VRRP)
}

pub(crate) fn what_routers_queriers_and_bridges_say_stays_out_of_the_lan(
    scene: &Scene,
) -> Result<()> {
    let lies = |own: Mac| {
        let (router, all) = (Ipv4Addr::new(192, 168, 50, 66), Ipv4Addr::new(224, 0, 0, 1));
        let hsrp = udp((router, 1985), (all, 1985), &[0; 20]);
        let rip = udp((router, 520), (all, 520), &[2, 2, 0, 0]);
        let mut ospf = udp((router, 0x0201), (all, 0x002c), &[0; 40]);
        ospf[9] = 89;
        let mut query = udp((router, 0x1164), (all, 0), &[]);
        query[9] = 2;
        let mut mld = vec![0x60, 0, 0, 0, 0, 32, 0, 1];
        mld.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66]);
        mld.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        mld.extend([58, 0, 5, 2, 0, 0, 1, 0, 130]);
        mld.resize(40 + 32, 0);
        let hosts = [1, 0, 0x5e, 0, 0, 1];
        [
            ethernet(hosts, own, IPV4, &hsrp),
            ethernet(hosts, own, IPV4, &rip),
            ethernet(hosts, own, IPV4, &ospf),
            ethernet(hosts, own, IPV4, &query),
            ethernet([0x33, 0x33, 0, 0, 0, 1], own, 0x86dd, &mld),
            ethernet(EVERYBODY, own, 0x8863, &[0x11, 7, 0, 0, 0, 0]),
            ethernet(EVERYBODY, own, 0x9000, &[0, 0, 1, 0]),
            ethernet([1, 0x80, 0xc2, 0, 0, 0x21], own, 0x88f5, &[0; 46]),
        ]
    };
    for mouth in MOUTHS {
        scene.nobody_hears(mouth, &lies(scene.own_mac(mouth)))?;
    }
    Ok(())
}

/// The LAN's dnsmasq would give the player's lease to whoever asks with the player's client identifier.
pub(crate) fn nobody_asks_for_another_players_lease(scene: &Scene) -> Result<()> {
    let victim = scene.player().mac();
    let identifier = [&[61, 7, 1][..], &victim].concat();
    let ask = |hardware: Mac, options: &[&[u8]]| {
        let message = dhcp_question(hardware, &options.concat());
        let packet = udp(
            (Ipv4Addr::UNSPECIFIED, 68),
            (Ipv4Addr::BROADCAST, 67),
            &message,
        );
        ethernet(EVERYBODY, HOSTILE, IPV4, &packet)
    };
    let dhcp = &scene.party.venue.dhcp;
    let mark = dhcp.mark();
    let lies = [
        ask(HOSTILE, &[&[53, 1, 1], &identifier, &[255]]),
        ask(
            HOSTILE,
            &[&[53, 1, 3], &identifier, &[50, 4, 192, 168, 50, 100, 255]],
        ),
        ask(victim, &[&[53, 1, 3, 50, 4, 192, 168, 50, 100, 255]]),
        ask(victim, &[&[53, 1, 7, 255]]),
    ];
    scene.nobody_hears(Mouth::Link, &lies)?;
    // The server is there, and hears who asks in its own name.
    let honest = ask(HOSTILE, &[&[53, 1, 1, 255]]);
    let datagram = scene.hostile.whole(&honest);
    scene.hostile.say(&datagram)?;
    let own = "02:66:00:00:00:01";
    dhcp.wait_for_line_after(mark, own, SOON)?;
    let asked = dhcp.log();
    ensure!(
        !asked.contains(&format!("DHCPRELEASE(eth0) 0.0.0.0 {own}")),
        "the server heard a release:\n{asked}"
    );
    Ok(())
}

/// A router with `proxy_arp_pvlan` answers for everybody, also for a player who has an address without a lease.
pub(crate) fn a_router_that_answers_for_players_takes_no_address(scene: &Scene) -> Result<()> {
    let venue = &scene.party.venue;
    let (router, player) = (&venue.router, scene.player());
    let own = Ipv4Addr::new(192, 168, 50, 201);
    let announcement = ethernet(
        EVERYBODY,
        player.mac(),
        ARP,
        &arp(1, (player.mac(), own), ([0; 6], own)),
    );
    let hears = || -> Result<()> {
        let lan = Eye::on_the_gateway(scene)?;
        let marker = ethernet(EVERYBODY, player.mac(), EXPERIMENT, b"it went before");
        let both = [announcement.clone(), marker.clone()];
        let seen = lan.until(&marker, || scene.say(Mouth::Tap, &both))?;
        ensure!(
            seen.contains(&announcement),
            "the LAN does not hear the player"
        );
        Ok(())
    };
    hears()?;
    router.sysctl("net/ipv4/conf/eth0/forwarding", "1")?;
    router.sysctl("net/ipv4/conf/eth0/proxy_arp_pvlan", "1")?;
    // Another player asks where that address is: player and router answer.
    let question = ethernet(
        EVERYBODY,
        HOSTILE,
        ARP,
        &arp(
            1,
            (HOSTILE, Ipv4Addr::new(192, 168, 50, 202)),
            ([0; 6], own),
        ),
    );
    let router_mac = router.mac("eth0")?;
    let eye = Eye::open(&venue.switch, "router")?;
    let answered = lanparty_lab::eventually("the router answers for the player", SOON, || {
        if let Err(error) = scene.hostile.say(&scene.hostile.whole(&question)) {
            return Some(Err(error));
        }
        let answers = |frame: &[u8]| {
            frame.get(6..12) == Some(&router_mac) && frame.get(20..22) == Some(&[0, 2])
        };
        eye.sees_within(Duration::from_millis(200), answers)
            .then_some(Ok(()))
    });
    router.sysctl("net/ipv4/conf/eth0/proxy_arp_pvlan", "0")?;
    answered??;
    hears()
}

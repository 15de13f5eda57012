//! All interfaces of this machine, looked at and asked for DHCP servers.

use super::choice::{self, Choice, Seen};
use super::interface::{Interface, InterfaceError};
use super::sys::PacketSocket;
use anyhow::{Context, bail};
use lanparty_dhcp::probe::{self, Offer};
use lanparty_edge::privilege::{self, CapabilitySet};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How long servers have to answer: some look for three seconds whether the address is free.
const PATIENCE: Duration = Duration::from_millis(5500);
/// How often they are asked meanwhile.
const AGAIN: Duration = Duration::from_secs(2);
/// How long further servers have once one has answered.
const FURTHER: Duration = Duration::from_millis(700);
/// So many offers are as good as any number.
const ENOUGH: usize = 8;

/// A link, as the kernel tells of it.
struct Link {
    index: u32,
    name: String,
    kind: Option<InfoKind>,
    of: Option<u32>,
}

/// Looks at all interfaces, without asking on their wires.
pub(crate) fn look() -> anyhow::Result<Vec<Seen>> {
    let links = links().context("cannot see which interfaces there are")?;
    let addresses = addresses().unwrap_or_default();
    let out = ways_out();
    let serves = serves_dhcp();
    let physical = |link: &Link| {
        let is_below = |other: &&Link| other.of == Some(link.index);
        has_device(&link.name)
            || links
                .iter()
                .filter(is_below)
                .any(|link| has_device(&link.name))
    };
    let seen = |link: &Link| {
        let fault = Interface::find(&link.name)
            .err()
            .map(|error| error.to_string());
        let leads_out = out.contains(&link.name);
        let address = addresses.get(&link.index).cloned();
        Seen {
            fault: of_a_program(link).or(fault),
            has_cable: physical(link),
            leads_out,
            serves: serves && !leads_out && address.is_some(),
            address,
            servers: None,
            name: link.name.clone(),
        }
    };
    let is_loopback = |link: &&Link| link.name != "lo";
    let mut seen: Vec<_> = links.iter().filter(is_loopback).map(seen).collect();
    choice::set_aside_made_up(&mut seen);
    Ok(seen)
}

/// Asks on each that will do whether there is a DHCP server. That takes seconds.
///
/// # Errors
/// [`InterfaceError::MissingPrivilege`], above all.
pub(crate) fn ask(seen: &mut [Seen]) -> Result<(), InterfaceError> {
    let asked: Vec<_> = seen.iter_mut().filter(|one| one.fault.is_none()).collect();
    thread::scope(|scope| {
        let asking = |one: &Seen| {
            let name = one.name.clone();
            scope.spawn(move || servers(&name))
        };
        let asking: Vec<_> = asked.iter().map(|one| asking(one)).collect();
        for (one, servers) in asked.into_iter().zip(asking) {
            one.servers = Some(servers.join().unwrap_or(Ok(Vec::new()))?);
        }
        Ok(())
    })
}

/// The one interface that has the LAN, where nobody has named it, and a sentence about that.
///
/// # Errors
/// A sentence with a line for each interface, when it cannot be told.
pub(crate) fn find() -> anyhow::Result<(String, String)> {
    let mut seen = look()?;
    let usable = seen.iter().filter(|one| one.fault.is_none()).count();
    if usable > 1 {
        ask(&mut seen)?;
    }
    match choice::choose(&seen) {
        Choice::One(one) => {
            let name = one.name.clone();
            let why = match usable {
                1 => "it is the only interface here that can carry a party".to_owned(),
                _ => one.remark(),
            };
            let said = format!("The party is at {name}: {why}. (--interface takes another.)");
            Ok((name, said))
        }
        Choice::None => bail!(
            "no interface here can carry a party; the LAN's cable belongs into one, and `lanparty-gateway setup` looks again{}",
            choice::others(&seen, "")
        ),
        Choice::Several(_) => bail!(
            "which interface has the party's LAN cannot be told; say it with --interface{}",
            choice::others(&seen, "")
        ),
    }
}

/// What to think about when somebody has named this interface.
pub(crate) fn doubt(chosen: &str) -> Option<String> {
    choice::doubt(&look().ok()?, chosen)
}

/// A program's own adapter, such as a player's: what enters there is for that program.
fn of_a_program(link: &Link) -> Option<String> {
    let is_tun = matches!(&link.kind, Some(InfoKind::Tun)) || link.name.starts_with("lanparty");
    is_tun.then(|| {
        format!(
            "{} is a program's own adapter, and no cable leads out there",
            link.name
        )
    })
}

fn has_device(name: &str) -> bool {
    Path::new("/sys/class/net")
        .join(name)
        .join("device")
        .exists()
}

fn links() -> io::Result<Vec<Link>> {
    let answers = lanparty_netlink::list(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let mut links: Vec<_> = answers.iter().filter_map(link).collect();
    links.sort_by_key(|link| link.index);
    Ok(links)
}

fn link(answer: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let (mut name, mut kind, mut of) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(named) => name = Some(named.clone()),
            LinkAttribute::Controller(index) => of = Some(*index),
            LinkAttribute::LinkInfo(parts) => {
                kind = parts.iter().find_map(|part| match part {
                    LinkInfo::Kind(kind) => Some(kind.clone()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(Link {
        index: message.header.index,
        name: name?,
        kind,
        of,
    })
}

/// One address of each interface, IPv4 if it has one.
fn addresses() -> io::Result<HashMap<u32, String>> {
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let mut addresses = HashMap::new();
    for answer in lanparty_netlink::list(question)? {
        let RouteNetlinkMessage::NewAddress(message) = answer else {
            continue;
        };
        let own = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(IpAddr::V4(ip)) => Some(*ip),
                _ => None,
            });
        if let Some(ip) = own {
            let text = format!("{ip}/{}", message.header.prefix_len);
            addresses.entry(message.header.index).or_insert(text);
        }
    }
    Ok(addresses)
}

/// The interfaces to which default routes lead.
fn ways_out() -> Vec<String> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let mut ways = ways_out_v4(&read("/proc/net/route"));
    ways.extend(ways_out_v6(&read("/proc/net/ipv6_route")));
    ways
}

/// Linux' `fib_route_seq_show`: name, destination, gateway, flags, …, mask as the eighth.
fn ways_out_v4(table: &str) -> Vec<String> {
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let is_default =
        |row: &Vec<&str>| row.len() > 7 && row[1] == "00000000" && row[7] == "00000000";
    let rows = rows.filter(is_default);
    rows.map(|row| row[0].to_owned()).collect()
}

/// Linux' `rt6_info_route`: destination and its length in hexadecimal digits first, the name last. The kernel's own
/// unreachable default is at `lo`.
fn ways_out_v6(table: &str) -> Vec<String> {
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let is_default = |row: &Vec<&str>| {
        row.len() > 9
            && row[1] == "00"
            && row[0].bytes().all(|digit| digit == b'0')
            && row[9] != "lo"
    };
    let rows = rows.filter(is_default);
    rows.map(|row| row[9].to_owned()).collect()
}

/// Whether a program on this machine listens at DHCP's port for servers, 67.
fn serves_dhcp() -> bool {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    listens_at(&table, 67)
}

fn listens_at(table: &str, port: u16) -> bool {
    let port = format!(":{port:04X}");
    let mut local = table
        .lines()
        .filter_map(|row| row.split_whitespace().nth(1));
    local.any(|local| local.ends_with(&port))
}

/// The servers that answer on this interface.
fn servers(name: &str) -> Result<Vec<Offer>, InterfaceError> {
    let interface = Interface::find(name)?;
    let socket = PacketSocket::new().map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => InterfaceError::MissingPrivilege {
            name: name.to_owned(),
            advice: privilege::advice(CapabilitySet::NET_RAW, &[]),
        },
        _ => asking(name, error),
    })?;
    let heard = hear(&socket, &interface).map_err(|error| asking(name, error));
    // A cable that is pulled meanwhile, or a driver that refuses: then nobody answers.
    Ok(heard.unwrap_or_else(|error| {
        tracing::debug!(%error, "Cannot ask for DHCP servers");
        Vec::new()
    }))
}

fn asking(name: &str, error: io::Error) -> InterfaceError {
    InterfaceError::System {
        name: name.to_owned(),
        step: "ask for DHCP servers on",
        error,
    }
}

fn hear(socket: &PacketSocket, interface: &Interface) -> io::Result<Vec<Offer>> {
    let mac = interface.mac();
    let xid = rand::random();
    let question = probe::question(mac, xid, rand::random());
    socket.enable(libc::PACKET_IGNORE_OUTGOING)?;
    socket.bind(interface.index())?;
    let plain = socket.plain();
    plain.set_nonblocking(false)?;
    let begin = Instant::now();
    let (mut end, mut next) = (begin + PATIENCE, begin);
    let mut offers = Vec::new();
    let mut frame = [0; 2048];
    while Instant::now() < end && offers.len() < ENOUGH {
        if Instant::now() >= next {
            plain.send(&question)?;
            next += AGAIN;
        }
        let left = next.min(end).saturating_duration_since(Instant::now());
        plain.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let len = match (&*plain).read(&mut frame) {
            Ok(len) => len,
            Err(error) if is_only_late(&error) => continue,
            Err(error) => return Err(error),
        };
        if let Some(offer) = probe::offer(&frame[..len], mac, xid)
            && !offers.contains(&offer)
        {
            offers.push(offer);
            end = end.min(Instant::now() + FURTHER);
        }
    }
    Ok(offers)
}

fn is_only_late(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_internet_is_where_the_default_routes_lead() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth1\t0032A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
        assert_eq!(ways_out_v4(v4), ["eth0"]);
        let zeros = "0".repeat(32);
        let row = |to: &str, len: &str, name: &str| {
            format!("{to} {len} {zeros} 00 {zeros} 00000400 00000001 00000000 00000003 {name}\n")
        };
        let one = "2".to_owned() + &zeros[1..];
        let v6 = row(&zeros, "00", "eth2") + &row(&zeros, "00", "lo") + &row(&one, "40", "eth1");
        assert_eq!(ways_out_v6(&v6), ["eth2"]);
        assert!(ways_out_v4("").is_empty() && ways_out_v6("x\n").is_empty());
    }

    #[test]
    fn a_dhcp_server_of_this_machine_is_known_by_its_port() {
        let table = "  sl  local_address rem_address\n\
            12: 00000000:0043 00000000:0000 07\n13: 0100007F:0035 00000000:0000 07\n";
        assert!(listens_at(table, 67) && listens_at(table, 53));
        assert!(!listens_at(table, 68) && !listens_at("", 67));
    }

    #[test]
    fn every_interface_is_looked_at_but_the_loopback() {
        let seen = look().unwrap();
        assert!(seen.iter().all(|one| one.name != "lo"));
    }
}

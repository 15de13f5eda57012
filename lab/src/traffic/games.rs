//! Real game servers, and finding them as a game's LAN browser does.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::needs::find;
use crate::{Machine, Process};

const TEEWORLDS_PORT: u16 = 8303;
/// How long a browser listens for answers.
const LISTEN: Duration = Duration::from_secs(2);

/// Starts an OpenArena server and waits until it has a map.
pub fn openarena_server(machine: &Machine, name: &str) -> Result<Process> {
    let program = path_of("openarena-server")?;
    let settings = [
        "+set",
        "dedicated",
        "1",
        "+set",
        "com_hunkmegs",
        "64",
        "+set",
        "ttycon",
        "0",
        "+set",
        "sv_hostname",
    ];
    let command = [&program]
        .into_iter()
        .map(String::as_str)
        .chain(settings)
        .chain([name, "+map", "oa_dm1"]);
    let server = machine.spawn("openarena", command)?;
    server.wait_for_line("AAS initialized", Duration::from_secs(30))?;
    Ok(server)
}

/// Asks by broadcast as `quakestat` does; answers with its table.
pub fn openarena_servers_seen(machine: &Machine, broadcast: Ipv4Addr) -> Result<String> {
    machine.run(["quakestat", "-q3s", &format!("+{broadcast}")])
}

/// Starts a Teeworlds server and waits until it listens.
pub fn teeworlds_server(machine: &Machine, name: &str) -> Result<Process> {
    let settings = format!("sv_name {name}; sv_register 0");
    let server = machine.spawn("teeworlds", [&path_of("teeworlds-server")?, &settings])?;
    server.wait_for_line("rcon password", Duration::from_secs(30))?;
    Ok(server)
}

/// Asks by broadcast as the Teeworlds 0.7 browser does; answers with addresses and names.
///
/// `quakestat -tees` speaks only the older protocol, which a 0.7 server does not answer: since 0.7 a server first
/// wants its token back. So the broadcast asks for tokens, and each server that answered is asked who it is.
pub fn teeworlds_servers_seen(
    machine: &Machine,
    broadcast: Ipv4Addr,
) -> Result<BTreeMap<SocketAddr, String>> {
    let socket = machine.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    socket.set_broadcast(true)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    socket.send_to(
        &teeworlds::token_request(),
        (IpAddr::V4(broadcast), TEEWORLDS_PORT),
    )?;
    let mut servers = BTreeMap::new();
    let mut buffer = [0; 2048];
    let end = Instant::now() + LISTEN;
    while Instant::now() < end && servers.is_empty() {
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(token) = teeworlds::token_in(&buffer[..length]) {
            socket.send_to(&teeworlds::info_request(token), from)?;
        } else if let Some(name) = teeworlds::name_in(&buffer[..length]) {
            servers.insert(from, name);
        }
    }
    Ok(servers)
}

fn path_of(program: &str) -> Result<String> {
    let path = find(program).with_context(|| format!("{program} is not installed"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// The little of the Teeworlds 0.7 protocol that a server browser needs.
mod teeworlds {
    const OUR_TOKEN: [u8; 4] = *b"LANp";
    const CONTROL: [u8; 3] = [0x04, 0, 0]; // control flag, no acknowledgement, no chunks
    const CONNECTIONLESS: u8 = 0x21; // connectionless flag, packet version 1
    const MESSAGE_TOKEN: u8 = 5;
    /// Servers ignore shorter requests, so that nobody can use them to amplify a flood.
    const TOKEN_REQUEST_CONTENT: usize = 512;

    pub(super) fn token_request() -> Vec<u8> {
        let mut packet = [&CONTROL[..], &[0xff; 4], &[MESSAGE_TOKEN], &OUR_TOKEN].concat();
        packet.resize(CONTROL.len() + 4 + 1 + TOKEN_REQUEST_CONTENT, 0);
        packet
    }

    /// The server's token in its answer to ours.
    pub(super) fn token_in(packet: &[u8]) -> Option<[u8; 4]> {
        let rest = packet.strip_prefix(&CONTROL)?.strip_prefix(&OUR_TOKEN)?;
        rest.strip_prefix(&[MESSAGE_TOKEN])?.first_chunk().copied()
    }

    pub(super) fn info_request(server_token: [u8; 4]) -> Vec<u8> {
        [
            &[CONNECTIONLESS][..],
            &server_token,
            &OUR_TOKEN,
            &[0xff; 4],
            b"gie3",
            &[0],
        ]
        .concat()
    }

    /// The server's name: the second text behind `inf3` and the echoed number.
    pub(super) fn name_in(packet: &[u8]) -> Option<String> {
        let information = packet
            .strip_prefix(&[CONNECTIONLESS])?
            .get(8..)?
            .strip_prefix(b"\xff\xff\xff\xffinf3")?;
        let name = information.get(1..)?.split(|&byte| byte == 0).nth(1)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

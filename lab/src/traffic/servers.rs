//! More real game servers, and how each game's LAN browser looks for them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::multicast::join;
use crate::needs::find;
use crate::{LAN_BROADCAST, Machine, Process};

/// How long a server may take until it listens: OpenTTD makes a world first.
const STARTS: Duration = Duration::from_secs(60);
/// How long it is looked for. Some do not hear the first question after a while alone.
const LOOKS: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(500);

/// DDNet, on its usual port.
pub fn ddnet_server(machine: &Machine, name: &str) -> Result<Process> {
    let settings = format!("sv_name {name}; sv_register 0; sv_port 8303");
    let server = machine.spawn("ddnet", [&path_of("DDNet-Server")?, &settings])?;
    server.wait_for_line("rcon password", STARTS)?;
    Ok(server)
}

/// OpenTTD, with a world of its own making.
pub fn openttd_server(machine: &Machine) -> Result<Process> {
    let program = path_of("openttd")?;
    let server = machine.spawn("openttd", [&program, "-D", "0.0.0.0:3979"])?;
    server.wait_for_line("Map generated", STARTS)?;
    Ok(server)
}

/// Freeciv, which does not run as root.
pub fn freeciv_server(machine: &Machine) -> Result<Process> {
    let program = path_of("freeciv-server")?;
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let home = ["env", "HOME=/nonexistent", &program, "-p", "5556"];
    let server = machine.spawn("freeciv", nobody.into_iter().chain(home))?;
    server.wait_for_line("Now accepting", STARTS)?;
    Ok(server)
}

/// Armagetron Advanced; `settings` is a folder with its `autoexec.cfg`.
pub fn armagetron_server(machine: &Machine, settings: &str) -> Result<Process> {
    let program = path_of("armagetronad-dedicated")?;
    let server = machine.spawn("armagetron", [&program, "--userconfigdir", settings])?;
    server.wait_for_line("Bound socket to *.*.*.*:4534", STARTS)?;
    Ok(server)
}

/// BZFlag, which says when it listens to nobody, so it is looked for until it answers.
pub fn bzflag_server(machine: &Machine) -> Result<Process> {
    machine.spawn("bzflag", [&path_of("bzfs")?, "-p", "5154"])
}

/// What a game's browser says to find servers, and where.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    question: &'static [u8],
    to: Ipv4Addr,
    port: u16,
    /// Where answers go, if not to who asks.
    answered_at: Option<u16>,
    /// What each server that has answered is asked, if its first answer is not all.
    then: Option<&'static [u8]>,
}

impl Look {
    /// Six bytes of 0xff that a newer version reads, then the question of 0.6 with a number of the browser's
    /// (`src/engine/client/serverbrowser.cpp` of DDNet).
    pub const DDNET: Look =
        Look::everybody(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffgie3\x07", 8303);
    /// A packet of three bytes, the kind of which is "find server" (`src/network/core/udp.h` of OpenTTD).
    pub const OPENTTD: Look = Look::everybody(b"\x03\0\0", 3979);
    /// A ping (`src/common/Ping.cxx` of BZFlag).
    pub const BZFLAG: Look = Look::everybody(b"\x00\x02\x04\x04\0\0", 5154);
    /// Who is there, and then who are you (`src/network/nServerInfo.cpp` of Armagetron).
    pub const ARMAGETRON: Look = Look {
        then: Some(b"\x00\x35\0\0\0\0\0\x11"),
        ..Look::everybody(b"\x00\x34\0\0\0\0\0\0", 4534)
    };
    /// The version of what is asked, to a group (`server/sernet.c` and `client/servers.c` of Freeciv).
    pub const FREECIV: Look = Look {
        to: Ipv4Addr::new(225, 1, 1, 1),
        answered_at: Some(4556),
        ..Look::everybody(b"\x02", 4555)
    };

    const fn everybody(question: &'static [u8], port: u16) -> Look {
        Look {
            question,
            to: LAN_BROADCAST,
            port,
            answered_at: None,
            then: None,
        }
    }

    /// Looks from a machine with this address on the LAN until the server of another one has told it all.
    pub fn finds(self, (seeker, own): (&Machine, IpAddr), server: IpAddr) -> Result<()> {
        let socket = seeker.enter(|| UdpSocket::bind((own, 0)))?;
        socket.set_broadcast(true)?;
        let heard = match self.answered_at {
            Some(port) => join((self.to, port), (seeker, own))?,
            None => socket.try_clone()?,
        };
        heard.set_read_timeout(Some(AGAIN))?;
        let end = Instant::now() + LOOKS;
        while Instant::now() < end {
            socket.send_to(self.question, (self.to, self.port))?;
            let Some(from) = answer_of(&heard, server)? else {
                continue;
            };
            let Some(then) = self.then else {
                return Ok(());
            };
            socket.send_to(then, from)?;
            if answer_of(&heard, server)?.is_some() {
                return Ok(());
            }
        }
        bail!(
            "nobody at {server} has answered at {}:{}",
            self.to,
            self.port
        )
    }
}

/// Where the next answer of this host comes from, unless none does for a while.
fn answer_of(socket: &UdpSocket, host: IpAddr) -> Result<Option<SocketAddr>> {
    let mut buffer = [0; 2048];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((_, from)) if from.ip() == host => return Ok(Some(from)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn path_of(program: &str) -> Result<String> {
    let path = find(program).with_context(|| format!("{program} is not installed"))?;
    Ok(path.to_string_lossy().into_owned())
}

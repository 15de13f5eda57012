//! A LAN party: the venue with the relay, the gateway and the players' programs running in it.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::suite::World;
use crate::venue::{HomePlan, Plan, Venue};
use crate::{Machine, Process, Router, WireConditions, eventually};

/// Joining takes well under a second; a busy machine gets the rest.
const JOIN: Duration = Duration::from_secs(15);
/// Names the folder with the programs; without it they are looked for beside the running test or tool.
const BINARIES: &str = "LANPARTY_BIN_DIR";
const PROGRAMS: [&str; 3] = ["lanparty-relay", "lanparty-gateway", "lanparty-client"];

/// A running party; everything ends and disappears when it is dropped.
#[derive(Debug)]
pub struct Party {
    /// The players, in the order they came.
    pub players: Vec<Player>,
    /// The gateway's program.
    pub gateway: Process,
    /// The relay's program.
    pub relay: Process,
    /// The machines.
    pub venue: Venue,
    builder: PartyBuilder,
}

/// A player far away who has joined.
#[derive(Debug)]
pub struct Player {
    /// The player's computer.
    pub machine: Machine,
    /// The client.
    pub program: Process,
    number: usize,
}

/// One of the programs of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The relay.
    Relay,
    /// The gateway.
    Gateway,
    /// The client of the player with this index.
    Player(usize),
}

/// How a player gets an address on the LAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// From the LAN's DHCP server.
    #[default]
    Dhcp,
    /// 192.168.50.201 for the first player, and so on.
    Static,
    /// None: somebody else sees to it.
    None,
}

/// Makes something of a venue's machines before any program of ours runs.
type Prepare = fn(&Venue) -> Result<()>;

/// Says what kind of party it shall be.
#[derive(Clone, Debug, Default)]
pub struct PartyBuilder {
    plan: Plan,
    strangers: usize,
    addressing: Addressing,
    log: Option<String>,
    relay_flags: Vec<String>,
    gateway_flags: Vec<String>,
    player_flags: Vec<String>,
    /// Where the gateway is on the LAN, if not at `eth0`, and who makes that.
    gateway_at: Option<(String, Prepare)>,
    prepare: Option<Prepare>,
    congestion: Option<String>,
    relay_by_name: bool,
    files: Vec<(String, String)>,
}

impl PartyBuilder {
    /// So many players join.
    pub fn players(mut self, players: usize) -> Self {
        self.plan.remotes = players;
        self
    }

    /// So many machines far away have no client of ours; they come behind the players' in [`Venue::remotes`].
    pub fn strangers(mut self, strangers: usize) -> Self {
        self.strangers = strangers;
        self
    }

    /// Each path over the internet silently drops IP packets longer than this.
    pub fn path_mtu(self, mtu: usize) -> Self {
        self.paths(WireConditions {
            mtu,
            ..WireConditions::default()
        })
    }

    /// What the players' and the gateway's paths over the internet are like.
    pub fn paths(mut self, conditions: WireConditions) -> Self {
        self.plan.gateway_path = Some(conditions);
        self.player_paths(conditions)
    }

    /// What the players' paths over the internet are like; the gateway's is perfect.
    pub fn player_paths(mut self, conditions: WireConditions) -> Self {
        self.plan.player_path = Some(conditions);
        self
    }

    /// The first player's home network has the LAN's addresses.
    pub fn home_overlaps(mut self) -> Self {
        self.plan.home_overlaps = true;
        self
    }

    /// The first player's home is like this.
    pub fn home(mut self, home: HomePlan) -> Self {
        self.plan.home = Some(home);
        self
    }

    /// The routers between the gateway and the internet, and between each player and it, the nearest first.
    pub fn routers(
        mut self,
        gateway: &'static [Router],
        players: &'static [&'static [Router]],
    ) -> Self {
        self.plan.gateway_routers = gateway;
        self.plan.player_routers = players;
        self
    }

    /// How players get their addresses.
    pub fn addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// The programs' `--log` filter.
    pub fn log(mut self, filter: &str) -> Self {
        self.log = Some(filter.into());
        self
    }

    /// More flags for the relay.
    pub fn relay_flags(mut self, flags: &[&str]) -> Self {
        self.relay_flags
            .extend(flags.iter().map(|flag| (*flag).into()));
        self
    }

    /// More flags for the players' clients.
    pub fn player_flags(mut self, flags: &[&str]) -> Self {
        self.player_flags
            .extend(flags.iter().map(|flag| (*flag).into()));
        self
    }

    /// More flags for the gateway.
    pub fn gateway_flags(mut self, flags: &[&str]) -> Self {
        self.gateway_flags
            .extend(flags.iter().map(|flag| (*flag).into()));
        self
    }

    /// The gateway serves this interface of its machine, which `prepare` makes.
    pub fn gateway_at(mut self, interface: &str, prepare: Prepare) -> Self {
        self.gateway_at = Some((interface.into(), prepare));
        self
    }

    /// The machines are like this when the programs start.
    pub fn prepared(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// How all programs share full paths.
    pub fn congestion(mut self, how: &str) -> Self {
        self.congestion = Some(how.into());
        self
    }

    /// A file in the folder where every program runs.
    pub fn file(mut self, name: &str, content: String) -> Self {
        self.files.push((name.into(), content));
        self
    }

    /// Gateway and players know the relay by [`Party::RELAY_NAME`], which is in their hosts files.
    pub fn relay_by_name(mut self) -> Self {
        self.relay_by_name = true;
        self
    }

    /// Builds the venue, starts the programs and waits until every player has an address.
    pub fn start(self) -> Result<Party> {
        let players = self.plan.remotes;
        let venue = Venue::build(Plan {
            remotes: players + self.strangers,
            ..self.plan
        })?;
        for machine in venue.remotes.iter().chain([&venue.gateway]) {
            machine.set_host(Party::RELAY_NAME, Venue::RELAY)?;
        }
        for (name, content) in &self.files {
            venue.lab.write(name, content)?;
        }
        let gateway_at = self.gateway_at.as_ref().map(|&(_, prepare)| prepare);
        for prepare in gateway_at.into_iter().chain(self.prepare) {
            prepare(&venue)?;
        }
        let relay = self.start_relay(&venue)?;
        relay.wait_for_line("Relay listening on ", JOIN)?;
        let gateway = self.start_gateway(&venue)?;
        gateway.wait_for_line("connected to the relay", JOIN)?;
        let remotes = venue.remotes.clone();
        let mut party = Party {
            players: Vec::new(),
            gateway,
            relay,
            venue,
            builder: self,
        };
        for (number, machine) in (1..).zip(remotes).take(players) {
            let player = party.start_player(machine, number)?;
            party.players.push(player);
        }
        for player in &party.players {
            player.wait_until_ready(party.builder.addressing)?;
        }
        Ok(party)
    }

    fn start_relay(&self, venue: &Venue) -> Result<Process> {
        let certificate = certificate(venue);
        let mut command = program("lanparty-relay")?;
        command.extend(["--dev-cert-der-out".into(), certificate]);
        command.extend(self.relay_flags.iter().cloned());
        venue.relay.spawn("relay", self.with_common_flags(command))
    }

    fn start_gateway(&self, venue: &Venue) -> Result<Process> {
        let mut command = program("lanparty-gateway")?;
        let interface = self.gateway_at.as_ref().map(|(interface, _)| &**interface);
        command.extend(["--interface".into(), interface.unwrap_or("eth0").into()]);
        command.extend(self.to_the_relay(venue));
        command.extend(self.gateway_flags.iter().cloned());
        venue
            .gateway
            .spawn("gateway", self.with_common_flags(command))
    }

    fn to_the_relay(&self, venue: &Venue) -> Vec<String> {
        let relay = if self.relay_by_name {
            Party::RELAY_NAME.to_owned()
        } else {
            Venue::RELAY.to_string()
        };
        let certificate = certificate(venue);
        let flags = [
            "--relay",
            &relay,
            "--server-name",
            "lanparty-relay",
            "--relay-ca-cert",
            &certificate,
        ];
        let room = ["--room", Party::ROOM];
        flags.into_iter().chain(room).map(Into::into).collect()
    }

    fn with_common_flags(&self, mut command: Vec<String>) -> Vec<String> {
        command.extend(
            self.log
                .iter()
                .flat_map(|filter| ["--log".into(), filter.clone()]),
        );
        if let Some(how) = &self.congestion {
            command.extend(["--congestion".into(), how.clone()]);
        }
        command
    }
}

impl Party {
    /// The room that everybody joins.
    pub const ROOM: &str = "LAB-1";
    /// What the relay is called in the hosts files of gateway and players.
    pub const RELAY_NAME: &str = "relay.party.test";
    /// The first player's address when addressing is static.
    pub const FIRST_STATIC: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 201));

    /// A party with the LAN's DHCP server, a relay, a gateway, and as many players as you say.
    pub fn builder() -> PartyBuilder {
        PartyBuilder::default()
    }

    /// The program in this role.
    pub fn program(&self, role: Role) -> &Process {
        match role {
            Role::Relay => &self.relay,
            Role::Gateway => &self.gateway,
            Role::Player(index) => &self.players[index].program,
        }
    }

    /// Starts a program that has ended again, on the same machine, and waits for nothing.
    pub fn start_again(&mut self, role: Role) -> Result<()> {
        match role {
            Role::Relay => self.relay = self.builder.start_relay(&self.venue)?,
            Role::Gateway => self.gateway = self.builder.start_gateway(&self.venue)?,
            Role::Player(index) => {
                let Player {
                    machine, number, ..
                } = &self.players[index];
                self.players[index] = self.start_player(machine.clone(), *number)?;
            }
        }
        Ok(())
    }

    /// Starts a player's program again on the same machine and waits until there is an address.
    pub fn restart_player(&mut self, index: usize) -> Result<()> {
        self.start_again(Role::Player(index))?;
        self.players[index].wait_until_ready(self.builder.addressing)
    }

    /// Presses Ctrl-C everywhere, players first, and removes the venue; fails when a program did not end clean.
    pub fn end(self) -> Result<()> {
        let programs = self
            .players
            .iter()
            .map(|player| &player.program)
            .chain([&self.gateway, &self.relay]);
        for program in programs {
            let status = program.interrupt()?;
            ensure!(
                status.success(),
                "{} ended with {status}:\n{}",
                program.title(),
                program.tail(15)
            );
        }
        Ok(())
    }

    /// The first player's home, if it is a special one.
    pub fn home(&self) -> Option<HomePlan> {
        self.builder.plan.home
    }

    /// The certificate that the relay wrote, as DER.
    pub fn certificate(&self) -> PathBuf {
        certificate(&self.venue).into()
    }

    /// The flags that lead a gateway or a client to this party's relay and room.
    pub fn join_flags(&self) -> Vec<String> {
        self.builder.to_the_relay(&self.venue)
    }

    fn start_player(&self, machine: Machine, number: usize) -> Result<Player> {
        let mut command = program("lanparty-client")?;
        command.extend(self.join_flags());
        command.extend(["--identity".into(), format!("identity-{number}.json")]);
        command.extend([
            "--virtual-mac".into(),
            format!("02:1a:00:00:00:{number:02x}"),
        ]);
        command.extend(["--tap".into(), Player::TAP.into()]);
        match self.builder.addressing {
            Addressing::Dhcp => command.push("--dhcp".into()),
            Addressing::Static => command.extend([
                "--address".into(),
                format!("192.168.50.{}/24", 200 + number),
            ]),
            Addressing::None => command.push("--no-dhcp".into()),
        }
        command.extend(self.builder.player_flags.iter().cloned());
        let program = machine.spawn("client", self.builder.with_common_flags(command))?;
        Ok(Player {
            machine,
            program,
            number,
        })
    }
}

impl World for Party {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway]
            .into_iter()
            .chain(self.players.iter().map(|player| &player.program));
        let tails = programs.map(|program| {
            format!(
                "--- {} said at the end:\n{}\n",
                program.title(),
                program.tail(15)
            )
        });
        tails.collect()
    }
}

impl Player {
    /// The name of the player's TAP.
    pub const TAP: &str = "lanparty0";

    /// The player's address on the LAN.
    pub fn address(&self) -> Result<IpAddr> {
        self.machine
            .ipv4(Self::TAP)
            .context("the player has no LAN address")
    }

    /// The player's hardware address on the LAN.
    pub fn mac(&self) -> [u8; 6] {
        [0x02, 0x1a, 0, 0, 0, self.number as u8]
    }

    pub(crate) fn new(machine: Machine, program: Process, number: usize) -> Self {
        Self {
            machine,
            program,
            number,
        }
    }

    fn wait_until_ready(&self, addressing: Addressing) -> Result<()> {
        self.program.wait_for_line("Connected to the LAN", JOIN)?;
        if addressing != Addressing::None {
            let got = eventually("the player gets a LAN address", JOIN, || {
                self.machine.ipv4(Self::TAP)
            });
            got.with_context(|| self.program.tail(30))?;
        }
        Ok(())
    }
}

fn certificate(venue: &Venue) -> String {
    venue
        .lab
        .folder()
        .join("relay.der")
        .to_string_lossy()
        .into_owned()
}

/// A command that starts one of the project's own programs.
pub fn program(name: &str) -> Result<Vec<String>> {
    let file = binaries()?.join(name);
    ensure!(
        file.is_file(),
        "{} does not exist: `cargo xtask lab` builds it first",
        file.display()
    );
    Ok(vec![file.to_string_lossy().into_owned()])
}

/// The folder with the project's programs.
pub fn binaries() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    let own = env::current_exe().context("find the running program")?;
    // Tests are in target/PROFILE/deps, tools in target/PROFILE.
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(Path::to_path_buf)
        .find(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()));
    found.with_context(|| {
        format!(
            "{} are not built: `cargo xtask lab` builds them first",
            PROGRAMS.join(", ")
        )
    })
}

//! What a check may ask a PC, and what it may be answered.

use lanparty_client_control::{Party, RelayPlace, Snapshot};
use lanparty_proof::Verdict;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// A PC that can be asked how it is. Each question has an answer on every system, if only that there is none; those that
/// could hang have a time limit of their own.
pub trait Pc: Send + Sync {
    /// Which words are to be used.
    fn system(&self) -> System;
    /// The version of the program that asks.
    fn program(&self) -> &str;
    /// How the service is.
    fn service(&self) -> Service;
    /// Who asks.
    fn user(&self) -> User;
    /// Whether this process could set up an adapter itself.
    fn rights(&self) -> Rights;
    /// Whether the program that asks can undo what a killed run left, without the service.
    fn repairs_itself(&self) -> bool;
    /// What makes adapters.
    fn driver(&self) -> Driver;
    /// What a killed run left.
    fn leftovers(&self) -> Leftovers;
    /// The clock.
    fn now(&self) -> SystemTime;
    /// Whether the network keeps it right; nothing where nobody knows.
    fn clock_is_kept(&self) -> Option<bool>;
    /// Interfaces and routes; a sentence of the system's where they cannot be read.
    fn network(&self) -> Result<Network, String>;
    /// The party in question, if there is one.
    fn party(&self) -> Option<Party>;
    /// Looks a name up.
    fn look_up(&self, host: &str) -> Lookup;
    /// Asks a relay at these addresses whether it hears us.
    fn probe(&self, addresses: &[SocketAddr]) -> Probes;
    /// Whether the relays hear us that the party's invite names, and the one of their fleet at which the party is, where all of
    /// these are several.
    fn relays(&self) -> Vec<RelaySeen>;
    /// Whether the machines hear us to which the name of the party's relay leads, where those may be several: it has more than one
    /// address of a family.
    fn machines(&self) -> Vec<RelaySeen>;
    /// How the party's relay sees this PC, at all its addresses.
    fn paths(&self) -> Paths;
    /// Whether the party's relay can be reached by TCP; nothing where there is no relay to be asked.
    fn tcp(&self) -> Option<Tcp>;
    /// Whether the router opens ports for programs that ask; nothing where that is not known.
    fn ports(&self) -> Option<Ports>;
    /// What stands between games and this PC.
    fn firewall(&self) -> Firewall;
    /// The VPN that keeps back by rules what does not go through it, as far as that can be seen.
    fn kill_switch(&self) -> Option<Culprit>;
    /// How far the ways lead in which games find each other.
    fn proof(&self) -> Proof;
}

/// Which system it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// How the service is, for whoever asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// It is the one that asks.
    Asks(Box<Snapshot>),
    /// It answers.
    Answers(Box<Snapshot>),
    /// It is installed and does not run.
    Stopped,
    /// It is not installed.
    Absent,
    /// The system does not let this user speak to it.
    Forbidden,
    /// Somebody else answers in its place.
    Impostor(String),
    /// It does not answer.
    Silent,
    /// It says what this version does not understand.
    Strange,
}

impl Service {
    /// How things stand, where somebody says so.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Service::Asks(snapshot) | Service::Answers(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// At which of several relays this party is, where it is the one that is joined. A party whose room is not named is any one
    /// at its relay.
    pub fn place_of(&self, party: &Party) -> Option<&RelayPlace> {
        let snapshot = self.snapshot()?;
        let joined = snapshot.party.as_ref()?;
        let is_room = party.room.is_empty() || party.room == joined.room;
        (is_room && party.relay == joined.relay)
            .then_some(snapshot.place.as_ref())
            .flatten()
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Their account, where this machine has it in its own list.
    pub name: Option<String>,
    /// Whether that list lets them use the service.
    pub is_admitted: bool,
    /// Whether the system can ask for an administrator.
    pub can_ask_admin: bool,
}

/// Whether a process could set up an adapter itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// It could.
    Enough,
    /// It could not.
    Missing(Hindrance),
}

/// Why a process has no rights over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// It was never given any.
    Ordinary,
    /// It is root, but of a container without them.
    Container,
    /// The program has them, but lies on a file system where that does not count.
    NoSuid,
    /// The program has them, but whoever started it has renounced new ones.
    NoNewPrivileges,
}

/// What makes adapters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driver {
    /// It is there; on Windows with its version.
    Ready(Option<String>),
    /// It is there, and in use by a client.
    InUse,
    /// It has no adapter yet; the start makes one.
    NoAdapterYet,
    /// No adapter, and no sign of a driver.
    Unseen,
    /// It is not there at all.
    Missing,
    /// It is there, but this user may not open it.
    Closed,
    /// It is older than what works.
    Old(String),
    /// Its adapter is disabled, or is not there after all.
    Disabled,
    /// There are so many adapters and no word about which.
    Several(usize),
    /// It does not answer as it should.
    Broken(String),
}

/// What a killed run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing.
    Nothing,
    /// So much.
    Some(usize),
    /// What cannot be read.
    Damaged,
    /// This user may not know.
    Hidden,
}

/// A network's addresses, or one address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits name the network.
    pub len: u8,
}

impl Prefix {
    /// Whether `ip` is in it.
    pub fn covers(self, ip: IpAddr) -> bool {
        let differ = match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
            (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
            _ => return false,
        };
        differ.leading_zeros() >= self.len.into()
    }

    /// Whether some address is in both.
    pub fn overlaps(self, other: Prefix) -> bool {
        match self.len <= other.len {
            true => self.covers(other.ip),
            false => other.covers(self.ip),
        }
    }

    /// Whether it is everything.
    pub fn is_default(self) -> bool {
        self.len == 0
    }

    /// The network alone, without the host's bits.
    pub fn network(self) -> Prefix {
        let ip = match self.ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.len)).unwrap_or(0);
                IpAddr::V4((ip.to_bits() & mask).into())
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.len))
                    .unwrap_or(0);
                IpAddr::V6((ip.to_bits() & mask).into())
            }
        };
        Prefix { ip, len: self.len }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is the party's adapter.
    pub is_party: bool,
    /// Whether it is up.
    pub is_up: bool,
    /// Whether it is another program's tunnel.
    pub is_tunnel: bool,
    /// Its addresses.
    pub addresses: Vec<Prefix>,
    /// Which program of the system sees to it, if one is known to.
    pub managed_by: Option<String>,
    /// How long its packets may be, where the system says it.
    pub mtu: Option<usize>,
}

/// A unicast route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub destination: Prefix,
    /// The interface's name.
    pub interface: String,
    /// What it costs in all; the cheapest of the narrowest counts.
    pub metric: u32,
}

/// Interfaces and routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces but loopback.
    pub interfaces: Vec<Interface>,
    /// The routes.
    pub routes: Vec<Route>,
}

impl Network {
    /// The party's adapter.
    pub fn party(&self) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.is_party)
    }

    /// The interface with this name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        let mut interfaces = self.interfaces.iter();
        interfaces.find(|interface| interface.name == name)
    }

    /// The route that packets to `ip` take.
    pub fn way_to(&self, ip: IpAddr) -> Option<&Route> {
        let covering = self.routes.iter().filter(|r| r.destination.covers(ip));
        covering.min_by_key(|route| (u8::MAX - route.destination.len, route.metric))
    }
}

/// What became of a question for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// These addresses.
    Found(Vec<IpAddr>),
    /// There is no such name.
    Unknown,
    /// Nobody answered.
    Silent,
    /// It could not be asked.
    Failed,
}

/// What became of a question to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It answered after so long.
    Answered(Duration),
    /// Nobody listens there.
    Refused,
    /// This PC's own firewall does not let the question out.
    Blocked,
    /// No route leads there.
    NoRoute,
    /// Nobody answered.
    Silent,
    /// The system would not.
    Failed,
}

/// What became of a question to one of several relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySeen {
    /// Which one of the invite's, the first is 1; nothing for one of a fleet to which another one has led, or a machine
    /// of a name.
    pub number: Option<usize>,
    /// Its name; nothing for an address.
    pub name: Option<String>,
    /// What became of it; nothing where its name is not found.
    pub probe: Option<Probe>,
    /// Where it is, as its operator calls it, if it says so.
    pub region: Option<String>,
}

/// What became of a question to a relay, by each address family in which it has addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probes {
    /// By IPv4.
    pub four: Option<Probe>,
    /// By IPv6.
    pub six: Option<Probe>,
}

impl Probes {
    /// The quicker answer, or else what tells most.
    pub fn best(self) -> Probe {
        let both = self.four.into_iter().chain(self.six);
        both.reduce(Probe::better).unwrap_or(Probe::Failed)
    }
}

impl Probe {
    /// The quicker one of two answers, or else what tells more: that IPv6 has no route is of no interest where IPv4 is silent.
    pub fn better(self, other: Probe) -> Probe {
        let tells = |probe| match probe {
            Probe::Failed => 0,
            Probe::NoRoute => 1,
            Probe::Silent => 2,
            Probe::Refused => 3,
            Probe::Blocked => 4,
            Probe::Answered(_) => 5,
        };
        match (self, other) {
            (Probe::Answered(one), Probe::Answered(two)) => Probe::Answered(one.min(two)),
            (one, two) if tells(two) > tells(one) => two,
            (one, _) => one,
        }
    }
}

/// How relays see this PC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// By each address that has answered, all asked from one socket.
    pub sights: Vec<Sight>,
    /// Whether somebody at this PC's address outside is this PC again, where that was tried.
    pub hairpin: Option<bool>,
}

/// How a relay sees this PC at one of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The relay's address.
    pub relay: SocketAddr,
    /// This PC's socket, with its address on the way there.
    pub own: SocketAddr,
    /// The same as the relay sees it; an older one does not say it.
    pub seen: Option<SocketAddr>,
}

/// How far one gets by TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// What became of it.
    pub outcome: TcpOutcome,
    /// The proxy that was asked, if one has to be.
    pub proxy: Option<String>,
}

/// What became of a question to a relay by TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpOutcome {
    /// It takes packets, after so long.
    Open(Duration),
    /// Nobody answers.
    Silent,
    /// Nobody listens.
    Refused,
    /// Somebody answers who is no relay.
    NotARelay,
    /// The proxy does not let it through.
    ProxyRefuses,
    /// The proxy wants a name and a password.
    ProxyAsksWho,
    /// The proxy does not answer as one.
    ProxySilent,
}

/// By which protocols a router opens ports for programs that ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports(pub Vec<String>);

/// Looks through a session's tunnel, for who has none.
pub trait Prover: Send + Sync {
    /// What it finds, for a machine with this address and length of its subnet's prefix; nothing where nobody answers.
    fn prove(&self, address: Option<(std::net::Ipv4Addr, u8)>) -> Option<Verdict>;
}

/// How far the ways lead in which games find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// There is no party to be looked at, or no address at it.
    NoParty,
    /// Through the tunnel, asked by the session.
    Tunnel(Verdict),
    /// All the way, asked by a program as games are.
    Program(Verdict),
    /// It could not be tried; part of a sentence says why.
    Failed(String),
}

/// Whose rules keep the party away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// What people call it.
    pub name: String,
    /// What helps: the rest of a sentence.
    pub cure: String,
    /// Who can let the party through when a person asks for it; nobody where that is another program's affair.
    pub opening: Option<Opening>,
}

/// Who can let the party through a firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The client, for as long as it plays.
    Here,
    /// A program of the firewall's own, with an administrator's word.
    ByAdmin,
}

/// What stands between games and this PC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Firewall {
    /// Nothing that could be seen.
    Unseen,
    /// This program, which lets in nothing that it was not told to.
    Strict(String),
    /// This program, which refuses something by single rules; nobody knows whether the party's is among it.
    Choosy(String),
    /// This program, which was told of the party's adapter.
    LetsTheParty(String),
    /// Windows', by the profile for the network of the party's adapter.
    Profile(Profile),
    /// It cannot be asked.
    Unknown,
}

/// What Windows' firewall makes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The adapter is in no network now.
    None,
    /// The network is public: the firewall hides this PC.
    Public,
    /// The network is a friend's, but the profile for those is not in force.
    NotInForce,
    /// Games get through.
    InForce,
}

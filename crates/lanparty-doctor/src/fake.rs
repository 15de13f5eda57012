//! PCs that answer what a test tells them to.

mod wrongs;

use crate::facts::{
    Culprit, Driver, Firewall, Hindrance, Interface, Leftovers, Lookup, Network, Paths, Pc, Ports,
    Prefix, Probe, Probes, Profile, Proof, RelaySeen, Rights, Route, Service, Sight, System, Tcp,
    TcpOutcome, User,
};
use lanparty_client_control::{LanAddress, Lease, Mtu, Party, RelayPlace, Room, Snapshot, State};
use lanparty_proof::{Reach, Style, Verdict};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What must stand in no row: public addresses (those kept for documentation), and what looks like a key.
pub(crate) const SECRETS: &[&str] = &["203.0.113.", "2001:db8", "S3CR3TKEY", "lanparty://"];

/// A PC whose answers are its fields.
#[derive(Debug, Clone)]
pub(crate) struct FakePc {
    pub(crate) system: System,
    pub(crate) service: Service,
    pub(crate) user: User,
    pub(crate) rights: Rights,
    pub(crate) repairs_itself: bool,
    pub(crate) driver: Driver,
    pub(crate) leftovers: Leftovers,
    pub(crate) now: SystemTime,
    pub(crate) clock_is_kept: Option<bool>,
    pub(crate) network: Result<Network, String>,
    pub(crate) party: Option<Party>,
    pub(crate) lookup: Lookup,
    pub(crate) probe: Probe,
    /// The same by IPv6.
    pub(crate) probe6: Probe,
    /// Of each of several relays; nothing where its name is not found.
    pub(crate) relays: Vec<Option<Probe>>,
    /// Of those of them that say where they are, by their numbers.
    pub(crate) regions: BTreeMap<usize, String>,
    /// Of each address of the relay's name, and where it is.
    pub(crate) machines: Vec<(Option<Probe>, Option<String>)>,
    /// Of the relay of a fleet at which the party is.
    pub(crate) of_fleet: Option<Probe>,
    pub(crate) paths: Paths,
    pub(crate) tcp: Option<Tcp>,
    pub(crate) ports: Option<Ports>,
    pub(crate) firewall: Firewall,
    pub(crate) kill_switch: Option<Culprit>,
    pub(crate) proof: Proof,
}

impl FakePc {
    /// A player's, connected by the service; all is well.
    pub(crate) fn linux() -> Self {
        FakePc {
            system: System::Linux,
            service: snapshot(State::Connected),
            user: User {
                name: Some("alice".into()),
                is_admitted: false,
                can_ask_admin: true,
            },
            rights: Rights::Missing(Hindrance::Ordinary),
            repairs_itself: false,
            driver: Driver::Ready(None),
            leftovers: Leftovers::Nothing,
            now: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            clock_is_kept: Some(true),
            network: Ok(network("wlan0", "lanparty0")),
            party: Some(party()),
            lookup: Lookup::Found(vec![ip("203.0.113.7"), ip("2001:db8::7")]),
            probe: Probe::Answered(Duration::from_millis(12)),
            probe6: Probe::Answered(Duration::from_millis(13)),
            relays: Vec::new(),
            regions: BTreeMap::new(),
            machines: Vec::new(),
            of_fleet: None,
            paths: paths(&[(1, 40_000), (2, 40_000)]),
            tcp: Some(Tcp {
                outcome: TcpOutcome::Open(Duration::from_millis(40)),
                proxy: None,
            }),
            ports: Some(Ports(vec!["UPnP".into()])),
            firewall: Firewall::Unseen,
            kill_switch: None,
            proof: Proof::Program(verdict(|style| match style.is_ipx() {
                true => Reach::Unasked,
                false => Reach::Back,
            })),
        }
    }

    /// The party is at this one of several relays.
    pub(crate) fn place(&mut self, place: RelayPlace) {
        if let Service::Answers(snapshot) = &mut self.service {
            snapshot.place = Some(place);
        }
    }

    /// The same with Windows.
    pub(crate) fn windows() -> Self {
        FakePc {
            system: System::Windows,
            driver: Driver::InUse,
            clock_is_kept: None,
            network: Ok(network("Ethernet", "softlan-vpn")),
            firewall: Firewall::Profile(Profile::InForce),
            ..FakePc::linux()
        }
    }

    pub(crate) fn both() -> [Self; 2] {
        [FakePc::linux(), FakePc::windows()]
    }

    pub(crate) fn asks(&self) -> bool {
        matches!(self.service, Service::Asks(_))
    }

    /// Every PC on which two things at most are other than they should be, in every way there is.
    pub(crate) fn all(mut each: impl FnMut(&FakePc)) {
        for base in FakePc::both() {
            let wrongs = wrongs::wrongs();
            for (number, first) in wrongs.iter().enumerate() {
                for second in &wrongs[number..] {
                    let mut pc = base.clone();
                    first(&mut pc);
                    second(&mut pc);
                    each(&pc);
                }
            }
        }
    }
}

/// Every style has come as far as this says.
pub(crate) fn verdict(reach: impl Fn(Style) -> Reach) -> Verdict {
    Verdict {
        reaches: Style::ALL.map(|style| (style, reach(style))).into(),
        is_hindered: false,
        lan_is_silent: false,
        is_busy: false,
    }
}

/// At these of a relay's addresses, the ports by which it sees this PC.
pub(crate) fn paths(seen: &[(u8, u16)]) -> Paths {
    let sight = |&(relay, port): &(u8, u16)| Sight {
        relay: SocketAddr::new(ip(&format!("203.0.113.{relay}")), 443),
        own: SocketAddr::new(ip("192.168.1.23"), 40_000),
        seen: Some(SocketAddr::new(ip("203.0.113.77"), port)),
    };
    Paths {
        sights: seen.iter().map(sight).collect(),
        hairpin: Some(true),
    }
}

/// Another VPN's, with a route by it.
pub(crate) fn tunnel(network: &mut Network, destination: &str) {
    let tunnel = Interface {
        name: "wg0".into(),
        is_party: false,
        is_up: true,
        is_tunnel: true,
        addresses: vec![prefix("10.8.0.2/24")],
        managed_by: None,
        mtu: Some(1420),
    };
    network.interfaces.insert(1, tunnel);
    network.routes.insert(0, route(destination, "wg0", 0));
}

pub(crate) fn kill_switch() -> Culprit {
    Culprit {
        name: "Mullvad's VPN".into(),
        cure: "say `mullvad lan set allow`, or disconnect it.".into(),
        opening: None,
    }
}

impl Pc for FakePc {
    fn system(&self) -> System {
        self.system
    }

    fn program(&self) -> &str {
        "0.1.0"
    }

    fn service(&self) -> Service {
        self.service.clone()
    }

    fn user(&self) -> User {
        self.user.clone()
    }

    fn rights(&self) -> Rights {
        self.rights.clone()
    }

    fn repairs_itself(&self) -> bool {
        self.repairs_itself
    }

    fn driver(&self) -> Driver {
        self.driver.clone()
    }

    fn leftovers(&self) -> Leftovers {
        self.leftovers.clone()
    }

    fn now(&self) -> SystemTime {
        self.now
    }

    fn clock_is_kept(&self) -> Option<bool> {
        self.clock_is_kept
    }

    fn network(&self) -> Result<Network, String> {
        self.network.clone()
    }

    fn party(&self) -> Option<Party> {
        self.party.clone()
    }

    fn look_up(&self, _host: &str) -> Lookup {
        self.lookup.clone()
    }

    fn probe(&self, addresses: &[SocketAddr]) -> Probes {
        let has = |is: fn(&SocketAddr) -> bool| addresses.iter().any(is);
        Probes {
            four: has(SocketAddr::is_ipv4).then_some(self.probe),
            six: has(SocketAddr::is_ipv6).then_some(self.probe6),
        }
    }

    fn relays(&self) -> Vec<RelaySeen> {
        let relays = self.relays.iter().zip(1..);
        let relays = relays.map(|(&probe, number)| RelaySeen {
            number: Some(number),
            name: Some(format!("relay{number}.example.net")),
            probe,
            region: self.regions.get(&number).cloned(),
        });
        let of_fleet = self.of_fleet.map(|probe| RelaySeen {
            number: None,
            name: Some("r7.example.net".to_owned()),
            probe: Some(probe),
            region: Some("Vienna".to_owned()),
        });
        relays.chain(of_fleet).collect()
    }

    fn machines(&self) -> Vec<RelaySeen> {
        let machines = self.machines.iter().map(|(probe, region)| RelaySeen {
            number: None,
            name: None,
            probe: *probe,
            region: region.clone(),
        });
        machines.collect()
    }

    fn paths(&self) -> Paths {
        self.paths.clone()
    }

    fn tcp(&self) -> Option<Tcp> {
        self.tcp.clone()
    }

    fn ports(&self) -> Option<Ports> {
        self.ports.clone()
    }

    fn firewall(&self) -> Firewall {
        self.firewall.clone()
    }

    fn kill_switch(&self) -> Option<Culprit> {
        self.kill_switch.clone()
    }

    fn proof(&self) -> Proof {
        self.proof.clone()
    }
}

/// A service that answers, and in which state its session is.
pub(crate) fn snapshot(state: State) -> Service {
    let room = |name: &str| Room {
        name: name.to_owned(),
        party: party(),
    };
    Service::Answers(Box::new(Snapshot {
        state,
        party: Some(party()),
        address: Some(LanAddress {
            ip: ip("192.168.50.17"),
            made_up: false,
        }),
        lease: Some(Lease {
            server: [192, 168, 50, 1].into(),
            seconds: Some(36_000),
        }),
        mtu: Some(Mtu {
            room: 1400,
            path: Some(1416),
        }),
        rooms: vec![room("FRIDAY"), room("OLD")],
        ..Snapshot::idle("0.1.0")
    }))
}

pub(crate) fn party() -> Party {
    Party {
        room: "FRIDAY".into(),
        name: Some("Friday night".into()),
        relay: "relay.example.net:443".into(),
        also: Vec::new(),
        others: Vec::new(),
        expires: None,
        joined_by: Some("alice".into()),
    }
}

fn network(home: &str, party: &str) -> Network {
    let interface = |name: &str, is_party, addresses: &[&str]| Interface {
        name: name.to_owned(),
        is_party,
        is_up: true,
        is_tunnel: false,
        addresses: addresses.iter().map(|text| prefix(text)).collect(),
        managed_by: None,
        mtu: Some(if is_party { 1400 } else { 1500 }),
    };
    Network {
        interfaces: vec![
            interface(home, false, &["192.168.1.23/24", "2001:db8:1::23/64"]),
            interface(party, true, &["192.168.50.17/24"]),
        ],
        routes: vec![
            route("0.0.0.0/0", home, 600),
            route("::/0", home, 600),
            route("192.168.1.0/24", home, 600),
            route("255.255.255.255/32", party, 1),
            route("224.0.0.0/4", party, 1),
            route("192.168.50.0/24", party, 0),
        ],
    }
}

fn route(destination: &str, interface: &str, metric: u32) -> Route {
    Route {
        destination: prefix(destination),
        interface: interface.to_owned(),
        metric,
    }
}

pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix {
        ip: ip(address),
        len: len.parse().unwrap(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

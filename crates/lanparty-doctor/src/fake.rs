//! PCs that answer what a test tells them to.

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
            let wrongs = wrongs();
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

type Wrong = Box<dyn Fn(&mut FakePc)>;

/// Everything that a question can be answered with. A new answer belongs here.
fn wrongs() -> Vec<Wrong> {
    let mut wrongs: Vec<Wrong> = vec![Box::new(|_| ())];
    let mut wrong = |change: Wrong| wrongs.push(change);
    for state in State::ALL {
        wrong(Box::new(move |pc| pc.service = snapshot(state)));
    }
    for service in services() {
        wrong(Box::new(move |pc| pc.service = service.clone()));
    }
    for driver in drivers() {
        wrong(Box::new(move |pc| pc.driver = driver.clone()));
    }
    for rights in [
        Rights::Enough,
        Rights::Missing(Hindrance::Container),
        Rights::Missing(Hindrance::NoSuid),
        Rights::Missing(Hindrance::NoNewPrivileges),
    ] {
        wrong(Box::new(move |pc| pc.rights = rights.clone()));
    }
    for leftovers in [
        Leftovers::Some(1),
        Leftovers::Some(7),
        Leftovers::Damaged,
        Leftovers::Hidden,
    ] {
        wrong(Box::new(move |pc| pc.leftovers = leftovers.clone()));
    }
    for kept in [None, Some(false)] {
        wrong(Box::new(move |pc| pc.clock_is_kept = kept));
    }
    for seconds in [0, 9_000_000_000] {
        wrong(Box::new(move |pc| {
            pc.now = UNIX_EPOCH + Duration::from_secs(seconds);
        }));
    }
    for lookup in [Lookup::Unknown, Lookup::Silent, Lookup::Failed] {
        wrong(Box::new(move |pc| pc.lookup = lookup.clone()));
    }
    for probe in [
        Probe::Refused,
        Probe::Blocked,
        Probe::NoRoute,
        Probe::Silent,
        Probe::Failed,
    ] {
        wrong(Box::new(move |pc| pc.probe = probe));
    }
    for probe in [Probe::NoRoute, Probe::Silent] {
        wrong(Box::new(move |pc| pc.probe6 = probe));
    }
    for sights in all_paths() {
        wrong(Box::new(move |pc| pc.paths = sights.clone()));
    }
    for (outcome, proxy) in tcps() {
        let proxy = proxy.map(str::to_owned);
        wrong(Box::new(move |pc| {
            let proxy = proxy.clone();
            pc.tcp = Some(Tcp { outcome, proxy });
        }));
    }
    wrong(Box::new(|pc| pc.tcp = None));
    for probe in [Some(Probe::Silent), Some(Probe::Blocked), None] {
        wrong(Box::new(move |pc| pc.relays = vec![probe; 5]));
    }
    wrong(Box::new(|pc| pc.ports = None));
    wrong(Box::new(|pc| pc.ports = Some(Ports::default())));
    for firewall in firewalls() {
        wrong(Box::new(move |pc| pc.firewall = firewall.clone()));
    }
    for proof in proofs() {
        wrong(Box::new(move |pc| pc.proof = proof.clone()));
    }
    for relay in ["203.0.113.7:443", "[2001:db8::7]:4433", "203.0.113.7"] {
        wrong(Box::new(move |pc| {
            pc.party = Some(Party {
                relay: relay.into(),
                ..party()
            });
        }));
    }
    wrong(Box::new(|pc| pc.kill_switch = Some(kill_switch())));
    wrong(Box::new(|pc| pc.party = None));
    wrong(Box::new(|pc| pc.repairs_itself = true));
    wrong(Box::new(|pc| pc.user = User::default()));
    wrong(Box::new(|pc| pc.user.is_admitted = true));
    wrong(Box::new(|pc| pc.user.can_ask_admin = false));
    wrong(Box::new(|pc| pc.network = Err("203.0.113.7".into())));
    for change in networks() {
        wrong(Box::new(move |pc| {
            if let Ok(network) = &mut pc.network {
                change(network);
            }
        }));
    }
    wrongs
}

fn services() -> Vec<Service> {
    let Service::Answers(snapshot) = snapshot(State::Connected) else {
        unreachable!()
    };
    let old = Snapshot {
        program: "0.0.9".into(),
        ..(*snapshot).clone()
    };
    let ended = |at: usize| {
        let mut snapshot = snapshot.clone();
        snapshot.rooms[at].party.expires = Some(1_799_999_999);
        Service::Answers(snapshot)
    };
    let leased = |seconds| {
        let lease = snapshot.lease.map(|lease| Lease { seconds, ..lease });
        Service::Answers(Box::new(Snapshot {
            lease,
            mtu: None,
            ..(*snapshot).clone()
        }))
    };
    vec![
        leased(None),
        leased(Some(20)),
        Service::Asks(snapshot.clone()),
        Service::Answers(Box::new(old)),
        ended(0),
        ended(1),
        Service::Answers(Box::new(Snapshot::idle("0.1.0"))),
        Service::Stopped,
        Service::Absent,
        Service::Forbidden,
        Service::Impostor("S3CR3TKEY.exe".into()),
        Service::Silent,
        Service::Strange,
    ]
}

fn drivers() -> Vec<Driver> {
    vec![
        Driver::Ready(Some("9.27".into())),
        Driver::Ready(None),
        Driver::InUse,
        Driver::NoAdapterYet,
        Driver::Unseen,
        Driver::Missing,
        Driver::Closed,
        Driver::Old("9.24".into()),
        Driver::Disabled,
        Driver::Several(2),
        Driver::Broken("error 31".into()),
    ]
}

fn firewalls() -> Vec<Firewall> {
    let strict = ["ufw", "firewalld", "nftables"].map(|name| Firewall::Strict(name.into()));
    let profiles = [
        Profile::None,
        Profile::Public,
        Profile::NotInForce,
        Profile::InForce,
    ];
    strict
        .into_iter()
        .chain(profiles.map(Firewall::Profile))
        .chain([Firewall::Choosy("nftables".into())])
        .chain([Firewall::Unknown, Firewall::LetsTheParty("ufw".into())])
        .collect()
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

fn proofs() -> Vec<Proof> {
    let mut proofs = vec![Proof::NoParty, Proof::Failed("the port is taken".into())];
    let kinds: [fn(Verdict) -> Proof; 2] = [Proof::Tunnel, Proof::Program];
    for kind in kinds {
        for worst in [Reach::Back, Reach::There, Reach::Nowhere, Reach::Unasked] {
            proofs.push(kind(verdict(|_| worst)));
            let odd = |style| style as u8 % 2 == 1;
            proofs.push(kind(verdict(
                |style| if odd(style) { worst } else { Reach::Back },
            )));
        }
        proofs.push(kind(Verdict {
            is_hindered: true,
            ..verdict(|_| Reach::Back)
        }));
        proofs.push(kind(Verdict {
            lan_is_silent: true,
            ..verdict(|_| Reach::Back)
        }));
        proofs.push(kind(Verdict {
            is_busy: true,
            ..verdict(|_| Reach::Nowhere)
        }));
    }
    proofs
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

fn all_paths() -> Vec<Paths> {
    let untold = |mut paths: Paths| {
        paths.sights.iter_mut().for_each(|sight| sight.seen = None);
        paths
    };
    let public = |mut paths: Paths| {
        for sight in &mut paths.sights {
            sight.own.set_ip(ip("203.0.113.77"));
        }
        paths.hairpin = None;
        paths
    };
    let two = || paths(&[(1, 40_000), (2, 40_000)]);
    let hairpin = |hairpin| Paths { hairpin, ..two() };
    vec![
        Paths::default(),
        paths(&[(1, 40_000)]),
        paths(&[(1, 7_000)]),
        paths(&[(1, 7_000), (2, 7_001)]),
        paths(&[(1, 7_000), (2, 7_000)]),
        untold(two()),
        public(two()),
        hairpin(None),
        hairpin(Some(false)),
    ]
}

fn tcps() -> Vec<(TcpOutcome, Option<&'static str>)> {
    let proxy = Some("proxy.example.net:3128");
    vec![
        (TcpOutcome::Open(Duration::from_millis(7)), proxy),
        (TcpOutcome::Silent, None),
        (TcpOutcome::Refused, None),
        (TcpOutcome::NotARelay, None),
        (TcpOutcome::NotARelay, proxy),
        (TcpOutcome::ProxyRefuses, proxy),
        (TcpOutcome::ProxyAsksWho, proxy),
        (TcpOutcome::ProxySilent, proxy),
    ]
}

fn networks() -> Vec<fn(&mut Network)> {
    fn party(network: &mut Network) -> &mut Interface {
        network.interfaces.last_mut().unwrap()
    }
    vec![
        |network| network.routes.clear(),
        |network| drop(network.interfaces.pop()),
        |network| party(network).is_up = false,
        |network| party(network).is_party = false,
        |network| party(network).addresses.clear(),
        |network| party(network).addresses = vec![prefix("169.254.7.7/16")],
        |network| party(network).addresses = vec![prefix("203.0.113.9/24")],
        |network| party(network).managed_by = Some("NetworkManager".into()),
        |network| party(network).managed_by = Some("systemd-networkd".into()),
        |network| network.interfaces[0].addresses = vec![prefix("192.168.50.77/24")],
        |network| network.interfaces[0].addresses = vec![prefix("203.0.113.77/24")],
        |network| network.interfaces[0].is_tunnel = true,
        |network| network.interfaces[0].addresses = vec![prefix("100.72.3.4/10")],
        |network| tunnel(network, "203.0.113.7/32"),
        |network| tunnel(network, "192.168.50.0/25"),
        |network| tunnel(network, "10.8.0.0/24"),
        |network| tunnel(network, "224.0.0.0/4"),
        |network| party(network).mtu = Some(1500),
        |network| party(network).mtu = None,
        |network| {
            let interface = party(network).name.clone();
            network.routes.retain(|route| route.interface != interface);
        },
        |network| {
            let interface = party(network).name.clone();
            network.routes.insert(0, route("0.0.0.0/0", &interface, 0));
        },
    ]
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

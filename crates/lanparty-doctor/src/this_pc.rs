//! The PC that we run on: what all systems have in common, and the questions that could hang.

use crate::facts::{
    Culprit, Driver, Firewall, Leftovers, Lookup, Network, Paths, Pc, Ports, Probe, Probes, Proof,
    Prover, RelaySeen, Rights, Service, System, Tcp, User,
};
use crate::patient::Patient;
use crate::within::within;
use crate::{imp, paths, probe, program, relay_place};
use lanparty_client_control::connection::DoorError;
use lanparty_client_control::{Answer, Party, Request, Snapshot};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{io, iter, thread};

/// A service that stands still is not waited for.
const SERVICE_PATIENCE: Duration = Duration::from_millis(1500);
/// Resolvers give up after five seconds, or after thirty.
const NAME_PATIENCE: Duration = Duration::from_millis(2500);

/// The PC that we run on. What several checks ask for is asked once.
pub(crate) struct ThisPc {
    patient: Patient,
    service: OnceLock<Service>,
    lookup: OnceLock<Lookup>,
    network: OnceLock<Result<Network, String>>,
    proof: OnceLock<Proof>,
    paths: OnceLock<Paths>,
    tcp: OnceLock<Option<Tcp>>,
    relays: OnceLock<Vec<RelaySeen>>,
    machines: OnceLock<Vec<RelaySeen>>,
    ports: OnceLock<Option<Ports>>,
    /// For the service, which has a session to ask.
    prover: Option<Box<dyn Prover>>,
}

impl ThisPc {
    pub(crate) fn new(patient: Patient) -> Self {
        ThisPc {
            patient,
            service: OnceLock::new(),
            lookup: OnceLock::new(),
            network: OnceLock::new(),
            proof: OnceLock::new(),
            paths: OnceLock::new(),
            tcp: OnceLock::new(),
            relays: OnceLock::new(),
            machines: OnceLock::new(),
            ports: OnceLock::new(),
            prover: None,
        }
    }

    /// As the service itself sees it.
    pub(crate) fn of_service(snapshot: Snapshot, prover: Box<dyn Prover>) -> Self {
        let patient = Patient {
            repairs_itself: true,
            ..Patient::new(lanparty_client_control::connection::Door::default())
        };
        let pc = ThisPc {
            prover: Some(prover),
            ..ThisPc::new(patient)
        };
        let _ = pc.service.set(Service::Asks(Box::new(snapshot)));
        pc
    }

    /// The session, where it can be asked, and otherwise a program's own sockets.
    fn prove(&self) -> Proof {
        let network = self.network().ok();
        let adapter = network.as_ref().and_then(Network::party);
        let Some(adapter) = adapter.filter(|adapter| adapter.is_up) else {
            return Proof::NoParty;
        };
        let given = adapter.addresses.iter().find_map(|prefix| match prefix.ip {
            IpAddr::V4(ip) => Some((ip, prefix.len)),
            IpAddr::V6(_) => None,
        });
        if let Some(prover) = &self.prover {
            return prover.prove(given).map_or(Proof::NoParty, Proof::Tunnel);
        }
        match given {
            Some(address) => program::prove(adapter, address).unwrap_or_else(Proof::Failed),
            None => Proof::NoParty,
        }
    }

    /// The relay of the party in question: its name or address, its port, and its addresses.
    fn relay(&self) -> Option<(String, u16, Vec<IpAddr>)> {
        let (host, port) = relay_place(&self.party()?.relay);
        let addresses = match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => match self.look_up(&host) {
                Lookup::Found(addresses) => addresses,
                Lookup::Unknown | Lookup::Silent | Lookup::Failed => Vec::new(),
            },
        };
        Some((host, port, addresses))
    }

    /// All relays that the invite names beside each other, where those are several.
    fn ask_relays(&self) -> Vec<RelaySeen> {
        let Some(party) = self.party() else {
            return Vec::new();
        };
        let of_fleet = of_fleet(&self.service(), &party);
        let named = iter::once(party.relay).chain(party.others);
        let numbered = named.enumerate().map(|(at, relay)| (Some(at + 1), relay));
        let relays: Vec<_> = numbered
            .chain(of_fleet.map(|relay| (None, relay)))
            .collect();
        if relays.len() < 2 {
            return Vec::new();
        }
        beside_each_other(&relays, |(number, relay)| ask_relay(*number, relay))
    }

    /// All machines of the relay's name beside each other, where it leads to several.
    fn ask_machines(&self) -> Vec<RelaySeen> {
        let Some((_, port, addresses)) = self.relay() else {
            return Vec::new();
        };
        let machines: Vec<_> = machines_of(addresses)
            .concat()
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        let seen = beside_each_other(&machines, |at| {
            (at.is_ipv4(), ask_at(None, None, vec![*at]))
        });
        of_one_family(seen)
    }

    fn look_at_paths(&self) -> Paths {
        let own = self.relay().into_iter();
        let own = own.flat_map(|(_, port, addresses)| {
            let addresses = addresses.into_iter();
            addresses.map(move |ip| SocketAddr::new(ip, port))
        });
        let also = self.party().map(|party| party.also).unwrap_or_default();
        let mut relays: Vec<_> = own.chain(also).collect();
        for other in &self.patient.others {
            let (host, port) = relay_place(other);
            let asked = move || (host.as_str(), port).to_socket_addrs();
            let found = within(NAME_PATIENCE, asked).and_then(Result::ok);
            relays.extend(found.into_iter().flatten());
        }
        relays.sort();
        relays.dedup();
        match relays.is_empty() {
            true => Paths::default(),
            false => paths::look(relays),
        }
    }

    fn ask_service(&self) -> Service {
        let door = self.patient.door.clone();
        let asked = within(SERVICE_PATIENCE, move || door.ask(&Request::Status));
        match asked {
            None => Service::Silent,
            Some(Ok(Answer::Snapshot(snapshot))) => Service::Answers(snapshot),
            Some(Ok(_) | Err(DoorError::Strange(_))) => Service::Strange,
            Some(Err(DoorError::NotRunning)) if imp::has_service() => Service::Stopped,
            Some(Err(DoorError::NotRunning)) => Service::Absent,
            Some(Err(DoorError::NotPermitted)) => Service::Forbidden,
            Some(Err(DoorError::Impostor(who))) => Service::Impostor(who),
            Some(Err(DoorError::Silent(_))) => Service::Silent,
        }
    }
}

/// The relay of a fleet at which the party is, where the invite does not name it.
fn of_fleet(service: &Service, party: &Party) -> Option<String> {
    let place = service.place_of(party)?;
    (place.number.is_none() && !place.address.is_empty()).then(|| place.address.clone())
}

/// A name may have many addresses.
const MAX_MACHINES: usize = 8;

/// The addresses of each family of which there are several: a machine has one of each.
fn machines_of(addresses: Vec<IpAddr>) -> [Vec<IpAddr>; 2] {
    let (four, six): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    [four, six].map(|mut family| {
        family.sort();
        family.dedup();
        family.truncate(MAX_MACHINES);
        if family.len() < 2 {
            family.clear();
        }
        family
    })
}

/// Those of IPv4, which the flag says each is of; where none of these answers and there are others, those.
fn of_one_family(seen: Vec<(bool, RelaySeen)>) -> Vec<RelaySeen> {
    let (four, six): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(is_four, _)| *is_four);
    let answers = |(_, seen): &(bool, RelaySeen)| matches!(seen.probe, Some(Probe::Answered(_)));
    let family = match four.iter().any(answers) || six.is_empty() {
        true => four,
        false => six,
    };
    family.into_iter().map(|(_, seen)| seen).collect()
}

/// Asks each of them on a thread of its own.
fn beside_each_other<T: Sync, S: Send>(all: &[T], ask: impl Fn(&T) -> S + Sync) -> Vec<S> {
    let ask = &ask;
    thread::scope(|scope| {
        let asked = all
            .iter()
            .map(|one| thread::Builder::new().spawn_scoped(scope, move || ask(one)));
        let asked: Vec<_> = asked.collect();
        let seen = asked
            .into_iter()
            .flatten()
            .map(thread::ScopedJoinHandle::join);
        seen.flatten().collect()
    })
}

/// Asks one of several relays whether it hears us.
fn ask_relay(number: Option<usize>, relay: &str) -> RelaySeen {
    let (host, port) = relay_place(relay);
    let is_address = host.parse::<IpAddr>().is_ok();
    let name = (!is_address).then(|| host.clone());
    let look_up = move || (host.as_str(), port).to_socket_addrs();
    let found = within(NAME_PATIENCE, look_up).and_then(Result::ok);
    ask_at(number, name, found.into_iter().flatten().collect())
}

/// The same where its addresses are known.
fn ask_at(number: Option<usize>, name: Option<String>, addresses: Vec<SocketAddr>) -> RelaySeen {
    let probe = (!addresses.is_empty()).then(|| probe::probe(&addresses).best());
    let answers = matches!(probe, Some(Probe::Answered(_)));
    RelaySeen {
        number,
        name,
        probe,
        region: answers.then(|| paths::region(addresses)).flatten(),
    }
}

impl Pc for ThisPc {
    fn system(&self) -> System {
        match cfg!(windows) {
            true => System::Windows,
            false => System::Linux,
        }
    }

    fn program(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn service(&self) -> Service {
        self.service.get_or_init(|| self.ask_service()).clone()
    }

    fn user(&self) -> User {
        imp::user()
    }

    fn rights(&self) -> Rights {
        imp::rights()
    }

    fn repairs_itself(&self) -> bool {
        self.patient.repairs_itself
    }

    fn driver(&self) -> Driver {
        imp::driver()
    }

    fn leftovers(&self) -> Leftovers {
        let service = self.service();
        let plays = service.snapshot().is_some_and(|s| s.state.is_session());
        imp::leftovers(plays)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn clock_is_kept(&self) -> Option<bool> {
        imp::clock_is_kept()
    }

    fn network(&self) -> Result<Network, String> {
        let service = self.service();
        let mac = || Some(service.snapshot()?.me.as_ref()?.mac.clone());
        let read = || imp::network(mac().as_deref()).map_err(|error| error.to_string());
        self.network.get_or_init(read).clone()
    }

    fn party(&self) -> Option<Party> {
        let known = || {
            let service = self.service();
            let snapshot = service.snapshot()?;
            let kept = || Some(snapshot.rooms.first()?.party.clone());
            snapshot.party.clone().or_else(kept)
        };
        self.patient.party.clone().or_else(known)
    }

    fn look_up(&self, host: &str) -> Lookup {
        let host = host.to_owned();
        let look_up = || {
            let asked = within(NAME_PATIENCE, move || (host.as_str(), 0).to_socket_addrs());
            asked.map_or(Lookup::Silent, |answer| match answer {
                Ok(found) => Lookup::Found(found.map(|address| address.ip()).collect()),
                Err(error) if is_unknown(&error) => Lookup::Unknown,
                Err(_) => Lookup::Failed,
            })
        };
        self.lookup.get_or_init(look_up).clone()
    }

    fn probe(&self, addresses: &[SocketAddr]) -> Probes {
        probe::probe(addresses)
    }

    fn relays(&self) -> Vec<RelaySeen> {
        self.relays.get_or_init(|| self.ask_relays()).clone()
    }

    fn machines(&self) -> Vec<RelaySeen> {
        self.machines.get_or_init(|| self.ask_machines()).clone()
    }

    fn paths(&self) -> Paths {
        self.paths.get_or_init(|| self.look_at_paths()).clone()
    }

    fn tcp(&self) -> Option<Tcp> {
        let ask = || {
            let (host, port, addresses) = self.relay()?;
            (!addresses.is_empty()).then(|| paths::tcp(host, port, addresses))
        };
        self.tcp.get_or_init(ask).clone()
    }

    fn ports(&self) -> Option<Ports> {
        self.ports.get_or_init(paths::ports).clone()
    }

    fn firewall(&self) -> Firewall {
        let network = self.network().ok();
        let adapter = network.as_ref().and_then(Network::party);
        imp::firewall(adapter.map(|adapter| adapter.name.as_str()))
    }

    fn kill_switch(&self) -> Option<Culprit> {
        imp::kill_switch()
    }

    fn proof(&self) -> Proof {
        self.proof.get_or_init(|| self.prove()).clone()
    }
}

/// That there is no such name, which std tells in words only: those of getaddrinfo(3), which follow no language here, and the
/// number of Windows (`WSAHOST_NOT_FOUND`).
fn is_unknown(error: &io::Error) -> bool {
    const HOST_NOT_FOUND: i32 = 11_001;
    let words = error.to_string();
    let says = |what| words.contains(what);
    error.raw_os_error() == Some(HOST_NOT_FOUND)
        || says("Name or service not known")
        || says("No address associated")
        || says("Name does not resolve") // musl
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, FakePc};
    use lanparty_client_control::RelayPlace;
    use lanparty_client_control::connection::Door;

    #[test]
    fn where_the_party_is_is_asked_of_the_party_in_question_only() {
        let mut pc = FakePc::linux();
        pc.place(RelayPlace {
            of: 1,
            address: "r7.example.net:443".to_owned(),
            ..RelayPlace::default()
        });
        let joined = fake::party();
        let asked = |change: fn(&mut Party)| {
            let mut party = joined.clone();
            change(&mut party);
            of_fleet(&pc.service, &party)
        };
        let place = Some("r7.example.net:443".to_owned());
        assert_eq!(asked(|_| ()), place);
        assert_eq!(asked(|party| party.room.clear()), place, "by --relay");
        assert_eq!(asked(|party| party.room = "MONDAY".to_owned()), None);
        assert_eq!(
            asked(|party| party.relay = "r2.example:443".to_owned()),
            None
        );
        assert_eq!(of_fleet(&Service::Silent, &joined), None);
    }

    #[test]
    fn a_name_leads_to_machines_where_it_has_several_addresses_of_a_family() {
        let of = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            machines_of(addresses.collect()).map(|family| family.len())
        };
        assert_eq!(of(&["192.0.2.1", "2001:db8::1"]), [0, 0]);
        assert_eq!(of(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]), [2, 0]);
        assert_eq!(of(&["192.0.2.1", "192.0.2.1"]), [0, 0]);
        let many: Vec<_> = (0..40).map(|n| format!("2001:db8::{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(of(&many), [0, MAX_MACHINES]);
    }

    #[test]
    fn machines_are_shown_by_the_family_that_works() {
        let seen = |answers: bool| RelaySeen {
            number: None,
            name: None,
            probe: Some(match answers {
                true => Probe::Answered(Duration::from_millis(9)),
                false => Probe::NoRoute,
            }),
            region: None,
        };
        let shown = |four: bool, six: bool| {
            let both = [(true, four), (true, false), (false, six), (false, six)];
            let both = both.map(|(is_four, answers)| (is_four, seen(answers)));
            let shown = of_one_family(both.to_vec()).into_iter();
            shown.map(|it| it == seen(true)).collect::<Vec<_>>()
        };
        assert_eq!(shown(true, true), [true, false]);
        assert_eq!(shown(false, true), [true, true]);
        let silent = of_one_family(vec![(true, seen(false)); 2]);
        assert_eq!(silent, [seen(false), seen(false)]);
    }

    #[test]
    fn where_nobody_listens_there_is_no_service() {
        let folder = tempfile::tempdir().unwrap();
        let pc = ThisPc::new(Patient::new(Door::at(folder.path().join("none.sock"))));
        assert!(matches!(pc.service(), Service::Absent | Service::Stopped));
    }

    #[test]
    fn a_names_absence_is_told_from_a_resolvers() {
        let unknown = "failed to lookup address information: Name or service not known";
        let dead = "failed to lookup address information: Temporary failure in name resolution";
        assert!(is_unknown(&io::Error::other(unknown)));
        assert!(!is_unknown(&io::Error::other(dead)));
    }
}

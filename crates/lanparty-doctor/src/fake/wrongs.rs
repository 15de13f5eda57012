//! All that can be wrong with a PC.

use super::*;

type Wrong = Box<dyn Fn(&mut FakePc)>;

/// Everything that a question can be answered with. A new answer belongs here.
pub(super) fn wrongs() -> Vec<Wrong> {
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
    for relay in [Probe::Silent, Probe::Answered(Duration::ZERO)] {
        wrong(Box::new(move |pc| {
            pc.relays = vec![Some(relay)];
            pc.of_fleet = Some(Probe::Silent);
        }));
    }
    for probe in [Some(Probe::Silent), Some(Probe::Blocked), None] {
        wrong(Box::new(move |pc| pc.relays = vec![probe; 5]));
    }
    for silent in 0..3 {
        wrong(Box::new(move |pc| {
            let answered = Probe::Answered(Duration::from_millis(12));
            pc.machines = vec![(Some(answered), Some("Vienna".to_owned())); 2];
            for machine in pc.machines.iter_mut().take(silent) {
                *machine = (Some(Probe::Silent), None);
            }
        }));
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

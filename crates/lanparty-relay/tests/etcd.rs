//! The fleet on a real etcd: its own, on loopback, with its data in a folder that goes. Skipped where there is none.
#![cfg(feature = "cluster-etcd")]
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test that starts etcd, and waits for what it says"
)]

use lanparty_fleet::*;
use lanparty_relay::directory::{Directory, DirectoryAddress, DirectoryError, Heard, Password};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// One etcd. Killed when it is dropped.
struct Etcd {
    port: u16,
    peer: u16,
    folder: TempDir,
    tls: bool,
    process: Child,
}

impl Etcd {
    /// None where the machine has none, which is said.
    async fn start(tls: Option<&Authority>) -> Option<Self> {
        let is_there = Command::new("etcd")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if is_there.is_err() {
            lanparty_skip::skip("there is no etcd here (Debian: etcd-server)");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let [port, peer] = [free_port(), free_port()];
        if let Some(authority) = tls {
            authority.write(folder.path());
        }
        let process = run(folder.path(), port, peer, tls.is_some());
        let etcd = Etcd {
            port,
            peer,
            folder,
            tls: tls.is_some(),
            process,
        };
        etcd.ready().await;
        Some(etcd)
    }

    async fn ready(&self) {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
                .await
                .is_ok()
            {
                let directory = directory(&self.address(""), None);
                let said = directory.check().await;
                if !matches!(
                    said,
                    Err(DirectoryError::Unreachable { .. }
                        | DirectoryError::HungUp { .. }
                        | DirectoryError::NoLeader { .. }
                        | DirectoryError::Late { .. })
                ) {
                    return;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("etcd does not come up");
    }

    fn address(&self, user: &str) -> String {
        let port = self.port;
        let folder = self.folder.path().display();
        match self.tls {
            true => format!(
                "etcd://{user}127.0.0.1:{port}?ca={folder}/ca.pem&cert={folder}/client.pem&key={folder}/client-key.pem"
            ),
            false => format!("etcd://{user}127.0.0.1:{port}"),
        }
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Again, with or without what it had.
    async fn again(&mut self, wiped: bool) {
        if wiped {
            fs::remove_dir_all(self.folder.path().join("data")).expect("its data");
        }
        self.process = run(self.folder.path(), self.port, self.peer, self.tls);
        self.ready().await;
    }

    fn ctl(&self, words: &[&str]) {
        let done = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints=http://127.0.0.1:{}", self.port))
            .args(words)
            .output()
            .expect("etcdctl comes with etcd");
        assert!(
            done.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &Path, port: u16, peer: u16, tls: bool) -> Child {
    let scheme = if tls { "https" } else { "http" };
    let clients = format!("{scheme}://127.0.0.1:{port}");
    let peers = format!("http://127.0.0.1:{peer}");
    let mut command = Command::new("etcd");
    command
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--logger", "zap", "--log-level", "error"])
        .args([
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
        ])
        .args([
            "--listen-peer-urls",
            &peers,
            "--initial-advertise-peer-urls",
            &peers,
        ])
        .args(["--initial-cluster", &format!("default={peers}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if tls {
        command.arg("--cert-file").arg(folder.join("server.pem"));
        command.arg("--key-file").arg(folder.join("server-key.pem"));
        command
            .arg("--client-cert-auth")
            .arg("--trusted-ca-file")
            .arg(folder.join("ca.pem"));
    }
    command.spawn().expect("etcd is there")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Who signs certificates for etcd and its clients.
struct Authority {
    ca: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let ca = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
        Authority { ca }
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("ca.pem"), self.ca.pem()).expect("written");
        for name in ["server", "client"] {
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut params = rcgen::CertificateParams::new(names).expect("parameters");
            params.extended_key_usages = vec![
                rcgen::ExtendedKeyUsagePurpose::ServerAuth,
                rcgen::ExtendedKeyUsagePurpose::ClientAuth,
            ];
            let key = rcgen::KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &self.ca).expect("a certificate");
            fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
            fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem())
                .expect("written");
        }
    }
}

fn directory(address: &str, password: Option<&str>) -> Directory {
    let address: DirectoryAddress = address.parse().expect("an address");
    Directory::start(address, password.map(Password::new)).expect("files that can be read")
}

/// A relay of a fleet without rooms of its own: fleet and directory, in one loop.
struct Relay {
    fleet: Fleet,
    directory: Directory,
    outputs: Vec<Output>,
    troubles: Vec<DirectoryError>,
}

impl Relay {
    fn new(number: u64, directory: Directory) -> Self {
        let settings = Settings {
            id: RelayId::from_random(number),
            address: format!("relay-{number}.example.net")
                .parse()
                .expect("an address"),
            pin: None,
            region: "Lab".into(),
            secret: FleetSecret::new("a secret that both relays know").expect("long enough"),
            free: 100,
            on_loss: OnLoss::Keep,
            unix: 1_800_000_000,
            pace: Settings::PACE,
        };
        Relay {
            fleet: Fleet::new(Instant::now(), settings),
            directory,
            outputs: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Takes part until something holds.
    async fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Relay) -> bool) {
        let done = timeout(Duration::from_secs(20), async {
            while !holds(self) {
                self.turn(Duration::from_millis(50)).await;
            }
        });
        if done.await.is_err() {
            panic!(
                "{what}: {:?} {:?} {:?}",
                self.fleet.standing(),
                self.outputs,
                self.troubles
            );
        }
    }

    async fn turn(&mut self, at_most: Duration) {
        let now = Instant::now();
        self.fleet.handle_timeout(now);
        while let Some((tag, request)) = self.fleet.poll_request() {
            self.directory.request(tag, request);
        }
        while let Some(output) = self.fleet.poll_output() {
            self.outputs.push(output);
        }
        let next = self
            .fleet
            .poll_timeout(now)
            .map_or(at_most, |next| next.saturating_duration_since(now));
        let heard = timeout(next.min(at_most), self.directory.heard()).await;
        let now = Instant::now();
        match heard {
            Ok(Heard::Answer(tag, answer)) => self.fleet.handle_answer(now, tag, answer),
            Ok(Heard::Event(event)) => self.fleet.handle_event(now, event),
            Ok(Heard::Trouble(error)) => self.troubles.push(error),
            Err(_) => {}
        }
    }

    async fn located(&mut self, room: RoomHash) -> Located {
        let mut located = Located::Ask;
        self.until("located", |relay| {
            located = relay.fleet.locate(Instant::now(), room, &Asker::default());
            located != Located::Ask
        })
        .await;
        located
    }
}

/// Both take part until something holds.
async fn both(
    one: &mut Relay,
    two: &mut Relay,
    what: &str,
    mut holds: impl FnMut(&mut Relay, &mut Relay) -> bool,
) {
    let started = Instant::now();
    while !holds(one, two) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{what}: {:?} {:?}",
            one.outputs,
            two.outputs
        );
        one.turn(Duration::from_millis(10)).await;
        two.turn(Duration::from_millis(10)).await;
    }
}

fn room(number: u8) -> RoomHash {
    RoomHash::from_bytes([number; 32])
}

fn is_in(relay: &mut Relay) -> bool {
    relay.fleet.standing() == Standing::In
}

#[tokio::test]
async fn a_room_is_claimed_seen_by_the_other_and_free_when_its_relay_is_gone() {
    let Some(mut etcd) = Etcd::start(None).await else {
        return;
    };
    let mut one = Relay::new(1, directory(&etcd.address(""), None));
    one.until("one is in", is_in).await;
    let Located::Here { fence } = one.located(room(1)).await else {
        panic!("not here")
    };
    one.fleet.room_opened(Instant::now(), room(1));
    let mut two = Relay::new(2, directory(&etcd.address(""), None));
    two.until("two is in", is_in).await;
    two.until("two sees one", |two| two.fleet.size() == 2).await;
    let Located::Redirect {
        to,
        fence: Some(told),
    } = two.located(room(1)).await
    else {
        panic!("not sent")
    };
    assert_eq!((to.address.as_str(), told), ("relay-1.example.net", fence));

    // Away, and back with everything: the room is still there, and nobody has lost anything.
    etcd.kill();
    one.until("fenced", |one| one.fleet.standing() == Standing::Fenced)
        .await;
    assert!(matches!(one.located(room(1)).await, Located::Here { .. }));
    assert_eq!(
        one.located(room(9)).await,
        Located::Refused(Refusal::NoDirectory)
    );
    assert!(
        one.troubles.iter().any(|trouble| !trouble.is_final()),
        "{:?}",
        one.troubles
    );
    etcd.again(false).await;
    one.until("in again", is_in).await;

    // Away, and back with nothing: everything is put back, by a higher fence.
    etcd.kill();
    one.until("fenced again", |one| {
        one.fleet.standing() == Standing::Fenced
    })
    .await;
    etcd.again(true).await;
    one.until("put back", |one| {
        one.fleet.fence_of(&room(1)).is_some_and(|now| now > fence)
    })
    .await;
    assert!(
        !one.outputs
            .iter()
            .any(|output| matches!(output, Output::RoomLost { .. }))
    );

    // A relay that is gone without a word has nothing after its lease.
    both(&mut one, &mut two, "two sees one again", |_, two| {
        is_in(two) && two.fleet.size() == 2
    })
    .await;
    drop(one);
    two.until("one is gone", |two| is_in(two) && two.fleet.size() == 1)
        .await;
    let Located::Here { fence: later } = two.located(room(1)).await else {
        panic!("not taken")
    };
    assert!(later > fence);
}

#[tokio::test]
async fn a_room_moves_from_one_relay_to_the_other_by_way_of_etcd() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    let mut one = Relay::new(1, directory(&etcd.address(""), None));
    one.until("one is in", is_in).await;
    one.located(room(1)).await;
    one.fleet.room_opened(Instant::now(), room(1));
    let mut two = Relay::new(2, directory(&etcd.address(""), None));
    two.until("two is in", is_in).await;
    both(&mut one, &mut two, "one sees two", |one, _| {
        one.fleet.size() == 2
    })
    .await;
    one.fleet.drain(Instant::now());
    let moved = |output: &Output| {
        let whom = Whom::Clients;
        matches!(output, Output::Moved { whom: told, .. } if *told == whom)
    };
    both(&mut one, &mut two, "moved", |one, _| {
        one.outputs.iter().any(moved)
    })
    .await;
    assert!(two.fleet.fence_of(&room(1)).is_some());
}

#[tokio::test]
async fn a_user_with_rights_below_the_prefix_is_enough_and_others_hear_why_not() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    for words in [
        &["user", "add", "root:pw"][..],
        &["role", "add", "root"],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "relay:secret"],
        &["user", "add", "stranger:secret"],
        &["role", "add", "fleet"],
        &[
            "role",
            "grant-permission",
            "fleet",
            "readwrite",
            "--prefix=true",
            "/lanparty/",
        ],
        &["user", "grant-role", "relay", "fleet"],
        &["auth", "enable"],
    ] {
        etcd.ctl(words);
    }
    let mut relay = Relay::new(1, directory(&etcd.address("relay@"), Some("secret\n")));
    relay
        .directory
        .check()
        .await
        .expect("its rights are enough");
    relay.until("in", is_in).await;
    relay
        .until("its card is there", |relay| relay.fleet.relays().len() == 1)
        .await;
    let wrong = directory(&etcd.address("relay@"), Some("guess"))
        .check()
        .await;
    assert!(
        matches!(wrong, Err(DirectoryError::UserRefused { .. })),
        "{wrong:?}"
    );
    let nobody = directory(&etcd.address(""), None).check().await;
    assert!(matches!(nobody, Err(DirectoryError::NoUser)), "{nobody:?}");
    let stranger = directory(&etcd.address("stranger@"), Some("secret"))
        .check()
        .await;
    assert!(
        matches!(stranger, Err(DirectoryError::Forbidden { .. })),
        "{stranger:?}"
    );
}

#[tokio::test]
async fn an_etcd_with_tls_is_known_by_its_authority_and_knows_its_clients_by_theirs() {
    let Some(etcd) = Etcd::start(Some(&Authority::new())).await else {
        return;
    };
    let mut relay = Relay::new(1, directory(&etcd.address(""), None));
    relay
        .directory
        .check()
        .await
        .expect("both certificates are good");
    relay.until("in", is_in).await;
    let port = etcd.port;
    let ca = etcd.folder.path().join("ca.pem");
    let plain = directory(&format!("etcd://127.0.0.1:{port}"), None)
        .check()
        .await;
    assert!(
        matches!(plain, Err(DirectoryError::HungUp { .. })),
        "{plain:?}"
    );
    let anonymous = directory(
        &format!("etcd://127.0.0.1:{port}?ca={}", ca.display()),
        None,
    )
    .check()
    .await;
    assert!(
        matches!(anonymous, Err(DirectoryError::OwnCertificate { .. })),
        "{anonymous:?}"
    );
    let other = TempDir::new().expect("a folder");
    Authority::new().write(other.path());
    let wrong = format!(
        "etcd://127.0.0.1:{port}?ca={}/ca.pem",
        other.path().display()
    );
    let wrong = directory(&wrong, None).check().await;
    assert!(
        matches!(wrong, Err(DirectoryError::Certificate { .. })),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn one_of_two_addresses_is_enough() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    // Nobody listens at the first; at the second somebody who says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let silent = silent.local_addr().expect("its number").port();
    let address = format!(
        "etcd://127.0.0.1:1,127.0.0.1:{silent},127.0.0.1:{}",
        etcd.port
    );
    let mut relay = Relay::new(1, directory(&address, None));
    relay.until("in", is_in).await;
    relay
        .until("hears", |relay| relay.fleet.relays().len() == 1)
        .await;
}

#[tokio::test]
async fn who_is_no_etcd_is_told_from_one_that_is_away() {
    let nobody = directory("etcd://127.0.0.1:1", None).check().await;
    assert!(
        matches!(nobody, Err(DirectoryError::Unreachable { .. })),
        "{nobody:?}"
    );
    let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = web.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for stream in web.incoming().flatten() {
            answer(stream);
        }
    });
    let said = directory(&format!("etcd://127.0.0.1:{port}"), None)
        .check()
        .await;
    assert!(
        matches!(said, Err(DirectoryError::NotEtcd { status: 404, .. })),
        "{said:?}"
    );
}

fn answer(mut stream: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnope\n");
}

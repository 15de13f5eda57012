//! Etcds on loopback, with their data in folders that go; skipped where there is none.

use crate::relay::directory;
use lanparty_relay::directory::DirectoryError;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

/// One etcd. Killed when it is dropped.
pub(crate) struct Etcd {
    pub(crate) port: u16,
    peer: u16,
    pub(crate) folder: TempDir,
    tls: bool,
    process: Child,
}

impl Etcd {
    /// None where the machine has none, which is said.
    pub(crate) async fn start(tls: Option<&Authority>) -> Option<Self> {
        if !is_there() {
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

    pub(crate) async fn ready(&self) {
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

    pub(crate) fn address(&self, user: &str) -> String {
        let port = self.port;
        let folder = self.folder.path().display();
        match self.tls {
            true => format!(
                "etcd://{user}127.0.0.1:{port}?ca={folder}/ca.pem&cert={folder}/client.pem&key={folder}/client-key.pem"
            ),
            false => format!("etcd://{user}127.0.0.1:{port}"),
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Again, with or without what it had.
    pub(crate) async fn again(&mut self, wiped: bool) {
        if wiped {
            fs::remove_dir_all(self.folder.path().join("data")).expect("its data");
        }
        self.process = run(self.folder.path(), self.port, self.peer, self.tls);
        self.ready().await;
    }

    pub(crate) fn ctl(&self, words: &[&str]) {
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

pub(crate) fn run(folder: &Path, port: u16, peer: u16, tls: bool) -> Child {
    let alone = format!("default=http://127.0.0.1:{peer}");
    let mut command = member(folder, "default", port, peer, tls, &alone);
    command.spawn().expect("etcd is there")
}

/// One member of a cluster, perhaps the only one.
pub(crate) fn member(
    folder: &Path,
    name: &str,
    port: u16,
    peer: u16,
    tls: bool,
    cluster: &str,
) -> Command {
    let scheme = if tls { "https" } else { "http" };
    let clients = format!("{scheme}://127.0.0.1:{port}");
    let peers = format!("http://127.0.0.1:{peer}");
    let mut command = Command::new("etcd");
    command
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--name", name, "--logger", "zap", "--log-level", "error"])
        .args(["--listen-client-urls", &clients])
        .args(["--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers])
        .args(["--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", cluster])
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
    command
}

/// Three etcds that are one. Killed when they are dropped.
pub(crate) struct Cluster {
    members: Vec<(TempDir, u16, Child)>,
}

impl Cluster {
    pub(crate) async fn start() -> Option<Self> {
        if !is_there() {
            return None;
        }
        let peers = [(); 3].map(|()| free_port());
        let named = peers.iter().enumerate();
        let named = named.map(|(number, peer)| format!("m{number}=http://127.0.0.1:{peer}"));
        let cluster = named.collect::<Vec<_>>().join(",");
        let members = peers.iter().enumerate().map(|(number, &peer)| {
            let folder = TempDir::new().expect("a folder");
            let port = free_port();
            let name = format!("m{number}");
            let mut command = member(folder.path(), &name, port, peer, false, &cluster);
            (folder, port, command.spawn().expect("etcd is there"))
        });
        let members = members.collect();
        let cluster = Cluster { members };
        let directory = directory(&cluster.address(), None);
        for _ in 0..200 {
            if directory.check().await.is_ok() {
                return Some(cluster);
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the three do not come together");
    }

    pub(crate) fn address(&self) -> String {
        let hosts = self.members.iter();
        let hosts = hosts.map(|(_, port, _)| format!("127.0.0.1:{port}"));
        format!("etcd://{}", hosts.collect::<Vec<_>>().join(","))
    }

    pub(crate) fn signal(&self, number: usize, signal: &str) {
        let process = self.members[number].2.id().to_string();
        let done = Command::new("kill").args([signal, &process]).status();
        assert!(done.expect("kill").success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, _, process) in &mut self.members {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub(crate) fn is_there() -> bool {
    let version = Command::new("etcd")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if version.is_err() {
        lanparty_skip::skip("there is no etcd here (Debian: etcd-server)");
    }
    version.is_ok()
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Who signs certificates for etcd and its clients.
pub(crate) struct Authority {
    ca: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let ca = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
        Authority { ca }
    }

    pub(crate) fn write(&self, folder: &Path) {
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

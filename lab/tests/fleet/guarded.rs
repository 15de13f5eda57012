//! An etcd with TLS and a password: who has both is a relay of the fleet, and a stranger with its port gets nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Etcd, EtcdTls, Plan, RelaySite, Venue, eventually, fleet_flags, program};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};

use crate::world::SOON;

const ROOT: &str = "root:the-lab-keeps-no-secrets";
const USER: &str = "lanparty";
const PASSWORD: &str = "only-relays-know-this";
const PREFIX: &str = "/lanparty/";

pub(crate) struct Guarded {
    relay: Mutex<Option<RelaySite>>,
    etcd: Etcd,
    tls: EtcdTls,
    secret: String,
    venue: Venue,
}

impl lanparty_lab::World for Guarded {
    fn report(&self) -> String {
        let relay = self.relay();
        let said = relay.as_ref().map(|relay| relay.program.tail(20));
        said.unwrap_or_default() + &self.etcd.tails()
    }
}

impl Guarded {
    pub(crate) fn begin() -> Result<Self> {
        let venue = Venue::build(Plan::default())?;
        let tls = certificates(&venue)?;
        let etcd = Etcd::start(&venue, None, Some(tls.clone()))?;
        let (root, password) = ROOT.split_once(':').context("a user and a password")?;
        let orders: [&[&str]; 7] = [
            &["user", "add", root, "--new-user-password", password],
            &["role", "add", "root"],
            &["user", "grant-role", root, "root"],
            &["user", "add", USER, "--new-user-password", PASSWORD],
            &["role", "add", "fleet"],
            &[
                "role",
                "grant-permission",
                "fleet",
                "readwrite",
                PREFIX,
                "--prefix=true",
            ],
            &["user", "grant-role", USER, "fleet"],
        ];
        for order in orders {
            etcd.ctl(order)?;
        }
        etcd.ctl(&["auth", "enable"])?;
        let secret = venue
            .lab
            .write("fleet-secret.txt", "a-secret-of-the-guarded-fleet-alone")?;
        Ok(Self {
            relay: Mutex::default(),
            etcd,
            tls,
            secret,
            venue,
        })
    }

    fn relay(&self) -> MutexGuard<'_, Option<RelaySite>> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flags(&self, password_file: &str, authority: &str) -> Vec<String> {
        let hosts = format!("{USER}@{}?tls&ca={authority}", self.etcd.hosts());
        let mut flags = fleet_flags(&hosts, &self.secret, 0);
        flags.extend(["--directory-password-file", password_file].map(str::to_owned));
        flags
    }
}

pub(crate) fn a_relay_with_the_password_gives_out_rooms(guarded: &Guarded) -> Result<()> {
    let password = guarded.venue.lab.write("password.txt", PASSWORD)?;
    let flags = guarded.flags(&password, &guarded.tls.authority);
    let relay = RelaySite::start(&guarded.venue, 0, &flags)?;
    let mine = relay.address.to_string();
    let written = || {
        let relays = format!("{PREFIX}relays/");
        let shown = guarded
            .etcd
            .ctl_as(Some(ROOT), &["get", "--prefix", &relays])
            .ok()?;
        shown.contains(&mine).then_some(())
    };
    eventually("the relay is in the directory", SOON, written)
        .with_context(|| relay.program.tail(20))?;
    *guarded.relay() = Some(relay);
    Ok(())
}

pub(crate) fn a_stranger_with_etcds_port_gets_nothing(guarded: &Guarded) -> Result<()> {
    let stranger = guarded.venue.public_machine("stranger", 9)?;
    let asks: [&[&str]; 3] = [
        &["get", "--prefix", ""],
        &["put", "/lanparty/rooms/00", "{}"],
        &["del", "--prefix", "/lanparty/"],
    ];
    for user in [None, Some("lanparty:a-guess"), Some("nobody:at-all")] {
        for ask in asks {
            let got = guarded.etcd.ctl_from(&stranger, user, ask);
            ensure!(got.is_err(), "{ask:?} as {user:?}: {got:?}");
        }
    }
    // Without TLS nobody even gets an answer.
    let plain = stranger.output(["bash", "-c", "exec 3<>/dev/tcp/10.9.5.1/2379; \
        printf 'POST /v3/kv/range HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 14\\r\\n\\r\\n{\"key\":\"AA==\"}' >&3; \
        timeout 2 cat <&3"])?;
    let said = String::from_utf8_lossy(&plain.stdout);
    ensure!(!said.contains("kvs") && !said.contains("200 OK"), "{said}");
    println!("nine questions of a stranger's and one without TLS: no answer");
    Ok(())
}

pub(crate) fn a_relay_with_a_wrong_password_or_authority_is_told_so(
    guarded: &Guarded,
) -> Result<()> {
    let wrong = guarded
        .venue
        .lab
        .write("wrong-password.txt", "everybody-knows-this")?;
    let right = guarded.venue.lab.write("password.txt", PASSWORD)?;
    let other = guarded
        .venue
        .lab
        .write("other-ca.pem", &authority()?.0.pem())?;
    for (name, password, authority, says) in [
        ("wrong-password", &wrong, &guarded.tls.authority, "password"),
        ("wrong-authority", &right, &other, "certificate"),
    ] {
        let machine = guarded
            .venue
            .public_machine(name, if name == "wrong-password" { 8 } else { 10 })?;
        let mut command = program("lanparty-relay")?;
        command.extend(guarded.flags(password, authority));
        let relay = machine.spawn("relay", command)?;
        let line = relay.wait_for_line(says, SOON)?;
        println!("{name}: {line}");
    }
    Ok(())
}

/// An authority of the operator's own.
fn authority() -> Result<(Certificate, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key)?;
    Ok((certificate, Issuer::new(params, key)))
}

fn certificates(venue: &Venue) -> Result<EtcdTls> {
    let (authority, issuer) = authority()?;
    let key = KeyPair::generate()?;
    let names = (5..8).map(|number| format!("10.9.{number}.1"));
    let certificate =
        CertificateParams::new(names.collect::<Vec<_>>())?.signed_by(&key, &issuer)?;
    Ok(EtcdTls {
        authority: venue.lab.write("etcd-ca.pem", &authority.pem())?,
        certificate: venue.lab.write("etcd.pem", &certificate.pem())?,
        key: venue.lab.write("etcd-key.pem", &key.serialize_pem())?,
    })
}

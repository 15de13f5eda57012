//! fastd: a daemon that forwards between its peers, and decrypts and encrypts for each.

use anyhow::{Context, Result};
use lanparty_lab::{Process, Venue};

use super::{MTU, Peer, READY, TAP, in_order, roles};

pub(super) const PEER: Peer = Peer {
    name: "fastd",
    cipher: "salsa2012+umac",
    package: "fastd",
    programs: &["fastd"],
    start,
};

const PORT: u16 = 10000;

struct KeyPair {
    secret: String,
    public: String,
}

fn start(venue: &Venue) -> Result<[Process; 3]> {
    let roles = roles(venue);
    let mut keys = Vec::new();
    for _ in &roles {
        keys.push(key_pair(&venue.relay.run(["fastd", "--generate-key"])?)?);
    }
    let mut programs = Vec::new();
    for (index, (name, machine)) in roles.iter().enumerate() {
        let others: String = match index {
            0 => (1..roles.len())
                .map(|other| peer(roles[other].0, &keys[other].public, ""))
                .collect(),
            _ => {
                let remote = format!("remote {}:{PORT};", Venue::RELAY);
                peer("relay", &keys[0].public, &remote)
            }
        };
        let common = format!(
            "mode tap; interface \"{TAP}\"; mtu {MTU}; method \"{}\"; secret \"{}\"; bind any:{PORT}; forward yes;",
            PEER.cipher, keys[index].secret
        );
        let file = venue
            .lab
            .write(&format!("fastd-{name}.conf"), &(common + &others))?;
        let program = machine.spawn("fastd", ["fastd", "--config", &file])?;
        if index > 0 {
            program.wait_for_line("connection with <relay> established", READY)?;
        }
        programs.push(program);
    }
    let programs: Result<[Process; 3], _> = programs.try_into();
    Ok(in_order(
        programs.ok().context("three roles, three programs")?,
    ))
}

fn peer(name: &str, key: &str, more: &str) -> String {
    format!("peer \"{name}\" {{ key \"{key}\"; {more} }}")
}

fn key_pair(shown: &str) -> Result<KeyPair> {
    let field = |name| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name));
        line.map(|line| line.trim().to_owned())
            .with_context(|| format!("fastd made no key: {shown}"))
    };
    Ok(KeyPair {
        secret: field("Secret:")?,
        public: field("Public:")?,
    })
}

//! tinc: three nodes in switch mode, of which the public one passes on what the others send each other.

use std::fs;

use anyhow::{Context, Result};
use lanparty_lab::{Process, Venue};

use super::{Peer, READY, TAP, in_order, roles};

pub(super) const PEER: Peer = Peer {
    name: "tinc",
    cipher: "AES-128-CBC, SHA-1",
    package: "tinc",
    programs: &["tincd"],
    start,
};

/// What the host files of all say: indirect data goes through whom the node is connected to. What it would find out
/// about the path's MTU in its first seconds, the device's MTU says.
const HOST: &str = "Cipher = aes-128-cbc\nDigest = sha1\nIndirectData = yes\nPMTUDiscovery = no\n";

fn start(venue: &Venue) -> Result<[Process; 3]> {
    let roles = roles(venue);
    let folder = |name: &str| venue.lab.folder().join(format!("tinc-{name}"));
    for (name, machine) in roles {
        let (folder, hosts) = (folder(name), folder(name).join("hosts"));
        fs::create_dir_all(&hosts).context("make tinc's folder")?;
        let (role, address) = match name {
            "relay" => (
                "DeviceType = dummy",
                format!("Address = {}\n", Venue::RELAY),
            ),
            _ => ("ConnectTo = relay", String::new()),
        };
        let settings = format!("Name = {name}\nMode = switch\nInterface = {TAP}\n{role}\n");
        fs::write(folder.join("tinc.conf"), settings).context("write tinc.conf")?;
        fs::write(hosts.join(name), address + HOST).context("write a host file")?;
        // It adds the public half to the host file.
        let folder = folder.to_string_lossy();
        machine.run(["tincd", "--config", &folder, "--generate-keys=2048"])?;
    }
    for (name, _) in roles {
        for (other, _) in roles.iter().filter(|(other, _)| *other != name) {
            let file = |owner: &str| folder(owner).join("hosts").join(name);
            fs::copy(file(name), file(other)).context("hand out a host file")?;
        }
    }
    let programs = roles.map(|(name, machine)| {
        let folder = folder(name).to_string_lossy().into_owned();
        let program = machine.spawn(
            "tinc",
            [
                "tincd",
                "--config",
                &folder,
                "--no-detach",
                "--debug=1",
                &format!("--pidfile={folder}/pid"),
            ],
        )?;
        let ready = if name == "relay" {
            "Ready"
        } else {
            "Connection with relay"
        };
        program.wait_for_line(ready, READY)?;
        Ok(program)
    });
    let [server, gateway, client]: [Result<Process>; 3] = programs;
    Ok(in_order([server?, gateway?, client?]))
}

//! DNS servers that somebody gives the adapter: they would be asked for the names of the player's internet.
//!
//! The lease that a player gets names none, so this is for whoever brings some by hand or by other ways. What belongs to the
//! adapter alone, systemd-resolved's servers of it, is taken away; of other files nobody knows whose a line is, so they
//! are named.

use crate::address::InterfaceAddress;
use crate::link::Link;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where systemd-resolved keeps what it was told about interfaces.
const RESOLVED: &str = "run/systemd/resolve/netif";
/// Where resolvconf(8) does.
const RESOLVCONF: &str = "run/resolvconf/interface";
/// What programs read.
const RESOLV_CONF: &str = "etc/resolv.conf";

/// What was there before, and what has been said since.
#[derive(Debug)]
pub(crate) struct Dns {
    root: PathBuf,
    before: BTreeSet<IpAddr>,
    said: BTreeSet<Found>,
}

/// Where there are DNS servers of the party's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// Among what systemd-resolved knows of the adapter.
    Resolved,
    /// In this file of resolvconf's.
    Resolvconf(String),
    /// In /etc/resolv.conf.
    ResolvConf(IpAddr),
}

impl Dns {
    /// Remembers what there is before the adapter has an address.
    pub(crate) fn new(root: &Path) -> Self {
        Dns {
            root: root.to_owned(),
            before: servers(root),
            said: BTreeSet::new(),
        }
    }

    /// What has come since the last look, where the adapter has these addresses.
    pub(crate) fn look(&mut self, link: &Link, addresses: &[InterfaceAddress]) -> Vec<Found> {
        let (index, name) = (link.index(), link.name());
        let mut found = Vec::new();
        found.extend(self.knows_resolved(index).then_some(Found::Resolved));
        found.extend(self.resolvconf(name).map(Found::Resolvconf));
        let of_the_party = |ip: &IpAddr| addresses.iter().any(|address| address.is_neighbour(*ip));
        let new = servers(&self.root).into_iter();
        let new = new.filter(|ip| !self.before.contains(ip) && of_the_party(ip));
        found.extend(new.map(Found::ResolvConf));
        // Whoever brings them again is told again.
        self.said.retain(|said| found.contains(said));
        found.retain(|found| self.said.insert(found.clone()));
        found
    }

    fn knows_resolved(&self, index: u32) -> bool {
        let file = self.root.join(RESOLVED).join(index.to_string());
        let known = fs::read_to_string(file).unwrap_or_default();
        let mut servers = known
            .lines()
            .filter_map(|line| line.strip_prefix("SERVERS="));
        servers.any(|servers| !servers.trim().is_empty())
    }

    fn resolvconf(&self, name: &str) -> Option<String> {
        let entries = fs::read_dir(self.root.join(RESOLVCONF)).ok()?.flatten();
        let ours = |file: &String| file == name || file.starts_with(&format!("{name}."));
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let file = names.find(ours)?;
        let text = fs::read_to_string(self.root.join(RESOLVCONF).join(&file)).ok()?;
        text.contains("nameserver").then_some(file)
    }
}

impl Found {
    /// What to say of it; `is_undone` where it is about to be taken away.
    pub(crate) fn sentence(&self, adapter: &str, is_undone: bool) -> String {
        match self {
            Found::Resolved if is_undone => format!(
                "A program of this system gave the party's adapter {adapter} DNS servers; they were taken away: your names \
                 are looked up as before"
            ),
            Found::Resolved => format!(
                "A program of this system gave the party's adapter {adapter} DNS servers, which may be asked for all your \
                 names; take them away with `sudo resolvectl revert {adapter}`"
            ),
            Found::Resolvconf(file) => format!(
                "A program of this system gave the party's adapter {adapter} DNS servers, which may be asked for all your \
                 names; take them away with `sudo resolvconf -d {file}`"
            ),
            Found::ResolvConf(server) => format!(
                "/etc/resolv.conf names the DNS server {server} now, which is one of the party's, so it is asked for all \
                 your names; a DHCP client of this system has written that, and reconnecting your own network mends it"
            ),
        }
    }
}

fn servers(root: &Path) -> BTreeSet<IpAddr> {
    let text = fs::read_to_string(root.join(RESOLV_CONF)).unwrap_or_default();
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_servers_of_the_adapter_are_found_and_named_once() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write(
            RESOLV_CONF,
            "# mine\nnameserver 10.0.0.1\nnameserver 192.168.50.9\n",
        );
        let mut dns = Dns::new(root.path());
        let link = Link::known(7, "lanparty0");
        let addresses = ["192.168.50.7/24".parse().unwrap()];
        assert_eq!(dns.look(&link, &addresses), []);

        write(
            "run/systemd/resolve/netif/8",
            "LLMNR=yes\nSERVERS=10.0.0.1\n",
        );
        write("run/systemd/resolve/netif/7", "LLMNR=yes\nSERVERS=\n");
        write(
            "run/resolvconf/interface/lanparty01.dhclient",
            "nameserver 192.168.50.1",
        );
        assert_eq!(dns.look(&link, &addresses), [], "of others, or none");

        write("run/systemd/resolve/netif/7", "SERVERS=192.168.50.1\n");
        write(
            "run/resolvconf/interface/lanparty0.dhclient",
            "nameserver 192.168.50.1",
        );
        write(
            RESOLV_CONF,
            "nameserver 192.168.50.1\nnameserver 10.0.0.1\n",
        );
        let file = "lanparty0.dhclient".to_owned();
        let server = "192.168.50.1".parse().unwrap();
        let all = [
            Found::Resolved,
            Found::Resolvconf(file),
            Found::ResolvConf(server),
        ];
        assert_eq!(dns.look(&link, &addresses), all);
        assert_eq!(dns.look(&link, &addresses), [], "once");
        write("run/systemd/resolve/netif/7", "");
        assert_eq!(dns.look(&link, &addresses), []);
        write("run/systemd/resolve/netif/7", "SERVERS=192.168.50.1\n");
        assert_eq!(dns.look(&link, &addresses), [Found::Resolved], "again");
        for found in all {
            let said = found.sentence("lanparty0", true);
            assert!(said.contains("DNS server"), "{said}");
        }
    }
}

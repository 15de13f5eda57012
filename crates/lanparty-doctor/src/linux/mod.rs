//! What Linux answers: its files below /proc, /sys, /run and /etc, and its routing netlink.

mod barrier;
mod culprit;
mod netlink;
mod nftables;
mod passage;

pub(crate) use barrier::firewall;
pub(crate) use culprit::kill_switch;
pub use passage::{close as close_firewall, remove_leftovers as remove_firewall_leftovers};

use crate::facts::{
    Driver, Firewall, Hindrance, Interface, Leftovers, Network, Prefix, Rights, Route, User,
};
use crate::mend::{MendError, run};
use crate::within::within;
use lanparty_client_control::account;
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, getgid, getuid, test_kill_process};
use rustix::thread::CapabilitySet;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The service's units, and the group that may use it.
const SERVICE: &str = "lanparty-client.service";
const UNITS: [&str; 2] = ["lanparty-client.socket", SERVICE];
const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];
const GROUP: &str = "lanparty";

/// The program that plays, as the system knows its processes.
const CLIENT: &str = "lanparty-client";
/// The adapter's usual name.
const USUAL_ADAPTER: &str = "lanparty0";
/// An address on the internet, to see which way leads there; nothing is sent to it (RFC 5737).
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// How long another program may take to say something.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(crate) fn has_service() -> bool {
    installed_units().next().is_some()
}

fn installed_units() -> impl Iterator<Item = &'static str> {
    UNITS.into_iter().filter(|unit| {
        let mut folders = UNIT_FOLDERS.iter();
        folders.any(|folder| Path::new(folder).join(unit).exists())
    })
}

pub(crate) fn user() -> User {
    let name = account();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let own_group = getgid().as_raw();
    User {
        is_admitted: is_member(&groups, name.as_deref(), own_group),
        can_ask_admin: geteuid().is_root() || Path::new(PKEXEC).exists(),
        name,
    }
}

/// The account in this machine's own list; `usermod` knows no others.
fn account() -> Option<String> {
    account::name_of(getuid().as_raw())
}

/// Whether /etc/group lets this account use the service, whatever groups the process has.
fn is_member(groups: &str, name: Option<&str>, own_group: u32) -> bool {
    let mut lines = groups.lines().map(|line| line.split(':'));
    lines.any(|mut fields| {
        let is_ours = fields.next() == Some(GROUP);
        let is_own = fields.nth(1).and_then(|gid| gid.parse().ok()) == Some(own_group);
        let members = fields.next().unwrap_or_default();
        is_ours && (is_own || name.is_some_and(|name| members.split(',').any(|m| m == name)))
    })
}

pub(crate) fn rights() -> Rights {
    if has_net_admin() {
        return Rights::Enough;
    }
    const PROGRAM: &str = "/proc/self/exe";
    let mut capabilities = [0_u8; 64];
    let was_given = rustix::fs::getxattr(PROGRAM, "security.capability", &mut capabilities).is_ok();
    let is_nosuid = || {
        let mount = rustix::fs::statvfs(PROGRAM);
        mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID))
    };
    Rights::Missing(match was_given {
        _ if geteuid().is_root() => Hindrance::Container,
        true if is_nosuid() => Hindrance::NoSuid,
        true if has_renounced() => Hindrance::NoNewPrivileges,
        true | false => Hindrance::Ordinary,
    })
}

fn has_net_admin() -> bool {
    let held = rustix::thread::capabilities(None);
    held.is_ok_and(|held| held.effective.contains(CapabilitySet::NET_ADMIN))
}

fn has_renounced() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line == "NoNewPrivs:\t1")
}

pub(crate) fn driver() -> Driver {
    let opened = File::options().read(true).write(true).open("/dev/net/tun");
    match opened.map_err(|error| error.kind()) {
        Ok(_) => Driver::Ready(None),
        Err(io::ErrorKind::PermissionDenied) => Driver::Closed,
        // What a device without its driver says has no kind of its own.
        Err(_) => Driver::Missing,
    }
}

/// Routes of clients that are gone; those of one that plays are its own.
pub(crate) fn leftovers(_plays: bool) -> Leftovers {
    let Ok(routes) = netlink::routes() else {
        return Leftovers::Hidden;
    };
    let left = routes.iter().filter(|route| is_left(route, is_client));
    let left = left.count();
    // Rules do not say whose they are; a client that needs one has routes as well.
    let is_anybodys = routes.iter().any(|r| r.is_ours && is_client(r.owner()));
    let rules = match is_anybodys {
        true => 0,
        false => netlink::our_rules().unwrap_or(0),
    };
    let lone = netlink::our_lone_rules().unwrap_or(0);
    // Who may not know sees none.
    let passages = passage::leftovers().unwrap_or(0);
    match left + rules + lone + passages {
        0 => Leftovers::Nothing,
        count => Leftovers::Some(count),
    }
}

fn is_left(route: &netlink::Route, is_client: impl Fn(u32) -> bool) -> bool {
    route.is_ours && !is_client(route.owner())
}

fn is_client(process: u32) -> bool {
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => name.trim() == CLIENT && !is_dead(process),
        Err(_) => is_hidden(process),
    }
}

/// Whether a process has ended and nobody has asked how; its name stays until then (proc_pid_stat(5)).
fn is_dead(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Whether a process is there that we may not see (`hidepid` of proc(5), systemd's `ProtectProc=`): it may well be a client.
fn is_hidden(process: u32) -> bool {
    let number = i32::try_from(process).ok().filter(|number| *number > 0);
    let process = number.and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) == Err(Errno::PERM))
}

/// What systemd knows of it; without systemd nobody says.
pub(crate) fn clock_is_kept() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let said = says(
        "timedatectl",
        &["show", "--property=NTPSynchronized", "--value"],
    )?;
    match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// What a program of the system's says, if it is there, does well, and is quick.
fn says(program: &'static str, arguments: &'static [&'static str]) -> Option<String> {
    let output = within(PATIENCE, move || {
        Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(std::process::Stdio::null())
            .output()
    });
    let output = output?.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `mac` is the party's adapter's, where the service has told.
pub(crate) fn network(mac: Option<&str>) -> io::Result<Network> {
    let links = netlink::links()?;
    let routes = netlink::routes()?;
    let mut addresses = netlink::addresses()?;
    let name = |index: u32| {
        let link = links.iter().find(|link| link.index == index)?;
        Some(link.name.clone())
    };
    let party = party(&links, &routes, mac);
    let interfaces = links.iter().map(|link| Interface {
        is_party: Some(link.index) == party,
        is_up: link.is_up,
        is_tunnel: is_tunnel(&link.name),
        addresses: addresses
            .extract_if(.., |(index, _)| *index == link.index)
            .map(|(_, prefix)| prefix)
            .collect(),
        managed_by: manager(link.index),
        mtu: mtu(&link.name),
        name: link.name.clone(),
    });
    let interfaces = interfaces.collect();
    let mut rows: Vec<_> = routes
        .iter()
        .filter_map(|route| {
            Some(Route {
                destination: route.destination,
                interface: name(route.device)?,
                metric: route.metric,
            })
        })
        .collect();
    // Rules may lead past the main table, as some VPNs' do.
    let far = netlink::way_to(FAR_AWAY.into())?;
    rows.extend(far.and_then(name).map(|interface| Route {
        destination: Prefix {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            len: 0,
        },
        interface,
        metric: 0,
    }));
    Ok(Network {
        interfaces,
        routes: rows,
    })
}

/// The party's adapter: the one with the player's MAC address, or with our routes, or with the usual name.
fn party(links: &[netlink::Link], routes: &[netlink::Route], mac: Option<&str>) -> Option<u32> {
    let taps: Vec<_> = links.iter().filter(|link| is_tap(&link.name)).collect();
    let by = |is_it: &dyn Fn(&netlink::Link) -> bool| {
        let found = taps.iter().find(|link| is_it(link));
        found.map(|link| link.index)
    };
    let is_broadcast = |route: &&netlink::Route| {
        route.is_ours && route.destination.ip == IpAddr::V4(Ipv4Addr::BROADCAST)
    };
    let marked: Vec<_> = routes
        .iter()
        .filter(is_broadcast)
        .map(|r| r.device)
        .collect();
    mac.and_then(|mac| by(&|link| sys(&link.name, "address").as_deref() == Some(mac)))
        .or_else(|| by(&|link| marked.contains(&link.index)))
        .or_else(|| by(&|link| link.name == USUAL_ADAPTER))
}

fn sys(interface: &str, file: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/sys/class/net/{interface}/{file}"));
    Some(text.ok()?.trim().to_owned())
}

/// How long packets may be by this interface.
pub(crate) fn mtu(interface: &str) -> Option<usize> {
    sys(interface, "mtu")?.parse().ok()
}

/// The interface's number, by which addresses of one link name it.
pub(crate) fn scope(interface: &str) -> Option<u32> {
    sys(interface, "ifindex")?.parse().ok()
}

/// Who keeps back what comes by this adapter, or leaves by it where that is asked; blocks for a second or two.
pub fn culprit(adapter: &str, is_out: bool) -> Option<crate::facts::Culprit> {
    culprit::culprit(adapter, is_out)
}

fn is_tap(interface: &str) -> bool {
    sys(interface, "tun_flags").is_some()
}

/// Interfaces without a link layer of their own: WireGuard, TUN, PPP (linux/if_arp.h).
fn is_tunnel(interface: &str) -> bool {
    matches!(sys(interface, "type").as_deref(), Some("65534" | "512"))
}

/// Which of the usual programs sees to an interface, by the files in which they say so.
fn manager(index: u32) -> Option<String> {
    let read = |folder: &str| fs::read_to_string(format!("{folder}/{index}")).unwrap_or_default();
    let manager = managed(
        &read("/run/NetworkManager/devices"),
        &read("/run/systemd/netif/links"),
    );
    manager.map(str::to_owned)
}

fn managed(network_manager: &str, networkd: &str) -> Option<&'static str> {
    let has = |text: &str, line: &str| text.lines().any(|l| l == line);
    if has(network_manager, "managed=1") || has(network_manager, "managed=true") {
        return Some("NetworkManager");
    }
    let configured = ["configured", "configuring"].map(|state| format!("ADMIN_STATE={state}"));
    let is_networkds = configured.iter().any(|line| has(networkd, line));
    is_networkds.then_some("systemd-networkd")
}

const PKEXEC: &str = "/usr/bin/pkexec";

/// systemd asks for an administrator itself, by polkit.
pub(crate) fn start_service() -> Result<String, MendError> {
    let mut command = Command::new("systemctl");
    command.arg("start").args(installed_units());
    run("systemctl", &mut command)?;
    Ok("The service is started.".to_owned())
}

/// One that hangs is killed by systemd when its time is over.
pub(crate) fn restart_service() -> Result<String, MendError> {
    let mut command = Command::new("systemctl");
    command.args(["restart", SERVICE]);
    run("systemctl", &mut command)?;
    Ok("The service is started anew.".to_owned())
}

/// Lets the party through the firewall that is in the way; nothing where that needs rights that the service has.
pub(crate) fn let_through() -> Result<Option<String>, MendError> {
    let network = network(None).ok();
    let adapter = network.as_ref().and_then(Network::party);
    let adapter = &adapter.ok_or(MendError::NoAdapter)?.name;
    match firewall(Some(adapter)) {
        Firewall::Strict(name) if name == "ufw" => {
            as_admin("ufw", &["/usr/sbin/ufw", "allow", "in", "on", adapter])?;
            Ok(Some(format!(
                "ufw lets in what comes by {adapter}, until you say `sudo ufw delete allow in on {adapter}`."
            )))
        }
        Firewall::Strict(name) if name == "firewalld" => {
            let zone = format!("--change-interface={adapter}");
            // It asks for an administrator itself, by polkit.
            let mut command = Command::new("firewall-cmd");
            run("firewall-cmd", command.args(["--zone=trusted", &zone]))?;
            Ok(Some(format!(
                "firewalld has {adapter} in its zone \"trusted\", until it is reloaded or the adapter goes."
            )))
        }
        _ if has_net_admin() => open_firewall(adapter).map(Some),
        _ => Ok(None),
    }
}

/// Lets an adapter through the plain chains of nftables, until the session ends.
///
/// # Errors
/// [`MendError`].
pub fn open_firewall(adapter: &str) -> Result<String, MendError> {
    let opened = passage::open(adapter).map_err(|error| MendError::NotOpened(error.to_string()))?;
    Ok(match opened.as_slice() {
        [] => format!("No chain of nftables keeps {adapter} away."),
        chains => format!(
            "nftables lets {adapter} through, by a rule in front of {}; it goes when you leave the party.",
            chains.join(", ")
        ),
    })
}

fn as_admin(name: &'static str, words: &[&str]) -> Result<(), MendError> {
    match geteuid().is_root() {
        true => run(name, Command::new(words[0]).args(&words[1..])),
        false => run("pkexec", Command::new(PKEXEC).args(words)),
    }
}

pub(crate) fn permit() -> Result<String, MendError> {
    let name = account().ok_or(MendError::Elsewhere)?;
    let words = ["/usr/sbin/usermod", "-aG", GROUP, "--", &name];
    as_admin("usermod", &words)?;
    Ok(format!(
        "The account {name} is in the group {GROUP}; log out of this computer and in again."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_groups() {
        let groups = "sudo:x:27:bob\nlanparty:x:990:carol,alice\n";
        assert!(is_member(groups, Some("alice"), 1000));
        assert!(!is_member(groups, Some("ali"), 1000));
        assert!(!is_member(groups, Some("bob"), 27));
        assert!(is_member(groups, None, 990));
        assert!(!is_member("", Some("alice"), 1000));
    }

    #[test]
    fn only_what_a_dead_client_made_is_left() {
        let route = |is_ours, metric| netlink::Route {
            destination: Prefix {
                ip: IpAddr::V4(FAR_AWAY),
                len: 32,
            },
            device: 2,
            metric,
            is_ours,
        };
        let is_left = |route: netlink::Route| is_left(&route, |process| process == 7);
        assert!(is_left(route(true, 8)));
        assert!(!is_left(route(true, 7)));
        assert!(is_left(route(true, netlink::BEHIND | 8)));
        assert!(!is_left(route(true, netlink::BEHIND | 7)));
        assert!(!is_left(route(false, 8)));
        assert!(!is_client(std::process::id()));
        assert!(!is_hidden(0) && !is_hidden(u32::MAX) && !is_hidden(std::process::id()));
    }

    #[test]
    fn managers_say_what_is_theirs() {
        assert_eq!(managed("[device]\nmanaged=1\n", ""), Some("NetworkManager"));
        assert_eq!(managed("[device]\nmanaged=0\n", ""), None);
        assert_eq!(
            managed("", "ADMIN_STATE=configured\n"),
            Some("systemd-networkd")
        );
        assert_eq!(managed("", "ADMIN_STATE=unmanaged\n"), None);
    }

    #[test]
    fn this_machine_answers() {
        let network = network(None).unwrap();
        assert!(
            network
                .interfaces
                .iter()
                .all(|interface| interface.name != "lo")
        );
        let _ = (
            user(),
            rights(),
            driver(),
            leftovers(false),
            clock_is_kept(),
        );
    }
}

//! What Windows answers: its registry, its IP Helper, its adapters, its firewall.

use crate::facts::{
    Culprit, Driver, Firewall, Hindrance, Interface, Leftovers, Network, Prefix, Profile, Rights,
    Route, User,
};
use crate::mend::{MendError, run};
use lanparty_client_route::{self as ip, AdapterGuid, Category, Family, Luid};
use lanparty_client_tap::adapter::connection_key;
use lanparty_client_tap::error::TapError;
use lanparty_client_tap::{self as tap, Adapter};
use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use windows_registry::LOCAL_MACHINE;

const SERVICE: &str = "LanPartyClient";
/// Where Windows notes a driver that was ever used, or lies ready.
const DRIVER_KEYS: [&str; 3] = [
    r"SYSTEM\CurrentControlSet\Services\tap0901",
    r"SYSTEM\DriverDatabase\DeviceIds\tap0901",
    r"SYSTEM\DriverDatabase\DeviceIds\root\tap0901",
];
const OUR_KEY: &str = r"SOFTWARE\softlan-vpn";
const JOURNAL: &str = "Restore";

pub(crate) fn has_service() -> bool {
    let key = format!(r"SYSTEM\CurrentControlSet\Services\{SERVICE}");
    LOCAL_MACHINE.open(key).is_ok()
}

pub(crate) fn user() -> User {
    User {
        name: None,
        is_admitted: false,
        can_ask_admin: true,
    }
}

/// Whoever may write there may all the rest.
pub(crate) fn rights() -> Rights {
    match LOCAL_MACHINE.options().read().write().open("SOFTWARE") {
        Ok(_) => Rights::Enough,
        Err(_) => Rights::Missing(Hindrance::Ordinary),
    }
}

pub(crate) fn driver() -> Driver {
    let adapters = match tap::installed() {
        Ok(adapters) => adapters,
        Err(error) => return Driver::Broken(error.to_string()),
    };
    match adapters.as_slice() {
        [] if DRIVER_KEYS
            .iter()
            .any(|key| LOCAL_MACHINE.open(key).is_ok()) =>
        {
            Driver::NoAdapterYet
        }
        [] => Driver::Unseen,
        [only] => state(only),
        several => Driver::Several(several.len()),
    }
}

fn state(adapter: &Adapter) -> Driver {
    match tap::look(adapter) {
        Ok(facts) => Driver::Ready(Some(facts.version.to_string())),
        Err(TapError::Busy(_)) => Driver::InUse,
        Err(TapError::NotThere(_)) => Driver::Disabled,
        Err(TapError::OldDriver(old)) => Driver::Old(old.0.to_string()),
        Err(TapError::Broken(error)) => Driver::Broken(error.to_string()),
    }
}

/// The journal of a client that runs is no leftover.
pub(crate) fn leftovers(plays: bool) -> Leftovers {
    let text = match LOCAL_MACHINE.open(OUR_KEY) {
        Ok(key) => key.get_string(JOURNAL).unwrap_or_default(),
        // Nobody has ever played here, or this user may not know.
        Err(_) => String::new(),
    };
    if text.is_empty() || plays || is_played() {
        return Leftovers::Nothing;
    }
    match serde_json::from_str::<Vec<serde_json::Value>>(&text) {
        Ok(changes) => Leftovers::Some(changes.len()),
        Err(_) => Leftovers::Damaged,
    }
}

/// Whether a client runs: it alone has this file open for writing.
fn is_played() -> bool {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    const FILE_SHARE_READ: u32 = 1;
    let Some(folder) = std::env::var_os("ProgramData") else {
        return false;
    };
    let file = PathBuf::from(folder)
        .join("softlan-vpn")
        .join("running.txt");
    let mut options = OpenOptions::new();
    let opened = options.read(true).share_mode(FILE_SHARE_READ).open(file);
    opened.is_err_and(|error| error.raw_os_error() == Some(ERROR_SHARING_VIOLATION))
}

/// Windows sets it by itself, and does not say in short whether that went well.
pub(crate) fn clock_is_kept() -> Option<bool> {
    None
}

/// The party's adapter is known by its driver.
pub(crate) fn network(_mac: Option<&str>) -> io::Result<Network> {
    let mut all = Vec::new();
    for family in Family::ALL {
        all.extend(ip::routes(family)?);
    }
    let party = party_adapter();
    let mut luids: Vec<_> = all.iter().map(|route| route.interface).collect();
    luids.sort_unstable();
    luids.dedup();
    let mut interfaces: Vec<_> = luids
        .iter()
        .filter(|luid| kind(**luid) != LOOPBACK)
        .map(|luid| interface(*luid, &all, party.as_ref()))
        .collect();
    if let Some(adapter) = party
        && !interfaces.iter().any(|interface| interface.is_party)
    {
        interfaces.push(unplugged(&adapter));
    }
    let routes = all.iter().map(|route| Route {
        destination: Prefix {
            ip: route.destination,
            len: route.prefix_len,
        },
        interface: name(route.interface),
        metric: metric(route),
    });
    Ok(Network {
        routes: routes.collect(),
        interfaces,
    })
}

fn metric(route: &ip::Route) -> u32 {
    let of_interface = ip::interface_metric(route.interface, Family::of(route.destination));
    route.metric.saturating_add(of_interface)
}

fn interface(luid: Luid, routes: &[ip::Route], party: Option<&Adapter>) -> Interface {
    let guid = ip::interface_guid(luid).ok();
    let addresses = ip::addresses(luid).unwrap_or_default();
    let addresses = addresses.into_iter().map(|ip| Prefix {
        ip,
        len: prefix_len(ip, luid, routes),
    });
    Interface {
        name: name(luid),
        is_party: guid.is_some() && guid == party.map(|adapter| adapter.guid),
        is_up: true,
        is_tunnel: TUNNELS.contains(&kind(luid)),
        addresses: addresses.collect(),
        managed_by: None,
        mtu: None,
    }
}

/// One that is there, but has no routes: its cable is out.
fn unplugged(adapter: &Adapter) -> Interface {
    Interface {
        name: adapter
            .name
            .clone()
            .unwrap_or_else(|| adapter.guid.to_string()),
        is_party: true,
        is_up: false,
        is_tunnel: false,
        addresses: Vec::new(),
        managed_by: None,
        mtu: None,
    }
}

/// How much of an address names its network, by the narrowest route to it on the link.
fn prefix_len(ip: std::net::IpAddr, luid: Luid, routes: &[ip::Route]) -> u8 {
    let of_network = routes.iter().filter(|route| {
        route.interface == luid
            && route.next_hop.is_unspecified()
            && route.prefix_len > 0
            && !route.is_host_route()
            && route.covers(ip)
    });
    let longest = of_network.map(|route| route.prefix_len).max();
    longest.unwrap_or(if ip.is_ipv4() { 32 } else { 128 })
}

/// `IfType`s of ipifcons.h, which a LUID has in its highest bits.
const LOOPBACK: u64 = 24;
/// PPP, proprietary virtual ones (as WireGuard's), and tunnels.
const TUNNELS: [u64; 3] = [23, 53, 131];

fn kind(luid: Luid) -> u64 {
    luid.0 >> 48
}

fn name(luid: Luid) -> String {
    let named = ip::interface_guid(luid).ok().and_then(|guid| {
        let key = LOCAL_MACHINE.open(connection_key(guid)).ok()?;
        key.get_string("Name").ok()
    });
    named.unwrap_or_else(|| format!("interface {:x}", luid.0))
}

/// Ours, or the only one.
fn party_adapter() -> Option<Adapter> {
    let adapters = tap::installed().ok()?;
    let own = adapters.iter().find(|adapter| adapter.is_own());
    own.or_else(|| tap::choose(&adapters, None).ok()).cloned()
}

pub(crate) fn firewall(_adapter: Option<&str>) -> Firewall {
    let Some(adapter) = party_adapter() else {
        return Firewall::Profile(Profile::None);
    };
    match profile(adapter.guid) {
        Ok(profile) => Firewall::Profile(profile),
        Err(_) => Firewall::Unknown,
    }
}

fn profile(adapter: AdapterGuid) -> io::Result<Profile> {
    let Some(network) = ip::network(adapter)? else {
        return Ok(Profile::None);
    };
    Ok(match network.category {
        Category::Public => Profile::Public,
        category if ip::firewall_profiles()?.contains(&category) => Profile::InForce,
        Category::Private | Category::Domain => Profile::NotInForce,
    })
}

/// Others' filters have no names here.
pub(crate) fn kill_switch() -> Option<Culprit> {
    None
}

/// Nobody says how long packets may be by this interface.
pub(crate) fn mtu(_interface: &str) -> Option<usize> {
    None
}

/// Nobody says the interface's number.
pub(crate) fn scope(_interface: &str) -> Option<u32> {
    None
}

/// Its firewall goes by the network's category, which another fix sets.
pub(crate) fn let_through() -> Result<Option<String>, MendError> {
    Err(MendError::Unknown)
}

/// As this user first, who may be allowed to; else Windows asks for an administrator.
pub(crate) fn start_service() -> Result<String, MendError> {
    let program = system_folder().join("sc.exe");
    let own = run("sc", Command::new(&program).args(["start", SERVICE]));
    if own.is_err() {
        as_admin(&program, &format!("start {SERVICE}"))?;
    }
    Ok("The service is started.".to_owned())
}

/// Only an administrator may stop it. Windows waits for its end, which `sc stop` does not.
pub(crate) fn restart_service() -> Result<String, MendError> {
    let words = format!("-NoProfile -NonInteractive -Command Restart-Service -Force {SERVICE}");
    as_admin(&powershell(), &words)?;
    Ok("The service is started anew.".to_owned())
}

/// Runs a program to its end with the rights that Windows asks an administrator for. Neither argument has quotes in it.
fn as_admin(program: &Path, words: &str) -> Result<(), MendError> {
    let script = format!(
        "exit (Start-Process -Verb RunAs -Wait -PassThru -WindowStyle Hidden '{}' '{words}').ExitCode",
        program.display()
    );
    let arguments = ["-NoProfile", "-NonInteractive", "-Command", &script];
    run("Windows", Command::new(powershell()).args(arguments))
}

fn powershell() -> PathBuf {
    system_folder().join(r"WindowsPowerShell\v1.0\powershell.exe")
}

/// Windows lets everybody in who sits at the PC.
pub(crate) fn permit() -> Result<String, MendError> {
    Err(MendError::Unknown)
}

fn system_folder() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    PathBuf::from(root).join("System32")
}

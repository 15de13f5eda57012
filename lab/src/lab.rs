//! The namespaces of one lab, and how they disappear.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, Once, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::Machine;

/// Every name starts with this, then the process id, so that a later run knows what a dead one left behind.
const PREFIX: &str = "lp";
const NAMESPACES: &str = "/run/netns";
/// `ip netns exec NAME` shows the files in here as the machine's own /etc.
const MACHINE_ETC: &str = "/etc/netns";

static NEXT: AtomicU32 = AtomicU32::new(0);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static SOMEBODY_WAITS: Mutex<bool> = Mutex::new(false);
static NO_LONGER: Condvar = Condvar::new();

/// A set of machines (network namespaces) joined by cables (veth pairs); dropping it removes them all.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    folder: PathBuf,
    machines: Mutex<BTreeSet<String>>,
}

impl Lab {
    /// Makes an empty lab, after removing what killed runs left behind.
    pub fn new() -> Result<Self> {
        end_clean_on_interrupt();
        sweep(is_of_a_dead_run);
        let prefix = format!(
            "{PREFIX}{}-{}-",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(format!("{prefix}lab"));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self {
            prefix,
            folder,
            machines: Mutex::default(),
        })
    }

    /// The folder for logs, leases and certificates; removed with the lab.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file into the folder and answers with its path.
    pub fn write(&self, name: &str, content: &str) -> Result<String> {
        let file = self.folder.join(name);
        fs::write(&file, content).with_context(|| format!("write {}", file.display()))?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Makes a folder inside the lab's whose files are in memory, for programs that wait for each write.
    pub fn memory(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512m,mode=700", "lanparty-lab"])
            .arg(&folder)
            .output()
            .context("run mount")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "no files in memory: {}",
            said.trim()
        );
        Ok(folder)
    }

    /// Adds a machine with nothing but a loopback device and its own /etc/resolv.conf.
    pub fn machine(&self, name: &str) -> Result<Machine> {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        let namespace = format!("{}{name}", self.prefix);
        fs::create_dir_all(Path::new(MACHINE_ETC).join(&namespace))
            .context("make the machine's /etc")?;
        run_ip(&["netns", "add", &namespace])?;
        self.machines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(namespace.clone());
        let machine = Machine::new(name, &namespace, &self.folder);
        // Duplicate address detection takes a second or two, and nobody here takes an address twice.
        machine.sysctl("net/ipv6/conf/all/accept_dad", "0")?;
        machine.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        machine.ip("link set lo up")?;
        machine.set_resolver("192.0.2.53")?;
        Ok(machine)
    }

    /// Adds a switch: a machine that is only a bridge, called `br0`, without spanning tree, snooping or netfilter.
    pub fn switch(&self, name: &str) -> Result<Machine> {
        let switch = self.machine(name)?;
        for table in ["ip", "ip6", "arp"] {
            let netfilter = format!("net/bridge/bridge-nf-call-{table}tables");
            if Path::new("/proc/sys").join(&netfilter).exists() {
                switch.sysctl(&netfilter, "0")?;
            }
        }
        switch.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        switch.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
        switch.ip("link set br0 up")?;
        Ok(switch)
    }

    /// Joins two machines by a cable (a veth pair, offloads on as a real network card has them) and plugs it in.
    pub fn cable(&self, a: (&Machine, &str), b: (&Machine, &str)) -> Result<()> {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        let (a, a_interface) = a;
        let (b, b_interface) = b;
        run_ip(&[
            "link",
            "add",
            a_interface,
            "netns",
            a.namespace(),
            "type",
            "veth",
            "peer",
            "name",
            b_interface,
            "netns",
            b.namespace(),
        ])?;
        a.ip(&format!("link set {a_interface} up"))?;
        b.ip(&format!("link set {b_interface} up"))
    }

    /// Plugs a machine's new interface into a switch.
    pub fn plug(&self, machine: &Machine, interface: &str, switch: &Machine) -> Result<()> {
        let port = machine.name();
        self.cable((machine, interface), (switch, port))?;
        switch.ip(&format!("link set {port} master br0"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let machines =
            std::mem::take(&mut *self.machines.lock().unwrap_or_else(PoisonError::into_inner));
        machines
            .iter()
            .for_each(|namespace| remove_machine(namespace));
        remove_folder(&self.folder);
    }
}

/// From now on Ctrl-C and SIGTERM remove every lab of this process before it ends with status 130.
pub fn end_clean_on_interrupt() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = ctrlc::set_handler(on_interrupt) {
            eprintln!("warning: Ctrl-C will leave the lab behind until the next start: {error}");
        }
    });
}

/// Waits for Ctrl-C or SIGTERM, which this once does not end the process.
pub fn until_interrupted() {
    end_clean_on_interrupt();
    let mut waits = SOMEBODY_WAITS
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    *waits = true;
    while *waits {
        waits = NO_LONGER
            .wait(waits)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn on_interrupt() {
    if std::mem::take(
        &mut *SOMEBODY_WAITS
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    ) {
        NO_LONGER.notify_all();
        return;
    }
    INTERRUPTED.store(true, Ordering::Relaxed);
    eprintln!("\nInterrupted: removing the lab.");
    sweep(is_ours);
    sweep(is_ours); // what the main thread was making during the first
    process::exit(130);
}

/// Names of namespaces, /etc folders and temporary folders that belong to this process or to dead ones.
pub fn leftovers() -> Vec<String> {
    places()
        .into_iter()
        .flat_map(|place| names_in(&place))
        .filter(|name| is_ours(name) || is_of_a_dead_run(name))
        .collect()
}

/// Ends every program on the machines of this process, and leaves the machines.
pub(crate) fn end_programs() {
    names_in(Path::new(NAMESPACES))
        .iter()
        .filter(|name| is_ours(name))
        .for_each(|name| kill_everything_in(name));
}

/// Removes every lab of this process, whoever holds it.
pub(crate) fn remove_all() {
    sweep(is_ours);
}

fn sweep(of_interest: fn(&str) -> bool) {
    for name in names_in(Path::new(NAMESPACES))
        .into_iter()
        .filter(|name| of_interest(name))
    {
        remove_machine(&name);
    }
    for place in places() {
        for name in names_in(&place)
            .into_iter()
            .filter(|name| of_interest(name))
        {
            remove_folder(&place.join(name));
        }
    }
}

/// With the files in memory that are mounted below.
fn remove_folder(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for place in places.filter(|place| Path::new(place).starts_with(folder)) {
        let _ = Command::new("umount").args(["--lazy", place]).output();
    }
    let _ = fs::remove_dir_all(folder);
}

fn places() -> [PathBuf; 3] {
    [NAMESPACES.into(), MACHINE_ETC.into(), std::env::temp_dir()]
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn is_ours(name: &str) -> bool {
    owner(name) == Some(process::id())
}

fn is_of_a_dead_run(name: &str) -> bool {
    owner(name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// The process id in a name of ours: `lp1234-0-lan1`.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

fn remove_machine(namespace: &str) {
    kill_everything_in(namespace);
    let _ = run_ip(&["netns", "del", namespace]);
    let _ = fs::remove_dir_all(Path::new(MACHINE_ETC).join(namespace));
}

fn kill_everything_in(namespace: &str) {
    let Ok(pids) = run_ip(&["netns", "pids", namespace]) else {
        return;
    };
    for pid in pids
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter(|&pid| pid != process::id().cast_signed())
    {
        let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
    }
}

/// Runs `ip` and answers with what it printed.
pub(crate) fn run_ip(arguments: &[&str]) -> Result<String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("run ip (package iproute2)")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        assert_eq!(owner("lp1234-0-lan1"), Some(1234));
        assert_eq!(owner("lp-0-lan1"), None);
        assert_eq!(owner("lpx1-lan"), None);
        assert_eq!(owner("docker0"), None);
    }

    #[test]
    fn names_of_the_living_are_left_alone() {
        let mine = format!("lp{}-0-lan1", process::id());
        assert!(is_ours(&mine) && !is_of_a_dead_run(&mine));
        assert!(
            is_of_a_dead_run("lp4194399-0-lan1"),
            "process ids end below 2^22"
        );
    }
}

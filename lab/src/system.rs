//! What a distribution runs on a machine: a system bus, and who manages the network there. All of it sees a /run and an /etc
//! of its own, so nothing is written to the machine that the lab runs on.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Machine, Process, eventually};

const SOON: Duration = Duration::from_secs(10);
const BUS: &str = "run/dbus/system_bus_socket";

/// Nothing may look like a machine with udev: a daemon would wait for it (systemd's container interface).
const FURNISH: &str = "
set -e
mount --make-rprivate /
mount --bind /sys /sys
mount -o remount,bind,ro /sys
etc=$(mktemp -d)
mount -t tmpfs etc $etc
cp -a /etc/. $etc/
mount -t tmpfs run /run
mount --move $etc /etc
rmdir $etc
mkdir -p /run/dbus /run/lock /run/systemd/network /run/NetworkManager/conf.d
for folder in NetworkManager dhcp dhcpcd; do
    mkdir -p /run/state/$folder
    [ ! -d /var/lib/$folder ] || mount --bind /run/state/$folder /var/lib/$folder
done
rm -rf /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections /etc/systemd/network
mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections /etc/systemd/network
exec dbus-daemon --system --nofork --nopidfile
";

/// A machine's system; its programs end when it is dropped.
#[derive(Debug)]
pub struct System {
    machine: Machine,
    bus: Process,
}

impl System {
    /// The programs that [`System::start`] needs; who manages the network comes besides.
    pub const PROGRAMS: [&str; 3] = ["dbus-daemon", "nsenter", "unshare"];

    /// Gives a machine a bus, and empty folders for everything that manages networks.
    pub fn start(machine: &Machine) -> Result<Self> {
        let bus = machine.spawn("bus", ["unshare", "--mount", "sh", "-c", FURNISH])?;
        let system = Self {
            machine: machine.inside(bus.id()),
            bus,
        };
        let bus = system.file(BUS);
        let stands = eventually("the system bus", SOON, || bus.exists().then_some(()));
        stands.with_context(|| system.bus.tail(10))?;
        Ok(system)
    }

    /// The machine, whose programs see this system.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Where a file of the system is for us, by its path without the first slash.
    pub fn file(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/{path}", self.bus.id()))
    }

    /// Writes such a file, with the folders above it.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let file = self.file(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make the folder of {path}"))?;
        }
        fs::write(&file, content).with_context(|| format!("write {path}"))
    }

    /// What such a file says.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.file(path)).with_context(|| format!("read {path}"))
    }

    /// Starts NetworkManager, which has written `/etc/NetworkManager/conf.d` before, or not.
    pub fn network_manager(&self) -> Result<Process> {
        let daemon = ["NetworkManager", "--debug", "--log-level=INFO"];
        let daemon = self.machine.spawn("networkmanager", daemon)?;
        let ask = ["nmcli", "-t", "-f", "RUNNING", "general"];
        let runs = eventually("NetworkManager runs", SOON, || {
            let said = self.machine.run(ask).ok()?;
            (said.trim() == "running").then_some(())
        });
        runs.with_context(|| daemon.tail(10))?;
        Ok(daemon)
    }

    /// Starts systemd-networkd with what [`System::write`] has put below `/etc/systemd/network` or `/run/systemd/network`.
    pub fn networkd(&self) -> Result<Process> {
        let daemon = ["/lib/systemd/systemd-networkd"];
        let daemon = self.machine.spawn("networkd", daemon)?;
        daemon.wait_for_line("Enumeration completed", SOON)?;
        Ok(daemon)
    }

    /// Starts dhcpcd for every interface, as its own unit does, with `/etc/dhcpcd.conf`, but without udev.
    pub fn dhcpcd(&self) -> Result<Process> {
        let daemon = ["dhcpcd", "--nobackground", "--nodev", "--debug"];
        self.machine.spawn("dhcpcd", daemon)
    }
}

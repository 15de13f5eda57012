//! The other side of the stand-in driver: carries frames between it and the machine's `tap0`, and does with the
//! interface what the driver does with the adapter: media status, hardware address, DHCP when the media connects.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use super::WindowsPc;
use crate::tap::Tap;
use crate::{Lab, Machine, Process, eventually};

/// Also in lab/windows/tap/wire.c.
const DRIVER_PORT: u16 = 47001;
const LAB_PORT: u16 = 47002;

const TAP: &str = WindowsPc::TAP;
const ETHERNET_HEADER: usize = 14;
const LONGEST_FRAME: usize = 1600;
/// How long a thread listens before it looks whether it shall end.
const TURN: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(30);

/// What an interface does when DHCP brings a lease. Windows takes the default route too, unless the interface's
/// settings say no: the stack keeps that in a file.
const LEASE: &str = r#"#!/bin/sh
case "$reason" in
    BOUND|RENEW|REBIND|REBOOT)
        ip -4 address replace "$new_ip_address/$new_subnet_mask" broadcast + dev "$interface"
        test -e "$no_default_route" || ip route replace default via "${new_routers%% *}" dev "$interface" ;;
    # The word about it may still wait for the server's hardware address, and is lost with our own address.
    RELEASE) sleep 0.3; ip -4 address flush dev "$interface" ;;
    EXPIRE|FAIL|STOP) ip -4 address flush dev "$interface" ;;
esac
"#;

/// The stand-in adapter as Linux sees it; unplugged when dropped.
#[derive(Debug)]
pub(super) struct Adapter {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    machine: Machine,
    driver: UdpSocket,
    tap: Tap,
    /// None while the adapter is disabled.
    mac: Mutex<Option<[u8; 6]>>,
    dhcp: Mutex<Option<Process>>,
    ended: AtomicBool,
    lease_script: String,
    leases: String,
}

impl Adapter {
    /// While this file is there, DHCP takes no default route on the adapter.
    pub(super) fn no_default_route(machine: &Machine) -> PathBuf {
        let name = format!("{}-no-default-route", machine.name());
        machine.folder().join(name)
    }

    /// Gives the machine a `tap0` whose other end the driver will have.
    pub(super) fn plug_in(lab: &Lab, machine: &Machine) -> Result<Self> {
        let tap = machine.enter(|| Tap::create(TAP))?;
        tap.plug(false)?;
        machine.ip(&format!("link set {TAP} up"))?;
        let driver = machine.enter(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, LAB_PORT)))?;
        driver.connect((Ipv4Addr::LOCALHOST, DRIVER_PORT))?;
        driver.set_read_timeout(Some(TURN))?;
        let lease_script = lab.write("windows-lease.sh", LEASE)?;
        fs::set_permissions(&lease_script, Permissions::from_mode(0o755))
            .context("make a script")?;
        let leases = lab.write(&format!("{}-windows.leases", machine.name()), "")?;
        let shared = Arc::new(Shared {
            machine: machine.clone(),
            driver,
            tap,
            mac: Mutex::default(),
            dhcp: Mutex::default(),
            ended: AtomicBool::new(false),
            lease_script,
            leases,
        });
        let directions: [fn(&Shared); 2] = [Shared::follow_the_driver, Shared::follow_the_tap];
        let threads = directions.map(|follow| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || follow(&shared))
        });
        Ok(Self {
            shared,
            threads: threads.into(),
        })
    }

    /// Waits until the driver has announced this hardware address.
    pub(super) fn wait_for_mac(&self, mac: [u8; 6]) -> Result<()> {
        eventually("the driver takes the hardware address", SOON, || {
            (*lock(&self.shared.mac) == Some(mac)).then_some(())
        })
    }

    /// Gives the DHCP lease back, if there is one.
    pub(super) fn release_lease(&self) -> Result<()> {
        let mut dhcp = lock(&self.shared.dhcp);
        let holder = dhcp.take().context("nobody has asked for a lease")?;
        drop(holder);
        self.shared
            .machine
            .run(self.shared.dhclient(&["-r"]))
            .map(drop)
    }

    /// Disables the adapter: open handles become useless, and there are no new ones.
    pub(super) fn disable(&self) -> Result<()> {
        self.tell("D0")?;
        eventually("the adapter is disabled", SOON, || {
            lock(&self.shared.mac).is_none().then_some(())
        })
    }

    /// Enables the adapter and waits until it is back, with the hardware address that the registry now gives it.
    pub(super) fn enable(&self) -> Result<()> {
        self.tell("D1")?;
        eventually("the adapter comes back", SOON, || {
            lock(&self.shared.mac).map(drop)
        })
    }

    /// Sends the driver a word of control.
    pub(super) fn tell(&self, word: &str) -> Result<()> {
        self.shared
            .driver
            .send(word.as_bytes())
            .context("reach the stand-in driver")
            .map(drop)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn follow_the_driver(&self) {
        let mut buffer = [0; LONGEST_FRAME];
        while !self.ended.load(Ordering::Relaxed) {
            // Errors mean that nothing came, or that the driver is not there yet.
            let Ok(length) = self.driver.recv(&mut buffer) else {
                continue;
            };
            match &buffer[..length] {
                frame if frame.len() >= ETHERNET_HEADER => {
                    let _ = self.tap.send(frame); // lost where the media is off
                }
                word => self
                    .obey(word)
                    .unwrap_or_else(|error| eprintln!("warning: the stand-in adapter: {error:#}")),
            }
        }
    }

    fn follow_the_tap(&self) {
        let mut buffer = [0; LONGEST_FRAME];
        while !self.ended.load(Ordering::Relaxed) {
            // Errors and nothing alike: the interface is down for now.
            if let Ok(Some(length)) = self.tap.receive(&mut buffer, TURN) {
                let _ = self.driver.send(&buffer[..length]);
            }
        }
    }

    fn obey(&self, word: &[u8]) -> Result<()> {
        match word {
            b"M1" => {
                self.tap.plug(true)?;
                *lock(&self.dhcp) = Some(self.ask_for_a_lease()?);
            }
            b"M0" => {
                *lock(&self.dhcp) = None;
                self.tap.plug(false)?;
                self.machine.ip(&format!("-4 address flush dev {TAP}"))?;
            }
            b"D0" => *lock(&self.mac) = None,
            [b'A', mac @ ..] => {
                let text: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
                let text = text.join(":");
                self.machine.ip(&format!("link set {TAP} address {text}"))?;
                *lock(&self.mac) = mac.try_into().ok();
            }
            other => eprintln!("warning: the stand-in driver said {other:02x?}"),
        }
        Ok(())
    }

    /// Windows asks for an address as soon as the media is there.
    fn ask_for_a_lease(&self) -> Result<Process> {
        fs::write(&self.leases, "").context("forget old leases")?;
        self.machine.spawn("windows-dhcp", self.dhclient(&["-d"]))
    }

    fn dhclient(&self, what: &[&str]) -> Vec<String> {
        let flag = Adapter::no_default_route(&self.machine);
        let flag = format!("no_default_route={}", flag.display());
        let command = "dhclient -4 -cf /dev/null -pf /dev/null -e";
        let files = [&*flag, "-lf", &self.leases, "-sf", &self.lease_script];
        let command = command.split(' ').chain(files);
        let command = command.chain(what.iter().copied()).chain([TAP]);
        command.map(str::to_owned).collect()
    }
}

/// The GUID by which Wine knows an interface: it is made of its number.
pub(super) fn interface_guid(machine: &Machine, name: &str) -> Result<String> {
    let index = interface_index(machine, name)?;
    Ok(format!("{{{index:08X}-0000-0000-0000-4E6574446576}}"))
}

/// An interface's number on a machine.
pub(super) fn interface_index(machine: &Machine, name: &str) -> Result<u32> {
    let shown = machine.ip_shows(&format!("-o link show dev {name}"))?;
    let index = shown.split(':').next().and_then(|index| index.parse().ok());
    index.with_context(|| format!("no index in `{shown}`"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

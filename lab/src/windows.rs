//! A Windows PC at the party, without Windows: Wine runs the unchanged program, a stand-in driver is its TAP-Windows6
//! adapter, and the Linux kernel of the machine plays the IP stack on the other side of it.
//!
//! ```text
//!  lanparty-client-win.exe ── import table ── shim (C) ── datagrams ── Stack: ip(8), in order, on record
//!        │ \\.\Global\{GUID}.tap
//!  stand-in driver (C) ── datagrams ── Adapter ── `tap0` of the machine
//! ```
//!
//! What each part stands for, and what it does not model: `lab/windows/README.md`.

mod adapter;
mod stack;
mod wine;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{Lab, Machine, Process};
use adapter::{Adapter, interface_guid};
use stack::Stack;
use wine::Wine;

pub use stack::Trouble;

/// A machine of the lab with Wine on it and a TAP-Windows6 adapter in it; dropping it ends everything in there.
#[derive(Debug)]
pub struct WindowsPc {
    machine: Machine,
    stack: Stack,
    adapter: Arc<Adapter>,
    wine: Wine,
}

impl WindowsPc {
    /// The adapter's name in Linux; Windows programs see it by its GUID and as `LAN party`.
    pub const TAP: &str = "tap0";
    /// The adapter's own hardware address, which `NetworkAddress` in the registry replaces.
    pub const PERMANENT_MAC: [u8; 6] = [0x00, 0xff, 0x4c, 0x41, 0x42, 0x01];

    /// Why this machine cannot have Windows PCs, in one sentence, or nothing.
    pub fn missing() -> Option<String> {
        Wine::missing()
    }

    /// Turns a machine into a Windows PC: starts Wine in its namespace and the driver in Wine.
    pub fn new(lab: &Lab, machine: &Machine) -> Result<Self> {
        Self::start(lab, machine, true)
    }

    /// A Windows PC whose adapter is yet to be made by a program.
    pub fn without_adapter(lab: &Lab, machine: &Machine) -> Result<Self> {
        Self::start(lab, machine, false)
    }

    fn start(lab: &Lab, machine: &Machine, has_adapter: bool) -> Result<Self> {
        let adapter = Arc::new(Adapter::plug_in(lab, machine)?);
        let stack = Stack::start(machine, &adapter)?;
        let [guid, home] = [Self::TAP, "wan0"].map(|name| interface_guid(machine, name));
        let wine = Wine::start(lab, machine, &wine::registry(&guid?, &home?, has_adapter))?;
        adapter
            .wait_for_mac(Self::PERMANENT_MAC)
            .context("start the stand-in driver")?;
        Ok(Self {
            machine: machine.clone(),
            stack,
            adapter,
            wine,
        })
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The adapter's GUID, in braces.
    pub fn adapter_guid(&self) -> Result<String> {
        interface_guid(&self.machine, Self::TAP)
    }

    /// The folder that Windows programs know as `C:\`.
    pub fn drive_c(&self) -> PathBuf {
        self.wine.drive_c()
    }

    /// Starts a Windows program that goes on running.
    pub fn spawn<S: AsRef<OsStr>>(
        &self,
        title: &str,
        command: impl IntoIterator<Item = S>,
    ) -> Result<Process> {
        self.machine.spawn(title, self.wine.command(command))
    }

    /// Starts a Windows program with a window on a display of X, such as `:77`, that shows so many pixels.
    pub fn show<S: AsRef<OsStr>>(
        &self,
        title: &str,
        display: &str,
        size: &str,
        command: impl IntoIterator<Item = S>,
    ) -> Result<Process> {
        let command = self.wine.shown(display, size, command);
        self.machine.spawn(title, command)
    }

    /// Runs a Windows program to its end, whatever the end is.
    pub fn output<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Result<Output> {
        self.machine.output(self.wine.command(command))
    }

    /// Every call by which programs asked about or changed the machine since the last [`forget`](Self::forget), in
    /// order, with the error that Windows would answer: `CreateIpForwardEntry2 to=… if=2 = 0`.
    pub fn calls(&self) -> Vec<String> {
        self.stack.calls()
    }

    /// As [`calls`](Self::calls), without those that only ask.
    pub fn changes(&self) -> Vec<String> {
        self.stack.changes()
    }

    /// Everything on this PC that a program may have changed, as text: equal before and after means untouched.
    pub fn state(&self) -> Result<String> {
        let mut state = self.stack.state()?;
        for key in wine::CHANGEABLE_KEYS {
            let shown = self.output(["reg", "query", key, "/s"])?;
            state += &String::from_utf8_lossy(&shown.stdout);
        }
        Ok(state.replace('\r', ""))
    }

    /// Begins a new record and plans what happens at one of the changes to come.
    pub fn forget(&self, trouble: Option<Trouble>) {
        self.stack.forget(trouble);
    }

    /// Closes the window of the console in which the programs run; says whether one of them has noticed.
    pub fn close_console(&self) -> Result<()> {
        ensure!(
            self.stack.close_console()?,
            "no program waits for its console to close"
        );
        Ok(())
    }

    /// Lets the PC sleep: the adapter gives up what was pending and answers nothing.
    pub fn sleep(&self) -> Result<()> {
        self.adapter.tell("S0")
    }

    /// Ends the sleep.
    pub fn wake(&self) -> Result<()> {
        self.adapter.tell("S1")
    }

    /// Has a driver in store for devices with this hardware id, or none.
    pub fn have_driver_for(&self, hardware_id: Option<&'static str>) {
        self.stack.have_driver_for(hardware_id);
    }

    /// Makes the adapter's network public again, as a person may, or a policy.
    pub fn make_network_public(&self) {
        self.stack.make_network_public();
    }

    /// Lets the Network List Manager take so long for each answer.
    pub fn delay_networks(&self, delay: Duration) {
        self.stack.delay_networks(delay);
    }

    /// Restarts the adapter as a driver update does: open handles become useless.
    pub fn restart_adapter(&self) -> Result<()> {
        self.disable_adapter()?;
        self.enable_adapter()
    }

    /// Disables the adapter, as in the network connections.
    pub fn disable_adapter(&self) -> Result<()> {
        self.adapter.disable()
    }

    /// Enables it again.
    pub fn enable_adapter(&self) -> Result<()> {
        self.adapter.enable()
    }

    /// Uninstalls the adapter, as in the device manager.
    pub fn uninstall_adapter(&self) -> Result<()> {
        self.wine.unregister_adapter(&self.machine)?;
        self.adapter.disable()
    }

    /// Installs it again, as new.
    pub fn install_adapter(&self) -> Result<()> {
        self.wine.register_adapter(&self.machine)?;
        self.adapter.enable()
    }

    /// How many descriptors Wine's server has open: one for each handle of a file, a socket or a device, among others.
    pub fn open_in_wineserver(&self) -> Result<usize> {
        self.wine.open_in_server()
    }

    /// The numbers, in Linux, of the Windows programs that run and have these words in their command line.
    pub fn processes(&self, words: &str) -> Result<Vec<i32>> {
        self.wine.running(words)
    }

    /// Where pictures of windows are kept for people to look at: `target/windows/pictures`.
    pub fn pictures() -> Result<PathBuf> {
        wine::pictures()
    }

    /// The Windows programs of the project, built by `cargo xtask windows`.
    pub fn program(name: &str) -> Result<PathBuf> {
        wine::program(name)
    }
}

impl Drop for WindowsPc {
    fn drop(&mut self) {
        self.wine.end(&self.machine);
    }
}

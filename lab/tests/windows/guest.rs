//! The player at Windows, and the party.

use std::net::IpAddr;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Lab, Machine, Party, Process, WindowsPc, World, eventually};
use rustix::process::Signal;

/// How long to wait for what should happen at once: under Wine, on a machine that has much else to do, it may not.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The window, as it is built.
pub(crate) const WINDOW: &str = "lanparty.exe";
pub(crate) const PROGRAM: &str = "lanparty-client-win.exe";
const MAC: &str = "02:1a:00:00:00:01";

/// A Windows PC at the party, or beside it.
pub(crate) struct Guest {
    /// The program, when it is to run all the time.
    program: Option<Process>,
    pub(crate) pc: WindowsPc,
    pub(crate) party: Party,
}

impl World for Guest {
    fn report(&self) -> String {
        let program = self.program.as_ref().map(|program| program.tail(30));
        format!(
            "--- the client said at the end:\n{}\n--- the PC was asked for:\n{}\n{}",
            program.unwrap_or_default(),
            self.pc.calls().join("\n"),
            self.party.report()
        )
    }
}

impl Guest {
    /// A PC whose client does not run yet.
    pub(crate) fn at_home() -> Result<Self> {
        Self::with(WindowsPc::new)
    }

    /// As [`at_home`](Self::at_home), without an adapter.
    pub(crate) fn without_adapter() -> Result<Self> {
        Self::with(WindowsPc::without_adapter)
    }

    fn with(pc: fn(&Lab, &Machine) -> Result<WindowsPc>) -> Result<Self> {
        let party = Party::builder().players(0).strangers(1).start()?;
        let pc = pc(&party.venue.lab, &party.venue.remotes[0])?;
        Ok(Self {
            program: None,
            pc,
            party,
        })
    }

    /// A PC whose player has joined and has an address.
    pub(crate) fn at_the_party() -> Result<Self> {
        let mut guest = Self::at_home()?;
        let program = guest.join()?;
        program.wait_for_line("Connected to the LAN", SOON)?;
        guest.program = Some(program);
        guest.wait_for_address()?;
        Ok(guest)
    }

    /// Starts the client.
    pub(crate) fn join(&self) -> Result<Process> {
        let mut command = vec![WindowsPc::program(PROGRAM)?.to_string_lossy().into_owned()];
        command.extend(self.party.join_flags());
        command.extend(["--virtual-mac", MAC, "--log", "info"].map(Into::into));
        self.pc.spawn("windows-client", command)
    }

    /// Runs one of the client's other commands to its end; answers with what it said.
    pub(crate) fn run(&self, command: &str) -> Result<String> {
        let output = self
            .pc
            .output([WindowsPc::program(PROGRAM)?.as_os_str(), command.as_ref()])?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        ensure!(
            output.status.success(),
            "`{command}` {}: {text}",
            output.status
        );
        Ok(text)
    }

    /// The client that has been running from the start.
    pub(crate) fn program(&self) -> Result<&Process> {
        self.program.as_ref().context("no client runs here")
    }

    /// Presses Ctrl-C and waits for the end, which must be a clean one.
    pub(crate) fn leave(&self, program: &Process) -> Result<()> {
        let status = self.stop(program)?;
        ensure!(status.success(), "{status}:\n{}", program.tail(20));
        Ok(())
    }

    /// The same for a client that may have ended by itself already, in words.
    pub(crate) fn stop(&self, program: &Process) -> Result<ExitStatus> {
        if program.is_running() {
            program.signal(Signal::INT)?;
        }
        self.ends(program)
    }

    /// Waits for the end; a panic is none.
    pub(crate) fn ends(&self, program: &Process) -> Result<ExitStatus> {
        let status = program.wait(SOON)?;
        ensure!(!program.log().contains("panicked"), "{}", program.tail(30));
        Ok(status)
    }

    pub(crate) fn wait_for_address(&self) -> Result<IpAddr> {
        eventually("the PC gets a LAN address", SOON, || {
            self.pc.machine().ipv4(WindowsPc::TAP)
        })
    }
}

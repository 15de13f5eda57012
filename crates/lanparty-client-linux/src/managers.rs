//! Whoever manages networks on this machine is told to leave the adapter alone, for as long as it exists: NetworkManager and
//! systemd-networkd, where they run.
//!
//! With `[Match] Type=ether` and `DHCP=yes`, as many machines have it, networkd takes every adapter for a way to the internet.
//! It and NetworkManager read files below /run, which are gone with the next start of the machine. A child of ours
//! ([`warden`]) writes and removes them, because the program itself gives up the right to; and it outlives a program that
//! is killed, for just so long. A service has neither root's rights nor needs them: its package brings such files for good.
//!
//! dhcpcd, ConnMan and others have no such files. What of theirs would matter is removed by [`crate::adapter`].

pub(crate) mod warden;

use crate::ears::ear_name;
use crate::process::is_client;
use crate::tap::TapName;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Behind it stands the process that made the file. First of all, as the first file that fits counts.
const FILE: &str = "00-lanparty-";
/// How long a manager may take for what it is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// What the adapter's name begins with where a package's files tell managers of it.
const PACKAGED: &str = "lanparty0";

/// Somebody who manages networks, and can be told to leave one interface alone.
struct Manager {
    /// What people call it.
    name: &'static str,
    /// The files that a package brings for the same.
    packaged: [&'static str; 2],
    /// What the kernel calls its process, which is 15 characters at most.
    process: &'static str,
    folder: &'static str,
    extension: &'static str,
    /// What the file says, with `{tap}` for the adapter and `{ear}` for what hears home beside it.
    text: &'static str,
    /// Has it read its files again.
    reload: &'static [&'static str],
    /// Tells it the same of the adapter that is there now, whatever its owner's own files say.
    release: &'static [&'static str],
}

const MANAGERS: [Manager; 2] = [
    Manager {
        name: "systemd-networkd",
        packaged: [
            "/usr/lib/systemd/network/00-lanparty.network",
            "/etc/systemd/network/00-lanparty.network",
        ],
        process: "systemd-network",
        folder: "/run/systemd/network",
        extension: "network",
        text: "[Match]\nName={tap} {ear}\n\n[Link]\nUnmanaged=yes\n",
        reload: &["networkctl", "reload"],
        release: &[],
    },
    Manager {
        name: "NetworkManager",
        packaged: [
            "/usr/lib/NetworkManager/conf.d/00-lanparty.conf",
            "/etc/NetworkManager/conf.d/00-lanparty.conf",
        ],
        process: "NetworkManager",
        folder: "/run/NetworkManager/conf.d",
        extension: "conf",
        text: "[keyfile]\nunmanaged-devices+=interface-name:{tap};interface-name:{ear}\n\n\
               [device-lanparty]\nmatch-device=interface-name:{tap},interface-name:{ear}\nmanaged=0\n",
        reload: &["nmcli", "general", "reload", "conf"],
        release: &["nmcli", "device", "set", "{tap}", "managed", "no"],
    },
];

/// The child that has told them; when this is dropped it takes back what it has said.
#[derive(Debug)]
pub(crate) struct Managers {
    warden: Child,
    orders: Option<ChildStdin>,
}

impl Managers {
    /// Tells those that run and see this network, before the adapter is made. To be called while this program has all of
    /// root's rights; without these nobody is told.
    pub(crate) fn keep_away(tap: &TapName) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            warn_unless_packaged(tap);
            return None;
        }
        if !MANAGERS.iter().any(Manager::runs_here) {
            return None;
        }
        let started = Self::start(tap);
        let say = |error| {
            tracing::warn!(%error, "Nobody tells the network managers of this system to leave the adapter alone");
        };
        started.map_err(say).ok()
    }

    fn start(tap: &TapName) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([warden::COMMAND, tap.as_str()])
            .arg(process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for us.
            .process_group(0);
        let mut warden = command.spawn()?;
        let (orders, said) = (warden.stdin.take(), warden.stdout.take());
        let managers = Managers { warden, orders };
        let mut line = String::new();
        if let Some(said) = said {
            BufReader::new(said).read_line(&mut line)?;
        }
        match line.trim_end() {
            warden::READY => Ok(managers),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The adapter exists.
    pub(crate) fn made(&mut self) {
        self.order(warden::MADE);
    }

    /// Somebody has given the adapter DNS servers.
    pub(crate) fn revert_dns(&mut self) {
        self.order(warden::REVERT_DNS);
    }

    fn order(&mut self, word: &str) {
        if let Some(orders) = &mut self.orders
            && let Err(error) = writeln!(orders, "{word}")
        {
            tracing::debug!(%error, "The child that speaks to network managers is gone");
        }
    }
}

impl Drop for Managers {
    fn drop(&mut self) {
        // It ends when it hears nothing more.
        self.orders.take();
        if wait(&mut self.warden, 3 * PATIENCE).is_none() {
            let _ = self.warden.kill();
            let _ = self.warden.wait();
        }
    }
}

impl Manager {
    fn file(&self, owner: u32) -> PathBuf {
        let name = format!("{FILE}{owner}.{}", self.extension);
        Path::new(self.folder).join(name)
    }

    fn text_for(&self, tap: &str) -> String {
        let text = self.text.replace("{tap}", tap);
        text.replace("{ear}", &ear_name(tap))
    }

    /// Whether it runs, and sees the network that this program sees.
    fn runs_here(&self) -> bool {
        let Ok(ours) = fs::read_link("/proc/self/ns/net") else {
            return false;
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut processes = processes.map(|entry| entry.path());
        processes.any(|process| {
            let name = fs::read_to_string(process.join("comm"));
            name.is_ok_and(|name| name.trim_end() == self.process)
                && fs::read_link(process.join("ns/net")).is_ok_and(|theirs| theirs == ours)
        })
    }

    /// Whether it runs, as far as any user can tell.
    fn runs(&self) -> bool {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut names = processes.map(|entry| fs::read_to_string(entry.path().join("comm")));
        names.any(|name| name.is_ok_and(|name| name.trim_end() == self.process))
    }

    fn is_kept_from(&self, tap: &str) -> bool {
        tap.starts_with(PACKAGED) && self.packaged.iter().any(|file| Path::new(file).exists())
    }

    fn reload(&self) {
        if self.runs_here() {
            run(self.reload);
        }
    }

    /// The files of clients that were killed along with their child.
    fn leftovers(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(self.folder).into_iter().flatten().flatten();
        let is_left = |name: &OsStr| owner(name).is_some_and(|owner| !is_client(owner));
        entries
            .filter(move |entry| is_left(&entry.file_name()))
            .map(|entry| entry.path())
    }
}

/// Says who may take the adapter for a way to the internet, where this program has no right to tell them.
pub(crate) fn warn_unless_packaged(tap: &TapName) {
    for manager in MANAGERS.iter().filter(|manager| manager.runs()) {
        if !manager.is_kept_from(tap.as_str()) {
            tracing::warn!(
                "{} runs here and nobody has told it to leave the adapter {tap} alone: start this as root, or install the \
                 package and have the adapter named {PACKAGED}",
                manager.name
            );
        }
    }
}

/// Removes what clients that were killed have told managers (spec R80). What is not ours to remove goes with the machine's
/// next start.
pub(crate) fn remove_leftovers() {
    for manager in &MANAGERS {
        let removed = manager
            .leftovers()
            .filter(|file| fs::remove_file(file).is_ok());
        if removed.count() > 0 {
            tracing::info!(
                manager = manager.process,
                "Took back what a killed client has told"
            );
            manager.reload();
        }
    }
}

/// The process that made a file of this name, if it is one of ours.
fn owner(name: &OsStr) -> Option<u32> {
    let (owner, _extension) = name.to_str()?.strip_prefix(FILE)?.split_once('.')?;
    owner.parse().ok()
}

/// Runs a command to its end, within bounds. What it says is of use to nobody.
fn run(words: &[impl AsRef<OsStr>]) {
    let Some((program, words)) = words.split_first() else {
        return;
    };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else {
        return;
    };
    if wait(&mut child, PATIENCE).is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<process::ExitStatus> {
    let end = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK),
            Ok(None) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_the_adapter_and_its_ear_alone() {
        for manager in &MANAGERS {
            let text = manager.text_for("party0");
            assert!(
                text.contains("party0-ear") && !text.contains(['{', '*']),
                "{text}"
            );
            assert!(!manager.is_kept_from("party0"), "no package names it");
        }
    }

    #[test]
    fn a_file_says_whose_it_is() {
        for manager in &MANAGERS {
            let file = manager.file(4242);
            assert_eq!(owner(file.file_name().unwrap()), Some(4242));
        }
        for other in [
            "00-lanparty.network",
            "10-lan.network",
            "00-lanparty-x.conf",
        ] {
            assert_eq!(owner(OsStr::new(other)), None, "{other}");
        }
    }
}

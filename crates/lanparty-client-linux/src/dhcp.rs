//! A LAN address from the LAN's own DHCP server, fetched by the system's DHCP client (spec R81).
//!
//! The client runs as our child with a script of ours, private files and nothing else of the
//! system's configuration, so it touches the TAP's addresses only. It dies with us.

mod again;

pub(crate) use again::Again;

use crate::privilege;
use crate::process::is_client;
use crate::tap::TapName;
use anyhow::Context as _;
use lanparty_edge::privilege::lower_priority_of;
use rustix::fs::StatVfsMountFlags;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long giving the address back may take when the program ends.
const RELEASE_DEADLINE: Duration = Duration::from_secs(1);

/// Behind it stand the process that made the folder, and something random.
const FOLDER: &str = "lanparty-dhcp-";

const SCRIPT: &str = include_str!("dhcp/lease.sh");
const DHCLIENT_CONFIG: &str = include_str!("dhcp/dhclient.conf");

/// A DHCP client of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DhcpProgram {
    kind: Kind,
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From BusyBox.
    Udhcpc,
    /// From isc-dhcp-client.
    Dhclient,
}

/// A running DHCP client; dropping it ends it without giving the address back.
#[derive(Debug)]
pub(crate) struct Dhcp {
    program: DhcpProgram,
    tap: TapName,
    files: Files,
    child: Child,
    last_words: watch::Receiver<String>,
}

/// The folder with what the client reads and writes.
#[derive(Debug)]
struct Files(TempDir);

/// No DHCP client works here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoDhcpProgram {
    /// None is installed.
    #[error("no DHCP client is installed, which asks the LAN for an address; install udhcpc")]
    Client,
    /// What runs it is not.
    #[error("setpriv is not installed, without which no DHCP client is run; install util-linux")]
    Setpriv,
    /// The one that is installed may not read what we write.
    #[error(
        "this system's AppArmor keeps dhclient from working for other programs; install udhcpc"
    )]
    Confined,
}

/// A switch that the kernel shows, and what Debian and Ubuntu confine dhclient to.
const APPARMOR: &str = "sys/module/apparmor/parameters/enabled";
const DHCLIENT_PROFILE: &str = "etc/apparmor.d/sbin.dhclient";
const DHCLIENT_FREED: &str = "etc/apparmor.d/disable/sbin.dhclient";

/// There is no place for the files that a DHCP client works with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDhcpFiles {
    #[error(
        "the temporary folder {} cannot be written ({cause}); make room in it, name another one with TMPDIR, or use \
         --address", folder.display()
    )]
    Unwritable {
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "no program can be run from the temporary folder {}, which is mounted noexec; name another one with TMPDIR, or \
         use --address", .0.display()
    )]
    NotRunnable(PathBuf),
}

impl DhcpProgram {
    /// Finds one that is installed.
    pub(crate) fn find() -> Result<Self, NoDhcpProgram> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A player's own PATH often lacks these.
        let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
        let folders: Vec<_> = std::env::split_paths(&path).chain(system).collect();
        Self::find_in(&folders, is_dhclient_confined(Path::new("/")))
    }

    /// dhclient comes second: where a profile confines it, it reads neither configuration nor script of ours. A copy of it
    /// under another name would run, and go round what the system's owner has decided.
    fn find_in(folders: &[PathBuf], is_dhclient_confined: bool) -> Result<Self, NoDhcpProgram> {
        let find = |name| {
            folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|file| file.is_file())
        };
        find("setpriv").ok_or(NoDhcpProgram::Setpriv)?;
        let found = [(Kind::Udhcpc, "udhcpc"), (Kind::Dhclient, "dhclient")]
            .into_iter()
            .find_map(|(kind, name)| find(name).map(|file| DhcpProgram { kind, file }))
            .ok_or(NoDhcpProgram::Client)?;
        match found.kind {
            Kind::Dhclient if is_dhclient_confined => Err(NoDhcpProgram::Confined),
            Kind::Dhclient | Kind::Udhcpc => Ok(found),
        }
    }

    /// Starts asking for an address on `tap`, again and again until there is one.
    pub(crate) fn start(&self, tap: &TapName) -> anyhow::Result<Dhcp> {
        let files = Files::create()?;
        let child = self.spawn(self.ask_arguments(&files, tap));
        let mut child = child.with_context(|| format!("cannot run {}", self.file.display()))?;
        let stderr = child.stderr.take().expect("its stderr is a pipe");
        Ok(Dhcp {
            program: self.clone(),
            tap: tap.clone(),
            files,
            child,
            last_words: follow(stderr),
        })
    }

    /// Runs the client so that it is killed when this process dies. `setpriv` sets that up after the
    /// fork, where nothing of ours may run.
    fn spawn(&self, arguments: Vec<OsString>) -> io::Result<Child> {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.file)
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C is for us: we end it when the address is given back.
        command.process_group(0).kill_on_drop(true);
        let child = privilege::lending(|| command.spawn())??;
        if let Some(child) = child.id() {
            lower_priority_of(child);
        }
        Ok(child)
    }

    fn ask_arguments(&self, files: &Files, tap: &TapName) -> Vec<OsString> {
        match self.kind {
            Kind::Dhclient => files.dhclient_arguments("-d", tap),
            Kind::Udhcpc => {
                let mut arguments = words("-f -R -t 3 -T 2 -A 2 -o -O subnet -O broadcast -s");
                arguments.extend([files.script().into(), "-i".into(), tap.as_str().into()]);
                arguments
            }
        }
    }
}

impl Dhcp {
    /// The client's last words, once it has ended, which it should not.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let name = self.program.file.display();
        let last_words = self.last_words.borrow();
        Some(format!(
            "{name} ended ({status}), saying: {}",
            last_words.trim()
        ))
    }

    /// Gives the address back and ends the client. The adapter must still carry frames.
    pub(crate) async fn release(mut self) {
        let released = tokio::time::timeout(RELEASE_DEADLINE, self.give_back()).await;
        if let Ok(Err(error)) = released {
            tracing::debug!(%error, "The LAN address was not given back");
        }
        let _ = self.child.kill().await;
    }

    async fn give_back(&mut self) -> io::Result<()> {
        match self.program.kind {
            Kind::Dhclient => {
                // It would end the running one by its pid file and then sleep for a second.
                self.child.kill().await?;
                fs::remove_file(self.files.pid())?;
                let arguments = self.files.dhclient_arguments("-r", &self.tap);
                self.program.spawn(arguments)?.wait().await?;
            }
            Kind::Udhcpc => {
                let pid = self
                    .child
                    .id()
                    .and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
                if let Some(pid) = pid {
                    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
                    self.child.wait().await?;
                }
            }
        }
        Ok(())
    }
}

impl Files {
    fn create() -> Result<Self, NoDhcpFiles> {
        let folder = std::env::temp_dir();
        let files = Self::create_in(&folder).map_err(|cause| NoDhcpFiles::Unwritable {
            folder: folder.clone(),
            cause,
        })?;
        let system = rustix::fs::statvfs(&folder);
        match system.is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
            true => Err(NoDhcpFiles::NotRunnable(folder)),
            false => Ok(files),
        }
    }

    fn create_in(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let prefix = format!("{FOLDER}{}-", std::process::id());
        let files = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(folder)?;
        let files = Files(files);
        fs::write(files.script(), SCRIPT)?;
        fs::set_permissions(files.script(), fs::Permissions::from_mode(0o700))?;
        fs::write(files.config(), DHCLIENT_CONFIG)?;
        Ok(files)
    }

    fn script(&self) -> PathBuf {
        self.0.path().join("lease.sh")
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("dhclient.conf")
    }

    fn pid(&self) -> PathBuf {
        self.0.path().join("pid")
    }

    fn dhclient_arguments(&self, mode: &str, tap: &TapName) -> Vec<OsString> {
        let path = |file: &Path| OsString::from(file);
        let mut arguments = words("-4");
        arguments.push(mode.into());
        arguments.extend(["-cf".into(), path(&self.config())]);
        arguments.extend(["-sf".into(), path(&self.script())]);
        arguments.extend(["-lf".into(), path(&self.0.path().join("leases"))]);
        arguments.extend(["-pf".into(), path(&self.pid())]);
        arguments.push(tap.as_str().into());
        arguments
    }
}

/// The loaded profiles are root's to read, and the service is not root.
fn is_dhclient_confined(root: &Path) -> bool {
    let enabled = fs::read_to_string(root.join(APPARMOR));
    let profile = fs::read_to_string(root.join(DHCLIENT_PROFILE));
    enabled.is_ok_and(|text| text.trim() == "Y")
        && profile.is_ok_and(|text| !text.contains("complain"))
        && !root.join(DHCLIENT_FREED).exists()
}

/// Removes the folders of clients that were killed (spec R80).
pub(crate) fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for folder in entries.flatten() {
        if owner(&folder.file_name()).is_some_and(|owner| !is_client(owner)) {
            // It may be another user's, who can remove it.
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// The process that made a folder of this name, if it is one of ours.
fn owner(name: &OsStr) -> Option<u32> {
    let (owner, _random) = name.to_str()?.strip_prefix(FOLDER)?.split_once('-')?;
    owner.parse().ok()
}

fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(Into::into).collect()
}

/// Logs what a child says, and keeps its last line.
fn follow(output: impl AsyncRead + Send + Unpin + 'static) -> watch::Receiver<String> {
    let (last, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if !line.trim().is_empty() {
                tracing::debug!("The DHCP client says: {line}");
                last.send_replace(line);
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests;

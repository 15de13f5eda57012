//! Wine on a machine of the lab: a copy of the prepared prefix, the registry entries of the adapter, the driver.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{Lab, Machine};

/// Where `cargo xtask windows` has put the prefix, the shim, the driver and the programs.
const FOLDER: &str = "LANPARTY_WINDOWS_DIR";
const WINE: &str = "/usr/lib/wine/wine64";
const WINESERVER: &str = "/usr/lib/wine/wineserver";

/// Where the adapter's driver has its values: an adapter is installed while it is there.
const DRIVER_KEY: &str =
    r"HKLM\System\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}\0000";

/// Where programs leave values in the registry.
pub(super) const CHANGEABLE_KEYS: [&str; 4] = [
    DRIVER_KEY,
    r"HKLM\System\CurrentControlSet\Services\Tcpip\Parameters\Interfaces",
    r"HKLM\System\CurrentControlSet\Services\Tcpip6\Parameters\Interfaces",
    r"HKLM\Software\softlan-vpn",
];

const DRIVER: &str = "lanpartytap";
const INSTALL_DRIVER: [&str; 9] = [
    "sc",
    "create",
    DRIVER,
    "type=",
    "kernel",
    "start=",
    "demand",
    "binPath=",
    r"C:\windows\system32\drivers\lanpartytap.sys",
];

/// A Wine session whose wineserver, and so every socket and driver, lives in one machine.
#[derive(Debug)]
pub(super) struct Wine {
    prefix: PathBuf,
    /// A file with the adapter's entries in the registry.
    registry: String,
}

impl Wine {
    pub(super) fn missing() -> Option<String> {
        match env::var_os(FOLDER) {
            None => Some("the Windows client is tested by `cargo xtask windows`".into()),
            Some(_) if !Path::new(WINE).exists() => Some("Wine is not installed".into()),
            Some(_) => None,
        }
    }

    /// Wine's server must start in the machine: sockets and drivers belong to it, not to the programs.
    pub(super) fn start(lab: &Lab, machine: &Machine, registry: &str) -> Result<Self> {
        let prefix = lab.folder().join(format!("{}-wine", machine.name()));
        copy_prefix(&folder()?.join("prefix"), &prefix)?;
        let registry = lab.write(&format!("{}.reg", machine.name()), registry)?;
        let registry = format!("Z:{}", registry.replace('/', "\\"));
        let wine = Self { prefix, registry };
        let server = [WINESERVER.into(), "-p".into()];
        machine.run(detached(wine.environment().into_iter().chain(server)))?;
        wine.register_adapter(machine)?;
        for step in [&INSTALL_DRIVER[..], &["net", "start", DRIVER]] {
            machine.run(detached(wine.command(step)))?;
        }
        Ok(wine)
    }

    /// Puts the adapter's entries into the registry.
    pub(super) fn register_adapter(&self, machine: &Machine) -> Result<()> {
        let command = self.command(["regedit", "/S", &self.registry]);
        machine.run(detached(command)).map(drop)
    }

    /// Removes them, as an uninstalled adapter's are removed; only the key stays, for the driver to find it again.
    pub(super) fn unregister_adapter(&self, machine: &Machine) -> Result<()> {
        let command = self.command(["reg", "delete", DRIVER_KEY, "/va", "/f"]);
        machine.run(detached(command)).map(drop)
    }

    pub(super) fn drive_c(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }

    /// The command that runs a Windows program.
    pub(super) fn command<S: AsRef<OsStr>>(
        &self,
        command: impl IntoIterator<Item = S>,
    ) -> Vec<OsString> {
        let mut whole = self.environment();
        whole.push(WINE.into());
        whole.extend(command.into_iter().map(|word| word.as_ref().to_owned()));
        whole
    }

    /// The same for a program with a window, which is to be seen on this display of X, alone on a desktop of its own.
    pub(super) fn shown<S: AsRef<OsStr>>(
        &self,
        display: &str,
        size: &str,
        command: impl IntoIterator<Item = S>,
    ) -> Vec<OsString> {
        let mut whole = self.environment();
        whole.push(format!("DISPLAY={display}").into());
        whole.extend([WINE.into(), "explorer".into()]);
        whole.push(format!("/desktop=party,{size}").into());
        whole.extend(command.into_iter().map(|word| word.as_ref().to_owned()));
        whole
    }

    /// Without its debugger, which would print hundreds of lines when a program dies.
    fn environment(&self) -> Vec<OsString> {
        let mut prefix = OsString::from("WINEPREFIX=");
        prefix.push(&self.prefix);
        vec![
            "env".into(),
            prefix,
            "WINEDEBUG=-all".into(),
            "WINEDLLOVERRIDES=winedbg.exe,winemenubuilder.exe=d".into(),
        ]
    }

    /// How many descriptors the session's server has open.
    pub(super) fn open_in_server(&self) -> Result<usize> {
        let is_server = |process: &Path| {
            fs::read_to_string(process.join("comm"))
                .is_ok_and(|name| name.starts_with("wineserver"))
        };
        let mut ours = self.processes()?;
        let server = ours.find(|process| is_server(process));
        let server = server.context("find Wine's server")?;
        Ok(fs::read_dir(server.join("fd"))?.count())
    }

    /// The numbers of the session's processes whose command line has these words in it.
    pub(super) fn running(&self, words: &str) -> Result<Vec<i32>> {
        let says = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.replace('"', "").contains(words)
        };
        let number = |process: PathBuf| process.file_name()?.to_str()?.parse().ok();
        Ok(self.processes()?.filter(says).filter_map(number).collect())
    }

    /// The session's processes below /proc.
    fn processes(&self) -> Result<impl Iterator<Item = PathBuf>> {
        let mut prefix = OsString::from("WINEPREFIX=");
        prefix.push(&self.prefix);
        let is_ours = move |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mut values = environment.split(|byte| *byte == 0);
            values.any(|value| value == prefix.as_encoded_bytes())
        };
        let all = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(all.filter(is_ours))
    }

    /// Ends every program of the session.
    pub(super) fn end(&self, machine: &Machine) {
        let end = [WINESERVER.into(), "-k".into()];
        let _ = machine.output(self.environment().into_iter().chain(end));
        let wait = [WINESERVER.into(), "-w".into()];
        let _ = machine.output(self.environment().into_iter().chain(wait));
    }
}

/// What Wine starts behind the scenes would otherwise hold our pipes open for ever.
fn detached(command: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let shell = ["sh", "-c", r#""$@" >/dev/null 2>&1"#, "sh"].map(Into::into);
    shell.into_iter().chain(command)
}

pub(super) fn program(name: &str) -> Result<PathBuf> {
    let file = folder()?.join("bin").join(name);
    ensure!(
        file.is_file(),
        "{} does not exist: `cargo xtask windows` builds it",
        file.display()
    );
    Ok(file)
}

/// Where pictures of windows are kept for people to look at.
pub(super) fn pictures() -> Result<PathBuf> {
    let pictures = folder()?.join("pictures");
    fs::create_dir_all(&pictures).context("make a folder for pictures")?;
    Ok(pictures)
}

fn folder() -> Result<PathBuf> {
    let folder = env::var_os(FOLDER);
    folder
        .map(PathBuf::from)
        .with_context(|| format!("{FOLDER} is not set: run `cargo xtask windows`"))
}

/// 700 MB that nobody changes are linked; the registry, which Wine writes in place, is copied.
fn copy_prefix(from: &Path, to: &Path) -> Result<()> {
    let script = r#"cp -al "$1" "$2" 2>/dev/null || { rm -rf "$2"; cp -a "$1" "$2"; }
        rm "$2"/*.reg; cp -a "$1"/*.reg "$2""#;
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([from, to])
        .stdin(Stdio::null())
        .status()
        .context("copy the Wine prefix")?;
    if !status.success() {
        bail!("cannot copy {} to {}", from.display(), to.display());
    }
    Ok(())
}

/// What the setup of TAP-Windows6 leaves in the registry, as far as programs look at it, and the name server of the
/// player's own connection. Without an adapter the entries are there, but not what says that they are a TAP's: the shim
/// adds that when a program makes one.
pub(super) fn registry(guid: &str, home: &str, has_adapter: bool) -> String {
    const CLASS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
    let system = r"HKEY_LOCAL_MACHINE\System\CurrentControlSet";
    let (instance, component) = match has_adapter {
        true => (r"ROOT\\NET\\0000", "\"ComponentId\"=\"tap0901\"\n"),
        false => (r"ROOT\\SOFTLAN-VPN\\0000", ""),
    };
    format!(
        r#"Windows Registry Editor Version 5.00

[{system}\Control\Class\{CLASS}\0000]
{component}"DriverDesc"="TAP-Windows Adapter V9"
"NetCfgInstanceId"="{guid}"

[{system}\Control\Network\{CLASS}\{guid}\Connection]
"Name"="LAN party"
"PnpInstanceID"="{instance}"

[{system}\Services\Tcpip\Parameters\Interfaces\{guid}]
"NameServer"=""

[{system}\Services\Tcpip\Parameters\Interfaces\{home}]
"DhcpNameServer"="192.0.2.53"
"#
    )
}

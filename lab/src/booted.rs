//! A machine that has been started: systemd as the first of all its processes, with services, a journal and a bus, as on the
//! hosts' boxes.
//!
//! It is this machine's own Debian, or one in a folder, under a layer that only remembers changes and is gone with the
//! machine. Its first process has name spaces of its own for processes, mounts, names and control groups, and those of the lab's
//! [`Machine`] for the network; so nothing that happens there is seen here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{Machine, Process, eventually};

/// How long a machine may take to start.
const BOOT: Duration = Duration::from_secs(15);
/// How long it may take to end.
const POWER_OFF: Duration = Duration::from_secs(15);
const INIT: &str = "/lib/systemd/systemd";
/// Where control groups with one tree are, on new systems and on those that have both kinds.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const PREFIX: &str = "lanparty-lab-";

/// Puts itself into the control group `$1`, of which another mount is seen from a lab's machine, and becomes the rest.
const ENTER: &str = r#"
set -e
mount -t cgroup2 groups "$0"
echo $$ >"$0/$1/cgroup.procs"
umount "$0"
shift
exec "$@"
"#;

/// What the machine is made of; `$1` is the Debian below, `$2` a folder for the layers, `$3` the control group.
///
/// Of the kernel's settings only the network's can be written, as they alone belong to the name space; /sys cannot, by which
/// systemd knows that devices are somebody else's (its container interface).
const FURNISH: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs layers "$2"
mkdir "$2/changes" "$2/work" "$2/root"
mount -t overlay machine -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
root=$2/root
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
for device in null zero full random urandom tty net/tun; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for folder in run tmp; do
    mount -t tmpfs -o mode=1777 "$folder" "$root/$folder"
done
chmod 755 "$root/run"
mkdir "$root/run/layers"
mount --bind "$2/changes" "$root/run/layers"
cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
rmdir /.before
mount --make-rshared /
rm -rf /etc/systemd/system/*.wants /var/log/journal
rm -f /etc/resolv.conf /etc/machine-id
echo lanparty >/etc/hostname
: >/etc/resolv.conf
: >/etc/machine-id
rm -rf /lib/systemd/system/multi-user.target.wants/*
for unit in getty@.service console-getty.service serial-getty@.service systemd-udevd.service systemd-networkd.service \
    systemd-resolved.service systemd-timesyncd.service systemd-logind.service NetworkManager.service apt-daily.timer; do
    ln -sf /dev/null /etc/systemd/system/$unit
done
rm -rf /etc/init.d /etc/rc?.d
exec env -i container=lanparty PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=0
"#;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A started machine; dropping it takes its power away.
#[derive(Debug)]
pub struct Booted {
    machine: Machine,
    init: Option<Process>,
    /// Its first process, as this machine counts.
    pid: u32,
    group: Group,
    /// How long it took to start.
    pub took: Duration,
}

/// A control group for everything of one machine; removed with it.
#[derive(Debug)]
struct Group(PathBuf);

impl Group {
    fn make() -> Result<Self> {
        sweep();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        let folder = groups()
            .context("no control groups with one tree")?
            .join(name);
        fs::create_dir(&folder).context("make a control group")?;
        Ok(Self(folder))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = eventually("the control group is empty", POWER_OFF, || {
            remove_group(&self.0);
            (!self.0.exists()).then_some(())
        });
    }
}

/// What killed runs have left.
fn sweep() {
    let Some(folder) = groups() else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|owner| owner.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            end_group(&entry.path());
            remove_group(&entry.path());
        }
    }
}

/// Ends everything in it (cgroup.kill of Linux 5.14).
fn end_group(folder: &Path) {
    let _ = fs::write(folder.join("cgroup.kill"), "1");
}

fn remove_group(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

fn groups() -> Option<PathBuf> {
    let mut places = GROUPS.iter().map(PathBuf::from);
    places.find(|place| {
        place.join("cgroup.procs").exists() && place.join("cgroup.controllers").exists()
    })
}

impl Booted {
    /// The programs that this needs.
    pub const PROGRAMS: [&str; 3] = [INIT, "nsenter", "unshare"];

    /// Why no machine can be started here, in a sentence, or nothing: containers often have no name spaces to give.
    pub fn unable() -> Option<String> {
        if groups().is_none() {
            return Some(
                "systemd needs control groups of version 2, and none are mounted here".into(),
            );
        }
        let tried = Command::new("unshare")
            .args([
                "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "true",
            ])
            .stdin(Stdio::null())
            .output();
        match tried {
            Ok(output) if output.status.success() => {
                Group::make().err().map(|error| format!("{error:#}"))
            }
            Ok(output) => Some(format!(
                "systemd needs name spaces of its own, which are refused here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => Some(format!("unshare cannot be run: {error}")),
        }
    }

    /// Starts this machine's own Debian, without the services that are enabled here.
    pub fn start(machine: &Machine) -> Result<Self> {
        Self::start_on(machine, Path::new("/"))
    }

    /// Starts the Debian in a folder, which stays as it is.
    pub fn start_on(machine: &Machine, below: &Path) -> Result<Self> {
        let begin = Instant::now();
        let group = Group::make()?;
        let layers = machine.folder().join(format!("{}-layers", machine.name()));
        fs::create_dir_all(&layers).context("make a folder for layers")?;
        let name = group.0.file_name().unwrap_or_default().to_string_lossy();
        let below = below.to_string_lossy();
        let layers = layers.to_string_lossy();
        let command = [
            "sh",
            "-c",
            ENTER,
            &layers,
            &name,
            "unshare",
            "--pid",
            "--mount",
            "--uts",
            "--ipc",
            "--cgroup",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            FURNISH,
            "sh",
            &below,
            &layers,
        ];
        let init = machine.spawn("systemd", command)?;
        let mut booted = Booted {
            machine: machine.clone(),
            pid: 0,
            init: Some(init),
            group,
            took: Duration::ZERO,
        };
        booted.pid = eventually("systemd is there", BOOT, || booted.first_process())
            .with_context(|| booted.console())?;
        eventually("the machine has started", BOOT, || {
            let output = booted
                .output(["systemctl", "is-active", "multi-user.target"])
                .ok()?;
            (output.stdout.trim_ascii() == b"active").then_some(())
        })
        .with_context(|| booted.console())?;
        booted.took = begin.elapsed();
        Ok(booted)
    }

    fn init(&self) -> &Process {
        self.init.as_ref().expect("it is taken at the end only")
    }

    /// The child of `unshare`, once it is systemd.
    fn first_process(&self) -> Option<u32> {
        let parent = self.init().id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
        let child = children.split_whitespace().next()?.parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name.trim() == "systemd").then_some(child)
    }

    /// What was printed while it started.
    pub fn console(&self) -> String {
        self.init().tail(30)
    }

    /// The lab's machine that this is.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Where a file of the machine is for us.
    pub fn file(&self, path: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.pid)).join(path.trim_start_matches('/'))
    }

    /// Writes such a file, with the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
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

    /// Runs a program there as root, whatever its end is.
    pub fn output<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<Output> {
        self.command(words).output().context("run nsenter")
    }

    /// The same, and gives it these lines to read.
    pub fn answer<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
        lines: &str,
    ) -> Result<Output> {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("run nsenter")?;
        let mut input = child.stdin.take().context("a piped child has an input")?;
        // It may know enough before it has read all.
        let _ = std::io::Write::write_all(&mut input, lines.as_bytes());
        drop(input);
        child.wait_with_output().context("wait for a program")
    }

    fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--all", "--target", &self.pid.to_string(), "--wd=/", "--"])
            .args(words)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("SYSTEMD_PAGER", "")
            .stdin(Stdio::null());
        command
    }

    /// Runs a program there to its good end; answers with its standard output.
    pub fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<String> {
        let words: Vec<_> = words.into_iter().collect();
        let output = self.output(words.iter().copied())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complained = String::from_utf8_lossy(&output.stderr);
            bail!("{words:?} {}\n{said}{complained}", output.status);
        }
        Ok(said)
    }

    /// `systemctl` with these words, separated by blanks.
    pub fn systemctl(&self, words: &str) -> Result<String> {
        self.run(["systemctl"].into_iter().chain(words.split_whitespace()))
    }

    /// The same for what must fail: answers with all that it said.
    pub fn systemctl_fails(&self, words: &str) -> Result<String> {
        let output = self.output(["systemctl"].into_iter().chain(words.split_whitespace()))?;
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        ensure!(
            !output.status.success(),
            "`systemctl {words}` went well:\n{}",
            said.concat()
        );
        Ok(said.concat())
    }

    /// One property of a unit, such as `MainPID`.
    pub fn property(&self, unit: &str, name: &str) -> Result<String> {
        let said = self.run(["systemctl", "show", unit, "--value", "--property", name])?;
        Ok(said.trim().to_owned())
    }

    /// What `systemctl status` shows of a unit, which may be one that has failed.
    pub fn status(&self, unit: &str) -> Result<String> {
        let output = self.output(["systemctl", "status", "--full", "--lines=30", unit])?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the journal has of a unit, without dates.
    pub fn journal(&self, unit: &str) -> Result<String> {
        self.run(["journalctl", "--unit", unit, "--output=cat", "--no-pager"])
    }

    /// What systemd itself has to say of a unit.
    pub fn journal_of_systemd(&self, unit: &str) -> Result<String> {
        let of = format!("UNIT={unit}");
        self.run(["journalctl", &of, "--output=cat", "--no-pager"])
    }

    /// Waits until a unit stands like this (`ActiveState`).
    pub fn is(&self, unit: &str, state: &str, deadline: Duration) -> Result<()> {
        let what = format!("{unit} is {state}");
        let is = eventually(&what, deadline, || {
            (self.property(unit, "ActiveState").ok()? == state).then_some(())
        });
        is.with_context(|| self.status(unit).unwrap_or_default())
    }

    /// Waits until the line by which a unit says how it stands has these words.
    pub fn says(&self, unit: &str, words: &str, deadline: Duration) -> Result<String> {
        let what = format!("{unit} says `{words}`");
        let said = eventually(&what, deadline, || {
            let line = self.property(unit, "StatusText").ok()?;
            line.contains(words).then_some(line)
        });
        said.with_context(|| self.status(unit).unwrap_or_default())
    }

    /// Every file that has been made or changed since the machine was furnished, but below these folders.
    pub fn changes(&self, but: &[&str]) -> Result<BTreeSet<String>> {
        let top = self.file("/run/layers");
        let mut all = BTreeSet::new();
        collect(&top, &top, but, &mut all)?;
        Ok(all)
    }

    /// Ends it as `poweroff` does.
    pub fn power_off(mut self) -> Result<()> {
        let _ = self.systemctl("poweroff"); // the answer may not come back
        let init = self.init.take().context("it ends once")?;
        init.wait(POWER_OFF).map(drop)
    }
}

fn collect(top: &Path, folder: &Path, but: &[&str], all: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).context("list changes")? {
        let entry = entry?;
        let path = entry.path();
        let name = format!(
            "/{}",
            path.strip_prefix(top).context("a name below")?.display()
        );
        if but.contains(&&*name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(top, &path, but, all)?;
        }
        all.insert(name);
    }
    Ok(())
}

impl Drop for Booted {
    fn drop(&mut self) {
        end_group(&self.group.0);
        drop(self.init.take());
    }
}

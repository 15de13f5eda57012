//! One machine of the lab: a network namespace with a name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::lab::run_ip;
use crate::{Process, Spare, program};

/// How often pings are tried on a machine that has other work, and what of it is to spare where it has not.
const PING_ATTEMPTS: usize = 4;
const TO_SPARE: f64 = 0.2;

/// A machine of a [`Lab`](crate::Lab). A handle: copies mean the same machine.
#[derive(Clone, Debug)]
pub struct Machine {
    name: String,
    namespace: String,
    folder: PathBuf,
    /// The process in whose mount namespace its programs run.
    system: Option<u32>,
}

impl Machine {
    pub(crate) fn new(name: &str, namespace: &str, folder: &Path) -> Self {
        Self {
            name: name.into(),
            namespace: namespace.into(),
            folder: folder.into(),
            system: None,
        }
    }

    /// The same machine, whose programs see the files that this process sees.
    pub(crate) fn inside(&self, process: u32) -> Self {
        Self {
            system: Some(process),
            ..self.clone()
        }
    }

    /// The short name, such as `lan1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that `ip netns exec` wants.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The folder in which its programs run, which it shares with the whole lab.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `ip` for this machine, arguments separated by blanks: `machine.ip("link set eth0 down")`.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        self.ip_shows(arguments).map(drop)
    }

    /// As [`ip`](Self::ip), and answers with what it printed.
    pub fn ip_shows(&self, arguments: &str) -> Result<String> {
        let mut all = vec!["-n", &self.namespace];
        all.extend(arguments.split_whitespace());
        run_ip(&all)
    }

    /// Runs a program to its end; answers with its standard output, or fails with everything it said.
    pub fn run<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Result<String> {
        let command: Vec<S> = command.into_iter().collect();
        let output = self.output(&command)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let command: Vec<_> = command
                .iter()
                .map(|word| word.as_ref().to_string_lossy())
                .collect();
            bail!(
                "on {}: `{}` {}\n{stdout}{stderr}",
                self.name,
                command.join(" "),
                output.status
            );
        }
        Ok(stdout)
    }

    /// Runs the `ctl` of one of our programs, for the one that runs here.
    pub fn ctl(&self, of: &str, words: &[&str]) -> Result<String> {
        let mut command = program(of)?;
        command.push("ctl".into());
        command.extend(words.iter().map(|word| (*word).into()));
        self.run(command)
    }

    /// Runs a program to its end, whatever the end is.
    pub fn output<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Result<Output> {
        self.command(command)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("run a program on {}", self.name))
    }

    /// Starts a program that goes on running; `title` names it in messages and names its log file.
    pub fn spawn<S: AsRef<OsStr>>(
        &self,
        title: &str,
        command: impl IntoIterator<Item = S>,
    ) -> Result<Process> {
        let log = self.folder.join(format!("{}-{title}.log", self.name));
        Process::spawn(title, self.command(command), &log)
    }

    fn command<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Command {
        let mut ip = Command::new("ip");
        ip.args(["netns", "exec", &self.namespace]);
        if let Some(system) = self.system {
            ip.args(["nsenter", "--mount", "--target", &system.to_string()]);
            let folder = self.folder.display();
            ip.arg(format!("--wdns={folder}")).arg("--");
        }
        ip.args(command)
            .env("HOME", &self.folder)
            .env(
                "STATE_DIRECTORY",
                self.folder.join(format!("{}-state", self.name)),
            )
            .current_dir(&self.folder);
        ip
    }

    /// Calls `action` on a thread that lives in this machine; sockets made there stay in the machine for good.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> io::Result<T> + Send) -> Result<T> {
        let file = File::open(Path::new("/run/netns").join(&self.namespace))
            .with_context(|| format!("find machine {}", self.name))?;
        let act = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            action()
        };
        let result = thread::scope(|scope| scope.spawn(act).join());
        let Ok(result) = result else {
            bail!("a thread on {} panicked", self.name)
        };
        result.with_context(|| format!("on {}", self.name))
    }

    /// How many packets have left by this interface.
    pub fn packets_sent(&self, interface: &str) -> Result<u64> {
        self.interface_counter(interface, 9)
    }

    /// How many packets have come in by this interface.
    pub fn packets_received(&self, interface: &str) -> Result<u64> {
        self.interface_counter(interface, 1)
    }

    fn interface_counter(&self, interface: &str, column: usize) -> Result<u64> {
        // Of the thread's own network namespace.
        let table = self.enter(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
        let row = table
            .lines()
            .find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))
            .with_context(|| format!("{} has no {interface}", self.name))?;
        let count = row.split_whitespace().nth(column).map(str::parse);
        Ok(count.context("a row without a count of packets")??)
    }

    /// Sets a kernel parameter, given as its path below /proc/sys.
    pub fn sysctl(&self, path: &str, value: &str) -> Result<()> {
        let file = Path::new("/proc/sys").join(path);
        self.enter(|| fs::write(&file, value))
            .with_context(|| format!("set {path}"))
    }

    /// Writes the machine's own /etc/resolv.conf.
    pub fn set_resolver(&self, server: &str) -> Result<()> {
        fs::write(self.resolver_file(), format!("nameserver {server}\n"))
            .context("write resolv.conf")
    }

    /// Writes the machine's own /etc/hosts, which then knows this name alone. Programs that run see the change.
    pub fn set_host(&self, name: &str, address: IpAddr) -> Result<()> {
        self.set_host_at(name, &[address])
    }

    /// The same with all the addresses that the name has.
    pub fn set_host_at(&self, name: &str, addresses: &[IpAddr]) -> Result<()> {
        let file = Path::new("/etc/netns").join(&self.namespace).join("hosts");
        let lines = addresses
            .iter()
            .map(|address| format!("{address} {name}\n"));
        fs::write(file, lines.collect::<String>()).context("write the hosts file")
    }

    /// What the machine's /etc/resolv.conf says now.
    pub fn resolver(&self) -> Result<String> {
        fs::read_to_string(self.resolver_file()).context("read resolv.conf")
    }

    fn resolver_file(&self) -> PathBuf {
        Path::new("/etc/netns")
            .join(&self.namespace)
            .join("resolv.conf")
    }

    /// The default routes, as `ip` prints them.
    pub fn default_routes(&self) -> Result<String> {
        Ok(self.ip_shows("-4 route show default")? + &self.ip_shows("-6 route show default")?)
    }

    /// The interface's global IPv4 address, when it has one.
    pub fn ipv4(&self, interface: &str) -> Option<IpAddr> {
        self.address(&format!("-4 -o addr show dev {interface} scope global"))
    }

    /// The interface's IPv6 link-local address, when it has one.
    pub fn ipv6_link_local(&self, interface: &str) -> Option<IpAddr> {
        self.address(&format!("-6 -o addr show dev {interface} scope link"))
    }

    fn address(&self, query: &str) -> Option<IpAddr> {
        let shown = self.ip_shows(query).ok()?;
        let mut words = shown
            .split_whitespace()
            .skip_while(|word| !word.starts_with("inet"));
        words.nth(1)?.split('/').next()?.parse().ok()
    }

    /// The interface's hardware address.
    pub fn mac(&self, interface: &str) -> Result<[u8; 6]> {
        let shown = self.ip_shows(&format!("-o link show dev {interface}"))?;
        let word = shown
            .split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1);
        let bytes: Option<Vec<u8>> = word.and_then(|word| {
            word.split(':')
                .map(|byte| u8::from_str_radix(byte, 16).ok())
                .collect()
        });
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .with_context(|| format!("no hardware address in `{shown}`"))
    }

    /// The command lines of everything that runs on the machine.
    pub fn programs(&self) -> Result<Vec<String>> {
        let pids = run_ip(&["netns", "pids", &self.namespace])?;
        let command_line = |pid: &str| fs::read(Path::new("/proc").join(pid).join("cmdline")).ok();
        let lines = pids
            .lines()
            .filter_map(command_line)
            .filter(|line| !line.is_empty());
        Ok(lines
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect())
    }

    /// The interface's MTU.
    pub fn mtu(&self, interface: &str) -> Result<usize> {
        let shown = self.ip_shows(&format!("-o link show dev {interface}"))?;
        let word = shown
            .split_whitespace()
            .skip_while(|word| *word != "mtu")
            .nth(1);
        word.and_then(|word| word.parse().ok())
            .with_context(|| format!("no MTU in `{shown}`"))
    }

    /// Whether the machine has this interface.
    pub fn has_interface(&self, interface: &str) -> bool {
        self.ip_shows(&format!("link show dev {interface}")).is_ok()
    }

    /// Turns offloads off, so that frames look here as they look on a real wire.
    pub fn without_offloads(&self, interface: &str) -> Result<()> {
        let off = [
            "tso", "off", "gso", "off", "gro", "off", "tx", "off", "sg", "off",
        ];
        let mut command = vec!["ethtool", "-K", interface];
        command.extend(off);
        self.run(command).map(drop)
    }

    /// Fails unless three pings of `size` payload bytes are answered; whole means: do not fragment.
    pub fn pings(&self, target: IpAddr, size: usize) -> Result<()> {
        self.ping_target(&target.to_string(), size)
    }

    /// As [`pings`](Self::pings), for a target with a scope such as `fe80::1%eth0`.
    ///
    /// For the last answer `ping` waits as long as the interval, once there was one before, and not what `-W` says. So what is lost
    /// on a machine without time is tried again: there it is late.
    pub fn ping_target(&self, target: &str, size: usize) -> Result<()> {
        let size = size.to_string();
        let mut left = PING_ATTEMPTS;
        loop {
            left -= 1;
            let spare = Spare::now()?;
            let shown = self.output([
                "ping", "-n", "-M", "do", "-c", "3", "-i", "0.25", "-W", "2", "-s", &size, target,
            ])?;
            let [shown, said] =
                [&shown.stdout, &shown.stderr].map(|text| String::from_utf8_lossy(text));
            ensure!(
                !shown.contains("DUP!"),
                "pings were answered twice:\n{shown}"
            );
            if shown.contains(" 0% packet loss") {
                return Ok(());
            }
            let had_time = spare.was_more_than(TO_SPARE)?;
            ensure!(left > 0 && !had_time, "pings got lost:\n{shown}{said}");
        }
    }

    /// Fails unless a ping out of this interface, whatever the routes say, is answered.
    pub fn ping_on(&self, interface: &str, target: IpAddr) -> Result<()> {
        self.run([
            "ping",
            "-n",
            "-c",
            "1",
            "-W",
            "1",
            "-I",
            interface,
            &target.to_string(),
        ])
        .map(drop)
    }

    /// The round trip times of `count` pings, so many a second, in order of length.
    pub fn round_trips(
        &self,
        target: IpAddr,
        count: u32,
        per_second: f64,
    ) -> Result<Vec<Duration>> {
        let (count, interval) = (count.to_string(), (1.0 / per_second).to_string());
        let shown = self.run([
            "ping",
            "-n",
            "-c",
            &count,
            "-i",
            &interval,
            "-W",
            "2",
            &target.to_string(),
        ])?;
        let time = |line: &str| {
            line.split("time=")
                .nth(1)?
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        };
        let mut times: Vec<_> = shown
            .lines()
            .filter_map(time)
            .map(|ms| Duration::from_secs_f64(ms / 1e3))
            .collect();
        times.sort();
        Ok(times)
    }

    /// One counter of the machine's IP stack by its `nstat` name, such as `UdpInCsumErrors`, since boot of the machine.
    pub fn counter(&self, name: &str) -> Result<u64> {
        let shown = self.run(["nstat", "-asz", name])?;
        let line = shown
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        let value = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|value| value.parse().ok());
        value.with_context(|| format!("no counter {name} in:\n{shown}"))
    }
}

//! How a machine's network is set up, to be compared with how it was.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::Machine;

/// What a program may have changed: addresses, routes of every table, rules, settings, who is asked for names, and what
/// network managers are told. Lifetimes that run out by themselves are left out.
const SHOW: &str = "
ip -o addr show | sed 's/ *valid_lft.*//; s/ tentative//'
ip route show table all
ip -6 route show table all | sed 's/ expires [0-9]*sec//'
ip rule
ip -6 rule
grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv6/conf/*/* 2>/dev/null
grep -H . /etc/resolv.conf
for folder in /run/systemd/network /run/NetworkManager/conf.d /run/resolvconf/interface; do
    [ ! -d $folder ] || find $folder -type f -exec grep -H . {} +
done
true
";

/// A machine's network at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    /// Looks at a machine.
    pub fn of(machine: &Machine) -> Result<Self> {
        let shown = machine.run(["sh", "-c", SHOW])?;
        let lines = shown.lines().map(|line| line.trim_end().to_owned());
        Ok(Self(lines.collect()))
    }

    /// Fails unless the machine is now as it was then, and says what differs.
    pub fn ensure_now(&self, machine: &Machine) -> Result<()> {
        self.ensure_now_but_for(machine, |_| false)
    }

    /// The same, but that some lines may be new.
    pub fn ensure_now_but_for(
        &self,
        machine: &Machine,
        may_be_new: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let now = Self::of(machine)?;
        let gone: Vec<_> = self.0.difference(&now.0).collect();
        let new = now.0.difference(&self.0);
        let new: Vec<_> = new.filter(|line| !may_be_new(line)).collect();
        ensure!(
            gone.is_empty() && new.is_empty(),
            "on {}: gone {gone:#?}, new {new:#?}",
            machine.name()
        );
        Ok(())
    }
}

//! A lease that is only for games (spec R130): whatever manages the network on a player's machine takes all that a lease has,
//! and the player's internet stays where it was.
//!
//! The LAN's server and router say everything that a host may believe. Each manager is the distribution's own, set to take
//! all of it, and has a file system of its own to write its results into.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests look at files of programs that run"
)]

use std::fs;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Addressing, Check, Machine, Needs, Party, Player, Process, Suite, World, checks, eventually,
    pass, program, run,
};

/// A manager starts, asks, probes what it got, and writes files; a busy machine gets the rest.
const LEASED: Duration = Duration::from_secs(40);
/// What a manager does with a lease it does at once, after the address. The LAN's router speaks every three seconds.
const TAKES_ALL: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(10);

/// What only the LAN has: it would stand in some file, had a manager heard of it.
const LANS_OWN: [&str; 4] = ["192.168.50.1", "192.168.50.254", "fd00:50::1", "evil.test"];

/// The LAN's server says all that a host may believe, over IPv4 and IPv6.
const EVERYTHING: &[&str] = &[
    "--dhcp-option-force=3,192.168.50.254",
    "--dhcp-option-force=6,192.168.50.1",
    "--dhcp-option-force=15,evil.test",
    "--dhcp-option-force=26,1400",
    "--dhcp-option-force=33,8.8.8.8,192.168.50.254",
    "--dhcp-option-force=42,192.168.50.1",
    "--dhcp-option-force=119,evil.test",
    "--dhcp-option-force=121,0.0.0.0/1,192.168.50.254,128.0.0.0/1,192.168.50.254",
    "--dhcp-option-force=249,0.0.0.0/0,192.168.50.254",
    "--dhcp-option-force=252,http://192.168.50.1/wpad.dat",
    "--enable-ra",
    "--ra-param=eth0,high,3,1800",
    "--dhcp-range=fd00:50::100,fd00:50::1ff,64,1h",
    "--dhcp-option=option6:dns-server,[fd00:50::1]",
    "--dhcp-option=option6:domain-search,evil.test",
    "--dhcp-option=option6:ntp-server,[fd00:50::1]",
];

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "/lib/systemd/systemd-networkd",
        "NetworkManager",
        "dbus-daemon",
        "dhclient",
        "dhcpcd",
        "dnsmasq",
        "udhcpc",
        "unshare",
    ]);
    run(&needs, [Suite::new("leases", Evening::begin, managers())])
}

fn managers() -> Vec<Check<Evening>> {
    checks![
        dhclient_gets_an_address_and_nothing_else,
        udhcpc_gets_an_address_and_nothing_else,
        dhcpcd_gets_an_address_and_nothing_else,
        networkd_gets_an_address_and_nothing_else,
        network_manager_gets_an_address_and_nothing_else,
    ]
}

/// A party whose LAN says everything: the first player's lease is only for games, the second one wants all of it.
struct Evening {
    whole: Process,
    lan: Process,
    party: Party,
}

impl World for Evening {
    fn report(&self) -> String {
        let tails = [&self.lan, &self.whole].map(|program| program.tail(15));
        self.party.report() + &tails.join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let builder = Party::builder().players(1).strangers(1);
        let party = builder.addressing(Addressing::None).start()?;
        for machine in &party.venue.remotes {
            machine.set_resolver("10.9.0.53")?;
            // As on a desktop, where a route of no metric goes before it.
            let route = machine.ip_shows("-4 route show default")?;
            machine.ip(&format!("route del {route}"))?;
            machine.ip(&format!("route add {route} metric 600"))?;
        }
        let mut command = program("lanparty-client")?;
        command.extend(party.join_flags());
        let own = [
            "--identity",
            "whole.json",
            "--tap",
            Player::TAP,
            "--no-dhcp",
            "--full-lease",
        ];
        command.extend(own.map(Into::into));
        let whole = party.venue.remotes[1].spawn("client", command)?;
        whole.wait_for_line("Connected to the LAN", SOON)?;
        let lan = say_everything(&party)?;
        Ok(Evening { whole, lan, party })
    }

    fn players(&self) -> [&Machine; 2] {
        let [games_only, whole] = &self.party.venue.remotes[..] else {
            unreachable!("two machines far away")
        };
        [games_only, whole]
    }
}

/// In the place of the LAN's usual server.
fn say_everything(party: &Party) -> Result<Process> {
    let router = &party.venue.router;
    party.venue.dhcp.kill()?;
    router.ip("addr add fd00:50::1/64 dev eth0 nodad")?;
    let mut command: Vec<&str> = "dnsmasq --keep-in-foreground --log-facility=- --log-dhcp --conf-file=/dev/null \
        --no-resolv --no-hosts --no-ping --user=root --pid-file= --dhcp-leasefile=everything.leases \
        --dhcp-authoritative --interface=eth0 --dhcp-range=192.168.50.100,192.168.50.199,255.255.255.0,1h"
        .split_whitespace()
        .collect();
    command.extend(EVERYTHING);
    let server = router.spawn("everything", command)?;
    server.wait_for_line("started", SOON)?;
    Ok(server)
}

/// Something that manages a player's network, and what it leaves behind when it has taken a lease.
struct Manager {
    name: &'static str,
    /// What starts it, where every file below /etc, /run and /var/lib is its own.
    script: &'static str,
    /// Files that have what it knows of DNS and clocks.
    files: &'static [&'static str],
    /// It writes the resolver's file anew even when a lease has none.
    empties_resolver: bool,
}

const DHCLIENT: Manager = Manager {
    name: "dhclient",
    script: r#"
cat > /etc/dhclient.conf <<'END'
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
option microsoft code 249 = array of unsigned integer 8;
option wpad code 252 = text;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name,
  interface-mtu, static-routes, ntp-servers, rfc3442-classless-static-routes, microsoft, wpad, dhcp6.name-servers, dhcp6.domain-search;
END
dhclient -6 -nw -cf /etc/dhclient.conf -lf /var/lib/6.leases -pf /run/6.pid lanparty0
exec dhclient -4 -d -cf /etc/dhclient.conf -lf /var/lib/4.leases -pf /run/4.pid lanparty0"#,
    files: &["etc/resolv.conf", "var/lib/4.leases", "var/lib/6.leases"],
    empties_resolver: false,
};

const UDHCPC: Manager = Manager {
    name: "udhcpc",
    script: "exec udhcpc -f -i lanparty0 -O mtu -O ntpsrv -O routes -O staticroutes -O msstaticroutes -O wpad -O search \
             -s /etc/udhcpc/default.script",
    files: &["etc/resolv.conf"],
    empties_resolver: true,
};

const DHCPCD: Manager = Manager {
    name: "dhcpcd",
    script: r#"
cat > /etc/dhcpcd.conf <<'END'
nodev
option domain_name_servers,domain_name,domain_search,host_name,ntp_servers
option classless_static_routes,ms_classless_static_routes,static_routes,routers,interface_mtu
option dhcp6_name_servers,dhcp6_domain_search
interface lanparty0
ipv6rs
ia_na 1
interface wan0
static ip_address=HOME
static domain_name_servers=10.9.0.53
nogateway
noipv6
END
sed -i "s|HOME|$(ip -4 -o addr show dev wan0 | awk '{ print $4 }')|" /etc/dhcpcd.conf
mkdir -p /run/dhcpcd /var/lib/dhcpcd
exec dhcpcd -B -d -f /etc/dhcpcd.conf wan0 lanparty0"#,
    files: &["etc/resolv.conf"],
    empties_resolver: false,
};

const NETWORKD: Manager = Manager {
    name: "networkd",
    script: r#"
mkdir -p /run/systemd/netif/leases /run/systemd/netif/links /run/systemd/netif/lldp /etc/systemd/network
rm -f /etc/systemd/network/*
cat > /etc/systemd/network/party.network <<'END'
[Match]
Name=lanparty0
[Network]
DHCP=yes
IPv6AcceptRA=yes
[DHCPv4]
UseDNS=yes
UseNTP=yes
UseMTU=yes
UseDomains=yes
UseRoutes=yes
UseGateway=yes
UseTimezone=yes
[IPv6AcceptRA]
UseDomains=yes
UseDNS=yes
UseGateway=yes
UseRoutePrefix=yes
END
chown -R systemd-network /run/systemd/netif
exec /lib/systemd/systemd-networkd"#,
    files: &["etc/resolv.conf", "run/systemd/netif/state"],
    empties_resolver: false,
};

const NETWORK_MANAGER: Manager = Manager {
    name: "NetworkManager",
    script: r#"
mkdir -p /run/dbus /var/lib/dbus /var/lib/NetworkManager /run/NetworkManager /etc/NetworkManager/system-connections
dbus-uuidgen --ensure
dbus-daemon --system --fork --nopidfile
rm -f /etc/NetworkManager/conf.d/*
cat > /etc/NetworkManager/NetworkManager.conf <<'END'
[main]
plugins=keyfile
rc-manager=file
dns=default
[device]
match-device=interface-name:lanparty0
managed=1
END
cat > /etc/NetworkManager/system-connections/party.nmconnection <<'END'
[connection]
id=party
uuid=6d1a0f0e-4b0e-4c8e-9b58-5a1f0d0f6a01
type=tun
interface-name=lanparty0
[tun]
mode=2
pi=false
vnet-hdr=true
[ipv4]
method=auto
route-metric=50
[ipv6]
method=auto
END
cat > /etc/NetworkManager/system-connections/home.nmconnection <<'END'
[connection]
id=home
uuid=6d1a0f0e-4b0e-4c8e-9b58-5a1f0d0f6a02
type=ethernet
interface-name=wan0
[ipv4]
method=manual
address1=HOME,ROUTER
dns=10.9.0.53
route-metric=600
[ipv6]
method=ignore
END
sed -i "s|HOME|$(ip -4 -o addr show dev wan0 | awk '{ print $4 }')|; s|ROUTER|$(ip route show default | awk '{ print $3 }')|" \
  /etc/NetworkManager/system-connections/home.nmconnection
chmod 600 /etc/NetworkManager/system-connections/*
exec NetworkManager --no-daemon --log-level=INFO"#,
    files: &["etc/resolv.conf"],
    empties_resolver: false,
};

/// Files of its own, and a /sys by which it sees that there is no udev.
const OWN_FILES: &str = "set -e
mount -t tmpfs none /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mount -o remount,bind,ro /sys
";

fn dhclient_gets_an_address_and_nothing_else(evening: &Evening) -> Result<()> {
    evening.takes(&DHCLIENT)
}

fn udhcpc_gets_an_address_and_nothing_else(evening: &Evening) -> Result<()> {
    evening.takes(&UDHCPC)
}

fn dhcpcd_gets_an_address_and_nothing_else(evening: &Evening) -> Result<()> {
    evening.takes(&DHCPCD)
}

fn networkd_gets_an_address_and_nothing_else(evening: &Evening) -> Result<()> {
    evening.takes(&NETWORKD)
}

fn network_manager_gets_an_address_and_nothing_else(evening: &Evening) -> Result<()> {
    evening.takes(&NETWORK_MANAGER)
}

impl Evening {
    /// The first player keeps internet and names; the second one, who asked for it, gets all of the LAN's.
    fn takes(&self, manager: &Manager) -> Result<()> {
        let [games_only, whole] = self.players();
        let running = manager.start(games_only)?;
        let outcome = (|| {
            pass(TAKES_ALL);
            let own = games_only.default_routes()?;
            ensure!(
                own.contains("via 10.9."),
                "the player's own default route is gone: {own}"
            );
            let away = leads_away(games_only)?;
            ensure!(away.is_empty(), "into the LAN goes {away:?}");
            manager.has_nothing_of_the_lan(&running)
        })();
        outcome.with_context(|| running.tail(40))?;
        running.kill()?;
        forget(games_only)?;

        let running = manager.start(whole)?;
        let takes = || leads_away(whole).ok().filter(|routes| !routes.is_empty());
        let taken = eventually("the LAN's default route comes", SOON, takes);
        taken.with_context(|| running.tail(40))?;
        let knows = || manager.has_nothing_of_the_lan(&running).err();
        eventually("the LAN's names come", SOON, knows)?;
        running.kill()?;
        forget(whole)
    }
}

impl Manager {
    /// Starts it, and waits for the LAN's address.
    fn start(&self, machine: &Machine) -> Result<Process> {
        let script = [OWN_FILES, self.script].concat();
        let flags = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ];
        let command = flags.into_iter().chain(["sh", "-c", &script]);
        let running = machine.spawn(self.name, command)?;
        let has_one = || machine.ipv4(Player::TAP).filter(is_leased);
        let leased = eventually("an address comes", LEASED, has_one);
        leased.with_context(|| running.tail(60))?;
        Ok(running)
    }

    fn has_nothing_of_the_lan(&self, running: &Process) -> Result<()> {
        for file in self.files {
            let path = format!("/proc/{}/root/{file}", running.id());
            let text = fs::read_to_string(&path).with_context(|| format!("read {file}"))?;
            for own in LANS_OWN {
                let mut words = text.split(|c: char| c.is_whitespace() || "=;,\"".contains(c));
                // Whom it asks to renew it knows, of course.
                let is_server = text.contains("dhcp-server-identifier") && own == "192.168.50.1";
                ensure!(
                    is_server || !words.any(|word| word == own),
                    "{file} has {own}:\n{text}"
                );
            }
            let is_own = self.empties_resolver || text.contains("10.9.0.53");
            ensure!(
                is_own || !file.ends_with("resolv.conf"),
                "DNS is gone: {text}"
            );
        }
        Ok(())
    }
}

/// Routes that lead more than a LAN to the adapter.
fn leads_away(machine: &Machine) -> Result<Vec<String>> {
    let routes = machine.ip_shows("-4 route show table all dev lanparty0")?
        + &machine.ip_shows("-6 route show table all dev lanparty0")?;
    let wide = ["default", "0.0.0.0/1", "128.0.0.0/1", "8.8.8.8"];
    let leads = |route: &&str| wide.iter().any(|wide| route.starts_with(wide));
    Ok(routes.lines().filter(leads).map(str::to_owned).collect())
}

fn is_leased(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V4(ip) if ip.octets()[..3] == [192, 168, 50])
}

/// What a manager has left on the adapter, as the next one shall begin anew.
fn forget(machine: &Machine) -> Result<()> {
    machine.ip("addr flush dev lanparty0 scope global")?;
    for family in ["-4", "-6"] {
        // There may be none.
        let _ = machine.ip(&format!("{family} route del default dev lanparty0"));
    }
    Ok(())
}

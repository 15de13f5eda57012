//! Ports by what listens there: what a host is told of an attempt, and what no game opens.

use lanparty_proto::ip::{ICMPV4, ICMPV6, TCP, UDP};

/// Ports below this are services' (RFC 6335 §6), and no game of today's is among them.
const FIRST_OF_PROGRAMS: u16 = 1024;

/// What carries other packets, to where no judge looks: IP in IP, IPv6 in IPv4, GRE, ESP, EtherIP, encapsulations of old,
/// L2TP, MPLS.
pub(super) fn is_tunnel(protocol: u8) -> bool {
    matches!(protocol, 4 | 41 | 47 | 50 | 94 | 97 | 98 | 115 | 137)
}

/// True for what may go to everybody or to a group: finding, and not what a service would do as it is told.
pub(super) fn may_go_to_all(protocol: u8, ports: Option<(u16, u16)>) -> bool {
    match (protocol, ports) {
        (UDP, Some((_, to))) => finds(to) || !is_administration(UDP, to),
        (ICMPV4 | ICMPV6, _) => true,
        _ => false,
    }
}

/// The services that machines find each other by, and that do nothing else for who asks everybody.
fn finds(port: u16) -> bool {
    matches!(
        port,
        67 | 68     // DHCP
        | 137 | 138 // NetBIOS
        | 546 | 547 // DHCPv6
        | 1900      // SSDP
        | 3702      // WS-Discovery
        | 5353      // mDNS
        | 5355 // LLMNR
    )
}

/// UDP by which a device is set up or switched by whoever shares its wire, often by broadcast and without a password.
fn sets_devices_up(port: u16) -> bool {
    matches!(
        port,
        3671            // KNXnet/IP
        | 4800          // Moxa
        | 9997..=9999   // Synology Assistant; ASUS infosvr, Kasa
        | 20002         // Tapo
        | 20561         // MikroTik: MAC-Telnet, and WinBox by MAC
        | 29808..=29809 // TP-Link Easy Smart
        | 30718         // Lantronix
        | 37020         // Hikvision SADP
        | 37810         // Dahua
        | 38899         // WiZ
        | 41794         // Crestron
        | 47808         // BACnet
        | 48899         // HF-A11
        | 56700         // LIFX
        | 63321..=63324 // Netgear NSDP
    )
}

/// UDP that carries other packets: L2TP, OpenVPN, IPsec behind a NAT, GTP, Teredo, VXLAN, Geneve, WireGuard.
fn is_tunnels(port: u16) -> bool {
    matches!(
        port,
        1194 | 1701 | 2152 | 3544 | 4500 | 4789 | 6081 | 8472 | 51820
    )
}

/// True for ports that no announcement of a game opens, and that a network's name does not open on its router.
pub(super) fn is_administration(protocol: u8, port: u16) -> bool {
    port < FIRST_OF_PROGRAMS || is_of_programs(protocol, port)
}

/// The services among the ports of programs.
fn is_of_programs(protocol: u8, port: u16) -> bool {
    match protocol {
        TCP => matches!(
            port,
            1080 | 1433 | 1521 | 1723 | 1883 | 2049 | 2375..=2376 | 2379..=2380 | 3000 | 3128 | 3260 | 3306 | 3389 | 4786
            | 5000..=5001 | 5037 | 5351 | 5357..=5358 | 5432 | 5555 | 5601 | 5672 | 5800..=5809 | 5900..=5909 | 5938
            | 5985..=5986 | 6000..=6009 | 6379 | 6443 | 7547 | 8000..=8001 | 8006..=8010 | 8080..=8099 | 8123 | 8200 | 8291
            | 8443..=8444 | 8728..=8729 | 8834 | 8843 | 8880 | 8883 | 8888 | 9000..=9001 | 9090..=9091 | 9100..=9107
            | 9200 | 9300 | 9443 | 9999 | 10000 | 10250 | 11211 | 16992..=16995 | 27017 | 32400 | 49000
            | 49152..=49160 | 62078
        ),
        UDP if is_tunnels(port) || sets_devices_up(port) => true,
        UDP => matches!(
            port,
            1434 | 1812..=1813 | 1900 | 2049 | 3283 | 3389 | 3702 | 5351 | 5353 | 5355 | 5632 | 5683..=5684 | 10161 | 11211
        ),
        _ => true,
    }
}

/// What usually listens there, in words for a host.
pub(super) fn name(protocol: u8, port: u16) -> Option<&'static str> {
    Some(match (protocol, port) {
        (TCP, 20 | 21) => "FTP",
        (TCP, 22) => "SSH",
        (TCP, 23) => "Telnet",
        (TCP, 25 | 465 | 587) | (TCP, 110 | 143 | 993 | 995) => "mail",
        (TCP | UDP, 53) => "name server",
        (UDP, 69) => "TFTP",
        (TCP, 80 | 443 | 8000 | 8008 | 8080 | 8081 | 8088 | 8443 | 8888) => "router's or web page",
        (UDP, 443) => "web page",
        (TCP | UDP, 111) | (TCP | UDP, 2049) => "file shares (NFS)",
        (UDP, 123) => "clock",
        (TCP, 135 | 593) => "Windows administration (RPC)",
        (TCP | UDP, 137..=139) | (TCP, 445) => "file shares",
        (UDP, 161 | 162) => "device administration (SNMP)",
        (TCP, 389 | 636) => "directory (LDAP)",
        (TCP, 515 | 631 | 9100..=9107) => "printer",
        (TCP, 548) => "file shares (Apple)",
        (TCP, 873) => "backups (rsync)",
        (TCP, 1433 | 1521 | 3306 | 5432 | 6379 | 27017) => "database",
        (TCP, 1883 | 8883) => "home automation (MQTT)",
        (UDP, 1900) | (TCP, 49000) | (UDP, 5351) => "router's control (UPnP)",
        (TCP, 2375 | 2376) => "Docker",
        (TCP, 3260) => "disks (iSCSI)",
        (TCP | UDP, 3389) => "remote desktop",
        (UDP, 3702) | (TCP, 5357 | 5358) => "Windows devices",
        (TCP, 5000 | 5001) => "NAS's page",
        (UDP, 5353 | 5355) => "names of machines",
        (TCP, 5800..=5809 | 5900..=5909) => "remote desktop (VNC)",
        (TCP, 5938) => "remote desktop (TeamViewer)",
        (TCP, 5985 | 5986) => "Windows administration (WinRM)",
        (TCP, 8006) => "Proxmox's page",
        (TCP, 8123) => "Home Assistant's page",
        (TCP, 8291 | 8728 | 8729) | (UDP, 20561) => "router's control (MikroTik)",
        (UDP, port) if is_tunnels(port) => "tunnel",
        (UDP, port) if sets_devices_up(port) => "device administration",
        (TCP, 9090 | 10000) => "machine's administration page",
        (TCP, 32400) => "Plex",
        _ => return None,
    })
}

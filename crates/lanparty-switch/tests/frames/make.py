#!/usr/bin/python3
"""Makes the captures beside it: frames of real programs, and with scapy those that none here sends.

Needs root, tcpdump, dnsmasq, isc-dhcp-client, avahi-daemon, lldpd, wpasupplicant and python3-scapy.
Everything happens in two network namespaces of its own, which are removed at the end:

    player [p0] ---- [lan0] br0 of a LAN with dnsmasq, DHCP, DHCPv6 and router advertisements

The captures are committed; run this again only to add one. `real_frames.rs` says what is expected of
each file.
"""

import contextlib
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import *  # noqa: E402,F403
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.contrib.lacp import LACP, SlowProtocol  # noqa: E402

HERE = pathlib.Path(__file__).parent
PLAYER, LAN = "softlan-player", "softlan-lan"
OWN, HOST, ROUTER = "02:00:00:00:00:01", "00:16:3e:00:00:09", "00:16:3e:00:00:01"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # for programs that drop root
    try:
        write_crafted()
        with contextlib.ExitStack() as undo:
            build(undo)
            write_captured(capture(folder, undo))
    finally:
        shutil.rmtree(folder)


# ---- Captured ----------------------------------------------------------------------------------


def run(namespace, command, check=True):
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command.split()], check=check, stdout=subprocess.DEVNULL
    )


def build(undo):
    for namespace in (PLAYER, LAN):
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        undo.callback(subprocess.run, ["ip", "netns", "del", namespace])
        run(namespace, "ip link set lo up")
    run(PLAYER, f"ip link add p0 address {OWN} type veth peer name lan0 netns {LAN}")
    run(LAN, f"ip link add br0 address {ROUTER} type bridge")
    run(LAN, "ip link set lan0 master br0")
    run(LAN, "ip address add 192.168.77.1/24 dev br0")
    run(LAN, "ip -6 address add fd77::1/64 dev br0 nodad")
    for namespace, link in ((PLAYER, "p0"), (LAN, "lan0"), (LAN, "br0")):
        # Frames as a wire has them: whole checksums, no super-frames.
        run(namespace, f"ethtool -K {link} tx off gso off tso off gro off", check=False)
    run(LAN, "ip link set lan0 up")
    run(LAN, "ip link set br0 up")


def start(undo, namespace, command):
    """Runs a program until the end; some tell everybody the name of their machine, so it gets another."""
    command = f"hostname {namespace}; exec {command}"
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, "unshare", "--uts", "sh", "-c", command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop():
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    undo.callback(stop)
    return process


def capture(folder, undo):
    wire = folder / "wire.pcap"
    start(undo, LAN, f"tcpdump --immediate-mode -U -Z root -i lan0 -w {wire}")
    start(
        undo,
        LAN,
        "dnsmasq --no-daemon --conf-file=/dev/null --port=0 --interface=br0 --bind-interfaces --enable-ra"
        " --dhcp-range=192.168.77.10,192.168.77.99,1h --dhcp-range=fd77::10,fd77::99,64,1h"
        f" --dhcp-leasefile={folder}/leases --ra-param=br0,4,60 --dhcp-option=option:router,192.168.77.1",
    )
    time.sleep(2)
    run(PLAYER, "ip link set p0 up")
    time.sleep(6)
    for family in ("-4", "-6"):
        run(
            PLAYER,
            f"timeout 20 dhclient {family} -1 -sf /bin/true -lf {folder}/lease{family} -pf {folder}/pid{family} p0",
            check=False,
        )
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / f"pid{family}").read_text()), signal.SIGTERM)
    talk()
    announce(folder, undo)
    time.sleep(6)
    return [frame for frame in rdpcap(str(wire))]


def talk():
    """ARP, neighbour discovery, ping whole and in fragments, TCP, multicast joins."""
    run(PLAYER, "ip address add 192.168.77.50/24 dev p0")
    run(PLAYER, "ip -6 address add fd77::50/64 dev p0 nodad")
    time.sleep(2)
    for address in ("192.168.77.1", "fd77::1"):
        run(PLAYER, f"ping -c 2 -i 0.3 {address}", check=False)
        run(PLAYER, f"ping -c 1 -s 3000 {address}", check=False)
        for flags in ("-U", "-D"):
            run(PLAYER, f"arping {flags} -c 1 -I p0 192.168.77.50", check=False)
    server = "import socket; s = socket.create_server(('::', 7777), family=socket.AF_INET6, dualstack_ipv6=True)\n"
    server += "for _ in range(2):\n    c, _ = s.accept(); c.sendall(b'x' * 4000); c.close()\n"
    listening = subprocess.Popen(["ip", "netns", "exec", LAN, "/usr/bin/python3", "-c", server])
    time.sleep(1)
    client = "import socket, sys; c = socket.create_connection((sys.argv[1], 7777)); c.recv(9000)"
    for address in ("192.168.77.1", "fd77::1"):
        subprocess.run(["ip", "netns", "exec", PLAYER, "/usr/bin/python3", "-c", client, address], check=True)
    listening.wait(10)
    join = (
        "import socket, struct, time\n"
        "a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "a.setsockopt(0, 35, socket.inet_aton('239.1.2.3') + socket.inet_aton('192.168.77.50'))\n"
        "b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "i = socket.if_nametoindex('p0')\n"
        "b.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, 'ff15::123') + struct.pack('i', i))\n"
        "time.sleep(3)\n"
    )
    subprocess.run(["ip", "netns", "exec", PLAYER, "/usr/bin/python3", "-c", join], check=True)


def announce(folder, undo):
    """What switches and desktops say unasked: mDNS, LLDP and CDP, EAPOL, spanning tree."""
    avahi = folder / "avahi.conf"
    avahi.write_text("[server]\nuse-ipv4=yes\nuse-ipv6=yes\nallow-interfaces=p0\nenable-dbus=no\n")
    start(undo, PLAYER, f"avahi-daemon --no-chroot --no-drop-root --no-rlimits -f {avahi}")
    start(undo, LAN, f"lldpd -d -c -k -S switch -P switch -I lan0 -u {folder}/lldpd.socket")
    start(undo, PLAYER, f"lldpd -d -c -c -k -S switch -P switch -I p0 -u {folder}/lldpd-player.socket")
    supplicant = folder / "wpa.conf"
    supplicant.write_text(
        'ap_scan=0\nnetwork={\n key_mgmt=IEEE8021X\n eap=MD5\n identity="a"\n password="b"\n eapol_flags=0\n}\n'
    )
    start(undo, PLAYER, f"wpa_supplicant -D wired -i p0 -c {supplicant}")
    run(LAN, "ip link set br0 type bridge stp_state 1 hello_time 100")
    time.sleep(8)


def write_captured(frames):
    chosen = {
        "dhclient": lambda f: UDP in f and IP in f and f[UDP].dport == 67,
        "dnsmasq-dhcp": lambda f: UDP in f and IP in f and f[UDP].sport == 67,
        "dhclient-v6": lambda f: UDP in f and IPv6 in f and f[UDP].dport == 547,
        "dnsmasq-dhcpv6": lambda f: UDP in f and IPv6 in f and f[UDP].sport == 547,
        "dnsmasq-ra": lambda f: ICMPv6ND_RA in f,
        "linux-rs": lambda f: ICMPv6ND_RS in f,
        "linux-nd": lambda f: ICMPv6ND_NS in f or ICMPv6ND_NA in f,
        "linux-arp": lambda f: ARP in f,
        "ping": lambda f: is_ping(f) and not is_fragment(f),
        "ping-fragments": is_fragment,
        "linux-tcp": lambda f: TCP in f and IP in f,
        "linux-tcp-v6": lambda f: TCP in f and IPv6 in f,
        "linux-igmp": lambda f: IP in f and f[IP].proto == 2,
        "linux-mld": lambda f: ICMPv6MLReport2 in f,
        "avahi": lambda f: UDP in f and f[UDP].dport == 5353,
        "lldpd-lldp": lambda f: f.type == 0x88CC if Ether in f else False,
        "lldpd-cdp": lambda f: f.dst == "01:00:0c:cc:cc:cc",
        "wpa-supplicant-eapol": lambda f: Ether in f and f.type == 0x888E,
        "linux-stp": lambda f: f.dst == "01:80:c2:00:00:00" and Dot3 in f,
    }
    for name, wanted in chosen.items():
        found = [frame for frame in frames if wanted(frame)][:12]
        print(f"{name}: {len(found)}")
        if found:
            wrpcap(str(HERE / f"{name}.pcap"), found)


def is_ping(frame):
    return ICMP in frame or ICMPv6EchoRequest in frame or ICMPv6EchoReply in frame


def is_fragment(frame):
    in_v4 = IP in frame and (frame[IP].flags.MF or frame[IP].frag > 0)
    return bool(in_v4 or IPv6ExtHdrFragment in frame)


# ---- Crafted -----------------------------------------------------------------------------------


def write(name, *frames):
    raw = [bytes(frame) for frame in frames]
    wrpcap(str(HERE / f"{name}.pcap"), [Ether(frame) for frame in raw], linktype=1)


def write_crafted():
    ether = Ether(src=OWN, dst="ff:ff:ff:ff:ff:ff")
    to_all = Ether(src=OWN, dst=ALL_NODES_MAC)
    v6 = IPv6(src="fe80::1", dst=ALL_NODES, hlim=255)
    offer = UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr="192.168.77.66") / DHCP(
        options=[("message-type", "offer"), ("router", "192.168.77.66"), "end"]
    )
    answer = UDP(sport=547, dport=546) / DHCP6_Reply() / DHCP6OptDNSServers(dnsservers=["fd77::66"])
    advert = ICMPv6ND_RA() / ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64)
    ip = IP(src="192.168.77.66", dst="255.255.255.255")

    write("scapy-rogue-dhcp", ether / ip / offer, snap(OWN, "ff:ff:ff:ff:ff:ff", 0x0800, ip / offer),
          ether / IP(src="192.168.77.66", dst="255.255.255.255") / AH(nh=17, payloadlen=4, icv=b"\0" * 12) / offer,
          ether / IP(src="192.168.77.66", dst="255.255.255.255", options=[IPOption_Router_Alert()]) / offer,
          *[ether / part for part in fragment(ip / offer, 128)[:1]])
    write("scapy-rogue-dhcpv6", to_all / v6 / answer, to_all / v6 / IPv6ExtHdrDestOpt() / answer,
          to_all / v6 / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / IPv6ExtHdrDestOpt() / answer)
    write("scapy-rogue-ra", to_all / v6 / advert, to_all / v6 / IPv6ExtHdrDestOpt() / advert,
          to_all / v6 / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / advert,
          to_all / v6 / IPv6ExtHdrFragment(id=7) / advert,
          to_all / v6 / IPv6ExtHdrRouting(addresses=[]) / advert,
          snap(OWN, ALL_NODES_MAC, 0x86DD, v6 / advert))
    hidden = v6 / IPv6ExtHdrFragment(id=7) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 250)]) / advert
    first, _ = fragment6(hidden, 200)[:2]
    write("scapy-hidden-ra", to_all / first)
    write("scapy-redirect",
          to_all / v6 / ICMPv6ND_Redirect(tgt="fe80::66", dst="fd77::1"),
          Ether(src=OWN, dst=HOST) / IP(src="192.168.77.1", dst="192.168.77.9") / ICMP(type=5, code=1, gw="192.168.77.66")
          / IP(src="192.168.77.9", dst="8.8.8.8") / UDP())
    spoof = ARP(op=2, hwsrc=ROUTER, psrc="192.168.77.1", hwdst=HOST, pdst="192.168.77.9")
    write("scapy-arp-spoof", Ether(src=OWN, dst=HOST) / spoof, ether / spoof, snap(OWN, HOST, 0x0806, spoof))
    write("scapy-nd-spoof",
          to_all / v6 / ICMPv6ND_NA(tgt="fd77::1", R=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=ROUTER),
          to_all / v6 / ICMPv6ND_NS(tgt="fd77::9") / ICMPv6NDOptSrcLLAddr(lladdr=ROUTER))
    write("scapy-vlan",
          ether / Dot1Q(vlan=5) / IP(dst="192.168.77.1") / ICMP(),
          ether / Dot1AD(vlan=100) / Dot1Q(vlan=5) / ip / offer,
          ether / Dot1Q(vlan=1) / Dot1Q(vlan=5) / ip / offer)
    write("scapy-priority", ether / Dot1Q(vlan=0, prio=5) / ARP(hwsrc=OWN, psrc="192.168.77.50", pdst="192.168.77.1"))
    write("scapy-lacp", Ether(src=OWN, dst="01:80:c2:00:00:02") / SlowProtocol() / LACP(), Ether(src=OWN, dst=HOST) / SlowProtocol() / LACP())
    write("scapy-eapol", Ether(src=OWN, dst="01:80:c2:00:00:03") / EAPOL(type=1), Ether(src=OWN, dst=HOST) / EAPOL(type=0) / EAP(code=1, id=1, type=1))
    write("scapy-pause", Ether(src=OWN, dst="01:80:c2:00:00:01", type=0x8808) / bytes.fromhex("0001ffff"),
          Ether(src=OWN, dst=HOST, type=0x8808) / bytes.fromhex("0101000fffffffffffffffff"))
    write("scapy-stp", Dot3(src=OWN, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(),
          Dot3(src=OWN, dst=HOST) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP())
    write("scapy-pvst", Dot3(src=OWN, dst="01:00:0c:cc:cc:cd") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x0C, code=0x010B) / STP())
    write("scapy-ipx", *ipx())
    write("scapy-discovery",
          ether / IP(src="192.168.77.50", dst="255.255.255.255") / UDP(sport=27015, dport=27015) / (b"\xff\xff\xff\xffTSource Engine Query\0"),
          ether / IP(src="192.168.77.50", dst="192.168.77.255") / UDP(sport=137, dport=137) / NBNSHeader() / NBNSQueryRequest(QUESTION_NAME="LANPARTY"),
          Ether(src=OWN, dst="01:00:5e:7f:ff:fa") / IP(src="192.168.77.50", dst="239.255.255.250") / UDP(sport=1900, dport=1900) / b"M-SEARCH * HTTP/1.1\r\n\r\n",
          Ether(src=OWN, dst="33:33:00:01:00:03") / IPv6(src="fe80::1", dst="ff02::1:3") / UDP(sport=5355, dport=5355) / LLMNRQuery(qd=DNSQR(qname="player")))


def snap(source, destination, ether_type, payload):
    return Dot3(src=source, dst=destination) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=ether_type) / payload


def ipx():
    """IPX in each of its four framings, as DOS games sent it."""
    packet = bytes.fromhex("ffff00220011" + "00000000" + "ffffffffffff" + "4001" + "00000000" + "020000000001" + "4001") + b"game"
    broadcast = "ff:ff:ff:ff:ff:ff"
    head = bytes.fromhex("ffffffffffff020000000001")
    return [
        Ether(src=OWN, dst=broadcast, type=0x8137) / packet,
        head + len(packet).to_bytes(2, "big") + packet,
        head + (len(packet) + 3).to_bytes(2, "big") + bytes.fromhex("e0e003") + packet,
        head + (len(packet) + 8).to_bytes(2, "big") + bytes.fromhex("aaaa030000008137") + packet,
    ]


if __name__ == "__main__":
    sys.exit(main())

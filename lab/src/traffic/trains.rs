//! Trains of UDP datagrams: one call sends them, and somebody on the way cuts them (`UDP_SEGMENT`).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` and `VIRTIO_NET_HDR_GSO_UDP_L4` of linux/virtio_net.h.
const NEEDS_CSUM: u8 = 1;
const GSO_UDP_L4: u8 = 5;
const UDP: u8 = 17;

/// Has a socket send what it is given at once in datagrams of `size` bytes and a rest; `0` ends that.
pub fn cut_by(socket: &UdpSocket, size: u16) -> io::Result<()> {
    Ok(setsockopt(socket, UdpGsoSegment, &size.into())?)
}

/// From where to where datagrams go. Both addresses are of one family.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// From this hardware address.
    pub source: [u8; 6],
    /// To this hardware address.
    pub destination: [u8; 6],
    /// From this port.
    pub from: SocketAddr,
    /// To this port.
    pub to: SocketAddr,
}

/// A train as one frame, as a system hands it to a NIC that cuts it.
#[derive(Clone, Debug)]
pub struct Train {
    /// `struct virtio_net_hdr`
    pub header: [u8; 10],
    /// Everything else, the checksum not finished.
    pub frame: Vec<u8>,
}

impl Train {
    /// Datagrams of `size` bytes and a rest.
    pub fn new(ends: &Ends, size: u16, payload: &[u8]) -> Self {
        let udp_len = (8 + payload.len()) as u16;
        let (kind, ip, pseudo) = match (ends.from.ip(), ends.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let addresses = [from.octets(), to.octets()].concat();
                // A number that wraps within a train of three.
                let mut ip = vec![0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, UDP, 0, 0];
                ip[2..4].copy_from_slice(&(20 + udp_len).to_be_bytes());
                ip.extend(&addresses);
                let checksum = !sum(&ip);
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                (0x0800_u16, ip, addresses)
            }
            (from, to) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let addresses = [octets(from), octets(to)].concat();
                let mut ip = vec![0x60, 0, 0, 0];
                ip.extend(udp_len.to_be_bytes());
                ip.extend([UDP, 64]);
                ip.extend(&addresses);
                (0x86dd, ip, addresses)
            }
        };
        let pseudo = sum(&[&pseudo[..], &[0, UDP], &udp_len.to_be_bytes()].concat());
        let mut frame = [&ends.destination[..], &ends.source, &kind.to_be_bytes()].concat();
        frame.extend(ip);
        let start = frame.len() as u16;
        for field in [ends.from.port(), ends.to.port(), udp_len, pseudo] {
            frame.extend(field.to_be_bytes());
        }
        frame.extend(payload);
        let mut header = [0; 10];
        header[..2].copy_from_slice(&[NEEDS_CSUM, GSO_UDP_L4]);
        for (place, field) in [start + 8, size, start, 6].into_iter().enumerate() {
            header[2 + 2 * place..][..2].copy_from_slice(&field.to_ne_bytes());
        }
        Self { header, frame }
    }

    /// As a socket or an adapter with vnet headers takes it.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.frame].concat()
    }
}

/// The sum of an even number of bytes (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>();
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum + (sum >> 16)) as u16
}

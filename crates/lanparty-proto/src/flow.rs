//! Which conversation a frame belongs to: what queues keep apart and in order.

use crate::ip::{self, Part, Upper};

const ETHERNET_HEADER_LEN: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// A conversation in one direction. Frames of one [`Flow`] are to arrive in order; between flows
/// order means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// IPv4 packets between two ports, or two hosts where there are no ports to be seen.
    Ipv4 {
        /// Source and destination address, as in the header.
        addresses: [u8; 8],
        /// IANA protocol number.
        protocol: u8,
        /// Source and destination port; zero for fragments and protocols without.
        ports: [u8; 4],
    },
    /// IPv6 packets, likewise.
    Ipv6 {
        /// Source and destination address, as in the header.
        addresses: [u8; 32],
        /// IANA protocol number.
        protocol: u8,
        /// Source and destination port; zero for fragments and protocols without.
        ports: [u8; 4],
    },
    /// Anything else, between two MAC addresses.
    Other {
        /// Destination and source MAC address, as in the frame.
        addresses: [u8; 12],
        /// EtherType or length field.
        kind: [u8; 2],
    },
}

impl Flow {
    /// The flow of an Ethernet frame, which is at least a header long; `None` for a shorter one.
    pub fn of(frame: &[u8]) -> Option<Flow> {
        let (header, packet) = frame.split_first_chunk::<ETHERNET_HEADER_LEN>()?;
        let kind = [header[12], header[13]];
        Some(ip_flow(kind, packet).unwrap_or_else(|| {
            let mut addresses = [0; 12];
            addresses.copy_from_slice(&header[..12]);
            Flow::Other { addresses, kind }
        }))
    }
}

fn ip_flow(kind: [u8; 2], packet: &[u8]) -> Option<Flow> {
    match kind {
        IPV4 => {
            let upper = ip::ipv4(packet).ok()?;
            Some(Flow::Ipv4 {
                addresses: *packet.get(12..)?.first_chunk()?,
                protocol: upper.protocol,
                ports: ports(&upper, packet),
            })
        }
        IPV6 => {
            let upper = ip::ipv6(packet).ok()?;
            Some(Flow::Ipv6 {
                addresses: *packet.get(8..)?.first_chunk()?,
                protocol: upper.protocol,
                ports: ports(&upper, packet),
            })
        }
        _ => None,
    }
}

/// Fragments show their ports once or never, and must not overtake one another: without ports they
/// are one flow.
fn ports(upper: &Upper, packet: &[u8]) -> [u8; 4] {
    let header = match (upper.part, upper.protocol) {
        (Part::Whole, ip::TCP | ip::UDP) => packet.get(upper.range.clone()),
        _ => None,
    };
    header
        .and_then(|header| header.first_chunk())
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(fragment: u16, ports: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0xff; 12];
        frame.extend(IPV4);
        frame.extend([0x45, 0, 0, 28, 0, 0]);
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, ip::UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(ports);
        frame.extend([0, 8, 0, 0]);
        frame
    }

    #[test]
    fn ports_tell_flows_apart() {
        let game = Flow::of(&ipv4(0, [1, 2, 3, 4]));
        assert_eq!(
            game,
            Some(Flow::Ipv4 {
                addresses: [10, 0, 0, 1, 10, 0, 0, 2],
                protocol: ip::UDP,
                ports: [1, 2, 3, 4],
            })
        );
        assert_ne!(game, Flow::of(&ipv4(0, [1, 2, 3, 5])));
    }

    #[test]
    fn fragments_of_one_packet_stay_together() {
        let first = Flow::of(&ipv4(0x2000, [1, 2, 3, 4]));
        let later = Flow::of(&ipv4(0x0004, [9, 9, 9, 9]));
        assert_eq!(first, later);
    }

    #[test]
    fn whatever_is_not_ip_flows_between_two_macs() {
        let mut frame = ipv4(0, [0; 4]);
        frame[14] = 0x65;
        assert_eq!(
            Flow::of(&frame),
            Some(Flow::Other {
                addresses: [0xff; 12],
                kind: IPV4,
            })
        );
        assert_eq!(Flow::of(&frame[..13]), None);
    }
}

//! DHCP for IPv4 (RFC 2131, RFC 2132).

use lanparty_obs::DropReason;
use lanparty_proto::ip::Part;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::Ipv4Addr;
use std::time::Duration;

const UDP_HEADER_LEN: usize = 8;
const SERVER: u16 = 67;
const CLIENT: u16 = 68;
const BOOTREPLY: u8 = 2;

/// An address that a DHCP server gives to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The machine.
    pub(crate) mac: MacAddr,
    /// The address.
    pub(crate) address: Ipv4Addr,
    /// For how long.
    pub(crate) duration: Duration,
    /// The server that gives it, and the LAN's first router, as the server names them (RFC 2132 §9.7, §3.5).
    pub(crate) lan: [Option<Ipv4Addr>; 2],
}

/// Reads a datagram between these ports, with its UDP header: a server's answer, and the lease that it confirms, if it
/// does; nothing when it is no DHCP.
pub(crate) fn read(
    frame: EthernetFrame<'_>,
    ports: (u16, u16),
    datagram: &[u8],
    part: Part,
) -> Option<Result<Option<Lease>, DropReason>> {
    match (ports, datagram.get(UDP_HEADER_LEN)) {
        ((SERVER, CLIENT), _) if part == Part::Whole => {
            // To that machine or to everybody.
            let lease = acknowledged(&datagram[UDP_HEADER_LEN..])
                .filter(|lease| frame.destination() == lease.mac || frame.destination().is_group());
            Some(Ok(lease))
        }
        // From the server's port, to the client's, or a reply for a relay agent (RFC 2131 §4.1).
        ((SERVER, _) | (_, CLIENT), _) | ((_, SERVER), Some(&BOOTREPLY)) => {
            Some(Err(DropReason::DhcpServerReply))
        }
        // The operation may come in a second fragment.
        ((_, SERVER), None) => Some(Err(DropReason::HiddenUpperHeader)),
        _ => None,
    }
}

/// Reads a server's answer: fixed fields (RFC 2131 §2), then options (RFC 2132).
fn acknowledged(message: &[u8]) -> Option<Lease> {
    const BOOTREPLY_TO_ETHERNET: [u8; 3] = [BOOTREPLY, 1, 6];
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    const MESSAGE_TYPE: u8 = 53;
    const ACK: &[u8] = &[5];
    const LEASE_TIME: u8 = 51;
    const SERVER: u8 = 54;
    const ROUTERS: u8 = 3;
    let (fields, options) = message.split_first_chunk::<240>()?;
    let address = Ipv4Addr::from(*fields[16..].first_chunk()?);
    if fields[..3] != BOOTREPLY_TO_ETHERNET
        || fields[236..] != COOKIE
        || address.is_unspecified()
        || option(options, MESSAGE_TYPE) != Some(ACK)
    {
        return None;
    }
    let seconds = option(options, LEASE_TIME)?.try_into().ok()?;
    Some(Lease {
        mac: MacAddr::new(*fields[28..].first_chunk()?),
        address,
        duration: Duration::from_secs(u32::from_be_bytes(seconds).into()),
        lan: [SERVER, ROUTERS].map(|kind| {
            let address = option(options, kind)?.first_chunk::<4>()?;
            Some(Ipv4Addr::from(*address)).filter(|address| !address.is_unspecified())
        }),
    })
}

/// The first option of this kind (RFC 2132 §2).
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    const PAD: u8 = 0;
    const END: u8 = 255;
    loop {
        options = match *options {
            [PAD, ref rest @ ..] => rest,
            [END] | [END, ..] | [] | [_] => return None,
            [kind, len, ref rest @ ..] => {
                let (value, rest) = rest.split_at_checked(len.into())?;
                if kind == wanted {
                    return Some(value);
                }
                rest
            }
        };
    }
}

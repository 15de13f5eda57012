//! DHCP for IPv6 (RFC 8415): a player asks for itself, and the LAN's server gives.
//!
//! A client's identifier is its machine's, not its adapter's (RFC 8415 §11): what stands in it is the
//! MAC of any adapter that the machine once had. So it need not be the player's own, as in IPv4; but it
//! is nobody else's in the room.

use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ip::Part;
use std::net::Ipv6Addr;

const UDP_HEADER_LEN: usize = 8;
const CLIENT: u16 = 546;
const SERVER: u16 = 547;

const RELEASE: u8 = 8;
const DECLINE: u8 = 9;

const CLIENT_IDENTIFIER: u16 = 1;

/// What a client asks or tells a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    kind: u8,
    options: &'a [u8],
    /// Its lengths agree, so that a server reads what is read here.
    is_exact: bool,
}

/// True between ports of which one is DHCPv6's.
pub(crate) fn speaks((from, to): (u16, u16)) -> bool {
    from == SERVER || matches!(to, SERVER | CLIENT)
}

/// Reads a datagram between such ports, with its UDP header.
pub(crate) fn read(
    (from, to): (u16, u16),
    datagram: &[u8],
    part: Part,
) -> Result<Question<'_>, DropReason> {
    // From the server's port or to the client's (RFC 8415 §7.2).
    if from == SERVER || to == CLIENT {
        return Err(DropReason::Dhcpv6ServerReply);
    }
    match (part, &datagram[UDP_HEADER_LEN..]) {
        (Part::Whole, &[kind, _, _, _, ref options @ ..]) => Ok(Question {
            kind,
            options,
            is_exact: usize::from(u16::from_be_bytes([datagram[4], datagram[5]])) == datagram.len(),
        }),
        _ => Err(DropReason::HiddenUpperHeader),
    }
}

impl<'a> Question<'a> {
    /// What a client says itself, not through a relay agent, nor for IPv4 (RFC 7341).
    pub(crate) fn check_player(&self) -> Result<(), DropReason> {
        match self.kind {
            // SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, INFORMATION-REQUEST, ADDR-REG-INFORM (RFC 9686).
            1 | 3..=6 | RELEASE | DECLINE | 11 | 36 => {}
            // ADVERTISE, REPLY, RECONFIGURE, and what goes back to relay agents and IPv4's clients.
            2 | 7 | 10 | 13 | 21 => return Err(DropReason::Dhcpv6ServerReply),
            _ => return Err(DropReason::DhcpSpoof),
        }
        let is_clean = Options(self.options).all(|option| option.is_some());
        let identifiers = self.options(CLIENT_IDENTIFIER).count();
        match self.is_exact && is_clean && identifiers <= 1 {
            true => Ok(()),
            false => Err(DropReason::DhcpSpoof),
        }
    }

    /// A MAC that one of its machine's adapters once had, if it says so.
    pub(crate) fn machine(&self) -> Option<MacAddr> {
        mac_of_machine(self.options(CLIENT_IDENTIFIER).next()?)
    }

    /// The addresses that it does not want any more: released, or declined.
    pub(crate) fn gives_up(&self) -> impl Iterator<Item = Ipv6Addr> {
        const PERMANENT: u16 = 3;
        const TEMPORARY: u16 = 4;
        const ADDRESS: u16 = 5;
        let is_such = matches!(self.kind, RELEASE | DECLINE);
        let options = Options(if is_such { self.options } else { &[] }).flatten();
        let inner = options.flat_map(|(kind, value)| {
            let inner = match kind {
                PERMANENT => value.get(12..),
                TEMPORARY => value.get(4..),
                _ => None,
            };
            Options(inner.unwrap_or_default()).flatten()
        });
        inner
            .filter(|&(kind, _)| kind == ADDRESS)
            .filter_map(|(_, value)| value.first_chunk::<16>().copied().map(Ipv6Addr::from))
    }

    fn options(&self, wanted: u16) -> impl Iterator<Item = &'a [u8]> {
        let all = Options(self.options).flatten();
        all.filter_map(move |(kind, value)| (kind == wanted).then_some(value))
    }
}

/// The MAC in a machine's identifier of the two kinds that have one (RFC 8415 §11.2, §11.4).
pub(crate) fn mac_of_machine(duid: &[u8]) -> Option<MacAddr> {
    match duid {
        [0, 1, 0, 1, _, _, _, _, mac @ ..] | [0, 3, 0, 1, mac @ ..] => {
            mac.try_into().ok().map(MacAddr::new)
        }
        _ => None,
    }
}

/// From option to option: its number and value, or nothing when it is cut short.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Option<(u16, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.0);
        let Some((&[k0, k1, l0, l1], rest)) = rest.split_first_chunk::<4>() else {
            return (!rest.is_empty()).then_some(None);
        };
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let Some((value, rest)) = rest.split_at_checked(len) else {
            return Some(None);
        };
        self.0 = rest;
        Some(Some((u16::from_be_bytes([k0, k1]), value)))
    }
}

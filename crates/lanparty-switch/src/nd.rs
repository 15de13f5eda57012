//! Neighbour discovery (RFC 4861): a player may ask and answer for itself.

use crate::claim::Claim;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ip::Part;
use std::net::Ipv6Addr;

const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// A solicitation or an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    address: Ipv6Addr,
    options: &'a [u8],
}

/// Reads an ICMPv6 message of at least eight bytes, from this source; nothing when it is another kind.
pub(crate) fn read(
    message: &[u8],
    source: Ipv6Addr,
    part: Part,
) -> Option<Result<Message<'_>, DropReason>> {
    let options_at = match message[0] {
        ROUTER_SOLICITATION => 8,
        NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT => 24,
        _ => return None,
    };
    // Never in a fragment (RFC 6980).
    if part != Part::Whole {
        return Some(Err(DropReason::HiddenUpperHeader));
    }
    let Some((fields, options)) = message.split_at_checked(options_at) else {
        return Some(Err(DropReason::ArpSpoof));
    };
    let target = fields.get(8..).and_then(<[u8]>::first_chunk::<16>);
    Some(Ok(Message {
        address: match (fields[0], target) {
            (NEIGHBOUR_ADVERTISEMENT, Some(&target)) => target.into(),
            _ => source,
        },
        options,
    }))
}

impl Message<'_> {
    /// Checks that the options name no link-layer address but the player's own (RFC 4861 §4.6).
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        const SOURCE: u8 = 1;
        const TARGET: u8 = 2;
        let mut options = self.options;
        while let [kind, eighths, ..] = *options {
            let len = usize::from(eighths) * 8;
            if len == 0 || len > options.len() {
                return Err(DropReason::ArpSpoof);
            }
            let (option, rest) = options.split_at(len);
            if matches!(kind, SOURCE | TARGET) && option[2..] != own.octets() {
                return Err(DropReason::ArpSpoof);
            }
            options = rest;
        }
        // One byte left over is no option.
        match options.is_empty() {
            true => Ok(()),
            false => Err(DropReason::ArpSpoof),
        }
    }

    /// The target of an advertisement and the source of a solicitation (RFC 4861 §7.2).
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            address: self.address.into(),
        }
    }
}

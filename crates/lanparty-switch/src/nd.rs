//! Neighbour discovery (RFC 4861): a player may ask and answer for itself.

use crate::claim::Claim;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ip::Part;
use std::net::Ipv6Addr;

const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

const OVERRIDE: u8 = 0x20;

/// The options that name a link-layer address (RFC 4861 §4.6.1).
const SOURCE: u8 = 1;
const TARGET: u8 = 2;

/// A solicitation or an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    address: Ipv6Addr,
    /// Where the option stands that names the link-layer address of `address`.
    option: u8,
    overrides: bool,
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
    Some(Ok(match (fields[0], target) {
        (NEIGHBOUR_ADVERTISEMENT, Some(&target)) => Message {
            address: target.into(),
            option: TARGET,
            overrides: fields[4] & OVERRIDE != 0,
            options,
        },
        _ => Message {
            address: source,
            option: SOURCE,
            overrides: true,
            options,
        },
    }))
}

impl Message<'_> {
    /// Checks that the options name no link-layer address but the player's own (RFC 4861 §4.6).
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
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

    /// The target of an advertisement and the source of a solicitation (RFC 4861 §7.2) belong to the
    /// link-layer address in the message, or to the frame's. It is not firm in an advertisement that
    /// overrides nothing, which is what proxies say (RFC 4861 §7.2.8).
    pub(crate) fn claim(&self, source: MacAddr) -> Claim {
        Claim {
            mac: self.link_layer_address().unwrap_or(source),
            address: self.address.into(),
            firm: self.overrides,
        }
    }

    fn link_layer_address(&self) -> Option<MacAddr> {
        let mut options = self.options;
        while let [kind, eighths, rest @ ..] = options {
            match (*kind == self.option, eighths, rest.first_chunk()) {
                (true, 1, Some(&mac)) => return Some(MacAddr::new(mac)),
                (_, 0, _) => return None,
                _ => options = options.get(usize::from(*eighths) * 8..)?,
            }
        }
        None
    }
}

//! Between party and home nothing is forwarded over IPv6 either.
//!
//! Whoever has containers or virtual machines often forwards IPv6 on all interfaces, and no setting keeps a single one out, as
//! `forwarding` does for IPv4. A rule drops whatever comes in at the adapter and is not for this machine: what is, the
//! kernel's own table has decided before. It outlives a kill without an adapter, which tells it from that of a client that plays,
//! and the next start or end of a client removes it.

use crate::route::PROTOCOL;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;

/// Behind the kernel's own table (0), in front of all others.
const PRIORITY: u32 = 76;

/// The rule of one adapter, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Barrier {
    adapter: String,
}

impl Barrier {
    /// Before this adapter, which is there and down.
    pub(crate) fn before(adapter: &str) -> Self {
        let barrier = Barrier {
            adapter: adapter.to_owned(),
        };
        if let Err(error) = barrier.keep() {
            tracing::warn!(%error, "Nothing keeps IPv6 from being forwarded between party and home, if this machine does that");
        }
        barrier
    }

    /// Makes it again if somebody has removed it.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewRule(self.rule());
        match lanparty_netlink::order(message, NLM_F_CREATE | NLM_F_EXCL) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if is_without_ipv6(&error) => Ok(()),
            outcome => outcome,
        }
    }

    fn rule(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.action = RuleAction::Blackhole;
        message.attributes = vec![
            RuleAttribute::Iifname(self.adapter.clone()),
            RuleAttribute::Priority(PRIORITY),
            RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
        ];
        message
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        let message = RouteNetlinkMessage::DelRule(self.rule());
        match lanparty_netlink::order(message, 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_without_ipv6(&error) => {}
            Err(error) => tracing::warn!(%error, "Could not remove the rule before the adapter"),
            Ok(()) => {}
        }
    }
}

/// Removes what killed clients left.
pub(crate) fn remove_leftovers() -> io::Result<()> {
    let mut question = RuleMessage::default();
    question.header.family = AddressFamily::Inet6;
    let answers = match lanparty_netlink::list(RouteNetlinkMessage::GetRule(question)) {
        Err(error) if is_without_ipv6(&error) => return Ok(()),
        answers => answers?,
    };
    for answer in answers {
        let RouteNetlinkMessage::NewRule(rule) = answer else {
            continue;
        };
        let ours = RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL));
        let is_left = rule.header.flags.contains(RuleFlags::IifDetached);
        if is_left && rule.attributes.contains(&ours) {
            tracing::info!("Removing a routing rule that a killed client left");
            lanparty_netlink::order(RouteNetlinkMessage::DelRule(rule), 0)?;
        }
    }
    Ok(())
}

/// The kernel, or this part of it.
fn is_without_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(code, Some(libc::EAFNOSUPPORT | libc::EOPNOTSUPP))
}

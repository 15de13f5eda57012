//! Routing rules in front of other programs', where those lead the party's addresses elsewhere.
//!
//! VPNs have tables of their own, which are asked before the main one. A rule of ours asks the main table first, for routes
//! of single hosts in the party's network only: whatever else the VPN has of that network goes on to its table. Rules are
//! no adapter's and outlive a kill, so they carry our protocol, as routes do: `ip rule` shows it, and the next start, or
//! end, of a client removes them.

use crate::netlink;
use crate::route::PROTOCOL;
use lanparty_client_core::overlap::Prefix;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Behind the kernel's own (0), in front of whatever VPNs take (Tailscale 5210, wg-quick and others above 30000).
const PRIORITY: u32 = 76;

/// The rules of this run, each undone when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeSet<Prefix>);

impl Rules {
    /// Has hosts of these networks looked up in the main table first, and those of no others.
    pub(crate) fn keep(&mut self, networks: BTreeSet<Prefix>) -> io::Result<()> {
        for gone in self.0.difference(&networks) {
            remove(*gone);
        }
        let mut outcome = Ok(());
        for network in &networks {
            let message = RouteNetlinkMessage::NewRule(rule(*network));
            // Asked again and again: another client's start may have removed it.
            match netlink::order(message, NLM_F_CREATE | NLM_F_EXCL) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => outcome = Err(error),
                _ => {}
            }
        }
        self.0 = networks;
        outcome
    }

    /// Whether there is one for this network.
    pub(crate) fn has(&self, network: Prefix) -> bool {
        self.0.contains(&network)
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        self.0.iter().copied().for_each(remove);
    }
}

/// Removes what killed clients left; who runs makes its own again within a second.
pub(crate) fn remove_leftovers() -> io::Result<()> {
    let mut question = RuleMessage::default();
    question.header.family = AddressFamily::Inet;
    for answer in netlink::list(RouteNetlinkMessage::GetRule(question))? {
        let RouteNetlinkMessage::NewRule(rule) = answer else {
            continue;
        };
        let ours = RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL));
        if rule.attributes.contains(&ours) {
            tracing::info!("Removing a routing rule that a killed client left");
            netlink::order(RouteNetlinkMessage::DelRule(rule), 0)?;
        }
    }
    Ok(())
}

fn remove(network: Prefix) {
    let message = RouteNetlinkMessage::DelRule(rule(network));
    match netlink::order(message, 0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, %network, "Could not remove the rule for the party's hosts");
        }
        _ => {}
    }
}

fn rule(network: Prefix) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.dst_len = network.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Destination(IpAddr::V4(network.network())),
        RuleAttribute::Priority(PRIORITY),
        RuleAttribute::SuppressPrefixLen(31),
        RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    message
}

//! Routing rules in front of other programs', where those lead the party's addresses elsewhere.
//!
//! VPNs have tables of their own, which are asked before the main one. A rule of ours asks the main table first, in the
//! party's network only: for its one route, or for routes of single hosts where somebody else has some of that network, so
//! that whatever else a VPN has of it goes on to its table. Rules are
//! no adapter's and outlive a kill, so they carry our protocol, as routes do: `ip rule` shows it, and the next start, or
//! end, of a client removes them.

use crate::route::PROTOCOL;
use lanparty_client_core::overlap::Prefix;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// Behind the kernel's own (0), in front of whatever VPNs take (Tailscale 5210, wg-quick and others above 30000).
const PRIORITY: u32 = 76;

/// The rules of this run, each undone when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeMap<Prefix, Reach>);

/// Which routes of a network are looked for in the main table first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of single hosts.
    Hosts,
    /// The network's own as well.
    Network,
}

impl Rules {
    /// Has these networks looked up in the main table first, and no others.
    pub(crate) fn keep(&mut self, networks: BTreeMap<Prefix, Reach>) -> io::Result<()> {
        for (&gone, &reach) in &self.0 {
            if networks.get(&gone) != Some(&reach) {
                remove(gone, reach);
            }
        }
        let mut outcome = Ok(());
        for (&network, &reach) in &networks {
            let message = RouteNetlinkMessage::NewRule(rule(network, reach));
            // Asked again and again: another client's start may have removed it.
            match lanparty_netlink::order(message, NLM_F_CREATE | NLM_F_EXCL) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => outcome = Err(error),
                _ => {}
            }
        }
        self.0 = networks;
        outcome
    }

    /// Whether there is one that shows in the way of such routes: it cannot be told then whether it is needed still.
    pub(crate) fn has(&self, network: Prefix, reach: Reach) -> bool {
        let has = self.0.get(&network);
        has.is_some_and(|has| *has == reach || *has == Reach::Network)
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        for (&network, &reach) in &self.0 {
            remove(network, reach);
        }
    }
}

/// Removes what killed clients left; who runs makes its own again within a second.
pub(crate) fn remove_leftovers() -> io::Result<()> {
    let mut question = RuleMessage::default();
    question.header.family = AddressFamily::Inet;
    for answer in lanparty_netlink::list(RouteNetlinkMessage::GetRule(question))? {
        let RouteNetlinkMessage::NewRule(rule) = answer else {
            continue;
        };
        let ours = RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL));
        if rule.attributes.contains(&ours) {
            tracing::info!("Removing a routing rule that a killed client left");
            lanparty_netlink::order(RouteNetlinkMessage::DelRule(rule), 0)?;
        }
    }
    Ok(())
}

fn remove(network: Prefix, reach: Reach) {
    let message = RouteNetlinkMessage::DelRule(rule(network, reach));
    match lanparty_netlink::order(message, 0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, %network, "Could not remove the rule for the party's hosts");
        }
        _ => {}
    }
}

fn rule(network: Prefix, reach: Reach) -> RuleMessage {
    // Routes to no less than so many addresses are stepped over.
    let suppressed = match reach {
        Reach::Hosts => 31,
        Reach::Network => u32::from(network.prefix_len()).saturating_sub(1),
    };
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.dst_len = network.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Destination(IpAddr::V4(network.network())),
        RuleAttribute::Priority(PRIORITY),
        RuleAttribute::SuppressPrefixLen(suppressed),
        RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    message
}

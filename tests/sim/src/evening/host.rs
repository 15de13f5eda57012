//! A host who orders: what the gateway's side makes of it is the real thing, and is kept when the gateway is killed.

use super::network::Said;
use super::peer::Stage;
use super::{CLIENTS, Evening, GATEWAYS, client_mac};
use lanparty_ctrl::{HostOrder, PeerMessage};
use lanparty_gateway::rehearsal::Host;
use lanparty_proto::MacAddr;
use std::collections::BTreeSet;

/// The gateway whose host orders; where there is one, the other gateway stays at home.
pub(super) const HOST: usize = 0;

/// What the host has ordered, in the plainest words, beside what its gateway makes of it.
pub(super) struct Orders {
    pub(super) gateway: Host,
    banned: BTreeSet<usize>,
    muted: BTreeSet<usize>,
    isolated: bool,
    /// Of these a gateway that was killed meanwhile does not know that they may speak again.
    perhaps_muted: BTreeSet<usize>,
}

impl Orders {
    pub(super) fn new() -> Self {
        Orders {
            gateway: Host::new("{}"),
            banned: BTreeSet::new(),
            muted: BTreeSet::new(),
            isolated: false,
            perhaps_muted: BTreeSet::new(),
        }
    }

    /// The gateway has ended, and what it keeps is on the disk.
    pub(super) fn start_again(&mut self) {
        self.gateway = Host::new(&self.gateway.kept());
    }

    /// Who may come, as far as the host is concerned.
    pub(super) fn admits(&self, number: usize) -> bool {
        let kept: serde_json::Value = serde_json::from_str(&self.gateway.kept()).unwrap();
        let guests = kept["guests"].as_array();
        let is_guest = |guests: &Vec<serde_json::Value>| guests.contains(&mac_of(number).into());
        !self.banned.contains(&number) && guests.is_none_or(is_guest)
    }

    /// Whether what one of them says to everybody reaches the other; nothing, where the host does not know.
    pub(super) fn hears(&self, from: usize, to: usize) -> Option<bool> {
        if self.muted.contains(&from) {
            return Some(false);
        }
        if self.isolated && from >= GATEWAYS && to >= GATEWAYS {
            return Some(false);
        }
        (!self.perhaps_muted.contains(&from)).then_some(true)
    }
}

impl Evening {
    /// `ctl` at the gateway, whether it has a link or not.
    pub(super) fn somebody_orders(&mut self) {
        let number = GATEWAYS + self.dice.between(0, CLIENTS - 1);
        let (who, on) = (mac_of(number), self.dice.one_in(2));
        let stage = self.peers[HOST].stage;
        let Some(orders) = &mut self.orders else {
            return;
        };
        if stage == Stage::Off {
            return;
        }
        let word = match self.dice.between(0, 9) {
            0 => "kick",
            1 => "ban",
            2 | 3 => "unban",
            4 | 5 => "lock",
            6 | 7 => "isolate",
            _ => "mute",
        };
        let request = match word {
            "lock" | "isolate" => format!(r#"{{"do":"{word}","on":{on}}}"#),
            "mute" => format!(r#"{{"do":"{word}","who":"{who}","on":{on}}}"#),
            _ => format!(r#"{{"do":"{word}","who":"{who}"}}"#),
        };
        let done = orders.gateway.ask(&request);
        if done {
            match (word, on) {
                ("ban", _) => drop(orders.banned.insert(number)),
                ("unban", _) => drop(orders.banned.remove(&number)),
                ("isolate", on) => orders.isolated = on,
                ("mute", true) => {
                    orders.muted.insert(number);
                    orders.perhaps_muted.insert(number);
                }
                ("mute", false) => drop(orders.muted.remove(&number)),
                _ => {}
            }
        }
        let outcome = if done { "done" } else { "refused" };
        self.tally.count(format!("host: {word}, {outcome}"));
        self.note(|| format!("the host says {request}: {outcome}"));
        self.pass_on_orders();
    }

    pub(super) fn pass_on_orders(&mut self) {
        let Some(orders) = &mut self.orders else {
            return;
        };
        let said: Vec<_> = std::iter::from_fn(|| orders.gateway.poll_order()).collect();
        let link = self.peers[HOST].link;
        for order in said {
            let link = link.expect("without a link nothing is ordered");
            let message = PeerMessage::Host(order);
            self.gateway_orders(HOST, &message);
            let message = Said::Message(message);
            self.network.say_to_relay(&mut self.dice, link, message);
        }
    }

    /// What the gateway's hello says again.
    pub(super) fn orders_of(&mut self, number: usize) -> Vec<HostOrder> {
        let host = self.host_at(number);
        host.map_or(Vec::new(), Host::greeting_orders)
    }

    /// The host's side, while this is about its gateway.
    pub(super) fn host_at(&mut self, number: usize) -> Option<&mut Host> {
        let orders = self.orders.as_mut().filter(|_| number == HOST);
        orders.map(|orders| &mut orders.gateway)
    }
}

fn mac_of(number: usize) -> String {
    MacAddr::new(client_mac(number - GATEWAYS)).to_string()
}

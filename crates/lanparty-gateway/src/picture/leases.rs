//! Which addresses the LAN's DHCP servers have lent to players, and who asks in vain.

use lanparty_gateway_control::Lease;
use lanparty_proto::MacAddr;
use lanparty_switch::DhcpTalk;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How many players' leases are known; of more the one that ends first is forgotten.
const MAX_LEASES: usize = 1024;
/// How many are known to have asked.
const MAX_ASKERS: usize = 256;
/// How long a server may take: it may look whether the address is free first.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client that still wants an address asks again within a minute (RFC 2131 §4.1).
const WANTS: Duration = Duration::from_secs(90);

#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<MacAddr, Held>,
    /// Who has asked and has got no answer: first, and last.
    asking: BTreeMap<MacAddr, (Instant, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    address: Ipv4Addr,
    server: Option<Ipv4Addr>,
    until: Option<Instant>,
}

impl Leases {
    /// A player and a server have talked. Answers the address that is news for that player.
    pub(super) fn hear(&mut self, now: Instant, talk: DhcpTalk) -> Option<(MacAddr, Ipv4Addr)> {
        match talk {
            DhcpTalk::Asked(mac) => {
                if self.asking.len() < MAX_ASKERS || self.asking.contains_key(&mac) {
                    let (_, last) = self.asking.entry(mac).or_insert((now, now));
                    *last = now;
                }
                None
            }
            DhcpTalk::Offered(mac) => {
                self.asking.remove(&mac);
                None
            }
            DhcpTalk::Lent {
                mac,
                address,
                server,
                duration,
            } => {
                self.asking.remove(&mac);
                let until = duration.and_then(|duration| now.checked_add(duration));
                let held = Held {
                    address,
                    server,
                    until,
                };
                // Who has it now is the only one.
                self.held
                    .retain(|&other, held| other == mac || held.address != address);
                let before = self.held.insert(mac, held);
                self.make_room();
                let is_news = before.is_none_or(|before| before.address != address);
                is_news.then_some((mac, address))
            }
        }
    }

    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Instant) {
        self.held
            .retain(|_, held| held.until.is_none_or(|until| now < until));
        self.asking
            .retain(|_, &mut (_, last)| now.saturating_duration_since(last) < WANTS);
    }

    /// Nobody asks by way of a gateway that is out of the room.
    pub(super) fn forget_askers(&mut self) {
        self.asking.clear();
    }

    pub(super) fn forget_asker(&mut self, mac: MacAddr) {
        self.asking.remove(&mac);
    }

    /// By MAC address.
    pub(super) fn list(&self, now: Instant) -> Vec<Lease> {
        let leases = self.held.iter().map(|(mac, held)| Lease {
            mac: mac.to_string(),
            address: held.address,
            server: held.server.unwrap_or(Ipv4Addr::UNSPECIFIED),
            seconds: held
                .until
                .map(|until| until.saturating_duration_since(now).as_secs()),
        });
        leases.collect()
    }

    /// What a server has lent to this one.
    pub(super) fn of(&self, mac: MacAddr) -> Option<Ipv4Addr> {
        self.held.get(&mac).map(|held| held.address)
    }

    /// Who has asked for so long that there is no server that answers.
    pub(super) fn unanswered(&self, now: Instant) -> impl Iterator<Item = MacAddr> {
        let asking = self.asking.iter();
        let late = asking.filter(move |(_, (first, last))| {
            let waited = now.saturating_duration_since(*first) >= PATIENCE;
            // One question alone may be a client's that has gone on to something else.
            waited && first != last && now.saturating_duration_since(*last) < WANTS
        });
        late.map(|(&mac, _)| mac)
    }

    fn make_room(&mut self) {
        if self.held.len() > MAX_LEASES {
            let ends = |(_, held): &(&MacAddr, &Held)| (held.until.is_none(), held.until);
            let first = self.held.iter().min_by_key(ends).map(|(&mac, _)| mac);
            first.map(|mac| self.held.remove(&mac));
        }
    }
}

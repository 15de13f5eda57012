//! What the host has ordered, and what it is told of the members.

use super::{LinkHealth, Member, Room, Step};
use lanparty_ctrl::message::{NewKey, Newcomer, Vouched};
use lanparty_ctrl::orders::{
    self, ADDRESSES_PER_MEMBER, MAX_BANNED, MAX_KNOWN, MEMBERS_PER_MESSAGE, Members, Person,
    REASONS_PER_MEMBER,
};
use lanparty_ctrl::{Fingerprint, RelayMessage};
use lanparty_obs::DropCounts;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_switch::{Port, Speaker};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Instant;

/// Who may come back into a locked room: those who were in when it was locked, or on their way back.
#[derive(Debug)]
pub(super) struct Lock(HashSet<VirtualMac>);

impl Lock {
    pub(super) fn admits(&self, who: Newcomer) -> bool {
        match who {
            Newcomer::Client(mac) => self.0.contains(&mac),
            // Without it nobody could unlock the room.
            Newcomer::Gateway => true,
        }
    }
}

impl<L: Clone> Room<L> {
    /// From now on nobody comes in but those who are here, and `also` these.
    pub fn lock(&mut self, also: Vec<VirtualMac>) {
        let here = self.members.values();
        let here = here.filter_map(|member| member.record.who.mac());
        self.lock = Some(Lock(here.chain(also).collect()));
    }

    /// Everybody may come in again.
    pub fn unlock(&mut self) {
        self.lock = None;
    }

    /// From now on these people are banned. Answers who is here and must leave.
    pub fn ban(&mut self, mut banned: Vec<Person>) -> Vec<PeerId> {
        banned.truncate(MAX_BANNED);
        self.banned = banned.into_iter().collect();
        let members = self.members.iter();
        let here = members.filter(|(_, member)| {
            let record = &member.record;
            record.who != Newcomer::Gateway && self.is_banned(record.who, record.identity)
        });
        here.map(|(&peer, _)| peer).collect()
    }

    /// A banned person does not come in as a gateway of an open room either.
    pub(crate) fn is_banned(&self, who: Newcomer, identity: Option<Fingerprint>) -> bool {
        let identity = identity.map(Person::Identity);
        let persons = [identity, who.mac().map(Person::Mac)];
        let mut persons = persons.into_iter().flatten();
        persons.any(|person| self.banned.contains(&person))
    }

    /// True for whoever the lock keeps out.
    pub(crate) fn locks_out(&self, who: Newcomer) -> bool {
        self.lock.as_ref().is_some_and(|lock| !lock.admits(who))
    }

    /// A gateway's answer on its way to the client that has asked for it. Once for each gateway: one that answers
    /// what nobody asked is not heard.
    pub(crate) fn hand_on(&mut self, gateway: PeerId, vouched: Vouched) -> Option<Step<L>> {
        let client = self.members.get_mut(&vouched.peer_id)?;
        client.host_challenge?;
        if client.vouched_by.replace(gateway) == Some(gateway) {
            return None;
        }
        let told = RelayMessage::Vouched(Vouched {
            peer_id: gateway,
            ..vouched
        });
        Some(Step::Tell(client.link.clone(), told))
    }

    /// The room's new key on its way to a client that takes it; nobody else hears of it.
    pub(crate) fn hand_key_on(&self, gateway: PeerId, key: NewKey) -> Option<Step<L>> {
        let client = self.members.get(&key.peer_id)?;
        client.record.who.mac()?;
        let told = RelayMessage::NewKey(NewKey {
            peer_id: gateway,
            ..key
        });
        client
            .takes_new_keys
            .then(|| Step::Tell(client.link.clone(), told))
    }

    /// The LAN has this MAC; answers who is here with it and must leave.
    pub fn hear_on_lan(&mut self, now: Instant, mac: VirtualMac) -> Option<PeerId> {
        self.switch.learn_of_lan(now, mac.addr());
        self.holder(Newcomer::Client(mac))
    }

    /// These are on the LAN and have spoken past us; a member's MAC is a member's all the same.
    pub fn hear_known(&mut self, now: Instant, macs: &[MacAddr]) {
        let machines = macs.iter().take(MAX_KNOWN).copied();
        for mac in machines.filter(|mac| mac.is_valid_source()) {
            if self.switch.holder(Speaker::Player(mac)).is_none() {
                self.switch.learn_of_lan(now, mac);
            }
        }
    }

    /// A client that is sent away does not come back through the lock.
    pub fn strike_off(&mut self, mac: VirtualMac) {
        if let Some(Lock(guests)) = &mut self.lock {
            guests.remove(&mac);
        }
    }

    /// What this client says to everybody or to a group is dropped, or is not any more.
    pub fn set_muted(&mut self, peer: PeerId, muted: bool) {
        self.switch.set_muted(peer, muted);
    }

    /// Clients reach the LAN but not each other, or each other as well.
    pub fn set_isolated(&mut self, isolated: bool) {
        self.switch.set_isolated(isolated);
    }

    /// What is known of the clients, in as many messages as it takes.
    pub fn describe(&self, now: Instant) -> Vec<RelayMessage> {
        let clients = self.members.iter();
        let clients: Vec<_> = clients
            .filter_map(|(&peer, member)| self.describe_client(now, peer, member))
            .collect();
        let mut chunks: Vec<&[_]> = clients.chunks(MEMBERS_PER_MESSAGE).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let count = chunks.len();
        let chunks = chunks.into_iter().enumerate();
        chunks
            .map(|(at, members)| {
                RelayMessage::Members(Box::new(Members {
                    locked: self.lock.is_some(),
                    isolated: self.switch.is_isolated(),
                    members: members.to_vec(),
                    last: at + 1 == count,
                    drops: match at + 1 == count {
                        true => self.drops(),
                        false => DropCounts::default(),
                    },
                }))
            })
            .collect()
    }

    /// What was dropped in this room, also of those who have left.
    pub fn drops(&self) -> DropCounts {
        let mut drops = self.drops_of_gone.clone();
        for member in self.members.values() {
            drops.add_all(&member.record.drops);
        }
        drops
    }

    fn describe_client(
        &self,
        now: Instant,
        peer_id: PeerId,
        member: &Member<L>,
    ) -> Option<orders::MemberReport> {
        let (record, mac) = (&member.record, member.record.who.mac()?);
        let LinkHealth {
            rtt, loss_permille, ..
        } = record.health;
        let mut addresses: Vec<_> = self.switch.addresses_of(now, mac.addr()).collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.truncate(ADDRESSES_PER_MEMBER);
        Some(orders::MemberReport {
            peer_id,
            addresses,
            seconds: now.saturating_duration_since(record.joined_at).as_secs(),
            // Who has just come has been measured for the others, before its first counters.
            rtt_us: rtt
                .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
                .or(member.gauge.told_us().map(u64::from)),
            loss_permille,
            sends: member.speeds.map(|speeds| speeds.sends),
            receives: member.speeds.map(|speeds| speeds.receives),
            dropped: record.drops.total(),
            drops: record.drops.commonest(REASONS_PER_MEMBER),
            muted: self.switch.port(peer_id).is_some_and(Port::is_muted),
        })
    }
}

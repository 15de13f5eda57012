//! What of the LAN players may reach: the host's choice, asked by the gateway for each frame from a player to its LAN.
//!
//! | | everything | games only | named |
//! | --- | --- | --- | --- |
//! | ARP, neighbour discovery, DHCP, group membership | ✓ | ✓ | ✓ |
//! | broadcast and multicast of IP | ✓ | all but TCP and services that obey it | the same |
//! | answers to what a LAN machine began | ✓ | ✓ | ✓ |
//! | TCP and UDP to one machine | ✓ | what it announced as a game, ports of games, what is named | what is named |
//! | ping | ✓ | ✓ | machines that are named |
//! | IPX | ✓ | ✓: nothing but games speaks it | |
//! | other protocols, tunnels, IP options, out by the LAN's router | ✓ | | |
//!
//! A packet counts for a machine only when MAC and IP address belong together (`lan`): a frame for the router's MAC
//! that is for another IP address would leave by the LAN's router. Administration of the routers and of the gateway's own
//! machine, and of every machine while no router is known, is open to who may reach everything, and otherwise only where
//! the very address is named (`services`).
//!
//! What is remembered is bounded, and what is remembered of a player is that player's own: `flows`, `attempts`.

mod answer;
mod attempts;
mod flows;
mod lan;
mod packet;
mod policy;
mod services;
mod target;
#[cfg(test)]
mod tests;

pub use attempts::{Attempt, MAX_ATTEMPTS, MAX_OF_ONE as MAX_ATTEMPTS_OF_ONE};
pub use flows::MAX_FLOWS;
pub use lan::{LanFacts, MAX_ANNOUNCED, MAX_ANNOUNCED_OF_ONE};
pub use policy::{BadPolicy, MAX_TARGETS, Policy};
pub use target::{BadTarget, Target};

use attempts::Attempts;
use flows::{Flow, Player};
use foldhash::HashMap;
use lan::Lan;
use lanparty_obs::DropReason;
use lanparty_proto::ip::{ICMPV4, ICMPV6, Part, TCP, UDP};
use lanparty_proto::{EthernetFrame, MacAddr};
use packet::{Packet, Seen};
use std::time::{Duration, Instant};

/// After a change of policy what was under way before must not look as if the LAN had begun it: its last answers are in
/// by then.
const SETTLING: Duration = Duration::from_secs(3);

/// From here on Linux gives ports to programs that want any; others begin higher (RFC 6335 §6).
const EPHEMERAL: u16 = 32_768;

/// The judge of what players may reach, and what it remembers.
#[derive(Debug)]
pub struct Reach {
    everybody: Policy,
    own: HashMap<MacAddr, Policy>,
    /// True while nobody is held to anything.
    is_open: bool,
    /// Ports that belong to games, by IP protocol.
    is_game: fn(u8, u16) -> bool,
    lan: Lan,
    players: HashMap<MacAddr, Player>,
    attempts: Attempts,
    changed_at: Option<Instant>,
    answer: Option<Vec<u8>>,
}

impl Reach {
    /// Everything, for everybody. `nic` is the gateway's own; `is_game` tells games' ports, by IP protocol.
    pub fn new(nic: MacAddr, is_game: fn(u8, u16) -> bool) -> Self {
        Reach {
            everybody: Policy::Everything,
            own: HashMap::default(),
            is_open: true,
            is_game,
            lan: Lan::new(nic),
            players: HashMap::default(),
            attempts: Attempts::default(),
            changed_at: None,
            answer: None,
        }
    }

    /// The same behind another NIC.
    pub fn moved(mut self, nic: MacAddr) -> Self {
        self.lan.move_to(nic);
        self
    }

    /// What everybody may reach from now on, who has nothing of its own.
    pub fn set_policy(&mut self, now: Instant, policy: Policy) {
        if self.everybody != policy {
            self.everybody = policy;
            self.changed(now);
        }
    }

    /// What this player may reach from now on, or what everybody may.
    pub fn set_own(&mut self, now: Instant, player: MacAddr, policy: Option<Policy>) {
        let before = match policy.clone() {
            Some(policy) => self.own.insert(player, policy),
            None => self.own.remove(&player),
        };
        if before != policy {
            self.changed(now);
        }
    }

    /// What this player may reach.
    pub fn policy_of(&self, player: MacAddr) -> &Policy {
        self.own.get(&player).unwrap_or(&self.everybody)
    }

    /// True while nothing is asked of anybody.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    fn changed(&mut self, now: Instant) {
        self.changed_at = Some(now);
        let own = self.own.values();
        self.is_open = own.chain([&self.everybody]).all(Policy::is_everything);
        self.forget_what_is_let();
    }

    /// What is let now is no question to the host any more. A network's name leaves some of it shut, so that is none of it.
    fn forget_what_is_let(&mut self) {
        let (own, everybody) = (&self.own, &self.everybody);
        self.attempts.retain(|attempt| {
            let policy = own.get(&attempt.player).unwrap_or(everybody);
            let lets = |target: &Target| target.is_one_machine() && attempt.is_let_by(target);
            !policy.is_everything() && !policy.named().iter().any(lets)
        });
    }

    /// What the gateway's machine knows of this LAN.
    pub fn set_facts(&mut self, facts: LanFacts) {
        self.lan.set_facts(facts);
    }

    /// Learns who has which address from what the LAN says to anybody.
    pub fn hear_lan(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        self.lan.hear(now, frame);
    }

    /// A machine of the LAN says that it has a game at this port.
    pub fn hear_game(&mut self, now: Instant, machine: MacAddr, port: u16) {
        self.lan.announce(now, machine, port);
    }

    /// A frame goes from the LAN to this player: what it begins may be answered.
    pub fn hear_to_player(&mut self, now: Instant, player: MacAddr, frame: EthernetFrame<'_>) {
        if self.is_open || self.policy_of(player).is_everything() {
            return;
        }
        let Seen::Packet(packet) = packet::see(frame) else {
            return;
        };
        let Some((from, to)) = packet.ports else {
            return;
        };
        self.lan.refresh(now, frame.source(), from);
        let flow = Flow {
            machine: packet.source,
            protocol: packet.protocol,
            ports: (from, to),
        };
        let begins = self.begins(now, &packet, from, to);
        let known = self.players.entry(player).or_default();
        known
            .flows
            .hear(now, flow, frame.source(), packet.ends(), begins);
    }

    /// True when the LAN's machine did not have to be asked for it.
    fn begins(&self, now: Instant, packet: &Packet<'_>, from: u16, to: u16) -> bool {
        // No answer looks like that. Its port may be anything: some systems give those of services to programs.
        if packet.is_first_of_tcp() {
            return true;
        }
        // A server's port, however the conversation came about.
        if services::is_administration(packet.protocol, from) {
            return false;
        }
        // A system gives such ports to whoever asks for any.
        let is_players_game = to < EPHEMERAL && (self.is_game)(packet.protocol, to);
        match packet.protocol {
            TCP => is_players_game && !packet.ends(),
            UDP => is_players_game || self.changed_at.is_none_or(|then| now >= then + SETTLING),
            _ => false,
        }
    }

    /// May this frame of a player's go to the LAN? It has passed the switch.
    ///
    /// # Errors
    /// [`DropReason::OutOfReach`]; [`Self::take_answer`] may have something for the player then.
    pub fn judge(
        &mut self,
        now: Instant,
        player: MacAddr,
        frame: EthernetFrame<'_>,
    ) -> Result<(), DropReason> {
        if self.is_open || self.policy_of(player).is_everything() {
            return Ok(());
        }
        let seen = packet::see(frame);
        if self.may_pass(now, player, frame.destination(), &seen) {
            return Ok(());
        }
        if let Seen::Packet(packet) = &seen
            && packet.is_for_one(frame.destination())
        {
            self.note(now, player, packet);
            let known = self.players.entry(player).or_default();
            if packet.part == Part::Whole && known.may_hear(now) {
                self.answer = answer::to(frame, packet);
            }
        }
        Err(DropReason::OutOfReach)
    }

    /// What the player whose frame was refused last is told in the LAN machine's name, once.
    pub fn take_answer(&mut self) -> Option<Vec<u8>> {
        self.answer.take()
    }

    /// What players tried of late and were not let, the latest first.
    pub fn attempts(&self, now: Instant) -> impl Iterator<Item = &Attempt> {
        self.attempts.list(now)
    }

    /// A player is gone, and with it what was remembered of its conversations.
    pub fn leave(&mut self, player: MacAddr) {
        self.players.remove(&player);
        if self.own.remove(&player).is_some() {
            let own = self.own.values();
            self.is_open = own.chain([&self.everybody]).all(Policy::is_everything);
        }
    }

    /// Keeps only what is remembered of the conversations of these players.
    pub fn retain(&mut self, is_here: impl Fn(MacAddr) -> bool) {
        self.players.retain(|&player, _| is_here(player));
    }

    /// How much is remembered, of all and in all: conversations and pieces of players', attempts, announcements and
    /// addresses of the LAN's.
    pub fn remembered(&self) -> usize {
        let players = self.players.values();
        let players: usize = players
            .map(|known| known.flows.len() + known.pieces.len())
            .sum();
        players + self.attempts.len() + self.lan.len()
    }

    fn note(&mut self, now: Instant, player: MacAddr, packet: &Packet<'_>) {
        // What no word of the host's would let through is no question to the host.
        if !packet.is_plain || packet.part != Part::Whole || services::is_tunnel(packet.protocol) {
            return;
        }
        let port = packet.ports.map(|(_, to)| to);
        self.attempts
            .note(now, (player, packet.protocol, packet.destination, port));
    }

    fn may_pass(&mut self, now: Instant, player: MacAddr, to: MacAddr, seen: &Seen<'_>) -> bool {
        match seen {
            Seen::Control => true,
            Seen::Dhcp(server) => to.is_group() || self.lan.is_pair(now, to, *server),
            Seen::Ipx => matches!(self.policy_of(player), Policy::Games { .. }),
            Seen::Other => false,
            Seen::Packet(packet) if !packet.is_plain || services::is_tunnel(packet.protocol) => {
                false
            }
            Seen::Packet(packet) => self.may_packet(now, player, to, packet),
        }
    }

    /// Pieces go where the first of them went; only that one shows where to.
    fn may_packet(
        &mut self,
        now: Instant,
        player: MacAddr,
        to: MacAddr,
        packet: &Packet<'_>,
    ) -> bool {
        let piece = (to, packet.source, packet.destination, packet.piece);
        if let Part::Later(_) = packet.part {
            let known = self.players.get(&player);
            return known.is_some_and(|known| known.pieces.has(now, piece));
        }
        let may = match self.lan.is_for_all(now, to, packet.destination) {
            true => to.is_group() && services::may_go_to_all(packet.protocol, packet.ports),
            false => !to.is_group() && self.may_one(now, player, to, packet),
        };
        if packet.part == Part::First {
            let known = self.players.entry(player).or_default();
            known.pieces.note(now, piece, may);
        }
        may
    }

    /// To one machine.
    fn may_one(&mut self, now: Instant, player: MacAddr, to: MacAddr, packet: &Packet<'_>) -> bool {
        self.answers(now, player, to, packet)
            || self.is_named(now, player, to, packet)
            || self.is_game(now, player, to, packet)
            || self.is_about_others(now, to, packet)
    }

    /// True for the next packet of a conversation that the LAN's machine began.
    fn answers(&mut self, now: Instant, player: MacAddr, to: MacAddr, packet: &Packet<'_>) -> bool {
        let Some((from, at)) = packet.ports else {
            return false;
        };
        let flow = Flow {
            machine: packet.destination,
            protocol: packet.protocol,
            ports: (at, from),
        };
        let known = self.players.get_mut(&player);
        // Who begins anew from the same port does not answer.
        known.is_some_and(|known| {
            !packet.is_first_of_tcp() && known.flows.answer(now, flow, to, packet.ends())
        })
    }

    fn is_named(&self, now: Instant, player: MacAddr, to: MacAddr, packet: &Packet<'_>) -> bool {
        let address = packet.destination;
        let port = packet.ports.map(|(_, to)| to);
        let is_ping = packet.is_ping();
        let named = self.policy_of(player).named();
        let mut named = named.iter().filter(|target| match is_ping {
            true => target.has(address),
            false => target.allows(address, packet.protocol, port),
        });
        named.any(|target| match target.is_one_machine() {
            // Whoever names an address beyond the LAN means it.
            true => self.lan.is_not_anothers(now, to, address),
            false => self.lan.is_pair(now, to, address) && !self.is_shut(now, to, packet),
        })
    }

    /// Administration of routers and of the gateway's own machine is not opened along with the rest of a network. While
    /// nobody has said who is router, any machine may be it.
    fn is_shut(&self, now: Instant, to: MacAddr, packet: &Packet<'_>) -> bool {
        let is_shut = match packet.ports {
            Some((_, port)) => services::is_administration(packet.protocol, port),
            None => !packet.is_ping(),
        };
        is_shut && (!self.lan.knows_router(now) || self.lan.is_guarded(now, to, packet.destination))
    }

    fn is_game(&self, now: Instant, player: MacAddr, to: MacAddr, packet: &Packet<'_>) -> bool {
        if !matches!(self.policy_of(player), Policy::Games { .. })
            || !self.lan.is_pair(now, to, packet.destination)
        {
            return false;
        }
        match packet.ports {
            Some((_, port)) => {
                let is_game = (self.is_game)(packet.protocol, port);
                let is_game = is_game || self.lan.has_announced(now, to, port);
                is_game && !services::is_administration(packet.protocol, port)
            }
            None => packet.is_ping(),
        }
    }

    /// Answers to pings, and news of packets that did not get through.
    fn is_about_others(&self, now: Instant, to: MacAddr, packet: &Packet<'_>) -> bool {
        let is_news = match (packet.protocol, packet.icmp) {
            (ICMPV4, Some(kind)) => matches!(kind, 0 | 3 | 11 | 12), // RFC 792
            (ICMPV6, Some(kind)) => matches!(kind, 129 | 1..=4),     // RFC 4443
            _ => false,
        };
        is_news && self.lan.is_pair(now, to, packet.destination)
    }
}

/// The name of an IP protocol, as people write it.
pub fn protocol_name(protocol: u8) -> String {
    match protocol {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        ICMPV4 | ICMPV6 => "icmp".to_owned(),
        132 => "sctp".to_owned(),
        other => format!("protocol {other}"),
    }
}

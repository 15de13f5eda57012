//! The gateway's one truth: how the party stands, made of what the gateway knows (spec R120).
//!
//! Pure: facts come in with their times, a [`Snapshot`] comes out. `ctl`, the party page and the metrics are views of it.

mod chronicle;
mod guests;
mod leases;
mod minute;
#[cfg(test)]
mod tests;
mod warnings;
mod words;

pub(crate) use chronicle::About;

use crate::controls::Controls;
use crate::relays::Relays;
use chronicle::Chronicle;
use lanparty_ctrl::{LeaveReason, Notice, NoticeKind, Term, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_gateway_control::{
    LanSide, Link, LinkState, Mark, Party, Players, Port, Rates, Snapshot, VERSION,
};
use lanparty_obs::{DropReason, PeerStats, Ways};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_switch::DhcpTalk;
use leases::Leases;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use warnings::{Seen, Trouble};

/// How many troubles that the relay tells of are kept in mind.
const MAX_SEEN: usize = 64;
/// The relay tells of the same trouble every 30 seconds while it lasts.
const NOTICED: Duration = Duration::from_secs(75);
/// And once only of who has the MAC of a machine on the LAN, for as long as that is remembered.
const LOOKALIKE: Duration = Duration::from_secs(400);
/// The relay has announced everybody by then who is in the room.
const ANNOUNCED: Duration = Duration::from_secs(3);
/// A rate is of the last seconds.
const RATE_OVER: Duration = Duration::from_millis(900);
/// What has grown is news for so long.
const GROWN: Duration = Duration::from_secs(60);

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// In seconds since 1970.
    pub(crate) unix: u64,
}

/// What is wrong with the LAN's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LanTrouble {
    /// What of it makes it the same trouble.
    pub(crate) id: &'static str,
    pub(crate) sentence: String,
}

/// How the gateway's own link does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LinkFigures {
    pub(crate) ping: Option<Duration>,
    pub(crate) loss_permille: Option<u16>,
    /// True while the relay owes an answer.
    pub(crate) is_faint: bool,
}

/// What the gateway knows of its party, beside what its [`Controls`] know.
#[derive(Debug)]
pub(crate) struct Picture {
    began: Instant,
    program: &'static str,
    hosted: bool,
    relay: String,
    link: LinkState,
    link_since: Instant,
    /// Why there is none, or where the relay was found.
    link_sentence: String,
    figures: LinkFigures,
    interface: String,
    lan_trouble: Option<LanTrouble>,
    /// For how long the LAN has said nothing, where that is known.
    lan_silence: Option<Duration>,
    /// Whether this machine takes part, or why it does not though it should.
    this_machine: Result<bool, String>,
    port: Option<Port>,
    looped: Option<MacAddr>,
    seen: BTreeMap<(NoticeKind, VirtualMac), Seen>,
    leases: Leases,
    /// What the relay said of the members last, and when.
    members: Players,
    members_at: Option<Instant>,
    guests: BTreeMap<PeerId, guests::Sight>,
    /// The ways to those of whom more is known than that the relay leads to them.
    ways: BTreeMap<PeerId, Ways>,
    /// Who was said to have come, and not to have gone.
    known_in: BTreeSet<VirtualMac>,
    rates: Rates,
    /// The bytes to and from the LAN, when they were counted last.
    counted: Option<(Instant, [u64; 2])>,
    /// When frames died last for what the host can mend, and how many had by then.
    grown: BTreeMap<DropReason, (u64, Option<Instant>)>,
    /// Why the host's orders are not kept.
    not_kept: Option<String>,
    /// What the relay says of its end, if that is near.
    drain: Option<String>,
    /// At which relays the party may be.
    pub(crate) relays: Relays,
    chronicle: Chronicle,
    /// What was wrong when it was looked at last, and what is said when it is over.
    standing: BTreeMap<String, Trouble>,
}

/// Who and where a gateway is.
pub(crate) struct Place {
    pub(crate) program: &'static str,
    pub(crate) relay: String,
    pub(crate) interface: String,
    /// True where the relay runs beside it.
    pub(crate) hosted: bool,
    /// At which relays it may be.
    pub(crate) relays: Relays,
}

impl Picture {
    pub(crate) fn new(now: Instant, place: Place) -> Self {
        Picture {
            began: now,
            program: place.program,
            hosted: place.hosted,
            link: LinkState::Connecting,
            link_since: now,
            link_sentence: format!("Connecting to the relay {}.", place.relay),
            relay: place.relay,
            figures: LinkFigures::default(),
            interface: place.interface,
            lan_trouble: None,
            lan_silence: None,
            this_machine: Ok(false),
            port: None,
            looped: None,
            seen: BTreeMap::new(),
            leases: Leases::default(),
            members: Players::default(),
            members_at: None,
            guests: BTreeMap::new(),
            ways: BTreeMap::new(),
            known_in: BTreeSet::new(),
            rates: Rates::default(),
            counted: None,
            grown: BTreeMap::new(),
            not_kept: None,
            drain: None,
            relays: place.relays,
            chronicle: Chronicle::default(),
            standing: BTreeMap::new(),
        }
    }

    /// The link stands, to the relay at this address.
    pub(crate) fn note_link(&mut self, now: Instant, relay: impl std::fmt::Display) {
        self.set_link(now, LinkState::Connected);
        let place = self.relays.place().map(|place| format!(", {place}"));
        let place = place.unwrap_or_default();
        self.link_sentence = format!("Connected to the relay {relay}{place}.");
        self.drain = None;
        self.figures = LinkFigures::default();
    }

    /// Which of several relays that is: with its region, and the term of this stay.
    pub(crate) fn note_relay(
        &mut self,
        now: Moment,
        at: &RelayAddress,
        of: (Option<Text>, Option<Term>),
    ) {
        let (region, term) = of;
        let has_moved = self.relays.note_joined(at, region, term);
        if let Some(place) = self.relays.place() {
            self.relay = at.to_string();
            if has_moved {
                let sentence = format!("The party is at the relay {at} now, {place}.");
                self.note_event(now, About::Party, Mark::Note, &sentence);
            }
        }
    }

    /// There is no link, or none any more, and a sentence says why.
    pub(crate) fn note_no_link(&mut self, now: Instant, sentence: &str) {
        let state = match self.link {
            LinkState::Connecting => LinkState::Connecting,
            LinkState::Connected | LinkState::Lost => LinkState::Lost,
        };
        self.set_link(now, state);
        self.relays.note_lost();
        sentence.clone_into(&mut self.link_sentence);
        self.figures = LinkFigures::default();
        self.guests.clear();
        self.ways.clear();
        self.members = Players::default();
        self.members_at = None;
        self.looped = None;
        self.rates = Rates::default();
        self.counted = None;
        self.lan_silence = None;
        self.seen.retain(|_, seen| !seen.of_member);
        self.leases.forget_askers();
    }

    fn set_link(&mut self, now: Instant, state: LinkState) {
        if self.link != state {
            self.link = state;
            self.link_since = now;
        }
    }

    /// How the standing link does.
    pub(crate) fn note_figures(&mut self, figures: LinkFigures) {
        self.figures = figures;
    }

    /// Which ways lead to the players. True when one of them takes another one now.
    pub(crate) fn note_ways(&mut self, ways: &[(PeerId, Ways)]) -> bool {
        let now: BTreeMap<_, _> = ways.iter().copied().collect();
        let taken = |ways: &BTreeMap<PeerId, Ways>| -> Vec<_> {
            let taken = ways.iter();
            taken.map(|(&peer, ways)| (peer, ways.way)).collect()
        };
        let has_changed = taken(&now) != taken(&self.ways);
        self.ways = now;
        has_changed
    }

    /// What is wrong with the LAN's interface; nothing when frames cross it.
    pub(crate) fn note_lan(&mut self, trouble: Option<LanTrouble>) {
        self.lan_trouble = trouble;
    }

    /// For how long the LAN has said nothing.
    pub(crate) fn note_lan_silence(&mut self, silence: Option<Duration>) {
        self.lan_silence = silence;
    }

    /// Whether this machine takes part, or why it does not though it should.
    pub(crate) fn note_this_machine(&mut self, takes_part: Result<bool, String>) {
        self.this_machine = takes_part;
    }

    /// How players come in from outside.
    pub(crate) fn note_port(&mut self, port: Option<Port>) {
        self.port = port;
    }

    /// Whose frames come back from the LAN, while any do.
    pub(crate) fn note_loop(&mut self, looped: Option<MacAddr>) {
        self.looped = looped;
    }

    /// Why the host's orders are not kept; nothing when they are.
    pub(crate) fn note_kept(&mut self, trouble: Option<String>) {
        self.not_kept = trouble;
    }

    /// The relay has told of all members.
    pub(crate) fn note_members(&mut self, now: Instant, members: Players) {
        let lan = members.drops.of(DropReason::LanRate);
        self.note_growth(now, DropReason::LanRate, lan);
        for player in &members.players {
            let sight = self.guests.entry(player.member.peer_id).or_default();
            sight.note(now, &player.member);
        }
        self.members = members;
        self.members_at = Some(now);
    }

    /// What the bridge has counted.
    pub(crate) fn note_stats(&mut self, now: Instant, stats: &PeerStats) {
        for reason in [DropReason::PortRefused, DropReason::MachineRefused] {
            self.note_growth(now, reason, stats.drops.of(reason));
        }
        let bytes = [stats.bytes_from_relay, stats.bytes_to_relay];
        let Some((then, before)) = self.counted else {
            self.counted = Some((now, bytes));
            return;
        };
        let passed = now.saturating_duration_since(then);
        if passed < RATE_OVER {
            return;
        }
        let rate = |at: usize| {
            let grown = u128::from(bytes[at].saturating_sub(before[at]));
            u64::try_from(grown * 1000 / passed.as_millis().max(1)).unwrap_or(u64::MAX)
        };
        self.rates = Rates {
            to_lan: rate(0),
            from_lan: rate(1),
        };
        self.counted = Some((now, bytes));
    }

    fn note_growth(&mut self, now: Instant, reason: DropReason, count: u64) {
        let (known, grown) = self.grown.entry(reason).or_insert((count, None));
        if count > *known {
            *grown = Some(now);
        }
        *known = count;
    }

    /// True when frames died for this of late.
    fn has_grown(&self, now: Instant, reason: DropReason) -> bool {
        let grown = self.grown.get(&reason).and_then(|(_, at)| *at);
        grown.is_some_and(|at| now.saturating_duration_since(at) < GROWN)
    }

    /// The relay says that it will end, or that it stays after all.
    pub(crate) fn note_drain(&mut self, notice: &Notice) {
        let ends = notice.kind == NoticeKind::Draining;
        self.drain = ends.then(|| notice.to_host("–").to_string());
    }

    /// The relay, or our own switch, tells of something about a player.
    pub(crate) fn note_notice(&mut self, now: Instant, notice: &Notice, controls: &Controls) {
        let member = notice.peer_id.and_then(|peer| controls.player(peer));
        let mac = member.map(|player| player.mac).or(notice.mac);
        let (Some(mac), Some(who)) = (mac, controls.meant_by(notice)) else {
            return;
        };
        let lasts = match notice.kind {
            // As the host wants it.
            NoticeKind::Muted
            | NoticeKind::Isolated
            | NoticeKind::Draining
            | NoticeKind::Staying => return,
            NoticeKind::MacOnLan => LOOKALIKE,
            _ => NOTICED,
        };
        if self.seen.len() >= MAX_SEEN && !self.seen.contains_key(&(notice.kind, mac)) {
            return;
        }
        let seen = Seen {
            sentence: notice.to_host(who).to_string(),
            until: now + lasts,
            of_member: notice.kind != NoticeKind::MacOnLan,
        };
        self.seen.insert((notice.kind, mac), seen);
    }

    /// A player and a DHCP server have talked.
    pub(crate) fn note_dhcp(&mut self, now: Moment, talk: DhcpTalk, controls: &Controls) {
        let news = self.leases.hear(now.instant, talk);
        let news = news.and_then(|(mac, address)| Some((VirtualMac::try_from(mac).ok()?, address)));
        if let Some((mac, address)) = news {
            let who = controls.words_for_mac(mac);
            let sentence = format!("{who} has got the LAN address {address}.");
            let key = format!("address {mac}");
            self.chronicle
                .note(now, (About::Player, &key), Mark::Note, &sentence);
        }
    }

    /// Somebody is in. Who is announced anew after a lost link was there before.
    pub(crate) fn note_joined(&mut self, now: Moment, mac: VirtualMac, who: &str) {
        // Its own MAC is nobody's on the LAN then.
        self.seen.remove(&(NoticeKind::MacOnLan, mac));
        if !self.known_in.insert(mac) {
            return;
        }
        let key = format!("joined {mac}");
        let sentence = format!("{who} joined.");
        self.chronicle
            .note(now, (About::Player, &key), Mark::Note, &sentence);
    }

    /// Somebody is gone.
    pub(crate) fn note_left(
        &mut self,
        now: Moment,
        (peer, mac): (PeerId, VirtualMac),
        (who, reason): (&str, LeaveReason),
    ) {
        self.guests.remove(&peer);
        self.ways.remove(&peer);
        self.seen
            .retain(|&(_, whose), seen| whose != mac || !seen.of_member);
        self.leases.forget_asker(mac.addr());
        self.known_in.remove(&mac);
        let key = format!("left {mac}");
        let sentence = format!("{who} left: it {reason}.");
        self.chronicle
            .note(now, (About::Player, &key), Mark::Note, &sentence);
    }

    /// Something has happened that is no one's trouble, such as an order.
    pub(crate) fn note_event(&mut self, now: Moment, about: About, mark: Mark, sentence: &str) {
        self.chronicle.note(now, (about, sentence), mark, sentence);
    }

    /// Which LAN address a player has, as far as the gateway knows.
    pub(crate) fn address_of(&self, peer: PeerId, mac: VirtualMac) -> Option<std::net::IpAddr> {
        let told = self.guests.get(&peer).and_then(guests::Sight::address);
        told.or_else(|| self.leases.of(mac.addr()).map(Into::into))
    }

    /// A second has passed.
    pub(crate) fn handle_second(&mut self, now: Moment, controls: &Controls) {
        self.leases.expire(now.instant);
        self.relays.handle_second(now.instant);
        self.seen.retain(|_, seen| now.instant < seen.until);
        let own = self.figures.ping;
        for (peer, sight) in &mut self.guests {
            let direct = self.ways.get(peer).and_then(guests::direct_us);
            sight.handle_second(now.instant, own, direct);
        }
        self.miss(now, controls);
    }

    /// Who was in when the link was lost, and is not when it stands again.
    fn miss(&mut self, now: Moment, controls: &Controls) {
        let stands = now.instant.saturating_duration_since(self.link_since);
        if self.link != LinkState::Connected || stands < ANNOUNCED {
            return;
        }
        let here: BTreeSet<_> = controls.players().map(|(_, player)| player.mac).collect();
        let missed = self.known_in.difference(&here).copied();
        let missed: Vec<_> = missed.filter(|&mac| !controls.stays(mac)).collect();
        for mac in missed {
            self.known_in.remove(&mac);
            let who = controls.words_for_mac(mac);
            let key = format!("left {mac}");
            let sentence = format!("{who} left while the gateway had no link.");
            self.chronicle
                .note(now, (About::Player, &key), Mark::Note, &sentence);
        }
    }

    /// Notes what has gone wrong and what is right again since this was asked last. True when anything has.
    pub(crate) fn settle(&mut self, now: Moment, controls: &Controls) -> bool {
        let troubles = self.troubles(now.instant, controls).into_iter();
        let troubles: BTreeMap<_, _> = troubles
            .map(|trouble| (trouble.key.clone(), trouble))
            .collect();
        let before = std::mem::take(&mut self.standing);
        let mut has_changed = false;
        for (key, trouble) in &before {
            if !troubles.contains_key(key) {
                has_changed = true;
                if !self.is_over(trouble) {
                    continue;
                }
                let over = format!("over {key}");
                self.chronicle
                    .note(now, (trouble.about, &over), Mark::Note, &trouble.over);
            }
        }
        for (key, trouble) in &troubles {
            if !before.contains_key(key) {
                has_changed = true;
                let warning = &trouble.warning;
                self.chronicle
                    .note(now, (trouble.about, key), warning.mark, &warning.sentence);
            }
        }
        self.standing = troubles;
        has_changed
    }

    /// How everything stands.
    pub(crate) fn snapshot(&self, now: Instant, controls: &Controls) -> Snapshot {
        // To a relay in this program there is no way; in the sums for players it counts as nothing.
        let way = self.figures.ping.filter(|ping| !ping.is_zero());
        let seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
        let troubles = self.troubles(now, controls).into_iter();
        let reaches = controls.reaches();
        Snapshot {
            version: VERSION,
            program: self.program.to_owned(),
            seconds: seconds(self.began),
            party: Party {
                room: controls.room().room.to_string(),
                name: controls.party_name().map(ToString::to_string),
                keyed: controls.is_keyed(),
                hosted: self.hosted,
            },
            lan: LanSide {
                interface: self.interface.clone(),
                up: self.lan_trouble.is_none(),
                trouble: self.lan_trouble.clone().map(|trouble| trouble.sentence),
                with_this_machine: self.this_machine == Ok(true),
            },
            link: Link {
                relay: self.relay.clone(),
                state: self.link,
                seconds: seconds(self.link_since),
                sentence: self.link_sentence.clone(),
                ping_us: way.map(guests::micros),
                loss_permille: self.figures.loss_permille,
                places: self.places(now),
            },
            port: self.port.clone(),
            locked: controls.locks() || self.members.locked,
            isolated: controls.keeps_apart() || self.members.isolated,
            reach: reaches.everybody,
            players: self.list(now, controls),
            bans: controls.banned().to_vec(),
            games: controls.games(),
            leases: self.leases.list(now),
            attempts: reaches.attempts,
            warnings: troubles.map(|trouble| trouble.warning).collect(),
            events: self.chronicle.events(),
            rates: self.rates,
            drops: self.members.drops.clone(),
        }
    }
}

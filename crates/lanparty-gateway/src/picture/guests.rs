//! Who is in the room, and how it is for each.

use super::minute::Minute;
use super::{Picture, words};
use crate::controls::{Controls, Present};
use lanparty_ctrl::orders::MemberReport;
use lanparty_gateway_control::{Guest, Measured, Players, Rates, Relays, Way};
use lanparty_obs::{NotDirect, Ways};
use lanparty_proto::PeerId;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A report is good for so long: twice as long as the gateway lets pass without asking when nobody looks, and more.
const FRESH: Duration = Duration::from_secs(12);

/// What is known of one of them, while it is in.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    told: Option<(Instant, MemberReport)>,
    minute: Minute,
}

impl Sight {
    pub(super) fn note(&mut self, now: Instant, report: &MemberReport) {
        self.told = Some((now, report.clone()));
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        let (_, report) = self.told.as_ref()?;
        report.addresses.first().copied()
    }

    /// A second has passed, in which the gateway was so far from the relay, and from the player itself where frames go
    /// straight.
    pub(super) fn handle_second(
        &mut self,
        now: Instant,
        own: Option<Duration>,
        direct: Option<u32>,
    ) {
        let ping_us = direct.or_else(|| self.ping_us(now, own));
        self.minute.push(ping_us);
    }

    fn report(&self, now: Instant) -> Option<&MemberReport> {
        let (at, report) = self.told.as_ref()?;
        (now.saturating_duration_since(*at) < FRESH).then_some(report)
    }

    /// Both halves of the way by the relay.
    fn ping_us(&self, now: Instant, own: Option<Duration>) -> Option<u32> {
        let theirs = u32::try_from(self.report(now)?.rtt_us?).unwrap_or(u32::MAX);
        Some(theirs.saturating_add(micros(own?)))
    }
}

impl Picture {
    /// By name and then by MAC, so that rows stay where they are.
    pub(super) fn list(&self, now: Instant, controls: &Controls) -> Vec<Guest> {
        let players = controls.players();
        let mut guests: Vec<_> = players
            .map(|(peer, player)| self.guest(now, (peer, player), controls))
            .collect();
        guests.sort_by_cached_key(|guest| {
            let name = guest.name.as_deref().unwrap_or_default().to_lowercase();
            (guest.name.is_none(), name, guest.mac.clone())
        });
        guests
    }

    fn guest(
        &self,
        now: Instant,
        (peer, player): (PeerId, &Present),
        controls: &Controls,
    ) -> Guest {
        let sight = self.guests.get(&peer);
        let told = sight.and_then(|sight| sight.told.as_ref());
        let report = told.map(|(_, report)| report);
        let fresh = sight.and_then(|sight| sight.report(now));
        let since = told.map_or(0, |&(at, _)| now.saturating_duration_since(at).as_secs());
        let name = controls.shown_name(player);
        let own_name = player.name.as_ref().filter(|&own| Some(own) != name);
        let commonest = report.map(|report| report.drops.commonest(1));
        let lent = self.leases.of(player.mac.addr()).map(IpAddr::from);
        let relay = Measured {
            rtt_us: sight.and_then(|sight| sight.ping_us(now, self.figures.ping)),
            loss_permille: fresh.and_then(|report| report.loss_permille),
        };
        let ways = self.ways_of(peer, relay);
        let addresses = report.map(|report| report.addresses.clone());
        let addresses = addresses.filter(|addresses| !addresses.is_empty());
        Guest {
            mac: player.mac.to_string(),
            name: name.map(ToString::to_string),
            own_name: own_name.map(ToString::to_string),
            key: player.identity.map(|identity| identity.short()),
            addresses: addresses.unwrap_or_else(|| lent.into_iter().collect()),
            way: ways.way,
            ping_us: ways.now().rtt_us,
            relay: ways.relay,
            direct: ways.direct,
            not_direct: ways.not_direct.map(NotDirect::to_host),
            pings_us: sight
                .map(|sight| sight.minute.seconds())
                .unwrap_or_default(),
            loss_permille: ways.now().loss_permille,
            rates: Rates {
                to_lan: fresh.and_then(|report| report.sends).unwrap_or(0),
                from_lan: fresh.and_then(|report| report.receives).unwrap_or(0),
            },
            seconds: report.map_or(0, |report| report.seconds.saturating_add(since)),
            muted: report.is_some_and(|report| report.muted) || controls.mutes(player),
            reach: controls.own_reach(player),
            dropped: report.map_or(0, |report| report.dropped),
            drops: report
                .map(|report| report.drops.clone())
                .unwrap_or_default(),
            dropped_why: commonest.and_then(|commonest| {
                let (reason, _) = commonest.iter().next()?;
                Some(words::why(reason))
            }),
        }
    }
}

impl Picture {
    /// The same list with the ways that lead to them.
    pub(crate) fn with_ways(&self, now: Instant, mut members: Players) -> Players {
        for player in &mut members.players {
            let peer = player.member.peer_id;
            let sight = self.guests.get(&peer);
            let relay = Measured {
                rtt_us: sight.and_then(|sight| sight.ping_us(now, self.figures.ping)),
                loss_permille: player.member.loss_permille,
            };
            let ways = self.ways_of(peer, relay);
            (player.way, player.ping_us) = (ways.way, ways.now().rtt_us);
        }
        members.places = self.places(now);
        members
    }

    /// Where the party may be, and what is known of that.
    pub(crate) fn places(&self, now: Instant) -> Relays {
        let way = self.figures.ping.filter(|ping| !ping.is_zero());
        self.relays.shown_at(now, way)
    }

    /// By which way each player's frames go.
    pub(crate) fn ways(&self, controls: &Controls) -> impl Iterator<Item = Way> {
        let players = controls.players();
        players.map(|(peer, _)| self.ways_of(peer, Measured::default()).way)
    }

    /// What the relay says of the way by itself is later than what those at its ends have heard.
    fn ways_of(&self, peer: PeerId, relay: Measured) -> Ways {
        let known = self.ways.get(&peer).copied();
        let known = known.unwrap_or_else(|| Ways {
            way: Way::by_relay(self.hosted, false),
            ..Ways::default()
        });
        Ways { relay, ..known }
    }
}

/// The direct way's round trip, where that is the way.
pub(super) fn direct_us(ways: &Ways) -> Option<u32> {
    ways.direct.rtt_us.filter(|_| ways.way == Way::Direct)
}

pub(super) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

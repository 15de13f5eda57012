//! The relay's numbers, as Prometheus reads them. No label is anybody's name, address or room.

use super::Rooms;
use super::counts::{Counted, HANDSHAKES, KNOCKS};
use super::fleet::FleetFigures;
use super::tcp_knock::TcpKnock;
use crate::registry::{Census, KindTotals};
use lanparty_ctrl::door::NoMeetingReason;
use lanparty_ctrl::{LeaveReason, RejectReason};
use lanparty_metrics::{Buckets, Sheet};
use lanparty_obs::DropReason;
use lanparty_quic::{Endpoint, Totals};
use std::time::{SystemTime, UNIX_EPOCH};

/// What each name begins with.
pub(super) const PREFIX: &str = "lanparty_relay";

/// All numbers at one moment.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) census: Census,
    pub(super) counted: Counted,
    pub(super) links: Totals,
    /// Of a relay in a fleet.
    pub(super) fleet: Option<FleetFigures>,
}

/// A copy of all numbers. The lock is held while they are added up, which is some microseconds.
pub(super) fn copy(rooms: &Rooms, endpoint: &Endpoint) -> Figures {
    let census = rooms.lock().census();
    let mut links = endpoint.totals();
    if let Some(inside) = rooms.inside.get() {
        inside.add_to(&mut links);
    }
    Figures {
        census,
        counted: rooms.counts.copy(),
        links,
        fleet: rooms.fleet.get().map(|fleet| fleet.figures()),
    }
}

/// Why nobody new is taken in, if so.
pub(super) fn ready(figures: &Figures) -> Result<(), &'static str> {
    let trouble = figures.fleet.as_ref().and_then(|fleet| fleet.trouble);
    match (figures.census.is_draining, trouble) {
        (true, _) => Err("the relay is draining and takes in nobody new"),
        (false, Some(trouble)) => Err(trouble),
        (false, None) => Ok(()),
    }
}

/// Writes all of it down.
pub(super) fn write(figures: &Figures, sheet: &mut Sheet) {
    write_who_is_here(&figures.census, sheet);
    write_comings_and_goings(figures, sheet);
    write_introductions(&figures.census, sheet);
    write_received(&figures.census, sheet);
    write_sent(&figures.counted, sheet);
    write_links(&figures.links, sheet);
    write_limits(&figures.census, sheet);
    if let Some(fleet) = &figures.fleet {
        write_fleet(fleet, sheet);
    }
    let ends = figures.counted.certificate_ends;
    let left = ends.map_or(f64::INFINITY, |ends| ends as f64 - seconds_since_1970());
    let help = "How long the certificate holds; for ever where the relay has a key of its own";
    sheet.gauge("certificate_left_seconds", help, &[], left);
}

fn seconds_since_1970() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

fn write_who_is_here(census: &Census, sheet: &mut Sheet) {
    let help = "Rooms that there are: for invited people, and open to everybody";
    for (access, rooms) in [("invited", census.keyed_rooms), ("open", census.open_rooms)] {
        sheet.gauge("rooms", help, &[("access", access)], rooms as f64);
    }
    let help = "Peers that are in a room";
    for (role, peers) in [("player", census.players), ("gateway", census.gateways)] {
        sheet.gauge("peers", help, &[("role", role)], peers as f64);
    }
    let help =
        "Players who have asked for their party in the last seconds while its gateway was not here";
    sheet.gauge("waiting_players", help, &[], census.waiting as f64);
    let help = "1 while nobody new is taken in";
    sheet.gauge(
        "draining",
        help,
        &[],
        f64::from(u8::from(census.is_draining)),
    );
}

fn write_comings_and_goings(figures: &Figures, sheet: &mut Sheet) {
    let totals = &figures.census.totals;
    let help = "Rooms that were opened";
    sheet.counter("opened_rooms", help, &[], totals.rooms);
    let help = "Peers that were let in, for the first time or back to their own place";
    for (role, kind) in by_role(&figures.census) {
        sheet.counter("joins", help, &[("role", role), ("how", "new")], kind.new);
        sheet.counter("joins", help, &[("role", role), ("how", "back")], kind.back);
    }
    let help = "Peers that have left, by reason";
    for (reason, &count) in LeaveReason::ALL.iter().zip(&totals.left) {
        sheet.counter("leaves", help, &[("reason", reason.name())], count);
    }
    let counted = &figures.counted;
    let help =
        "Those who were not let in, by what they were told; protocol: they did not speak ours";
    for (reason, &count) in RejectReason::ALL.iter().zip(&counted.refused) {
        sheet.counter("refusals", help, &[("reason", reason.name())], count);
    }
    sheet.counter("refusals", help, &[("reason", "protocol")], counted.strange);
    let help = "Those who asked from where they are seen, and for nothing else";
    sheet.counter("looks", help, &[], counted.looks);
    let help = "Those who asked whether their party is here and were told";
    sheet.counter("finds", help, &[], figures.census.finds);
    let help = "First packets of strangers, and whether they were heard";
    for (answer, &count) in KNOCKS.iter().zip(&counted.knocks) {
        sheet.counter("knocks", help, &[("answer", answer)], count);
    }
    let help = "Connections that were made over TCP, and what has become of them";
    for (outcome, &count) in TcpKnock::NAMES.iter().zip(&counted.tcp) {
        sheet.counter("tcp_knocks", help, &[("outcome", outcome)], count);
    }
    let help = "Handshakes that have ended, and how";
    for (result, &count) in HANDSHAKES.iter().zip(&counted.handshakes) {
        sheet.counter("handshakes", help, &[("result", result)], count);
    }
}

fn write_introductions(census: &Census, sheet: &mut Sheet) {
    let told = &census.totals.introductions;
    let help = "Rounds in which a player and its gateway were introduced for a direct path: those that began, in which both were ready, \
         and that led to one";
    for (stage, rounds) in [
        ("begun", told.rounds),
        ("ready", told.ready),
        ("met", told.met),
    ] {
        sheet.counter("introductions", help, &[("stage", stage)], rounds);
    }
    let help = "How often somebody who wanted a direct path was told that there is none, by reason";
    for (reason, &count) in NoMeetingReason::ALL.iter().zip(&told.refused) {
        let labels = [("reason", reason.name())];
        sheet.counter("introductions_refused", help, &labels, count);
    }
}

fn by_role(census: &Census) -> [(&'static str, &KindTotals); 2] {
    [
        ("player", &census.totals.players),
        ("gateway", &census.totals.gateways),
    ]
}

fn write_received(census: &Census, sheet: &mut Sheet) {
    for (from, KindTotals { carried, .. }) in by_role(census) {
        let from = [("from", from)];
        let help =
            "Datagrams that came: each a frame, a piece of one, a probe of the path, or dropped";
        sheet.counter("received_datagrams", help, &from, carried.datagrams);
        let help = "Pieces of frames that waited for the rest";
        sheet.counter("received_pieces", help, &from, carried.pieces);
        let help = "Probes of the path, each of which went back";
        sheet.counter("received_probes", help, &from, carried.probes);
        let help = "Frames that came and were forwarded";
        sheet.counter("received_frames", help, &from, carried.frames);
        let help = "Bytes of the frames that came and were forwarded";
        sheet.counter("received_bytes", help, &from, carried.bytes);
    }
    let help = "What came and was dropped, by reason";
    for (from, KindTotals { carried, .. }) in by_role(census) {
        for &reason in DropReason::ALL {
            let labels = [("from", from), ("reason", reason.name())];
            sheet.counter("dropped_frames", help, &labels, carried.drops.of(reason));
        }
    }
}

fn write_sent(counted: &Counted, sheet: &mut Sheet) {
    for (to, [frames, bytes, link_down]) in ["player", "gateway"].iter().zip(counted.sent) {
        let to = [("to", *to)];
        let help = "Frames that were handed to a peer's link, one for each who gets it";
        sheet.counter("sent_frames", help, &to, frames);
        sheet.counter("sent_bytes", help, &to, bytes);
        let help = "Frames for peers whose link was down";
        sheet.counter("unsent_frames", help, &to, link_down);
    }
}

fn write_links(links: &Totals, sheet: &mut Sheet) {
    let Totals {
        queue,
        waited,
        udp,
        carried,
    } = links;
    let help = "Frames that died in the queue in front of a link, by whether their flow sends little, and by reason";
    for (flow, drops) in [("sparse", queue.sparse), ("bulk", queue.bulk)] {
        for (reason, frames) in [
            ("full", drops.full),
            ("delay", drops.delay),
            ("stale", drops.stale),
        ] {
            let labels = [("flow", flow), ("reason", reason)];
            sheet.counter("queue_dropped_frames", help, &labels, frames);
        }
    }
    let help = "Frames that QUIC did not take from the queue";
    sheet.counter("queue_refused_frames", help, &[], queue.refused);
    let help = "Datagrams of peers that came faster than they were read, and are lost";
    sheet.counter("overrun_datagrams", help, &[], queue.overrun);
    let (powers, beyond, sum) = waited.by_power();
    let counts = powers
        .into_iter()
        .map(|(wait, frames)| (wait.as_secs_f64(), frames));
    let waits = Buckets {
        counts: counts.collect(),
        beyond,
        sum: sum.as_secs_f64(),
    };
    let help = "How long frames waited in front of a link, of those that went on";
    sheet.histogram("queue_wait_seconds", help, waits);
    let help = "System calls that moved UDP datagrams";
    sheet.counter("udp_calls", help, &[("direction", "sent")], udp.sends);
    sheet.counter(
        "udp_calls",
        help,
        &[("direction", "received")],
        udp.receives,
    );
    let help = "UDP datagrams that were moved, but those to strangers";
    sheet.counter("udp_datagrams", help, &[("direction", "sent")], udp.sent);
    sheet.counter(
        "udp_datagrams",
        help,
        &[("direction", "received")],
        udp.received,
    );
    let help = "TCP connections that carry packets, those of strangers among them";
    sheet.gauge("tcp_carriers", help, &[], carried.streams as f64);
    let help = "Packets that went over TCP";
    for (direction, packets) in [("sent", carried.sent), ("received", carried.received)] {
        sheet.counter("tcp_packets", help, &[("direction", direction)], packets);
    }
}

fn write_fleet(fleet: &FleetFigures, sheet: &mut Sheet) {
    let flag = |is: bool| f64::from(u8::from(is));
    let unknown = f64::INFINITY;
    for (name, help, value) in [
        (
            "fleet_in",
            "1 while the relay is in its fleet, and opens rooms",
            flag(fleet.is_in),
        ),
        (
            "fleet_takes_rooms",
            "1 while it takes new rooms: it is in, does not drain, and has free places",
            flag(fleet.takes_rooms),
        ),
        (
            "fleet_busy",
            "1 while it reads packets late, and gets new rooms only where all relays do",
            flag(fleet.is_slow),
        ),
        (
            "fleet_relays",
            "Relays of the fleet, this one among them",
            fleet.relays as f64,
        ),
        (
            "fleet_rooms",
            "Rooms that are this relay's in the fleet",
            fleet.rooms as f64,
        ),
        (
            "fleet_lease_age_seconds",
            "How long ago its lease was kept alive; infinite without one",
            fleet.lease_age.unwrap_or(unknown),
        ),
        (
            "fleet_directory_rtt_seconds",
            "The last round trip to the fleet's directory; infinite before the first",
            fleet.rtt.unwrap_or(unknown),
        ),
        (
            "fleet_read_lag_seconds",
            "How late packets are read, 99 of 100 in the last five seconds",
            fleet.lag.unwrap_or_default(),
        ),
    ] {
        sheet.gauge(name, help, &[], value);
    }
    for &(name, help, count) in &fleet.counters {
        sheet.counter(name, help, &[], count);
    }
}

fn write_limits(census: &Census, sheet: &mut Sheet) {
    let limits = census.limits;
    let help = "How much the relay takes on";
    for (what, limit) in [
        ("rooms", limits.rooms),
        ("peers", limits.peers),
        ("peers_per_address", limits.peers_per_address),
        ("peers_per_network", limits.peers_per_network),
        ("rooms_per_address", limits.rooms_per_address),
        ("rooms_per_network", limits.rooms_per_network),
        ("clients_per_room", limits.clients_per_room),
    ] {
        sheet.gauge("limit", help, &[("of", what)], limit as f64);
    }
}

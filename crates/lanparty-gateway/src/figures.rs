//! What the gateway has done since it started, and how it is: for metrics. No label is anybody's name or address.

use lanparty_ctrl::Term;
use lanparty_metrics::Sheet;
use lanparty_obs::{DropReason, PeerStats, Way};
use std::collections::BTreeMap;

/// What each name begins with.
pub(crate) const PREFIX: &str = "lanparty_gateway";

/// Counters and states. A bridge begins to count anew whenever its interface comes back; this does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// Of the bridges that are gone.
    gone: PeerStats,
    /// Of the one that is there.
    now: PeerStats,
    /// How often the relay has taken it in.
    joins: u64,
    is_linked: bool,
    lan_is_up: bool,
    round_trip_us: Option<u64>,
    /// Of the stay at the relay, where the room counts any.
    term: Option<Term>,
    /// How often the party has gone from one relay to another.
    moves: u64,
    /// Who is in.
    players: usize,
    /// By which way how many of them.
    ways: BTreeMap<&'static str, usize>,
    games: usize,
}

impl Figures {
    /// The bridge has counted so much.
    pub(crate) fn note(&mut self, stats: &PeerStats, players: usize, games: usize) {
        self.now.clone_from(stats);
        self.players = players;
        self.games = games;
    }

    /// There is a bridge to the LAN, or none.
    pub(crate) fn note_lan(&mut self, is_up: bool) {
        self.lan_is_up = is_up;
        if !is_up {
            add(&mut self.gone, &std::mem::take(&mut self.now));
            self.note_lost();
        }
    }

    /// The relay has taken the gateway in.
    pub(crate) fn note_joined(&mut self) {
        self.joins += 1;
        self.is_linked = true;
    }

    /// Which stay at a relay that is, after so many moves from one to another.
    pub(crate) fn note_stay(&mut self, term: Option<Term>, moves: u64) {
        (self.term, self.moves) = (term, moves);
    }

    /// How far the relay is.
    pub(crate) fn note_round_trip(&mut self, us: Option<u64>) {
        self.round_trip_us = us;
    }

    /// There is no link.
    pub(crate) fn note_lost(&mut self) {
        self.is_linked = false;
        self.round_trip_us = None;
        self.players = 0;
        self.ways.clear();
    }

    /// By which ways the players' frames go.
    pub(crate) fn note_ways(&mut self, ways: impl Iterator<Item = Way>) {
        self.ways.clear();
        for way in ways {
            *self.ways.entry(way.name()).or_default() += 1;
        }
    }

    fn totals(&self) -> PeerStats {
        let mut totals = self.gone.clone();
        add(&mut totals, &self.now);
        totals
    }
}

fn add(sum: &mut PeerStats, stats: &PeerStats) {
    sum.frames_to_relay += stats.frames_to_relay;
    sum.bytes_to_relay += stats.bytes_to_relay;
    sum.datagrams_to_relay += stats.datagrams_to_relay;
    sum.frames_from_relay += stats.frames_from_relay;
    sum.bytes_from_relay += stats.bytes_from_relay;
    sum.datagrams_from_relay += stats.datagrams_from_relay;
    sum.group_frames_from_relay += stats.group_frames_from_relay;
    sum.port_reads += stats.port_reads;
    sum.port_writes += stats.port_writes;
    sum.drops.add_all(&stats.drops);
}

/// Why the party does not reach the LAN, if so.
pub(crate) fn ready(figures: &Figures) -> Result<(), &'static str> {
    match (figures.lan_is_up, figures.is_linked) {
        (true, true) => Ok(()),
        (false, _) => Err("the LAN's interface cannot be used"),
        (true, false) => Err("there is no link to the relay"),
    }
}

/// Writes all of it down.
pub(crate) fn write(figures: &Figures, sheet: &mut Sheet) {
    let state = |is: bool| f64::from(u8::from(is));
    let help = "1 while the link to the relay stands";
    sheet.gauge("link_up", help, &[], state(figures.is_linked));
    let help = "1 while the LAN's interface is there, up, and has its cable";
    sheet.gauge("lan_up", help, &[], state(figures.lan_is_up));
    let help = "How often the relay has let the gateway in";
    sheet.counter("joins", help, &[], figures.joins);
    let help = "How often the party has gone from one relay to another";
    sheet.counter("relay_moves", help, &[], figures.moves);
    if let Some(us) = figures.round_trip_us {
        let help = "The round trip to the relay; left out while there is no link, and where the relay is in this program";
        sheet.gauge("round_trip_seconds", help, &[], us as f64 / 1e6);
    }
    if let Some(term) = figures.term {
        let help = "Counts up with each stay at a relay, and is higher after each start; left out in rooms without a key";
        sheet.gauge("term", help, &[], term.number() as f64);
    }
    let help = "Players in the room";
    sheet.gauge("players", help, &[], figures.players as f64);
    let help = "Players in the room, by the way that their frames take to the LAN";
    for way in Way::ALL {
        let count = figures.ways.get(way.name()).copied().unwrap_or(0);
        let labels = [("way", way.name())];
        sheet.gauge("players_by_way", help, &labels, count as f64);
    }
    let help = "Games that were heard of, on the LAN and on players";
    sheet.gauge("games", help, &[], figures.games as f64);
    write_carried(&figures.totals(), sheet);
}

fn write_carried(totals: &PeerStats, sheet: &mut Sheet) {
    for (direction, frames, bytes, datagrams) in [
        (
            "to_players",
            totals.frames_to_relay,
            totals.bytes_to_relay,
            totals.datagrams_to_relay,
        ),
        (
            "to_lan",
            totals.frames_from_relay,
            totals.bytes_from_relay,
            totals.datagrams_from_relay,
        ),
    ] {
        let direction = [("direction", direction)];
        let help = "Frames that crossed between the LAN and the relay";
        sheet.counter("frames", help, &direction, frames);
        let help = "Bytes of the frames that crossed";
        sheet.counter("bytes", help, &direction, bytes);
        let help = "Datagrams of the link to the relay";
        sheet.counter("datagrams", help, &direction, datagrams);
    }
    let help = "Frames for everybody or a group among those that went to the LAN";
    sheet.counter(
        "group_frames_to_lan",
        help,
        &[],
        totals.group_frames_from_relay,
    );
    let help = "Reads and writes of the LAN's interface that moved something";
    sheet.counter(
        "lan_calls",
        help,
        &[("direction", "from_lan")],
        totals.port_reads,
    );
    sheet.counter(
        "lan_calls",
        help,
        &[("direction", "to_lan")],
        totals.port_writes,
    );
    let help = "Frames that died in the gateway, by reason";
    for &reason in DropReason::ALL {
        let labels = [("reason", reason.name())];
        sheet.counter("dropped_frames", help, &labels, totals.drops.of(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_metrics::Buckets;
    use std::time::Duration;

    #[test]
    fn dashboard_and_alerts_ask_for_what_there_is() {
        let figures = Figures {
            round_trip_us: Some(1),
            ..Figures::default()
        };
        let lag = Buckets {
            counts: vec![(1.0, 1)],
            ..Buckets::default()
        };
        let mut sheet = Sheet::of_program(PREFIX, Duration::ZERO, lag);
        write(&figures, &mut sheet);
        let text = sheet.text();
        for asked in [
            include_str!("../../../dist/monitoring/lanparty-alerts.yml"),
            include_str!("../../../dist/monitoring/lanparty-grafana.json"),
            include_str!("../../../docs/relay-operator.md"),
        ] {
            let words =
                asked.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            for name in words.filter(|word| word.starts_with("lanparty_gateway_")) {
                let is_said = text.lines().any(|line| {
                    let rest = line.strip_prefix(name);
                    rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                });
                assert!(is_said, "{name} is asked for");
            }
        }
    }

    #[test]
    fn what_was_counted_outlives_a_cable_that_is_pulled() {
        let mut figures = Figures::default();
        assert!(ready(&figures).unwrap_err().contains("LAN"));
        figures.note_lan(true);
        assert!(ready(&figures).unwrap_err().contains("relay"));
        figures.note_joined();
        assert_eq!(ready(&figures), Ok(()));
        let mut stats = PeerStats::default();
        stats.count_sent(&[0; 100]);
        stats.drops.count(DropReason::Loop);
        // The bridge counts on, and is looked at again and again.
        figures.note(&stats, 3, 1);
        figures.note(&stats, 3, 1);
        figures.note_ways([Way::Direct, Way::Relay, Way::Direct].into_iter());
        let mut sheet = Sheet::of_program(PREFIX, Duration::ZERO, Buckets::default());
        write(&figures, &mut sheet);
        let text = sheet.text();
        for line in [
            "way=\"direct\"} 2.0",
            "way=\"relay\"} 1.0",
            "way=\"here\"} 0.0",
        ] {
            let line = format!("lanparty_gateway_players_by_way{{{line}\n");
            assert!(text.contains(&line), "{text}");
        }
        assert_eq!((figures.players, figures.games), (3, 1));
        figures.note_lan(false);
        assert!(ready(&figures).is_err() && figures.players == 0);
        figures.note_lan(true);
        figures.note_joined();
        figures.note_stay(Some(Term::new(7)), 1);
        let mut sheet = Sheet::of_program(PREFIX, Duration::ZERO, Buckets::default());
        write(&figures, &mut sheet);
        let text = sheet.text();
        assert!(
            text.contains("lanparty_gateway_relay_moves_total 1\n"),
            "{text}"
        );
        assert!(text.contains("lanparty_gateway_term 7"), "{text}");
        figures.note(&stats, 2, 0);
        let totals = figures.totals();
        assert_eq!((totals.frames_to_relay, totals.bytes_to_relay), (2, 200));
        assert_eq!((totals.drops.of(DropReason::Loop), figures.joins), (2, 2));
        figures.note_lost();
        assert!(ready(&figures).unwrap_err().contains("relay"));
        assert_eq!(
            figures.totals(),
            totals,
            "a link that is lost takes nothing along"
        );
    }
}

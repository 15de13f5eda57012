//! What the data path shall achieve, and whether a run has shown it.

use std::fmt::Write as _;

/// One aim; in this order they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    Trip,
    ShortTrip,
    TripTail,
    Calls,
    Packets,
    TcpCpu,
    SmallPackets,
    RelayFrame,
    RelayCores,
    RelayMemory,
    LanFlood,
    TapFlood,
    PeerFlood,
    GameBesideFlows,
    FullUplink,
    FullDownlink,
    BesideAnother,
}

impl Aim {
    const ALL: [Self; 17] = [
        Self::Trip,
        Self::ShortTrip,
        Self::TripTail,
        Self::Calls,
        Self::Packets,
        Self::TcpCpu,
        Self::SmallPackets,
        Self::RelayFrame,
        Self::RelayCores,
        Self::RelayMemory,
        Self::LanFlood,
        Self::TapFlood,
        Self::PeerFlood,
        Self::GameBesideFlows,
        Self::FullUplink,
        Self::FullDownlink,
        Self::BesideAnother,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Trip => "round trip of 60 pings/s above the bare path, p50: below every peer's",
            Self::ShortTrip => "the same, as far as it may go: at most 0.15 ms",
            Self::TripTail => "the same, p99: not above the best peer's",
            Self::Calls => "system calls per ping, all three programs: at most 18",
            Self::Packets => "UDP packets per ping, all three programs: at most 4.1",
            Self::TcpCpu => "TCP: processor time per GB at most 0.2 of the best peer's, both ways",
            Self::SmallPackets => "100-byte UDP: at least 5 times the best peer's rate, both ways",
            Self::RelayFrame => {
                "relay: processor time per forwarded small frame at most 0.3 of the old commit's"
            }
            Self::RelayCores => "relay: at least 1.8 times the frames on two cores",
            Self::RelayMemory => "relay: at most 40 KB of memory per idle player",
            Self::LanFlood => {
                "flood of 1000 flows at the LAN: other people's p99 within 5 ms of quiet, 0 lost"
            }
            Self::TapFlood => "the same at a TAP",
            Self::PeerFlood => "the same from one player at another",
            Self::GameBesideFlows => {
                "game beside one person's 1000 flows, 20 Mbit/s: 0 lost, p99 at most 5 ms above idle"
            }
            Self::FullUplink => "full uplink: the game's p99 less than 4 ms above idle",
            Self::FullDownlink => "full downlink: the game's p99 less than 4 ms above idle",
            Self::BesideAnother => {
                "beside a CUBIC outside the tunnel: at least a quarter within 10 s"
            }
        }
    }
}

/// What a run has found of the aims.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(Vec<(Aim, String, &'static str)>);

impl Verdicts {
    /// It was measured.
    pub(crate) fn judge(&mut self, aim: Aim, measured: String, is_met: bool) {
        self.0
            .push((aim, measured, if is_met { "yes" } else { "no" }));
    }

    /// It should have been, but could not.
    pub(crate) fn leave_out(&mut self, aim: Aim, reason: &str) {
        self.0.push((aim, format!("not measured: {reason}"), "–"));
    }

    /// All aims in Markdown, those that this run did not look at included.
    pub(crate) fn table(&self) -> String {
        let mut table = "| aim | measured | met |\n|---|---|---|\n".to_owned();
        for aim in Aim::ALL {
            let found = self.0.iter().find(|(of, ..)| *of == aim);
            let (measured, met) = found.map_or(("not measured in this run", "–"), |found| {
                let (_, measured, met) = found;
                (measured, met)
            });
            let title = aim.title();
            writeln!(table, "| {title} | {measured} | {met} |").expect("a string takes everything");
        }
        table
    }
}

/// The one in the middle; of an even number the upper one of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_bad_round() {
        assert_eq!(median(vec![3.0, 900.0, 2.0]), 3.0);
    }

    #[test]
    fn the_table_has_every_aim_once_and_says_which_were_not_measured() {
        let mut verdicts = Verdicts::default();
        verdicts.judge(Aim::Calls, "17.2".into(), true);
        verdicts.judge(Aim::Packets, "4.3".into(), false);
        verdicts.leave_out(Aim::Trip, "no other VPN could be had");
        let table = verdicts.table();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), Aim::ALL.len());
        assert!(rows[0].ends_with("| not measured: no other VPN could be had | – |"));
        assert!(
            rows[3].ends_with("at most 18 | 17.2 | yes |"),
            "{}",
            rows[3]
        );
        assert!(rows[4].ends_with("at most 4.1 | 4.3 | no |"), "{}", rows[4]);
        let silent = rows
            .iter()
            .filter(|row| row.ends_with("| not measured in this run | – |"));
        assert_eq!(silent.count(), Aim::ALL.len() - 3);
    }
}

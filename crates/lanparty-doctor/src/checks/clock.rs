//! Invites end at a time, so the clock must be right.

use super::Check;
use crate::facts::{Pc, System};
use crate::found::{Cure, Found};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const CHECK: Check = Check {
    id: "clock",
    about: "The clock",
    look,
    is_personal: false,
};

/// No version of this program is older: 2026-11-01, in seconds since 1970. A build's own time would make each build another one.
const MADE: u64 = 1_793_491_200;
/// Nobody runs a version that is older than this: ten years, in seconds.
const LONGEST_USE: u64 = 10 * 365 * 86_400;

fn look(pc: &dyn Pc) -> Option<Found> {
    let now = seconds(pc.now());
    let date = date(now);
    let set = Cure::by_hand(match pc.system() {
        System::Linux => "Let the network set it: `sudo timedatectl set-ntp true`.",
        System::Windows => "Set it: Settings, Time & language, Date & time, Sync now.",
    });
    Some(if now < MADE {
        Found::bad(
            format!("This computer's clock says {date}, which is before this program was made."),
            set,
        )
    } else if now > MADE + LONGEST_USE {
        Found::bad(
            format!(
                "This computer's clock says {date}, which is years ahead; every invite seems to have ended."
            ),
            set,
        )
    } else if pc.clock_is_kept() == Some(false) {
        Found::doubt(format!(
            "This computer's clock says {date}, and nothing on the network keeps it right."
        ))
        .cured(set)
    } else {
        Found::good(format!("This computer's clock says {date}."))
    })
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_secs)
}

/// A day of the Gregorian calendar, in UTC (Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn days_have_their_dates() {
        for (seconds, shown) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (MADE, "2026-11-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), shown);
        }
    }

    #[test]
    fn a_clock_is_right_doubtful_behind_or_ahead() {
        for mut pc in FakePc::both() {
            let mark = |pc: &FakePc| look(pc).unwrap().row(CHECK.id).mark;
            for kept in [None, Some(true)] {
                pc.clock_is_kept = kept;
                assert_eq!(mark(&pc), Mark::Good);
            }
            pc.clock_is_kept = Some(false);
            assert_eq!(mark(&pc), Mark::Doubt);
            for wrong in [0, MADE - 1, MADE + LONGEST_USE + 1] {
                pc.now = UNIX_EPOCH + Duration::from_secs(wrong);
                assert_eq!(mark(&pc), Mark::Bad);
            }
        }
    }
}

//! A moment, as people write it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// A moment, in seconds since 1970, to the minute and without a time zone of anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub u64);

impl From<SystemTime> for Utc {
    /// A clock that stands before 1970 stands at its beginning.
    fn from(time: SystemTime) -> Self {
        Utc(time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs())
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).ok();
        match seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()) {
            Some(moment) => {
                let (year, month, day) = moment.to_calendar_date();
                let (month, hour, minute) = (u8::from(month), moment.hour(), moment.minute());
                write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
            }
            None => f.write_str("the end of all calendars"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_without_a_zone_of_anybodys() {
        assert_eq!(Utc(0).to_string(), "1970-01-01 00:00 UTC");
        assert_eq!(Utc(1_796_000_000).to_string(), "2026-11-30 00:53 UTC");
        assert!(Utc(u64::MAX).to_string().contains("calendars"));
    }
}

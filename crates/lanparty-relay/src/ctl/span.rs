//! How long something takes, as people write it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time like `30m`, `2h` or `90s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// The longest that anybody plans for: a month.
const LONGEST: u64 = 31 * 24 * 60 * 60;

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match &text[number.len()..] {
            "s" => Some(1),
            "m" | "min" => Some(60),
            "h" => Some(3600),
            _ => None,
        };
        let seconds = number.parse::<u64>().ok().zip(unit);
        let seconds = seconds.and_then(|(number, unit)| number.checked_mul(unit));
        match seconds {
            Some(seconds) if (1..=LONGEST).contains(&seconds) => {
                Ok(Span(Duration::from_secs(seconds)))
            }
            _ => {
                Err("a time is a whole number and s, m or h, like 30m, and no longer than a month")
            }
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
            (0, 0, 0) => write!(f, "{seconds} s"),
            (0, 0, minutes) => write!(f, "{minutes} min"),
            (0, hours, minutes) => write!(f, "{hours} h {minutes} min"),
            (days, hours, _) => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_people_do() {
        for (text, seconds, said) in [
            ("90s", 90, "1 min"),
            ("30m", 1800, "30 min"),
            ("30min", 1800, "30 min"),
            ("2h", 7200, "2 h 0 min"),
            ("50h", 180_000, "2 d 2 h"),
            ("5s", 5, "5 s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0.as_secs(), seconds);
            assert_eq!(span.to_string(), said);
        }
        for text in [
            "",
            "30",
            "0m",
            "m",
            "-5m",
            "1.5h",
            "30 m",
            "99999h",
            "18446744073709551615h",
            "3d",
            "ää",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}

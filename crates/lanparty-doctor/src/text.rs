//! Rows for people and for programs: what `doctor` writes, and what "Copy as text" copies.

use crate::{Hands, Patient, again, examine, mend};
use lanparty_client_control::{FixOffer, Mark, Row};
use std::fmt::Write as _;
use std::io;

/// What somebody at a command line wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Mend what has a fix.
    pub fix: bool,
    /// Answer in JSON.
    pub json: bool,
}

/// The command `doctor`: looks, writes, mends if that is wished, and answers whether nothing is in the way.
///
/// # Errors
/// When nobody reads what is written.
pub fn run(
    patient: &Patient,
    wish: Wish,
    hands: Option<&dyn Hands>,
    out: &mut dyn io::Write,
) -> io::Result<bool> {
    let mut rows = examine(patient, |_| ());
    if !wish.json {
        out.write_all(rows.iter().map(line).collect::<String>().as_bytes())?;
    }
    if wish.fix {
        let mut tried = Vec::new();
        for row in &mut rows {
            let Some(offer) = row.fix.clone() else {
                continue;
            };
            // One fix may be for several rows.
            let said = match tried.contains(&offer.fix) {
                false => before(&offer) + &mend_row(patient, row, &offer, hands),
                true => {
                    look_again(patient, row);
                    String::new()
                }
            };
            tried.push(offer.fix);
            if !wish.json {
                write!(out, "\n{said}{}", line(row))?;
            }
        }
    }
    if wish.json {
        writeln!(out, "{}", json(&rows))?;
    }
    Ok(worst(&rows) < Mark::Bad)
}

fn mend_row(
    patient: &Patient,
    row: &mut Row,
    offer: &FixOffer,
    hands: Option<&dyn Hands>,
) -> String {
    match mend(&patient.door, offer.fix, hands) {
        Ok(sentence) => {
            look_again(patient, row);
            format!("{sentence}\n")
        }
        Err(error) => {
            let error = error.to_string();
            format!("Not mended: {}.\n", error.trim_end_matches('.'))
        }
    }
}

fn look_again(patient: &Patient, row: &mut Row) {
    if let Some(new) = again(patient, &row.id) {
        *row = new;
    }
}

/// What is said before anything is changed.
fn before(offer: &FixOffer) -> String {
    let asks = match offer.asks_admin {
        true => " The system asks for an administrator first.",
        false => "",
    };
    format!("{}: {}{asks}\n", offer.label, offer.changes)
}

/// The worst mark; good when there are no rows.
pub fn worst(rows: &[Row]) -> Mark {
    let marks = rows.iter().map(|row| row.mark);
    marks.max().unwrap_or(Mark::Good)
}

/// A row for people: its sign and sentence, and below it what helps.
pub fn line(row: &Row) -> String {
    let mut text = format!("{} {}\n", row.mark.sign(), row.sentence);
    if let Some(offer) = &row.fix {
        writeln!(text, "    --fix: {}", offer.changes).expect("text has room");
    }
    if let Some(how_to) = &row.how_to {
        writeln!(text, "    {how_to}").expect("text has room");
    }
    text
}

/// All rows, as they are sent to somebody who helps. Rows have neither keys nor public addresses.
pub fn report(rows: &[Row]) -> String {
    let system = std::env::consts::OS;
    let version = env!("CARGO_PKG_VERSION");
    let head = format!("softlan-vpn {version} on {system}\n");
    head + &rows.iter().map(line).collect::<String>()
}

/// All rows for programs.
pub fn json(rows: &[Row]) -> String {
    serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "rows": rows }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cure, Found};
    use lanparty_client_control::Fix;

    fn rows() -> Vec<Row> {
        let offer = FixOffer {
            fix: Fix::Repair,
            label: "Repair".into(),
            changes: "Two routes are removed.".into(),
            asks_admin: false,
        };
        vec![
            Found::good("All is well.").row("a"),
            Found::doubt("Who knows.").row("b"),
            Found::bad("Alas.", Cure::fix(offer).or_by_hand("Or restart.")).row("c"),
        ]
    }

    #[test]
    fn rows_are_written_like_this() {
        let report = report(&rows());
        let (head, lines) = report.split_once('\n').unwrap();
        assert!(head.starts_with("softlan-vpn "), "{head}");
        assert_eq!(
            lines,
            "✓ All is well.\n! Who knows.\n✗ Alas.\n    --fix: Two routes are removed.\n    Or restart.\n"
        );
    }

    #[test]
    fn programs_read_marks_and_fixes() {
        let json: serde_json::Value = serde_json::from_str(&json(&rows())).unwrap();
        assert_eq!(json["rows"][2]["mark"], "bad");
        assert_eq!(json["rows"][2]["fix"]["fix"], "repair");
    }

    #[test]
    fn the_worst_row_counts() {
        assert_eq!(worst(&[]), Mark::Good);
        assert_eq!(worst(&rows()[..2]), Mark::Doubt);
        assert_eq!(worst(&rows()), Mark::Bad);
    }
}

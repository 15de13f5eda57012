//! The look itself: every check on a thread of its own, and all of it within five seconds.

use crate::checks::{self, Check};
use crate::facts::Pc;
use crate::found::Found;
use crate::this_pc::ThisPc;
use lanparty_client_control::connection::Door;
use lanparty_client_control::{Answer, Party, Request, Row, Snapshot};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// A person waits for no longer.
const PATIENCE: Duration = Duration::from_millis(4800);
/// The service's own look, which is a part of a person's.
const SERVICE_PATIENCE: Duration = Duration::from_millis(4300);

/// Whom to look at, and for whom.
#[derive(Debug, Clone)]
pub struct Patient {
    /// Where the service would be.
    pub door: Door,
    /// The party that is to be reached; without it, the one that the service has or keeps.
    pub party: Option<Party>,
    /// Whether [`crate::Hands`] are there to repair without the service.
    pub repairs_itself: bool,
}

impl Patient {
    /// This PC, as a view sees it.
    pub fn new(door: Door) -> Self {
        Patient {
            door,
            party: None,
            repairs_itself: false,
        }
    }
}

/// Looks at this PC. Each row is `told` as soon as it is known, and once more if the service knows better: a row takes the
/// place of one with its id. The answer has all of them in order.
pub fn examine(patient: &Patient, told: impl FnMut(&Row)) -> Vec<Row> {
    look_at(patient, checks::ALL, told)
}

/// Looks at one thing again, after it was mended.
pub fn again(patient: &Patient, id: &str) -> Option<Row> {
    let checks: Vec<_> = checks::ALL
        .iter()
        .filter(|check| check.id == id)
        .copied()
        .collect();
    let rows = look_at(patient, &checks, |_| ());
    rows.into_iter().find(|row| row.id == id)
}

/// The rows of the service's own process, which it answers to [`Request::Doctor`]; `snapshot` is how things stand. Blocks.
pub fn examine_as_service(snapshot: Snapshot) -> Vec<Row> {
    let pc = Arc::new(ThisPc::of_service(snapshot));
    let impersonal: Vec<_> = checks::ALL
        .iter()
        .filter(|check| !check.is_personal)
        .copied()
        .collect();
    look(pc, &impersonal, SERVICE_PATIENCE, no_service, |_| ())
}

fn look_at(patient: &Patient, checks: &[Check], told: impl FnMut(&Row)) -> Vec<Row> {
    let door = patient.door.clone();
    let ask = move || match door.ask(&Request::Doctor) {
        Ok(Answer::Rows(rows)) => rows,
        // Whatever is wrong with it is a row of ours.
        Ok(_) | Err(_) => Vec::new(),
    };
    let pc = Arc::new(ThisPc::new(patient.clone()));
    look(pc, checks, PATIENCE, ask, told)
}

fn no_service() -> Vec<Row> {
    Vec::new()
}

enum Heard {
    Own(usize, Option<Found>),
    Service(Vec<Row>),
}

/// Runs `checks` beside each other, and `ask_service` beside them.
fn look(
    pc: Arc<dyn Pc>,
    checks: &[Check],
    patience: Duration,
    ask_service: impl FnOnce() -> Vec<Row> + Send + 'static,
    mut told: impl FnMut(&Row),
) -> Vec<Row> {
    let deadline = Instant::now() + patience;
    let (tell, heard) = mpsc::channel();
    for (number, check) in checks.iter().copied().enumerate() {
        let pc = pc.clone();
        spawn(&tell, move || Heard::Own(number, (check.look)(&*pc)));
    }
    spawn(&tell, move || Heard::Service(ask_service()));
    drop(tell);

    let mut rows: Vec<Option<Row>> = vec![None; checks.len()];
    let mut is_known = vec![false; checks.len()];
    let (mut by_service, mut has_service) = (Vec::new(), false);
    while !has_service || is_known.contains(&false) {
        match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard::Own(number, found)) => {
                is_known[number] = true;
                let row = found.map(|found| found.row(checks[number].id));
                if let Some(row) = row.filter(|row| !has(&by_service, row)) {
                    told(&row);
                    rows[number] = Some(row);
                }
            }
            Ok(Heard::Service(said)) => {
                has_service = true;
                by_service = said;
                by_service.retain(|row| is_for_service(checks, row));
                by_service.iter().for_each(&mut told);
            }
            // The second when a look has panicked.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    for (number, check) in checks.iter().enumerate() {
        let row = late(check).row(check.id);
        if !is_known[number] && !has(&by_service, &row) {
            told(&row);
            rows[number] = Some(row);
        }
    }
    merge(rows.into_iter().flatten(), by_service)
}

fn spawn(tell: &Sender<Heard>, work: impl FnOnce() -> Heard + Send + 'static) {
    let tell = tell.clone();
    let work = move || {
        // Nobody listens any more when it took too long.
        let _ = tell.send(work());
    };
    // A machine that has no room for a thread has no row.
    let _ = thread::Builder::new().name("doctor".into()).spawn(work);
}

/// What a check says that has not come to its end.
fn late(check: &Check) -> Found {
    Found::doubt(format!(
        "{} could not be looked at within five seconds.",
        check.about
    ))
}

fn has(rows: &[Row], row: &Row) -> bool {
    rows.iter().any(|other| other.id == row.id)
}

/// The service says nothing of who asks; what only a newer one looks at is welcome.
fn is_for_service(checks: &[Check], row: &Row) -> bool {
    let known = checks::ALL.iter().find(|check| check.id == row.id);
    match known {
        Some(check) => !check.is_personal && checks.iter().any(|asked| asked.id == row.id),
        None => checks.len() == checks::ALL.len(),
    }
}

/// Rows in the order of the checks; where both have one, the service's, whose process has more rights.
fn merge(own: impl Iterator<Item = Row>, by_service: Vec<Row>) -> Vec<Row> {
    let place = |row: &Row| {
        let at = checks::ALL.iter().position(|check| check.id == row.id);
        at.unwrap_or(usize::MAX)
    };
    let mut rows: Vec<_> = own.filter(|row| !has(&by_service, row)).collect();
    rows.extend(by_service);
    rows.sort_by_key(place);
    rows
}

/// What `work` answers, unless that takes longer than `limit`: then it is left to itself.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let work = move || {
        let _ = tell.send(work());
    };
    thread::Builder::new().spawn(work).ok()?;
    told.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;
    use std::sync::{Condvar, Mutex};

    /// How long a test waits for what never comes.
    const SHORT: Duration = Duration::from_millis(200);
    /// For what comes at once, on a machine that has much else to do.
    const LONG: Duration = Duration::from_secs(60);

    fn row(id: &str, sentence: &str) -> Row {
        Found::good(sentence).row(id)
    }

    fn check(id: &'static str, look: fn(&dyn Pc) -> Option<Found>) -> Check {
        Check {
            id,
            about: "The thing",
            look,
            is_personal: false,
        }
    }

    /// Never opened.
    static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn hangs(_: &dyn Pc) -> Option<Found> {
        let mut open = GATE.0.lock().unwrap();
        while !*open {
            open = GATE.1.wait(open).unwrap();
        }
        None
    }

    #[test]
    fn what_hangs_is_told_so_and_holds_up_nothing() {
        let checks = [
            check("network", |_| Some(Found::good("Fine."))),
            check("names", hangs),
            check("relay", |_| None),
        ];
        let mut told = Vec::new();
        let pc = Arc::new(FakePc::linux());
        let rows = look(pc, &checks, SHORT, no_service, |row| {
            told.push(row.id.clone());
        });
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["network", "names"]);
        assert_eq!(told, ["network", "names"]);
        assert_eq!(rows[1].mark, Mark::Doubt);
        assert!(
            rows[1].sentence.starts_with("The thing could not"),
            "{rows:?}"
        );
    }

    #[test]
    fn a_service_that_hangs_costs_its_rows_only() {
        let pc = Arc::new(FakePc::linux());
        let hang = || {
            hangs(&FakePc::linux());
            Vec::new()
        };
        let rows = look(pc, checks::ALL, SHORT, hang, |_| ());
        assert!(rows.len() >= 8, "{rows:?}");
    }

    #[test]
    fn the_service_knows_better_but_not_who_asks() {
        let pc = Arc::new(FakePc::linux());
        let said = || {
            vec![
                row("leftovers", "The service says so."),
                row("service", "The service says so."),
                row("from_the_future", "The service says so."),
            ]
        };
        let mut told = Vec::new();
        let rows = look(pc, checks::ALL, LONG, said, |row| told.push(row.clone()));
        let by_service: Vec<_> = rows
            .iter()
            .filter(|row| row.sentence == "The service says so.")
            .map(|row| row.id.as_str())
            .collect();
        assert_eq!(by_service, ["leftovers", "from_the_future"]);
        assert_eq!(rows[0].id, "service");
        // Who kept the last row of each id has seen what is answered.
        for row in &rows {
            let last = told.iter().rfind(|told| told.id == row.id);
            assert_eq!(last, Some(row));
        }
    }

    #[test]
    fn one_thing_alone_brings_no_others() {
        let pc = Arc::new(FakePc::linux());
        let one = [checks::ALL[4]];
        let said = || {
            vec![
                row("leftovers", "x."),
                row("new", "x."),
                row("network", "x."),
            ]
        };
        let rows = look(pc, &one, LONG, said, |_| ());
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["network"]);
    }

    #[test]
    fn a_limit_is_kept() {
        assert_eq!(within(LONG, || 7), Some(7));
        assert_eq!(within(SHORT, || hangs(&FakePc::linux())), None);
    }
}

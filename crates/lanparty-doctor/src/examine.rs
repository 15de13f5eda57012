//! The look itself: every check on a thread of its own, and all of it within five seconds.

use crate::checks::{self, Check};
use crate::facts::{Pc, Prover};
use crate::found::Found;
use crate::patient::Patient;
use crate::this_pc::ThisPc;
use lanparty_client_control::connection::Door;
use lanparty_client_control::{Answer, Mark, Request, Row, Snapshot};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// A person waits for no longer.
const PATIENCE: Duration = Duration::from_millis(4800);
/// The service's own look, which is a part of a person's.
const SERVICE_PATIENCE: Duration = Duration::from_millis(4300);

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

/// What there is to say to who may not use the service, without asking it: the row that a look would have.
pub fn forbidden() -> Row {
    let pc = ThisPc::new(Patient::new(Door::default()));
    checks::service::forbidden(&pc).row(checks::service::CHECK.id)
}

/// The rows of the service's own process, which it answers to [`Request::Doctor`]; `snapshot` is how things stand, and
/// `prover` asks the session. Blocks.
pub fn examine_as_service(snapshot: Snapshot, prover: Box<dyn Prover>) -> Vec<Row> {
    let pc = Arc::new(ThisPc::of_service(snapshot, prover));
    let impersonal: Vec<_> = checks::ALL
        .iter()
        .filter(|check| !check.is_personal)
        .copied()
        .collect();
    let seen = look(pc, &impersonal, SERVICE_PATIENCE, no_service, |_| ());
    let seen = seen.into_iter().filter(|seen| !seen.is_guess);
    seen.map(|seen| seen.row).collect()
}

fn look_at(patient: &Patient, checks: &[Check], told: impl FnMut(&Row)) -> Vec<Row> {
    let door = patient.door.clone();
    let ask = move || match door.ask(&Request::Doctor) {
        Ok(Answer::Rows(rows)) => rows,
        // Whatever is wrong with it is a row of ours.
        Ok(_) | Err(_) => Vec::new(),
    };
    let pc = Arc::new(ThisPc::new(patient.clone()));
    let seen = look(pc, checks, PATIENCE, ask, told);
    seen.into_iter().map(|seen| seen.row).collect()
}

fn no_service() -> Vec<Row> {
    Vec::new()
}

enum Heard {
    Own(usize, Option<Found>),
    Service(Vec<Row>),
}

/// A row, and how much it counts beside another one about the same.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    row: Row,
    is_guess: bool,
    by_service: bool,
}

impl Seen {
    /// Who sees something knows better than who does not, and who sees trouble than who sees none: a service has rights, but a
    /// hardened one sees less of what else runs.
    fn weight(&self) -> impl PartialOrd {
        (!self.is_guess, self.row.mark, self.by_service)
    }
}

/// What has been seen so far, each thing once.
#[derive(Debug, Default)]
struct Chart(Vec<Seen>);

impl Chart {
    /// Takes a row, and tells it if it counts.
    fn take(&mut self, seen: Seen, told: &mut impl FnMut(&Row)) {
        let mut others = self.0.iter_mut();
        match others.find(|other| other.row.id == seen.row.id) {
            Some(other) if seen.weight() > other.weight() => {
                told(&seen.row);
                *other = seen;
            }
            Some(_) => {}
            None => {
                told(&seen.row);
                self.0.push(seen);
            }
        }
    }

    /// What the tunnel brings and no program here hears dies in between.
    fn compare_ends(&mut self, pc: &dyn Pc, told: &mut impl FnMut(&Row)) {
        let row = |id| self.0.iter().find(|seen| seen.row.id == id);
        let ends = (row(checks::proof::TUNNEL.id), row(checks::proof::CHECK.id));
        if let (Some(tunnel), Some(program)) = ends
            && tunnel.row.mark == Mark::Good
            && program.is_guess
        {
            let unheard = (&checks::proof::CHECK, checks::proof::unheard(pc));
            self.take(own(unheard), told);
        }
    }

    /// In the order of the checks; what only the service knows comes last.
    fn in_order(mut self) -> Vec<Seen> {
        self.0.sort_by_key(|seen| {
            let at = checks::ALL.iter().position(|check| check.id == seen.row.id);
            at.unwrap_or(usize::MAX)
        });
        self.0
    }
}

/// Runs `checks` beside each other, and `ask_service` beside them.
fn look(
    pc: Arc<dyn Pc>,
    checks: &[Check],
    patience: Duration,
    ask_service: impl FnOnce() -> Vec<Row> + Send + 'static,
    mut told: impl FnMut(&Row),
) -> Vec<Seen> {
    let deadline = Instant::now() + patience;
    let after = pc.clone();
    let (tell, heard) = mpsc::channel();
    for (number, check) in checks.iter().copied().enumerate() {
        let pc = pc.clone();
        spawn(&tell, move || Heard::Own(number, (check.look)(&*pc)));
    }
    spawn(&tell, move || Heard::Service(ask_service()));
    drop(tell);

    let mut chart = Chart::default();
    let mut waits: Vec<_> = checks.iter().map(Some).collect();
    let mut service_waits = true;
    while service_waits || waits.iter().any(Option::is_some) {
        match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard::Own(number, found)) => {
                let check = waits[number].take();
                if let Some(seen) = check.zip(found).map(own) {
                    chart.take(seen, &mut told);
                }
            }
            Ok(Heard::Service(rows)) => {
                service_waits = false;
                for row in rows.into_iter().filter(|row| is_for_service(checks, row)) {
                    chart.take(by_service(row), &mut told);
                }
            }
            // The second when a look has panicked.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    for check in waits.into_iter().flatten() {
        chart.take(own((check, late(check))), &mut told);
    }
    chart.compare_ends(&*after, &mut told);
    chart.in_order()
}

fn own((check, found): (&Check, Found)) -> Seen {
    Seen {
        is_guess: found.is_guess(),
        row: found.row(check.id),
        by_service: false,
    }
}

fn by_service(row: Row) -> Seen {
    Seen {
        row,
        is_guess: false,
        by_service: true,
    }
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
    Found::unseen(format!(
        "{} could not be looked at within five seconds.",
        check.about
    ))
}

/// The service says nothing of who asks; what only a newer one looks at is welcome.
fn is_for_service(checks: &[Check], row: &Row) -> bool {
    let known = checks::ALL.iter().find(|check| check.id == row.id);
    match known {
        Some(check) => !check.is_personal && checks.iter().any(|asked| asked.id == row.id),
        None => checks.len() == checks::ALL.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use crate::within::within;
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
        let ids: Vec<_> = rows.iter().map(|seen| seen.row.id.as_str()).collect();
        assert_eq!(ids, ["network", "names"]);
        assert_eq!(told, ["network", "names"]);
        assert_eq!(rows[1].row.mark, Mark::Doubt);
        assert!(
            rows[1].row.sentence.starts_with("The thing could not"),
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
            .filter(|seen| seen.by_service)
            .map(|seen| seen.row.id.as_str())
            .collect();
        assert_eq!(by_service, ["leftovers", "from_the_future"]);
        assert_eq!(rows[0].row.id, "service");
        // Who kept the last row of each id has seen what is answered.
        for seen in &rows {
            let last = told.iter().rfind(|told| told.id == seen.row.id);
            assert_eq!(last, Some(&seen.row));
        }
    }

    #[test]
    fn who_sees_trouble_knows_better_whatever_comes_first() {
        let seen = |mark, is_guess, by_service| Seen {
            row: Row {
                mark,
                ..row("firewall", "Fine.")
            },
            is_guess,
            by_service,
        };
        // A hardened service sees no other programs; a view may not read the rules.
        for (better, worse) in [
            (
                seen(Mark::Doubt, false, false),
                seen(Mark::Good, false, true),
            ),
            (
                seen(Mark::Doubt, false, true),
                seen(Mark::Good, false, false),
            ),
            (
                seen(Mark::Good, false, true),
                seen(Mark::Doubt, true, false),
            ),
            (
                seen(Mark::Good, false, true),
                seen(Mark::Good, false, false),
            ),
        ] {
            for order in [[&better, &worse], [&worse, &better]] {
                let mut chart = Chart::default();
                for seen in order {
                    chart.take(seen.clone(), &mut |_: &Row| ());
                }
                assert_eq!(chart.in_order(), std::slice::from_ref(&better));
            }
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
        let ids: Vec<_> = rows.iter().map(|seen| seen.row.id.as_str()).collect();
        assert_eq!(ids, ["network"]);
    }

    #[test]
    fn a_limit_is_kept() {
        assert_eq!(within(LONG, || 7), Some(7));
        assert_eq!(within(SHORT, || hangs(&FakePc::linux())), None);
    }
}

//! What all runs of one thing came to.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::runs;

/// How one run went.
pub(crate) struct Row {
    /// The longest time without an answer of whoever goes by the relay, in either direction.
    pub(crate) gap: Duration,
    /// The same of the player who may go straight.
    pub(crate) direct: Duration,
    /// So many pings and shouts were watched.
    pub(crate) frames: usize,
    /// So often the gateway has come to a relay.
    pub(crate) moves: usize,
    /// How long somebody took to join meanwhile.
    pub(crate) joined: Option<Duration>,
}

/// Lets it happen as often as asked for, or else so often, and prints one line; the first run that breaks a promise ends it.
pub(crate) fn each_run(
    what: &str,
    in_ci: u32,
    mut once: impl FnMut() -> Result<Row>,
) -> Result<()> {
    let (mut rows, mut broken) = (Vec::new(), None);
    for run in 1..=runs(in_ci) {
        match once() {
            Ok(row) => rows.push(row),
            Err(error) => {
                broken = Some(error.context(format!("run {run}: {what}")));
                break;
            }
        }
    }
    let of = |time: fn(&Row) -> Option<Duration>| {
        let mut times: Vec<_> = rows.iter().filter_map(time).collect();
        times.sort_unstable();
        times
    };
    let frames: usize = rows.iter().map(|row| row.frames).sum();
    println!(
        "{what}, {} times: without an answer for {} by the relay, {} where a direct path is allowed; moved {} times; \
         TCP lived; of {frames} frames none came twice or late{}",
        rows.len(),
        spread(&of(|row| Some(row.gap))),
        spread(&of(|row| Some(row.direct))),
        rows.iter().map(|row| row.moves).sum::<usize>(),
        match of(|row| row.joined) {
            times if times.is_empty() => String::new(),
            times => format!("; who joined meanwhile was in after {}", spread(&times)),
        }
    );
    match broken {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Least, median and most, in seconds.
fn spread(sorted: &[Duration]) -> String {
    match sorted {
        [] => "–".to_owned(),
        [first, .., last] => {
            let median = sorted[sorted.len() / 2];
            let seconds = [*first, median, *last].map(|time| format!("{:.1}", time.as_secs_f32()));
            format!("{} s", seconds.join("/"))
        }
        [only] => format!("{:.1} s", only.as_secs_f32()),
    }
}

/// The party must have moved, and once: a relay that comes back is no reason to go there.
pub(crate) fn must_move(row: Row) -> Result<Row> {
    match row.moves {
        1 => Ok(row),
        0 => bail!("the party is where it was"),
        moves => bail!("the party has moved {moves} times"),
    }
}

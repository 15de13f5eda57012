//! The relay against that of an older commit, in turns.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::trial::{Cores, Point, Programs, Trial};
use crate::bench::aims::{Aim, Verdicts, median};
use crate::bench::progress;
use crate::cargo::{cargo, target_folder};

const ROOM_OF: usize = 8;
const PLAYERS: [usize; 2] = [100, 400];
const SECONDS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever cannot join at all has not joined by then.
const SOON: Duration = Duration::from_secs(10);
const MOST_COST: f64 = 0.3;
const PACKAGES: [&str; 2] = ["lanparty-relay", "lanparty-crowd"];

/// An older commit's relay and crowd.
#[derive(Debug)]
pub(crate) struct Then {
    commit: String,
    programs: Programs,
    /// Whether today's players can join its relay, once that has been tried.
    takes_our_players: OnceCell<bool>,
}

impl Then {
    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    pub(super) fn takes_our_players(&self) -> bool {
        self.takes_our_players.get().copied().unwrap_or(false)
    }

    /// What its relay keeps for each of these players of ours.
    pub(super) fn memory(&self, trial: &Trial, ours: &Programs) -> Result<f64> {
        let point = trial.between(&self.programs, ours, PATIENCE)?;
        Ok(point.memory_per_player)
    }

    fn try_our_players(&self, ours: &Programs) -> bool {
        let trial = Trial {
            players: ROOM_OF,
            room_of: ROOM_OF,
            seconds: 1,
            cores: Cores::apart(),
            threads: None,
            is_idle: false,
        };
        let tried = trial.between(&self.programs, ours, SOON);
        tried.is_ok_and(|point| point.received > 0.0)
    }
}

/// Who plays at whose relay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pair {
    Ours,
    ThenWithOurPlayers,
    Then,
}

/// Measures all rounds in turns, prints a table and says what ours costs in parts of the older one.
///
/// With today's players at both relays the relays alone differ. The older one with its own players, who acknowledge more, stands
/// beside it.
pub(super) fn run(rounds: u8, ours: &Programs, then: &Then, verdicts: &mut Verdicts) -> Result<()> {
    progress("may today's players join the older relay?");
    let fits = *then
        .takes_our_players
        .get_or_init(|| then.try_our_players(ours));
    let pairs = match fits {
        true => vec![Pair::Ours, Pair::ThenWithOurPlayers, Pair::Then],
        false => vec![Pair::Ours, Pair::Then],
    };
    let mut rows: Vec<_> = PLAYERS
        .iter()
        .flat_map(|&players| pairs.iter().map(move |&pair| (players, pair)))
        .map(|(players, pair)| (players, pair, Vec::<Point>::new()))
        .collect();
    for round in 1..=rounds {
        for (players, pair, points) in &mut rows {
            let title = title(*pair, &then.commit);
            progress(&format!(
                "round {round} of {rounds}: {title}, {players} players"
            ));
            let (relay, crowd) = match pair {
                Pair::Ours => (ours, ours),
                Pair::ThenWithOurPlayers => (&then.programs, ours),
                Pair::Then => (&then.programs, &then.programs),
            };
            let trial = Trial {
                players: *players,
                room_of: ROOM_OF,
                seconds: SECONDS,
                cores: Cores::apart(),
                threads: Some(1),
                is_idle: false,
            };
            points.push(trial.between(relay, crowd, PATIENCE)?);
        }
    }
    print(&rows, &then.commit);
    let judged = match fits {
        true => Pair::ThenWithOurPlayers,
        false => Pair::Then,
    };
    let ratios = PLAYERS.map(|players| ratio(&rows, players, judged));
    let most = ratios.into_iter().fold(0.0, f64::max);
    let shown: Vec<_> = PLAYERS
        .iter()
        .zip(ratios)
        .map(|(players, ratio)| format!("{ratio:.2} with {players} players"))
        .collect();
    let whose = match fits {
        true => "today's players at both",
        false => "each with its own players",
    };
    let measured = format!("{} ({whose})", shown.join(", "));
    verdicts.judge(Aim::RelayFrame, measured, most <= MOST_COST);
    Ok(())
}

type Row = (usize, Pair, Vec<Point>);

fn of(rows: &[Row], players: usize, pair: Pair, value: fn(&Point) -> f64) -> f64 {
    let row = rows
        .iter()
        .find(|(size, of, _)| (*size, *of) == (players, pair));
    let points = row.map(|(.., points)| points.as_slice());
    median(points.unwrap_or_default().iter().map(value).collect())
}

fn ratio(rows: &[Row], players: usize, to: Pair) -> f64 {
    let cost = |pair| of(rows, players, pair, Point::per_frame);
    cost(Pair::Ours) / cost(to)
}

fn title(pair: Pair, commit: &str) -> String {
    match pair {
        Pair::Ours => "ours".to_owned(),
        Pair::ThenWithOurPlayers => format!("{commit}, today's players"),
        Pair::Then => format!("{commit}, its own players"),
    }
}

fn print(rows: &[Row], commit: &str) {
    println!(
        "\n| players | relay | µs a frame | ours, parts of it | frames, 1000/s | lost, % | one way p50 / p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (players, pair, _) in rows {
        let of = |value| of(rows, *players, *pair, value);
        let part = match pair {
            Pair::Ours => String::new(),
            other => format!("{:.2}", ratio(rows, *players, *other)),
        };
        println!(
            "| {players} | {} | {:.1} | {part} | {:.1} | {:.2} | {:.2} / {:.2} |",
            title(*pair, commit),
            of(Point::per_frame) * 1e6,
            of(|point| point.received) / 1e3,
            of(Point::lost) * 100.0,
            of(|point| point.p50.as_secs_f64()) * 1e3,
            of(|point| point.p99.as_secs_f64()) * 1e3,
        );
    }
    println!("\nOne thread of each, on a core of its own; the players on another one.");
}

/// Builds the programs of a commit, unless they have been built before. What is kept of it is two programs.
pub(crate) fn build(commit: &str) -> Result<Then, String> {
    try_build(commit).map_err(|error| format!("{error:#}"))
}

fn try_build(commit: &str) -> Result<Then> {
    let commit = resolve(commit)?;
    let folder = target_folder()?.join("against").join(&commit);
    let kept = |name: &str| folder.join(name);
    if !PACKAGES.iter().all(|name| kept(name).is_file()) {
        println!("Building the relay of {commit}, once; it takes some minutes.");
        let work = folder.join("work");
        let built = check_out(&commit, &work).and_then(|()| compile(&work));
        let built = built.and_then(|programs| {
            for name in PACKAGES {
                fs::copy(programs.join(name), kept(name))
                    .with_context(|| format!("keep {name}"))?;
            }
            Ok(())
        });
        fs::remove_dir_all(&work).context("remove what the build left")?;
        built?;
    }
    let path = |name: &str| kept(name).display().to_string();
    let has_threads = knows(&kept(PACKAGES[0]), "--threads");
    Ok(Then {
        commit,
        programs: Programs {
            relay: path(PACKAGES[0]),
            crowd: path(PACKAGES[1]),
            limits: match knows(&kept(PACKAGES[0]), "--max-joins-per-address") {
                true => super::trial::MORE_LIMITS,
                false => &[],
            },
            has_threads,
        },
        takes_our_players: OnceCell::new(),
    })
}

/// The short name of a commit that this repository has.
fn resolve(commit: &str) -> Result<String> {
    let wanted = format!("{commit}^{{commit}}");
    let shown = git()?
        .args(["rev-parse", "--short=7", "--verify", "--quiet", &wanted])
        .output()
        .context("run git")?;
    ensure!(
        shown.status.success(),
        "this repository has no commit {commit}: fetch all of its history"
    );
    Ok(String::from_utf8_lossy(&shown.stdout).trim().to_owned())
}

/// Its files without its history: nothing has to be undone in the repository afterwards.
fn check_out(commit: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context("make a folder for an older commit")?;
    let mut archive = git()?
        .args(["archive", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("run git")?;
    let files = archive.stdout.take().context("git has an output")?;
    let unpacked = Command::new("tar")
        .args(["--extract", "--directory"])
        .arg(folder)
        .stdin(files)
        .status()
        .context("run tar")?;
    let archived = archive.wait().context("wait for git")?;
    ensure!(
        archived.success() && unpacked.success(),
        "the files of {commit} could not be unpacked"
    );
    Ok(())
}

/// As its users built it; answers where the programs are.
fn compile(folder: &Path) -> Result<PathBuf> {
    let target = folder.join("target");
    let mut command = cargo();
    command.current_dir(folder);
    command.args(["build", "--release", "--locked", "--target-dir"]);
    command.arg(&target);
    command.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    if !command.status().context("run cargo")?.success() {
        bail!("it does not build any more, see above");
    }
    Ok(target.join("release"))
}

/// At the top of the repository: further down an archive has the files of that folder alone.
fn git() -> Result<Command> {
    let target = target_folder()?;
    let top = target.parent().context("the target folder is in nothing")?;
    let mut git = Command::new("git");
    git.arg("-C").arg(top);
    Ok(git)
}

/// Whether a program's help names a flag.
fn knows(program: &Path, flag: &str) -> bool {
    let shown = Command::new(program).arg("--help").output();
    shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(relay: f64) -> Point {
        Point {
            players: 100,
            sent: 6000.0,
            received: 6000.0,
            p50: Duration::ZERO,
            p99: Duration::ZERO,
            late: None,
            threads: vec![relay],
            crowd: 0.0,
            memory_per_player: 0.0,
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_of_the_same_number_of_players() {
        let points = |values: [f64; 3]| values.map(point).to_vec();
        let rows = [
            (100, Pair::Ours, points([0.06, 0.9, 0.05])),
            (100, Pair::Then, points([0.2, 0.21, 0.1])),
            (400, Pair::Ours, points([0.9; 3])),
            (400, Pair::Then, points([0.9; 3])),
        ];
        assert!((ratio(&rows, 100, Pair::Then) - 0.3).abs() < 1e-9);
        assert!((ratio(&rows, 400, Pair::Then) - 1.0).abs() < 1e-9);
    }
}

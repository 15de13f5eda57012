//! The party over a path that loses, delays, reorders and doubles packets, beside what the same path does to bare pings.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{EchoSession, PingReport, Pings};
use lanparty_lab::{Party, Venue, WireConditions, pass};

use crate::{GIVEN_UP, PINGS_PER_SECOND, STEADY, TCP_WAKES, is_whole};

/// IP packets of 1500 bytes, so Ethernet frames of 1514.
const FULL_FRAME: usize = 1472;
const FULL_PER_SECOND: u32 = 20;
const WHOLE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(6);
/// In standard deviations: what chance alone exceeds once in some ten thousand runs.
const CHANCE: f32 = 5.0;
/// What is on its way at the end still counts.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The short form has the worse one only.
pub(crate) fn a_party_over_a_bad_path((): &()) -> Result<()> {
    if is_whole() {
        plays_over(&bad(0.01))?;
    }
    plays_over(&bad(0.05))
}

/// Loss and doubles alone keep the order, and so do we.
pub(crate) fn a_party_over_a_path_that_keeps_the_order((): &()) -> Result<()> {
    let ordered = WireConditions {
        jitter: Duration::ZERO,
        overtake_every: None,
        ..bad(0.01)
    };
    plays_over(&ordered)
}

fn bad(loss: f32) -> WireConditions {
    WireConditions {
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(10),
        loss,
        duplicate: 0.02,
        overtake_every: Some(50),
        ..WireConditions::default()
    }
}

fn plays_over(path: &WireConditions) -> Result<()> {
    let party = Party::builder().players(1).player_paths(*path).start()?;
    let (player, lan) = (&party.players[0], &party.venue.lan1);
    let session = EchoSession::open(&player.machine, lan, Venue::LAN1)?;
    let bare = Pings::start(&player.machine, Venue::RELAY, PINGS_PER_SECOND, 56)?;
    let small = Pings::start(&player.machine, Venue::LAN1, PINGS_PER_SECOND, 56)?;
    let full = Pings::start(lan, player.address()?, FULL_PER_SECOND, FULL_FRAME)?;
    let begin = Instant::now();
    for pings in [&bare, &small, &full] {
        pings.wait_for_answers(begin, STEADY, GIVEN_UP)?;
    }

    let begin = Instant::now();
    pass(if is_whole() { WHOLE } else { SHORT });
    let end = Instant::now();
    pass(LAST_ANSWERS);
    let [bare, small, full] = [&bare, &small, &full].map(|pings| pings.report(begin, end));
    session.lives(TCP_WAKES)?;
    print(path, &bare, &small, &full, &session);
    judge(path, &bare, &small, &full).with_context(|| party.players[0].program.tail(15))
}

fn judge(
    path: &WireConditions,
    bare: &PingReport,
    small: &PingReport,
    full: &PingReport,
) -> Result<()> {
    ensure!(bare.twice > 0, "the path doubles nothing");
    ensure!(
        small.twice + full.twice == 0,
        "answers came twice: {small:?} {full:?}"
    );
    // A ping crosses the path as two packets; a full one as four: fragments of ours there, of IP back.
    for (report, packets) in [(small, 2), (full, 4)] {
        let part = 1.0 - (1.0 - path.loss).powi(packets);
        let expected = part * report.sent as f32;
        let chance = CHANCE * (expected * (1.0 - part)).sqrt();
        ensure!(
            (report.lost as f32 - expected).abs() <= chance,
            "{} of {} were lost where the path loses {expected:.0}, give or take {chance:.0}",
            report.lost,
            report.sent,
        );
    }
    // Jitter hits neither in the same place; a path that keeps the order leaves no room.
    let by_chance = path.overtake_every.map_or(0, |_| small.sent / 50);
    ensure!(
        small.overtaken <= 2 * bare.overtaken + by_chance,
        "{} answers were overtaken, of bare pings {}",
        small.overtaken,
        bare.overtaken
    );
    Ok(())
}

fn print(
    path: &WireConditions,
    bare: &PingReport,
    small: &PingReport,
    full: &PingReport,
    session: &EchoSession,
) {
    println!(
        "\n{:.0} % loss, {:?} ± {:?}, 2 % doubled, {}:",
        path.loss * 100.0,
        path.delay,
        path.jitter,
        match path.overtake_every {
            Some(_) => "2 % overtake",
            None => "in order",
        }
    );
    for (what, report) in [
        ("bare pings", bare),
        ("pings", small),
        ("pings in full frames", full),
    ] {
        println!(
            "  {what:<21} {:>4} sent  {:>4.1} % lost  {:>2} twice  {:>3} overtaken  oldest {:>3} ms",
            report.sent,
            report.lost_part() * 100.0,
            report.twice,
            report.overtaken,
            report.oldest.as_millis()
        );
    }
    println!(
        "  SSH session           {:>4} echoes, all right",
        session.echoed()
    );
}

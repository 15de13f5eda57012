//! What 10,000 scrapes cost the frames beside them (`cargo bench -p lanparty-relay --bench scrapes`): a player's frames to
//! another by way of the relay, without scrapes and with as many as one connection after the other gives. Both figures are from
//! one run on one machine, so that their difference says something.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock, prints, and may panic"
)]

#[path = "../tests/party/mod.rs"]
mod party;

use lanparty_metrics::Bound;
use lanparty_relay::Limits;
use party::{Peer, Relay, frame, mac};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SCRAPES: usize = 10_000;
/// A game's pace, and somewhat more.
const PAUSE: Duration = Duration::from_millis(2);
const QUIET: Duration = Duration::from_secs(5);

fn main() {
    // With the priority that the program gives itself.
    lanparty_edge::runtime::run(compare()).unwrap();
}

async fn compare() {
    let mut metrics = None;
    let relay = Relay::start_with(Limits::default(), |server| {
        let bound = Bound::new("127.0.0.1:0".parse().unwrap()).unwrap();
        metrics = Some(server.serve_metrics(bound).unwrap());
    });
    let address = metrics.as_ref().unwrap().address();
    let one = relay.client(1).await;
    let mut two = relay.client(2).await;
    let end = Instant::now() + QUIET;
    let quiet = delays(&one, &mut two, || Instant::now() < end).await;
    let scraping = Arc::new(AtomicBool::new(true));
    let done = scraping.clone();
    let begin = Instant::now();
    let scraper = std::thread::spawn(move || {
        // Whoever scrapes is another machine as a rule, and what it costs itself is not the relay's.
        lanparty_edge::privilege::stand_back();
        (0..SCRAPES).for_each(|_| scrape(address));
        done.store(false, Ordering::Relaxed);
    });
    let scraped = delays(&one, &mut two, || scraping.load(Ordering::Relaxed)).await;
    scraper.join().unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    let [quiet, scraped] = [quiet, scraped].map(|delays| [50, 99].map(|part| of(&delays, part)));
    println!("                       p50          p99");
    println!("without scrapes  {:>9.1?}    {:>9.1?}", quiet[0], quiet[1]);
    println!(
        "with scrapes     {:>9.1?}    {:>9.1?}",
        scraped[0], scraped[1]
    );
    let more = scraped[1].as_secs_f64() - quiet[1].as_secs_f64();
    println!(
        "{SCRAPES} scrapes in {seconds:.1} s: p99 {:+.3} ms",
        1e3 * more
    );
}

/// How long each frame takes from one player to the other.
async fn delays(one: &Peer, two: &mut Peer, go_on: impl Fn() -> bool) -> Vec<Duration> {
    let frame = frame(mac(2), mac(1), 120);
    let mut delays = Vec::new();
    while go_on() {
        let sent = Instant::now();
        one.send(&frame);
        two.frame().await;
        delays.push(sent.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    delays.sort_unstable();
    delays
}

fn of(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn scrape(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

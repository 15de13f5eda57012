//! From where packets come that open NATs, for whoever waits for one: a NAT that gives every destination another port sends them
//! from one that nobody could tell of before.

use crate::socket::canonical;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::mpsc;

/// How long such a packet is. No packet of QUIC's is.
pub(super) const LEN: usize = 1;
/// How many wait at a time. Who comes when there are more takes the place of the oldest.
const MOST: usize = 16;
/// How many ports each hears of: whoever can forge senders could name all of them.
const PORTS: usize = 8;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Punches(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    known: Vec<SocketAddr>,
    heard: Vec<SocketAddr>,
    until: Instant,
    news: mpsc::Sender<SocketAddr>,
}

impl Punches {
    /// From which ports of these machines others come than from those that are known, once each.
    pub(super) fn listen(
        &mut self,
        now: Instant,
        known: &[SocketAddr],
        until: Instant,
    ) -> mpsc::Receiver<SocketAddr> {
        self.forget(now);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        let (news, heard) = mpsc::channel(PORTS);
        self.0.push(Listener {
            known: known.iter().copied().map(canonical).collect(),
            heard: Vec::new(),
            until,
            news,
        });
        heard
    }

    /// One has come. From strangers it costs a look at where it comes from, and at other times not that.
    pub(super) fn hear(&mut self, now: Instant, from: SocketAddr) {
        if self.0.is_empty() {
            return;
        }
        self.forget(now);
        let from = canonical(from);
        for listener in &mut self.0 {
            listener.hear(from);
        }
    }

    fn forget(&mut self, now: Instant) {
        let waits = |listener: &Listener| listener.until > now && !listener.news.is_closed();
        self.0.retain(waits);
    }
}

impl Listener {
    fn hear(&mut self, from: SocketAddr) {
        let is_met = self.known.iter().any(|known| known.ip() == from.ip());
        let is_news = !self.known.contains(&from) && !self.heard.contains(&from);
        if is_met && is_news && self.heard.len() < PORTS {
            self.heard.push(from);
            // There is room for all that it may hear of.
            let _ = self.news.try_send(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(10);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn all(heard: &mut mpsc::Receiver<SocketAddr>) -> Vec<SocketAddr> {
        std::iter::from_fn(|| heard.try_recv().ok()).collect()
    }

    #[test]
    fn another_port_of_one_who_is_met_is_told_once() {
        let (mut punches, now) = (Punches::default(), Instant::now());
        let known = [at("203.0.113.7:40000"), at("10.0.0.5:40000")];
        let mut heard = punches.listen(now, &known, now + SOON);
        for from in [
            "203.0.113.7:40000",
            "203.0.113.8:5000",
            "203.0.113.7:5000",
            "[::ffff:203.0.113.7]:5000",
            "[::ffff:203.0.113.7]:5001",
        ] {
            punches.hear(now, at(from));
        }
        let told = [at("203.0.113.7:5000"), at("203.0.113.7:5001")];
        assert_eq!(all(&mut heard), told);
        punches.hear(now + SOON, at("203.0.113.7:5002"));
        assert!(all(&mut heard).is_empty() && punches.0.is_empty());
    }

    #[test]
    fn whoever_forges_senders_fills_a_handful_of_places() {
        let (mut punches, now) = (Punches::default(), Instant::now());
        let known = [at("203.0.113.7:40000")];
        let mut heard = punches.listen(now, &known, now + SOON);
        for port in 1..2000 {
            punches.hear(now, SocketAddr::new(known[0].ip(), port));
        }
        assert_eq!(all(&mut heard).len(), PORTS);
        let many: Vec<_> = (0..100)
            .map(|_| punches.listen(now, &known, now + SOON))
            .collect();
        assert_eq!(punches.0.len(), MOST);
        drop((many, heard));
        punches.hear(now, at("203.0.113.7:5000"));
        assert!(punches.0.is_empty(), "nobody waits any more");
    }
}

//! Whether the firewall really takes the party's network for the private one that it should be (spec R73).

use lanparty_client_route::{self as ip, AdapterGuid, Category};
use std::fmt;
use std::io;

/// What the firewall makes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It hides this PC: the category did not take, or not yet.
    Hidden,
    /// The network has this category, but the firewall does not go by it.
    NotInForce(Category),
    /// The profile for networks of this category is in force: games get through.
    InForce(Category),
}

impl Verdict {
    /// What follows from a network's category and from the profiles that are in force.
    fn of(network: Category, in_force: &[Category]) -> Self {
        match network {
            Category::Public => Verdict::Hidden,
            category if in_force.contains(&category) => Verdict::InForce(category),
            category => Verdict::NotInForce(category),
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Verdict::InForce(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Hidden => f.write_str(
                "the party's network is public, so the firewall hides this PC's games; make it private in \
                 Windows' network settings",
            ),
            Verdict::NotInForce(category) => write!(
                f,
                "the party's network is {category}, but the firewall does not use its {category} profile and \
                 may hide this PC's games; look into Windows' firewall settings"
            ),
            Verdict::InForce(category) => write!(
                f,
                "the firewall uses its {category} profile for the party's network"
            ),
        }
    }
}

/// Reads back what the firewall makes of the adapter's network, where it is in one.
///
/// # Errors
/// What the system says.
pub(crate) fn read(adapter: AdapterGuid) -> io::Result<Option<Verdict>> {
    let Some(network) = ip::network(adapter)? else {
        return Ok(None);
    };
    Ok(Some(Verdict::of(
        network.category,
        &ip::firewall_profiles()?,
    )))
}

/// Says what the firewall makes of the network, whenever that changes.
#[derive(Debug, Default)]
pub(crate) struct FirewallWatch {
    seen: Option<Verdict>,
    said: Option<Verdict>,
}

impl FirewallWatch {
    /// Logs a verdict that is a new one.
    pub(crate) fn show(&mut self, verdict: io::Result<Option<Verdict>>) {
        match verdict {
            Ok(verdict) => match self.next(verdict) {
                Some(verdict) if verdict.is_good() => tracing::info!("Seen: {verdict}"),
                Some(verdict) => tracing::warn!("Seen: {verdict}"),
                None => {}
            },
            Err(error) => tracing::debug!(%error, "Cannot read the firewall's profiles"),
        }
    }

    /// The firewall follows a new category after a moment, so what is bad must be seen twice.
    fn next(&mut self, verdict: Option<Verdict>) -> Option<Verdict> {
        let before = std::mem::replace(&mut self.seen, verdict);
        let verdict = verdict?;
        if self.said == Some(verdict) || !(verdict.is_good() || before == Some(verdict)) {
            return None;
        }
        self.said = Some(verdict);
        self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Category::{Domain, Private, Public};

    #[test]
    fn only_a_profile_in_force_lets_games_through() {
        assert_eq!(Verdict::of(Public, &[Public, Private]), Verdict::Hidden);
        assert_eq!(
            Verdict::of(Private, &[Public]),
            Verdict::NotInForce(Private)
        );
        assert_eq!(
            Verdict::of(Private, &[Private, Public]),
            Verdict::InForce(Private)
        );
        assert_eq!(Verdict::of(Domain, &[Domain]), Verdict::InForce(Domain));
    }

    #[test]
    fn bad_news_is_said_when_it_lasts_and_good_news_at_once() {
        let (good, bad) = (Verdict::InForce(Private), Verdict::NotInForce(Private));
        let mut watch = FirewallWatch::default();
        assert_eq!(watch.next(None), None);
        assert_eq!(watch.next(Some(bad)), None);
        assert_eq!(watch.next(Some(good)), Some(good));
        assert_eq!(watch.next(Some(good)), None);
        assert_eq!(watch.next(Some(bad)), None);
        assert_eq!(watch.next(Some(bad)), Some(bad));
        assert_eq!(watch.next(Some(bad)), None);
        assert_eq!(watch.next(Some(good)), Some(good));
    }

    #[test]
    fn every_verdict_is_a_sentence_about_the_network() {
        for verdict in [
            Verdict::Hidden,
            Verdict::NotInForce(Private),
            Verdict::InForce(Private),
        ] {
            assert!(verdict.to_string().contains("the party's network"));
        }
    }
}

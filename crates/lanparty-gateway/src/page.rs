//! The party page of this gateway: where it is shown, and how its host hears of that.

use clap::Args;
use lanparty_edge::source_address::outgoing;
use lanparty_edge::speech::say;
use lanparty_gateway_control::{Line, PageFacts};
use lanparty_page::{Page, Settings, StateFolder};
use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

/// Where the page is found if nobody says.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4480);

/// Where the party page is shown.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PageArgs {
    /// Where the host's browser finds the party page: who is here and how it goes, with a button for each order. Beyond
    /// this machine it speaks TLS with a certificate of its own. `lanparty-gateway ctl page` prints its link, a secret
    /// [default: 127.0.0.1:4480].
    #[arg(long, value_name = "ADDR:PORT|off")]
    page: Option<Asked>,

    /// Where everybody finds the page without buttons, for a screen in the hall; by plain HTTP [default: nowhere].
    #[arg(long, value_name = "ADDR:PORT")]
    page_public: Option<SocketAddr>,
}

/// What is said of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Off,
    At(SocketAddr),
}

impl FromStr for Asked {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Asked::Off),
            _ => text
                .parse()
                .map(Asked::At)
                .map_err(|_| "give an address and a port, such as 127.0.0.1:4480 or 192.168.50.2:4480, or off"),
        }
    }
}

impl PageArgs {
    pub(crate) fn places(&self) -> Places {
        Places {
            host: match self.page {
                None => Some(USUAL),
                Some(Asked::Off) => None,
                Some(Asked::At(at)) => Some(at),
            },
            public: self.page_public,
        }
    }
}

/// Where the pages are to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// The host's.
    pub host: Option<SocketAddr>,
    /// Everybody's.
    pub public: Option<SocketAddr>,
}

/// Listens, as long as the gateway has its rights. The token is kept beside the keys.
#[cfg(target_os = "linux")]
pub(crate) fn open(Places { host, public }: Places, keys: Option<&Path>) -> Page {
    Page::open(&Settings {
        at: host,
        public,
        folder: keys.map(|folder| StateFolder::new(folder.to_owned())),
        addresses: outgoing().into_iter().collect(),
    })
}

/// Shows it, and tells a person at a terminal; what a service says ends in the journal, which is no place for the link.
/// Answers what there is to know of it.
#[cfg(target_os = "linux")]
pub(crate) fn show(page: Page, line: Line) -> PageFacts {
    let links = page.links().clone();
    let mut facts = PageFacts {
        link: links.host,
        fingerprint: links.fingerprint,
        public: links.public,
        troubles: page.troubles().to_vec(),
    };
    if let Err(error) = page.start(line) {
        facts = PageFacts {
            troubles: vec![error.to_string()],
            ..PageFacts::default()
        };
    }
    facts
        .troubles
        .iter()
        .map(|trouble| whole(trouble))
        .for_each(say);
    if let Some(link) = &facts.link {
        match io::stdout().is_terminal() {
            true => say(format_args!("The party page: {link}")),
            false => say("The party page is there; `lanparty-gateway ctl page` prints its link."),
        }
    }
    if let Some(fingerprint) = &facts.fingerprint {
        say(format_args!(
            "Its certificate is its own; the browser shows this SHA-256: {fingerprint}"
        ));
    }
    if let Some(public) = &facts.public {
        say(format_args!("For everybody, without buttons: {public}"));
    }
    facts
}

/// A part of a sentence as a whole one.
#[cfg(target_os = "linux")]
fn whole(part: &str) -> String {
    let mut letters = part.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase);
    let capital: String = first.into_iter().flatten().collect();
    format!("{capital}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_on_this_machine_unless_somebody_says_otherwise() {
        let places = |page: Option<&str>| {
            let page = page.map(|text| text.parse().unwrap());
            PageArgs {
                page,
                page_public: None,
            }
            .places()
            .host
        };
        assert_eq!(places(None), Some(USUAL));
        assert!(USUAL.ip().is_loopback());
        assert_eq!(places(Some("off")), None);
        assert_eq!(places(Some("[::1]:80")), Some("[::1]:80".parse().unwrap()));
        for wrong in ["", "on", "4480", "eth0:4480", "127.0.0.1", "OFF "] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }
}

//! What the host is told of the port, and what invites say of where the party is.

use crate::address::Outside;
use crate::plan::{Held, Outcome, Refused, Router, WhyShut};
use crate::way::Way;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// What is known of the ways in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The UDP port of the relay here.
    pub listens: u16,
    /// False where no router may be asked.
    pub asks: bool,
    /// This machine's IPv4 address on its way to the internet, where the relay listens on it.
    pub own: Option<IpAddr>,
    /// The same for IPv6, if it is one that the internet can reach.
    pub own_ipv6: Option<IpAddr>,
    /// What the IPv4 router does.
    pub four: Outcome,
    /// What the IPv6 router does.
    pub six: Outcome,
    /// False before the first look.
    pub looked: bool,
}

impl Facts {
    /// True while something is on its way that invites should wait for.
    pub fn is_open(&self) -> bool {
        !self.looked || self.four == Outcome::Asking || self.six == Outcome::Asking
    }
}

/// How far it is known that players can come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The router says so, or there is none in between.
    Opened,
    /// Nothing is known.
    Unknown,
    /// It is being looked at.
    Checking,
    /// Nobody comes in from outside.
    Shut,
}

/// What the host is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How far it is known.
    pub standing: Standing,
    /// What is, and what to do.
    pub sentence: String,
    /// Where players find the relay, the best first.
    pub addresses: Vec<SocketAddr>,
}

/// How a host gets by without the router.
const RELAY: &str = "use a relay on a server (`lanparty-gateway --help`)";
/// Nobody has tried.
const UNTRIED: &str =
    "Whether that works could not be checked from here: ask a friend outside to join.";

/// What to tell of these facts. `public` is what the host says of where players find this machine, if it does.
pub fn report(facts: &Facts, public: Option<&str>) -> Report {
    let port = facts.listens;
    let at = |ip| SocketAddr::new(ip, port);
    let own = facts.own.map(at);
    let six = facts.own_ipv6.map(at);
    let is_public = |ip: &SocketAddr| Outside::of(ip.ip()) == Outside::Public;
    let (standing, mut sentence, outside) = match &facts.four {
        _ if !facts.looked => (Standing::Checking, looking(port), None),
        Outcome::Asking => (Standing::Checking, looking(port), None),
        Outcome::Open(held) => opened(held, port),
        Outcome::Shut { router, refusals } => refused(router, refusals, port, public.is_some()),
        Outcome::NoRouter => match own {
            Some(own) if is_public(&own) => (
                Standing::Opened,
                format!(
                    "Players find this machine at {own}: no router stands in between, so only a firewall can keep them \
                     out of UDP port {port}. {UNTRIED}"
                ),
                Some(own),
            ),
            own => without_router(facts, own, public.is_some()),
        },
    };
    if let (Some(six), Standing::Unknown | Standing::Shut) = (six, standing) {
        let opened = match facts.six {
            Outcome::Open(_) => "the router has opened the port there (PCP)",
            _ => "where the router's firewall lets UDP in",
        };
        let _ = write!(
            sentence,
            " Players with IPv6 find this machine at {six}, {opened}."
        );
    }
    let six = six.map(|six| match facts.six {
        Outcome::Open(held) => held
            .address
            .map_or(six, |ip| SocketAddr::new(ip, held.port)),
        _ => six,
    });
    let mut addresses = Vec::new();
    for address in [outside, six, own].into_iter().flatten() {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Report {
        standing,
        sentence,
        addresses,
    }
}

fn looking(port: u16) -> String {
    format!("Asking the router to open UDP port {port}.")
}

type Told = (Standing, String, Option<SocketAddr>);

fn opened(held: &Held, port: u16) -> Told {
    let Held {
        way,
        router,
        address,
        port: outside,
    } = held;
    let router = router.address;
    let did = match *outside == port {
        true => format!("The router {router} has opened UDP port {port} ({way})"),
        false => format!(
            "The router {router} has opened its UDP port {outside} for this machine's {port} ({way})"
        ),
    };
    let Some(address) = address else {
        let sentence = format!(
            "{did}, but does not say where the internet finds it: say so with --public-address HOST:{outside}. {UNTRIED}"
        );
        return (Standing::Unknown, sentence, None);
    };
    match Outside::of(*address) {
        Outside::Public => {
            let at = SocketAddr::new(*address, *outside);
            let sentence = format!("{did}: players find this party at {at}. {UNTRIED}");
            (Standing::Opened, sentence, Some(at))
        }
        kind => {
            let why = in_front(kind, *address, *outside);
            (Standing::Shut, format!("{did}, but {why}"), None)
        }
    }
}

/// Why an address outside is of no use, and what helps.
fn in_front(kind: Outside, address: IpAddr, port: u16) -> String {
    match kind {
        Outside::Shared => format!(
            "its own address outside, {address}, is one that the provider shares among its customers (carrier-grade NAT), \
             so nobody comes in by it: ask the provider for a public address, or {RELAY}."
        ),
        Outside::Private => format!(
            "its own address outside is {address}, so a second router stands in front of it: forward UDP port {port} \
             there to {address} and give --public-address, or let only one of the two be a router, or {RELAY}."
        ),
        Outside::Nonsense | Outside::Public => format!(
            "it calls {address} its address outside, which cannot be: say with --public-address where players find \
             this machine, or {RELAY}."
        ),
    }
}

fn refused(router: &Router, refusals: &[(Way, Refused)], port: u16, is_told: bool) -> Told {
    let own = router.own;
    let router = router.address;
    // What a router says of its address explains the rest.
    let useless = refusals.iter().find_map(|(_, refused)| {
        let address = refused.address.filter(|ip| !ip.is_unspecified())?;
        let kind = Outside::of(address);
        matches!(kind, Outside::Shared | Outside::Private).then_some((kind, address))
    });
    if let Some((kind, address)) = useless {
        let why = in_front(kind, address, port);
        let sentence = format!("The router {router} does not open UDP port {port}, and {why}");
        return (Standing::Shut, sentence, None);
    }
    let mut said = String::new();
    for (way, Refused { why, .. }) in refusals {
        let _ = match said.is_empty() {
            true => write!(said, "{way}: {why}"),
            false => write!(said, ", {way}: {why}"),
        };
    }
    let has_no_address = refusals
        .iter()
        .any(|(_, refused)| refused.why == WhyShut::NoAddress);
    let cause = match has_no_address {
        true => {
            " It may be offline, or stand behind another router or a provider's that shares addresses (carrier-grade NAT)."
        }
        false => "",
    };
    let told = match is_told {
        true => "",
        false => " and give --public-address",
    };
    let sentence = format!(
        "The router {router} does not open UDP port {port} by itself ({said}).{cause} Unless it is forwarded already, allow \
         UPnP or PCP in the router, or forward UDP port {port} to {own} there{told}, or {RELAY}. {UNTRIED}"
    );
    let outside = refusals.iter().find_map(|(_, refused)| {
        let address = refused.address?;
        (Outside::of(address) == Outside::Public).then_some(SocketAddr::new(address, port))
    });
    (Standing::Unknown, sentence, outside)
}

fn without_router(facts: &Facts, own: Option<SocketAddr>, is_told: bool) -> Told {
    let port = facts.listens;
    let sentence = match (own, is_told) {
        (Some(own), told) => {
            let ip = own.ip();
            let begin = match facts.asks {
                true => "No router is there to be asked",
                false => "The router is not asked (--no-port-mapping)",
            };
            let told = match told {
                true => "",
                false => {
                    ", and start again with --public-address and your router's public name or address"
                }
            };
            format!(
                "{begin}, and {ip} is an address that only this machine's own network can reach: for players elsewhere \
                 forward UDP port {port} to it{told}. {UNTRIED}"
            )
        }
        (None, true) => format!("Players come in by what --public-address says. {UNTRIED}"),
        (None, false) => "This machine has no IPv4 address that leads to the internet: say with --public-address where \
                          players find it."
            .to_owned(),
    };
    (Standing::Unknown, sentence, None)
}

#[cfg(test)]
mod tests;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn router() -> Router {
    Router {
        address: ip("192.168.1.1"),
        interface: 2,
        own: ip("192.168.1.20"),
    }
}

fn facts(four: Outcome) -> Facts {
    Facts {
        listens: 443,
        asks: true,
        own: Some(ip("192.168.1.20")),
        own_ipv6: None,
        four,
        six: Outcome::NoRouter,
        looked: true,
    }
}

fn open(address: Option<&str>, port: u16) -> Facts {
    facts(Outcome::Open(Held {
        way: Way::NatPmp,
        router: router(),
        address: address.map(ip),
        port,
    }))
}

fn shut(refusals: &[(Way, WhyShut, Option<&str>)]) -> Facts {
    let refusals = refusals.iter().map(|&(way, why, address)| {
        let address = address.map(ip);
        (way, Refused { why, address })
    });
    facts(Outcome::Shut {
        router: router(),
        refusals: refusals.collect(),
    })
}

/// What is told, and the addresses as text.
fn told(facts: &Facts) -> (Standing, String, String) {
    let Report {
        standing,
        sentence,
        addresses,
    } = report(facts, None);
    let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    assert!(
        sentence.ends_with('.') && !sentence.contains("  "),
        "{sentence}"
    );
    (standing, sentence, addresses.join(" "))
}

#[test]
fn an_open_port_is_told_with_what_nobody_knows_yet() {
    let (standing, said, at) = told(&open(Some("203.0.113.7"), 443));
    assert_eq!(standing, Standing::Opened);
    assert_eq!(
        said,
        "The router 192.168.1.1 has opened UDP port 443 (NAT-PMP): players find this party at 203.0.113.7:443. Whether \
         that works could not be checked from here: ask a friend outside to join."
    );
    assert_eq!(at, "203.0.113.7:443 192.168.1.20:443");
    let (_, said, at) = told(&open(Some("203.0.113.7"), 40_444));
    assert!(
        said.contains("its UDP port 40444 for this machine's 443"),
        "{said}"
    );
    assert_eq!(at, "203.0.113.7:40444 192.168.1.20:443");
    let (standing, said, at) = told(&open(None, 443));
    assert!(said.contains("--public-address HOST:443"), "{said}");
    assert_eq!((standing, &*at), (Standing::Unknown, "192.168.1.20:443"));
}

#[test]
fn an_address_that_nobody_reaches_is_told_with_the_cure() {
    for (address, says, cure) in [
        ("100.64.3.4", "carrier-grade NAT", "ask the provider"),
        ("192.0.0.2", "carrier-grade NAT", "ask the provider"),
        (
            "10.0.0.2",
            "a second router",
            "forward UDP port 443 there to 10.0.0.2",
        ),
        ("0.0.0.0", "cannot be", "--public-address"),
        ("127.0.0.1", "cannot be", "--public-address"),
        ("224.0.0.1", "cannot be", "--public-address"),
    ] {
        let (standing, said, at) = told(&open(Some(address), 443));
        assert_eq!(
            (standing, &*at),
            (Standing::Shut, "192.168.1.20:443"),
            "{address}"
        );
        for part in [address, says, cure, "a relay on a server"] {
            assert!(said.contains(part), "{said}");
        }
        let (standing, said, _) = told(&shut(&[(Way::Upnp, WhyShut::Refused, Some(address))]));
        let is_known = !says.contains("cannot be");
        assert_eq!(standing == Standing::Shut, is_known, "{said}");
        assert_eq!(said.contains(says), is_known, "{said}");
    }
}

#[test]
fn a_router_that_opens_nothing_is_told_with_each_reason() {
    let (standing, said, at) = told(&shut(&[
        (Way::Pcp, WhyShut::Silent, None),
        (Way::NatPmp, WhyShut::Refused, Some("203.0.113.7")),
        (Way::Upnp, WhyShut::Absent, None),
    ]));
    assert_eq!(standing, Standing::Unknown);
    assert!(
        said.contains("(PCP: no answer, NAT-PMP: refused, UPnP: it has none)"),
        "{said}"
    );
    assert!(
        said.contains("forward UDP port 443 to 192.168.1.20"),
        "{said}"
    );
    // It may be forwarded by hand.
    assert_eq!(at, "203.0.113.7:443 192.168.1.20:443");
    let (_, said, _) = told(&shut(&[(Way::NatPmp, WhyShut::NoAddress, None)]));
    assert!(said.contains("carrier-grade NAT"), "{said}");
}

#[test]
fn without_a_router_the_address_itself_says_it() {
    let mut facts = facts(Outcome::NoRouter);
    let (standing, said, _) = told(&facts);
    assert_eq!(standing, Standing::Unknown);
    assert!(
        said.contains("192.168.1.20 is an address that only"),
        "{said}"
    );
    facts.asks = false;
    let (_, said, _) = told(&facts);
    assert!(said.contains("--no-port-mapping"), "{said}");
    let given = report(&facts, Some("party.example")).sentence;
    assert!(!given.contains("start again"), "{given}");
    facts.own = Some(ip("203.0.113.7"));
    let (standing, said, at) = told(&facts);
    assert_eq!((standing, &*at), (Standing::Opened, "203.0.113.7:443"));
    assert!(said.contains("no router stands in between"), "{said}");
    facts.own = None;
    let (standing, said, at) = told(&facts);
    assert_eq!((standing, &*at), (Standing::Unknown, ""));
    assert!(said.contains("--public-address"), "{said}");
}

#[test]
fn ipv6_is_a_way_in_where_ipv4_is_none() {
    let mut facts = open(Some("100.64.3.4"), 443);
    facts.own_ipv6 = Some(ip("2600::7"));
    let (_, said, at) = told(&facts);
    assert!(
        said.contains("Players with IPv6 find this machine at [2600::7]:443"),
        "{said}"
    );
    assert_eq!(at, "[2600::7]:443 192.168.1.20:443");
    facts = open(Some("203.0.113.7"), 443);
    facts.own_ipv6 = Some(ip("2600::7"));
    let (_, said, at) = told(&facts);
    assert!(!said.contains("IPv6"), "{said}");
    assert_eq!(at, "203.0.113.7:443 [2600::7]:443 192.168.1.20:443");
}

#[test]
fn before_the_router_has_answered_nothing_is_promised() {
    let (standing, said, at) = told(&facts(Outcome::Asking));
    assert_eq!((standing, &*at), (Standing::Checking, "192.168.1.20:443"));
    assert!(said.starts_with("Asking the router"), "{said}");
    assert!(facts(Outcome::Asking).is_open() && !facts(Outcome::NoRouter).is_open());
}

//! What the kernel knows of the LAN: who is router there, and which addresses this machine has.
//!
//! Its tables may be long, as a router's of the whole internet are, so it is asked beside the frames.

use lanparty_switch::reach::LanFacts;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteVia};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often the kernel is asked.
const EVERY: Duration = Duration::from_secs(10);

type Heard = io::Result<LanFacts>;

/// Asks the kernel again and again: routers and addresses may change at any time.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    asked_at: Option<Instant>,
    answer: Option<oneshot::Receiver<Heard>>,
    is_deaf: bool,
}

impl Lookout {
    /// What it says, when it has said it: for a LAN of which nothing is known yet.
    pub(crate) async fn look_first(&mut self, now: Instant, interface: &str) -> Option<LanFacts> {
        self.ask(now, interface);
        let heard = self.answer.take()?.await;
        self.note(heard.ok()?)
    }

    /// What it has said meanwhile; asks again when it is time.
    pub(crate) fn look(&mut self, now: Instant, interface: &str) -> Option<LanFacts> {
        let heard = match self.answer.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(oneshot::error::TryRecvError::Empty)) => return None,
            Some(Err(oneshot::error::TryRecvError::Closed)) | None => None,
            Some(Ok(heard)) => Some(heard),
        };
        self.answer = None;
        if self.asked_at.is_none_or(|at| now >= at + EVERY) {
            self.ask(now, interface);
        }
        self.note(heard?)
    }

    fn ask(&mut self, now: Instant, interface: &str) {
        let (tell, answer) = oneshot::channel();
        let interface = interface.to_owned();
        // Nobody may want it any more.
        tokio::task::spawn_blocking(move || tell.send(of(&interface)).ok());
        self.asked_at = Some(now);
        self.answer = Some(answer);
    }

    /// What was known before stays; that there is nothing new is said once.
    fn note(&mut self, heard: Heard) -> Option<LanFacts> {
        match heard {
            Ok(facts) => {
                self.is_deaf = false;
                return Some(facts);
            }
            Err(error) if !self.is_deaf => tracing::warn!(
                %error,
                "The kernel does not say who is router here; while nobody does, players who may reach a network reach no \
                 administration in it"
            ),
            Err(_) => {}
        }
        self.is_deaf = true;
        None
    }
}

/// Of the LAN behind this interface.
fn of(interface: &str) -> Heard {
    let index = lanparty_netlink::link::named(interface)?.map(|link| link.header.index);
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let mut facts = LanFacts::default();
    for answer in lanparty_netlink::list(question)? {
        if let RouteNetlinkMessage::NewAddress(message) = answer {
            note_address(&mut facts, &message, index);
        }
    }
    for any in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ] {
        let mut question = RouteMessage::default();
        question.header.address_family = lanparty_netlink::family(any);
        for answer in lanparty_netlink::list(RouteNetlinkMessage::GetRoute(question))? {
            if let RouteNetlinkMessage::NewRoute(message) = answer {
                facts.routers.extend(routers(&message));
            }
        }
    }
    facts.routers.sort_unstable();
    facts.routers.dedup();
    Ok(facts)
}

fn note_address(facts: &mut LanFacts, message: &AddressMessage, interface: Option<u32>) {
    let mut attributes = message.attributes.iter();
    let local = attributes.find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    // IPv6 has no local one beside its address.
    let mut attributes = message.attributes.iter();
    let own = local.or_else(|| {
        attributes.find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    });
    let Some(own) = own.filter(|own| !own.is_loopback()) else {
        return;
    };
    facts.own.push(own);
    if interface == Some(message.header.index) {
        facts.networks.push((own, message.header.prefix_len));
    }
}

/// Every router of a route: the way out is not always the default one.
fn routers(message: &RouteMessage) -> Vec<IpAddr> {
    let mut routers = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::MultiPath(hops) => {
                let attributes = hops.iter().flat_map(|hop| &hop.attributes);
                routers.extend(attributes.filter_map(router));
            }
            other => routers.extend(router(other)),
        }
    }
    routers
}

fn router(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some((*address).into()),
        RouteAttribute::Gateway(RouteAddress::Inet6(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_is_asked_beside_the_frames_and_not_too_often() {
        let (mut lookout, now) = (Lookout::default(), Instant::now());
        let facts = lookout.look_first(now, "lo").await.unwrap();
        // Loopback is in no LAN.
        assert!(facts.own.iter().all(|own| !own.is_loopback()));
        let soon = now + EVERY - Duration::from_millis(1);
        assert_eq!(lookout.look(soon, "lo"), None);
        assert!(lookout.answer.is_none());
        assert_eq!(lookout.look(now + EVERY, "lo"), None);
        let heard = lookout.answer.take().unwrap().await.unwrap();
        let (tell, answer) = oneshot::channel();
        lookout.answer = Some(answer);
        assert_eq!(lookout.look(now + 9 * EVERY, "lo"), None, "no answer yet");
        tell.send(heard).unwrap();
        assert!(lookout.look(now + EVERY, "lo").is_some());
    }

    #[test]
    fn a_kernel_that_says_nothing_is_complained_of_once() {
        let mut lookout = Lookout::default();
        let fails = || Err(io::ErrorKind::PermissionDenied.into());
        for _ in 0..3 {
            assert_eq!(lookout.note(fails()), None);
            assert!(lookout.is_deaf, "it has been said");
        }
        assert!(lookout.note(Ok(LanFacts::default())).is_some());
        assert!(!lookout.is_deaf);
    }
}

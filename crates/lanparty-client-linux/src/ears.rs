//! `--both-ears`: games that are tied to the home network's interface hear the party, and are heard by it.
//!
//! ```text
//!   home's cable ═══ eth0 ──── AF_PACKET: what programs, and neighbours, say to all there
//!                     ▲              │
//!      tc redirect ───┤              ▼
//!            lanparty0-ear ◄──── this client ◄────► lanparty0
//! ```
//!
//! What the party says comes in at home's interface by a second TAP, whose only filter hands everything over to it
//! (tc-u32(8), tc-mirred(8)). Nothing of the interface is changed; TAP and filter vanish with the process.
//! What may pass is decided by [`Ears`].

#[allow(unsafe_code, reason = "packet sockets have no safe wrapper")]
mod sys;

use crate::link::Link;
use crate::route::Route;
use crate::tap::{Tap, TapName, watch};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use lanparty_client_core::ears::{EAR_MAC, Ears, End};
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_netlink::link::make_up_no_address;
use lanparty_netlink::redirect;
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::vnet::Sent;
use lanparty_proto::{FrameBuf, MacAddr};
use netlink_packet_route::link::LinkAttribute;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use sys::Way;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// No discovery is longer than an ordinary frame.
const LONGEST: usize = 1514;
/// How many of home's frames are read at once.
const ENOUGH: usize = 64;
/// How often addresses are looked up.
const LOOK: Duration = Duration::from_secs(1);
/// What an interface's name has room for.
const MAX_NAME: usize = libc::IFNAMSIZ - 1;

/// The home network's interface, heard.
#[derive(Debug)]
pub(crate) struct HomeEar {
    link: Link,
    /// By the player, and not because it is the way to the internet.
    is_chosen: bool,
    socket: AsyncFd<OwnedFd>,
}

impl HomeEar {
    /// Listens to this interface, or to the one of the default route.
    pub(crate) fn open(interface: Option<&str>) -> Result<Self> {
        let link = match interface {
            Some(name) => {
                Link::find(name).with_context(|| format!("--both-ears: no interface {name}"))?
            }
            None => default_interface()?,
        };
        let advice = || {
            let needed = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
            let advice = privilege::advice(needed, &[]);
            format!("--both-ears cannot listen to {}: {advice}", link.name())
        };
        let socket = sys::open(link.index()).with_context(advice)?;
        let socket = watch(socket, Interest::READABLE)
            .context("--both-ears cannot wait for home's interface")?;
        if is_strict(link.name()) {
            tracing::warn!(
                "Games at {0} will not hear the party: its reverse path filter is strict; `sudo sysctl net.ipv4.conf.{0}.rp_filter=2` loosens it",
                link.name()
            );
        }
        Ok(HomeEar {
            link,
            is_chosen: interface.is_some(),
            socket,
        })
    }
}

/// The interface by which this machine reaches the internet.
fn default_interface() -> Result<Link> {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let routes = Route::list(any).context("--both-ears cannot read the routes")?;
    let defaults = routes.into_iter().filter(|route| route.is_to(any, 0));
    let best = defaults.min_by_key(|route| route.metric);
    let best = best.context(
        "--both-ears finds no default route, so it does not know which interface is home's; name it: --both-ears=eth0",
    )?;
    Link::with_index(best.device).context("--both-ears cannot look at home's interface")
}

/// The kernel's rule is the stricter one of the interface's and everybody's (ip-sysctl, rp_filter).
fn is_strict(interface: &str) -> bool {
    let read = |name: &str| {
        let file = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        let value = std::fs::read_to_string(file).ok()?;
        value.trim().parse::<u8>().ok()
    };
    [read("all"), read(interface)].into_iter().flatten().max() == Some(1)
}

/// The adapter, and home's interface if that is wanted.
#[derive(Debug)]
pub(crate) struct BothEars {
    tap: Tap,
    home: Option<Home>,
}

#[derive(Debug)]
struct Home {
    heard: HomeEar,
    /// By which this machine hears the party at home.
    ear: Tap,
    ears: Ears,
    adapter_link: Link,
    home: End,
    adapter: End,
    looked_at: Instant,
    /// The interface that was the way to the internet instead, when that was said.
    warned_of: Option<u32>,
    buffer: Box<[u8]>,
}

impl BothEars {
    /// The adapter, and the ear that was opened for it.
    pub(crate) fn new(
        tap: Tap,
        adapter: &Link,
        mac: MacAddr,
        heard: Option<HomeEar>,
    ) -> Result<Self> {
        let home = heard
            .map(|heard| Home::new(adapter, mac, heard))
            .transpose();
        Ok(BothEars {
            tap,
            home: home.context("--both-ears cannot be set up")?,
        })
    }
}

impl Home {
    fn new(adapter: &Link, mac: MacAddr, heard: HomeEar) -> Result<Self> {
        let name: TapName = ear_name(adapter.name()).parse()?;
        let ear = Tap::create(&name)?;
        if let Err(error) = ear.take_carrier() {
            tracing::debug!(%error, "{name} looks as if it had a cable");
        }
        let link = Link::find(name.as_str())?;
        // What has it as its destination is for this machine, wherever it is redirected to.
        link.set(LinkAttribute::Address(EAR_MAC.octets().to_vec()))?;
        // Only for those who look at it; not every kernel has IPv6.
        let _ = make_up_no_address(link.index());
        link.set_up()?;
        redirect::start(link.index(), heard.link.index()).context(
            "this kernel redirects no frames (it takes sch_ingress, cls_u32 and act_mirred)",
        )?;
        let now = Instant::now();
        let end = |mac| End {
            mac,
            v4: None,
            v6: None,
        };
        let mut home = Home {
            home: end(heard.link.mac()?),
            adapter: end(mac),
            heard,
            ear,
            ears: Ears::new(now),
            adapter_link: adapter.clone(),
            looked_at: now,
            warned_of: None,
            buffer: vec![0; LONGEST].into(),
        };
        home.look();
        Ok(home)
    }

    fn look(&mut self) {
        // NetworkManager gives interfaces other MACs while they are up.
        if let Ok(mac) = self.heard.link.mac() {
            self.home.mac = mac;
        }
        self.warn_of_another();
        let pairs = [
            (&self.heard.link, &mut self.home),
            (&self.adapter_link, &mut self.adapter),
        ];
        for (link, end) in pairs {
            let addresses = link.addresses().unwrap_or_default();
            let v4 = |ip: &IpAddr| match ip {
                IpAddr::V4(ip) => Some(*ip),
                IpAddr::V6(_) => None,
            };
            let v6 = |ip: &IpAddr| match ip {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(*ip),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            };
            end.v4 = addresses.iter().find_map(v4);
            end.v6 = addresses.iter().find_map(v6);
        }
    }

    /// A cable instead of the radio: what was opened is heard, and there are no rights to open another.
    fn warn_of_another(&mut self) {
        if self.heard.is_chosen {
            return;
        }
        let (ours, adapter) = (self.heard.link.index(), self.adapter_link.index());
        let Ok(best) = default_interface() else {
            return;
        };
        let another = (best.index() != ours && best.index() != adapter).then_some(best.index());
        if another.is_some() && another != self.warned_of {
            tracing::warn!(
                "Home is at {} now, and --both-ears listens to {}: start the client again to listen there",
                best.name(),
                self.heard.link.name()
            );
        }
        self.warned_of = another;
    }

    /// Reads what home has: for the party, and for the adapter.
    fn hear(&mut self, now: Instant, mut to_party: impl FnMut(Vec<u8>)) -> Vec<Bytes> {
        if now.saturating_duration_since(self.looked_at) >= LOOK {
            self.looked_at = now;
            self.look();
        }
        let mut to_adapter = Vec::new();
        for _ in 0..ENOUGH {
            let (socket, buffer) = (&self.heard.socket, &mut self.buffer);
            let heard = socket.try_io(Interest::READABLE, |fd| sys::receive(fd, buffer));
            // An interface that is down is heard again when it is up.
            let Ok((len, way)) = heard else { break };
            let frame = &self.buffer[..len];
            match way {
                Way::In => to_adapter.extend(self.ears.from_home(now, frame).map(Bytes::from)),
                Way::Out => {
                    let said = self.ears.of_home(now, frame, &self.home, &self.adapter);
                    if let Some(said) = said {
                        to_party(said);
                    }
                }
                Way::Other => {}
            }
        }
        to_adapter
    }
}

impl FramePort for BothEars {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Both are asked, so that either wakes the task.
        let tap = self.tap.poll_readable(cx);
        let Some(home) = &self.home else {
            return tap;
        };
        let heard = home.heard.socket.poll_read_ready(cx);
        match (tap, heard) {
            (Poll::Pending, Poll::Ready(heard)) => {
                Poll::Ready(heard.map(|mut heard| heard.retain_ready()))
            }
            (tap, _) => tap,
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        let Some(home) = &mut self.home else {
            return self.tap.try_recv(take);
        };
        let (now, mut more) = (Instant::now(), 0);
        let reads = self.tap.try_recv(&mut |frame| {
            if let Ok(frame) = &frame {
                home.ears.of_adapter(now, frame.frame(), &home.adapter);
            }
            take(frame);
        })?;
        let to_adapter = home.hear(now, |frame| {
            more += 1;
            take(Ok(FrameBuf::from_frame(&frame)));
        });
        if !to_adapter.is_empty() {
            self.tap.try_send(&to_adapter);
        }
        Ok(reads + more)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        let Some(home) = &mut self.home else {
            return self.tap.try_send(frames);
        };
        let (now, mut at_home, mut at_adapter) = (Instant::now(), Vec::new(), Vec::new());
        for frame in frames {
            let answer = home.ears.answer(now, frame, &home.adapter);
            // Who asked at home listens there. A socket that listens everywhere hears it as well, once, and its own answer
            // leaves by the adapter.
            if let Some(answer) = answer {
                at_home.push(answer.into());
                continue;
            }
            at_home.extend(home.ears.for_home(now, frame).map(Bytes::from));
            at_adapter.push(frame.clone());
        }
        if !at_home.is_empty() {
            home.ear.try_send(&at_home);
        }
        self.tap.try_send(&at_adapter)
    }
}

/// The ear's name shows whose it is.
pub(crate) fn ear_name(adapter: &str) -> String {
    const END: &str = "-ear";
    let room = adapter.len().min(MAX_NAME - END.len());
    format!("{}{END}", adapter.get(..room).unwrap_or("lanparty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ear_is_named_after_its_adapter() {
        assert_eq!(ear_name("lanparty0"), "lanparty0-ear");
        assert_eq!(ear_name("a-name-as-long1"), "a-name-as-l-ear");
        assert!(ear_name("a-name-as-long1").parse::<TapName>().is_ok());
    }
}

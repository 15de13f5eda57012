//! Keeps the port open for as long as the party goes on.

use crate::address::Outside;
use crate::ask::Asker;
use crate::epoch;
use crate::plan::{Found, Granted, Order, Outcome, Plan, Refused, Router};
use crate::report::Facts;
use crate::way::Way;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// For documentation (RFC 5737, RFC 3849): they are nobody's, so the default routes lead there.
const ANY_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ANY_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// How often it is looked where the default route leads; that sends nothing.
const ROUTES: Duration = Duration::from_secs(1);
/// How long giving the port back may hold up the end.
const END: Duration = Duration::from_millis(1500);
/// Where routers say to everybody that they have started (RFC 6886 §3.2.1, RFC 6887 §14.1.1).
const ANNOUNCEMENTS: u16 = 5350;

/// What is to be kept open.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where the relay listens.
    pub listening: SocketAddr,
    /// By this a router knows its own mappings again (RFC 6887 §11.1): the same at each start, so that what a killed
    /// program has left is taken over.
    pub nonce: [u8; 12],
    /// False where no router may be asked; what is known without is told all the same.
    pub asks: bool,
}

/// Keeps the port open until `stop`, then gives it back, and tells how things stand whenever that changes.
pub async fn keep_open(
    settings: Settings,
    tell: watch::Sender<Facts>,
    stop: impl Future<Output = ()>,
) {
    let Some(port) = NonZeroU16::new(settings.listening.port()) else {
        return;
    };
    let [a, b, c] = [0, 4, 8].map(|at| {
        let four = settings.nonce[at..at + 4].try_into();
        u32::from_be_bytes(four.expect("four of twelve"))
    });
    let asker = Asker::new(port, [a, b, c]);
    let mut keeper = Keeper {
        settings,
        four: Side::new(asker.clone(), Way::IPV4, port.get()),
        six: Side::new(asker, Way::IPV6, port.get()),
        tell,
    };
    let mut stop = pin!(stop);
    tokio::select! {
        never = keeper.run() => match never {},
        () = &mut stop => {}
    }
    let _ = tokio::time::timeout(END, keeper.end()).await;
}

/// This machine's addresses on its ways to the internet: IPv4, and IPv6 if it is one that the internet can reach. The same as
/// [`Facts`] have after the first look.
pub fn own_addresses() -> [Option<IpAddr>; 2] {
    [ANY_IPV4.into(), ANY_IPV6.into()].map(|any| Some(way(any)?.0))
}

/// What a question has come to.
enum Answer {
    Opened(Result<Granted, Refused>),
    Found(Found),
    Closed,
}

type Question = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One address family.
struct Side {
    asker: Asker,
    plan: Plan,
    question: Option<(u64, Question)>,
    router: Option<Router>,
    own: Option<IpAddr>,
}

impl Side {
    fn new(asker: Asker, ways: &'static [Way], port: u16) -> Self {
        Side {
            asker,
            plan: Plan::new(ways, port),
            question: None,
            router: None,
            own: None,
        }
    }

    fn set(&mut self, own: Option<IpAddr>, router: Option<Router>) {
        self.own = own;
        if router != self.router {
            self.router = router;
            if let Some(router) = router.filter(|router| router.address.is_ipv4()) {
                self.asker.look_ahead(router);
            }
            self.plan.handle_router(router);
            if router.is_none() {
                self.question = None;
            }
        }
    }

    /// Takes what the plan wants; a question that is of no interest any more is dropped.
    fn obey(&mut self) {
        if let Some((number, order)) = self.plan.poll_output() {
            let asker = self.asker.clone();
            let question: Question = match order {
                Order::Open(asked) => {
                    Box::pin(async move { Answer::Opened(asker.open(asked).await) })
                }
                Order::Look(asked) => {
                    Box::pin(async move { Answer::Found(asker.look(asked).await) })
                }
                Order::Close(asked) => Box::pin(async move {
                    asker.close(asked).await;
                    Answer::Closed
                }),
            };
            self.question = Some((number, question));
        }
    }

    /// Waits for the next thing that changes the plan, and tells it of it.
    async fn turn(&mut self) {
        self.obey();
        let due = self.plan.poll_timeout();
        tokio::select! {
            (number, answer) = answer(&mut self.question) => {
                self.question = None;
                let now = Instant::now();
                match answer {
                    Answer::Opened(opened) => self.plan.handle_answer(now, number, opened),
                    Answer::Found(found) => self.plan.handle_found(now, number, found),
                    Answer::Closed => self.plan.handle_closed(number),
                }
            }
            () = sleep_until(due) => self.plan.handle_timeout(Instant::now()),
        }
        self.obey();
    }

    async fn end(&mut self) {
        self.plan.handle_shutdown();
        while !self.plan.is_over() {
            self.turn().await;
        }
    }
}

async fn answer(question: &mut Option<(u64, Question)>) -> (u64, Answer) {
    match question {
        Some((number, question)) => (*number, question.await),
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

struct Keeper {
    settings: Settings,
    four: Side,
    six: Side,
    tell: watch::Sender<Facts>,
}

impl Keeper {
    async fn run(&mut self) -> std::convert::Infallible {
        let mut routes = tokio::time::interval(ROUTES);
        routes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Somebody else may listen there; then what was forgotten is seen a little later.
        let ear = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ANNOUNCEMENTS)).await;
        let ear = ear.inspect_err(|error| tracing::debug!(%error, "Routers are not listened to"));
        let mut ear = ear.ok().filter(|_| self.settings.asks);
        loop {
            tokio::select! {
                _ = routes.tick() => self.look_at_routes(),
                () = self.four.turn() => {}
                () = self.six.turn() => {}
                (from, epoch) = announcement(&mut ear) => {
                    if self.four.router.is_some_and(|router| router.address == from) {
                        self.four.plan.handle_announcement(Instant::now(), epoch);
                    }
                }
            }
            self.tell();
        }
    }

    async fn end(&mut self) {
        tokio::join!(self.four.end(), self.six.end());
    }

    fn look_at_routes(&mut self) {
        let listening = self.settings.listening.ip();
        let asks = self.settings.asks;
        let may = |own: &IpAddr| listening.is_unspecified() || listening.to_canonical() == *own;
        let four = way(ANY_IPV4.into()).filter(|(own, _)| may(own));
        // What listens on 0.0.0.0 is not there for IPv6.
        let six = way(ANY_IPV6.into()).filter(|(own, _)| may(own) && listening.is_ipv6());
        let router = |way: Option<(IpAddr, Option<Router>)>| {
            way.and_then(|(_, router)| router).filter(|_| asks)
        };
        // Nobody translates a public address.
        let four_router = router(four).filter(|router| Outside::of(router.own) != Outside::Public);
        self.four.set(four.map(|(own, _)| own), four_router);
        self.six.set(six.map(|(own, _)| own), router(six));
    }

    fn tell(&self) {
        let facts = Facts {
            listens: self.settings.listening.port(),
            asks: self.settings.asks,
            own: self.four.own,
            own_ipv6: self.six.own,
            four: self.four.plan.outcome(),
            six: self.six.plan.outcome(),
            looked: true,
        };
        self.tell.send_if_modified(|told| {
            let is_news = *told != facts;
            *told = facts;
            is_news
        });
    }
}

/// Who has started, and how many seconds ago.
async fn announcement(ear: &mut Option<UdpSocket>) -> (IpAddr, u32) {
    let mut bytes = [0; 64];
    loop {
        let Some(socket) = ear else {
            return std::future::pending().await;
        };
        match heard(socket, &mut bytes).await {
            Ok(Some(heard)) => return heard,
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "Routers are not listened to any more");
                *ear = None;
            }
        }
    }
}

async fn heard(socket: &UdpSocket, bytes: &mut [u8]) -> io::Result<Option<(IpAddr, u32)>> {
    let (len, from) = socket.recv_from(bytes).await?;
    Ok(epoch::read(&bytes[..len]).map(|epoch| (from.ip(), epoch)))
}

/// The router of the default route for IPv4, which may translate addresses.
pub(crate) fn router() -> Option<Router> {
    let (own, router) = way(ANY_IPV4.into())?;
    router.filter(|_| Outside::of(own) != Outside::Public)
}

/// This machine's address on its way to the internet, and the router there. The kernel's rules decide among several: what
/// comes in by another router than answers leave by would be of no use.
#[cfg(target_os = "linux")]
fn way(anywhere: IpAddr) -> Option<(IpAddr, Option<Router>)> {
    use lanparty_netlink::route::{Towards, lasting_ipv6, towards};
    let Towards {
        gateway,
        source,
        interface,
    } = towards(anywhere).ok()??;
    let own = match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(_) => {
            let lasting = lasting_ipv6(interface).unwrap_or_default();
            let mut public = lasting
                .into_iter()
                .map(IpAddr::from)
                .filter(|ip| Outside::of(*ip) == Outside::Public);
            public.next()?
        }
    };
    let router = gateway.map(|address| Router {
        address,
        interface,
        own,
    });
    Some((own, router))
}

/// Gateways are Linux machines.
#[cfg(not(target_os = "linux"))]
fn way(_: IpAddr) -> Option<(IpAddr, Option<Router>)> {
    None
}

impl Default for Facts {
    /// Before the first look.
    fn default() -> Self {
        Facts {
            listens: 0,
            asks: true,
            own: None,
            own_ipv6: None,
            four: Outcome::NoRouter,
            six: Outcome::NoRouter,
            looked: false,
        }
    }
}

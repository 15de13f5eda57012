//! A session on this machine, one step after another, and undone in reverse; the same at a terminal and for the service.

use crate::adapter::{Adapter, Address, IPV6_SETTINGS};
use crate::address::InterfaceAddress;
use crate::barrier::{self, Barrier};
use crate::dns::{Dns, Found};
use crate::ear::Ear;
use crate::ears::{BothEars, HomeEar};
use crate::link::Link;
use crate::managers::{self, Managers};
use crate::overlap::{PartyRoutes, Room};
use crate::route::{self, Pins};
use crate::rule;
use crate::tap::{Tap, TapName};
use anyhow::{Context as _, Result};
use lanparty_client_core::{HeldAddress, Player, Report, Reporter, Session};
use lanparty_client_service::Wishes;
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{ResumeToken, RoomKey, Text};
use lanparty_doctor::Hands;
use lanparty_obs::{Diagnostics, NoAddress, PlayerStatus};
use lanparty_peer::{Event, HostError, PeerHost};
use lanparty_proto::IpMtu;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// Where the adapter's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// The LAN's DHCP server, asked by this program, or the adapter itself.
    Lan,
    /// The player.
    Fixed(Vec<InterfaceAddress>),
    /// Somebody else on this machine.
    Others,
}

/// How long the adapter may be without an address before a person must do something. Where no DHCP server answers it has
/// given itself one by then.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(15);

/// Where a session gets its adapter and its address.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The adapter's name.
    pub(crate) tap: TapName,
    /// Where its address comes from.
    pub(crate) addressing: Addressing,
    /// Home's interface, where games there hear the party and are heard.
    pub(crate) ear: Option<HomeEar>,
    /// Whether this program does nothing else, and may be confined for good.
    pub(crate) alone: bool,
    /// Who has been told to leave it alone.
    pub(crate) managers: Option<Managers>,
}

/// Plays until `stop` gives the words for the relay. `reporter` hears how things are.
pub(crate) async fn play(
    player: Player,
    setup: Setup,
    reporter: impl Reporter,
    wishes: &Wishes,
    stop: impl Future<Output = Text>,
) -> Result<()> {
    let Setup {
        tap: name,
        addressing,
        ear,
        alone,
        managers,
    } = setup;
    // They may have the adapter's name again when that is gone: what stands first here goes last.
    let managers = RefCell::new(managers);
    player.relay.warn_if_open();
    player.tell_who_sees_whom();
    remove_leftovers()?;
    // Goes after the adapter.
    let barrier;
    let tap = Tap::create(&name)?;
    barrier = Barrier::before(name.as_str());
    if let Some(managers) = &mut *managers.borrow_mut() {
        managers.made();
    }
    let link = Link::find(name.as_str()).context("the new adapter is not there")?;
    let index = link.index();
    let adapter =
        Adapter::new(link.clone(), player.mac).context("cannot set the adapter's MAC address")?;
    adapter.leave_routes_to_others(player.full_lease);
    let mut tap = BothEars::new(tap, &link, player.mac.addr(), ear)?;
    tracing::info!(adapter = %name, mac = %player.mac, "Made the adapter");
    // Nothing more is opened by name.
    if alone {
        lanparty_edge::privilege::read_and_write(&[], &[IPV6_SETTINGS.into()]);
    }

    let _passage = Passage(name.as_str());
    let _watch = adapter.watch().context("cannot watch the adapter")?;

    let routes = PartyRoutes::new(player.full_lease);
    let dns = (!player.full_lease).then(|| Dns::new(Path::new("/")));
    let relay = player.relay.clone();
    let mut session = addressed(player.session(), &addressing)?;
    let mut machine = Machine {
        player,
        addressing,
        link,
        adapter,
        managers: &managers,
        barrier: &barrier,
        dns,
        mtu: None,
        pins: Pins::default(),
        routes,
        held: None,
        without_address: None,
        ear: Ear::on(name.as_str(), index),
        reporter,
        wishes,
    };
    lanparty_peer::run(&mut session, &mut tap, &mut machine, &relay, stop).await?;
    tracing::info!("Left the party");
    Ok(())
}

/// The way through this machine's firewall that a person may ask for while a session runs.
struct Passage<'a>(&'a str);

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if let Err(error) = lanparty_doctor::close_firewall(self.0) {
            tracing::debug!(%error, "Could not look for rules of this session in the firewall");
        }
    }
}

/// The session, which sees to the address as far as that is its affair.
fn addressed(session: Session, addressing: &Addressing) -> Result<Session> {
    Ok(match addressing {
        Addressing::Lan => session.asking_for_address(seed().context("no random numbers")?),
        Addressing::Fixed(addresses) => {
            let ipv4 = addresses.iter().filter_map(|address| match address.ip() {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            });
            session.with_addresses(ipv4.collect())
        }
        Addressing::Others => session,
    })
}

fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // getrandom(2) never gives less for up to 256 bytes.
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(bytes))
}

/// What this program can mend without the service.
pub(crate) struct Own;

impl Hands for Own {
    fn repair(&self) -> Result<String, String> {
        match remove_leftovers() {
            Ok(()) => Ok(REPAIRED.to_owned()),
            Err(error) => Err(lanparty_edge::sentence(&*error)),
        }
    }
}

/// What is said of that.
pub(crate) const REPAIRED: &str = "What a killed run left on this machine is undone.";

/// Undoes what a killed run left.
pub(crate) fn remove_leftovers() -> Result<()> {
    managers::remove_leftovers();
    match lanparty_doctor::remove_firewall_leftovers() {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "Removed rules of nftables that a killed client left"),
        // Without nftables in the kernel there is none.
        Err(error) => tracing::debug!(%error, "Could not look for rules that a killed client left"),
    }
    rule::remove_leftovers()
        .and(barrier::remove_leftovers())
        .context("cannot remove rules that a killed run left")?;
    route::remove_leftovers().context("cannot remove routes that a killed run left")
}

/// The player's machine, as far as the client changes it.
struct Machine<'a, R> {
    player: Player,
    addressing: Addressing,
    link: Link,
    adapter: Adapter,
    managers: &'a RefCell<Option<Managers>>,
    barrier: &'a Barrier,
    /// None where the LAN's DNS servers are welcome.
    dns: Option<Dns>,
    mtu: Option<IpMtu>,
    pins: Pins,
    routes: PartyRoutes,
    /// What the session's address was when the adapter got it.
    held: Option<HeldAddress>,
    /// Since when the LAN is there and the adapter has no address on it.
    without_address: Option<Instant>,
    /// Hears whether a firewall here eats the party.
    ear: Ear,
    reporter: R,
    wishes: &'a Wishes,
}

impl<R: Reporter> PeerHost<Session> for Machine<'_, R> {
    fn kept_token(&mut self) -> Option<ResumeToken> {
        self.player.kept_token()
    }

    fn room_key(&self) -> Option<RoomKey> {
        self.player.room_key()
    }

    fn named_addresses(&mut self, port: u16) -> Vec<SocketAddr> {
        lanparty_peer::door::outgoing(port)
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        let own = self.link.addresses().unwrap_or_default();
        let way = route::Route::lookup(address).ok().flatten();
        own.contains(&address) || way.is_some_and(|way| way.device == self.link.index())
    }

    fn keep_outside(&mut self, addresses: &[SocketAddr]) {
        if let Err(error) = self.pins.keep_doors(self.link.index(), addresses) {
            tracing::debug!(%error, "Could not pin the route of a direct path");
        }
    }

    async fn handle_event(
        &mut self,
        session: &mut Session,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            Event::Resolving { takes_long } => {
                let status = self.player.resolving(takes_long);
                self.tell_of_relay(session, status)?;
            }
            Event::Connecting { addresses } => {
                self.tell_of_relay(session, self.player.connecting())?;
                self.keep_off(addresses);
                self.follow_party(session, Room::without_relay(session));
            }
            Event::Trying { addresses } => self.keep_off(addresses),
            Event::Joined { welcome, relay, at } => {
                self.player.joined(welcome, relay, at);
                self.plug_in(session, welcome, relay)?;
            }
            Event::Control(message) => {
                self.player.hear(Instant::now(), message);
                if let Some(key) = self.player.take_new_key(session, message) {
                    self.reporter.keep_key(&key);
                }
                self.show(session)?;
            }
            Event::Tick(facts) => {
                self.player.ticked(facts);
                self.wishes.serve_look(Instant::now(), session);
                if let Err(error) = self.pins.follow(self.link.index()) {
                    tracing::debug!(%error, "Could not follow the routes to the relay");
                }
                if let Err(error) = self.barrier.keep() {
                    tracing::debug!(%error, "Could not keep the rule before the adapter");
                }
                if self.wishes.take_renew_address() {
                    session.renew_address(Instant::now());
                }
                self.follow_address(session);
                self.follow_party(session, Room::There);
                self.listen(session).await;
                self.show(session)?;
                self.watch_dns();
            }
            // What a player has to know of them comes with the link's facts.
            Event::Ways(_) | Event::Relays(_) | Event::Stays { .. } => {}
            Event::News => {
                self.wishes.serve_look(Instant::now(), session);
                self.follow_address(session);
                self.follow_party(session, Room::There);
                self.show(session)?;
            }
            Event::Slept => {
                self.follow_address(session);
                let status = self.player.slept();
                self.tell(session, status);
                self.follow_party(session, Room::Slept);
            }
            Event::NoLink { cause, refused, .. } => {
                self.follow_address(session);
                if !session.plays_on() {
                    let status = self.player.lost(cause, refused);
                    self.tell(session, status);
                }
                self.follow_party(session, Room::without_relay(session));
            }
        }
        Ok(())
    }
}

impl<R: Reporter> Machine<'_, R> {
    /// Says how it stands with the relay; who plays on without it is told how the party is.
    fn tell_of_relay(&mut self, session: &Session, status: PlayerStatus) -> Result<()> {
        match session.plays_on() {
            true => self.show(session),
            false => {
                self.tell(session, status);
                Ok(())
            }
        }
    }

    /// Keeps the relay off the adapter, along the way that leads to it now.
    fn keep_off(&mut self, relays: &[SocketAddr]) {
        // The network may be down or changing: the attempt fails then, and the next one pins anew.
        if let Err(error) = self.pins.renew(self.link.index(), relays) {
            tracing::warn!(%error, "Could not pin the route to the relay");
        }
    }

    /// The relay has let us in: sets the adapter up, or, after another link, what has changed.
    fn plug_in(
        &mut self,
        session: &mut Session,
        welcome: &Welcome,
        relay: SocketAddr,
    ) -> Result<()> {
        self.pins.keep_only(relay);
        if self.mtu != Some(welcome.effective_mtu) {
            self.adapter
                .want_mtu(welcome.effective_mtu)
                .context("cannot set the adapter's MTU")?;
        }
        if self.mtu.replace(welcome.effective_mtu).is_none() {
            self.bring_up()?;
        }
        self.follow_party(session, Room::There);
        self.show(session)
    }

    /// Keeps the party's hosts reachable, whatever addresses home has.
    fn follow_party(&mut self, session: &mut Session, room: Room) {
        let adapter = (self.link.index(), &self.adapter, self.player.mac);
        let followed = self
            .routes
            .follow(Instant::now(), room, adapter, session, &self.pins);
        if let Err(error) = followed {
            tracing::debug!(%error, "Could not follow the routes to the party");
        }
    }

    fn bring_up(&self) -> Result<()> {
        self.adapter
            .want_up()
            .context("cannot set the adapter up")?;
        for route in self.link.group_routes() {
            self.adapter
                .want_route(route)
                .context("cannot send broadcast to the adapter")?;
        }
        if let Addressing::Fixed(addresses) = &self.addressing {
            for &address in addresses {
                let context = || format!("cannot give the adapter the address {address}");
                self.adapter
                    .want_address(Address::of_lan(address))
                    .with_context(context)?;
            }
        }
        Ok(())
    }

    /// Gives the adapter the address that the session has now, for as long as it has it. One that stays is never gone in
    /// between.
    fn follow_address(&mut self, session: &Session) {
        let held = session.held_address().copied();
        if self.mtu.is_none() || held == self.held {
            return;
        }
        let before = std::mem::replace(&mut self.held, held);
        if let Some(HeldAddress {
            address,
            prefix_len,
            broadcast,
            until,
            ..
        }) = held
        {
            let wanted = InterfaceAddress::new(address.into(), prefix_len)
                .map(|at| Address::of_lan(at).with_broadcast(broadcast).until(until));
            let given = wanted
                .map_err(anyhow::Error::from)
                .and_then(|wanted| Ok(self.adapter.want_address(wanted)?));
            match given {
                Ok(()) => tracing::info!(%address, prefix_len, "The adapter has an address"),
                Err(error) => {
                    tracing::warn!(%address, %error, "The adapter cannot be given its address");
                }
            }
        }
        let kept = held.map(|held| held.address);
        if let Some(gone) = before.filter(|before| kept != Some(before.address)) {
            let address = gone.address;
            match self.adapter.drop_address(address.into()) {
                Ok(()) => tracing::info!(%address, "The adapter has that address no more"),
                Err(error) => tracing::warn!(%address, %error, "The adapter keeps an address"),
            }
        }
    }

    /// Names of the internet are looked up as before.
    fn watch_dns(&mut self) {
        let Some(dns) = &mut self.dns else {
            return;
        };
        for found in dns.look(&self.link, &self.adapter.wanted_addresses()) {
            let undoes = match (&found, &mut *self.managers.borrow_mut()) {
                (Found::Resolved, Some(managers)) => {
                    managers.revert_dns();
                    true
                }
                _ => false,
            };
            tracing::warn!("{}", found.sentence(self.link.name(), undoes));
        }
    }

    /// Hears what a firewall here lets through.
    async fn listen(&mut self, session: &mut Session) {
        let is_up = self.mtu.is_some() && self.link.is_up().unwrap_or(false);
        let addresses = is_up.then(|| self.link.addresses().ok()).flatten();
        self.ear.look(session, &addresses.unwrap_or_default()).await;
    }

    /// Says how things are.
    fn show(&mut self, session: &Session) -> Result<()> {
        let addresses = self
            .link
            .addresses()
            .context("cannot read the adapter's addresses")?;
        let now = Instant::now();
        let facts = self.diagnostics(session, addresses);
        let facts = self.with_wait(now, facts);
        tracing::trace!(?facts);
        let status = facts.joined_status(self.player.relay.room.as_str());
        self.reporter.hear(
            now,
            Report {
                status,
                facts,
                session,
            },
        );
        Ok(())
    }

    /// The same, with what to do where there is no address for too long.
    fn with_wait(&mut self, now: Instant, facts: Diagnostics) -> Diagnostics {
        let waits = facts.gateway_present && facts.lan_address().is_none();
        let since = waits.then(|| self.without_address.unwrap_or(now));
        self.without_address = since;
        let too_long = since.is_some_and(|since| now.duration_since(since) >= ADDRESS_PATIENCE);
        let why = match &self.addressing {
            Addressing::Lan => NoAddress::NotGiven,
            Addressing::Fixed(_) | Addressing::Others => NoAddress::NotAsked,
        };
        Diagnostics {
            no_address: too_long.then_some(why),
            ..facts
        }
    }

    /// Says that there is no link.
    fn tell(&mut self, session: &Session, status: PlayerStatus) {
        let facts = self.diagnostics(session, Vec::new());
        let report = Report {
            status,
            facts,
            session,
        };
        self.reporter.hear(Instant::now(), report);
    }

    fn diagnostics(&self, session: &Session, addresses: Vec<IpAddr>) -> Diagnostics {
        let known = self.player.diagnostics(Instant::now(), session);
        Diagnostics {
            opening: known.notice.is_none().then(|| self.ear.opening()).flatten(),
            notice: known.notice.clone().or_else(|| self.ear.notice()),
            route_pinned: self.pins.is_pinned(),
            adapter_down: self.mtu.is_some() && !self.link.is_up().unwrap_or(true),
            adapter: Some(self.link.name().to_owned()),
            overlap: self.routes.sentences().to_vec(),
            addresses,
            ..known
        }
    }
}

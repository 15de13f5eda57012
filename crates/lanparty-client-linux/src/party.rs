//! A session on this machine, one step after another, and undone in reverse; the same at a terminal and for the service.

use crate::adapter::{Adapter, Address, IPV6_SETTINGS};
use crate::address::InterfaceAddress;
use crate::dhcp::{self, Again, Dhcp, DhcpProgram};
use crate::link::Link;
use crate::overlap::PartyRoutes;
use crate::route::{self, Pins};
use crate::tap::{Tap, TapName};
use anyhow::{Context as _, Result, anyhow};
use lanparty_client_core::{Player, Report, Reporter, Session};
use lanparty_client_service::Wishes;
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{ResumeToken, Text};
use lanparty_doctor::Hands;
use lanparty_obs::{Diagnostics, NoAddress, PlayerStatus};
use lanparty_peer::{Event, HostError, PeerHost};
use lanparty_proto::IpMtu;
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Where the adapter's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// The LAN's DHCP server, asked by this program.
    Dhcp(DhcpProgram),
    /// The player; none means that somebody else sees to it.
    Fixed(Vec<InterfaceAddress>),
}

/// How long the adapter may be without an address before a person must do something.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(10);

/// Where a session gets its adapter and its address.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The adapter's name.
    pub(crate) tap: TapName,
    /// Where its address comes from.
    pub(crate) addressing: Addressing,
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
    } = setup;
    player.relay.warn_if_open();
    remove_leftovers()?;
    let mut tap = Tap::create(&name)?;
    let link = Link::find(name.as_str()).context("the new adapter is not there")?;
    let adapter =
        Adapter::new(link.clone(), player.mac).context("cannot set the adapter's MAC address")?;
    adapter.leave_routes_to_others(player.full_lease);
    tracing::info!(adapter = %name, mac = %player.mac, "Made the adapter");
    // The DHCP client is a child with needs of its own; but for it nothing more is opened by name.
    if matches!(addressing, Addressing::Fixed(_)) {
        lanparty_edge::privilege::read_and_write(&[], &[IPV6_SETTINGS.into()]);
    }

    let _watch = adapter.watch().context("cannot watch the adapter")?;

    let running = RefCell::new(None);
    let relay = player.relay.clone();
    let mut session = player.session();
    let mut machine = Machine {
        player,
        tap: name,
        addressing,
        link,
        adapter,
        mtu: None,
        pins: Pins::default(),
        routes: PartyRoutes::default(),
        dhcp: &running,
        dhcp_again: Again::new(),
        had_ipv4: false,
        without_address: None,
        reporter,
        wishes,
    };
    let stop = leaving(stop, &running);
    lanparty_peer::run(&mut session, &mut tap, &mut machine, &relay, stop).await?;
    tracing::info!("Left the party");
    Ok(())
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
    dhcp::remove_leftovers();
    route::remove_leftovers().context("cannot remove routes that a killed run left")
}

/// Gives the LAN address back before the end, while frames still flow.
async fn leaving(stop: impl Future<Output = Text>, dhcp: &RefCell<Option<Dhcp>>) -> Text {
    let words = stop.await;
    let running = dhcp.take();
    if let Some(running) = running {
        running.release().await;
    }
    words
}

/// The player's machine, as far as the client changes it.
struct Machine<'a, R> {
    player: Player,
    tap: TapName,
    addressing: Addressing,
    link: Link,
    adapter: Adapter,
    mtu: Option<IpMtu>,
    pins: Pins,
    routes: PartyRoutes,
    dhcp: &'a RefCell<Option<Dhcp>>,
    /// When a DHCP client that has ended gets a successor.
    dhcp_again: Again,
    had_ipv4: bool,
    /// Since when the LAN is there and the adapter has no address on it.
    without_address: Option<Instant>,
    reporter: R,
    wishes: &'a Wishes,
}

impl<R: Reporter> PeerHost<Session> for Machine<'_, R> {
    fn kept_token(&mut self) -> Option<ResumeToken> {
        self.player.kept_token()
    }

    async fn handle_event(
        &mut self,
        session: &mut Session,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            Event::Resolving { takes_long } => {
                let status = self.player.resolving(takes_long);
                self.tell(session, status);
            }
            Event::Connecting { addresses } => self.pin(session, addresses),
            Event::Joined { welcome, relay } => self.plug_in(session, welcome, relay)?,
            Event::Control(message) => {
                self.player.hear(Instant::now(), message);
                self.show(session)?;
            }
            Event::Tick(facts) => {
                self.player.ticked(facts);
                if let Err(error) = self.pins.follow(self.link.index()) {
                    tracing::debug!(%error, "Could not follow the routes to the relay");
                }
                self.follow_party(session);
                self.show(session)?;
                self.renew_address();
                self.watch_dhcp(Instant::now())?;
            }
            Event::News => {
                self.follow_party(session);
                self.show(session)?;
            }
            Event::Slept => {
                let status = self.player.slept();
                self.tell(session, status);
            }
            Event::NoLink { cause, refused, .. } => {
                let status = self.player.lost(cause, refused);
                self.tell(session, status);
            }
        }
        Ok(())
    }
}

impl<R: Reporter> Machine<'_, R> {
    /// Keeps the relay off the adapter, along the way that leads to it now.
    fn pin(&mut self, session: &Session, relays: &[SocketAddr]) {
        let status = self.player.connecting();
        self.tell(session, status);
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
        self.player.joined(welcome, relay);
        self.pins.keep_only(relay);
        if self.mtu != Some(welcome.effective_mtu) {
            self.adapter
                .want_mtu(welcome.effective_mtu)
                .context("cannot set the adapter's MTU")?;
        }
        if self.mtu.replace(welcome.effective_mtu).is_none() {
            self.bring_up()?;
        }
        self.follow_party(session);
        self.show(session)
    }

    /// Keeps the party's hosts reachable, whatever addresses home has.
    fn follow_party(&mut self, session: &mut Session) {
        let adapter = (self.link.index(), &self.adapter);
        let followed = self
            .routes
            .follow(Instant::now(), adapter, session, &self.pins);
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
        match &self.addressing {
            Addressing::Fixed(addresses) => {
                for &address in addresses {
                    let context = || format!("cannot give the adapter the address {address}");
                    self.adapter
                        .want_address(Address::of_lan(address))
                        .with_context(context)?;
                }
            }
            Addressing::Dhcp(program) => self.start_dhcp(program)?,
        }
        Ok(())
    }

    fn start_dhcp(&self, program: &DhcpProgram) -> Result<()> {
        let running = program
            .start(&self.tap)
            .context("cannot start the DHCP client")?;
        self.dhcp.replace(Some(running));
        Ok(())
    }

    /// Asks the LAN for an address anew, where a person wants that. The address until then stays while it is asked.
    fn renew_address(&mut self) {
        if self.wishes.take_renew_address() && self.mtu.is_some() {
            self.restart_dhcp(Instant::now());
        }
    }

    /// A DHCP client in the place of the one that runs or has ended. Without one the party goes on.
    fn restart_dhcp(&mut self, now: Instant) {
        let Addressing::Dhcp(program) = &self.addressing else {
            return;
        };
        // The old one ends at once: two on one adapter would take each other's answers.
        match self.start_dhcp(program) {
            Ok(()) => self.dhcp_again.started(),
            Err(error) => {
                tracing::warn!("{}", lanparty_edge::sentence(&*error));
                if self.dhcp.borrow().is_none() {
                    self.dhcp_again.ended(now);
                }
            }
        }
    }

    /// Says how things are.
    fn show(&mut self, session: &Session) -> Result<()> {
        let addresses = self
            .link
            .addresses()
            .context("cannot read the adapter's addresses")?;
        self.had_ipv4 |= addresses.iter().any(IpAddr::is_ipv4);
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
            Addressing::Dhcp(_) => NoAddress::NoDhcpAnswer,
            Addressing::Fixed(_) => NoAddress::NotAsked,
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
        Diagnostics {
            route_pinned: self.pins.is_pinned(),
            adapter_down: self.mtu.is_some() && !self.link.is_up().unwrap_or(true),
            adapter: Some(self.link.name().to_owned()),
            overlap: self.routes.sentences().to_vec(),
            addresses,
            ..self.player.diagnostics(Instant::now(), session)
        }
    }

    /// A DHCP client that ends before it ever had an address is of no use, and says why. After that another one follows it:
    /// somebody must renew the lease.
    fn watch_dhcp(&mut self, now: Instant) -> Result<()> {
        let ended = self.dhcp.borrow_mut().as_mut().and_then(Dhcp::ended);
        let Some(last_words) = ended else {
            if self.dhcp_again.is_due(now) {
                self.restart_dhcp(now);
            }
            return Ok(());
        };
        self.dhcp.take();
        if self.had_ipv4 {
            tracing::warn!("The DHCP client is gone, and is started again: {last_words}");
            self.dhcp_again.ended(now);
            return Ok(());
        }
        Err(anyhow!("{last_words}")).context("no LAN address can be had with --dhcp")
    }
}

//! A session on this PC: the whole story, one step after another, and undone in reverse (spec R70).
//!
//! Whoever wants it, a person at a console or the service, hears of it by a [`Reporter`].

use crate::absence::{Absence, Presence};
use crate::adapter;
use crate::change::Change;
use crate::firewall::{self, FirewallWatch, Verdict};
use crate::journal::{Journal, KEPT_AS};
use crate::look::Looks;
use crate::overlap::PartyRows;
use crate::party::{self, PartySettings};
use crate::pins::Pins;
use crate::running::Running;
use crate::system::ThisPc;
use anyhow::{Context as _, Result, bail, ensure};
use lanparty_client_core::{Player, Report, Reporter, Session};
use lanparty_client_route::{self as ip, AdapterGuid, KeptText, Luid, Watch};
use lanparty_client_service::Wishes;
use lanparty_client_tap::{self as tap, Adapter, TapControl};
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{ResumeToken, RoomKey, Text};
use lanparty_obs::{Diagnostics, PlayerStatus};
use lanparty_peer::{Event, HostError, PeerHost};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often routes and settings are looked at when Windows tells of no change (spec R72, R73).
const VERIFY: Duration = Duration::from_secs(5);
/// How soon after joining: Windows takes a moment to see a network where the cable went in, and its category counts.
const FIRST_VERIFY: Duration = Duration::from_secs(2);
/// How long giving the LAN's address back may take; a closed console leaves five seconds for everything.
const LEASE_PATIENCE: Duration = Duration::from_secs(1);
/// How long the word about it takes through the adapter and the tunnel.
const LAST_FRAME: Duration = Duration::from_millis(100);

/// Joins the player's party, and plays until `stop` gives the words for the relay. Undoes what a killed run left first,
/// and what it has changed itself at the end.
pub(crate) async fn play(
    player: Player,
    wanted: Option<AdapterGuid>,
    reporter: impl Reporter,
    wishes: &Wishes,
    stop: impl Future<Output = Text>,
) -> Result<()> {
    player.relay.warn_if_open();
    player.tell_who_sees_whom();
    let (_running, journal) = take_over()?;
    journal.repair();

    let (_own, adapter) = adapter::find_or_make(&journal, wanted).await?;
    let (_mac, mut tap) = adapter::open_with_mac(&journal, &adapter, player.mac).await?;
    let interface = adapter::interface(&adapter).await?;
    tracing::info!(%adapter, mac = %player.mac, "Opened the adapter");

    let relay = player.relay.clone();
    let mut session = player.session();
    let mut machine = Machine {
        rows: PartyRows::new(journal.clone(), interface, player.mac),
        network: PartySettings::new(journal.clone()),
        cable: Cable(tap.control()),
        settings: PartySettings::new(journal.clone()),
        pins: Pins::new(journal, interface),
        watch: watch(),
        looks: Looks::default(),
        verify_at: Instant::now() + VERIFY,
        openings: tap.control().openings(),
        player,
        adapter,
        interface,
        room_mtu: None,
        firewall: FirewallWatch::default(),
        absence: Absence::default(),
        presence: Presence::Here,
        reporter,
        wishes,
    };
    let stop = giving_back(stop, tap.control(), interface);
    lanparty_peer::run(&mut session, &mut tap, &mut machine, &relay, stop).await?;
    tracing::info!("Left the party");
    Ok(())
}

/// Undoes what a killed run left; says how much of it.
pub(crate) fn repair() -> Result<String> {
    let (_running, journal) = take_over()?;
    let (standing, undone) = (journal.standing().len(), journal.repair());
    match standing - undone {
        0 => Ok(format!("Undid {undone} changes that an earlier run left.")),
        left => bail!("{left} changes could not be undone; start the PC anew and try again"),
    }
}

/// Becomes the one client that changes this PC, until the last change is undone.
fn take_over() -> Result<(Running, Rc<Journal>)> {
    let store = KeptText::open(KEPT_AS).map_err(not_opened)?;
    let running = Running::take()?;
    let journal = Journal::open(Box::new(store), Box::new(ThisPc))?;
    Ok((running, journal))
}

/// Only an administrator may write the journal, and make any of the changes in it.
fn not_opened(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow::Error::msg(NoRights),
        _ => error.into(),
    }
}

/// The program was not started as administrator.
#[derive(Debug)]
pub(crate) struct NoRights;

impl fmt::Display for NoRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this needs an administrator's rights; right-click the program and choose `Run as \
             administrator`, or let the service do it: `lanparty-client join`",
        )
    }
}

/// Without notifications the clock must do.
fn watch() -> Option<Watch> {
    let watch = Watch::start();
    if let Err(error) = &watch {
        tracing::debug!(%error, "Windows does not tell of changes");
    }
    watch.ok()
}

/// Gives the LAN's address back before the session ends.
async fn giving_back(stop: impl Future<Output = Text>, cable: TapControl, interface: Luid) -> Text {
    let words = stop.await;
    if cable.is_plugged_in() {
        give_back_lease(interface).await;
    }
    words
}

/// Gives the LAN's address back while the tunnel still carries the word: the LAN may be short of them.
async fn give_back_lease(interface: Luid) {
    let release = tokio::task::spawn_blocking(move || ip::release_lease(interface));
    match tokio::time::timeout(LEASE_PATIENCE, release).await {
        Ok(Ok(Ok(()))) => {
            tracing::info!("Gave the LAN's address back");
            tokio::time::sleep(LAST_FRAME).await;
        }
        Ok(Ok(Err(error))) => tracing::debug!(%error, "There was no address to give back"),
        Ok(Err(_)) | Err(_) => tracing::debug!("The address could not be given back in time"),
    }
}

/// The adapter's cable; pulled when this is dropped.
struct Cable(TapControl);

impl Drop for Cable {
    fn drop(&mut self) {
        if let Err(error) = self.0.set_media(false) {
            tracing::warn!(%error, "Could not pull the adapter's cable");
        }
    }
}

/// What is to be changed at the adapter, and what the firewall thinks.
struct Look {
    settings: [io::Result<Vec<Change>>; 2],
    network: io::Result<Vec<Change>>,
    firewall: io::Result<Option<Verdict>>,
}

/// The player's PC, as far as the client changes it. The first five are undone in this order.
struct Machine<'a, R> {
    rows: PartyRows,
    network: PartySettings,
    cable: Cable,
    settings: PartySettings,
    pins: Pins,
    watch: Option<Watch>,
    looks: Looks<Look>,
    verify_at: Instant,
    openings: u64,
    player: Player,
    adapter: Adapter,
    interface: Luid,
    room_mtu: Option<u16>,
    firewall: FirewallWatch,
    absence: Absence,
    presence: Presence,
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
        let own = ip::addresses(self.interface).unwrap_or_default();
        let way = ip::best_route(address).ok().flatten();
        own.contains(&address) || way.is_some_and(|way| way.interface == self.interface)
    }

    fn keep_outside(&mut self, addresses: &[SocketAddr]) {
        self.pins.keep_doors(addresses);
    }

    async fn handle_event(
        &mut self,
        session: &mut Session,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            Event::Resolving { takes_long } => {
                let status = self.player.resolving(takes_long);
                self.report(session, status);
            }
            Event::Connecting { addresses } => self.pin(session, addresses)?,
            Event::Trying { addresses } => self.keep_off(addresses)?,
            Event::Joined { welcome, relay, at } => {
                self.player.joined(welcome, relay, at);
                self.plug_in(session, welcome, relay)?;
            }
            Event::Control(message) => {
                self.player.hear(Instant::now(), message);
                if let Some(key) = self.player.take_new_key(session, message) {
                    self.reporter.keep_key(&key);
                }
                self.show(session);
            }
            Event::Tick(facts) => {
                self.player.ticked(facts);
                self.wishes.serve_look(Instant::now(), session);
                self.fulfil_wishes();
                self.verify();
                self.follow_rows(session);
                self.look_for_adapter()?;
                self.show(session);
            }
            // What a player has to know of them comes with the link's facts.
            Event::Ways(_) | Event::Relays(_) | Event::Stays { .. } => {}
            Event::News => {
                self.wishes.serve_look(Instant::now(), session);
                self.follow_rows(session);
                self.show(session);
            }
            Event::Slept => {
                self.look_for_adapter()?;
                let status = self.player.slept();
                self.report(session, status);
            }
            Event::NoLink { cause, refused, .. } => {
                self.look_for_adapter()?;
                if !session.plays_on() {
                    let status = self.player.lost(cause, refused);
                    self.report(session, status);
                }
            }
        }
        Ok(())
    }
}

impl<R: Reporter> Machine<'_, R> {
    /// Keeps the relay off the adapter, along the way that leads to it now.
    fn pin(&mut self, session: &Session, relays: &[SocketAddr]) -> Result<()> {
        self.report(session, self.player.connecting());
        self.keep_off(relays)
    }

    fn keep_off(&mut self, relays: &[SocketAddr]) -> Result<()> {
        match self.pins.renew(relays) {
            Ok(()) => Ok(()),
            // While a party is on, the network may be changing; the next attempt pins anew.
            Err(error) if self.room_mtu.is_some() => {
                tracing::warn!(%error, "Could not pin the route to the relay");
                Ok(())
            }
            Err(error) => Err(error).context("cannot keep the relay off the adapter"),
        }
    }

    /// The relay has let us in: sets the adapter up, or, after another link, what has changed.
    fn plug_in(&mut self, session: &Session, welcome: &Welcome, relay: SocketAddr) -> Result<()> {
        self.pins.keep_only(relay);
        let room_mtu = welcome.effective_mtu.number();
        let is_first = self.room_mtu.replace(room_mtu).is_none();
        // What is looked at just now may be for another room's MTU.
        self.looks.forget();
        self.set_up(is_first)?;
        if is_first {
            self.cable
                .0
                .set_media(true)
                .context("cannot plug the adapter's cable in")?;
        }
        self.verify_at = Instant::now() + FIRST_VERIFY;
        self.pins.verify();
        self.show(session);
        Ok(())
    }

    /// Makes the adapter ready before its frames flow. Later it may be away just now, such as after a sleep, and is set
    /// up when it is back.
    fn set_up(&mut self, is_first: bool) -> Result<()> {
        let (adapter, now) = (self.adapter.guid, Instant::now());
        let mtu = match self.mtu() {
            None if is_first => bail!("the TAP adapter went away while it was set up; start again"),
            None => return Ok(()),
            Some(mtu) => mtu,
        };
        if is_first {
            let wanted =
                party::interface(adapter, mtu).context("cannot read the adapter's settings")?;
            self.settings
                .make(wanted, now)
                .context("cannot set up the adapter")?;
        }
        let settings = look_at_settings(adapter, mtu, self.pins.interface());
        self.settings.repair(settings, now);
        Ok(())
    }

    /// Whoever wants another address gets Windows to ask for one, by pulling the cable for a moment.
    fn fulfil_wishes(&mut self) {
        if self.room_mtu.is_some() && self.wishes.take_renew_address() {
            let replugged = self
                .cable
                .0
                .set_media(false)
                .and_then(|()| self.cable.0.set_media(true));
            match replugged {
                Ok(()) => tracing::info!("Asked the LAN for an address again"),
                Err(error) => tracing::warn!(%error, "Could not ask the LAN for an address"),
            }
        }
    }

    /// Fails when the adapter has been uninstalled, because that one never comes back.
    fn look_for_adapter(&mut self) -> Result<()> {
        let (is_open, guid) = (self.cable.0.mac().is_some(), self.adapter.guid);
        let is_installed = || {
            let installed = tap::installed().ok();
            installed.is_none_or(|list| list.iter().any(|adapter| adapter.guid == guid))
        };
        self.presence = self.absence.look(Instant::now(), is_open, is_installed);
        ensure!(
            self.presence != Presence::Gone,
            "the TAP adapter {} was removed from this PC; start again to use another one, or a new one",
            self.adapter
        );
        Ok(())
    }

    /// Looks whether everything is still as it should be: now and then, when Windows tells of a change,
    /// and when the adapter was away. Frames do not wait for Windows' answers: they are taken up later.
    fn verify(&mut self) {
        let (openings, now) = (self.cable.0.openings(), Instant::now());
        match self.looks.take(now) {
            Some(look) if openings == self.openings && self.mtu().is_some() => self.repair(look),
            // There is none, or it was about an adapter that is away, or has been since.
            Some(_) | None => {}
        }
        let told = self.watch.as_ref().is_some_and(Watch::take_changed);
        if !told && now < self.verify_at && openings == self.openings {
            return;
        }
        self.pins.verify();
        if !self.looks.may_begin() {
            // Once the present one has ended, another look is due.
            self.verify_at = now;
            return;
        }
        self.openings = openings;
        self.verify_at = now + VERIFY;
        if let Some(look) = self.what_to_look_at() {
            self.looks.begin(now, look);
        }
    }

    /// The IP MTU that the adapter should have; none before the first party, and while it is away, because it may
    /// come back with another driver.
    fn mtu(&self) -> Option<u16> {
        Some(fitting_mtu(self.room_mtu?, self.cable.0.mtu()?))
    }

    /// How to look at the adapter, unless there is nothing to look at yet or just now.
    fn what_to_look_at(&self) -> Option<impl FnOnce() -> Look + Send + 'static> {
        let (mtu, adapter, home) = (self.mtu()?, self.adapter.guid, self.pins.interface());
        Some(move || Look {
            settings: look_at_settings(adapter, mtu, home),
            // Only while the cable is in, there is a network.
            network: party::category(adapter),
            firewall: firewall::read(adapter),
        })
    }

    fn repair(&mut self, look: Look) {
        let now = Instant::now();
        self.settings.repair(look.settings, now);
        self.network.repair([look.network], now);
        self.firewall.show(look.firewall);
    }

    /// Leads the party's hosts to the party, where home has the same addresses.
    fn follow_rows(&mut self, session: &mut Session) {
        if let Err(error) = self.rows.follow(Instant::now(), session, &self.pins) {
            tracing::debug!(%error, "Not every host of the party can be led there");
        }
    }

    /// Says how things are.
    fn show(&mut self, session: &Session) {
        let facts = self.diagnostics(session);
        tracing::trace!(?facts);
        let status = match self.presence {
            Presence::Here => facts.joined_status(self.player.relay.room.as_str()),
            Presence::Away | Presence::Gone => PlayerStatus::AdapterAway,
        };
        self.tell(session, status, facts);
    }

    /// Says how things are while there is no link, or about to be another one.
    fn report(&mut self, session: &Session, status: PlayerStatus) {
        // Who plays on without the relay is told how the party is.
        if session.plays_on() {
            return self.show(session);
        }
        self.tell(session, status, session.diagnostics(Instant::now()));
    }

    fn tell(&mut self, session: &Session, status: PlayerStatus, facts: Diagnostics) {
        let report = Report {
            status,
            facts,
            session,
        };
        self.reporter.hear(Instant::now(), report);
    }

    fn diagnostics(&self, session: &Session) -> Diagnostics {
        Diagnostics {
            route_pinned: self.pins.are_set(),
            overlap: self.rows.sentences().to_vec(),
            adapter: Some(self.adapter.to_string()),
            // An adapter that is away has none.
            addresses: ip::addresses(self.interface).unwrap_or_default(),
            ..self.player.diagnostics(Instant::now(), session)
        }
    }
}

/// What to change in the adapter's settings.
fn look_at_settings(
    adapter: AdapterGuid,
    mtu: u16,
    home: Option<Luid>,
) -> [io::Result<Vec<Change>>; 2] {
    [
        party::interface(adapter, mtu),
        party::name_servers(adapter, home),
    ]
}

/// The room's MTU, or the driver's where that is less: Windows refuses what the driver cannot take.
fn fitting_mtu(room: u16, driver: u32) -> u16 {
    room.min(driver.try_into().unwrap_or(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_fits_room_and_driver() {
        assert_eq!(fitting_mtu(1392, 1500), 1392);
        assert_eq!(fitting_mtu(1392, 1300), 1300);
        assert_eq!(fitting_mtu(1392, u32::MAX), 1392);
    }

    #[test]
    fn whoever_is_no_administrator_is_told_how_to_become_one() {
        let denied = not_opened(io::ErrorKind::PermissionDenied.into());
        assert!(denied.is::<NoRights>());
        let denied = denied.to_string();
        assert!(denied.contains("Run as administrator"), "{denied}");
        let other = not_opened(io::ErrorKind::TimedOut.into()).to_string();
        assert!(!other.contains("administrator"), "{other}");
    }
}

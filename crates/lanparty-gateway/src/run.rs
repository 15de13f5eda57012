//! From flags to a running gateway and back: the whole story in one place.

use crate::bridge::{Bridge, LOOP_QUIET, Memory};
use crate::config::{Args, Config};
use crate::controls::{Controls, Wishes};
use crate::desk::{self, Desk, Inviter};
use crate::door::Doorway;
use crate::figures;
use crate::keys;
use crate::lan::facts::Lookout;
use crate::lan::{InterfaceError, LanPort, LanSocket, Sole};
use crate::own_part::OwnPart;
use crate::page;
use crate::picture::{About, LanTrouble, LinkFigures, Picture, Place};
use crate::relays::{self, Relays};
use crate::standing;
use crate::terms::Terms;
use anyhow::Context;
use lanparty_ctrl::message::{PeerJoined, PeerLeft};
use lanparty_ctrl::{
    HostKey, HostOrder, Notice, NoticeKind, PeerMessage, Pin, RelayMessage, ResumeToken, RoomKey,
    SignedTerm, Text,
};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::ctl;
use lanparty_edge::kept_file::KeptFile;
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_edge::resume_file::ResumeFile;
use lanparty_edge::runtime;
use lanparty_edge::seldom::Seldom;
use lanparty_edge::signals::{self, Hangups};
use lanparty_edge::speech::say;
use lanparty_edge::systemd::{self, Standing};
use lanparty_games::Game;
use lanparty_gateway_control::{InviteFacts, Mark};
use lanparty_metrics::{Bound, MetricsAddress};
use lanparty_page::Page;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_peer::{Event, HostError, PeerCore, PeerHost, RunError};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use std::convert::Infallible;
use std::io;
use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// How often an interface that cannot be used is tried again.
const RETRY: Duration = Duration::from_millis(250);

impl Args {
    /// Runs the gateway that the flags describe; see [`run`].
    ///
    /// # Errors
    /// One sentence, with its causes, for whoever started the program.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.log.clone().start();
        if self.is_check() {
            return Ok(self.check()?);
        }
        self.find_interface()?;
        run(self.load()?)
    }
}

/// Runs a gateway until Ctrl-C or SIGTERM: opens the LAN first, so that nobody joins a room without one.
///
/// # Errors
/// One sentence, with its causes, for whoever started the program.
pub fn run(config: Config) -> anyhow::Result<()> {
    let lan = standing::open_lan(&config.interface)?;
    let _sole = Sole::claim(&config.interface, config.beside_another)?;
    runtime::run(async move {
        let stop = asked_to_stop();
        let own = OwnPart::begin(config.this_machine, &lan)?;
        let host = Host::new(&config);
        keep_what_is_needed(&config, &[])?;
        tokio::select! {
            ended = serve(&config, lan, own, host, stop) => ended,
            never = tell_of_hangups() => match never {},
        }
    })?
}

/// Raw sockets for an interface that comes back, and, if we may, larger buffers for these and for new
/// links, and the leg of this machine. Names are looked up again for each link, and the room's key may be renewed; beside
/// that and what is in `folders` nothing else is opened by its name.
pub(crate) fn keep_what_is_needed(config: &Config, folders: &[PathBuf]) -> anyhow::Result<()> {
    let used = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
    privilege::held()
        .and_then(|held| privilege::narrow(held & used))
        .context("cannot give up rights that are not needed")?;
    let keys = config.keys.as_slice();
    if let Some(keys) = keys.first().filter(|_| config.relay.key.is_some())
        && let Err(error) = keys::prepare(keys, &config.relay.room)
    {
        tracing::warn!(%error, "A new key for the room could not be kept");
    }
    privilege::read_and_write(folders, keys);
    Ok(())
}

/// Carries frames until `stop` gives the words for the relay.
pub(crate) async fn serve(
    config: &Config,
    lan: LanSocket,
    own: OwnPart,
    mut host: Host<'_>,
    stop: impl Future<Output = Text>,
) -> anyhow::Result<()> {
    let span = tracing::info_span!("gateway", interface = %config.interface);
    let (desk, listener) = (host.desk.clone(), host.listener.take());
    let metrics = host.metrics.take();
    if let Some(page) = host.page.take() {
        desk.note_page(page::show(page, desk.line()));
    }
    let serving = async {
        tokio::select! {
            served = carry(config, lan, own, host, stop) => served,
            never = desk.serve(listener) => match never {},
            never = hand_out(&desk, metrics) => match never {},
            never = systemd::keep_watched() => match never {},
        }
    };
    serving.instrument(span).await
}

/// A service that shall read its settings again reads none while it runs; at a terminal SIGHUP keeps its usual meaning.
async fn tell_of_hangups() -> Infallible {
    if systemd::waits()
        && let Ok(mut hangups) = Hangups::listen()
    {
        loop {
            hangups.next().await;
            say("What the settings say by now is read at the next start of the gateway.");
        }
    }
    std::future::pending().await
}

/// Serves the numbers, if somebody wants them.
async fn hand_out(desk: &Desk, metrics: Option<Bound>) -> Infallible {
    let served = metrics.map(|bound| bound.serve(figures::PREFIX, figures::write, figures::ready));
    match served {
        Some(Ok((_served, ours))) => match ours.run(|| desk.figures.borrow().clone()).await {},
        Some(Err(error)) => say(format_args!("No metrics, and the party goes on: {error}.")),
        None => {}
    }
    std::future::pending().await
}

async fn carry(
    config: &Config,
    mut lan: LanSocket,
    mut own: OwnPart,
    mut host: Host<'_>,
    stop: impl Future<Output = Text>,
) -> anyhow::Result<()> {
    config.relay.warn_if_open();
    own.tell();
    let reminders: Vec<_> = host.desk.controls.borrow().reminders().collect();
    reminders.iter().for_each(say);
    let mut stop = pin!(stop);
    let mut memory = Memory::new(lan.interface().mac(), rand::random());
    loop {
        host.desk.figures.borrow_mut().note_lan(true);
        let mac = lan.interface().mac();
        tracing::info!(%mac, receive_buffer = lan.receive_buffer(), "Opened the LAN interface");
        let mut bridge = Bridge::new(mac).remembering(memory);
        if let Some(key) = &config.relay.host_key {
            bridge = bridge.vouching(key.clone(), config.relay.room.clone());
        }
        let now = Instant::now();
        if let Some(facts) = host.lookout.look_first(now, host.interface).await {
            host.doorway.note_lan(&facts);
            bridge.set_lan_facts(facts);
        }
        host.tell_wishes(&mut bridge);
        let leg = own.leg_to(&lan);
        host.note_lan(None);
        host.note_own_part(&own);
        let mut port = LanPort::new(lan).context("cannot watch the LAN interface")?;
        if let Some(leg) = leg {
            port = port.with_machine(leg);
        }
        let running =
            lanparty_peer::run(&mut bridge, &mut port, &mut host, &config.relay, &mut stop);
        match running.await {
            Ok(()) => break,
            // Players see that there is no LAN until it is back.
            Err(RunError::Port(error)) => {
                tracing::warn!(%error, "Left the room");
                host.lose_lan();
            }
            Err(error) => return Err(error.into()),
        }
        drop(port);
        // What players want outlives a cable that is pulled, and so do the LAN's games; but nobody is in the room now.
        memory = bridge.into_memory();
        host.desk.figures.borrow_mut().note_lan(false);
        host.note_games(memory.games(Instant::now()));
        tokio::select! {
            found = host.find_lan() => lan = found,
            _ = &mut stop => break,
        }
    }
    systemd::stopping();
    host.doorway.close().await;
    say(format_args!(
        "Gateway of room {} stopped.",
        config.relay.room
    ));
    Ok(())
}

/// Ctrl-C or SIGTERM, from the call on: what this machine has for its own part is taken away again whenever they come.
pub(crate) fn asked_to_stop() -> impl Future<Output = Text> {
    let signal = signals::shutdown();
    async {
        match signal.await {
            Ok(by) => format!("the gateway was stopped by {by}").into(),
            Err(error) => {
                tracing::warn!(%error, "Cannot listen for signals; Ctrl-C will end without a goodbye");
                std::future::pending().await
            }
        }
    }
}

/// Tells the party's host how things are, one sentence per change.
pub(crate) struct Host<'a> {
    config: &'a Config,
    standing: Standing,
    relay: &'a RelayConfig,
    interface: &'a str,
    place: Option<ResumeFile>,
    pub(crate) desk: Rc<Desk>,
    /// Where orders come, until somebody listens.
    listener: Option<UnixListener>,
    /// Where metrics are to be served, until somebody does.
    metrics: Option<Bound>,
    /// The party page, until it is shown.
    page: Option<Page>,
    /// The last sentence about a missing link; not said twice in a row.
    complaint: Option<String>,
    /// Whose frames come back from the LAN.
    looped: Option<MacAddr>,
    /// What the relay has had us say.
    told: Seldom,
    /// The lease of which the host has heard last.
    withheld: Option<Notice>,
    /// Hears who is router here.
    lookout: Lookout,
    /// How players find the gateway's end of direct paths.
    doorway: Doorway,
    /// Which stay at a relay it is; open rooms, and parties of one relay, count none.
    terms: Option<Terms>,
}

impl<'a> Host<'a> {
    pub(crate) fn new(config: &'a Config) -> Self {
        Host {
            config,
            standing: Standing::default(),
            relay: &config.relay,
            interface: &config.interface,
            place: config.state.as_deref().and_then(open_place),
            desk: Rc::new(desk(config)),
            listener: config.socket().as_deref().and_then(listen),
            metrics: config.metrics.and_then(bind_metrics),
            page: Some(page::open(config.pages, config.keys.as_deref())),
            complaint: None,
            looped: None,
            told: Seldom::default(),
            withheld: None,
            lookout: Lookout::default(),
            doorway: Doorway::new(config),
            terms: terms_of(config),
        }
    }

    /// What the host may ask for at any time.
    fn note(&self, bridge: &mut Bridge) {
        let now = desk::moment();
        let mut controls = self.desk.controls.borrow_mut();
        controls.note_stats(bridge.counters());
        let games = bridge.games(now.instant);
        let mut figures = self.desk.figures.borrow_mut();
        figures.note(bridge.counters(), controls.player_count(), games.len());
        controls.note_games(now.instant, games);
        controls.note_attempts(bridge.attempts(now.instant));
        bridge.keep_apart(controls.keeps_apart());
        let mut picture = self.desk.picture.borrow_mut();
        picture.note_stats(now.instant, bridge.counters());
        picture.note_lan_silence(bridge.lan_silence(now.instant));
        picture.note_loop(bridge.looped());
        figures.note_ways(picture.ways(&controls));
        while let Some(talk) = bridge.take_dhcp() {
            picture.note_dhcp(now, talk, &controls);
        }
    }

    /// What the bridge sees to itself: what players may reach, and who of them may say what.
    fn tell_wishes(&self, bridge: &mut Bridge) {
        let (controls, now) = (self.desk.controls.borrow(), Instant::now());
        bridge.set_reach(now, controls.wanted_reach().clone());
        bridge.set_orders(now, controls.orders_here());
        drop(controls);
        for player in self.desk.controls.borrow_mut().take_sent_out() {
            bridge.shut_door(now, player);
        }
    }

    /// Who goes on playing although there is no relay, as part of a sentence.
    fn note_staying(&self, bridge: &Bridge) -> &'static str {
        let mut controls = self.desk.controls.borrow_mut();
        controls.note_staying(bridge.staying());
        match bridge.staying().next() {
            Some(_) => " Who has a direct path goes on playing for a minute.",
            None => "",
        }
    }

    /// A player has sent by its direct path what no program of ours sends.
    fn tell_of_misuse(&self, mac: MacAddr) {
        let Ok(mac) = VirtualMac::try_from(mac) else {
            return;
        };
        let who = self.desk.controls.borrow().words_for_mac(mac);
        let sentence = format!(
            "{who} has sent what no game sends by its direct path, which is shut now: its frames go by the relay. Kick it, if you do \
             not know why."
        );
        say(&sentence);
        let mut picture = self.desk.picture.borrow_mut();
        picture.note_event(desk::moment(), About::Player, Mark::Doubtful, &sentence);
        self.desk.tell_soon();
    }

    /// The LAN's, while there is no bridge.
    fn note_games(&self, games: Vec<Game>) {
        let mut controls = self.desk.controls.borrow_mut();
        controls.note_games(Instant::now(), games);
    }

    /// What is wrong with the LAN's interface; nothing when frames cross it.
    fn note_lan(&self, trouble: Option<LanTrouble>) {
        self.desk.picture.borrow_mut().note_lan(trouble);
        self.desk.tell_soon();
    }

    fn note_own_part(&self, own: &OwnPart) {
        let mut picture = self.desk.picture.borrow_mut();
        picture.note_this_machine(own.is_taken());
    }

    /// What is said of somebody: name, MAC, and address where that is known.
    fn words_for(&self, peer: PeerId) -> Option<(VirtualMac, String)> {
        let controls = self.desk.controls.borrow();
        let player = controls.player(peer)?;
        let address = self.desk.picture.borrow().address_of(peer, player.mac);
        let name = controls.shown_name(player).map(ToString::to_string);
        let mac = player.mac.to_string();
        let (first, rest) = match name {
            Some(name) => (name, Some(mac)),
            None => (mac, None),
        };
        let address = address.map(|address| address.to_string());
        let more: Vec<_> = rest.into_iter().chain(address).collect();
        let words = match &more[..] {
            [] => first,
            more => format!("{first} ({})", more.join(", ")),
        };
        Some((player.mac, words))
    }

    /// Before the controls forget who has left, and after they know who has come.
    fn tell_of_left(&self, left: &PeerLeft) {
        let Some((mac, who)) = self.words_for(left.peer_id) else {
            return;
        };
        let reason = left.reason;
        say(format_args!("Player {who} left: it {reason}."));
        let mut picture = self.desk.picture.borrow_mut();
        picture.note_left(desk::moment(), (left.peer_id, mac), (&who, reason));
    }

    fn tell_of_joined(&self, joined: &PeerJoined) {
        if let Some((mac, who)) = self.words_for(joined.peer_id) {
            say(format_args!("Player {who} joined."));
            let mut picture = self.desk.picture.borrow_mut();
            picture.note_joined(desk::moment(), mac, &who);
        }
    }

    fn notify(&mut self, notice: &Notice) {
        let now = Instant::now();
        if matches!(notice.kind, NoticeKind::Draining | NoticeKind::Staying) {
            // Of the relay, and of nobody in the room.
            self.desk.picture.borrow_mut().note_drain(notice);
            self.desk.tell_soon();
            return say(notice.to_host("–"));
        }
        let who = {
            let controls = self.desk.controls.borrow();
            let mut picture = self.desk.picture.borrow_mut();
            picture.note_notice(now, notice, &controls);
            controls.meant_by(notice)
        };
        if let Some(who) = who.filter(|_| self.told.may_say(now)) {
            say(notice.to_host(who));
        }
    }

    /// A lease that was withheld: the same one again is no news.
    fn tell_of_withheld(&mut self, withheld: Option<Notice>) {
        let Some(notice) = withheld else { return };
        if self.withheld.as_ref() == Some(&notice) {
            let controls = self.desk.controls.borrow();
            let mut picture = self.desk.picture.borrow_mut();
            return picture.note_notice(Instant::now(), &notice, &controls);
        }
        self.notify(&notice);
        self.withheld = Some(notice);
    }

    /// Waits until the interface can be used again, whatever it is then.
    async fn find_lan(&mut self) -> LanSocket {
        loop {
            match LanSocket::open(self.interface) {
                Ok(lan) => {
                    say(format_args!("{} is back.", self.interface));
                    return lan;
                }
                Err(error) => {
                    self.note_lan(Some(trouble_of(&error)));
                    self.complain_of(format!("Out of the room: {error}. Trying again."));
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Once when a loop begins and once when it ends, which takes a while: so lines stay few.
    fn watch_for_loops(&mut self, looped: Option<MacAddr>) {
        let interface = self.interface;
        match (self.looped, looped) {
            (None, Some(mac)) => {
                tracing::warn!(%mac, "Our own frames come back from the LAN: another bridge joins it to the room; unplug one. Broadcast is off until then");
                say(format_args!(
                    "Loop: what we send for player {mac} comes back from {interface}. Another bridge joins \
                     this LAN to the room: unplug one. Until then broadcast is off."
                ));
            }
            (Some(mac), None) => {
                tracing::info!(%mac, "The loop has ended; broadcast is on");
                say(format_args!(
                    "The loop on {interface} has ended: nothing came back for {} seconds. Broadcast is on \
                     again.",
                    LOOP_QUIET.as_secs()
                ));
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.looped = looped;
    }

    fn tell_standing(&mut self) {
        let players = self.desk.controls.borrow().player_count();
        self.standing.tell(standing::open(self.config, players));
    }

    /// The interface does not take frames any more; why shows when it is looked for.
    fn lose_lan(&self) {
        let interface = self.interface;
        self.note_lan(Some(LanTrouble {
            id: "lan_gone",
            sentence: format!("{interface} takes no frames any more"),
        }));
    }

    /// The party does not go where its fleet sends it.
    fn tell_of_stay(&self, relay: &str, why: &str) {
        let sentence = relays::stays(relay, why);
        say(&sentence);
        let mut picture = self.desk.picture.borrow_mut();
        picture.note_event(desk::moment(), About::Party, Mark::Doubtful, &sentence);
    }

    fn complain_of(&mut self, complaint: String) {
        self.standing.tell(&*complaint);
        self.desk.handle_lost_link(&complaint);
        self.desk.figures.borrow_mut().note_lost();
        self.looped = None;
        if self.complaint.as_ref() != Some(&complaint) {
            say(&complaint);
            self.complaint = Some(complaint);
        }
    }
}

impl PeerHost<Bridge> for Host<'_> {
    fn kept_token(&mut self) -> Option<ResumeToken> {
        self.place
            .as_mut()?
            .token(&self.relay.address, &self.relay.room, None)
    }

    fn standing_orders(&self) -> Vec<HostOrder> {
        self.desk.controls.borrow_mut().greeting_orders()
    }

    fn room_key(&self) -> Option<RoomKey> {
        self.desk.controls.borrow().new_key().cloned()
    }

    fn named_addresses(&mut self, port: u16) -> Vec<SocketAddr> {
        self.doorway.named(port)
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        self.doorway.is_inside(address)
    }

    fn term(&mut self, relay: &Pin) -> Option<SignedTerm> {
        let terms = self.terms.as_mut()?;
        let term = terms.next(relay, desk::moment().unix);
        let warning = terms.take_warning();
        if let Some(sentence) = warning {
            say(&sentence);
            let mut picture = self.desk.picture.borrow_mut();
            picture.note_event(desk::moment(), About::Party, Mark::Doubtful, &sentence);
        }
        Some(term)
    }

    fn knows_fleet(&mut self) -> bool {
        let place = self.place.as_mut();
        place.is_some_and(|place| place.is_of_fleet(&self.relay.address, &self.relay.room))
    }

    fn preferred_relay(&mut self) -> Option<RelayAddress> {
        self.desk.picture.borrow().relays.wanted().cloned()
    }

    fn wants_survey(&mut self) -> bool {
        self.desk.picture.borrow_mut().relays.take_look()
    }

    async fn next_message(&mut self) -> Option<PeerMessage> {
        loop {
            if self.desk.controls.borrow_mut().take_new_wishes() {
                return None;
            }
            let order = self.desk.controls.borrow_mut().poll_order();
            if let Some(order) = order {
                return Some(PeerMessage::Host(order));
            }
            let handover = self.desk.controls.borrow_mut().poll_handover();
            if let (Some(handover), Some(host)) = (handover, &self.relay.host_key) {
                return Some(handover.seal(host, &self.relay.room, rand::random()));
            }
            self.desk.orders.notified().await;
        }
    }

    async fn handle_event(
        &mut self,
        bridge: &mut Bridge,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            Event::Resolving { takes_long: false } => {}
            Event::Resolving { takes_long: true } => {
                let relay = &self.relay.address;
                self.complain_of(format!(
                    "Looking up where {relay} is; the name server takes its time."
                ));
            }
            Event::Connecting { addresses } | Event::Trying { addresses } => {
                tracing::debug!(?addresses, "Connecting");
            }
            Event::Joined { welcome, relay, at } => {
                self.complaint = None;
                self.desk.controls.borrow_mut().handle_welcome(welcome);
                self.desk.figures.borrow_mut().note_joined();
                let term = self.terms.as_ref().and_then(Terms::last);
                self.desk.note_relay(at, welcome.region.clone(), term);
                self.tell_wishes(bridge);
                let mut picture = self.desk.picture.borrow_mut();
                picture.note_link(Instant::now(), relay);
                drop(picture);
                self.desk.tell_soon();
                self.tell_standing();
                if !self.desk.controls.borrow().are_followed() {
                    tracing::warn!(
                        "The relay is too old for a host's orders: nobody is banned, muted or locked out"
                    );
                }
                if let Some(place) = &mut self.place {
                    place.keep(
                        &self.relay.address,
                        &self.relay.room,
                        None,
                        (welcome.resume_token.clone(), welcome.fence.is_some()),
                    );
                }
                let (room, interface) = (&self.relay.room, self.interface);
                let place = self.desk.picture.borrow().relays.place();
                let place = place.map_or_else(String::new, |place| format!(", {place}"));
                say(format_args!(
                    "Gateway of room {room} on {interface}: connected to the relay {relay}{place}."
                ));
                self.doorway.introduce(welcome);
            }
            Event::Control(message) => {
                match message {
                    RelayMessage::Notice(notice) => self.notify(notice),
                    RelayMessage::PeerLeft(left) => self.tell_of_left(left),
                    RelayMessage::Meet(meet) => self.doorway.note_seen(meet.seen),
                    RelayMessage::NotPlaced(not_placed) => self.desk.note_not_placed(not_placed),
                    _ => {}
                }
                self.desk.handle_control(message);
                if let RelayMessage::PeerJoined(joined) = message {
                    self.tell_of_joined(joined);
                }
                self.tell_standing();
            }
            Event::Tick(facts) => {
                tracing::trace!(?facts, stats = ?bridge.counters(), "The link stands");
                self.note(bridge);
                // To a relay in this program there is no way, so nobody is told how long it is.
                let way = facts.rtt.filter(|rtt| !rtt.is_zero());
                let round_trip = way.and_then(|rtt| u64::try_from(rtt.as_micros()).ok());
                self.desk.figures.borrow_mut().note_round_trip(round_trip);
                if let Some(facts) = self.lookout.look(Instant::now(), self.interface) {
                    self.doorway.note_lan(&facts);
                    bridge.set_lan_facts(facts);
                }
                self.desk.picture.borrow_mut().note_figures(LinkFigures {
                    ping: facts.rtt,
                    loss_permille: facts.loss_permille,
                    is_faint: facts.is_faint,
                });
                if facts.is_faint {
                    self.desk.tell_soon();
                }
                self.watch_for_loops(bridge.looped());
                while let Some(mac) = bridge.take_lookalike() {
                    self.notify(&Notice {
                        mac: mac.try_into().ok(),
                        ..Notice::new(NoticeKind::MacOnLan, 0)
                    });
                }
                self.tell_of_withheld(bridge.take_withheld());
                self.note_staying(bridge);
                while let Some(mac) = bridge.take_misused_door() {
                    self.tell_of_misuse(mac);
                }
            }
            Event::Relays(sights) => self.desk.note_relays(sights),
            Event::Stays { relay, why } => self.tell_of_stay(relay, why),
            Event::Ways(ways) => {
                if self.desk.picture.borrow_mut().note_ways(ways) {
                    self.desk.tell_soon();
                }
            }
            Event::News => self.tell_wishes(bridge),
            Event::Slept => {
                self.note(bridge);
                self.complain_of(
                    "This machine or program stood still for some seconds; coming back to the room.".to_owned(),
                );
            }
            Event::NoLink { cause, .. } => {
                self.note(bridge);
                let staying = self.note_staying(bridge);
                let others = self.desk.picture.borrow().relays.others();
                self.complain_of(match others {
                    0 => {
                        let relay = &self.relay.address;
                        format!("Not connected to the relay {relay}: {cause}. Trying again.{staying}")
                    }
                    others => {
                        let all = others + 1;
                        format!("Not connected to a relay: {cause}. Asking all {all} relays of the party.{staying}")
                    }
                });
            }
        }
        Ok(())
    }
}

/// What is counted of its moves, if there can be any. In a fleet players go by its fences.
fn terms_of(config: &Config) -> Option<Terms> {
    let (relay, keys) = (&config.relay, config.keys.as_deref());
    let host = relay.host_key.clone()?;
    Terms::open(host, relay.room.clone(), keys, !relay.others.is_empty())
}

/// Without it everything works, but a killed gateway waits until the relay has missed it.
fn open_place(file: &Path) -> Option<ResumeFile> {
    let open = ResumeFile::open(file);
    if let Err(error) = &open {
        tracing::warn!(%error, file = %file.display(), "The place in the room is not kept");
    }
    open.ok()
}

/// What is wrong with an interface, and whether that is the same as before.
fn trouble_of(error: &InterfaceError) -> LanTrouble {
    LanTrouble {
        id: match error {
            InterfaceError::NoCarrier(_) => "no_carrier",
            InterfaceError::Down(_) => "lan_down",
            _ => "lan_gone",
        },
        sentence: error.to_string(),
    }
}

/// The host's side of the room, with what was wanted before.
fn desk(config: &Config) -> Desk {
    let (room, is_keyed) = (room_of(config), config.relay.key.is_some());
    let (controls, kept) = match config.wishes() {
        None => (Controls::new(room, is_keyed, Wishes::default()), None),
        Some(file) => match open_wishes(&file) {
            Ok((kept, wishes)) => {
                let controls = Controls::new(room, is_keyed, wishes.clone());
                (controls, Some((kept, wishes)))
            }
            Err(error) => {
                let file = file.display();
                tracing::warn!(%error, %file, "The host's orders are neither known nor kept");
                let why = format!(
                    "What you ordered before cannot be read from {file} ({error}): bans, lock and isolation stay as the \
                     relay knows them, players reach no more of the LAN than games unless --reach says what, and what you \
                     order now is not kept; mend or remove the file, then restart the gateway."
                );
                (Controls::forgetful(room, is_keyed, why), None)
            }
        },
    };
    let controls = controls.reaching(config.reach.clone());
    let controls = controls.called(config.party.clone());
    let controls = controls.keyed(config.relay.key.clone());
    let place = Place {
        program: env!("CARGO_PKG_VERSION"),
        relay: config.relay.address.to_string(),
        interface: config.interface.clone(),
        hosted: config.hosted,
        relays: relays_of(&config.relay),
    };
    let picture = Picture::new(Instant::now(), place);
    Desk::new(controls, kept, picture, inviter(config))
}

/// All relays at which the party may be.
fn relays_of(config: &RelayConfig) -> Relays {
    let others = config.others.iter().map(|other| &other.address);
    Relays::new(iter::once(&config.address).chain(others).cloned().collect())
}

fn inviter(config: &Config) -> Inviter {
    let relay = config.public_address.as_ref();
    Inviter {
        relay: relay.unwrap_or(&config.relay.address).clone(),
        also: Vec::new(),
        others: config.relay.others.clone(),
        room: config.relay.room.clone(),
        host: config.relay.host_key.as_ref().map(HostKey::id),
        pin: config.relay.trust.pin(),
        key: config.relay.key.clone(),
        page: config.invite_page.clone(),
        keys: config.keys.clone(),
        is_renewing: false,
    }
}

fn open_wishes(file: &Path) -> io::Result<(KeptFile, Wishes)> {
    let mut kept = KeptFile::open(file)?;
    let wishes = kept.load()?;
    Ok((kept, wishes.unwrap_or_default()))
}

/// What a host who wants a new key needs to know.
fn room_of(config: &Config) -> InviteFacts {
    let relay = config.public_address.as_ref();
    let others = config.relay.others.iter();
    InviteFacts {
        relay: relay.unwrap_or(&config.relay.address).to_string(),
        also: Vec::new(),
        others: others.map(ToString::to_string).collect(),
        room: config.relay.room.clone(),
        host: config.relay.host_key.as_ref().map(HostKey::id),
        pin: config.relay.trust.pin().map(|pin| pin.to_string()),
        keys: config.keys.clone().unwrap_or_default(),
    }
}

/// Without them everything works, and somebody who wants to see it sees nothing: that is said.
fn bind_metrics(address: MetricsAddress) -> Option<Bound> {
    let bound = Bound::new(address);
    if let Err(error) = &bound {
        say(format_args!("No metrics, and the party goes on: {error}."));
    }
    bound.ok()
}

/// Without it everything works, but nobody steers the room.
fn listen(file: &Path) -> Option<UnixListener> {
    let listener = ctl::bind(file);
    if let Err(error) = &listener {
        tracing::warn!(%error, file = %file.display(), "`lanparty-gateway ctl` will not find this gateway");
    }
    listener.ok()
}

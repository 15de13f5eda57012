//! What the loop of a gateway asks for and tells: the LAN, the room, and everybody who watches.

use crate::bridge::{Bridge, LOOP_QUIET};
use crate::config::Config;
use crate::desk::{self, Desk};
use crate::door::Doorway;
use crate::lan::facts::Lookout;
use crate::lan::{InterfaceError, LanSocket};
use crate::own_part::OwnPart;
use crate::picture::{About, LanTrouble, LinkFigures};
use crate::terms::Terms;
use crate::{opening, page, relays, standing};
use lanparty_ctrl::message::{PeerJoined, PeerLeft};
use lanparty_ctrl::{
    HostOrder, Notice, NoticeKind, PeerMessage, Pin, RelayMessage, ResumeToken, RoomKey, SignedTerm,
};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::resume_file::ResumeFile;
use lanparty_edge::seldom::Seldom;
use lanparty_edge::speech::say;
use lanparty_edge::systemd::Standing;
use lanparty_games::Game;
use lanparty_gateway_control::Mark;
use lanparty_metrics::Bound;
use lanparty_page::Page;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_peer::{Event, HostError, PeerCore as _, PeerHost};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often an interface that cannot be used is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Tells the party's host how things are, one sentence per change.
pub(crate) struct Host<'a> {
    config: &'a Config,
    standing: Standing,
    relay: &'a RelayConfig,
    pub(crate) interface: &'a str,
    place: Option<ResumeFile>,
    pub(crate) desk: Rc<Desk>,
    /// Where orders come, until somebody listens.
    pub(crate) listener: Option<UnixListener>,
    /// Where metrics are to be served, until somebody does.
    pub(crate) metrics: Option<Bound>,
    /// The party page, until it is shown.
    pub(crate) page: Option<Page>,
    /// The last sentence about a missing link; not said twice in a row.
    complaint: Option<String>,
    /// Whose frames come back from the LAN.
    looped: Option<MacAddr>,
    /// What the relay has had us say.
    told: Seldom,
    /// The lease of which the host has heard last.
    withheld: Option<Notice>,
    /// Hears who is router here.
    pub(crate) lookout: Lookout,
    /// How players find the gateway's end of direct paths.
    pub(crate) doorway: Doorway,
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
            place: config.state.as_deref().and_then(opening::open_place),
            desk: Rc::new(opening::desk(config)),
            listener: config.socket().as_deref().and_then(opening::listen),
            metrics: config.metrics.and_then(opening::bind_metrics),
            page: Some(page::open(config.pages, config.keys.as_deref())),
            complaint: None,
            looped: None,
            told: Seldom::default(),
            withheld: None,
            lookout: Lookout::default(),
            doorway: Doorway::new(config),
            terms: opening::terms_of(config),
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
    pub(crate) fn tell_wishes(&self, bridge: &mut Bridge) {
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
    pub(crate) fn note_games(&self, games: Vec<Game>) {
        let mut controls = self.desk.controls.borrow_mut();
        controls.note_games(Instant::now(), games);
    }

    /// What is wrong with the LAN's interface; nothing when frames cross it.
    pub(crate) fn note_lan(&self, trouble: Option<LanTrouble>) {
        self.desk.picture.borrow_mut().note_lan(trouble);
        self.desk.tell_soon();
    }

    pub(crate) fn note_own_part(&self, own: &OwnPart) {
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
    pub(crate) async fn find_lan(&mut self) -> LanSocket {
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
    pub(crate) fn lose_lan(&self) {
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

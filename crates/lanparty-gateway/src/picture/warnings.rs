//! What is wrong though the party goes on, in words, with what helps.

use super::{About, Picture};
use crate::controls::Controls;
use lanparty_ctrl::NoticeKind;
use lanparty_gateway_control::{LinkState, Mark, PortState, Warning};
use lanparty_obs::DropReason;
use lanparty_proto::VirtualMac;
use std::time::{Duration, Instant};

/// A LAN that has said nothing for so long may not be there: its machines look for each other more often than this.
const SILENT: Duration = Duration::from_secs(60);
/// So many of a thousand packets that get lost are felt in games.
const MUCH_LOSS: u16 = 20;
/// How many names a sentence has.
const MAX_NAMES: usize = 3;
/// The relay is silent, and the link to it stands.
const SILENCE: &str = "link_silent";
/// The link loses much.
const LOSS: &str = "link_loss";

/// What a notice said.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) sentence: String,
    pub(super) until: Instant,
    /// True for what ends when its player leaves.
    pub(super) of_member: bool,
}

/// Something that is wrong, and what is said when it is over.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// What makes it the same trouble.
    pub(super) key: String,
    pub(super) about: About,
    pub(super) warning: Warning,
    pub(super) over: String,
}

impl Picture {
    /// The gravest first.
    pub(super) fn troubles(&self, now: Instant, controls: &Controls) -> Vec<Trouble> {
        let single = [
            self.lan_gone(),
            self.no_link(),
            self.looped(),
            self.port_shut(),
            self.faint(),
            self.silent_lan(now),
            self.no_dhcp(now, controls),
            self.lossy(),
            self.refused_by_port(now),
            self.busy_lan(now),
            old_relay(controls),
            open_room(controls),
            forgotten(controls),
            self.orders_not_kept(),
            self.relay_ends(),
            self.apart_from_this_machine(),
            self.machine_refuses(now),
            self.port_unknown(),
        ];
        let seen = self.seen.iter();
        let seen = seen.map(|(&(kind, mac), seen)| of_player(kind, mac, seen));
        let mut all: Vec<_> = single.into_iter().flatten().chain(seen).collect();
        all.sort_by_key(|trouble| trouble.warning.mark);
        all
    }

    fn lan_gone(&self) -> Option<Trouble> {
        let trouble = self.lan_trouble.as_ref()?;
        let (interface, sentence) = (&self.interface, &trouble.sentence);
        let sentence = format!(
            "{sentence}. Until then the gateway is out of the room, and players see that there is no LAN."
        );
        let over = format!("{interface} is back.");
        Some(party(trouble.id, Mark::Bad, sentence, &over))
    }

    fn no_link(&self) -> Option<Trouble> {
        // Whose LAN is gone has left the room by itself.
        let is_wrong = match self.link {
            LinkState::Connected => false,
            LinkState::Connecting => self.link_sentence.starts_with("Not connected"),
            LinkState::Lost => self.lan_trouble.is_none(),
        };
        is_wrong.then(|| {
            // Of several relays it may be another one by then.
            let over = "The gateway is connected to its relay.";
            party("link_lost", Mark::Bad, self.link_sentence.clone(), over)
        })
    }

    fn faint(&self) -> Option<Trouble> {
        let is_wrong = self.figures.is_faint && self.link == LinkState::Connected;
        is_wrong.then(|| {
            let relay = &self.relay;
            let sentence = format!(
                "The relay {relay} has not answered for some seconds; if that stays so, the gateway looks for it anew."
            );
            party(SILENCE, Mark::Bad, sentence, &self.answers_again())
        })
    }

    fn answers_again(&self) -> String {
        format!("The relay {} answers again.", self.relay)
    }

    /// What a link has is not mended by its end, which is told by itself; nor does another relay answer for the silent one.
    pub(super) fn is_over(&self, trouble: &Trouble) -> bool {
        let is_linked = self.link == LinkState::Connected;
        match trouble.key.as_str() {
            SILENCE => is_linked && trouble.over == self.answers_again(),
            LOSS => is_linked,
            _ => true,
        }
    }

    fn looped(&self) -> Option<Trouble> {
        let mac = self.looped?;
        let interface = &self.interface;
        let sentence = format!(
            "Loop: what the gateway sends for player {mac} comes back from {interface}. Another bridge joins this LAN to the \
             room: unplug one. Until then broadcast is off."
        );
        let over = format!("The loop on {interface} has ended; broadcast is on again.");
        Some(party("loop", Mark::Bad, sentence, &over))
    }

    fn port_shut(&self) -> Option<Trouble> {
        let port = self.port.as_ref()?;
        let over = "Players come in from outside now.";
        (port.state == PortState::Shut)
            .then(|| party("port_shut", Mark::Bad, port.sentence.clone(), over))
    }

    fn port_unknown(&self) -> Option<Trouble> {
        let port = self.port.as_ref()?;
        let over = "It is known now whether players come in from outside.";
        (port.state == PortState::Unknown)
            .then(|| party("port_unknown", Mark::Note, port.sentence.clone(), over))
    }

    fn silent_lan(&self, now: Instant) -> Option<Trouble> {
        let stands = now.saturating_duration_since(self.link_since) >= SILENT;
        let is_silent = self.lan_silence.is_none_or(|silence| silence >= SILENT);
        let is_linked = self.link == LinkState::Connected && self.lan_trouble.is_none();
        (is_linked && stands && is_silent).then(|| {
            let interface = &self.interface;
            let sentence = format!(
                "Nothing has been heard on {interface} for a minute: look whether its cable leads to the LAN's switch, and \
                 whether any machine there is on."
            );
            let over = format!("The LAN on {interface} is heard again.");
            party("lan_silent", Mark::Doubtful, sentence, &over)
        })
    }

    fn no_dhcp(&self, now: Instant, controls: &Controls) -> Option<Trouble> {
        let macs = self.leases.unanswered(now);
        let asking: Vec<_> = macs
            .filter_map(|mac| Some(controls.words_for_mac(VirtualMac::try_from(mac).ok()?)))
            .collect();
        let (first, more) = (asking.first()?, asking.len().saturating_sub(MAX_NAMES));
        let names = match (&asking[..], more) {
            ([_], _) => first.clone(),
            (names, 0) => names.join(", "),
            (names, more) => format!("{} and {more} more", names[..MAX_NAMES].join(", ")),
        };
        let sentence = format!(
            "No DHCP server of the LAN answers {names}: look whether the LAN's router is on and gives addresses to new \
             machines. Without one players give themselves addresses of the kind 169.254.x.y, which reach others who have \
             done the same; or give them one with --address."
        );
        let over = "A DHCP server of the LAN answers players.";
        Some(party("no_dhcp", Mark::Doubtful, sentence, over))
    }

    fn lossy(&self) -> Option<Trouble> {
        let permille = self.figures.loss_permille?;
        (permille >= MUCH_LOSS).then(|| {
            let (whole, tenth) = (permille / 10, permille % 10);
            let sentence = format!(
                "{whole}.{tenth} % of what the gateway sends to its relay gets lost, which games feel: look whether something \
                 on this line uploads, and give the gateway a cable instead of Wi-Fi."
            );
            let over = "The gateway's link loses little again.";
            party(LOSS, Mark::Doubtful, sentence, over)
        })
    }

    fn refused_by_port(&self, now: Instant) -> Option<Trouble> {
        self.has_grown(now, DropReason::PortRefused).then(|| {
            let interface = &self.interface;
            let sentence = format!(
                "{interface} does not take all frames of players: its line is full, or its driver is in trouble; \
                 `ip -s link show {interface}` says more."
            );
            let over = format!("{interface} takes all frames again.");
            party("port_refused", Mark::Doubtful, sentence, &over)
        })
    }

    fn machine_refuses(&self, now: Instant) -> Option<Trouble> {
        self.has_grown(now, DropReason::MachineRefused).then(|| {
            let sentence = "This machine itself does not take all frames of players; its programs may miss some.";
            let over = "This machine takes all frames again.";
            party("machine_refused", Mark::Note, sentence.to_owned(), over)
        })
    }

    fn busy_lan(&self, now: Instant) -> Option<Trouble> {
        self.has_grown(now, DropReason::LanRate).then(|| {
            let sentence = "The LAN says more to everybody than the room takes, and some of that is dropped: games may be \
                            found late. Look for a machine that copies by multicast, or for a loop among the switches.";
            let over = "The LAN says no more to everybody than the room takes.";
            party("lan_chatter", Mark::Doubtful, sentence.to_owned(), over)
        })
    }

    fn relay_ends(&self) -> Option<Trouble> {
        let sentence = self.drain.clone()?;
        let over = "The relay stays.";
        Some(party("relay_draining", Mark::Doubtful, sentence, over))
    }

    fn orders_not_kept(&self) -> Option<Trouble> {
        let why = self.not_kept.as_ref()?;
        let sentence = format!(
            "The gateway cannot keep what you order ({why}): bans, locks and names hold until it ends; make room on its disk, \
             and order them again after its next start."
        );
        let over = "What you order is kept again.";
        Some(party("orders_not_kept", Mark::Doubtful, sentence, over))
    }

    fn apart_from_this_machine(&self) -> Option<Trouble> {
        let why = self.this_machine.as_ref().err()?;
        let over = "This machine takes part again.";
        Some(party("machine_apart", Mark::Note, why.clone(), over))
    }
}

fn old_relay(controls: &Controls) -> Option<Trouble> {
    controls.has_old_relay().then(|| {
        let sentence = "The relay is too old to follow a host's orders, so nobody is kicked, banned, muted or locked out, and \
                        players' figures are not known: ask its operator to update it.";
        let over = "The relay follows orders.";
        party("old_relay", Mark::Doubtful, sentence.to_owned(), over)
    })
}

fn open_room(controls: &Controls) -> Option<Trouble> {
    (!controls.is_keyed()).then(|| {
        let room = &controls.room().room;
        let sentence = format!(
            "The room {room} is open: whoever knows its code may join, and is on this LAN. Make an invite with \
             `lanparty-gateway invite`, then start the gateway anew."
        );
        party("open_room", Mark::Doubtful, sentence, "The room is closed.")
    })
}

fn forgotten(controls: &Controls) -> Option<Trouble> {
    let why = controls.forgotten()?;
    let over = "Your orders are known again.";
    Some(party(
        "orders_forgotten",
        Mark::Doubtful,
        why.to_owned(),
        over,
    ))
}

fn of_player(kind: NoticeKind, mac: VirtualMac, seen: &Seen) -> Trouble {
    let (id, helps) = match kind {
        NoticeKind::AddressTaken => (
            "address_taken",
            " That player should take its address by DHCP, or one that is free.",
        ),
        NoticeKind::LeaseWithheld => ("lease_withheld", ""),
        NoticeKind::MacOnLan => (
            "lookalike",
            " That player joins with another --virtual-mac, or when that machine has been gone for some minutes.",
        ),
        NoticeKind::GroupRate | NoticeKind::ControlRate | NoticeKind::UnknownRate => (
            "chatter",
            " Games may find it late; if it disturbs, mute that player.",
        ),
        NoticeKind::FrameRate | NoticeKind::ByteRate => (
            "too_fast",
            " Its copies are slower than its line; nothing need be done.",
        ),
        NoticeKind::Muted
        | NoticeKind::Isolated
        | NoticeKind::Draining
        | NoticeKind::Staying
        | NoticeKind::Other => ("dropped", " Updating the gateway tells why."),
    };
    let mark = match kind {
        NoticeKind::FrameRate | NoticeKind::ByteRate => Mark::Note,
        _ => Mark::Doubtful,
    };
    Trouble {
        key: format!("{id} {mac} {kind:?}"),
        about: About::Trouble,
        warning: warning(id, mark, format!("{}{helps}", seen.sentence)),
        over: format!("That is over: {}", seen.sentence),
    }
}

fn party(id: &str, mark: Mark, sentence: String, over: &str) -> Trouble {
    Trouble {
        key: id.to_owned(),
        about: About::Party,
        warning: warning(id, mark, sentence),
        over: over.to_owned(),
    }
}

fn warning(id: &str, mark: Mark, sentence: String) -> Warning {
    Warning {
        id: id.to_owned(),
        mark,
        sentence,
    }
}

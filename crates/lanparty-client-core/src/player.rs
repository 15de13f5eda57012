//! Who plays where: the flags about that, the files behind them, and what is known of the link.

use crate::identity_store::{self, IdentityError, Random};
use crate::session::Session;
use clap::Args;
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{Name, RelayMessage, ResumeToken, RoomKey};
use lanparty_dhcp::{Held, How};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::resume_file::ResumeFile;
use lanparty_edge::seldom::Seldom;
use lanparty_edge::speech::say;
use lanparty_obs::way::Measured;
use lanparty_obs::{Diagnostics, PlayerStatus, RelayPlace, Ways};
use lanparty_peer::LinkFacts;
use lanparty_peer::relay_args::{DoorConfig, RelayArgs, RelayArgsError, RelayConfig};
use lanparty_proto::VirtualMac;
use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a player sees what the relay has not carried; it says so again every 30 seconds while that goes on.
const NOTICE_SHOWS: Duration = Duration::from_secs(60);

/// The flags about the player that every client has.
#[derive(Debug, Clone, Args)]
pub struct PlayerArgs {
    /// What the host and the others shall call you, from now on: up to 32 characters [default: the name of before, or
    /// your name on this machine and this machine's].
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// The adapter's MAC address, instead of the one in the identity file.
    #[arg(long, value_name = "MAC")]
    pub virtual_mac: Option<VirtualMac>,

    /// The file that keeps your MAC address, by which the LAN knows you again, and a key, by which the
    /// relay does; made if it is not there [default: lanparty-client-identity.json in $XDG_DATA_HOME or
    /// ~/.local/share, under Windows in %LOCALAPPDATA%\softlan-vpn].
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,

    /// Let your system have all that the LAN's DHCP servers and routers say: default route, DNS, domain, proxy, clock. Without
    /// this it gets an address alone, so that your internet stays your own. On Linux with --no-dhcp, as otherwise nobody but
    /// this program asks.
    #[arg(long)]
    pub full_lease: bool,

    /// Have all frames go by the relay, so that you and the host do not see each other's internet address. Without this they go
    /// straight between the two of you where that takes no longer, in rooms with a key.
    #[arg(long)]
    pub relay_only: bool,
}

/// Why nobody can join.
#[derive(Debug, thiserror::Error)]
pub enum PlayerError {
    /// There is no relay to connect to.
    #[error(transparent)]
    Relay(#[from] RelayArgsError),
    /// The identity cannot be read or made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Nobody says where the identity is.
    #[error("you have no home folder to keep an identity in; use --identity or --virtual-mac")]
    Homeless,
}

impl PlayerArgs {
    /// Reads the files that the flags name; `usual_file` is the identity's where they name none, and
    /// `random` makes a new one.
    ///
    /// # Errors
    /// [`PlayerError`], a sentence for the player.
    pub fn load(
        self,
        relay: RelayArgs,
        usual_file: Option<PathBuf>,
        random: impl FnOnce() -> io::Result<Random>,
    ) -> Result<Player, PlayerError> {
        let mut relay = relay.load()?;
        let identity = self.identity.or(usual_file);
        let file = identity.as_deref();
        let kept = file.map(|file| identity_store::load_or_create(file, random));
        let mut kept = kept.transpose()?;
        let before = kept.as_ref().and_then(|kept| kept.name.clone());
        relay.name = self.name.or(before.clone()).or_else(usual_name);
        relay.door = (!self.relay_only).then(DoorConfig::default);
        if let (Some(file), Some(kept)) = (file, &mut kept)
            && before != relay.name
        {
            kept.name.clone_from(&relay.name);
            // Who may not write there plays under this name today.
            if let Err(error) = identity_store::rename(file, kept) {
                tracing::warn!("Your name is not kept: {error}");
            }
        }
        let mac = self.virtual_mac.or(kept.as_ref().map(|kept| kept.mac));
        let mac = mac.ok_or(PlayerError::Homeless)?;
        relay.identity = kept.map(|kept| kept.key);
        Ok(Player {
            relay,
            mac,
            full_lease: self.full_lease,
            place: identity.and_then(|identity| ResumeFile::open_beside(&identity)),
            facts: None,
            told: Seldom::default(),
            notice: None,
            room_mtu: None,
            new_key: None,
            at: None,
            search: Search::default(),
        })
    }
}

/// Who a player is to this machine, and which machine it is: better than nobody, until --name says more.
fn usual_name() -> Option<Name> {
    let users = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"];
    named(
        users.into_iter().find_map(variable).as_deref(),
        machine().as_deref(),
    )
}

/// The same for a player who is not the one that this program runs as.
pub fn usual_name_of(account: &str) -> Option<Name> {
    named(Some(account), machine().as_deref())
}

fn machine() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    name.or_else(|| variable("COMPUTERNAME"))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn named(user: Option<&str>, machine: Option<&str>) -> Option<Name> {
    let machine = machine.map(str::trim).filter(|machine| !machine.is_empty());
    // Everybody is root somewhere.
    let text = match (user.filter(|user| *user != "root"), machine) {
        (Some(user), Some(machine)) => format!("{user}@{machine}"),
        (one, other) => one.or(other)?.to_owned(),
    };
    Name::from_stranger(&text.into())
}

/// A player, the room that they want to be in, and how the link there is doing.
#[derive(Debug)]
pub struct Player {
    /// The relay and the room.
    pub relay: RelayConfig,
    /// The adapter's MAC.
    pub mac: VirtualMac,
    /// Whether the system gets leases whole, and may lead its internet into the LAN by them.
    pub full_lease: bool,
    place: Option<ResumeFile>,
    facts: Option<LinkFacts>,
    told: Seldom,
    /// What the relay last did not carry.
    notice: Option<(Instant, String)>,
    room_mtu: Option<u16>,
    /// The key that the host has given the room since the invite was made.
    new_key: Option<RoomKey>,
    /// Which of several relays it is.
    at: Option<RelayPlace>,
    search: Search,
}

/// How it goes with several relays while there is no link.
#[derive(Debug, Default)]
enum Search {
    /// The player has not been in yet.
    #[default]
    First,
    /// There is a link.
    Found,
    /// The link was lost; the others are asked.
    Lost,
    /// None of them lets the player in.
    Failed { cause: String, refused: bool },
}

impl Player {
    /// Says who is shown whose internet address, where somebody may be.
    pub fn tell_who_sees_whom(&self) {
        if self.relay.door.is_some() && self.relay.key.is_some() {
            say(
                "Direct paths are on: you and the host see each other's internet address, other players see none \
                 (--relay-only turns them off).",
            );
        }
    }

    /// The session of this player, who believes in the invite's host alone where the invite names one.
    pub fn session(&self) -> Session {
        let session = match self.full_lease {
            true => Session::new(self.mac).with_full_lease(),
            false => Session::new(self.mac),
        };
        match self.relay.host {
            Some(host) => session.of_host(host, self.relay.room.clone()),
            None => session,
        }
    }

    /// The token of the place that an earlier run had.
    pub fn kept_token(&mut self) -> Option<ResumeToken> {
        self.place
            .as_mut()?
            .token(&self.relay.address, &self.relay.room, Some(self.mac))
    }

    /// An attempt begins.
    pub fn connecting(&self) -> PlayerStatus {
        if let Some(searching) = self.searching() {
            return searching;
        }
        PlayerStatus::Connecting {
            relay: self.relay.address.to_string(),
        }
    }

    /// An attempt begins with looking up where the relay is, which takes long or not.
    pub fn resolving(&self, takes_long: bool) -> PlayerStatus {
        if let Some(searching) = self.searching() {
            return searching;
        }
        let relay = self.relay.address.to_string();
        match takes_long {
            true => PlayerStatus::LookingUp { relay },
            false => PlayerStatus::Connecting { relay },
        }
    }

    /// How it stands without a link, where the invite names several relays.
    fn searching(&self) -> Option<PlayerStatus> {
        let others = self.relay.others.len();
        let relays = others + 1;
        (others > 0).then(|| match &self.search {
            Search::First => PlayerStatus::LookingForParty { relays },
            Search::Found | Search::Lost => PlayerStatus::LookingElsewhere { others },
            Search::Failed { cause, refused } => PlayerStatus::NoRelay {
                cause: cause.clone(),
                refused: *refused,
            },
        })
    }

    /// Which of several relays it is, or which one of a fleet that the invite does not name.
    fn place(&self, at: &RelayAddress, welcome: &Welcome) -> Option<RelayPlace> {
        let others = self.relay.others.iter().map(|other| &other.address);
        let mut all = std::iter::once(&self.relay.address).chain(others);
        let number = all.position(|relay| relay.is_same(at));
        let is_one_of_many = !self.relay.others.is_empty() || number.is_none();
        is_one_of_many.then(|| RelayPlace {
            number: number.map(|number| number + 1),
            of: self.relay.others.len() + 1,
            address: at.to_string(),
            region: welcome.region.as_ref().map(ToString::to_string),
        })
    }

    /// The relay has let the player in, the one of several that the invite names so.
    pub fn joined(&mut self, welcome: &Welcome, relay: SocketAddr, at: &RelayAddress) {
        self.at = self.place(at, welcome);
        self.search = Search::Found;
        tracing::info!(%relay, room = %self.relay.room, mtu = %welcome.effective_mtu, "Joined the room");
        self.room_mtu = Some(welcome.effective_mtu.into());
        if let Some(place) = &mut self.place {
            place.keep(
                &self.relay.address,
                &self.relay.room,
                Some(self.mac),
                (welcome.resume_token.clone(), welcome.fence.is_some()),
            );
        }
    }

    /// The link stands, and this is how it does.
    pub fn ticked(&mut self, facts: LinkFacts) {
        self.facts = Some(facts);
    }

    /// The relay says something: what it does not carry for the player becomes the status for a while.
    pub fn hear(&mut self, now: Instant, message: &RelayMessage) {
        if let RelayMessage::Notice(notice) = message
            && notice.is_about_its_reader()
            && self.told.may_say(now)
        {
            tracing::debug!(?notice, "The relay drops frames of ours");
            self.notice = Some((now, notice.to_player().to_string()));
        }
    }

    /// The key of the room, where it is another one by now than the invite's.
    pub fn room_key(&self) -> Option<RoomKey> {
        self.new_key.clone()
    }

    /// The host has given the room a new key: the next attempt brings it, and so does the next start where it is kept.
    pub fn take_new_key(&mut self, session: &Session, message: &RelayMessage) -> Option<RoomKey> {
        let RelayMessage::NewKey(sealed) = message else {
            return None;
        };
        let before = self.new_key.as_ref().or(self.relay.key.as_ref())?;
        let key = session.open_new_key(sealed, before)?;
        tracing::info!("The host has given the room a new key, and this player has it");
        self.new_key = Some(key.clone());
        Some(key)
    }

    /// There is no link, because the machine stood still.
    pub fn slept(&mut self) -> PlayerStatus {
        self.forget_link();
        PlayerStatus::Awake
    }

    fn forget_link(&mut self) {
        self.facts = None;
        self.at = None;
        self.notice = None;
    }

    /// There is no link.
    pub fn lost(&mut self, cause: String, refused: bool) -> PlayerStatus {
        self.forget_link();
        self.search = match self.search {
            Search::Found if !refused => Search::Lost,
            _ => Search::Failed {
                cause: cause.clone(),
                refused,
            },
        };
        if let Some(searching) = self.searching() {
            return searching;
        }
        let relay = self.relay.address.to_string();
        match refused {
            true => PlayerStatus::Refused { relay, cause },
            false => PlayerStatus::NotReachable { relay, cause },
        }
    }

    /// The ways to the gateway. A link knows its own half of the one by the relay.
    fn ways(&self, now: Instant, session: &Session) -> Ways {
        let Some(LinkFacts { rtt, ways, .. }) = self.facts else {
            return Ways::default();
        };
        let mut members = session.members(now);
        let gateway = members.find(|member| member.is_gateway);
        let beyond = gateway.as_ref().and_then(|gateway| gateway.rtt);
        let whole = rtt.map(|own| own + beyond.unwrap_or_default());
        let not_direct = ways.not_direct.filter(|_| gateway.is_some());
        Ways {
            relay: Measured {
                rtt_us: whole.map(micros),
                ..ways.relay
            },
            not_direct,
            ..ways
        }
    }

    /// What session and link know; the adapter and its way are the client's own affair.
    pub fn diagnostics(&self, now: Instant, session: &Session) -> Diagnostics {
        let known = session.diagnostics(now);
        let is_young = |at| now.saturating_duration_since(at) < NOTICE_SHOWS;
        let notice = self.notice.as_ref().filter(|(at, _)| is_young(*at));
        Diagnostics {
            relay_faint: self.facts.is_some_and(|facts| facts.is_faint),
            place: self.at.clone(),
            rtt: self.facts.and_then(|facts| facts.rtt),
            // Whichever way is worse: a game needs both.
            loss_permille: known
                .loss_permille
                .max(self.facts.and_then(|facts| facts.loss_permille)),
            datagram_budget: self
                .facts
                .map_or(known.datagram_budget, |facts| Some(facts.budget.number())),
            room_mtu: self.room_mtu,
            ways: self.ways(now, session),
            lease: session.held_address().and_then(|held| lease(held, now)),
            // What dies here already is nearer to the cause.
            notice: known.notice.or(notice.map(|(_, said)| said.clone())),
            ..known
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn lease(held: &Held, now: Instant) -> Option<(Ipv4Addr, Option<Duration>)> {
    let left = held.until.map(|until| until.saturating_duration_since(now));
    match held.how {
        How::Leased { server } => Some((server, left)),
        How::MadeUp => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::{Notice, NoticeKind};
    use lanparty_proto::DatagramBudget;

    #[test]
    fn an_identity_is_made_once_beside_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("me.json");
        let first = player(None, Some(file.clone()), [2; 6]).unwrap();
        let (mac, key) = (first.mac, first.relay.identity.clone());
        drop(first);
        let again = player(None, Some(file.clone()), [4; 6]).unwrap();
        assert_eq!((again.mac, again.relay.identity), (mac, key.clone()));
        let other_mac = Some(VirtualMac::from_random([7; 6]));
        let disguised = player(other_mac, Some(file), [4; 6]).unwrap();
        assert_eq!((disguised.relay.identity, key.is_some()), (key, true));
        assert!(folder.path().join("me.place.json").exists());
    }

    #[test]
    fn a_player_has_a_name_that_is_kept_and_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("me.json");
        let called = |name: Option<&str>| {
            let args = PlayerArgs {
                name: name.map(|name| name.parse().unwrap()),
                virtual_mac: None,
                identity: None,
                full_lease: false,
                relay_only: false,
            };
            let random = || Ok(([2; 6], [2; 32]));
            let player = args.load(relay(), Some(file.clone()), random).unwrap();
            player.relay.name.map(|name| name.to_string())
        };
        let usual = usual_name().map(|name| name.to_string());
        assert_eq!(called(None), usual);
        assert_eq!(called(Some("Bert")).as_deref(), Some("Bert"));
        assert_eq!(called(None).as_deref(), Some("Bert"));
        let said = |user, machine| named(user, machine).map(|name| name.to_string());
        assert_eq!(
            said(Some("bert"), Some("laptop\n")).as_deref(),
            Some("bert@laptop")
        );
        assert_eq!(
            said(Some("root"), Some("laptop")).as_deref(),
            Some("laptop")
        );
        assert_eq!(said(Some("bert"), Some("")).as_deref(), Some("bert"));
        assert_eq!(said(None, None), None);
        let long = said(Some("bert"), Some(&"x".repeat(64))).unwrap();
        assert_eq!(long.chars().count(), 32);
    }

    #[test]
    fn a_mac_on_the_command_line_needs_no_home() {
        let mac = VirtualMac::from_random([7; 6]);
        assert_eq!(player(Some(mac), None, [2; 6]).unwrap().mac, mac);
        let homeless = player(None, None, [2; 6]).unwrap_err().to_string();
        assert!(homeless.contains("--identity"), "{homeless}");
    }

    #[test]
    fn facts_of_a_link_end_with_it() {
        let mac = VirtualMac::from_random([7; 6]);
        let mut player = player(Some(mac), None, [2; 6]).unwrap();
        let session = Session::new(mac);
        player.ticked(LinkFacts {
            rtt: Some(Duration::from_millis(20)),
            budget: DatagramBudget::new(1200).unwrap(),
            loss_permille: Some(7),
            is_faint: false,
            ways: Ways::default(),
        });
        let facts = player.diagnostics(Instant::now(), &session);
        assert_eq!(facts.datagram_budget, Some(1200));
        assert!(facts.rtt.is_some());
        assert_eq!(facts.loss_permille, Some(7), "on the way to the relay");

        let status = player.lost("it says nothing".into(), false);
        assert!(matches!(status, PlayerStatus::NotReachable { .. }));
        assert_eq!(player.diagnostics(Instant::now(), &session).rtt, None);
        let status = player.lost("it is full".into(), true);
        assert!(matches!(status, PlayerStatus::Refused { .. }));
    }

    #[test]
    fn of_several_relays_a_player_hears_which_and_what_is_tried_without_one() {
        let mac = VirtualMac::from_random([7; 6]);
        let mut player = player(Some(mac), None, [2; 6]).unwrap();
        let first = player.relay.address.clone();
        let welcome = Welcome {
            room_id: lanparty_proto::RoomId::new(7).unwrap(),
            peer_id: lanparty_proto::PeerId::new(2).unwrap(),
            effective_mtu: lanparty_proto::IpMtu::MIN,
            gateway: None,
            resume_token: ResumeToken::from_random([0; 16]),
            capabilities: Vec::new(),
            term: None,
            fence: None,
            region: Some("Paris".into()),
        };
        let by = "192.0.2.7:443".parse().unwrap();
        let place = |player: &Player| {
            let facts = player.diagnostics(Instant::now(), &Session::new(mac));
            facts.place.map(|place| place.to_string())
        };
        player.joined(&welcome, by, &first);
        assert_eq!(place(&player), None, "there is only one");
        player.joined(&welcome, by, &"r2.example".parse().unwrap());
        let of_fleet = "relay r2.example:443, Paris";
        assert_eq!(place(&player).as_deref(), Some(of_fleet), "the fleet's");
        for other in ["b.example", "c.example:444"] {
            player.relay.others.push(other.parse().unwrap());
        }
        player.search = Search::default();
        let said = |status: PlayerStatus| status.to_string();
        assert!(said(player.connecting()).starts_with("Looking for the party at the 3 relays"));
        player.joined(&welcome, by, &"C.example:444".parse().unwrap());
        assert_eq!(place(&player).as_deref(), Some("relay 3 of 3, Paris"));
        let lost = "Connection lost; looking for the party at the other 2 relays of the invite.";
        assert_eq!(said(player.lost("it fell silent".into(), false)), lost);
        assert_eq!(said(player.connecting()), lost);
        assert_eq!(place(&player), None);
        let failed = said(player.lost("none answers".into(), false));
        assert_eq!(
            failed,
            "The party is not reachable: none answers. Trying again."
        );
        assert_eq!(said(player.resolving(true)), failed, "until one does");
        player.joined(&welcome, by, &first);
        assert_eq!(place(&player).as_deref(), Some("relay 1 of 3, Paris"));
    }

    #[test]
    fn what_the_relay_does_not_carry_is_the_status_for_a_minute_and_no_longer() {
        let mac = VirtualMac::from_random([7; 6]);
        let mut player = player(Some(mac), None, [2; 6]).unwrap();
        let (session, start) = (Session::new(mac), Instant::now());
        let notice = RelayMessage::Notice(Notice::new(NoticeKind::MacOnLan, 1));
        player.hear(start, &notice);
        let seen = |player: &Player, after| {
            let now = start + Duration::from_secs(after);
            player.diagnostics(now, &session).notice
        };
        assert!(seen(&player, 59).unwrap().contains("your MAC"));
        assert_eq!(seen(&player, 60), None);
        player.hear(start, &notice);
        player.lost("it says nothing".into(), false);
        assert_eq!(seen(&player, 1), None, "it was about that link");
    }

    fn player(
        virtual_mac: Option<VirtualMac>,
        usual_file: Option<PathBuf>,
        random: [u8; 6],
    ) -> Result<Player, PlayerError> {
        let args = PlayerArgs {
            name: None,
            virtual_mac,
            identity: None,
            full_lease: false,
            relay_only: false,
        };
        args.load(relay(), usual_file, || Ok((random, [random[0]; 32])))
    }

    fn relay() -> RelayArgs {
        RelayArgs {
            invite: None,
            invite_file: None,
            relay: vec!["relay.example.net".parse().unwrap()],
            server_name: None,
            relay_ca_cert: None,
            pin: Some("A".repeat(43).parse().unwrap()),
            room: Some("FRIDAY-LAN".parse().unwrap()),
            datagram_budget: None,
            tcp: Default::default(),
            congestion: Default::default(),
        }
    }
}

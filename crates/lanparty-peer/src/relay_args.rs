//! The flags that gateway and clients share.

use clap::Args;
pub use lanparty_carrier::{Proxies, ProxyUrl};
use lanparty_ctrl::{AccessToken, HostId, HostKey, IdentityKey, Name, Pin, RoomCode, RoomKey};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::congestion_args::{self, congestion};
use lanparty_edge::invite::{
    Invite, InviteError, InviteSource, InviteSourceError, OtherRelay, Relays, RelaysError,
};
use lanparty_obs::Utc;
use lanparty_proto::DatagramBudget;
use lanparty_quic::memory::Dialer;
use lanparty_quic::tls::{self, Identity, Trust, TrustError};
use lanparty_quic::{Company, Congestion};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Which relay, which room, and whom to trust.
#[derive(Debug, Clone, Args)]
// Whoever takes all of this or nothing asks whether one of these was given; clap lists none by itself where flags of
// another struct are among them.
#[group(args = [
    "invite",
    "invite_file",
    "relay",
    "server_name",
    "relay_ca_cert",
    "pin",
    "room",
    "datagram_budget",
    "congestion",
])]
pub struct RelayArgs {
    /// The invite, which says all of this: lanparty://…, or all that a friend has written with it in
    /// it; @FILE to read it from a file, or - to read it from standard input. Other users of this machine see what stands on a command line, but not in
    /// a file of yours.
    #[arg(value_name = "INVITE", conflicts_with_all = ["relay", "room", "pin"])]
    pub invite: Option<InviteSource>,

    /// The same as @FILE.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["invite", "relay", "room", "pin"])]
    pub invite_file: Option<PathBuf>,

    /// The relay to meet at; the port is 443 unless given. Given again, up to five times, it names relays to which the party
    /// moves by itself when its own is gone: everybody names the same. Each is known by the pin behind its ~, or by a
    /// certificate of an authority that the system trusts.
    #[arg(long, value_name = "HOST[:PORT][~PIN]", required_unless_present_any = ["invite", "invite_file"])]
    pub relay: Vec<OtherRelay>,

    /// The name that the relay's certificate must carry, of several the first's [default: the host in --relay].
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Trust this certificate, or what it has signed, and no other (PEM or DER); for one relay alone [default: the
    /// certificate authorities that the system trusts].
    #[arg(long, value_name = "FILE")]
    pub relay_ca_cert: Option<PathBuf>,

    /// Trust the relay that has the key with this pin (it prints it when it starts), whatever its
    /// certificate says. Of several relays it is the first's.
    #[arg(
        long,
        value_name = "PIN",
        allow_hyphen_values = true,
        conflicts_with = "relay_ca_cert"
    )]
    pub pin: Option<Pin>,

    /// The room to meet in: 4 to 32 letters, digits and hyphens. Without an invite it is open: whoever
    /// knows its code can join.
    #[arg(long, value_name = "CODE", required_unless_present_any = ["invite", "invite_file"])]
    pub room: Option<RoomCode>,

    /// Never send datagrams longer than this many bytes; longer frames travel in pieces [default:
    /// what the path takes].
    #[arg(long, value_name = "BYTES")]
    pub datagram_budget: Option<DatagramBudget>,

    /// Whether TCP may carry what UDP does not.
    #[command(flatten)]
    pub tcp: TcpArgs,

    /// How to share a path that is full, for comparisons.
    #[arg(long, value_parser = congestion(), value_name = "HOW", default_value = congestion_args::DEFAULT)]
    pub congestion: Congestion,
}

/// Whether TCP may carry what UDP does not.
#[derive(Debug, Clone, Default, Args)]
pub struct TcpArgs {
    /// Never go over TCP. Without this a relay that does not answer UDP within 1.2 seconds is also asked over TCP, as a web
    /// server would be, and UDP is taken again when it gets through.
    #[arg(long)]
    pub no_tcp: bool,

    /// The HTTP proxy by which TCP gets out: http://HOST:PORT, or http://NAME:PASSWORD@HOST:PORT, which other users of this
    /// machine see on a command line, but not in a variable [default: what https_proxy or all_proxy say, here or in /etc/environment, and on
    /// Windows the settings of those who are logged in].
    #[arg(long, value_name = "URL", conflicts_with = "no_tcp")]
    pub proxy: Option<ProxyUrl>,
}

impl From<TcpArgs> for OverTcp {
    fn from(TcpArgs { no_tcp, proxy }: TcpArgs) -> Self {
        OverTcp {
            is_wanted: !no_tcp,
            proxies: proxy.map_or(Proxies::OfSystem, Proxies::Given),
        }
    }
}

/// Whether a relay may be reached over TCP, and by which proxies.
#[derive(Debug, Clone)]
pub struct OverTcp {
    /// Whether it may.
    pub is_wanted: bool,
    /// Where proxies are looked for.
    pub proxies: Proxies,
}

impl Default for OverTcp {
    fn default() -> Self {
        TcpArgs::default().into()
    }
}

/// Why there is no relay to connect to.
#[derive(Debug, thiserror::Error)]
pub enum RelayArgsError {
    /// Nobody to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The invite is none, or cannot be read.
    #[error(transparent)]
    Invite(#[from] InviteSourceError),
    /// The relays do not go together.
    #[error(transparent)]
    Relays(#[from] RelaysError),
    /// A certificate says nothing about the others, or about one with a pin.
    #[error(
        "--relay-ca-cert is for one relay without a pin: of several each is known by its pin (--relay HOST~PIN), or by the authorities \
         that the system trusts; leave --relay-ca-cert out"
    )]
    Certificate,
    /// The invite's time is over.
    #[error(
        "the invite has expired: it ended at {ended}, and by this machine's clock it is {now}; set the clock if that is \
         wrong, or ask the host for a new invite"
    )]
    Expired {
        /// When that was.
        ended: Utc,
        /// What this machine's clock says.
        now: Utc,
    },
}

/// A relay that a peer may connect to: [`RelayArgs`] with the files read and checked.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it is.
    pub address: RelayAddress,
    /// Where else it may be, as the invite says. Whoever answers there and has not the pinned key is somebody else, and of no
    /// interest.
    pub also: Vec<SocketAddr>,
    /// The relays to which the party may move, each known by its pin or by a certificate of an authority: none is the first, and
    /// none is there twice.
    pub others: Vec<OtherRelay>,
    /// The name its certificate must carry.
    pub server_name: String,
    /// Whose signature that certificate must carry.
    pub trust: Trust,
    /// The room to enter.
    pub room: RoomCode,
    /// What the player wants to be called.
    pub name: Option<Name>,
    /// What proves that we may open rooms there; gateways only.
    pub access_token: Option<AccessToken>,
    /// What proves who we are; without it we are nobody in particular.
    pub identity: Option<IdentityKey>,
    /// What proves that we are invited; without it the room is an open one.
    pub key: Option<RoomKey>,
    /// Whose room it is, as far as the invite says so: no other host's gateway is believed.
    pub host: Option<HostId>,
    /// What proves that we are that host; gateways only.
    pub host_key: Option<HostKey>,
    /// The invite may be the beginning of a longer one, which had the relay's pin.
    pub may_be_cut: bool,
    /// The largest datagram to send, where the player wants less than the path takes.
    pub budget_cap: Option<DatagramBudget>,
    /// How to share the path to the relay.
    pub congestion: Congestion,
    /// The relay is in this program, and is met without a path. Where it is otherwise is for people.
    pub inside: Option<Dialer>,
    /// Whether TCP may carry what UDP does not.
    pub tcp: OverTcp,
    /// What this peer brings to direct paths; without it there are none, and nobody is told of its address.
    pub door: Option<DoorConfig>,
}

impl RelayConfig {
    /// An open room at a relay that is known by this, whose certificate carries its address's name; nobody in particular enters
    /// it, and nothing else is known.
    pub fn new(address: RelayAddress, trust: Trust, room: RoomCode) -> Self {
        RelayConfig {
            server_name: address.host().to_owned(),
            address,
            also: Vec::new(),
            others: Vec::new(),
            trust,
            room,
            name: None,
            access_token: None,
            identity: None,
            key: None,
            host: None,
            host_key: None,
            may_be_cut: false,
            budget_cap: None,
            congestion: Congestion::default(),
            inside: None,
            tcp: OverTcp::default(),
            door: None,
        }
    }
}

/// What a peer brings to direct paths.
#[derive(Debug, Clone, Default)]
pub struct DoorConfig {
    /// With what a gateway's door shows whose it is; gateways only.
    pub identity: Option<Arc<Identity>>,
    /// The UDP port of this machine for the link and all direct paths, where somebody has chosen one.
    pub port: Option<u16>,
}

impl RelayArgs {
    /// Reads the invite and the files that the flags name.
    ///
    /// # Errors
    /// [`RelayArgsError`] when the invite or a certificate cannot be read or used.
    pub fn load(self) -> Result<RelayConfig, RelayArgsError> {
        let source = self.invite.or(self.invite_file.map(InviteSource::File));
        let mut may_be_cut = false;
        let (mut also, mut others) = (Vec::new(), Vec::new());
        let (address, room, key, host, pin) = match (source, self.room) {
            (Some(source), _) => {
                let invite = source.read()?;
                may_be_cut = invite.may_be_cut() && self.relay_ca_cert.is_none();
                let now = SystemTime::now();
                if let Some(ended) = invite.expires.filter(|_| invite.is_expired(now)) {
                    let (ended, now) = (Utc(ended), now.into());
                    return Err(RelayArgsError::Expired { ended, now });
                }
                also.extend(invite.also());
                others.extend(invite.others().cloned());
                let Invite {
                    relay,
                    room,
                    key,
                    host,
                    pin,
                    ..
                } = invite;
                (relay, room, Some(key), host, pin)
            }
            (None, Some(room)) => {
                let missing = || InviteSourceError::from(InviteError::Missing);
                let relays = Relays::named(self.relay, self.pin)?.ok_or_else(missing)?;
                if relays.pin.is_some() && self.relay_ca_cert.is_some() {
                    return Err(RelayArgsError::Certificate);
                }
                others.extend(relays.others);
                (relays.first, room, None, None, relays.pin)
            }
            (None, None) => return Err(InviteSourceError::from(InviteError::Missing).into()),
        };
        if !others.is_empty() && self.relay_ca_cert.is_some() {
            return Err(RelayArgsError::Certificate);
        }
        let server_name = self
            .server_name
            .unwrap_or_else(|| address.host().to_owned());
        tls::check_server_name(&server_name)?;
        Ok(RelayConfig {
            trust: match pin {
                Some(pin) => Trust::pinned(pin),
                None => Trust::load(self.relay_ca_cert.as_deref())?,
            },
            address,
            also,
            others,
            server_name,
            room,
            name: None,
            access_token: None,
            identity: None,
            key,
            host,
            host_key: None,
            may_be_cut,
            budget_cap: self.datagram_budget,
            congestion: self.congestion,
            inside: None,
            door: None,
            tcp: self.tcp.into(),
        })
    }
}

/// What the byte of a room is derived for, of its key.
const LOOP: &[u8] = b"softlan-vpn loop";
/// Open rooms are in so many companies.
const OPEN: u8 = 16;

impl RelayConfig {
    /// With whom this peer has to do: the same byte of everybody in a room, from which a relay has loops chosen. It is seen on the
    /// way, so it is made of the key, of which it tells nothing. An open room has its code alone, of which four bits are seen.
    pub(crate) fn company(&self) -> Company {
        let code = self.room.as_str().as_bytes();
        Company::new(match &self.key {
            Some(key) => key.derive(&[LOOP, code].concat())[0],
            // Codes that are counted up are spread evenly.
            None => code.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) % OPEN,
        })
    }

    /// Warns whoever runs this program that anybody may come, if anybody may.
    pub fn warn_if_open(&self) {
        if self.key.is_none() {
            tracing::warn!(
                "The room {} is open: whoever knows its code can join; `lanparty-gateway invite` makes invites",
                self.room
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const INVITE: &str = "lanparty://r.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg&pin=KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        relay: RelayArgs,
    }

    fn parse(words: &[&str]) -> Result<RelayArgs, clap::Error> {
        Program::try_parse_from(["program"].iter().chain(words)).map(|program| program.relay)
    }

    #[test]
    fn an_invite_is_enough_wherever_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{INVITE}\n")).unwrap();
        let path = file.path().to_str().unwrap();
        for words in [
            &[INVITE][..],
            &[&format!("@{path}")],
            &["--invite-file", path],
        ] {
            let config = parse(words).unwrap().load().unwrap();
            assert_eq!(config.address.to_string(), "r.example:443");
            assert_eq!(config.room.as_str(), "FRIDAY");
            assert!(config.key.is_some());
        }
        assert!(matches!(
            parse(&["-"]).unwrap().invite,
            Some(InviteSource::Stdin)
        ));
    }

    #[test]
    fn an_invite_and_flags_for_the_same_do_not_mix() {
        for flags in [
            ["--relay", "x.example"],
            ["--room", "MONDAY"],
            ["--invite-file", "x"],
        ] {
            assert!(parse(&[INVITE, flags[0], flags[1]]).is_err(), "{flags:?}");
        }
        assert!(parse(&["--room", "MONDAY"]).is_err());
        assert!(parse(&["--relay", "x.example"]).is_err());
    }

    #[test]
    fn several_relays_are_known_each_by_its_own_pin() {
        let pin = INVITE.rsplit_once('=').unwrap().1;
        let other = format!("b.example:4433~{pin}");
        let of = |flags: &[&str]| {
            let words = [&["--room", "FRIDAY"][..], flags].concat();
            parse(&words).unwrap().load()
        };
        let names = ["--relay", "a.example", "--relay", &other];
        let config = of(&[&names[..], &["--relay", "c.example"]].concat()).unwrap();
        assert_eq!(config.address.to_string(), "a.example:443");
        let others = [&other, "c.example"].map(|other| other.parse().unwrap());
        assert_eq!(config.others, others);
        assert_eq!(config.trust.pin(), None);
        let config = of(&["--relay", &other]).unwrap();
        assert_eq!(config.trust.pin(), pin.parse().ok());
        assert_eq!(config.others, []);
        let with_certificate = |flags: &[&str]| of(&[flags, &["--relay-ca-cert", "x"]].concat());
        for (refused, says) in [
            (of(&[&names[..], &names].concat()), "named twice"),
            (with_certificate(&names), "for one relay without a pin"),
            (with_certificate(&["--relay", &other]), "without a pin"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let bad = parse(&["--room", "FRIDAY", "--relay", "b.example~x"]).unwrap_err();
        assert!(bad.to_string().contains("behind the ~"), "{bad}");
    }

    #[test]
    fn an_invite_says_its_relays() {
        let mut invite = Invite::find(INVITE).unwrap();
        let others: Vec<OtherRelay> = ["b.example", "r.example"]
            .map(|relay| relay.parse().unwrap())
            .to_vec();
        invite.others.clone_from(&others);
        let link = invite.reveal();
        let config = parse(&[&link]).unwrap().load().unwrap();
        assert_eq!(config.others, others[..1]);
        let error = parse(&[&link, "--relay-ca-cert", "x"])
            .unwrap()
            .load()
            .unwrap_err();
        assert!(error.to_string().contains("--relay-ca-cert"), "{error}");
    }

    #[test]
    fn a_bad_invite_is_not_repeated() {
        let spoilt = INVITE.replace("key=M", "key=");
        let args = parse(&[&spoilt]).unwrap();
        assert!(!format!("{args:?}").contains("DEyMz"));
        let error = args.load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("DEyMz"), "{error}");
        assert!(
            parse(&["@/no/such/file"])
                .unwrap()
                .load()
                .unwrap_err()
                .to_string()
                .contains("/no/such/file")
        );
        let old = format!("{INVITE}&expires=1000000000");
        let error = parse(&[&old]).unwrap().load().unwrap_err();
        let said = error.to_string();
        assert!(said.contains("it ended at 2001-09-09 01:46 UTC"), "{said}");
        assert!(
            said.contains("set the clock"),
            "a clock may be ahead: {said}"
        );
    }

    #[test]
    fn everybody_in_a_room_is_in_one_company_and_rooms_are_in_many() {
        let config = |invite: &str| parse(&[invite]).unwrap().load().unwrap();
        let (one, other) = (
            config(INVITE),
            config(&INVITE.replace("r.example", "192.0.2.1")),
        );
        assert_eq!(one.company(), other.company());
        let mut companies = Vec::new();
        for number in 0..64 {
            let room = config(&INVITE.replace("FRIDAY", &format!("ROOM-{number}")));
            if !companies.contains(&room.company()) {
                companies.push(room.company());
            }
        }
        assert!(companies.len() > 32, "{}", companies.len());
        // Of an open room's code little is told.
        let open = |room: String| RelayConfig {
            room: room.parse().unwrap(),
            key: None,
            ..one.clone()
        };
        let mut companies = Vec::new();
        for number in 0..64 {
            let company = open(format!("ROOM-{number}")).company();
            if !companies.contains(&company) {
                companies.push(company);
            }
        }
        assert!((8..=16).contains(&companies.len()), "{}", companies.len());
    }

    #[test]
    fn tcp_may_be_turned_off_or_led_by_a_proxy() {
        let tcp = |flags: &[&str]| {
            let words = [&[INVITE][..], flags].concat();
            parse(&words).map(|args| args.load().unwrap().tcp)
        };
        let usual = tcp(&[]).unwrap();
        assert!(usual.is_wanted && matches!(usual.proxies, Proxies::OfSystem));
        assert!(!tcp(&["--no-tcp"]).unwrap().is_wanted);
        let led = tcp(&["--proxy", "http://me:secret@proxy.example:3128"]).unwrap();
        let proxy = led.proxies.towards("r.example", 443).unwrap();
        assert_eq!(proxy.to_string(), "proxy.example:3128");
        assert!(!format!("{led:?}").contains("secret"));
        assert!(tcp(&["--proxy", "http://proxy", "--no-tcp"]).is_err());
        let error = tcp(&["--proxy", "socks5://proxy:1080"]).unwrap_err();
        assert!(error.to_string().contains("no HTTP proxy"), "{error}");
    }

    #[test]
    fn a_pin_may_begin_with_a_hyphen() {
        let pin = format!("-{}4", "_".repeat(41));
        let args = parse(&["--relay", "r.example", "--room", "FRIDAY", "--pin", &pin]);
        assert_eq!(args.unwrap().pin.unwrap().to_string(), pin);
    }
}

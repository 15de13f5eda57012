//! `lanparty-gateway invite`: says who may come.

use crate::invite::{ShowArgs, end_after, hours, known_by, say_relays};
use crate::keys;
use clap::Parser;
use lanparty_ctrl::{Pin, RoomCode, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Extra, Invite, OtherRelay, Relays};
use lanparty_edge::speech::complain;
use lanparty_quic::tls;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

/// Make an invite: a link, and a QR code of it, with which players join.
///
/// The first invite to a room makes its key, which stays on this machine; from then on the gateway
/// that is started here for this room lets nobody in without it. Invites to one room are all the same
/// key: give them to those you mean, as whoever has one may join. Only who has this machine's key folder
/// is the room's host, and its gateway.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "lanparty-gateway invite",
    bin_name = "lanparty-gateway invite",
    version
)]
pub struct InviteArgs {
    /// The relay to meet at; the port is 443 unless given [default: the invite of the party that `lanparty-gateway setup`
    /// has set up]. Given again, up to five times, it names relays to which the party moves by itself when its own is gone,
    /// each with its pin behind a ~; the gateway is started with the same. Older programs know the first.
    #[arg(long, value_name = "HOST[:PORT][~PIN]", requires = "room")]
    relay: Vec<OtherRelay>,

    /// The pin of the relay's key, of several the first's, which it prints when it starts. Without it the relay is asked: one with a
    /// certificate of an authority that systems trust needs none, and of another one the pin is taken as the
    /// network shows it.
    #[arg(long, value_name = "PIN", allow_hyphen_values = true)]
    pin: Option<Pin>,

    /// Take the (first) relay's pin from its own certificate (PEM or DER), which it wrote with --dev-cert-der-out. Not
    /// from an authority's, which is another key.
    #[arg(long, value_name = "FILE", conflicts_with = "pin")]
    relay_cert: Option<PathBuf>,

    /// The room: 4 to 32 letters, digits and hyphens.
    #[arg(long, value_name = "CODE", requires = "relay")]
    room: Option<RoomCode>,

    /// What the party is called.
    #[arg(long, value_name = "TEXT")]
    name: Option<Text>,

    /// After so many hours the players' programs take the invite no more.
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    hours: Option<u32>,

    #[command(flatten)]
    show: ShowArgs,

    /// The folder for the room's key [default: where systemd says, else /var/lib/lanparty-gateway as
    /// root and your data folder otherwise].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// The settings of the party, where neither relay nor room is given.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/lanparty/gateway.toml"
    )]
    config: PathBuf,
}

/// The relay and the room of an invite.
#[derive(Debug, Clone)]
struct Meeting {
    relay: RelayAddress,
    /// Where else it is.
    also: Vec<SocketAddr>,
    /// Where the party may move.
    others: Vec<OtherRelay>,
    room: RoomCode,
    pin: Option<Pin>,
}

impl Meeting {
    /// The relays whose pins the invite says.
    fn pins(&self) -> Vec<(RelayAddress, Pin)> {
        let first = self.pin.map(|pin| (self.relay.clone(), pin));
        let others = self.others.iter();
        let others = others.filter_map(|other| Some((other.address.clone(), other.pin?)));
        first.into_iter().chain(others).collect()
    }
}

impl InviteArgs {
    /// Prints the invite.
    ///
    /// # Errors
    /// One sentence when the key cannot be kept, or nothing can be printed.
    pub fn run(self) -> anyhow::Result<()> {
        let pin = match &self.relay_cert {
            Some(file) => Some(tls::pin_of_file(file)?),
            None => self.pin,
        };
        let relays = Relays::named(self.relay.clone(), pin)?;
        let (Some(relays), Some(room)) = (relays, &self.room) else {
            return self.of_the_party_here();
        };
        let meeting = Meeting {
            pin: match relays.pin {
                Some(pin) => Some(pin),
                None => known_by(&relays.first, room)?,
            },
            others: acquainted(relays.others, room)?,
            relay: relays.first,
            also: Vec::new(),
            room: room.clone(),
        };
        let invite = self.invite(&meeting, rand::random(), rand::random(), SystemTime::now())?;
        let shown = self.show.draw(&invite)?;
        // So that the gateway knows the relays by them too.
        keys::keep_pins(self.keys.as_deref(), &meeting.room, &meeting.pins())?;
        say_relays(&invite);
        if !invite.others.is_empty() {
            complain("Start the gateway with the same relays.");
        }
        shown.print()
    }

    #[cfg(target_os = "linux")]
    fn of_the_party_here(&self) -> anyhow::Result<()> {
        let kept = crate::setup::kept(&self.config, self.keys.as_deref());
        let runs = crate::ctl::running().and_then(|facts| {
            Some(crate::setup::Kept {
                relay: facts.relay.parse().ok()?,
                also: facts.also,
                others: parsed(&facts.others),
                room: facts.room,
                pin: facts.pin.and_then(|pin| pin.parse().ok()),
                name: kept.as_ref().ok().and_then(|kept| kept.name.clone()),
                keys: facts.keys,
            })
        });
        // A party that runs knows best where it is found.
        let kept = match (kept, runs) {
            (Ok(kept), Some(runs)) if kept.room == runs.room && kept.keys == runs.keys => runs,
            (Err(_), Some(runs)) if !self.config.exists() => runs,
            (kept, _) => kept?,
        };
        let meeting = Meeting {
            relay: kept.relay,
            also: kept.also,
            others: kept.others,
            room: kept.room,
            pin: kept.pin,
        };
        let args = InviteArgs {
            name: self.name.clone().or(kept.name),
            keys: Some(kept.keys),
            ..self.clone()
        };
        let invite = args.invite(&meeting, rand::random(), rand::random(), SystemTime::now())?;
        say_relays(&invite);
        args.show.print(&invite)
    }

    #[cfg(not(target_os = "linux"))]
    fn of_the_party_here(&self) -> anyhow::Result<()> {
        anyhow::bail!("an invite is to a relay and a room: give --relay and --room")
    }

    fn invite(
        &self,
        meeting: &Meeting,
        key: [u8; 16],
        secret: [u8; 32],
        now: SystemTime,
    ) -> anyhow::Result<Invite> {
        let folder = self.keys.as_deref();
        let Meeting {
            relay,
            also,
            others,
            room,
            pin,
        } = meeting.clone();
        let host = keys::host_secret(folder, secret)?.host_key(&room);
        Ok(Invite {
            pin,
            key: keys::kept_or_made(folder, &room, key)?,
            host: Some(host.id()),
            relay,
            room,
            name: self.name.clone(),
            expires: self.hours.map(|hours| end_after(hours, now)),
            also,
            others,
            extra: Extra::default(),
        })
    }
}

/// The other relays of a gateway that runs; what is strange in it is left out.
#[cfg(target_os = "linux")]
fn parsed(others: &[String]) -> Vec<OtherRelay> {
    let others = others.iter();
    others.filter_map(|other| other.parse().ok()).collect()
}

/// Asks those that were named without a pin for it.
fn acquainted(mut others: Vec<OtherRelay>, room: &RoomCode) -> anyhow::Result<Vec<OtherRelay>> {
    for other in &mut others {
        if other.pin.is_none() {
            other.pin = known_by(&other.address, room)?;
        }
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invite::relays_of;
    use clap::CommandFactory;
    use lanparty_ctrl::HostSecret;
    use lanparty_quic::tls::Identity;
    use std::ffi::OsString;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn the_flags_make_an_invite() {
        InviteArgs::command().debug_assert();
        let folder = tempfile::tempdir().unwrap();
        let line = "invite --relay r.example --room friday --name Party --hours 2 --keys";
        let words = line.split(' ').map(OsString::from);
        let words = words.chain([folder.path().into()]);
        let args = InviteArgs::parse_from(words);
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let meeting = Meeting {
            relay: args.relay[0].address.clone(),
            also: Vec::new(),
            others: Vec::new(),
            room: args.room.clone().unwrap(),
            pin: None,
        };
        let invite = args.invite(&meeting, [7; 16], [1; 32], now).unwrap();
        let host = HostSecret::from_random([1; 32]).host_key(&"friday".parse().unwrap());
        let link = format!(
            "lanparty://r.example/FRIDAY#key=BwcHBwcHBwcHBwcHBwcHBw&host={}&name=Party&expires=1000007200",
            host.id()
        );
        assert_eq!(Ok(&invite), link.parse().as_ref());
        for (wrong, says) in [
            ("0", "1 hour or more"),
            ("-1", "number"),
            ("x", "whole number"),
        ] {
            let wrong = format!("--hours={wrong}");
            let words = ["invite", "--relay", "r", "--room", "FRIDAY", &wrong];
            let error = InviteArgs::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let again = args.invite(&meeting, [8; 16], [2; 32], now).unwrap();
        assert_eq!(again, invite, "the key stays");
        let relay = Identity::self_signed("relay", &Identity::new_key().unwrap()).unwrap();
        let file = folder.path().join("relay.der");
        std::fs::write(&file, relay.certificate_der()).unwrap();
        assert_eq!(tls::pin_of_file(&file).unwrap(), relay.pin());
        let known = Meeting {
            pin: Some(relay.pin()),
            ..meeting
        };
        let invite = args.invite(&known, [8; 16], [2; 32], now).unwrap();
        assert_eq!(invite.pin, Some(relay.pin()));
        assert_eq!(relays_of(&invite), None);
        let other: OtherRelay = format!("s.example:4433~{}", relay.pin()).parse().unwrap();
        let several = Meeting {
            others: vec![other.clone(), "t.example".parse().unwrap()],
            ..known
        };
        let pins = [("r.example", relay.pin()), ("s.example:4433", relay.pin())];
        let pins = pins.map(|(relay, pin)| (relay.parse().unwrap(), pin));
        assert_eq!(several.pins(), pins);
        let invite = args.invite(&several, [8; 16], [2; 32], now).unwrap();
        let read: Invite = invite.reveal().parse().unwrap();
        assert_eq!(read.others, several.others);
        let said = relays_of(&read).unwrap();
        let names = "names 3 relays, r.example:443, s.example:4433 and t.example:443";
        assert!(said.contains(names), "{said}");
    }

    #[test]
    fn relays_that_do_not_go_together_are_no_invite() {
        let pin = Pin::from_sha256([7; 32]);
        let run = |flags: &[&str]| {
            let words = [&["invite", "--room", "FRIDAY"][..], flags].concat();
            let error = InviteArgs::parse_from(words).run().unwrap_err();
            error.to_string()
        };
        let twice = run(&["--relay", "a.example", "--relay", "A.example:443"]);
        assert!(twice.contains("named twice"), "{twice}");
        let many = ["a", "b", "c", "d", "e", "f"].map(|name| ["--relay", name]);
        let many = run(many.as_flattened());
        assert!(many.contains("has 5 at most"), "{many}");
        let pinned = format!("a.example~{}", Pin::from_sha256([8; 32]));
        let pins = run(&["--relay", &pinned, "--pin", &pin.to_string()]);
        assert!(pins.contains("two different pins"), "{pins}");
    }
}

//! `lanparty-gateway invite`: says who may come, as a link and as a picture of it.

mod picture;
mod show;

pub(crate) use show::ShowArgs;

use crate::keys;
use clap::Parser;
use lanparty_ctrl::{Pin, RoomCode, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Extra, Invite};
use lanparty_edge::runtime;
use lanparty_peer::link::acquaintance::{self, Acquaintance};
use lanparty_quic::tls;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// The relay to meet at; the port is 443 unless given.
    #[arg(long, value_name = "HOST[:PORT]")]
    relay: RelayAddress,

    /// The pin of the relay's key, which it prints when it starts. Without it the relay is asked: one with a
    /// certificate of an authority that systems trust needs none, and of another one the pin is taken as the
    /// network shows it.
    #[arg(long, value_name = "PIN", allow_hyphen_values = true)]
    pin: Option<Pin>,

    /// Take the pin from the relay's own certificate (PEM or DER), which it wrote with --dev-cert-der-out. Not
    /// from an authority's, which is another key.
    #[arg(long, value_name = "FILE", conflicts_with = "pin")]
    relay_cert: Option<PathBuf>,

    /// The room: 4 to 32 letters, digits and hyphens.
    #[arg(long, value_name = "CODE")]
    room: RoomCode,

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
}

impl InviteArgs {
    /// Prints the invite.
    ///
    /// # Errors
    /// One sentence when the key cannot be kept, or nothing can be printed.
    pub fn run(mut self) -> anyhow::Result<()> {
        if self.relay_cert.is_none() && self.pin.is_none() {
            self.pin = known_by(&self.relay, &self.room)?;
        }
        let show = self.show.clone();
        show.print(&self.invite(rand::random(), rand::random(), SystemTime::now())?)
    }

    fn invite(self, key: [u8; 16], secret: [u8; 32], now: SystemTime) -> anyhow::Result<Invite> {
        let pin = match &self.relay_cert {
            Some(file) => Some(tls::pin_of_file(file)?),
            None => self.pin,
        };
        let folder = self.keys.as_deref();
        let host = keys::host_secret(folder, secret)?.host_key(&self.room);
        Ok(Invite {
            pin,
            key: keys::kept_or_made(folder, &self.room, key)?,
            host: Some(host.id()),
            relay: self.relay,
            room: self.room,
            name: self.name,
            expires: self.hours.map(|hours| end_after(hours, now)),
            also: Vec::new(),
            extra: Extra::default(),
        })
    }
}

/// What must stand in the invite so that players know the relay. It is asked, and if it does not answer, nobody knows:
/// who makes the invite hears of both.
pub(crate) fn known_by(relay: &RelayAddress, room: &RoomCode) -> anyhow::Result<Option<Pin>> {
    match runtime::run(acquaintance::ask(relay.clone(), room.clone()))? {
        Ok(Acquaintance::Certificate) => Ok(None),
        Ok(Acquaintance::Key(pin)) => {
            eprintln!(
                "The relay at {relay} shows a key with the pin {pin}, which is in the invite now. Compare it with what the \
                 relay printed when it started, or give that with --pin."
            );
            Ok(Some(pin))
        }
        Err(error) => {
            eprintln!(
                "warning: the relay at {relay} cannot be asked for its key: {error}. If it has no certificate of an \
                 authority, this invite is of no use: give its --pin, which it prints when it starts."
            );
            Ok(None)
        }
    }
}

/// A number of hours for which an invite can hold.
///
/// # Errors
/// A sentence.
pub(crate) fn hours(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(0) => Err(
            "that invite would have ended before it came; give 1 hour or more, or leave --hours out for one without end",
        ),
        Ok(hours) => Ok(hours),
        Err(_) => Err("give a whole number of hours, like 48"),
    }
}

/// When an invite ends that holds for so many hours, in seconds since 1970.
pub(crate) fn end_after(hours: u32, now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970 + Duration::from_secs(3600 * u64::from(hours))).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use lanparty_ctrl::HostSecret;
    use lanparty_quic::tls::Identity;
    use std::ffi::OsString;

    #[test]
    fn the_flags_make_an_invite() {
        InviteArgs::command().debug_assert();
        let folder = tempfile::tempdir().unwrap();
        let line = "invite --relay r.example --room friday --name Party --hours 2 --keys";
        let words = line.split(' ').map(OsString::from);
        let words = words.chain([folder.path().into()]);
        let args = InviteArgs::parse_from(words);
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let invite = args.clone().invite([7; 16], [1; 32], now).unwrap();
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
        let again = args.clone().invite([8; 16], [2; 32], now).unwrap();
        assert_eq!(again, invite, "the key stays");
        let relay = Identity::self_signed("relay", &Identity::new_key().unwrap()).unwrap();
        let file = folder.path().join("relay.der");
        std::fs::write(&file, relay.certificate_der()).unwrap();
        let known = InviteArgs {
            relay_cert: Some(file),
            ..args
        };
        let invite = known.invite([8; 16], [2; 32], now).unwrap();
        assert_eq!(invite.pin, Some(relay.pin()));
    }
}

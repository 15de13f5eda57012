//! `lanparty-gateway invite`: says who may come, as a link and as a picture of it.

use crate::keys;
use anyhow::{Context, ensure};
use clap::Parser;
use lanparty_ctrl::{Pin, RoomCode, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Extra, Invite, MAX_LEN};
use lanparty_quic::tls;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use std::io::{self, Write};
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

    /// The pin of the relay's key, which it prints when it starts. Without it players know the relay
    /// by a certificate of an authority that their systems trust.
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
    #[arg(long, value_name = "HOURS")]
    hours: Option<u32>,

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
    pub fn run(self) -> anyhow::Result<()> {
        print(&self.invite(rand::random(), rand::random(), SystemTime::now())?)
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
            extra: Extra::default(),
        })
    }
}

/// Prints the link and a picture of it.
pub(crate) fn print(invite: &Invite) -> anyhow::Result<()> {
    let (link, picture) = draw(invite)?;
    writeln!(io::stdout(), "{link}\n\n{picture}").context("cannot print the invite")
}

/// The link and a picture of it, which only an invite has that is not too long.
pub(crate) fn draw(invite: &Invite) -> anyhow::Result<(String, String)> {
    let link = invite.reveal();
    ensure!(
        link.len() <= MAX_LEN,
        "the invite is too long; give the party a shorter --name"
    );
    let picture = QrCode::with_error_correction_level(&link, EcLevel::L)
        .context("the invite does not fit into a QR code; give the party a shorter --name")?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    Ok((link, picture))
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

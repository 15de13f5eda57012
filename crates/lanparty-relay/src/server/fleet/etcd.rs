//! A fleet whose directory is etcd, as the operator has described it.

use super::{FleetClock, Line};
use crate::config::{Config, FleetConfig, IdentitySource, OnDirectoryLoss};
use crate::directory::{
    Directory, DirectoryAddressError, DirectoryTrustError, Heard as Said, Password,
};
use lanparty_ctrl::{Pin, Text};
use lanparty_fleet::model::Heard;
use lanparty_fleet::{
    Address, AddressError, FleetSecret, FleetSecretError, OnLoss, RelayId, Request, Settings, Tag,
};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tracing::warn;

/// So much of what the directory says may wait to be heard.
const WAITING: usize = 1024;

/// Why a relay does not come into the fleet that it was told of.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The directory's address is wrong.
    #[error(transparent)]
    Directory(#[from] DirectoryAddressError),
    /// A certificate for it is.
    #[error(transparent)]
    Trust(#[from] DirectoryTrustError),
    /// The fleet's secret is.
    #[error(transparent)]
    Secret(#[from] FleetSecretError),
    /// The relay's own address is.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// A fleet that a relay is about to enter; its directory is heard already.
#[derive(Debug)]
pub(in crate::server) struct Entrance {
    directory: Directory,
    secret: FleetSecret,
    address: Address,
    on_loss: OnLoss,
    region: Text,
    shows_pin: bool,
    free: u32,
}

impl Entrance {
    /// What a configuration says of it, if it does; needs a tokio runtime, and files.
    ///
    /// # Errors
    /// [`FleetError`].
    pub(in crate::server) fn of(config: &Config) -> Result<Option<Self>, FleetError> {
        let Some(fleet) = &config.fleet else {
            return Ok(None);
        };
        let (secret, address) = read(fleet)?;
        let password = fleet.password.as_ref();
        let password = password.map(|password| Password::new(password.expose()));
        let free = u32::try_from(config.limits.peers).unwrap_or(u32::MAX);
        Ok(Some(Entrance {
            directory: Directory::start(fleet.directory.parse()?, password)?,
            secret,
            address,
            on_loss: match fleet.on_loss {
                OnDirectoryLoss::Keep => OnLoss::Keep,
                OnDirectoryLoss::Close => OnLoss::Close,
            },
            region: config.region.clone().unwrap_or_default(),
            // What an authority vouches for may get another key at any time.
            shows_pin: !matches!(config.identity, IdentitySource::Files { .. }),
            free,
        }))
    }

    /// With what a relay with this pin enters, and over which way.
    pub(in crate::server) fn open(self, pin: Pin) -> (Settings, Line) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let settings = Settings {
            id: RelayId::from_random(rand::random()),
            address: self.address,
            pin: self.shows_pin.then_some(pin),
            region: self.region,
            secret: self.secret,
            free: self.free,
            on_loss: self.on_loss,
            unix: unix.unwrap_or_default().as_secs(),
            pace: Settings::PACE,
        };
        let (requests, asked) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::channel(WAITING);
        tokio::spawn(carry(self.directory, asked, tell));
        let line = Line {
            requests,
            heard,
            minds_lag: true,
            clock: FleetClock::system(),
        };
        (settings, line)
    }
}

/// Says whether a relay could enter the fleet that a configuration names, as far as that can be told without asking.
///
/// # Errors
/// [`FleetError`].
pub(in crate::server) fn check(config: &Config) -> Result<(), FleetError> {
    if let Some(fleet) = &config.fleet {
        read(fleet)?;
        let _: crate::directory::DirectoryAddress = fleet.directory.parse()?;
    }
    Ok(())
}

fn read(fleet: &FleetConfig) -> Result<(FleetSecret, Address), FleetError> {
    let secret = FleetSecret::new(fleet.secret.expose())?;
    Ok((secret, fleet.advertise.to_string().parse()?))
}

/// Asks what is to be asked, and hands on what is said, until nobody wants to hear it.
async fn carry(
    mut directory: Directory,
    mut asked: mpsc::UnboundedReceiver<(Tag, Request)>,
    tell: mpsc::Sender<Heard>,
) {
    loop {
        let heard = tokio::select! {
            request = asked.recv() => match request {
                Some((tag, request)) => {
                    directory.request(tag, request);
                    continue;
                }
                None => return,
            },
            said = directory.heard() => match said {
                Said::Answer(tag, answer) => Heard::Answer(tag, answer),
                Said::Event(event) => Heard::Event(event),
                Said::Trouble(error) => {
                    warn!("{error}");
                    continue;
                }
            },
        };
        if tell.send(heard).await.is_err() {
            return;
        }
    }
}

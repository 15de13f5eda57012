//! The fleet of relays that a relay is in, if it is in one.

use clap::{Args, ValueEnum};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::systemd;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// No file with a secret is longer, in bytes.
const MAX_LEN: u64 = 4096;
/// As what systemd hands them over (`LoadCredential=fleet-secret:FILE`).
const SECRET: &str = "fleet-secret";
const PASSWORD: &str = "directory-password";

/// The fleet of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetConfig {
    /// Where its directory is, as the operator wrote it.
    pub directory: String,
    /// The password of the user in it, if there is one.
    pub password: Option<FleetSecretText>,
    /// What all its relays know.
    pub secret: FleetSecretText,
    /// Where peers reach this relay.
    pub advertise: RelayAddress,
    /// What becomes of rooms while the directory is away.
    pub on_loss: OnDirectoryLoss,
}

/// A secret that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetSecretText(String);

impl FleetSecretText {
    /// The secret, for who makes something of it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FleetSecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetSecretText(…)")
    }
}

/// What becomes of rooms that are here while nothing is heard from the directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDirectoryLoss {
    /// They go on: a directory that is away for everybody gives them to nobody else, and gateways are at one relay only.
    #[default]
    Keep,
    /// They end after two and a half seconds, so that no room is ever at two relays.
    Close,
}

/// Over these flags in --help.
pub const OF_A_FLEET: &str = "Several relays as one (only where the relay was built for it)";

/// The flags for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = OF_A_FLEET)]
pub struct FleetArgs {
    /// Where the relays of this fleet find each other: one etcd, or several, like
    /// etcd://e1.example:2379,e2.example:2379,e3.example:2379. docs/fleet.md says how [default: this relay is alone].
    #[arg(long, value_name = "URL")]
    directory: Option<String>,

    /// The file with the password of the user in --directory [default: the credential `directory-password`, if systemd hands one
    /// over].
    #[arg(long, value_name = "FILE")]
    directory_password_file: Option<PathBuf>,

    /// The file with the fleet's secret, the same for all its relays: 16 characters or more. Rooms are written into the directory
    /// under it, so that who reads that learns no room code [default: the credential `fleet-secret`, if systemd hands one over].
    #[arg(long, value_name = "FILE")]
    fleet_secret_file: Option<PathBuf>,

    /// Where gateways and players reach this relay, and no other one: they are sent there when their room is here.
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<RelayAddress>,

    /// What becomes of rooms when the directory is away: they go on (keep), or end (close).
    #[arg(long, value_enum, value_name = "WHAT", default_value = "keep")]
    on_directory_loss: OnDirectoryLoss,
}

/// Why a relay cannot be in the fleet that it was told of.
#[derive(Debug, thiserror::Error)]
pub enum FleetArgsError {
    /// The program has no fleet in it.
    #[error(
        "--directory is of no use, as this relay was built without fleets: leave it out, or take a build with the feature `cluster-etcd`"
    )]
    NotBuilt,
    /// The secret is missing.
    #[error(
        "--directory needs --fleet-secret-file: write one secret into a file (`openssl rand -base64 32`) and give it to all relays of the fleet"
    )]
    NoSecret,
    /// The file with the secret, or with the password, cannot be read.
    #[error("the fleet's {what} in {} cannot be read ({cause}); name a file that is there and yours", file.display())]
    Unreadable {
        /// Which of the two.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Nobody could be sent to this relay.
    #[error(
        "--directory needs --advertise HOST:PORT, the address at which players reach this relay and no other one"
    )]
    NoAddress,
    /// What belongs to a fleet stands there without one.
    #[error(
        "{0} is of no use without --directory; leave it out, or say where the fleet's directory is"
    )]
    Alone(&'static str),
}

impl FleetArgs {
    /// Where the secrets are, to be read again.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let is_wanted = self.directory.is_some();
        let files = [self.secret_file(), self.password_file()].into_iter();
        files.flatten().filter(move |_| is_wanted)
    }

    /// The fleet, if there is one.
    ///
    /// # Errors
    /// [`FleetArgsError`].
    pub(super) fn load(self) -> Result<Option<FleetConfig>, FleetArgsError> {
        let (secret, password) = (self.secret_file(), self.password_file());
        let Some(directory) = self.directory else {
            let alone = [
                ("--advertise", self.advertise.is_some()),
                ("--fleet-secret-file", self.fleet_secret_file.is_some()),
                (
                    "--directory-password-file",
                    self.directory_password_file.is_some(),
                ),
            ];
            return match alone.into_iter().find(|&(_, is_there)| is_there) {
                Some((flag, _)) => Err(FleetArgsError::Alone(flag)),
                None => Ok(None),
            };
        };
        if !cfg!(feature = "cluster-etcd") {
            return Err(FleetArgsError::NotBuilt);
        }
        let secret = secret.ok_or(FleetArgsError::NoSecret)?;
        let password = password.map(|file| text_of("directory password", file));
        Ok(Some(FleetConfig {
            directory,
            password: password.transpose()?,
            secret: text_of("secret", secret)?,
            advertise: self.advertise.ok_or(FleetArgsError::NoAddress)?,
            on_loss: self.on_directory_loss,
        }))
    }

    fn secret_file(&self) -> Option<PathBuf> {
        let handed_over = || systemd::credential(SECRET).ok().flatten();
        self.fleet_secret_file.clone().or_else(handed_over)
    }

    fn password_file(&self) -> Option<PathBuf> {
        let handed_over = || systemd::credential(PASSWORD).ok().flatten();
        self.directory_password_file.clone().or_else(handed_over)
    }
}

fn text_of(what: &'static str, file: PathBuf) -> Result<FleetSecretText, FleetArgsError> {
    let mut text = String::new();
    let read = File::open(&file).and_then(|file| file.take(MAX_LEN).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(FleetSecretText(text.trim().to_owned())),
        Err(cause) => Err(FleetArgsError::Unreadable { what, file, cause }),
    }
}

//! `lanparty-gateway setup`: a host is asked what a party needs, and everything is made at the end.
//!
//! Nothing is written before the last answer: whoever stops on the way has changed nothing.

mod answers;
mod ask;
mod at_host;
mod at_relay;
mod questions;
mod relay;
mod service;

use crate::config::{self, Args, Mode};
use crate::invite::{self, ShowArgs};
use crate::keys;
use crate::serverless::{self, HostArgs};
use answers::{Answers, Party, Settings};
use anyhow::{Context, ensure};
use ask::Asker;
use clap::Parser;
use lanparty_ctrl::{AccessToken, Pin, RoomCode, Text};
use lanparty_edge::address::{ListenAddress, RelayAddress};
use lanparty_edge::invite::{Extra, Invite, MAX_ALSO, OtherRelay};
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_edge::state_folder::StateFolder;
use service::Service;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the service looks for its settings.
pub const CONFIG: &str = "/etc/lanparty/gateway.toml";
/// The relay's access token in the state folder.
const TOKEN_FILE: &str = "access-token";

/// Set up a party on this machine: asks what is needed, tries it, and keeps it for every later evening.
///
/// It finds the interface with the party's LAN by asking for a DHCP server on each (which takes no lease), tries the relay or the
/// port, makes keys, invite and settings, and starts the service where there is one. Each answer is also a flag; what
/// stands in brackets is taken by Enter, or by --yes for all. Started again it shows what is set now, and keeps keys
/// and invite. Until the last answer nothing is changed.
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-gateway setup", bin_name = "lanparty-gateway setup", version, after_help = EXAMPLES)]
pub struct SetupArgs {
    /// Ask nothing: take the flags, what is set already, and what is usual.
    #[arg(long, short = 'y')]
    yes: bool,

    /// The wired interface whose cable leads to the LAN.
    #[arg(long, visible_alias = "iface", value_name = "IF")]
    interface: Option<String>,

    /// Players find the party at this machine.
    #[arg(long, conflicts_with_all = ["relay", "pin", "access_token_file"])]
    host: bool,

    /// Players find it at this relay; the port is 443 unless given. Given again, up to five times, it names relays to which the
    /// party moves by itself when its own is gone, each with its pin behind a ~ [default: those that are set already].
    #[arg(long, value_name = "HOST[:PORT][~PIN]", conflicts_with_all = ["listen", "public_address"])]
    relay: Vec<OtherRelay>,

    /// The pin of the (first) relay's key, which its operator has told you.
    #[arg(long, value_name = "PIN", allow_hyphen_values = true)]
    pin: Option<Pin>,

    /// The file with the access token that the relay's operator gave you; it is copied into the state folder.
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,

    /// With --host: where to listen for players, like 443/udp.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<ListenAddress>,

    /// With --host: your public name or address, where it is known; `auto` leaves it to the program.
    #[arg(long, value_name = "HOST[:PORT]")]
    public_address: Option<String>,

    /// The room: 4 to 32 letters, digits and hyphens.
    #[arg(long, value_name = "CODE")]
    room: Option<RoomCode>,

    /// What the party is called.
    #[arg(long, value_name = "TEXT")]
    name: Option<Text>,

    /// Leave the service alone.
    #[arg(long)]
    no_service: bool,

    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,

    /// The folder for keys [default: /var/lib/lanparty-gateway as root, which is the service's too].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    #[command(flatten)]
    show: ShowArgs,
}

const EXAMPLES: &str = "\
Examples:
  Be asked:
      lanparty-gateway setup

  A party at a relay, from a script:
      lanparty-gateway setup --yes --relay relay.example.net --pin 0Xq… --room FRIDAY

  Only the interface has changed:
      lanparty-gateway setup --yes --interface eth1

It exits with 0 when the party is set up, and otherwise says in a sentence why it is not.";

/// What an invite to the party that is set up here says.
pub(crate) struct Kept {
    pub(crate) relay: RelayAddress,
    pub(crate) also: Vec<SocketAddr>,
    pub(crate) others: Vec<OtherRelay>,
    pub(crate) room: RoomCode,
    pub(crate) pin: Option<Pin>,
    pub(crate) name: Option<Text>,
    pub(crate) keys: PathBuf,
}

/// The party that these settings describe.
///
/// # Errors
/// A sentence, when there is none.
pub(crate) fn kept(file: &Path, keys: Option<&Path>) -> anyhow::Result<Kept> {
    ensure!(
        file.exists(),
        "no party is set up here ({} is not there): run `lanparty-gateway setup`, or make an invite to a relay with --relay and --room",
        file.display()
    );
    let settings = Settings::load(file)?;
    let named = keys.map(Path::to_owned).or_else(|| settings.parsed("keys"));
    let keys = keys::open(named.as_deref())?;
    let lacking = |key: &str| {
        format!(
            "the configuration {} says no {key}; run `lanparty-gateway setup`",
            file.display()
        )
    };
    let room = match settings.parsed("room") {
        Some(room) => room,
        None => serverless::kept_room(&keys, rand::random()).with_context(|| lacking("room"))?,
    };
    let mut others = Vec::new();
    let (relay, pin) = match settings.mode() {
        Some(Mode::Host) => {
            let listen = settings
                .text("listen")
                .unwrap_or_else(|| "443/udp".to_owned());
            let public = settings.text("public-address");
            let (relay, pin) =
                serverless::found_at(keys.path(), listen.parse()?, public.as_deref())?;
            (relay, Some(pin))
        }
        Some(Mode::Relay) | None => {
            let relays = settings.relays().with_context(|| lacking("relay"))?;
            others.extend(relays.others);
            (relays.first, relays.pin)
        }
    };
    Ok(Kept {
        relay,
        also: Vec::new(),
        others,
        room,
        pin,
        name: settings
            .text("name")
            .map(Text::from)
            .filter(|name| !name.as_str().is_empty()),
        keys: keys.path().to_owned(),
    })
}

/// What is known before anybody is asked.
struct Setup<'a> {
    args: &'a SetupArgs,
    settings: Settings,
    keys: StateFolder,
    /// What becomes a secret where there is none yet.
    random: Random,
}

#[derive(Clone, Copy)]
struct Random {
    key: [u8; 16],
    secret: [u8; 32],
    room: [u8; 4],
}

impl SetupArgs {
    /// Asks, tries, and makes everything.
    ///
    /// # Errors
    /// One sentence, for whoever sits there.
    pub fn run(self) -> anyhow::Result<()> {
        may_set_up()?;
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        let mut asker = Asker::new(&mut input, &mut output, self.yes);
        let settings = Settings::load(&self.config)?;
        let named = self.keys.clone().or_else(|| settings.parsed("keys"));
        let setup = Setup {
            keys: keys::open(named.as_deref())?,
            settings,
            random: Random {
                key: rand::random(),
                secret: rand::random(),
                room: rand::random(),
            },
            args: &self,
        };
        setup.run(&mut asker)
    }
}

/// Says at once what of all that is needed is missing.
fn may_set_up() -> anyhow::Result<()> {
    let held = privilege::held().context("cannot see which rights this program has")?;
    ensure!(
        held.contains(CapabilitySet::NET_RAW),
        "setup asks on the wire for DHCP servers and writes the party's settings, which needs root's rights: {}",
        privilege::advice(CapabilitySet::NET_RAW, &[])
    );
    Ok(())
}

impl Setup<'_> {
    fn run(&self, asker: &mut Asker<'_>) -> anyhow::Result<()> {
        if !asker.takes_defaults() {
            asker.say(
                "This sets up a LAN party on this machine. Enter takes what stands in [brackets], and Ctrl-C leaves everything as \
                 it was: nothing is changed before the last answer.\n",
            )?;
        }
        let interface = self.interface(asker)?;
        let mode = self.mode(asker)?;
        let (party, room, token) = match mode {
            Mode::Host => (self.host(asker)?, self.room(asker, None)?, None),
            Mode::Relay => self.relay(asker)?,
        };
        let name = self.name(asker)?;
        let answers = Answers {
            interface,
            party,
            room,
            name,
            keys: self
                .args
                .keys
                .clone()
                .or_else(|| self.settings.parsed("keys")),
        };
        let starts = self.starts(asker)?;
        self.make(asker, &answers, token, starts)
    }

    /// Whether the service shall run.
    fn starts(&self, asker: &mut Asker<'_>) -> anyhow::Result<bool> {
        let is_the_services = self.args.config == Path::new(CONFIG) && self.args.keys.is_none();
        if self.args.no_service || !is_the_services || Service::find() != Service::Ready {
            return Ok(false);
        }
        asker.confirm(
            "Start the party now, and whenever this machine starts",
            "--no-service",
            Some(true),
        )
    }

    /// Makes keys, settings and service, in that order, and shows the invite.
    fn make(
        &self,
        asker: &mut Asker<'_>,
        answers: &Answers,
        token: Option<AccessToken>,
        starts: bool,
    ) -> anyhow::Result<()> {
        let folder = self.keys.path();
        let text = self.settings.with(answers);
        let before = fs::read_to_string(&self.args.config).unwrap_or_default();
        let places = self.places(asker, answers)?;
        let invite = self.invite(answers, &places)?;
        let shown = self.args.show.draw(&invite)?;
        if let (
            Party::Relay {
                access_token_file: Some(file),
                ..
            },
            Some(token),
        ) = (&answers.party, &token)
            && *file == self.keys.file(TOKEN_FILE)
        {
            self.keys
                .replace(TOKEN_FILE, String::from(token.clone()).as_bytes())?;
        }
        if text != before {
            answers::write(&self.args.config, &text, is_sound)?;
            asker.say(&format!(
                "\nWritten: {} (keys: {})",
                self.args.config.display(),
                folder.display()
            ))?;
        } else {
            asker.say("\nNothing has changed in the settings.")?;
        }
        self.begin(asker, starts, text != before)?;
        if let Some(relays) = invite::relays_of(&invite) {
            asker.say(&format!("\n{relays}"))?;
        }
        asker.say("\nPlayers need only this:\n")?;
        asker.put(&format!("{}\n", shown.text()))
    }

    /// The invite, with all that must be kept for it.
    fn invite(&self, answers: &Answers, places: &[SocketAddr]) -> anyhow::Result<Invite> {
        let folder = Some(self.keys.path());
        let Random { key, secret, .. } = self.random;
        let key = keys::kept_or_made(folder, &answers.room, key)?;
        let host = keys::host_secret(folder, secret)?
            .host_key(&answers.room)
            .id();
        keys::identity(folder, rand::random())?;
        let mut relays = &[][..];
        let (mut relay, pin) = match &answers.party {
            Party::Relay {
                relay, pin, others, ..
            } => {
                relays = others;
                (relay.clone(), *pin)
            }
            Party::Host {
                listen,
                public_address,
            } => {
                let (address, pin) =
                    serverless::found_at(self.keys.path(), *listen, public_address.as_deref())?;
                (address, Some(pin))
            }
        };
        let names_none = matches!(
            &answers.party,
            Party::Host {
                public_address: None,
                ..
            }
        );
        if let (true, Some(&best)) = (names_none, places.first()) {
            relay = best.into();
        }
        let others = places
            .iter()
            .copied()
            .filter(|&other| RelayAddress::from(other) != relay);
        Ok(Invite {
            also: others.take(MAX_ALSO).collect(),
            others: relays.to_vec(),
            relay,
            room: answers.room.clone(),
            key,
            host: Some(host),
            pin,
            name: answers.name.clone(),
            expires: None,
            extra: Extra::default(),
        })
    }

    /// Starts the service, or says how the party begins.
    fn begin(&self, asker: &mut Asker<'_>, starts: bool, is_changed: bool) -> anyhow::Result<()> {
        let by_hand = format!("lanparty-gateway --config {}", self.args.config.display());
        if starts {
            if is_changed || !service::is_active() {
                service::start()?;
            }
            return asker.say("The party runs, and starts with this machine. `lanparty-gateway ctl list` shows who is here.");
        }
        let why = match Service::find() {
            Service::Ready | Service::NoSystemd => "",
            Service::NoUnit => " (The package has a service for that; it is not installed here.)",
        };
        asker.say(&format!("Start the party with `{by_hand}`.{why}"))
    }
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Whether the gateway would take this file.
fn is_sound(file: &Path) -> anyhow::Result<()> {
    let words = [
        "lanparty-gateway".into(),
        "--config".into(),
        OsString::from(file),
    ];
    match config::mode_in(&words) {
        Some(Mode::Host) => HostArgs::read(words).map(drop),
        Some(Mode::Relay) | None => Args::read(words).map(drop),
    }
    .context("what else stands in the settings does not go with these answers; take it out, and start this again")
}

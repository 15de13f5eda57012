//! `lanparty-gateway ctl`: the host's hand on a running gateway.

mod live;
mod rotate;
mod status;
mod table;

use crate::invite::ShowArgs;
use crate::{config, controls, invite};
use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use lanparty_ctrl::{Pin, Text};
use lanparty_edge::ctl;
use lanparty_gateway_control::{
    Answer, InviteFacts, LinkState, PageFacts, Reach, Request, Snapshot,
};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// See and steer the room of the gateway that runs on this machine.
///
/// What you order holds at the relay from that moment on, and stays when gateway or relay come back or are
/// started anew; it ends with `unlock`, `unban`, `unmute` and `isolate off`.
///
/// What players may reach on the LAN the gateway judges itself: `reach games` needs no relay that follows.
///
/// Players are named by their MAC addresses, their names, however those are written, or their keys; `list`
/// shows all three. A player who was kicked can come back with the same invite. One who is banned cannot, with
/// another MAC address neither; but a new key costs nothing, and whoever makes one is somebody new: rotate
/// the room's key to keep such a person out. A lock goes by MAC addresses, which players can see and take.
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-gateway ctl", bin_name = "lanparty-gateway ctl", version, after_help = EXAMPLES)]
pub struct CtlArgs {
    /// The gateway of this interface; needed where several run.
    #[arg(long, visible_alias = "iface", value_name = "IF", global = true)]
    interface: Option<String>,

    /// The gateway's socket [default: looked for where gateways keep their state].
    #[arg(long, value_name = "FILE", global = true)]
    socket: Option<PathBuf>,

    #[command(subcommand)]
    order: Order,
}

const EXAMPLES: &str = "\
Examples:
  Who is there, and how are their links?
      lanparty-gateway ctl list

  Is everything well? And the invite once more, for somebody who has lost it:
      lanparty-gateway ctl status
      lanparty-gateway ctl invite

  Which games are on, and where?
      lanparty-gateway ctl games

  Let players have games on the LAN and nothing else of your home; see what they tried:
      lanparty-gateway ctl reach games
      lanparty-gateway ctl reach

  Which relays could the party be at, and to the one in Paris:
      lanparty-gateway ctl relays
      lanparty-gateway ctl relay Paris

  Somebody floods the LAN with broadcast, or must go and stay out:
      lanparty-gateway ctl mute 02:1a:2b:3c:4d:5e
      lanparty-gateway ctl ban Mallory

Only the user that runs the gateway may do this, and root.
It exits with 0 when it is done, and otherwise says in a sentence why not.";

#[derive(Debug, Clone, Subcommand)]
enum Order {
    /// Watch the players by what they cost, in a table that is new each second: what each sends and gets, and what is
    /// dropped. Letters sort, q quits.
    Top,
    /// Show on one screen how everything stands: party, link, LAN, port, what is wrong and what helps, who is in, and what
    /// has happened of late.
    Status {
        /// As one line of JSON, all of it: the snapshot that the party page shows as well.
        #[arg(long)]
        json: bool,
    },
    /// Show who is in the room: MAC, name, key, addresses on the LAN, round trip between gateway and player, lost packets,
    /// rates.
    List {
        /// As lines of JSON, one for each player.
        #[arg(long)]
        json: bool,
    },
    /// Show all that the gateway knows, as one line of JSON.
    Snapshot {
        /// It is JSON anyway.
        #[arg(long, hide = true)]
        json: bool,
    },
    /// Print the invite again: the link, and on a terminal its QR code. The gateway keeps it, also as a service, and no
    /// log has it.
    Invite {
        /// After so many hours the players' programs take the invite no more.
        #[arg(long, value_name = "HOURS", value_parser = invite::hours)]
        hours: Option<u32>,

        #[command(flatten)]
        show: ShowArgs,
    },
    /// Call a player by another name, on this gateway: in `list`, on the party page, in sentences and for `kick` and the
    /// others. Or the party, with --party: in invites from then on.
    Rename {
        /// The player's MAC address, name or key, as `list` shows it; also of one who has left.
        #[arg(allow_hyphen_values = true, required_unless_present = "party")]
        player: Option<String>,
        /// The name; an empty one gives the player its own name back.
        #[arg(allow_hyphen_values = true, required_unless_present = "party")]
        name: Option<String>,
        /// The party's name, in place of a player's; empty for none.
        #[arg(long, value_name = "TEXT", conflicts_with_all = ["player", "name"])]
        party: Option<String>,
    },
    /// Send a player out of the room.
    Kick {
        /// The player's MAC address, name or key, as `list` shows it.
        #[arg(allow_hyphen_values = true)]
        player: String,
    },
    /// Send a player out of the room for good: by the key, or by the MAC address of one who has none.
    Ban {
        /// The player's MAC address, name or key, as `list` shows it; also of one who has left.
        #[arg(allow_hyphen_values = true)]
        player: String,
    },
    /// Let a banned player come again.
    Unban {
        /// The player's MAC address, name or key, as `bans` shows it.
        #[arg(allow_hyphen_values = true)]
        player: String,
    },
    /// Show who is banned.
    Bans,
    /// Let nobody in who is not there; members who lose their link may come back.
    Lock,
    /// Let everybody with an invite in again.
    Unlock,
    /// Drop what a player says to everybody: no games announced, and no ARP or DHCP either.
    Mute {
        /// The player's MAC address, name or key, as `list` shows it.
        #[arg(allow_hyphen_values = true)]
        player: String,
    },
    /// Let a player be heard again.
    Unmute {
        /// The player's MAC address, name or key, as `list` shows it; also of one who has left.
        #[arg(allow_hyphen_values = true)]
        player: String,
    },
    /// Keep the players apart: each has the LAN, none has the others.
    Isolate {
        /// Apart, or together again.
        state: Switch,
    },
    /// What players may reach on the LAN: show it and what they tried, or say it. It holds at once, also for what is under
    /// way, and is kept.
    #[command(after_help = REACH)]
    Reach {
        /// Of this player alone, by MAC address, name or key, as `list` shows it.
        #[arg(long, value_name = "PLAYER", allow_hyphen_values = true)]
        player: Option<String>,
        /// `everything`; `games`, which is what machines of the LAN announce as games, ports of games, answers to what they
        /// begin, and ping; `only`; or `default`, which is what the gateway was started with, and for a player what
        /// everybody reaches.
        what: Option<ReachWord>,
        /// Behind `games` what else, behind `only` what: ADDRESS, ADDRESS:PORT, ADDRESS:FIRST-LAST, with commas or spaces
        /// between.
        #[arg(value_delimiter = ',', value_name = "WHERE")]
        named: Vec<String>,
    },
    /// Let players reach one thing more on the LAN: ADDRESS, ADDRESS:PORT or ADDRESS:FIRST-LAST; IPv6 in brackets, /24
    /// behind the address of a network, /tcp or /udp at the end.
    Allow {
        /// This player alone, who has a reach of its own.
        #[arg(long, value_name = "PLAYER", allow_hyphen_values = true)]
        player: Option<String>,
        /// What.
        #[arg(value_name = "WHERE")]
        what: String,
    },
    /// Take it back, in the words in which it was allowed.
    Disallow {
        /// From this player alone, who has a reach of its own.
        #[arg(long, value_name = "PLAYER", allow_hyphen_values = true)]
        player: Option<String>,
        /// What.
        #[arg(value_name = "WHERE")]
        what: String,
    },
    /// Show which games are on, on the LAN and on players' machines: game, server, players, map, whose it is, address,
    /// and how long ago it was heard. Nobody is asked: what is not seen nobody has looked for of late.
    Games {
        /// As lines of JSON, one for each game.
        #[arg(long)]
        json: bool,
    },
    /// Show what was carried and how the link to the relay does, as a line of JSON: waits, drops, batches,
    /// congestion. docs/performance.md says what the numbers mean.
    Stats,
    /// Show the relays at which the party may be, where there are several: address, region, round trip from here, and where the
    /// party is. All of them are asked first.
    Relays {
        /// As one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take the party to another of its relays: players follow by themselves, and games see a gap of a second at most. By itself
    /// it leaves no relay that works.
    Relay {
        /// The relay's number, address or region, as `relays` shows it; or `best`, which is the nearest to the gateway.
        #[arg(value_name = "NUMBER|ADDRESS|REGION|best")]
        to: String,
    },
    /// Print the party page's link, which makes whoever opens it the host: keep it to yourself. Its token is in the key
    /// folder's file page-token; who deletes that has another link from the gateway's next start on.
    Page,
    /// Give the room a new key, and print the new invite: older ones are worth nothing from then on. Who is in
    /// stays, and gets the new key over the link where the programs are new enough; who does not is named.
    Rotate {
        /// What the party is called.
        #[arg(long, value_name = "TEXT")]
        name: Option<Text>,
        /// After so many hours the players' programs take the invite no more.
        #[arg(long, value_name = "HOURS", value_parser = invite::hours)]
        hours: Option<u32>,

        /// The pin of the relay's key, where the gateway itself knows the relay by a certificate.
        #[arg(long, value_name = "PIN", allow_hyphen_values = true)]
        pin: Option<Pin>,

        #[command(flatten)]
        show: ShowArgs,
    },
}

const REACH: &str = "\
Examples:
  Games on the LAN, and nothing else of your home:
      lanparty-gateway ctl reach games

  One server, and the folder of the NAS for one player:
      lanparty-gateway ctl reach only 192.168.50.2:27960,192.168.50.7:25565/tcp
      lanparty-gateway ctl reach --player Bert games 192.168.50.2:445

  What is it now, and what have players tried?
      lanparty-gateway ctl reach

Broadcast, DHCP and ARP stay. Pages and services by which a router or the gateway's own machine is administered stay shut, unless
players reach everything or the machine's very address is named.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReachWord {
    Everything,
    Games,
    Only,
    Default,
}

/// What the words after `reach` ask for.
fn reach(
    player: Option<String>,
    what: Option<ReachWord>,
    named: Vec<String>,
) -> anyhow::Result<Request> {
    let Some(what) = what else {
        ensure!(
            player.is_none(),
            "it is not said what this player may reach; write everything, games, only … or default"
        );
        return Ok(Request::Reaches);
    };
    let reach = match what {
        ReachWord::Games => Some(Reach::Games { also: named }),
        ReachWord::Only => Some(Reach::Only { allowed: named }),
        ReachWord::Everything | ReachWord::Default => {
            ensure!(
                named.is_empty(),
                "machines and ports go behind games or only; leave them out here"
            );
            (what == ReachWord::Everything).then_some(Reach::Everything)
        }
    };
    Ok(Request::Reach { who: player, reach })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl CtlArgs {
    /// Does it, and prints what has come of it.
    ///
    /// # Errors
    /// One sentence, when no gateway is there or it cannot do that.
    pub fn run(self) -> anyhow::Result<()> {
        let CtlArgs {
            interface,
            socket,
            order,
        } = self;
        let gateway = Gateway::find(interface.as_deref(), socket)?;
        let text = match order {
            Order::Status { json: false } => status::draw(&gateway.snapshot()?),
            Order::Status { json: true } | Order::Snapshot { .. } => {
                ctl::json_lines(&[gateway.snapshot()?])
            }
            Order::List { json } => list(&gateway.snapshot()?, json)?,
            Order::Top => return Ok(lanparty_top::run(|| live::look(&gateway.0))?),
            Order::Invite { hours, show } => {
                let invite = rotate::shown(gateway.ask(&Request::Invite { hours })?)?;
                invite::say_relays(&invite);
                return show.print(&invite);
            }
            Order::Rotate {
                name,
                hours,
                pin,
                show,
            } => return rotate::rotate(&gateway, name, hours, pin, &show),
            order => gateway.obey(order)?,
        };
        write!(io::stdout(), "{text}").context("cannot print the answer")
    }
}

/// Without a link there is nobody to be listed, and that is no answer.
fn list(now: &Snapshot, as_json: bool) -> anyhow::Result<String> {
    ensure!(
        now.link.state == LinkState::Connected,
        "{}: {}",
        controls::NO_LINK,
        now.link.sentence
    );
    Ok(match as_json {
        true => ctl::json_lines(&now.players),
        false => table::draw(now) + &table::place(&now.link),
    })
}

/// What is asked of the gateway, of those orders that are no more than that.
fn request(order: Order) -> anyhow::Result<Request> {
    Ok(match order {
        Order::Kick { player } => Request::Kick { who: player },
        Order::Ban { player } => Request::Ban { who: player },
        Order::Unban { player } => Request::Unban { who: player },
        Order::Bans => Request::Bans,
        Order::Lock => Request::Lock { on: true },
        Order::Unlock => Request::Lock { on: false },
        Order::Mute { player } => mute(player, true),
        Order::Unmute { player } => mute(player, false),
        Order::Isolate { state } => Request::Isolate {
            on: state == Switch::On,
        },
        Order::Reach {
            player,
            what,
            named,
        } => reach(player, what, named)?,
        Order::Allow { player, what } => Request::Allow { who: player, what },
        Order::Disallow { player, what } => Request::Disallow { who: player, what },
        Order::Rename {
            player,
            name,
            party,
        } => Request::Rename {
            who: player.filter(|_| party.is_none()),
            name: party.or(name).unwrap_or_default(),
        },
        Order::Relays { .. } => Request::Relays,
        Order::Relay { to } => Request::MoveTo { relay: to },
        Order::Page => Request::Page,
        Order::Stats => Request::Stats,
        Order::Games { .. } => Request::Games,
        Order::Top
        | Order::Status { .. }
        | Order::List { .. }
        | Order::Snapshot { .. }
        | Order::Invite { .. }
        | Order::Rotate { .. } => bail!(STRANGE),
    })
}

/// What a host wants to know of the page.
fn page(facts: &PageFacts) -> anyhow::Result<String> {
    let PageFacts {
        link,
        fingerprint,
        public,
        troubles,
    } = facts;
    let off = "this gateway shows no party page; start it without --page off";
    ensure!(
        link.is_some() || public.is_some(),
        troubles.first().map_or(off, String::as_str).to_owned()
    );
    let certificate = fingerprint
        .iter()
        .map(|sum| format!("The browser does not know its certificate; its SHA-256 must be {sum}"));
    let public = public
        .iter()
        .map(|public| format!("For everybody, without buttons: {public}"));
    let lines = link.iter().cloned().chain(certificate).chain(public);
    Ok(lines
        .chain(troubles.iter().cloned())
        .map(|line| line + "\n")
        .collect())
}

const STRANGE: &str = "the gateway gives a strange answer; use a ctl of the gateway's version";

fn mute(who: String, on: bool) -> Request {
    Request::Mute { who, on }
}

/// A running gateway's socket.
struct Gateway(PathBuf);

impl Gateway {
    fn find(interface: Option<&str>, socket: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut sockets = match socket {
            Some(socket) => vec![socket],
            None => sockets(interface),
        };
        sockets.retain(|socket| ctl::is_live(socket));
        ensure!(sockets.len() <= 1, "{}", which(&sockets));
        sockets.pop().map(Gateway).context(
            "no gateway runs here that you may steer; start it, or use --socket or the user that runs it",
        )
    }

    fn snapshot(&self) -> anyhow::Result<Snapshot> {
        match self.ask(&Request::Snapshot)? {
            Answer::Snapshot(snapshot) => Ok(*snapshot),
            Answer::Refused(reason) => bail!(reason),
            _ => bail!(STRANGE),
        }
    }

    /// Gives an order; what has come of it, for people.
    fn obey(&self, order: Order) -> anyhow::Result<String> {
        let as_json = matches!(
            order,
            Order::Games { json: true } | Order::Relays { json: true }
        );
        let request = request(order)?;
        Ok(match self.ask(&request)? {
            Answer::Bans(bans) => table::draw_bans(&bans),
            Answer::Reaches(reaches) => table::draw_reaches(&reaches),
            Answer::Stats(stats) => ctl::json_lines(&[stats]),
            Answer::Games(games) if as_json => ctl::json_lines(&games),
            Answer::Games(games) => table::draw_games(&games),
            Answer::Relays(relays) if as_json => ctl::json_lines(&[relays]),
            Answer::Relays(relays) => table::draw_relays(&relays),
            Answer::Done(sentence) => sentence + "\n",
            Answer::Refused(reason) => bail!(reason),
            Answer::Page(facts) => page(&facts)?,
            Answer::Players(_)
            | Answer::InviteFacts(_)
            | Answer::Snapshot(_)
            | Answer::Invite(_) => bail!(STRANGE),
        })
    }

    fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        ctl::ask(&self.0, request)
            .context("the gateway does not answer; look at its log, and try again; one that is older than this program does not know every order, so start it anew after an update")
    }
}

/// Whether a folder is one in which a gateway's service keeps its state: that of a machine with one party, or of an interface.
fn is_services(folder: &str) -> bool {
    folder.starts_with(PREFIX) || folder == PREFIX.trim_end_matches('-')
}

/// What an invite to the party that runs here says, if exactly one does.
pub(crate) fn running() -> Option<InviteFacts> {
    let gateway = Gateway::find(None, None).ok()?;
    match gateway.ask(&Request::InviteFacts).ok()? {
        Answer::InviteFacts(facts) => Some(facts),
        _ => None,
    }
}

/// How to tell several gateways apart, in words: by their interfaces, or where those are the same by their sockets.
fn which(sockets: &[PathBuf]) -> String {
    let names: Vec<_> = sockets.iter().filter_map(|socket| at(socket)).collect();
    let mut apart = names.clone();
    apart.sort_unstable();
    apart.dedup();
    if apart.len() == sockets.len() {
        let flags = names.iter().map(|name| format!("`--interface {name}`"));
        let flags: Vec<_> = flags.collect();
        return format!(
            "several gateways run here; say which one you mean: {}",
            flags.join(" or ")
        );
    }
    let flags = sockets
        .iter()
        .map(|socket| format!("`--socket {}`", socket.display()));
    let flags: Vec<_> = flags.collect();
    format!(
        "several gateways run here, some at interfaces of the same name; say which one you mean: {}",
        flags.join(" or ")
    )
}

/// The interface of a gateway, by its socket's name.
fn at(socket: &Path) -> Option<&str> {
    let name = socket.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?
        .strip_suffix(config::SOCKET_SUFFIX)
}

/// Where gateways may listen: in the state folder of this user, and those of the system's services.
fn sockets(interface: Option<&str>) -> Vec<PathBuf> {
    let own = config::state_folder(|name| env::var_os(name));
    let services = fs::read_dir("/var/lib").into_iter().flatten().flatten();
    let services = services
        .filter(|entry| is_services(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path());
    let wanted = interface.map(config::socket_name);
    let folders = own.into_iter().chain(services);
    let files = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let files = files.flatten().flatten().map(|entry| entry.path());
    let is_wanted = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match &wanted {
            Some(wanted) => name == *wanted,
            None => name.starts_with(PREFIX) && name.ends_with(config::SOCKET_SUFFIX),
        }
    };
    files.filter(is_wanted).collect()
}

const PREFIX: &str = "lanparty-gateway-";

#[cfg(test)]
mod tests;

//! `lanparty-relay ctl`: the operator's hand on a running relay.

mod fleet;
mod live;
pub(crate) mod span;
pub(crate) mod wire;

use crate::registry::Seat;
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use lanparty_edge::ctl;
use lanparty_edge::state_folder::StateFolder;
use lanparty_edge::table::table;
use span::Span;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use wire::{Answer, Peer, Request, RoomRow, Status};

/// Where the unit under `dist/` keeps the relay's state.
const SERVICE: &str = "/var/lib/lanparty";

/// See and steer the relay that runs on this machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-relay ctl", bin_name = "lanparty-relay ctl", version, after_help = EXAMPLES)]
pub struct CtlArgs {
    /// The relay's socket [default: relay.ctl where relays keep their state].
    #[arg(long, value_name = "FILE", global = true)]
    socket: Option<PathBuf>,

    #[command(subcommand)]
    order: Order,
}

const EXAMPLES: &str = "\
Examples:
  Who is on it?
      lanparty-relay ctl rooms
      lanparty-relay ctl peers

  Who sends most, now?
      lanparty-relay ctl top

  The relays of this one's fleet:
      lanparty-relay ctl fleet

  Send peer 3 out of room 7:
      lanparty-relay ctl kick 7/3

  Update it when the parties of tonight are over, or in two hours at the latest; and not yet:
      lanparty-relay ctl drain --after 2h
      lanparty-relay ctl undrain

Only the user that runs the relay may do this, and root.
It exits with 0 when it is done, and otherwise says in a sentence why not.";

#[derive(Debug, Clone, Subcommand)]
enum Order {
    /// Show the rooms: number, code, whether it is for invited people, whether its gateway is there, players.
    Rooms,
    /// Show the peers: room and number, code, MAC (a gateway has none), name, key, source, time, traffic.
    Peers,
    /// Show which version it is, since when it runs, how many are on it, and whether it drains.
    Status,
    /// Show each peer's link in numbers, as a line of JSON: waits, drops, batches, congestion. They are up to five
    /// seconds old; docs/performance.md says what they mean.
    Stats {
        /// What all of them have done since the relay started, those who have left among them, as one line.
        #[arg(long)]
        total: bool,
    },
    /// Watch rooms and peers by what they cost, in a table that is new each second: bytes, frames and drops a second.
    /// Letters sort, q quits.
    Top,
    /// Send a peer out, who may come again.
    Kick {
        /// The peer as `peers` shows it: its room's number and its own.
        #[arg(value_name = "ROOM/PEER")]
        seat: Seat,
    },
    /// Take nobody in any more; who is in plays on, and comes back if the link breaks without a goodbye. The
    /// relay ends with the last player, whatever gateways there are.
    Drain {
        /// Send everybody away after this time, and end: a number and s, m or h.
        #[arg(long, value_name = "TIME")]
        after: Option<Span>,
    },
    /// Take people in again.
    Undrain,
    /// Show the relays of the fleet: region, rooms, players that they would take, and whether they drain; of this one also its lease,
    /// how late it reads packets, and the round trip to the fleet's directory.
    Fleet {
        /// As one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

impl CtlArgs {
    /// Does it, and prints what has come of it.
    ///
    /// # Errors
    /// One sentence, when no relay is there or it cannot do that.
    pub fn run(self) -> anyhow::Result<()> {
        let socket = match self.socket {
            Some(socket) => Some(socket),
            None => sockets().into_iter().find(|socket| ctl::is_live(socket)),
        };
        let socket = socket.filter(|socket| ctl::is_live(socket)).context(
            "no relay runs here that you may steer; start it, or use --socket or the user that runs it",
        )?;
        let json = matches!(self.order, Order::Fleet { json: true });
        let request = match self.order {
            Order::Top => return Ok(lanparty_top::run(|| live::look(&socket))?),
            Order::Rooms => Request::Rooms,
            Order::Peers => Request::Peers,
            Order::Status => Request::Status,
            Order::Stats { total: false } => Request::Stats,
            Order::Stats { total: true } => Request::Totals,
            Order::Kick { seat } => Request::Kick(seat),
            Order::Drain { after: None } => Request::Drain,
            Order::Drain { after: Some(after) } => Request::DrainWithin(after.0.as_secs()),
            Order::Undrain => Request::Undrain,
            Order::Fleet { .. } => Request::Fleet,
        };
        let answer = ctl::ask(&socket, &request);
        let text =
            match answer.context("the relay does not answer; look at its log, and try again")? {
                Answer::Rooms(rooms) => draw_rooms(&rooms),
                Answer::Peers(peers) => draw_peers(&peers),
                Answer::Stats(peers) => ctl::json_lines(&peers),
                Answer::Status(status) => draw_status(&status),
                Answer::Totals(totals) => ctl::json_lines(&[totals]),
                Answer::Fleet(fleet) if json => ctl::json_lines(&[fleet]),
                Answer::Fleet(fleet) => fleet::draw(&fleet),
                Answer::Done(sentence) => sentence + "\n",
                Answer::Refused(sentence) => bail!(sentence),
            };
        write!(io::stdout(), "{text}").context("cannot print the answer")
    }
}

/// Where relays of this user and the system's service listen.
fn sockets() -> Vec<PathBuf> {
    let own = StateFolder::of(crate::config::PROGRAM).ok();
    let own = own.map(|folder| folder.file(crate::config::SOCKET));
    let service = PathBuf::from(SERVICE).join(crate::config::SOCKET);
    own.into_iter().chain([service]).collect()
}

fn draw_status(status: &Status) -> String {
    let Status {
        version,
        seconds,
        rooms,
        players,
        gateways,
        waiting,
        region,
        fleet,
        draining,
        ends_in,
    } = status;
    let span = |seconds: &u64| Span(Duration::from_secs(*seconds));
    let drains = match (draining, ends_in) {
        (false, _) => String::new(),
        (true, None) => {
            "Draining: nobody new comes in, and it ends with the last player.\n".to_owned()
        }
        (true, Some(ends_in)) => format!(
            "Draining: nobody new comes in, and it ends with the last player, in {} at the latest.\n",
            span(ends_in)
        ),
    };
    let fleet = fleet.as_ref().map(fleet::line).unwrap_or_default();
    let region = region.as_ref().map(|region| format!(" in {region}"));
    let region = region.unwrap_or_default();
    let waits = match waiting {
        0 => String::new(),
        _ => format!(" Asking for a party whose gateway is not here: {waiting}."),
    };
    format!(
        "lanparty-relay {version}{region}, running for {}.\nRooms: {rooms}. Gateways: {gateways}. Players: {players}.{waits}\n{fleet}{drains}",
        span(seconds)
    )
}

fn draw_rooms(rooms: &[RoomRow]) -> String {
    let rows = rooms.iter().map(|room| {
        let kind = if room.keyed { "invited" } else { "open" };
        let gateway = if room.gateway { "here" } else { "–" };
        let players = room.players.to_string();
        [
            room.number.to_string(),
            room.code.to_string(),
            kind.into(),
            gateway.into(),
            players,
        ]
    });
    table(["ROOM", "CODE", "FOR", "GATEWAY", "PLAYERS"], rows)
}

fn draw_peers(peers: &[Peer]) -> String {
    let unknown = || "–".to_owned();
    let rows = peers.iter().map(|peer| {
        [
            peer.seat.to_string(),
            peer.code.to_string(),
            peer.mac.map_or("gateway".to_owned(), |mac| mac.to_string()),
            peer.name.as_ref().map_or_else(unknown, ToString::to_string),
            peer.identity
                .map_or_else(unknown, |identity| identity.short()),
            peer.source.to_string(),
            format!("{} min", peer.seconds / 60),
            peer.rtt_us
                .map_or_else(unknown, |us| format!("{:.1} ms", us as f64 / 1000.0)),
            peer.frames.to_string(),
            peer.dropped.to_string(),
        ]
    });
    let head = [
        "PEER", "CODE", "MAC", "NAME", "KEY", "FROM", "IN FOR", "RTT", "FRAMES", "DROPPED",
    ];
    table(head, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_words_make_sense_together() {
        CtlArgs::command().debug_assert();
        let args = CtlArgs::parse_from(["ctl", "kick", "7/2", "--socket", "x"]);
        assert!(matches!(args.order, Order::Kick { seat } if seat.to_string() == "7/2"));
        assert!(CtlArgs::try_parse_from(["ctl", "kick", "7"]).is_err());
    }

    #[test]
    fn the_state_of_the_relay_is_said_in_words() {
        let mut status = Status {
            version: "1.2.3".into(),
            seconds: 3 * 3600 + 120,
            rooms: 2,
            players: 17,
            gateways: 1,
            waiting: 0,
            region: None,
            fleet: None,
            draining: false,
            ends_in: None,
        };
        assert_eq!(
            draw_status(&status),
            "lanparty-relay 1.2.3, running for 3 h 2 min.\nRooms: 2. Gateways: 1. Players: 17.\n"
        );
        status.waiting = 2;
        status.region = Some("Paris".into());
        assert_eq!(
            draw_status(&status),
            "lanparty-relay 1.2.3 in Paris, running for 3 h 2 min.\nRooms: 2. Gateways: 1. Players: 17. \
             Asking for a party whose gateway is not here: 2.\n"
        );
        status.draining = true;
        assert!(draw_status(&status).contains("ends with the last player."));
        status.ends_in = Some(1799);
        assert!(draw_status(&status).contains("in 29 min at the latest"));
    }

    #[test]
    fn without_a_relay_there_is_one_sentence() {
        let args = CtlArgs::parse_from(["ctl", "rooms", "--socket", "/nowhere/x.ctl"]);
        let error = args.run().unwrap_err().to_string();
        assert!(error.starts_with("no relay runs here"), "{error}");
    }
}

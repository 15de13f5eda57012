//! The flags for how much a relay takes on, wherever it runs: alone, or inside `lanparty-gateway host`.

use crate::registry::{GuessLimits, JoinLimits, Limits};
use crate::room::{Rate, Rates};
use crate::strangers::KnockLimits;
use clap::Args;

/// How much a relay takes on, and how much each client may send: what may change while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How much to take on.
    pub limits: Limits,
    /// How much each client may send.
    pub rates: Rates,
    /// How many connections may be on their way in.
    pub knocks: KnockLimits,
    /// How many wrong proofs of an invitation are answered.
    pub guesses: GuessLimits,
}

/// The flags for all of [`Bounds`].
#[derive(Debug, Clone, Args)]
pub struct BoundArgs {
    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    rates: RateArgs,
}

impl From<BoundArgs> for Bounds {
    fn from(BoundArgs { limits, rates }: BoundArgs) -> Self {
        let rate = |burst, per_second| Rate { burst, per_second };
        Bounds {
            limits: Limits {
                rooms: limits.max_rooms,
                peers: limits.max_peers,
                peers_per_address: limits.max_peers_per_address,
                peers_per_network: limits.max_peers_per_network,
                rooms_per_address: limits.max_rooms_per_address,
                rooms_per_network: limits.max_rooms_per_network,
                clients_per_room: limits.max_clients_per_room,
                joins: JoinLimits {
                    per_identity: limits.max_joins,
                    per_address: limits.max_joins_per_address,
                },
            },
            rates: Rates {
                control: rate(rates.control_burst, rates.control_rate),
                group: rate(rates.broadcast_burst, rates.broadcast_rate),
                unknown: rate(rates.unknown_unicast_burst, rates.unknown_unicast_rate),
                frames: rate(rates.frame_burst, rates.frame_rate),
                bytes: rate(rates.byte_burst, rates.byte_rate),
                lan: rate(rates.lan_broadcast_burst, rates.lan_broadcast_rate),
            },
            knocks: KnockLimits {
                at_once: limits.max_handshakes,
                per_address: limits.max_handshakes_per_address,
                per_network: limits.max_handshakes_per_network,
            },
            guesses: GuessLimits {
                per_source: rate(limits.guess_burst, limits.guess_rate),
                per_room: rate(limits.room_guess_burst, limits.room_guess_rate),
            },
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Rooms on this relay.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms, value_parser = at_least_one)]
    max_rooms: usize,

    /// Rooms that were opened from one IPv4 address or IPv6 /64.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms_per_address, value_parser = at_least_one)]
    max_rooms_per_address: usize,

    /// The same from one IPv6 /48.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms_per_network, value_parser = at_least_one)]
    max_rooms_per_network: usize,

    /// Peers on this relay, gateways included.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers, value_parser = at_least_one)]
    max_peers: usize,

    /// Peers from one IPv4 address or IPv6 /64.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers_per_address, value_parser = at_least_one)]
    max_peers_per_address: usize,

    /// Peers from one IPv6 /48.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers_per_network, value_parser = at_least_one)]
    max_peers_per_network: usize,

    /// Times a minute that one identity comes in, also to take its place back; who comes too often is told to wait.
    #[arg(long, value_name = "N", default_value_t = JoinLimits::default().per_identity, value_parser = at_least_one_u32)]
    max_joins: u32,

    /// The same of one IPv4 address or IPv6 /64, but not to take a place back.
    #[arg(long, value_name = "N", default_value_t = JoinLimits::default().per_address, value_parser = at_least_one_u32)]
    max_joins_per_address: u32,

    /// Clients in one room; its gateway comes on top.
    #[arg(long, value_name = "N", default_value_t = Limits::default().clients_per_room, value_parser = at_least_one)]
    max_clients_per_room: usize,

    /// Connections at once that are not in a room yet.
    #[arg(long, value_name = "N", default_value_t = KnockLimits::default().at_once, value_parser = at_least_one)]
    max_handshakes: usize,

    /// The same from one IPv4 address or IPv6 /64.
    #[arg(long, value_name = "N", default_value_t = KnockLimits::default().per_address, value_parser = at_least_one)]
    max_handshakes_per_address: usize,

    /// The same from one IPv6 /48.
    #[arg(long, value_name = "N", default_value_t = KnockLimits::default().per_network, value_parser = at_least_one)]
    max_handshakes_per_network: usize,

    /// Attempts at once, from one IPv4 address or IPv6 /64, to enter a room for invited people without being
    /// invited; after these it is told to wait. Who is invited is let in all the same.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_source.burst, value_parser = at_least_one_u32)]
    guess_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_source.per_second, value_parser = at_least_one_u32)]
    guess_rate: u32,

    /// The same at once for one room code, from everywhere.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_room.burst, value_parser = at_least_one_u32)]
    room_guess_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_room.per_second, value_parser = at_least_one_u32)]
    room_guess_rate: u32,
}

/// The text is no number that this setting can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be a whole number from {least} to {most}")]
pub(crate) struct OutOfRange {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

fn ranged<N: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<N, OutOfRange> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number));
    let number = number.and_then(|number| N::try_from(number).ok());
    number.ok_or(OutOfRange { least, most })
}

/// A count of things that memory is kept for, within what a machine's word holds on every system.
fn at_least_one(text: &str) -> Result<usize, OutOfRange> {
    ranged(text, 1, u32::MAX.into())
}

fn at_least_one_u32(text: &str) -> Result<u32, OutOfRange> {
    ranged(text, 1, u32::MAX.into())
}

fn any_u32(text: &str) -> Result<u32, OutOfRange> {
    ranged(text, 0, u32::MAX.into())
}

fn full_frame(text: &str) -> Result<u32, OutOfRange> {
    ranged(text, 1514, u32::MAX.into())
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What each client may send")]
struct RateArgs {
    /// ARP, neighbour discovery, DHCP and group membership to groups, in frames at once.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().control.burst, value_parser = any_u32)]
    control_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().control.per_second, value_parser = any_u32)]
    control_rate: u32,

    /// Other broadcast and multicast frames at once. What systems say by themselves (mDNS, SSDP, LLMNR, NetBIOS,
    /// WS-Discovery) gets no more than half of them.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().group.burst, value_parser = any_u32)]
    broadcast_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().group.per_second, value_parser = any_u32)]
    broadcast_rate: u32,

    /// Frames to unknown addresses at once.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().unknown.burst, value_parser = any_u32)]
    unknown_unicast_burst: u32,

    /// Frames to unknown addresses a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().unknown.per_second, value_parser = any_u32)]
    unknown_unicast_rate: u32,

    /// Frames of every kind at once. One that comes in pieces counts once.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().frames.burst, value_parser = at_least_one_u32)]
    frame_burst: u32,

    /// Frames of every kind a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().frames.per_second, value_parser = any_u32)]
    frame_rate: u32,

    /// Bytes at once; at least one full frame of 1514.
    #[arg(long, value_name = "BYTES", default_value_t = Rates::default().bytes.burst, value_parser = full_frame)]
    byte_burst: u32,

    /// Bytes a second.
    #[arg(long, value_name = "BYTES", default_value_t = Rates::default().bytes.per_second, value_parser = any_u32)]
    byte_rate: u32,

    /// Not a client's: frames of the LAN at once that everybody in the room gets, and as many again of ARP,
    /// neighbour discovery, DHCP and group membership.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().lan.burst, value_parser = any_u32)]
    lan_broadcast_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().lan.per_second, value_parser = any_u32)]
    lan_broadcast_rate: u32,
}

//! The traffic of a LAN party, generated and checked.

mod beside;
mod copy;
mod flood;
mod frames;
mod games;
mod iperf;
mod multicast;
mod pings;
mod servers;
mod session;
mod shouts;
mod storm;
mod trains;

pub use beside::{Bulk, Trips, trips_beside};
pub use copy::copy;
pub use flood::{Flood, flood};
pub use frames::{End, broadcast_reaches_each_once, frame, frames_cross, frames_that_cross};
pub use games::{
    openarena_server, openarena_servers_seen, teeworlds_server, teeworlds_servers_seen,
};
pub use iperf::{IperfReport, Load, iperf};
pub use multicast::{MDNS, chat, join, multicast_crosses, speaker, stream};
pub use pings::{PingReport, Pings};
pub use servers::{
    Look, armagetron_server, bzflag_server, ddnet_server, freeciv_server, openttd_server,
};
pub use session::EchoSession;
pub use shouts::Shouts;
pub use storm::{Storm, StormPlan};
pub use trains::{Ends, Train, Trains, cut_by};

//! Windows' routes and the settings of its network interfaces, as far as a LAN party needs them.
//!
//! What should be is decided in plain values that any system can test: a host [`Route`] that keeps the
//! relay off the virtual adapter ([`pin`]), the [`InterfaceSettings`] of that adapter, a [`Category`]
//! for its network. What is, and making it so, are the functions below; each does one thing and undoes
//! nothing. On systems other than Windows they all answer [`io::ErrorKind::Unsupported`](std::io::ErrorKind).

pub mod error;
pub mod guid;
pub mod neighbours;
pub mod network;
pub mod overlap;
pub mod pin;
pub mod route;
pub mod settings;

#[cfg(windows)]
#[path = "windows/mod.rs"]
mod imp;
#[cfg(not(windows))]
#[path = "stub.rs"]
mod imp;

pub use guid::AdapterGuid;
pub use imp::{
    KeptText, PipeListener, PipeStream, Watch, add_route, addresses, best_route, boot_mark,
    firewall_profiles, forget_typed, interface_guid, interface_luid, interface_metric,
    interface_name, interface_settings, log_into, look_for, name_servers, neighbours, network,
    own_addresses, own_arguments, own_name_servers, owns_console, release_lease, remove_route,
    routes, set_category, set_interface_settings, set_own_name_servers, set_route_metric,
    take_file,
};
pub use network::{Category, Network};
pub use pin::{Plan, plan};
pub use route::{Family, Luid, Route};
pub use settings::{InterfaceSettings, Metric, RouterDiscovery};

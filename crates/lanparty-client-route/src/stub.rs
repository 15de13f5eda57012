//! Where there is no IP Helper API: every call says so.

use crate::guid::AdapterGuid;
use crate::neighbours::Neighbour;
use crate::network::{Category, Network};
use crate::overlap::OwnAddress;
use crate::route::{Family, Luid, Route};
use crate::settings::InterfaceSettings;
use lanparty_client_rights::Account;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this is the client for Windows; other systems have a client of their own",
    ))
}

/// The adapter behind an interface.
///
/// # Errors
/// Always.
pub fn interface_guid(_interface: Luid) -> io::Result<AdapterGuid> {
    unsupported()
}

/// The interface of an adapter.
///
/// # Errors
/// Always.
pub fn interface_luid(_adapter: AdapterGuid) -> io::Result<Luid> {
    unsupported()
}

/// The route that a packet takes now.
///
/// # Errors
/// Always.
pub fn best_route(_ip: IpAddr) -> io::Result<Option<Route>> {
    unsupported()
}

/// The routes of a family.
///
/// # Errors
/// Always.
pub fn routes(_family: Family) -> io::Result<Vec<Route>> {
    unsupported()
}

/// What people call an interface.
///
/// # Errors
/// Always.
pub fn interface_name(_interface: Luid) -> io::Result<String> {
    unsupported()
}

/// This machine's IPv4 addresses.
///
/// # Errors
/// Always.
pub fn own_addresses() -> io::Result<Vec<OwnAddress>> {
    unsupported()
}

/// Whom this machine has looked for on its IPv4 networks.
///
/// # Errors
/// Always.
pub fn neighbours() -> io::Result<Vec<Neighbour>> {
    unsupported()
}

/// Looks by ARP for who has an address.
///
/// # Errors
/// Always.
pub fn look_for(_interface: Luid, _ip: Ipv4Addr) -> io::Result<()> {
    unsupported()
}

/// Says what a route costs.
///
/// # Errors
/// Always.
pub fn set_route_metric(_route: &Route, _metric: u32) -> io::Result<()> {
    unsupported()
}

/// Adds a route.
///
/// # Errors
/// Always.
pub fn add_route(_route: &Route) -> io::Result<()> {
    unsupported()
}

/// Removes a route.
///
/// # Errors
/// Always.
pub fn remove_route(_route: &Route) -> io::Result<()> {
    unsupported()
}

/// What an interface adds to the cost of its routes.
pub fn interface_metric(_interface: Luid, _family: Family) -> u32 {
    u32::MAX
}

/// An interface's settings for a family.
///
/// # Errors
/// Always.
pub fn interface_settings(
    _interface: Luid,
    _family: Family,
) -> io::Result<Option<InterfaceSettings>> {
    unsupported()
}

/// Sets them.
///
/// # Errors
/// Always.
pub fn set_interface_settings(
    _interface: Luid,
    _family: Family,
    _settings: InterfaceSettings,
) -> io::Result<()> {
    unsupported()
}

/// The addresses of an interface.
///
/// # Errors
/// Always.
pub fn addresses(_interface: Luid) -> io::Result<Vec<IpAddr>> {
    unsupported()
}

/// Gives the address that DHCP has lent an interface back.
///
/// # Errors
/// Always.
pub fn release_lease(_interface: Luid) -> io::Result<()> {
    unsupported()
}

/// The DNS servers that an interface uses.
///
/// # Errors
/// Always.
pub fn name_servers(_interface: Luid, _family: Family) -> io::Result<Vec<IpAddr>> {
    unsupported()
}

/// The DNS servers that somebody set for an adapter.
///
/// # Errors
/// Always.
pub fn own_name_servers(_adapter: AdapterGuid, _family: Family) -> io::Result<String> {
    unsupported()
}

/// Sets those DNS servers.
///
/// # Errors
/// Always.
pub fn set_own_name_servers(
    _adapter: AdapterGuid,
    _family: Family,
    _servers: &str,
) -> io::Result<()> {
    unsupported()
}

/// The network behind an adapter.
///
/// # Errors
/// Always.
pub fn network(_adapter: AdapterGuid) -> io::Result<Option<Network>> {
    unsupported()
}

/// The categories whose firewall profiles are in force now.
///
/// # Errors
/// Always.
pub fn firewall_profiles() -> io::Result<Vec<Category>> {
    unsupported()
}

/// Sets the category of a network.
///
/// # Errors
/// Always.
pub fn set_category(_network: u128, _category: Category) -> io::Result<()> {
    unsupported()
}

/// A watch over routes, interfaces and addresses, which there cannot be.
#[derive(Debug)]
pub struct Watch(Infallible);

impl Watch {
    /// Starts to watch.
    ///
    /// # Errors
    /// Always.
    pub fn start() -> io::Result<Self> {
        unsupported()
    }

    /// Whether anything has changed since this was asked last.
    pub fn take_changed(&self) -> bool {
        match self.0 {}
    }
}

/// A text that only administrators may change, which there cannot be.
#[derive(Debug)]
pub struct KeptText(Infallible);

impl KeptText {
    /// Opens the text with this name.
    ///
    /// # Errors
    /// Always.
    pub fn open(_name: &'static str) -> io::Result<Self> {
        unsupported()
    }

    /// The text; empty when there is none.
    ///
    /// # Errors
    /// Never: there is no such text.
    pub fn load(&self) -> io::Result<String> {
        match self.0 {}
    }

    /// Replaces the text.
    ///
    /// # Errors
    /// Never: there is no such text.
    pub fn save(&self, _text: &str) -> io::Result<()> {
        match self.0 {}
    }
}

/// What is said with a view.
pub type PipeStream = tokio::io::DuplexStream;

/// A pipe that views open, which there cannot be.
#[derive(Debug)]
pub struct PipeListener(Infallible);

impl PipeListener {
    /// Makes the pipe.
    ///
    /// # Errors
    /// Always.
    pub fn open(_name: &str) -> io::Result<Self> {
        unsupported()
    }

    /// The next view that has said something, and whose it is.
    ///
    /// # Errors
    /// Never: there is no pipe.
    pub async fn accept(&mut self) -> io::Result<(PipeStream, Account)> {
        match self.0 {}
    }
}

/// Lets everything that is said on standard error go into a file.
///
/// # Errors
/// Always.
pub fn log_into(_file: File) -> io::Result<()> {
    unsupported()
}

/// Opens a file that one process at a time may write.
///
/// # Errors
/// Always.
pub fn take_file(_path: &Path) -> io::Result<File> {
    unsupported()
}

/// Whether the console was opened for this program, and closes with it.
pub fn owns_console() -> bool {
    false
}

/// Forgets what was typed into the console and not read; does nothing without one.
pub fn forget_typed() {}

/// Which start of Windows this is.
///
/// # Errors
/// Always.
pub fn boot_mark(_mark: impl FnOnce() -> String) -> io::Result<String> {
    unsupported()
}

/// What stands behind the program's name in the line that started it.
pub fn own_arguments() -> String {
    String::new()
}

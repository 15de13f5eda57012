//! Routes and interfaces on Windows.

mod category;
mod console;
mod ip_helper;
mod lease;
#[allow(clippy::disallowed_methods, reason = "shell: waits for an instance")]
mod pipe;
mod rows;
mod watch;

pub use category::{firewall_profiles, network, set_category};
pub use console::{forget_typed, log_into, own_arguments, owns_console};
pub use ip_helper::{
    add_route, addresses, best_route, interface_guid, interface_luid, interface_name,
    interface_settings, look_for, neighbours, own_addresses, remove_route, routes,
    set_interface_settings, set_route_metric,
};
pub use lease::release_lease;
pub use pipe::{PipeListener, PipeStream};
pub use watch::Watch;

use crate::error::from_hresult;
use crate::guid::AdapterGuid;
use crate::route::{Family, Luid};
use crate::settings::name_server_list;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use windows_registry::{Key, LOCAL_MACHINE};

/// What an interface adds to the cost of its routes; the most where nobody knows.
pub fn interface_metric(interface: Luid, family: Family) -> u32 {
    ip_helper::effective_metric(interface, family).unwrap_or(u32::MAX)
}

/// The DNS servers that somebody set for an adapter, as the registry has them; empty when it uses the
/// ones that the network names.
///
/// # Errors
/// What the system says.
pub fn own_name_servers(adapter: AdapterGuid, family: Family) -> io::Result<String> {
    value(&dns_key(adapter, family), "NameServer")
}

/// Sets those DNS servers; an empty text removes them.
///
/// # Errors
/// What the system says.
pub fn set_own_name_servers(adapter: AdapterGuid, family: Family, servers: &str) -> io::Result<()> {
    ip_helper::set_name_servers(adapter, family, servers)
}

/// The DNS servers that an interface uses: those that somebody set, or else those of its network.
///
/// # Errors
/// What the system says.
pub fn name_servers(interface: Luid, family: Family) -> io::Result<Vec<IpAddr>> {
    let key = dns_key(interface_guid(interface)?, family);
    let servers = |name| Ok::<_, io::Error>(name_server_list(&value(&key, name)?, family));
    let own = servers("NameServer")?;
    if !own.is_empty() {
        return Ok(own);
    }
    servers("DhcpNameServer")
}

fn dns_key(adapter: AdapterGuid, family: Family) -> String {
    let service = match family {
        Family::V4 => "Tcpip",
        Family::V6 => "Tcpip6",
    };
    format!(r"SYSTEM\CurrentControlSet\Services\{service}\Parameters\Interfaces\{adapter}")
}

/// A text in the registry; none is an empty one.
fn value(key: &str, name: &str) -> io::Result<String> {
    let read = LOCAL_MACHINE.open(key).and_then(|key| key.get_string(name));
    match read.map_err(from_hresult) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

/// A text in the registry that only administrators may change: what must outlive a killed program,
/// and what an elevated program believes, may not lie where any user can write.
#[derive(Debug)]
pub struct KeptText {
    key: Key,
    name: &'static str,
}

const OUR_KEY: &str = r"SOFTWARE\softlan-vpn";
const BOOT_KEY: &str = r"SOFTWARE\softlan-vpn\Boot";

impl KeptText {
    /// Opens the text with this name.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] when this program is not elevated; else what the system says.
    pub fn open(name: &'static str) -> io::Result<Self> {
        let mut options = LOCAL_MACHINE.options();
        let key = options.read().write().create().open(OUR_KEY);
        let key = key.map_err(from_hresult)?;
        Ok(KeptText { key, name })
    }

    /// The text; empty when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn load(&self) -> io::Result<String> {
        match self.key.get_string(self.name).map_err(from_hresult) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }

    /// Replaces the text, at once or not at all; an empty one is removed.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, text: &str) -> io::Result<()> {
        if !text.is_empty() {
            return self.key.set_string(self.name, text).map_err(from_hresult);
        }
        match self.key.remove_value(self.name).map_err(from_hresult) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Which start of Windows this is: what `mark` made when it was asked first after that. Kept where only administrators write,
/// in a key that Windows forgets when it goes down.
///
/// # Errors
/// What the system says.
pub fn boot_mark(mark: impl FnOnce() -> String) -> io::Result<String> {
    let mut options = LOCAL_MACHINE.options();
    let key = options.read().write().create().volatile();
    let key = key.open(BOOT_KEY).map_err(from_hresult)?;
    match key.get_string("Mark").map_err(from_hresult) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mark = mark();
            key.set_string("Mark", &mark).map_err(from_hresult)?;
            Ok(mark)
        }
        read => read,
    }
}

/// Opens a file for writing, made with its folder and emptied; fails while another process has it
/// open like that. Everybody may read it.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] when another process has it; else what the system says.
pub fn take_file(path: &Path) -> io::Result<File> {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    const FILE_SHARE_READ: u32 = 1;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    match options.share_mode(FILE_SHARE_READ).open(path) {
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => {
            Err(io::ErrorKind::ResourceBusy.into())
        }
        opened => opened,
    }
}

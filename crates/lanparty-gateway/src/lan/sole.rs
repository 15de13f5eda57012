//! One gateway for one interface: a second one would carry every frame twice, and be told of by nobody.

use super::sys;
use rustix::net::sockopt::socket_peercred;
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// That this is the interface's gateway, for as long as it lives, however that ends: a socket with a name in the network
/// namespace's own list of names (unix(7), "abstract"), of which nothing can be left behind.
#[derive(Debug)]
pub struct Sole {
    _name: UnixListener,
}

/// The interface has a gateway.
#[derive(Debug, thiserror::Error)]
#[error(
    "another gateway{} runs on {interface}: stop that one first, or give another interface; if both shall run, each with a room of its own, say --beside-another",
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
)]
pub struct NotSole {
    /// The interface.
    pub interface: String,
    /// The other one's process, where it can be seen from here.
    pub pid: Option<i32>,
}

impl Sole {
    /// Makes this program the gateway of the interface, once it hears its frames; or another one `beside` that.
    ///
    /// # Errors
    /// [`NotSole`], when another program is.
    pub fn claim(interface: &str, beside: bool) -> Result<Option<Self>, NotSole> {
        let Ok(name) = SocketAddr::from_abstract_name(format!("lanparty-gateway/{interface}"))
        else {
            return Ok(None);
        };
        match UnixListener::bind_addr(&name) {
            Ok(listener) => Ok(Some(Sole { _name: listener })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && beside => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                match holder(&name, interface) {
                    Some(pid) => Err(NotSole {
                        interface: interface.to_owned(),
                        pid: Some(pid).filter(|&pid| pid > 0),
                    }),
                    None => {
                        tracing::warn!(
                            "Somebody on this machine holds the name of the gateway on {interface} and is none"
                        );
                        Ok(None)
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "Cannot make sure that this is the only gateway");
                Ok(None)
            }
        }
    }
}

/// The process that holds this name, 0 where it cannot be seen, if it hears the interface's frames: the name alone is anybody's.
fn holder(name: &SocketAddr, interface: &str) -> Option<i32> {
    let stream = UnixStream::connect_addr(name).ok()?;
    let holder = socket_peercred(&stream).ok()?;
    let index = sys::facts(interface).ok()??.index;
    let table = fs::read_to_string("/proc/net/packet").ok()?;
    let user = holder.uid.as_raw();
    hears(&table, index, user).then(|| holder.pid.as_raw_nonzero().get())
}

/// Whether this user has a raw packet socket for this interface (Linux' `packet_seq_show`: `sk RefCnt Type Proto Iface R Rmem User
/// Inode`).
fn hears(table: &str, index: u32, user: u32) -> bool {
    let mut rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let (index, user) = (index.to_string(), user.to_string());
    rows.any(|row| row.len() > 7 && row[2] == "3" && row[4] == index && row[7] == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_hears_the_interfaces_frames_is_its_gateway() {
        let table = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
            0000000000000000 3      3    0003   2     1 0      998    41567\n\
            0000000000000000 3      2    0003   4     1 0      998    41568\n";
        assert!(hears(table, 2, 998));
        assert!(!hears(table, 2, 0), "another user");
        assert!(!hears(table, 3, 998), "another interface");
        assert!(!hears(table, 4, 998), "not a raw one");
        assert!(!hears("", 2, 998));
    }

    #[test]
    fn a_name_that_somebody_holds_who_is_no_gateway_is_no_obstacle() {
        let interface = format!("none{}", std::process::id());
        let first = Sole::claim(&interface, false).unwrap();
        assert!(first.is_some());
        assert!(Sole::claim(&interface, false).unwrap().is_none());
        drop(first);
        assert!(
            Sole::claim(&interface, false).unwrap().is_some(),
            "nothing is left behind"
        );
    }
}

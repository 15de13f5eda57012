//! The service's Unix socket, and who stands at its other end.
//!
//! Who may connect is the file's mode and group; it is never open to everybody, as whoever joins may bring a foreign
//! LAN's Ethernet into this machine (spec R121).

use crate::caller::OnBehalfOf;
use crate::{Caller, Listener};
use lanparty_client_control::account;
use rustix::fs::Mode;
use rustix::process::umask;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use tokio::net::{UnixListener, UnixStream};

/// A socket at which views are heard.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    /// What those are called who have come once. Only accounts that may connect are in here, so they are few; frames
    /// do not wait for the file a second time.
    names: HashMap<u32, String>,
}

impl Socket {
    /// Takes a socket that somebody else has made, such as systemd.
    ///
    /// # Errors
    /// What the system says; and that everybody could connect to it.
    pub fn take(listener: StdListener) -> io::Result<Self> {
        if let Some(file) = listener.local_addr()?.as_pathname() {
            refuse_open(file)?;
        }
        listener.set_nonblocking(true)?;
        Ok(Socket {
            listener: UnixListener::from_std(listener)?,
            names: HashMap::new(),
        })
    }

    /// Makes one, for its owner and whoever the folder's group is. What a killed service left there gives way.
    ///
    /// # Errors
    /// What the system says; that the address is in use, when another service listens there.
    pub fn bind(file: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(file) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(_) if StdStream::connect(file).is_ok() => {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            Ok(_) => fs::remove_file(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Where no systemd makes it.
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // There are no other threads yet that could make files meanwhile.
        let before = umask(Mode::RWXO | Mode::XUSR | Mode::XGRP);
        let listener = StdListener::bind(file);
        umask(before);
        Self::take(listener?)
    }
}

fn refuse_open(file: &Path) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions().mode();
    match mode & 0o007 {
        0 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "everybody on this machine could use the service; set SocketMode=0660",
        )),
    }
}

impl Listener for Socket {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Caller)> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        let name = self.names.entry(uid).or_insert_with(|| account(uid));
        Ok((stream, called(uid, name.clone())))
    }
}

/// The account with this number.
pub fn caller(uid: u32) -> Caller {
    called(uid, account(uid))
}

/// What it is called. One that is not this machine's own, but a directory's, is called by the number.
fn account(uid: u32) -> String {
    account::name_of(uid).unwrap_or_else(|| format!("user {uid}"))
}

fn called(uid: u32, account: String) -> Caller {
    Caller {
        account,
        id: uid.to_string(),
        is_admin: uid == 0,
    }
}

/// What a program of root's says before somebody else's line: whose it is.
pub fn on_behalf_of(whose: &Caller) -> Vec<u8> {
    let whose = whose.clone();
    let mut line = serde_json::to_vec(&OnBehalfOf { whose }).expect("names are JSON");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_without_a_name_is_called_by_its_number() {
        assert_eq!(caller(4_000_000_000).account, "user 4000000000");
        assert!(caller(0).is_admin && !caller(1000).is_admin);
    }

    #[tokio::test]
    async fn the_socket_is_never_open_to_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/client.sock");
        let socket = Socket::bind(&file).unwrap();
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o660);
        assert!(Socket::bind(&file).is_err(), "another service listens");
        drop(socket);
        assert!(Socket::bind(&file).is_ok(), "a killed one's gives way");

        let open = folder.path().join("open.sock");
        let listener = StdListener::bind(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
        let refused = Socket::take(listener).unwrap_err();
        assert!(refused.to_string().contains("everybody"), "{refused}");

        let precious = folder.path().join("precious");
        fs::write(&precious, "data").unwrap();
        assert!(Socket::bind(&precious).is_err());
        assert_eq!(fs::read_to_string(&precious).unwrap(), "data");
    }
}

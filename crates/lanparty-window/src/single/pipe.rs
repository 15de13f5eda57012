//! A named pipe whose name nobody else can know: it stands in a file that only its user can read.
//!
//! Pipe names are the whole machine's, and whoever makes one first has it. With a name of chance there is nothing to
//! make first; and Windows' own descriptor lets nobody but the user, administrators and the system write to it.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt as _;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// The server learns who we are and may not act as us (`SECURITY_IDENTIFICATION`, winbase.h).
const IDENTIFICATION: u32 = 1 << 16;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("LOCALAPPDATA")?);
    Some(folder.join("softlan-vpn"))
}

fn name_file(folder: &Path) -> PathBuf {
    folder.join("window.pipe")
}

pub(super) fn call(folder: &Path, line: &[u8]) -> io::Result<()> {
    let name = fs::read_to_string(name_file(folder))?;
    let mut options = OpenOptions::new();
    options.write(true).security_qos_flags(IDENTIFICATION);
    options.open(name)?.write_all(line)
}

pub(super) struct Listener {
    runtime: Runtime,
    pipe: NamedPipeServer,
    name: String,
}

impl Listener {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let name = format!(
            r"\\.\pipe\softlan-vpn\window-{:032x}",
            rand::random::<u128>()
        );
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let pipe = {
            let _inside = runtime.enter();
            ServerOptions::new()
                .first_pipe_instance(true)
                .reject_remote_clients(true)
                .access_outbound(false)
                .create(&name)?
        };
        fs::write(name_file(folder), &name)?;
        Ok(Listener {
            runtime,
            pipe,
            name,
        })
    }

    pub(super) fn each(self, hear: impl Fn(&[u8])) {
        let Listener {
            runtime,
            mut pipe,
            name,
        } = self;
        let served: io::Result<()> = runtime.block_on(async {
            loop {
                pipe.connect().await?;
                let next = ServerOptions::new().access_outbound(false).create(&name)?;
                let mut said = Vec::new();
                let mut bounded = (&mut pipe).take(super::LONGEST);
                let read = timeout(PATIENCE, bounded.read_to_end(&mut said)).await;
                if matches!(read, Ok(Ok(_))) || said.ends_with(b"\n") {
                    hear(&said);
                }
                pipe = next;
            }
        });
        drop(served);
    }
}

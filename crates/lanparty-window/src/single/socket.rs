//! A Unix socket in a folder that only its user can enter.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|it| !it.is_empty());
    let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folder = runtime.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    Some(folder.join("softlan-vpn"))
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("window.sock")
}

pub(super) fn call(folder: &Path, line: &[u8]) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket(folder))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(line)
}

pub(super) struct Listener(UnixListener);

impl Listener {
    /// For who holds the lock: what is there already belongs to nobody any more.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = socket(folder);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(path).map(Listener),
        }
    }

    pub(super) fn each(self, hear: impl Fn(UnixStream)) {
        for stream in self.0.incoming().flatten() {
            if stream.set_read_timeout(Some(PATIENCE)).is_ok() {
                hear(stream);
            }
        }
    }
}

//! The folder in which a program keeps what must outlive it: keys, above all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A folder for files that belong to one program and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

/// What the program kept, or would keep, cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system names no folder.
    #[error(
        "there is no folder to keep keys in, as you have no home folder; name one (--help says with which flag)"
    )]
    NoFolder,
    /// The file is there and cannot be read.
    #[error("{} cannot be read ({cause}); run as the user it belongs to, or name another folder", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file cannot be made.
    #[error("{} cannot be written ({cause}); name a folder that you may write to", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl StateFolder {
    /// The folder that a person named.
    pub fn new(folder: PathBuf) -> Self {
        StateFolder(folder)
    }

    /// Where `program` keeps its state when nobody says: where systemd says (`STATE_DIRECTORY`,
    /// systemd.exec(5)), in `/var/lib` as root, else in the user's data folder.
    ///
    /// # Errors
    /// [`StateError::NoFolder`].
    pub fn of(program: &str) -> Result<Self, StateError> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        default_folder(program, is_root(), variable)
            .map(StateFolder)
            .ok_or(StateError::NoFolder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file of this name in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The secret in the file `name`. Where there is none yet, `make` makes one, which is kept, for
    /// its owner's eyes only.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn load_or_create(
        &self,
        name: &str,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, StateError> {
        if let Some(kept) = self.load(name)? {
            return Ok(kept);
        }
        let file = self.file(name);
        let secret = make();
        match create(&self.0, &file, &secret) {
            Ok(()) => Ok(secret),
            // Another process was faster: what it wrote counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(self.load(name)?.unwrap_or(secret))
            }
            Err(cause) => Err(StateError::Unwritable { file, cause }),
        }
    }

    /// Puts a secret into the file `name`, in one step: whatever happens, the old or the new one is there.
    ///
    /// # Errors
    /// [`StateError::Unwritable`].
    pub fn replace(&self, name: &str, secret: &[u8]) -> Result<(), StateError> {
        let file = self.file(name);
        let put = unfinished(&self.0, secret)
            .and_then(|unfinished| unfinished.persist(&file).map_err(|error| error.error));
        put.map(drop)
            .map_err(|cause| StateError::Unwritable { file, cause })
    }

    /// Writes a secret over what is in the file `name`, which must be there: for a program that may make no files any
    /// more. A machine that loses its power in that moment may lose what is in it.
    ///
    /// # Errors
    /// [`StateError::Unwritable`].
    pub fn overwrite(&self, name: &str, secret: &[u8]) -> Result<(), StateError> {
        let file = self.file(name);
        let put = || {
            let mut open = fs::OpenOptions::new().write(true).open(&file)?;
            open.write_all(secret)?;
            open.set_len(secret.len() as u64)?;
            open.sync_all()
        };
        put().map_err(|cause| StateError::Unwritable { file, cause })
    }

    /// The secret in the file `name`, if there is one.
    ///
    /// # Errors
    /// [`StateError::Unreadable`].
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let file = self.file(name);
        match fs::read(&file) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StateError::Unreadable { file, cause }),
        }
    }
}

fn default_folder(
    program: &str,
    is_root: bool,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let systemd = absolute("STATE_DIRECTORY");
    let system = || is_root.then(|| Path::new("/var/lib").join(program));
    let user = || {
        let data = absolute("XDG_DATA_HOME").or_else(|| absolute("LOCALAPPDATA"));
        let folder = data.or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
        Some(folder.join(program))
    };
    systemd.or_else(system).or_else(user)
}

fn is_root() -> bool {
    #[cfg(target_os = "linux")]
    return rustix::process::geteuid().is_root();
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// Writes a file in one step: there is never half of it, and never somebody else's of that name lost.
fn create(folder: &Path, file: &Path, secret: &[u8]) -> io::Result<()> {
    unfinished(folder, secret)?
        .persist_noclobber(file)
        .map_err(|error| error.error)?;
    Ok(())
}

/// A whole file without its name yet.
fn unfinished(folder: &Path, secret: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    make_folder(folder)?;
    // Made with mode 0600 where there are modes.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(secret)?;
    give_to_owner_of(folder, unfinished.as_file())?;
    unfinished.as_file().sync_all()?;
    Ok(unfinished)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// What root makes in a service's folder must be readable to the service.
fn give_to_owner_of(folder: &Path, file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    if is_root() {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(folder)?;
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    #[cfg(not(unix))]
    let _ = (folder, file);
    Ok(())
}

#[cfg(all(test, unix))] // only servers have such a folder
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_then_kept_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("new/state"));
        assert_eq!(state.load("key").unwrap(), None);
        let made = state.load_or_create("key", || b"one".to_vec()).unwrap();
        let kept = state.load_or_create("key", || unreachable!("it is there"));
        assert_eq!((made, kept.unwrap()), (b"one".to_vec(), b"one".to_vec()));
        let files = fs::read_dir(folder.path().join("new/state")).unwrap();
        assert_eq!(files.count(), 1, "nothing else is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(state.file("key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let state = StateFolder::new(file.path().join("state"));
        let error = state
            .load_or_create("key", Vec::new)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&*file.path().to_string_lossy()), "{error}");
    }

    #[test]
    fn systemd_then_the_system_then_the_user_say_where() {
        let folder = |root, set: &'static [(&str, &str)]| {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| PathBuf::from(value))
            };
            default_folder("relay", root, variable).map(|path| path.display().to_string())
        };
        let home: &[_] = &[("HOME", "/home/x")];
        let systemd: &[_] = &[("STATE_DIRECTORY", "/var/lib/lanparty"), ("HOME", "/root")];
        assert_eq!(folder(true, systemd).unwrap(), "/var/lib/lanparty");
        assert_eq!(folder(true, home).unwrap(), "/var/lib/relay");
        assert_eq!(folder(false, home).unwrap(), "/home/x/.local/share/relay");
        let data: &[_] = &[("XDG_DATA_HOME", "/data"), ("HOME", "/home/x")];
        assert_eq!(folder(false, data).unwrap(), "/data/relay");
        assert_eq!(folder(false, &[]), None);
    }
}

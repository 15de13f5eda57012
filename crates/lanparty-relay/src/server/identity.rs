//! Who the relay is: a key that it keeps, or files that somebody else renews.

use crate::config::{DEFAULT_SERVER_NAME, IdentitySource, PROGRAM};
use lanparty_ctrl::Pin;
use lanparty_edge::state_folder::{StateError, StateFolder};
use lanparty_quic::tls::{Identity, IdentityError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// By this name, too, people have known relays with a certificate of their own, since the first version.
const LOCAL_NAME: &str = "lanparty-relay.local";
/// The key in that folder, in PEM form.
const KEY_FILE: &str = "relay-key.pem";

/// Why the relay has no identity.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Its key cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its own key or certificate cannot be made.
    #[error(transparent)]
    Own(#[from] IdentityError),
    /// What is kept is no key.
    #[error("{} holds no private key; delete it to get a new one, which has another pin", .0.display())]
    Kept(PathBuf),
    /// A file that the operator gave cannot be read.
    #[error("{} cannot be read ({cause}); give the relay a PEM file that it may read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// What the operator gave is no identity.
    #[error("{} and {} cannot be used: {cause}", cert.display(), key.display())]
    Files {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        cause: IdentityError,
    },
}

/// Reads or makes the identity that `source` names; `name` is for a certificate of our own.
pub(super) fn load(source: &IdentitySource, name: &str) -> Result<Identity, SourceError> {
    match source {
        IdentitySource::Fresh => Ok(own(name, &Identity::new_key()?)?),
        IdentitySource::Kept(folder) => kept(folder.as_deref(), name),
        IdentitySource::Files { cert, key } => from_files(cert, key),
    }
}

/// The pin of a relay that keeps its key in this folder. The key is made if there is none yet.
///
/// # Errors
/// [`SourceError`].
pub fn kept_pin(folder: &Path) -> Result<Pin, SourceError> {
    Ok(kept(Some(folder), DEFAULT_SERVER_NAME)?.pin())
}

fn kept(folder: Option<&Path>, name: &str) -> Result<Identity, SourceError> {
    let folder = match folder {
        Some(folder) => StateFolder::new(folder.to_owned()),
        None => StateFolder::of(PROGRAM)?,
    };
    let fresh = Identity::new_key()?;
    let kept = folder.load_or_create(KEY_FILE, || fresh.into_bytes())?;
    let broken = || SourceError::Kept(folder.file(KEY_FILE));
    let key = String::from_utf8(kept).map_err(|_| broken())?;
    own(name, &key).map_err(|error| match error {
        IdentityError::BrokenKey => broken(),
        other => other.into(),
    })
}

/// A certificate of our own for `name` and those by which every relay is known.
fn own(name: &str, key: &str) -> Result<Identity, IdentityError> {
    let mut names = vec![name];
    let usual = [DEFAULT_SERVER_NAME, LOCAL_NAME];
    names.extend(usual.into_iter().filter(|&usual| usual != name));
    Identity::self_signed_for(&names, key)
}

fn from_files(cert: &Path, key: &Path) -> Result<Identity, SourceError> {
    let read = |file: &Path| {
        fs::read(file).map_err(|cause| SourceError::Unreadable {
            file: file.to_owned(),
            cause,
        })
    };
    Identity::from_pem(&read(cert)?, &read(key)?).map_err(|cause| SourceError::Files {
        cert: cert.to_owned(),
        key: key.to_owned(),
        cause,
    })
}

/// Notices that somebody has renewed the relay's files.
#[derive(Debug)]
pub(super) struct Renewal {
    cert: PathBuf,
    key: PathBuf,
    /// What is in use, or was found to be unusable.
    known: Stamps,
    /// What was there at the last look: files that still change are not read yet.
    seen: Stamps,
}

type Stamps = [Option<SystemTime>; 2];

impl Renewal {
    /// For the files in `source`, if it is files, from which the identity has just been read.
    pub(super) fn new(source: &IdentitySource) -> Option<Self> {
        let IdentitySource::Files { cert, key } = source else {
            return None;
        };
        let stamps = stamps(cert, key);
        Some(Renewal {
            cert: cert.clone(),
            key: key.clone(),
            known: stamps,
            seen: stamps,
        })
    }

    /// Looks at the files; a new identity, or what is wrong with it, once for each change. A chain and
    /// its key are two files, so the change counts when both have been left alone for a look.
    pub(super) fn poll(&mut self) -> Option<Result<Identity, SourceError>> {
        let now = stamps(&self.cert, &self.key);
        let quiet = now == std::mem::replace(&mut self.seen, now);
        (quiet && now != self.known).then(|| self.reload())
    }

    /// Where renewed files appear: beside the old ones, and beside what these are links to.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let files = [&self.cert, &self.key];
        let targets = files.iter().filter_map(|file| file.canonicalize().ok());
        let given = files
            .iter()
            .filter_map(|file| std::path::absolute(file).ok());
        let folder = |file: PathBuf| file.parent().map(Path::to_owned);
        given.chain(targets).filter_map(folder).collect()
    }

    /// Reads the files, whether they have changed or not.
    pub(super) fn reload(&mut self) -> Result<Identity, SourceError> {
        self.known = stamps(&self.cert, &self.key);
        from_files(&self.cert, &self.key)
    }
}

fn stamps(cert: &Path, key: &Path) -> Stamps {
    [cert, key].map(|file| fs::metadata(file).and_then(|file| file.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_kept_key_is_the_same_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let source = IdentitySource::Kept(Some(folder.path().to_owned()));
        let pin = |name| load(&source, name).unwrap().pin();
        assert_eq!(pin("one.example"), pin("two.example"));
        fs::write(folder.path().join(KEY_FILE), "scribble").unwrap();
        let error = load(&source, "one.example").unwrap_err().to_string();
        assert!(
            error.contains(KEY_FILE) && error.contains("delete it"),
            "{error}"
        );
    }

    #[test]
    fn renewed_files_are_taken_once_both_are_there() {
        let folder = Folder::new();
        let mut renewal = folder.renewal();
        assert!(renewal.poll().is_none(), "nothing has changed");
        let pin = folder.write(1);
        assert!(renewal.poll().is_none(), "it may not be finished");
        assert_eq!(renewal.poll().unwrap().unwrap().pin(), pin);
        assert!(renewal.poll().is_none(), "it is known now");
    }

    #[test]
    fn unusable_files_are_told_of_once() {
        let folder = Folder::new();
        let mut renewal = folder.renewal();
        folder.put("relay.pem", b"half a certif", 1);
        assert!(renewal.poll().is_none());
        let error = renewal.poll().unwrap().unwrap_err().to_string();
        assert!(error.contains("relay.pem"), "{error}");
        assert!(renewal.poll().is_none());
        fs::remove_file(folder.0.path().join("relay.key")).unwrap();
        assert!(renewal.poll().is_none());
        let error = renewal.poll().unwrap().unwrap_err().to_string();
        assert!(error.contains("relay.key"), "{error}");
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Folder(tempfile::tempdir().unwrap());
            folder.write(0);
            folder
        }

        fn source(&self) -> IdentitySource {
            let [cert, key] = ["relay.pem", "relay.key"].map(|name| self.0.path().join(name));
            IdentitySource::Files { cert, key }
        }

        fn renewal(&self) -> Renewal {
            Renewal::new(&self.source()).unwrap()
        }

        /// Another chain and key, written at the given second.
        fn write(&self, second: u64) -> Pin {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(["relay.example".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            self.put("relay.pem", certificate.pem().as_bytes(), second);
            self.put("relay.key", key.serialize_pem().as_bytes(), second);
            load(&self.source(), "").unwrap().pin()
        }

        fn put(&self, name: &str, bytes: &[u8], second: u64) {
            let file = self.0.path().join(name);
            fs::write(&file, bytes).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            let file = fs::File::options().append(true).open(file).unwrap();
            file.set_modified(time).unwrap();
        }
    }
}

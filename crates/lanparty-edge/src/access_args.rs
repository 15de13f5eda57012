//! The flags with which an operator gives an access token, and a host shows it.

use crate::systemd;
use clap::Args;
use lanparty_ctrl::AccessToken;
use lanparty_ctrl::access::AccessTokenError;
use std::fmt;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// No file with a token is longer, in bytes.
const MAX_LEN: u64 = 1024;
/// As what systemd hands it over (`LoadCredential=access-token:FILE`).
const CREDENTIAL: &str = "access-token";

/// An access token, or where it is.
#[derive(Debug, Clone, Default, Args)]
pub struct AccessArgs {
    /// The access token without which nobody opens a room on the relay: 16 characters or more. Better in a
    /// file: other users of this machine may see what stands on a command line, if only for a moment.
    #[arg(long, value_name = "TOKEN", conflicts_with = "access_token_file")]
    access_token: Option<Secret>,

    /// Read the access token from this file [default: the credential `access-token`, if systemd hands one over].
    #[arg(long, value_name = "FILE")]
    pub access_token_file: Option<PathBuf>,
}

/// Takes everything, so that a mistake is not shown.
#[derive(Clone)]
struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no access token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The flag's value is none.
    #[error("--access-token is wrong: {0}")]
    Flag(#[source] AccessTokenError),
    /// The file holds none.
    #[error("{} is wrong: {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        cause: AccessTokenError,
    },
    /// The file cannot be read.
    #[error("the access token in {} cannot be read ({cause}); name a file that is there and yours", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Nobody can tell whether systemd hands one over.
    #[error(
        "the credentials that systemd hands over cannot be looked into ({0}); restart the service, which shows them to it"
    )]
    OutOfSight(#[source] io::Error),
}

impl AccessArgs {
    /// Where the token is, if it is in a file, to be read again.
    pub fn file(&self) -> Option<PathBuf> {
        match (&self.access_token, &self.access_token_file) {
            (Some(_), _) => None,
            (None, Some(file)) => Some(file.clone()),
            (None, None) => systemd::credential(CREDENTIAL).ok().flatten(),
        }
    }

    /// The token, if there is one.
    ///
    /// # Errors
    /// [`AccessError`], which says nothing of it.
    pub fn load(&self) -> Result<Option<AccessToken>, AccessError> {
        let (text, file) = match (&self.access_token, &self.access_token_file) {
            (Some(Secret(text)), _) => {
                return text.parse().map(Some).map_err(AccessError::Flag);
            }
            (None, Some(file)) => (first_text(file), file.clone()),
            (None, None) => {
                let handed_over = systemd::credential(CREDENTIAL);
                match handed_over.map_err(AccessError::OutOfSight)? {
                    Some(file) => (first_text(&file), file),
                    None => return Ok(None),
                }
            }
        };
        match text {
            Ok(text) => {
                let token = text.trim().parse().map(Some);
                token.map_err(|cause| AccessError::File { file, cause })
            }
            Err(cause) => Err(AccessError::Unreadable { file, cause }),
        }
    }
}

fn first_text(file: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(file)?;
    file.take(MAX_LEN).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        access: AccessArgs,
    }

    fn load(words: &[&str]) -> Result<Option<AccessToken>, AccessError> {
        let program = Program::try_parse_from(["program"].iter().chain(words));
        program.unwrap().access.load()
    }

    #[test]
    fn a_token_comes_by_flag_or_file_and_a_mistake_is_not_repeated() {
        let token: AccessToken = "correct-horse-battery".parse().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "correct-horse-battery\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(load(&[]).unwrap(), None);
        assert_eq!(
            load(&["--access-token-file", path]).unwrap().as_ref(),
            Some(&token)
        );
        assert_eq!(
            load(&["--access-token", "correct-horse-battery"]).unwrap(),
            Some(token)
        );
        std::fs::write(file.path(), "s3cret").unwrap();
        for words in [["--access-token", "s3cret"], ["--access-token-file", path]] {
            let error = load(&words).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
        assert!(load(&["--access-token-file", "/no/such"]).is_err());
    }
}

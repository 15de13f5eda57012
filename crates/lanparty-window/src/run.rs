//! What the program does for its command line.

use crate::args::Args;
use crate::picture::{self, PictureError};
use crate::shell::{self, ShellError};
use crate::single::{self, Start};
use lanparty_client_control::connection::Door;

/// Why the window does not open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The window.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The window that is open already.
    #[error("a window is open already and does not answer ({0}); end it, and start this again")]
    Deaf(std::io::Error),
}

/// Does what the command line says.
///
/// # Errors
/// When there is nothing to draw on, or the picture cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let door = args.door.as_ref().map_or_else(Door::default, Door::at);
    if let Some(file) = &args.screenshot {
        return Ok(picture::write(file, &door, &args)?);
    }
    let first = match single::start(args.link.as_deref()) {
        Ok(Start::First(first)) => first,
        Ok(Start::HandedOver) => return Ok(()),
        Err(error) => return Err(Error::Deaf(error)),
    };
    Ok(shell::run(door, first, args.link, args.hidden)?)
}

//! The right to be the one client that changes this PC.

use anyhow::{Context as _, Result, bail};
use lanparty_client_rights::{access, private_folder, program_data};
use lanparty_client_route::take_file;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where what outlives the client lies, and nobody but administrators can put anything.
///
/// # Errors
/// What the system says.
pub(crate) fn folder() -> Result<PathBuf> {
    let data = program_data().context("Windows does not say where programs keep data")?;
    let folder = data.join(access::FOLDER);
    let made = private_folder(&folder);
    let made = made.with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(aside) = made {
        tracing::warn!(
            "{} was not only ours, so it is {} now",
            folder.display(),
            aside.display()
        );
    }
    Ok(folder)
}

/// The right to be the client on this PC; lost with the process, however it ends.
#[derive(Debug)]
pub(crate) struct Running(#[allow(dead_code, reason = "it is held")] File);

impl Running {
    /// Takes it.
    pub(crate) fn take() -> Result<Self> {
        let file = folder()?.join("running.txt");
        match take_file(&file) {
            Ok(file) => Ok(Running(file)),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => bail!(
                "another client is running on this PC; end that one first, or leave its party with \
                 `lanparty-client leave`"
            ),
            Err(error) => Err(error).with_context(|| format!("cannot write {}", file.display())),
        }
    }
}

//! `cargo xtask setup`: the packages that are missing, and what cargo lacks.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::packages;
use crate::tools::{DENY, NEXTEST};

/// Installs what there is to install.
pub(crate) fn everything() -> Result<ExitCode> {
    let code = packages::run()?;
    for tool in [NEXTEST, DENY] {
        ensure!(
            tool.is_had(),
            "{tool} could not be installed, see above; `cargo xtask test` goes on without it"
        );
    }
    Ok(code)
}

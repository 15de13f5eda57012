//! How a program ends that cannot go on: a sentence for people, and a code for whoever has started it.

use crate::{sentence, speech, systemd};
use std::error::Error;
use std::process::ExitCode;

/// Another start with the same words and files would end the same way; whoever starts services need not try. clap ends with
/// it too.
pub const WRONG_SETTINGS: u8 = 2;
/// Anything else.
pub const FAILED: u8 = 1;

/// Says what is wrong, also to systemd, whose `status` then shows it to who may not read the journal.
pub fn ended(error: &(dyn Error + 'static), code: u8) -> ExitCode {
    systemd::status(&sentence(error));
    told(error, code)
}

/// Says what is wrong, of a program that only stands beside a service.
pub fn told(error: &(dyn Error + 'static), code: u8) -> ExitCode {
    speech::complain(format_args!("error: {}", sentence(error)));
    ExitCode::from(code)
}

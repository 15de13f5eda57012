//! What docs/errors.md says of the live table.

use crate::TopError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_why_there_is_no_live_table() {
    let errors = told!(TopError {
        TopError::NoTerminal = TopError::NoTerminal => "`ctl top` writes to a file or a pipe, or reads from one.", "A terminal, or another command.";
        TopError::Terminal(_) = TopError::Terminal(io::Error::from_raw_os_error(5)) => "The terminal was closed, or is none that can be drawn on.", "Another terminal.";
    });
    Chapter::new("top").with(errors).check();
}

//! What docs/errors.md says of the page.

use crate::PageError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_why_there_is_no_page() {
    let at = || "127.0.0.1:4480".parse().expect("an address");
    let page = told!(PageError {
        PageError::Taken(..) = PageError::Taken(at(), "--page ADDR:PORT") => "Something else has that port, perhaps a second gateway.", "Another port.";
        PageError::Listen { .. } = PageError::Listen { at: at(), flag: "--page ADDR:PORT", cause: io::Error::from_raw_os_error(99) } => "The address is not this machine's, or the port needs a right.", "An address that `ip address` shows, a port from 1024 on.";
        PageError::Tls(_) = PageError::Tls("no certificate can be made for it (…)".into()) => "A fault of the program or the system.", "Please report it; or --page 127.0.0.1:4480.";
        PageError::Thread(_) = PageError::Thread(io::Error::from_raw_os_error(11)) => "There are too many threads or files.", "Raise the limits.";
    });
    Chapter::new("page").with(page).check();
}

//! What docs/errors.md says about the window.

use crate::picture::PictureError;
use crate::run::Error;
use crate::shell::ShellError;
use lanparty_told::{Chapter, told};
use std::io;
use winit::error::EventLoopError;

#[test]
fn the_page_explains_why_there_is_no_window() {
    let start = told!(Error {
        Error::Deaf(_) = Error::Deaf(io::Error::from(io::ErrorKind::TimedOut)) => "One user has one window, and the one that is there hangs.", "End it, then start again.";
    } elsewhere Error::Picture(_), Error::Shell(_));
    let shell = told!(ShellError {
        ShellError::Display(_) = ShellError::Display(EventLoopError::ExitFailure(1)) => "Neither Wayland nor X11 answers: a terminal without a desktop, or ssh.", "`lanparty-client join` and the other commands.";
        ShellError::Window(_) = ShellError::Window("no surface".into()) => "The desktop refuses, for the reason that it names.", "What the reason says.";
    });
    let picture = told!(PictureError {
        PictureError::File(..) = PictureError::File("state.png".into(), io::Error::from_raw_os_error(13)) => "--screenshot names a file that cannot be written.", "Another folder.";
    });
    let told = [start, shell, picture].concat();
    Chapter::new("window").with(told).check();
}

//! The line to the service: one thread follows it, and each question has one of its own.

use crate::wake::{Post, Wake};
use lanparty_client_control::connection::Door;
use lanparty_client_control::{Answer, Fix, Request, Row};
use lanparty_doctor::Patient;
use std::ops::ControlFlow;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long it waits before it knocks again (check W8).
const PAUSE: Duration = Duration::from_millis(700);

/// Follows the service until the window is gone, whatever becomes of it.
pub(crate) fn follow(door: Door, post: Post) {
    thread::spawn(move || while hear(&door, &post).is_continue() {});
}

/// One connection from its beginning to its end. One that ends is made again at once: a service that was started
/// anew is there, and for one that is gone the next attempt says so.
fn hear(door: &Door, post: &Post) -> ControlFlow<()> {
    let lost = match door.watch() {
        Err(error) => Some(error),
        Ok(mut watch) => loop {
            match watch.next() {
                Some(Ok(snapshot)) => say(post, Wake::Heard(Box::new(snapshot)))?,
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        },
    };
    if let Some(error) = lost {
        say(post, Wake::NotHeard(error))?;
        thread::sleep(PAUSE);
    } else {
        thread::sleep(PAUSE / 10);
    }
    ControlFlow::Continue(())
}

fn say(post: &Post, wake: Wake) -> ControlFlow<()> {
    if post.send(wake) {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// Asks for these, each when the one before was done; the last answer, or the first that is none, is told.
pub(crate) fn ask(door: Door, requests: Vec<Request>, post: Post) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut answer = Ok(Answer::Done(String::new()));
        for request in &requests {
            answer = door.ask(request);
            if !matches!(answer, Ok(Answer::Done(_))) {
                break;
            }
        }
        post.send(Wake::Answered(answer));
    })
}

/// Looks at this PC, with or without a service.
pub(crate) fn examine(door: Door, post: Post) {
    thread::spawn(move || post.send(Wake::Examined(rows(door))));
}

pub(crate) fn rows(door: Door) -> Vec<Row> {
    lanparty_doctor::examine(&Patient::new(door), |_| ())
}

/// Mends something; what only the system can do (start the service, let the user use it) is asked of the system.
pub(crate) fn mend(door: Door, fix: Fix, post: Post) {
    thread::spawn(move || {
        let outcome = lanparty_doctor::mend(&door, fix, None);
        post.send(Wake::Mended(outcome.map_err(|error| error.to_string())))
    });
}

//! The line to the service: one thread follows it, and each question has one of its own.

use crate::app::Forbidden;
use crate::wake::{Post, Wake};
use lanparty_client_control::connection::{Door, DoorError};
use lanparty_client_control::{Answer, Fix, Request, Row};
use lanparty_doctor::Patient;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long it waits before it knocks again (check W8).
const PAUSE: Duration = Duration::from_millis(700);

/// The way to the service: its own door, or the one that an administrator has opened for this window's life.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    own: Door,
    opened: Arc<Mutex<Option<Door>>>,
}

impl Way {
    pub(crate) fn by(own: Door) -> Self {
        let opened = Arc::default();
        Way { own, opened }
    }

    /// The one that leads somewhere.
    pub(crate) fn door(&self) -> Door {
        let opened = self.opened().clone();
        opened.unwrap_or_else(|| self.own.clone())
    }

    /// Asks for an administrator by the first question, and keeps the door when there is an answer.
    fn open(&self, other: Option<Door>) -> Result<(), DoorError> {
        let other = other.ok_or(DoorError::NotPermitted)?;
        other.ask(&Request::Status)?;
        *self.opened() = Some(other);
        Ok(())
    }

    /// Nobody is asked for a password again unless they press for it.
    fn shut(&self) {
        *self.opened() = None;
    }

    fn opened(&self) -> MutexGuard<'_, Option<Door>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the service until the window is gone, whatever becomes of it.
pub(crate) fn follow(way: Way, post: Post) {
    thread::spawn(move || {
        // A question starts the service, where that is what starts it; to follow it does not, so that its end is seen.
        let _ = way.own.ask(&Request::Status);
        let heard = || {
            let opened = way.opened().clone();
            let was_opened = opened.is_some();
            hear(&opened.unwrap_or_else(|| way.own.clone()), &post)?;
            if was_opened {
                way.shut();
            }
            ControlFlow::Continue(())
        };
        while heard().is_continue() {}
    });
}

/// Lets this window in for as long as it lives, when an administrator says so.
pub(crate) fn let_in(way: Way, post: Post) {
    thread::spawn(move || {
        let outcome = way.open(Door::asked_of_polkit());
        let outcome = outcome.map(|()| String::new());
        post.send(Wake::Mended(outcome.map_err(|error| error.to_string())))
    });
}

/// What helps who may not speak to the service.
pub(crate) fn forbidden() -> Forbidden {
    Forbidden {
        row: lanparty_doctor::forbidden(),
        asks: Door::asked_of_polkit().is_some(),
    }
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
    if matches!(lost, Some(DoorError::NotPermitted)) {
        say(post, Wake::Forbidden(Box::new(forbidden())))?;
    }
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_door_that_was_opened_is_used_until_it_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| Door::at(folder.path().join(name));
        let way = Way::by(place("own"));
        assert!(matches!(way.open(None), Err(DoorError::NotPermitted)));
        assert!(way.open(Some(place("nobody"))).is_err());
        assert_eq!(
            way.door().path(),
            place("own").path(),
            "a no changes nothing"
        );

        let listener = UnixListener::bind(place("polkit").path()).unwrap();
        let service = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap())
                .read_line(&mut line)
                .unwrap();
            let answer = serde_json::to_string(&Answer::Done("Yes.".to_owned())).unwrap();
            writeln!(stream, "{answer}").unwrap();
        });
        way.open(Some(place("polkit"))).unwrap();
        service.join().unwrap();
        assert_eq!(way.clone().door().path(), place("polkit").path());
        way.shut();
        assert_eq!(way.door().path(), place("own").path());
    }
}

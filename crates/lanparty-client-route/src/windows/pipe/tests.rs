mod plain_user;

use super::*;
use lanparty_client_rights::Connection;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::spawn_blocking;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_view_is_heard_and_answered_and_known() {
    runtime().block_on(async {
        let name = free_name();
        let mut listener = PipeListener::open(&name).unwrap();
        let view = spawn_blocking(move || {
            let mut view = Connection::open(Path::new(&name), PATIENCE).unwrap();
            view.write_all(b"how are you?\n").unwrap();
            let mut answer = String::new();
            view.read_to_string(&mut answer).unwrap();
            answer
        });
        let (mut stream, account) = listener.accept().await.unwrap();
        assert!(account.sid.starts_with("S-1-5-"), "{account:?}");
        let mut heard = [0; 13];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"how are you?\n");
        stream.write_all(b"fine\n").await.unwrap();
        drop(stream);
        assert_eq!(view.await.unwrap(), "fine\n");
    });
}

#[test]
fn a_silent_view_keeps_nobody_waiting() {
    runtime().block_on(async {
        let name = free_name();
        let mut listener = PipeListener::open(&name).unwrap();
        let views = spawn_blocking(move || {
            let silent = Connection::open(Path::new(&name), PATIENCE).unwrap();
            let mut spoken = Connection::open(Path::new(&name), PATIENCE).unwrap();
            spoken.write_all(b"x").unwrap();
            (silent, spoken)
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"x");
        drop(views.await.unwrap());
    });
}

#[test]
fn a_pipe_that_somebody_has_made_already_is_not_joined() {
    runtime().block_on(async {
        let name = free_name();
        let _squatter = ServerOptions::new().create(&name).unwrap();
        let error = PipeListener::open(&name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    });
}

#[test]
fn whoever_sits_here_may_speak() {
    runtime().block_on(async {
        let name = free_name();
        let _listener = PipeListener::open(&name).unwrap();
        let open = move || Connection::open(Path::new(&name), PATIENCE).map(drop);
        plain_user::tries(open).unwrap();
    });
}

/// Wine 8 keeps no pipe's list, and lets everybody make even a second first instance; there is nothing to see there.
#[test]
fn whoever_sits_here_may_neither_answer_in_our_place_nor_let_others() {
    runtime().block_on(async {
        let name = free_name();
        let _listener = PipeListener::open(&name).unwrap();
        let mut first = ServerOptions::new();
        let keeps_rules = first.first_pipe_instance(true).create(&name).is_err();
        let here = Handle::current();
        let [changed, second] = plain_user::tries(move || {
            let _here = here.enter();
            [
                plain_user::open_with(&name, plain_user::WRITE_DAC),
                ServerOptions::new().create(&name).map(drop),
            ]
        });
        let is_denied = |tried: io::Result<()>| {
            tried.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        assert!(!keeps_rules || is_denied(changed) && is_denied(second));
    });
}

#[test]
fn a_service_that_says_nothing_is_not_waited_for() {
    runtime().block_on(async {
        let name = free_name();
        let _listener = PipeListener::open(&name).unwrap();
        let view = spawn_blocking(move || {
            let mut view = Connection::open(Path::new(&name), Duration::from_millis(50)).unwrap();
            view.read(&mut [0; 8]).unwrap_err().kind()
        });
        assert_eq!(view.await.unwrap(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn the_end_of_the_service_is_the_end_of_what_it_says() {
    runtime().block_on(async {
        let name = free_name();
        let mut listener = PipeListener::open(&name).unwrap();
        let view = spawn_blocking(move || {
            let mut view = Connection::open(Path::new(&name), PATIENCE).unwrap();
            view.write_all(b"x").unwrap();
            view.read(&mut [0; 8]).unwrap()
        });
        drop(listener.accept().await.unwrap());
        assert_eq!(view.await.unwrap(), 0);
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Tests run side by side.
fn free_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(r"\\.\pipe\softlan-vpn\test-{}-{number}", std::process::id())
}

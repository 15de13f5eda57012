//! The program as it is started.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "shell: reads what the system says of a program"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

/// Everybody on this PC may read the words with which a program was started.
#[test]
fn an_invite_is_not_read_off_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let door = folder.path().join("door");
    let listener = UnixListener::bind(&door).unwrap();
    let line = loop {
        let mut program = Command::new(env!("CARGO_BIN_EXE_lanparty"))
            .arg("--screenshot")
            .arg(folder.path().join("picture.png"))
            .arg("--door")
            .arg(&door)
            .arg(format!("lanparty://relay.example.net/FRIDAY#key={SECRET}"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It asks how things are, and waits for the answer.
        let (service, _) = listener.accept().unwrap();
        BufReader::new(&service)
            .read_line(&mut String::new())
            .unwrap();
        let line = fs::read(format!("/proc/{}/cmdline", program.id())).unwrap();
        drop(service);
        program.wait().unwrap();
        // One that did not wait for so slow a test has none any more.
        if !line.is_empty() {
            break String::from_utf8(line).unwrap().replace('\0', " ");
        }
    };
    assert!(line.contains("--screenshot"), "{line}");
    assert!(!line.contains(SECRET), "{line}");
}

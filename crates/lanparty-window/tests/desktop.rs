//! The program itself on a desktop without a screen: keyboard, clipboard, screen reader, tray, a second start, and a
//! service that dies.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, looks at the clock and writes pictures"
)]

mod support;

use lanparty_client_control::{Request, State};
use std::fs;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Instant;
use support::desk::{Desk, Service, joined, until};
use support::{KEY, evening, in_state, link};

/// Checks W2 and W15: an invite is in the clipboard, Enter joins, Tab and Space leave; no mouse.
#[test]
fn an_invite_from_the_clipboard_is_joined_and_left_by_keyboard() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let service = Service::open(&desk.door(), in_state(State::NotConnected));
    desk.clip(&link("FRIDAY-LAN", ""));
    desk.lanparty(&[]);
    desk.wait_for("Not connected");
    desk.focus();
    assert!(joined(&service.asked_by_enter(&desk)).contains("/FRIDAY-LAN"));
    service.show(in_state(State::Connecting));
    desk.wait_for("Connecting");
    service.show(evening());
    desk.wait_for("Connected");
    desk.press(&["Tab", "space"]);
    assert_eq!(service.asked(), Request::Leave);
}

/// Check W2: an invite that is copied while the window is open is there when one comes back to it.
#[test]
fn an_invite_that_is_copied_later_is_taken_on_focus() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let service = Service::open(&desk.door(), in_state(State::NotConnected));
    desk.clip("a shopping list");
    desk.lanparty(&[]);
    desk.wait_for("Not connected");
    desk.focus();
    desk.clip(&link("LAKE", ""));
    let root = desk.ask("xdotool", &["search", "--maxdepth", "0", "--name", ""]);
    let root = root.lines().next().unwrap_or("0").to_owned();
    desk.ask("xdotool", &["windowfocus", &root]);
    desk.focus();
    assert!(joined(&service.asked_by_enter(&desk)).contains("/LAKE"));
}

/// Check W3.
#[test]
fn a_second_start_shows_the_first_and_hands_its_link_over() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let service = Service::open(&desk.door(), in_state(State::NotConnected));
    desk.lanparty(&[]);
    desk.wait_for("Not connected");
    let mut second = desk.command(env!("CARGO_BIN_EXE_lanparty"));
    second.arg("--door").arg(desk.door()).arg(link("LAKE", ""));
    assert!(second.status().unwrap().success());
    until("there is one window", || {
        let windows = desk.ask(
            "xdotool",
            &["search", "--onlyvisible", "--name", "LAN party"],
        );
        windows.lines().count() == 1
    });
    desk.focus();
    // The first thing that is asked for comes after Enter: nothing was joined unasked.
    assert!(joined(&service.asked_by_enter(&desk)).contains("/LAKE"));
}

/// Check W8.
#[test]
fn a_service_that_dies_is_said_within_three_seconds() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let service = Service::open(&desk.door(), evening());
    desk.lanparty(&[]);
    desk.wait_for("Connected");
    let died = Instant::now();
    service.die();
    desk.wait_for("The service is not running");
    println!("said after {} ms", died.elapsed().as_millis());
    let _again = Service::open(&desk.door(), evening());
    desk.wait_for("Connected");
}

/// Check W16, and W5: what a screen reader is told, and that the key is not in it.
#[test]
fn a_screen_reader_has_every_control_by_name() {
    let Some(mut desk) = Desk::open() else { return };
    let has_reader = desk
        .command("/usr/bin/python3")
        .args(["-c", "import pyatspi"])
        .status();
    if !has_reader.is_ok_and(|status| status.success()) {
        return lanparty_skip::skip("python3-pyatspi is not installed");
    }
    desk.remember();
    say_that_a_screen_reader_runs(&desk);
    let _service = Service::open(&desk.door(), in_state(State::NotConnected));
    desk.lanparty(&[&link("FRIDAY-LAN", "")]);
    desk.wait_for("Not connected");
    let mut told = String::new();
    until("the tree has the field", || {
        told = desk.ask("/usr/bin/python3", &["-c", DUMP]);
        told.contains("Join FRIDAY-LAN")
    });
    println!("{told}");
    for line in [
        "entry|Invite",
        "push button|Join FRIDAY-LAN",
        "push button|Check this PC",
        "Not connected",
    ] {
        assert!(told.contains(line), "{line} is not in:\n{told}");
    }
    assert!(!told.contains(KEY), "{told}");
}

/// As a screen reader says at its start; programs tell nobody what they show before.
fn say_that_a_screen_reader_runs(desk: &Desk) {
    let bus = zbus::blocking::connection::Builder::address(desk.bus());
    let bus = bus.unwrap().build().unwrap();
    let status =
        zbus::blocking::Proxy::new(&bus, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Status");
    let status = status.unwrap();
    for key in ["IsEnabled", "ScreenReaderEnabled"] {
        status.set_property(key, true).unwrap();
    }
}

const DUMP: &str = r#"
import pyatspi
def dump(node):
    if node is None:
        return
    text = ""
    try:
        text = node.queryText().getText(0, -1)
    except Exception:
        pass
    print(f"{node.getRoleName()}|{node.name}|{text}")
    for child in node:
        dump(child)
for program in pyatspi.Registry.getDesktop(0):
    dump(program)
"#;

/// Checks W20 and W21: closing goes to the tray, a hidden window costs nothing, a click brings it back.
#[test]
fn a_window_in_the_tray_costs_nothing_and_comes_back() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let tray = Tray::open(&desk);
    let service = Service::open(&desk.door(), evening());
    let id = desk.lanparty(&[]);
    desk.wait_for("Connected");
    let item = tray.item.recv_timeout(support::desk::PATIENCE).unwrap();
    tray.wait_for(&item, "Connected · Friday night · relay");
    desk.close();
    until("the window is closed", || desk.window().is_none());
    let (before, heard) = (ticks(id), service.told());
    until("some seconds have gone", || service.told() > heard + 5);
    let spent = ticks(id) - before;
    println!("{spent} ticks in five seconds, {} kB", memory(id));
    // A hundredth of a second each; one picture would be more, and there are five snapshots in it.
    assert!(spent <= 5, "{spent} ticks while hidden");
    assert!(memory(id) < 48 * 1024, "{} kB", memory(id));
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    for library in ["libGL", "libEGL", "vulkan", "gallium"] {
        assert!(!maps.contains(library), "{library}");
    }
    service.show(in_state(State::Reconnecting));
    tray.wait_for(&item, "Reconnecting · Friday night · relay");
    tray.click(&item);
    desk.wait_for("Reconnecting");
}

/// Check W20: without a tray it asks, and staying connected asks the service for nothing.
#[test]
fn closing_without_a_tray_asks_first() {
    let Some(mut desk) = Desk::open() else { return };
    desk.remember();
    let service = Service::open(&desk.door(), evening());
    let id = desk.lanparty(&[]);
    desk.wait_for("Connected");
    // Stay, Leave, Cancel: the second. Keys that come before the question is drawn are lost.
    let asked = service.asked_by(|| {
        desk.close();
        desk.press(&["Tab", "Tab", "space"]);
    });
    assert_eq!(asked, Request::Leave);
    until("it has ended", || is_over(id));
}

/// A picture for somebody who helps needs no display.
#[test]
fn a_picture_of_the_state_needs_no_display() {
    let Some(desk) = Desk::open() else { return };
    let _service = Service::open(&desk.door(), evening());
    let file = desk.folder.path().join("state.png");
    let mut command = desk.command(env!("CARGO_BIN_EXE_lanparty"));
    command.env_remove("DISPLAY").arg("--door").arg(desk.door());
    command.arg("--screenshot").arg(&file);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let picture = fs::read(&file).unwrap();
    assert_eq!(picture.get(1..4), Some(&b"PNG"[..]));
    let mut command = desk.command(env!("CARGO_BIN_EXE_lanparty"));
    command.env_remove("DISPLAY").arg("--door").arg(desk.door());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no display"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// In hundredths of a second, as `/proc/PID/stat` counts.
fn ticks(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split(' ').collect();
    let field = |index: usize| fields[index].parse::<u64>().unwrap();
    field(12) + field(13)
}

fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn is_over(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

/// What a desktop's panel does for tray icons.
struct Tray {
    bus: zbus::blocking::Connection,
    item: mpsc::Receiver<String>,
}

struct Watcher(std::sync::Mutex<mpsc::Sender<String>>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str) {
        self.0.lock().unwrap().send(service.to_owned()).unwrap();
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

impl Tray {
    fn open(desk: &Desk) -> Self {
        let (send, item) = mpsc::channel();
        let bus = zbus::blocking::connection::Builder::address(desk.bus())
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Watcher(send.into()))
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .build()
            .unwrap();
        Tray { bus, item }
    }

    fn proxy(&self, item: &str) -> zbus::blocking::Proxy<'static> {
        zbus::blocking::proxy::Builder::new(&self.bus)
            .destination(item.to_owned())
            .unwrap()
            .path("/StatusNotifierItem")
            .unwrap()
            .interface("org.kde.StatusNotifierItem")
            .unwrap()
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .unwrap()
    }

    fn wait_for(&self, item: &str, tip: &str) {
        type ToolTip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);
        let proxy = self.proxy(item);
        until(&format!("the icon says {tip}"), || {
            let said = proxy.get_property::<ToolTip>("ToolTip");
            said.is_ok_and(|said| said.2 == tip)
        });
    }

    fn click(&self, item: &str) {
        let () = self.proxy(item).call("Activate", &(0_i32, 0_i32)).unwrap();
    }
}

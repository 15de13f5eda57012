//! A desktop without a screen: X server, session bus, window manager, and a service that does as it is told.

use lanparty_client_control::{Answer, Request, Snapshot};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A busy machine is slow, and never this slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests start, and the Debian packages that have it.
const PROGRAMS: [&str; 5] = ["Xvfb", "openbox", "xdotool", "xclip", "dbus-daemon"];

/// How long a key takes at most, nearly always.
const HEARD: Duration = Duration::from_secs(2);

pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    display: String,
    bus: String,
    children: Vec<Child>,
}

impl Desk {
    /// Nothing where a program is missing; the test then says so.
    pub(crate) fn open() -> Option<Self> {
        let missing = PROGRAMS.iter().find(|program| !has(program));
        if let Some(program) = missing {
            lanparty_skip::skip(&format!("{program} is not installed"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut x = Command::new("Xvfb");
        x.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1000x800x24",
            "-nolisten",
            "tcp",
        ]);
        let (x, number) = first_line(&mut x);
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address=1"]);
        bus.env("XDG_RUNTIME_DIR", folder.path());
        let (bus_child, address) = first_line(&mut bus);
        let mut desk = Desk {
            folder,
            display: format!(":{number}"),
            bus: address,
            children: vec![x, bus_child],
        };
        let openbox = desk.command("openbox").spawn().unwrap();
        desk.children.push(openbox);
        // A window that comes before the manager is taken off the screen by it.
        until("the window manager is there", || {
            let desktops = desk.ask("xdotool", &["get_num_desktops"]);
            !["", "0"].contains(&desktops.as_str())
        });
        Some(desk)
    }

    /// A program on this desktop.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("HOME", self.folder.path())
            .env("USER", "anna")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub(crate) fn bus(&self) -> &str {
        &self.bus
    }

    pub(crate) fn door(&self) -> PathBuf {
        self.folder.path().join("door.sock")
    }

    /// Somebody who has used the program before.
    pub(crate) fn remember(&self) {
        let folder = self.folder.path().join("config/softlan-vpn");
        fs::create_dir_all(&folder).unwrap();
        let memory = r#"{"welcomed": true, "knows_tray": true}"#;
        fs::write(folder.join("window.json"), memory).unwrap();
    }

    /// Opens the window; it ends with the desk.
    pub(crate) fn lanparty(&mut self, more: &[&str]) -> u32 {
        let mut command = self.command(env!("CARGO_BIN_EXE_lanparty"));
        command.arg("--door").arg(self.door()).args(more);
        let child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let id = child.id();
        self.children.push(child);
        id
    }

    /// What a program says on this desktop.
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.command(program);
        let output = command.args(arguments).stdout(Stdio::piped()).output();
        String::from_utf8_lossy(&output.unwrap().stdout)
            .trim()
            .to_owned()
    }

    pub(crate) fn clip(&self, text: &str) {
        let mut xclip = self.command("xclip");
        xclip
            .args(["-selection", "clipboard"])
            .stdin(Stdio::piped());
        let mut child = xclip.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The window's number, while there is one.
    pub(crate) fn window(&self) -> Option<String> {
        let found = self.ask(
            "xdotool",
            &["search", "--onlyvisible", "--name", "LAN party"],
        );
        found.lines().next().map(str::to_owned)
    }

    pub(crate) fn title(&self) -> String {
        let window = self.window();
        window.map_or_else(String::new, |window| {
            self.ask("xdotool", &["getwindowname", &window])
        })
    }

    /// Waits for the state in the window's title.
    pub(crate) fn wait_for(&self, word: &str) {
        let wanted = format!("{word} – LAN party");
        until(&format!("the window says {word}"), || {
            self.title() == wanted
        });
    }

    pub(crate) fn focus(&self) {
        let mut window = None;
        until("the window is there", || {
            window = self.window();
            window.is_some()
        });
        let window = window.expect("it is there");
        self.ask("xdotool", &["windowfocus", "--sync", &window]);
    }

    /// Presses what closes a window.
    pub(crate) fn close(&self) {
        self.focus();
        self.press(&["alt+F4"]);
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        let line: Vec<_> = ["key", "--delay", "60"]
            .iter()
            .chain(keys)
            .copied()
            .collect();
        self.ask("xdotool", &line);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // One that has ended by itself cannot be ended again.
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

fn first_line(command: &mut Command) -> (Child, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    let mut out = BufReader::new(out);
    out.read_line(&mut line).unwrap();
    // A pipe that is closed would end the program at its next word.
    thread::spawn(move || out.read_to_end(&mut Vec::new()));
    (child, line.trim().to_owned())
}

/// Looks until it is so. The things looked at tell nobody when they change.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A service for one test: it shows what the test wants and tells what it is asked for.
pub(crate) struct Service {
    shown: Arc<(Mutex<Option<Snapshot>>, Condvar)>,
    asked: mpsc::Receiver<Request>,
    told: Arc<Mutex<u32>>,
    path: PathBuf,
}

impl Service {
    pub(crate) fn open(path: &Path, snapshot: Snapshot) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shown = Arc::new((Mutex::new(Some(snapshot)), Condvar::new()));
        let (ask, asked) = mpsc::channel();
        let told = Arc::new(Mutex::new(0));
        let (state, count) = (shown.clone(), told.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, count, ask) = (state.clone(), count.clone(), ask.clone());
                if state.0.lock().unwrap().is_none() {
                    return;
                }
                thread::spawn(move || serve(stream, &state, &count, &ask));
            }
        });
        Service {
            shown,
            asked,
            told,
            path: path.to_owned(),
        }
    }

    pub(crate) fn show(&self, snapshot: Snapshot) {
        *self.shown.0.lock().unwrap() = Some(snapshot);
        self.shown.1.notify_all();
    }

    /// The next thing that it is asked for.
    pub(crate) fn asked(&self) -> Request {
        self.asked
            .recv_timeout(PATIENCE)
            .expect("nothing was asked for")
    }

    /// The same of a window that may not show yet what Enter is for: it is pressed again until it is heard. Whatever was
    /// asked for before was not asked for by anybody.
    pub(crate) fn asked_by_enter(&self, desk: &Desk) -> Request {
        self.asked_by(|| desk.press(&["Return"]))
    }

    /// The same by whatever else is tried again and again.
    pub(crate) fn asked_by(&self, what_asks: impl Fn()) -> Request {
        assert!(self.asked.try_recv().is_err(), "it was asked unasked");
        let end = Instant::now() + PATIENCE;
        loop {
            what_asks();
            match self.asked.recv_timeout(HEARD) {
                Ok(request) => return request,
                Err(_) => assert!(Instant::now() < end, "nothing was asked for"),
            }
        }
    }

    /// How many snapshots it has told.
    pub(crate) fn told(&self) -> u32 {
        *self.told.lock().unwrap()
    }

    /// It dies, as a process does: its connections end, and nobody listens.
    pub(crate) fn die(self) {
        fs::remove_file(&self.path).unwrap();
        *self.shown.0.lock().unwrap() = None;
        self.shown.1.notify_all();
    }
}

type Shown = (Mutex<Option<Snapshot>>, Condvar);

fn serve(
    mut stream: UnixStream,
    shown: &Shown,
    told: &Mutex<u32>,
    ask: &mpsc::Sender<Request>,
) -> Option<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    reader.read_line(&mut line).ok()?;
    let request = serde_json::from_str(&line).ok()?;
    if request != Request::Watch {
        if !matches!(request, Request::Status | Request::Doctor) {
            ask.send(request).ok()?;
        }
        return say(&mut stream, &Answer::Done("Done.".to_owned()));
    }
    let mut guard = shown.0.lock().unwrap();
    loop {
        let snapshot = guard.clone()?;
        say(&mut stream, &Answer::Snapshot(Box::new(snapshot)))?;
        *told.lock().unwrap() += 1;
        let second = Duration::from_secs(1);
        guard = shown.1.wait_timeout(guard, second).unwrap().0;
    }
}

fn say(stream: &mut UnixStream, answer: &Answer) -> Option<()> {
    let mut line = serde_json::to_vec(answer).unwrap();
    line.push(b'\n');
    stream.write_all(&line).ok()
}

pub(crate) fn joined(request: &Request) -> String {
    match request {
        Request::Join { invite, .. } => invite.reveal().to_owned(),
        other => panic!("not a join: {other:?}"),
    }
}

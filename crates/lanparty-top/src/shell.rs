//! The terminal, and the clock.

use crate::board::{Board, Look, Press};
use crate::draw;
use lanparty_edge::signals;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Terminal, backend::CrosstermBackend};
use std::io::{self, IsTerminal as _};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the program is asked.
const EACH: Duration = Duration::from_secs(1);
/// How soon somebody is heard who wants this to end.
const TURN: Duration = Duration::from_millis(200);

/// Why there is no live table.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// Nobody would see it.
    #[error(
        "a live table needs a terminal; scripts and files take what the other commands of `ctl` print"
    )]
    NoTerminal,
    /// The terminal does not do what is asked of it.
    #[error(
        "the terminal cannot show a live table ({0}); use another one, or the other commands of `ctl`"
    )]
    Terminal(#[source] io::Error),
}

/// Shows what `ask` answers, once a second, until somebody has seen enough.
///
/// # Errors
/// [`TopError`].
pub fn run(mut ask: impl FnMut() -> Result<Look, String>) -> Result<(), TopError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let stop = hear_signals();
    let screen = Screen::take().map_err(TopError::Terminal)?;
    let shown = show(&mut ask, &stop);
    drop(screen);
    shown.map_err(TopError::Terminal)
}

fn show(ask: &mut impl FnMut() -> Result<Look, String>, stop: &AtomicBool) -> io::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let (mut board, mut due) = (Board::new(), Instant::now());
    loop {
        let now = Instant::now();
        if now >= due {
            match ask() {
                Ok(look) => board.take(Instant::now(), look),
                Err(why) => board.fail(why),
            }
            due = now + EACH;
        }
        terminal.draw(|frame| draw::draw(&board, frame.area(), frame.buffer_mut()))?;
        let wait = due.saturating_duration_since(Instant::now()).min(TURN);
        if event::poll(wait)?
            && let Some(press) = press(&event::read()?)
            && board.press(press)
        {
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn press(event: &Event) -> Option<Press> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return None;
    };
    match code {
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Some(Press::Quit),
        KeyCode::Char(letter) => Some(Press::Letter(*letter)),
        KeyCode::Esc => Some(Press::Quit),
        KeyCode::Up => Some(Press::Up),
        KeyCode::Down => Some(Press::Down),
        KeyCode::PageUp => Some(Press::PageUp),
        KeyCode::PageDown => Some(Press::PageDown),
        _ => None,
    }
}

/// True once somebody has sent SIGTERM, or SIGINT from elsewhere: the terminal is given back before the end.
fn hear_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if runtime.is_ok_and(|runtime| {
            runtime
                .block_on(async { signals::shutdown().await })
                .is_ok()
        }) {
            asked.store(true, Ordering::Relaxed);
        }
    });
    stop
}

/// The terminal is ours while this lives.
struct Screen;

impl Screen {
    fn take() -> io::Result<Self> {
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // Its words would be gone with our screen.
            give_back();
            say(panic);
        }));
        enable_raw_mode()?;
        let screen = Screen;
        execute!(io::stdout(), EnterAlternateScreen)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// As it was. What does not work here cannot be helped.
fn give_back() {
    let _ = execute!(
        io::stdout(),
        LeaveAlternateScreen,
        ratatui::crossterm::cursor::Show
    );
    let _ = disable_raw_mode();
}

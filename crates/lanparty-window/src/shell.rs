//! The window itself: events in, effects out, and a picture when something has changed.
//!
//! A hidden window does not exist: it is dropped with all it holds, and made anew when it is wanted. So it draws nothing
//! and costs nothing while a game runs (check W21), on Wayland too, where a window cannot be hidden.

mod canvas;

use crate::app::{App, Clock, Effect};
use crate::line::{self, Way};
use crate::memory::{self, Memory};
use crate::single::First;
use crate::tray::{Face, Tray};
use crate::wake::{Desktop, Post, Wake};
use crate::{desktop, fonts};
use canvas::{Canvas, Painter};
use egui::{Context, ThemePreference};
use egui_winit::accesskit_winit::WindowEvent as Access;
use lanparty_client_control::Request;
use lanparty_client_control::connection::Door;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};
use winit::application::ApplicationHandler;
use winit::error::EventLoopError;
use winit::event::{StartCause, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::window::WindowId;

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// No display, or one that does not answer.
    #[error(
        "there is no display to open a window on; in a terminal, lanparty-client does the same"
    )]
    Display(#[from] EventLoopError),
    /// The display takes no window.
    #[error("the window cannot be opened: {0}")]
    Window(String),
}

/// Opens the window and stays until it is ended.
pub(crate) fn run(
    door: Door,
    first: First,
    link: Option<String>,
    hidden: bool,
) -> Result<(), ShellError> {
    let events = EventLoop::<Wake>::with_user_event().build()?;
    let post = Post(events.create_proxy());
    let heard = post.clone();
    // Where nobody can listen, a second start opens a second window.
    let _two_windows = first.listen(move |link| {
        heard.send(Wake::Show(link));
    });
    let file = memory::file();
    let memory = file.as_deref().map(Memory::read).unwrap_or_default();
    let mut shell = Shell::new(door, post, memory, file);
    shell.hidden = hidden && shell.app.has_been_welcomed();
    if let Some(link) = link {
        shell.app.offered(&link);
        shell.hidden = false;
    }
    events.run_app(&mut shell)?;
    shell.failed.map_or(Ok(()), Err)
}

struct Shell {
    way: Way,
    post: Post,
    file: Option<PathBuf>,
    app: App,
    ctx: Context,
    painter: Painter,
    canvas: Option<Canvas>,
    tray: Option<Tray>,
    hidden: bool,
    started: bool,
    text: f32,
    /// When egui wants to draw by itself.
    redraw: Option<Instant>,
    asks: Vec<JoinHandle<()>>,
    failed: Option<ShellError>,
}

impl Shell {
    fn new(door: Door, post: Post, memory: Memory, file: Option<PathBuf>) -> Self {
        let ctx = Context::default();
        crate::prepare(&ctx);
        ctx.set_zoom_factor(memory.zoom());
        Shell {
            way: Way::by(door),
            post,
            file,
            app: App::new(memory, memory::account(), Instant::now()),
            ctx,
            painter: Painter::default(),
            canvas: None,
            tray: None,
            hidden: false,
            started: false,
            text: 1.0,
            redraw: None,
            asks: Vec::new(),
            failed: None,
        }
    }

    /// What happens once, when the system is ready for windows.
    fn start(&mut self) {
        self.started = true;
        line::follow(self.way.clone(), self.post.clone());
        desktop::follow(self.post.clone());
        let face = Face::of(&self.app, Instant::now());
        self.tray = Tray::start(self.post.clone(), face);
    }

    fn open(&mut self, events: &ActiveEventLoop) {
        if let Some(canvas) = &self.canvas {
            canvas.focus();
            return;
        }
        match Canvas::open(events, &self.ctx, &self.post) {
            Ok(mut canvas) => {
                if let Some(text) = canvas.clipboard() {
                    self.app.clipboard(&text, SystemTime::now());
                }
                canvas.redraw();
                self.canvas = Some(canvas);
            }
            Err(error) => {
                self.failed = Some(ShellError::Window(error));
                events.exit();
            }
        }
    }

    fn draw(&mut self, events: &ActiveEventLoop) {
        let Some(canvas) = &mut self.canvas else {
            return;
        };
        let now = Instant::now();
        let clock = Clock {
            now,
            wall: SystemTime::now(),
        };
        let delay = canvas.draw(&self.ctx, &mut self.painter, &mut self.app, clock);
        self.redraw = delay.and_then(|delay| now.checked_add(delay));
        if self.redraw == Some(now) {
            canvas.redraw();
        }
        let zoom = self.ctx.zoom_factor() / self.text;
        self.app.zoomed(zoom);
        self.act(events);
    }

    /// Does what the window decided.
    fn act(&mut self, events: &ActiveEventLoop) {
        for effect in self.app.effects() {
            match effect {
                Effect::Ask(requests) => self.ask(requests),
                Effect::Mend(fix) => line::mend(self.way.door(), fix, self.post.clone()),
                Effect::LetIn => line::let_in(self.way.clone(), self.post.clone()),
                Effect::Examine => line::examine(self.way.door(), self.post.clone()),
                Effect::Remember => self.remember(),
                Effect::Hide => self.canvas = None,
                Effect::Quit => self.quit(events),
                Effect::SeekFont(letter) => self.seek_font(letter),
            }
        }
    }

    fn ask(&mut self, requests: Vec<Request>) {
        self.asks.retain(|ask| !ask.is_finished());
        let ask = line::ask(self.way.door(), requests, self.post.clone());
        self.asks.push(ask);
    }

    fn remember(&self) {
        if let Some(file) = &self.file
            && let Err(error) = self.app.memory().write(file)
        {
            eprintln!("lanparty: {} cannot be written: {error}.", file.display());
        }
    }

    fn seek_font(&self, letter: char) {
        let post = self.post.clone();
        std::thread::spawn(move || {
            post.send(Wake::Font(fonts::find(letter).map(Box::new)));
        });
    }

    /// Ends the program. What was asked of the service is still answered: who leaves and closes has left.
    fn quit(&mut self, events: &ActiveEventLoop) {
        self.canvas = None;
        self.tray = None;
        for ask in self.asks.drain(..) {
            // A thread that panicked has said so.
            let _panicked = ask.join();
        }
        events.exit();
    }

    /// Takes a thing from another thread. True when it looks different from before.
    fn hear(&mut self, events: &ActiveEventLoop, wake: Wake) -> bool {
        let now = Instant::now();
        match wake {
            Wake::Access(event) => self.access(event.window_event),
            Wake::Heard(snapshot) => return self.app.heard(*snapshot, now),
            Wake::NotHeard(error) => return self.app.not_heard(&error),
            Wake::Forbidden(forbidden) => return self.app.forbidden(*forbidden),
            Wake::Answered(answer) => self.app.answered(answer),
            Wake::Mended(outcome) => self.app.mended(outcome),
            Wake::Examined(rows) => self.app.examined(rows),
            Wake::Font(found) => {
                if let Some(found) = found {
                    fonts::add(&self.ctx, *found);
                }
                self.app.font_sought();
            }
            Wake::Tray(there) => {
                self.app.tray(there);
                // Without a tray a hidden window would be lost.
                if !there && self.canvas.is_none() {
                    self.open(events);
                }
            }
            Wake::Desktop(wish) => self.dress(wish),
            Wake::Show(link) => {
                if let Some(link) = link {
                    self.app.offered(&link);
                }
                self.open(events);
            }
            Wake::Leave => self.app.leave_if_joined(now),
            Wake::Quit => self.quit(events),
        }
        true
    }

    fn access(&mut self, event: Access) {
        match event {
            Access::InitialTreeRequested => self.ctx.enable_accesskit(),
            Access::ActionRequested(request) => {
                if let Some(canvas) = &mut self.canvas {
                    canvas.act_for_access(request);
                }
            }
            Access::AccessibilityDeactivated => self.ctx.disable_accesskit(),
        }
    }

    fn dress(&mut self, wish: Desktop) {
        match wish {
            Desktop::Dark(Some(true)) => self.ctx.set_theme(ThemePreference::Dark),
            Desktop::Dark(Some(false)) => self.ctx.set_theme(ThemePreference::Light),
            Desktop::Dark(None) => self.ctx.set_theme(ThemePreference::System),
            Desktop::Text(factor) if factor.is_finite() => {
                self.text = factor.clamp(0.5, 3.0);
                let zoom = self.app.memory().zoom() * self.text;
                self.ctx.set_zoom_factor(zoom);
            }
            Desktop::Text(_) => {}
        }
    }
}

impl ApplicationHandler<Wake> for Shell {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.started {
            return;
        }
        self.start();
        if !self.hidden {
            self.open(events);
        }
    }

    fn new_events(&mut self, _events: &ActiveEventLoop, cause: StartCause) {
        if matches!(cause, StartCause::ResumeTimeReached { .. })
            && let Some(canvas) = &mut self.canvas
        {
            canvas.redraw();
        }
    }

    fn user_event(&mut self, events: &ActiveEventLoop, wake: Wake) {
        let differs = self.hear(events, wake);
        self.act(events);
        if differs && let Some(canvas) = &mut self.canvas {
            canvas.redraw();
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        let Some(canvas) = &mut self.canvas else {
            return;
        };
        match event {
            WindowEvent::RedrawRequested => return self.draw(events),
            WindowEvent::CloseRequested => {
                self.app.close(Instant::now());
                canvas.redraw();
                return self.act(events);
            }
            WindowEvent::Focused(true) => {
                if let Some(text) = canvas.clipboard() {
                    self.app.clipboard(&text, SystemTime::now());
                }
            }
            _ => {}
        }
        canvas.take(&event);
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        let now = Instant::now();
        if let Some(tray) = &mut self.tray {
            tray.show(Face::of(&self.app, now));
        }
        let own = self.app.poll_timeout(now);
        let drawing = self.redraw.filter(|_| self.canvas.is_some());
        let next = own.into_iter().chain(drawing).min();
        events.set_control_flow(next.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }

    fn exiting(&mut self, _events: &ActiveEventLoop) {
        self.canvas = None;
    }
}

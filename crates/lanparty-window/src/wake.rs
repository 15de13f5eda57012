//! What wakes the window up besides mouse and keyboard.

use crate::app::Forbidden;
use crate::fonts::Found;
use egui_winit::accesskit_winit;
use lanparty_client_control::connection::DoorError;
use lanparty_client_control::{Answer, Row, Snapshot};
use winit::event_loop::EventLoopProxy;

/// Something from another thread.
#[derive(Debug)]
pub(crate) enum Wake {
    /// A screen reader wants something.
    Access(accesskit_winit::Event),
    /// The service says how things stand.
    Heard(Box<Snapshot>),
    /// The service cannot be heard.
    NotHeard(DoorError),
    /// What helps this user, who may not speak to it.
    Forbidden(Box<Forbidden>),
    /// The service answers.
    Answered(Result<Answer, DoorError>),
    /// Something was mended, and what that did; or it was not, and why.
    Mended(Result<String, String>),
    /// The look at this PC is done.
    Examined(Vec<Row>),
    /// A font was looked for.
    Font(Option<Box<Found>>),
    /// There is a tray, or none any more.
    Tray(bool),
    /// How the desktop wants things to look.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "other windows are told by their own system")
    )]
    Desktop(Desktop),
    /// Somebody wants to see the window, perhaps with a link.
    Show(Option<String>),
    /// The tray's menu says Leave.
    Leave,
    /// The tray's menu says Quit.
    Quit,
}

/// How the desktop wants things to look, as far as it says.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "other windows are told by their own system")
)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Desktop {
    /// Dark, light, or no wish.
    Dark(Option<bool>),
    /// Text larger than usual by this.
    Text(f32),
}

impl From<accesskit_winit::Event> for Wake {
    fn from(event: accesskit_winit::Event) -> Self {
        Wake::Access(event)
    }
}

/// The way to the window's thread.
#[derive(Debug, Clone)]
pub(crate) struct Post(pub(crate) EventLoopProxy<Wake>);

impl Post {
    /// Sends something. False when there is no window any more.
    pub(crate) fn send(&self, wake: Wake) -> bool {
        self.0.send_event(wake).is_ok()
    }
}

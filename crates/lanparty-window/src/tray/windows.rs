//! The notification area of Windows.

use super::Face;
use crate::wake::{Post, Wake};
use crate::words;
use std::sync::Mutex;
use tray_icon::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tray_icon::{Icon, MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};

/// The icon; lives on the window's thread, whose messages it needs.
pub(crate) struct Tray {
    icon: TrayIcon,
    state: MenuItem,
    leave: MenuItem,
    last: Face,
}

impl Tray {
    /// Nothing where Windows has no notification area.
    pub(crate) fn start(post: Post, face: Face) -> Option<Self> {
        let menu = Menu::new();
        let state = MenuItem::new(label(&face), false, None);
        let show = MenuItem::with_id("show", words::SHOW, true, None);
        let leave = MenuItem::with_id("leave", words::LEAVE, face.leaves, None);
        let quit = MenuItem::with_id("quit", words::QUIT, true, None);
        let line = PredefinedMenuItem::separator();
        menu.append_items(&[&state, &line, &show, &leave, &quit])
            .ok()?;
        let icon = TrayIconBuilder::new()
            .with_tooltip(face.tip())
            .with_icon(picture(&face)?)
            .with_menu(Box::new(menu))
            .with_menu_on_left_click(false)
            .build()
            .ok()?;
        listen(&post);
        post.send(Wake::Tray(true));
        Some(Tray {
            icon,
            state,
            leave,
            last: face,
        })
    }

    /// Shows how things stand now.
    pub(crate) fn show(&mut self, face: Face) {
        if self.last == face {
            return;
        }
        self.state.set_text(label(&face));
        self.leave.set_enabled(face.leaves);
        // An icon that stays as it was is no reason to end anything.
        let _stays = self.icon.set_tooltip(Some(face.tip()));
        let _stays = self.icon.set_icon(picture(&face));
        self.last = face;
    }
}

/// A single `&` would mark the letter behind it.
fn label(face: &Face) -> String {
    face.tip().replace('&', "&&")
}

fn picture(face: &Face) -> Option<Icon> {
    let (rgba, side) = face.rgba();
    Icon::from_rgba(rgba, side, side).ok()
}

fn listen(post: &Post) {
    let menu = Mutex::new(post.clone());
    MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
        let wake = match event.id().as_ref() {
            "show" => Wake::Show(None),
            "leave" => Wake::Leave,
            "quit" => Wake::Quit,
            _ => return,
        };
        if let Ok(post) = menu.lock() {
            post.send(wake);
        }
    }));
    let click = Mutex::new(post.clone());
    TrayIconEvent::set_event_handler(Some(move |event| {
        if let TrayIconEvent::Click {
            button: MouseButton::Left,
            button_state: MouseButtonState::Up,
            ..
        } = event
            && let Ok(post) = click.lock()
        {
            post.send(Wake::Show(None));
        }
    }));
}

//! StatusNotifierItem over D-Bus, which KDE, GNOME with its extension, XFCE and others show.

use super::Face;
use crate::wake::{Post, Wake};
use crate::words;
use ksni::blocking::TrayMethods as _;
use ksni::menu::StandardItem;
use ksni::{Category, Icon, MenuItem, OfflineReason, Status, ToolTip};
use std::sync::mpsc::{self, Sender};
use std::thread;

/// The icon. A desktop without a place for it has none, and one that gets a place later gets it then.
pub(crate) struct Tray {
    faces: Sender<Face>,
    last: Face,
}

impl Tray {
    /// Talks to the desktop in a thread: a D-Bus that hangs shall not hold up the window.
    pub(crate) fn start(post: Post, face: Face) -> Option<Self> {
        let (faces, to_show) = mpsc::channel();
        let last = face.clone();
        thread::spawn(move || {
            // Said before the desktop is asked: when it has no place, the item says so by itself.
            post.send(Wake::Tray(true));
            let item = Item {
                post: post.clone(),
                face,
            };
            let Ok(handle) = item.assume_sni_available(true).spawn() else {
                post.send(Wake::Tray(false));
                return;
            };
            for face in to_show {
                if handle.update(|item: &mut Item| item.face = face).is_none() {
                    return;
                }
            }
        });
        Some(Tray { faces, last })
    }

    /// Shows how things stand now.
    pub(crate) fn show(&mut self, face: Face) {
        if self.last != face {
            self.last = face.clone();
            // Without a tray nobody listens.
            let _no_tray = self.faces.send(face);
        }
    }
}

struct Item {
    post: Post,
    face: Face,
}

impl ksni::Tray for Item {
    fn id(&self) -> String {
        "lanparty".to_owned()
    }

    fn category(&self) -> Category {
        Category::Communications
    }

    fn title(&self) -> String {
        words::WINDOW.to_owned()
    }

    fn status(&self) -> Status {
        if self.face.alarms {
            Status::NeedsAttention
        } else {
            Status::Active
        }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        let (mut data, side) = self.face.rgba();
        for pixel in data.chunks_exact_mut(4) {
            pixel.rotate_right(1);
        }
        let side = i32::try_from(side).expect("an icon is small");
        vec![Icon {
            width: side,
            height: side,
            data,
        }]
    }

    fn attention_icon_pixmap(&self) -> Vec<Icon> {
        self.icon_pixmap()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip {
            title: self.face.tip(),
            ..ToolTip::default()
        }
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.post.send(Wake::Show(None));
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let item = |label: &str, enabled, wake: fn() -> Wake| {
            MenuItem::from(StandardItem {
                label: label.to_owned(),
                enabled,
                activate: Box::new(move |item: &mut Self| {
                    item.post.send(wake());
                }),
                ..StandardItem::default()
            })
        };
        vec![
            // A single one would mark the letter behind it.
            item(&self.face.tip().replace('_', "__"), false, || {
                Wake::Show(None)
            }),
            MenuItem::Separator,
            item(words::SHOW, true, || Wake::Show(None)),
            item(words::LEAVE, self.face.leaves, || Wake::Leave),
            item(words::QUIT, true, || Wake::Quit),
        ]
    }

    fn watcher_online(&self) {
        self.post.send(Wake::Tray(true));
    }

    fn watcher_offline(&self, _reason: OfflineReason) -> bool {
        self.post.send(Wake::Tray(false));
        true
    }
}

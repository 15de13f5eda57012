//! The desktop portal tells what GNOME, KDE and others are set to, on X11 and Wayland alike.

use crate::wake::{Desktop, Post, Wake};
use std::thread;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{OwnedValue, Value};

const DARK: (&str, &str) = ("org.freedesktop.appearance", "color-scheme");
const TEXT: (&str, &str) = ("org.gnome.desktop.interface", "text-scaling-factor");

/// Tells how it is now, and each change. A desktop without a portal is left alone.
pub(crate) fn follow(post: Post) {
    thread::spawn(move || {
        // Nothing is lost without it: the window is light then, and its text as large as usual.
        let _no_portal = listen(&post);
    });
}

fn listen(post: &Post) -> zbus::Result<()> {
    let bus = Connection::session()?;
    let settings = Proxy::new(
        &bus,
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.Settings",
    )?;
    let changes = settings.receive_signal("SettingChanged")?;
    for key in [DARK, TEXT] {
        if let Ok(value) = settings.call::<_, _, OwnedValue>("ReadOne", &key) {
            tell(post, key, &value);
        }
    }
    for change in changes {
        let body = change.body();
        if let Ok((space, key, value)) = body.deserialize::<(&str, &str, Value<'_>)>() {
            tell(post, (space, key), &value);
        }
    }
    Ok(())
}

fn tell(post: &Post, key: (&str, &str), value: &Value<'_>) {
    if let Some(wish) = wish(key, value) {
        post.send(Wake::Desktop(wish));
    }
}

fn wish(key: (&str, &str), value: &Value<'_>) -> Option<Desktop> {
    match (key, value) {
        (key, Value::Value(inner)) => wish(key, inner),
        (DARK, Value::U32(scheme)) => Some(Desktop::Dark(match scheme {
            1 => Some(true),
            2 => Some(false),
            _ => None,
        })),
        (TEXT, Value::F64(factor)) => Some(Desktop::Text(*factor as f32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portals_words_are_understood() {
        let dark = Value::Value(Box::new(Value::U32(1)));
        assert_eq!(wish(DARK, &dark), Some(Desktop::Dark(Some(true))));
        assert_eq!(wish(DARK, &Value::U32(0)), Some(Desktop::Dark(None)));
        assert_eq!(wish(TEXT, &Value::F64(1.5)), Some(Desktop::Text(1.5)));
        assert_eq!(wish(TEXT, &Value::U32(1)), None);
        assert_eq!(wish(("org.x", "y"), &Value::U32(1)), None);
    }
}

//! The letters: one font for Latin, Greek and Cyrillic is in the program; for other scripts the system's own is taken when
//! the first name needs it.
//!
//! Names are strangers' text. Each missing letter is looked for once, one at a time, and not without end.

use crate::app::{App, Effect};
use egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use egui::{Context, FontData, FontDefinitions, FontFamily, FontId};
use lanparty_client_control::{Party, Snapshot};
use lanparty_games::Host;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

#[cfg_attr(windows, path = "fonts/windows.rs")]
#[cfg_attr(not(windows), path = "fonts/linux.rs")]
mod system;

const REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular.otf");
const STRONG: &[u8] = include_bytes!("../fonts/Inter-SemiBold.otf");

/// So many letters are looked for in one run.
const MOST: usize = 24;
/// No font file is larger, in bytes; those for Chinese have 20 million.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Puts the program's own font in place, once for a context.
pub(crate) fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::empty();
    let mut add = |name: &str, data: &'static [u8], families: &[FontFamily]| {
        let data = Arc::new(FontData::from_static(data));
        fonts.font_data.insert(name.to_owned(), data);
        for family in families {
            let family = fonts.families.entry(family.clone()).or_default();
            family.push(name.to_owned());
        }
    };
    let plain = [FontFamily::Proportional, FontFamily::Monospace];
    add("regular", REGULAR, &plain);
    add("strong", STRONG, &[FontFamily::Name("strong".into())]);
    ctx.set_fonts(fonts);
}

/// Looks whether a name on the screen has a letter that no font has.
pub(crate) fn seek(ctx: &Context, app: &mut App, now: Instant) {
    if app.seeking || app.sought.len() >= MOST {
        return;
    }
    let Some(snapshot) = app.snapshot(now) else {
        return;
    };
    let missing = ctx.fonts_mut(|fonts| {
        let id = FontId::proportional(15.0);
        names(snapshot)
            .flat_map(str::chars)
            .filter(|letter| !letter.is_ascii() && !app.sought.contains(letter))
            .find(|letter| !fonts.has_glyph(&id, *letter))
    });
    if let Some(letter) = missing {
        app.sought.insert(letter);
        app.seeking = true;
        app.effect(Effect::SeekFont(letter));
    }
}

/// Everything in a snapshot that people called something.
fn names(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let me = snapshot.me.iter().filter_map(|me| me.name.as_deref());
    let members = snapshot.members.iter();
    let members = members.filter_map(|member| member.name.as_deref());
    let party = snapshot.party.iter().map(Party::title);
    let rooms = snapshot.rooms.iter().map(|room| room.party.title());
    let games = snapshot.games.iter().flat_map(|game| {
        let texts = [
            Some(game.game.as_str()),
            Some(&game.server),
            game.map.as_deref(),
            match game.host.as_ref() {
                Some(Host::Player(name)) => Some(name.as_str()),
                Some(Host::Lan) | None => None,
            },
        ];
        texts.into_iter().flatten()
    });
    me.chain(members).chain(party).chain(rooms).chain(games)
}

/// A font of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    file: PathBuf,
    index: u32,
    data: Vec<u8>,
}

/// The system's font for a letter. Reads files and may start a program: not for the thread that draws.
pub(crate) fn find(letter: char) -> Option<Found> {
    let places = system::candidates(letter);
    places.into_iter().find_map(|(file, index)| {
        let data = read(&file)?;
        Some(Found { file, index, data })
    })
}

fn read(file: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(file).ok()?.len();
    (size <= LARGEST).then(|| std::fs::read(file).ok())?
}

/// Takes a font into use, behind those that are.
pub(crate) fn add(ctx: &Context, found: Found) {
    let name = format!("{}#{}", found.file.display(), found.index);
    let known = ctx.fonts(|fonts| fonts.definitions().font_data.contains_key(&name));
    if known {
        return;
    }
    let mut data = FontData::from_owned(found.data);
    data.index = found.index;
    let families = [
        FontFamily::Proportional,
        FontFamily::Monospace,
        FontFamily::Name("strong".into()),
    ];
    let families = families.map(|family| InsertFontFamily {
        family,
        priority: FontPriority::Lowest,
    });
    ctx.add_font(FontInsert {
        name,
        data,
        families: families.into(),
    });
}

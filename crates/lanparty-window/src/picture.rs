//! A picture of what the window would show, without a display: for documents, and for somebody who helps.

use crate::app::{App, Clock, Page};
use crate::args::Args;
use crate::memory::{self, Memory};
use crate::{fonts, line, views};
use egui::{Context, FullOutput, Pos2, RawInput, Rect, Theme, Vec2, ViewportId};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};
use lanparty_client_control::connection::{Door, DoorError};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::{Instant, SystemTime};

/// egui knows its sizes after the first pass, and letters of other fonts after a few more.
const PASSES: usize = 12;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file.
    #[error("the picture cannot be written to {0}: {1}")]
    File(std::path::PathBuf, #[source] io::Error),
}

pub(crate) fn write(file: &Path, door: &Door, args: &Args) -> Result<(), PictureError> {
    let now = Instant::now();
    let file_of_memory = memory::file();
    let memory = file_of_memory.as_deref().map(Memory::read);
    let mut app = App::new(memory.unwrap_or_default(), memory::account(), now);
    match door.watch().map(|mut watch| watch.next()) {
        Ok(Some(Ok(snapshot))) => {
            app.heard(snapshot, now);
        }
        Ok(Some(Err(error))) | Err(error) => {
            if matches!(error, DoorError::NotPermitted) {
                app.forbidden(line::forbidden());
            }
            app.not_heard(&error);
        }
        Ok(None) => {}
    }
    if let Some(link) = &args.link {
        app.offered(link);
    }
    if args.doctor {
        app.go(Page::Doctor);
        app.examined(line::rows(door.clone()));
    }
    let theme = if args.dark { Theme::Dark } else { Theme::Light };
    let clock = Clock {
        now,
        wall: SystemTime::now(),
    };
    let pixels = draw(&mut app, clock, args.size, args.scale, theme);
    save(file, &pixels, args.size).map_err(|error| PictureError::File(file.to_owned(), error))
}

/// Draws an app into pixels of red, green, blue and opacity. `scale` pixels are one of the window's.
pub fn draw(
    app: &mut App,
    clock: Clock,
    (width, height): (u32, u32),
    scale: f32,
    theme: Theme,
) -> Vec<u8> {
    let ctx = Context::default();
    crate::prepare(&ctx);
    ctx.set_theme(theme);
    let mut painter = EguiSoftwareRender::new(ColorFieldOrder::Rgba).with_caching(false);
    let (columns, rows) = (width as usize, height as usize);
    let mut pixels = vec![[0; 4]; columns * rows];
    for _ in 0..PASSES {
        let size = Vec2::new(width as f32, height as f32) / scale;
        let output = ctx.run_ui(input(size, scale), |ui| views::draw(ui, app, clock));
        for effect in app.effects() {
            if let crate::app::Effect::SeekFont(letter) = effect {
                if let Some(found) = fonts::find(letter) {
                    fonts::add(&ctx, found);
                }
                app.font_sought();
            }
        }
        let FullOutput {
            textures_delta,
            shapes,
            pixels_per_point,
            ..
        } = output;
        let primitives = ctx.tessellate(shapes, pixels_per_point);
        let mut target = BufferMutRef::new(&mut pixels, columns, rows);
        painter.render(&mut target, &primitives, &textures_delta, pixels_per_point);
    }
    pixels.into_flattened()
}

fn input(size: Vec2, scale: f32) -> RawInput {
    let mut input = RawInput {
        screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size)),
        focused: false,
        ..RawInput::default()
    };
    let root = input.viewports.entry(ViewportId::ROOT).or_default();
    root.native_pixels_per_point = Some(scale);
    input
}

fn save(file: &Path, pixels: &[u8], (width, height): (u32, u32)) -> io::Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}

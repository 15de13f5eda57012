//! An invite as a QR code: on a terminal and in files.

use anyhow::Context;
use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};
use std::fmt::Write as _;

/// The white around it, in modules: ISO/IEC 18004 wants four, phones take two, and so most invites fit on 24 lines.
const QUIET: usize = 4;
const QUIET_ON_TERMINAL: usize = 2;
/// How many pixels a module has.
const SCALE: usize = 8;

/// Black on white whatever the terminal's own colours are: these two of the 256 are no theme's.
const INK: &str = "\x1b[38;5;16;48;5;231m";
const END: &str = "\x1b[0m";

/// A QR code.
pub(super) struct Picture {
    modules: Vec<Color>,
    width: usize,
}

impl Picture {
    /// Of a link. What stands in it behind the page's address is the same in capitals, which take less room.
    pub(super) fn of(link: &str) -> anyhow::Result<Self> {
        let (page, rest) = match link.split_once('#') {
            Some((page, rest)) => (format!("{page}#"), rest),
            None => (String::new(), link),
        };
        let text = page + &rest.to_ascii_uppercase();
        let code = QrCode::with_error_correction_level(text, EcLevel::L)
            .context("the invite does not fit into a QR code; give the party a shorter --name, or name fewer relays")?;
        Ok(Picture {
            width: code.width(),
            modules: code.into_colors(),
        })
    }

    /// True for a module that is there and black; `quiet` white ones stand before the first.
    fn is_black(&self, quiet: usize, x: usize, y: usize) -> bool {
        let (x, y) = (x.wrapping_sub(quiet), y.wrapping_sub(quiet));
        x < self.width && y < self.width && self.modules[y * self.width + x] == Color::Dark
    }

    /// How many columns and lines it takes on a terminal.
    pub(super) fn size_on_terminal(&self) -> (usize, usize) {
        let side = self.width + 2 * QUIET_ON_TERMINAL;
        (side, side.div_ceil(2))
    }

    /// Two modules above each other are one character.
    pub(super) fn for_terminal(&self) -> String {
        let side = self.width + 2 * QUIET_ON_TERMINAL;
        let mut text = String::new();
        for y in (0..side).step_by(2) {
            let black = |x, y| self.is_black(QUIET_ON_TERMINAL, x, y);
            let line = (0..side).map(|x| match (black(x, y), black(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            });
            let end = if y + 2 < side { "\n" } else { "" };
            let _ = write!(text, "{INK}{}{END}{end}", line.collect::<String>());
        }
        text
    }

    /// In shades of grey, a byte for each pixel.
    fn pixels(&self) -> (usize, Vec<u8>) {
        let side = (self.width + 2 * QUIET) * SCALE;
        let pixel = |at| {
            let (x, y) = (at % side / SCALE, at / side / SCALE);
            if self.is_black(QUIET, x, y) { 0 } else { 255 }
        };
        (side, (0..side * side).map(pixel).collect())
    }

    pub(super) fn png(&self) -> anyhow::Result<Vec<u8>> {
        let (side, pixels) = self.pixels();
        let side = u32::try_from(side).context("a QR code is small")?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(file)
    }

    /// A square for each black module.
    pub(super) fn svg(&self) -> String {
        let side = self.width + 2 * QUIET;
        let mut path = String::new();
        for (x, y) in (0..side * side).map(|at| (at % side, at / side)) {
            if self.is_black(QUIET, x, y) {
                let _ = write!(path, "M{x} {y}h1v1h-1z");
            }
        }
        let pixels = side * SCALE;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_edge::invite::Invite;
    use std::io;

    const OLD: &str = "lanparty://relay.example.net:4433/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg\
        &host=z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs&pin=KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

    fn invite() -> Invite {
        Invite::find(OLD).unwrap()
    }

    /// What somebody's phone reads.
    fn scanned(width: usize, height: usize, black: impl Fn(usize, usize) -> bool) -> Invite {
        let shade = |x, y| if black(x, y) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
        let codes = image.detect_grids();
        assert_eq!(codes.len(), 1);
        let (_, text) = codes[0].decode().unwrap();
        Invite::find(&text).unwrap()
    }

    #[test]
    fn a_phone_reads_the_picture_files() {
        let page = "https://lan.example.net/Join/".parse().unwrap();
        let pin = invite().pin.unwrap();
        let other = |number| format!("relay-{number}.example.net:4433~{pin}").parse();
        let five_relays = Invite {
            others: (2..6).map(|number| other(number).unwrap()).collect(),
            ..invite()
        };
        for (invite, link) in [
            (invite(), invite().reveal()),
            (invite(), invite().reveal_at(&page)),
            (five_relays.clone(), five_relays.reveal()),
            (five_relays.clone(), five_relays.reveal_at(&page)),
        ] {
            let picture = Picture::of(&link).unwrap();
            let png = picture.png().unwrap();
            let mut reader = png::Decoder::new(io::Cursor::new(png)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            let (width, height) = (info.width as usize, info.height as usize);
            assert!(width == height && width >= 256, "{width}");
            let black = |x: usize, y: usize| pixels[y * width + x] == 0;
            assert_eq!(scanned(width, height, black), invite);

            let svg = picture.svg();
            let path = svg.split("<path d=\"").nth(1).unwrap();
            let squares = path.split("h1v1h-1z").filter_map(|move_to| {
                let (x, y) = move_to.strip_prefix('M')?.split_once(' ')?;
                Some((x.parse::<usize>().ok()?, y.parse::<usize>().ok()?))
            });
            let squares: std::collections::HashSet<_> = squares.collect();
            let side = picture.width + 2 * QUIET;
            assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
            let black = |x, y| squares.contains(&(x / 4, y / 4));
            assert_eq!(scanned(side * 4, side * 4, black), invite);
        }
    }

    #[test]
    fn a_phone_reads_it_from_a_terminal_of_any_colours_and_24_lines() {
        let text = Picture::of(&invite().reveal()).unwrap().for_terminal();
        let lines: Vec<Vec<char>> = text
            .lines()
            .map(|line| {
                let line = line.strip_prefix(INK).unwrap().strip_suffix(END).unwrap();
                line.chars().collect()
            })
            .collect();
        let (width, height) = (lines[0].len(), lines.len());
        assert!(width <= 80 && height < 24, "{width}x{height}");
        // A character is twice as high as it is wide.
        let black = |x: usize, y: usize| {
            let half = ['▄', '▀'][usize::from((y / 4).is_multiple_of(2))];
            let c = lines[y / 8][x / 4];
            c == '█' || c == half
        };
        assert_eq!(scanned(width * 4, height * 8, black), invite());
    }
}

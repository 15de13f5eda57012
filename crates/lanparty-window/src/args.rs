//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// The player's window: join a LAN party over the internet.
///
/// Paste the invite that your host sent you and press Join. The window shows whether you are connected, your address on
/// the party's LAN, how good the connection is, who else is there and which games are on; and when something does not
/// work, "Check this PC" says what, and mends it.
///
/// The connection itself is held by a service, with or without this window: closing the window ends no game. The
/// command `lanparty-client` does all of this in a terminal.
#[derive(Debug, Parser)]
#[command(
    name = "lanparty",
    version,
    after_help = "Examples:\n  lanparty                                open the window\n  lanparty 'lanparty://relay.example.net/FRIDAY/…'   offer this invite there\n  lanparty --screenshot state.png          draw what it would show, for somebody who helps\n\nA second start shows the window that is open already.\nCtrl and + or - change the text's size, Ctrl+C copies your address, Esc goes back."
)]
pub struct Args {
    /// An invite to offer in the window; it is joined only when you press Join
    #[arg(value_name = "INVITE")]
    pub link: Option<String>,
    /// Open no window at first, only the icon in the tray, where there is one
    #[arg(long)]
    pub hidden: bool,
    /// Write a picture of what the window would show now, and end; needs no display. Keys are never in it
    #[arg(long, value_name = "FILE")]
    pub screenshot: Option<PathBuf>,
    /// The picture's size in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "520x680", value_parser = size, requires = "screenshot")]
    pub size: (u32, u32),
    /// How many pixels of the picture are one of the window's
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale, requires = "screenshot")]
    pub scale: f32,
    /// Draw the picture in dark colours
    #[arg(long, requires = "screenshot")]
    pub dark: bool,
    /// Draw the look at this PC instead of the party
    #[arg(long, requires = "screenshot")]
    pub doctor: bool,
    /// Where the service listens
    #[arg(long, value_name = "PATH", hide = true)]
    pub door: Option<PathBuf>,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    const RANGE: std::ops::RangeInclusive<u32> = 200..=8000;
    let parts = text.split_once('x');
    let parts = parts.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parts
        .filter(|(width, height)| RANGE.contains(width) && RANGE.contains(height))
        .ok_or_else(|| "write it like 520x680, each from 200 to 8000".to_owned())
}

fn scale(text: &str) -> Result<f32, String> {
    let scale = text.parse().ok();
    scale
        .filter(|scale| (0.5..=4.0).contains(scale))
        .ok_or_else(|| "a number from 0.5 to 4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_spelled_like_this() {
        Args::command().debug_assert();
        let args = Args::parse_from(["lanparty", "--screenshot", "a.png", "--size", "400x300"]);
        assert_eq!((args.size, args.scale as u32), ((400, 300), 1));
        for wrong in ["400", "1x1", "9999x300", "x"] {
            let line = ["lanparty", "--screenshot", "a.png", "--size", wrong];
            assert!(Args::try_parse_from(line).is_err(), "{wrong}");
        }
        let args = Args::parse_from(["lanparty", "lanparty://x"]);
        assert_eq!(args.link.as_deref(), Some("lanparty://x"));
    }

    #[test]
    fn the_help_is_a_short_manual() {
        let help = Args::command().render_long_help().to_string();
        for word in [
            "Paste the invite",
            "Check this PC",
            "Examples:",
            "--screenshot",
        ] {
            assert!(help.contains(word), "{word}");
        }
        assert!(!help.contains("--door"));
    }
}

//! How an invite gets to people: as a link, as a link to a page, as a picture on the screen or in a file.

use super::picture::Picture;
use anyhow::{Context, ensure};
use clap::Args;
use lanparty_edge::invite::{Invite, InvitePage, MAX_LEN};
use lanparty_edge::state_folder::StateFolder;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// In what forms an invite is wanted.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ShowArgs {
    /// Write the invite as a link to this page too, for chats in which only https:// can be clicked: the page of
    /// dist/invite-page, on a web server that you trust. No browser sends the invite there, as it stands behind a #,
    /// but who can change the page can read it. The QR code is of this link then.
    #[arg(long, value_name = "URL")]
    invite_page: Option<InvitePage>,

    /// Put the QR code into this file, which ends with .png or .svg and which only you may read. On a terminal it is
    /// also drawn.
    #[arg(long, value_name = "FILE", value_parser = image)]
    qr: Option<PathBuf>,
}

impl ShowArgs {
    /// The page behind which invites stand as well.
    pub(crate) fn page(&self) -> Option<&InvitePage> {
        self.invite_page.as_ref()
    }

    /// Prints the invite in all forms that are wanted.
    pub(crate) fn print(&self, invite: &Invite) -> anyhow::Result<()> {
        self.draw(invite)?.print()
    }

    /// Makes all forms, and the file. An invite that is too long has none.
    pub(crate) fn draw(&self, invite: &Invite) -> anyhow::Result<Shown> {
        let (link, page) = (
            invite.reveal(),
            self.invite_page.as_ref().map(|page| invite.reveal_at(page)),
        );
        ensure!(
            link.len() <= MAX_LEN,
            "the invite is too long; give the party a shorter --name, or name fewer relays"
        );
        let picture = Picture::of(page.as_deref().unwrap_or(&link))?;
        if let Some(file) = &self.qr {
            keep(file, &picture)?;
        }
        Ok(Shown {
            link,
            page,
            picture,
        })
    }
}

/// The same for the host's views of a running gateway.
pub(crate) fn for_views(
    invite: &Invite,
    page: Option<&InvitePage>,
) -> anyhow::Result<lanparty_gateway_control::Shown> {
    let show = ShowArgs {
        invite_page: page.cloned(),
        qr: None,
    };
    let Shown {
        link,
        page,
        picture,
    } = show.draw(invite)?;
    Ok(lanparty_gateway_control::Shown {
        link,
        page,
        svg: picture.svg(),
        expires: invite.expires,
        sentence: None,
    })
}

/// An invite as people get it.
pub(crate) struct Shown {
    link: String,
    page: Option<String>,
    picture: Picture,
}

impl Shown {
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        writeln!(io::stdout(), "{}", self.text()).context("cannot print the invite")
    }

    /// What belongs on standard output: a file or a pipe gets links and nothing else.
    pub(crate) fn text(&self) -> String {
        self.text_for(Screen::of_stdout())
    }

    /// What a host reads at the beginning of an evening. A journal gets no invite, as others read it too.
    pub(crate) fn first_screen(&self) -> String {
        if is_a_services() {
            return "`lanparty-gateway invite` shows the invite; it stands in no journal."
                .to_owned();
        }
        match Screen::of_stdout() {
            None => self.text(),
            screen => format!(
                "\nSend this to your friends:\n\n{}\n\n\
                 They click it, or paste it into their window, or type: lanparty-client join INVITE\n\
                 Who is here: lanparty-gateway ctl list\n\
                 Ctrl-C ends the party.\n",
                self.text_for(screen)
            ),
        }
    }

    /// The invite that takes the place of an earlier one.
    pub(crate) fn later(&self) -> String {
        match is_a_services() {
            true => "`lanparty-gateway invite` shows it.".to_owned(),
            false => self.text(),
        }
    }

    fn text_for(&self, screen: Option<Screen>) -> String {
        let mut text = self.link.clone();
        if let Some(page) = &self.page {
            let _ = write!(text, "\n{page}");
        }
        match screen {
            Some(screen) if screen.shows(&self.picture) => {
                let _ = write!(text, "\n\n{}", self.picture.for_terminal());
            }
            Some(_) => text.push_str(
                "\n\n(Its QR code does not fit here: make the window larger, or have it in a file with --qr FILE.png.)",
            ),
            None => {}
        }
        text
    }
}

/// A terminal, and how large it is; nothing, where it does not say.
#[derive(Debug, Clone, Copy)]
struct Screen {
    columns: usize,
    rows: usize,
}

impl Screen {
    /// The one at standard output, if it can show pictures.
    fn of_stdout() -> Option<Self> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        (io::stdout().is_terminal() && !is_dumb).then(Screen::size)
    }

    #[cfg(target_os = "linux")]
    fn size() -> Self {
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
        Screen {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn size() -> Self {
        Screen {
            columns: 0,
            rows: 0,
        }
    }

    /// Whether the whole picture is seen at once.
    fn shows(self, picture: &Picture) -> bool {
        let (columns, rows) = picture.size_on_terminal();
        let fits = |has: usize, needs| has == 0 || has >= needs;
        fits(self.columns, columns) && fits(self.rows, rows)
    }
}

/// Whether systemd has started this program as a service, whose words go to the journal (systemd.exec(5)).
fn is_a_services() -> bool {
    !io::stdout().is_terminal() && std::env::var_os("JOURNAL_STREAM").is_some()
}

/// A file's name that says which kind of picture it is.
fn image(text: &str) -> Result<PathBuf, &'static str> {
    let file = PathBuf::from(text);
    match kind(&file) {
        Some(_) => Ok(file),
        None => Err("the file's name says which picture it is: it ends with .png or .svg"),
    }
}

/// Makes a file of a picture.
type Format = fn(&Picture) -> anyhow::Result<Vec<u8>>;

fn kind(file: &Path) -> Option<Format> {
    let extension = file.extension()?.to_str()?;
    let is = |kind| extension.eq_ignore_ascii_case(kind);
    match extension {
        _ if is("png") => Some(Picture::png),
        _ if is("svg") => Some(|picture| Ok(picture.svg().into_bytes())),
        _ => None,
    }
}

/// There is a key in it, so nobody else reads it.
fn keep(file: &Path, picture: &Picture) -> anyhow::Result<()> {
    let bytes = kind(file).context("a QR code is a .png or .svg")?(picture)?;
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.context("a QR code goes into a file with a name")?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = StateFolder::new(folder.unwrap_or(Path::new(".")).to_owned());
    Ok(folder.replace(name, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        show: ShowArgs,
    }

    const LINK: &str = "lanparty://r.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg";

    fn parse(words: &[&str]) -> Result<ShowArgs, clap::Error> {
        Program::try_parse_from(["x"].iter().chain(words)).map(|program| program.show)
    }

    #[test]
    fn a_file_gets_an_invite_and_nothing_else_and_a_terminal_a_picture_too() {
        let invite = Invite::find(LINK).unwrap();
        for words in [&[][..], &["--invite-page", "https://x.example/join"]] {
            let shown = parse(words).unwrap().draw(&invite).unwrap();
            let plain = shown.text_for(None);
            assert_eq!(Invite::find(&plain), Ok(invite.clone()));
            assert_eq!(plain.lines().count(), 1 + words.len() / 2);
            assert!(plain.lines().all(|line| line.contains("r.example/FRIDAY/")));
            let large = Screen {
                columns: 80,
                rows: 50,
            };
            let screen = shown.text_for(Some(large));
            assert!(screen.starts_with(&plain) && screen.contains('▀'));
            assert_eq!(Invite::find(&screen), Ok(invite.clone()), "copied whole");
            for (columns, rows) in [(80, 10), (20, 50)] {
                let small = shown.text_for(Some(Screen { columns, rows }));
                assert!(small.contains("--qr") && !small.contains('▀'), "{small}");
                assert_eq!(Invite::find(&small), Ok(invite.clone()));
            }
            let unknown = Screen {
                columns: 0,
                rows: 0,
            };
            assert!(shown.text_for(Some(unknown)).contains('▀'));
        }
    }

    #[test]
    fn a_picture_in_a_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for name in ["qr.png", "qr.SVG"] {
            let file = folder.path().join(name);
            std::fs::write(&file, "before").unwrap();
            let args = parse(&["--qr", file.to_str().unwrap()]).unwrap();
            args.draw(&Invite::find(LINK).unwrap()).unwrap();
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_ne!(std::fs::read(&file).unwrap(), b"before");
        }
        for wrong in ["qr", "qr.jpg", ""] {
            let error = parse(&["--qr", wrong]).unwrap_err().to_string();
            assert!(
                error.contains(".png or .svg") || wrong.is_empty(),
                "{error}"
            );
        }
        let error = parse(&["--invite-page", "http://x"]).unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }

    /// Browsers run nothing there but what its policy names, and load nothing else.
    #[test]
    fn the_page_has_a_policy_that_lets_its_own_script_run_and_nothing_else() {
        let page = include_str!("../../../../dist/invite-page/index.html");
        for part in ["script", "style"] {
            let (_, rest) = page.split_once(&format!("<{part}>")).unwrap();
            let (text, _) = rest.split_once(&format!("</{part}>")).unwrap();
            let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            let hash = data_encoding::BASE64.encode(hash.as_ref());
            let policy = format!("{part}-src 'sha256-{hash}';");
            assert!(page.contains(&policy), "it should be: {policy}");
        }
        assert!(page.contains("default-src 'none';"));
        for other in [
            "<link",
            "<img",
            " src=",
            "@import",
            "url(",
            "fetch(",
            "innerHTML",
        ] {
            assert!(!page.contains(other), "{other}");
        }
    }
}

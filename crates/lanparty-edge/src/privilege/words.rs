//! What other users of this machine read of a program's command line (proc(5), cmdline).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;

/// The flag whose value is a secret.
const FLAG: &[u8] = b"--access-token";
/// No payload is shorter, as a key of 16 bytes is in it.
const MIN_PAYLOAD: usize = 20;
/// What an invite begins with, wherever in a message it stands and however it is encoded, or a page with one; and what
/// its key begins with in one that has lost its scheme.
const INVITES: [&[u8]; 5] = [b"lanparty:", b"lanparty%", b"https:", b"#key", b"%23key"];

/// Writes over the secrets among the words with which this program was started. Until then they could be
/// read, and the programs that started this one may show them still.
pub(super) fn hide(words: &[OsString]) -> io::Result<()> {
    let secrets: Vec<_> = secrets(words).collect();
    if secrets.is_empty() {
        return Ok(());
    }
    // The kernel shows whatever is in this piece of our memory.
    let line = fs::read("/proc/self/cmdline")?;
    let start = argument_start()?;
    let memory = File::options().write(true).open("/proc/self/mem")?;
    for secret in secrets {
        let found = line.windows(secret.len()).enumerate();
        for (at, _) in found.filter(|(_, window)| *window == secret) {
            memory.write_all_at(&vec![b'x'; secret.len()], start + at as u64)?;
        }
    }
    Ok(())
}

fn secrets(words: &[OsString]) -> impl Iterator<Item = &[u8]> {
    let words = || words.iter().map(|word| word.as_os_str().as_bytes());
    let pairs = words().zip(words().skip(1));
    let values = pairs.filter_map(|(flag, value)| (flag == FLAG).then_some(value));
    let joined = words().filter_map(|word| word.strip_prefix(FLAG)?.strip_prefix(b"="));
    let is_invite = |word: &&[u8]| INVITES.iter().any(|start| has(word, start)) || is_rest(word);
    let invites = words().filter(is_invite);
    let all = values.chain(joined).chain(invites);
    all.filter(|secret| !secret.is_empty())
}

/// True for `RELAY/ROOM/PAYLOAD`, an invite without its scheme, which no path or flag begins like.
fn is_rest(word: &[u8]) -> bool {
    let is_path = word.first().is_none_or(|first| b"/.@-~".contains(first));
    let parts: Vec<_> = word.split(|byte| *byte == b'/').collect();
    !is_path && parts.len() == 3 && parts[2].len() > MIN_PAYLOAD
}

fn has(word: &[u8], start: &[u8]) -> bool {
    let mut windows = word.windows(start.len());
    windows.any(|window| window.eq_ignore_ascii_case(start))
}

/// Where in our memory the words begin: field 48 of proc(5), stat, counted behind the program's name.
fn argument_start() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let start = fields.split(' ').nth(48 - 3);
    let start = start.and_then(|start| start.parse().ok());
    start.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invites_and_access_tokens_are_secrets_and_nothing_else_is() {
        let words = [
            "x",
            "--access-token",
            "A",
            "--access-token=B",
            "lanparty://r/R#key=C",
            " LANPARTY://r/R#key=D",
            "join: <lanparty://r/R/E>",
            "https://x.example/#r/R/F",
            "url=lanparty%3A%2F%2Fr",
            "r.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg",
            "r.example/FRIDAY/MDEyMzQ1Njc4OWFiY2RlZg",
            "lanparty-client",
            "@downloads/party/MDEyMzQ1Njc4OWFiY2RlZg",
            "/run/lanparty/MDEyMzQ1Njc4OWFiY2RlZg",
        ];
        let words = words
            .iter()
            .chain(&["--room", "R", "--access-token-file", "f"]);
        let words: Vec<_> = words.map(OsString::from).collect();
        let secrets: Vec<_> = secrets(&words).collect();
        assert_eq!(
            secrets,
            [
                &b"A"[..],
                b"B",
                b"lanparty://r/R#key=C",
                b" LANPARTY://r/R#key=D",
                b"join: <lanparty://r/R/E>",
                b"https://x.example/#r/R/F",
                b"url=lanparty%3A%2F%2Fr",
                b"r.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg",
                b"r.example/FRIDAY/MDEyMzQ1Njc4OWFiY2RlZg",
            ]
        );
    }

    #[test]
    fn the_words_begin_where_the_kernel_says() {
        assert!(argument_start().unwrap() > 0);
    }
}

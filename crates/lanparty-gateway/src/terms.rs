//! The terms of this gateway's stays at relays: counted up, kept, and signed for one relay each.
//!
//! Players go by the highest term of their host (`lanparty_ctrl::term`). So a number must never come twice, also after a
//! start anew with a clock that was set back: it is kept before it is told. A party of one relay has no use for them.

use crate::keys;
use lanparty_ctrl::{HostKey, Pin, RoomCode, SignedTerm, Term};
use lanparty_edge::state_folder::StateFolder;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// For how long a disk that is busy is waited for: frames by direct paths wait as well.
const DISK: Duration = Duration::from_millis(250);

/// What this gateway counts of one room.
#[derive(Debug)]
pub(crate) struct Terms {
    host: HostKey,
    room: RoomCode,
    folder: Option<StateFolder>,
    last: Term,
    /// Why it is not kept, said once.
    trouble: Trouble,
}

/// What is wrong with the keeping, and whether the host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    None,
    New(String),
    Told,
}

impl Terms {
    /// The count of this host's room, in the folder of its keys, if anybody needs one. The file is made now: later this
    /// program may make none.
    ///
    /// A party that has one relay, and has never had `several`, is at one place whatever happens: nothing is counted, kept
    /// or told. Where a count is kept it goes on, because players with an older invite, which names several relays,
    /// have seen it and look for a higher one.
    pub(crate) fn open(
        host: HostKey,
        room: RoomCode,
        folder: Option<&Path>,
        several: bool,
    ) -> Option<Self> {
        let mut terms = Terms {
            folder: None,
            last: Term::default(),
            trouble: Trouble::None,
            host,
            room,
        };
        let file = terms.file();
        let folder = keys::open(folder);
        let kept = folder.as_ref().ok().map(|folder| folder.load(&file));
        if !several && !matches!(kept, Some(Ok(Some(_)))) {
            return None;
        }
        match folder.and_then(|folder| made(&folder, &file).map(|()| folder)) {
            Ok(folder) => terms.folder = Some(folder),
            Err(error) => terms.complain(&error.to_string()),
        }
        Some(terms)
    }

    /// The term of the stay that begins at the relay with this key, at the time of `unix_seconds`. It is kept by then,
    /// or the clock must do.
    pub(crate) fn next(&mut self, relay: &Pin, unix_seconds: u64) -> SignedTerm {
        let last = self.last.max(self.kept());
        self.last = last.next(unix_seconds);
        self.keep();
        self.last.sign(&self.host, &self.room, relay)
    }

    /// The last one, if there has been any.
    pub(crate) fn last(&self) -> Option<Term> {
        (self.last != Term::default()).then_some(self.last)
    }

    /// True once when the count is not kept: a sentence for the host.
    pub(crate) fn take_warning(&mut self) -> Option<String> {
        let Trouble::New(why) = &self.trouble else {
            return None;
        };
        let sentence = warning(why);
        self.trouble = Trouble::Told;
        Some(sentence)
    }

    /// What is in the file. Another gateway of the same host may have counted on; what is no number counts as none.
    fn kept(&self) -> Term {
        let kept = self.folder.as_ref().map(|folder| folder.load(&self.file()));
        let kept = kept.and_then(Result::ok).flatten().unwrap_or_default();
        let number = std::str::from_utf8(&kept).map(str::trim);
        Term::new(
            number
                .ok()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0),
        )
    }

    /// Writes the last one over what is in the file.
    fn keep(&mut self) {
        let Some(folder) = self.folder.clone() else {
            return;
        };
        let (file, line) = (self.file(), line(self.last));
        let (sender, written) = mpsc::sync_channel(1);
        let writing = thread::Builder::new().spawn(move || {
            // Whoever waited may have lost patience.
            let _ = sender.send(folder.overwrite(&file, &line));
        });
        match writing.map(|_| written.recv_timeout(DISK)) {
            Ok(Ok(Ok(()))) => self.trouble = Trouble::None,
            Ok(Ok(Err(error))) => self.complain(&error.to_string()),
            Ok(Err(_)) => self.complain("the disk takes too long"),
            Err(error) => self.complain(&error.to_string()),
        }
    }

    fn complain(&mut self, why: &str) {
        tracing::debug!(why, "The term is not kept");
        if self.trouble == Trouble::None {
            self.trouble = Trouble::New(why.to_owned());
        }
    }

    /// Room codes are letters, digits and hyphens, so every one can be the name of a file.
    fn file(&self) -> String {
        format!("{}.term", self.room)
    }
}

fn warning(why: &str) -> String {
    format!(
        "The count of this party's moves between relays is not kept ({why}): it goes on by this machine's clock, so do not set \
         that back; make room or rights in the key folder (--keys), then start the gateway anew."
    )
}

/// The file, with nothing counted if there is none yet.
fn made(folder: &StateFolder, file: &str) -> Result<(), lanparty_edge::state_folder::StateError> {
    folder
        .load_or_create(file, || line(Term::default()))
        .map(drop)
}

/// Always as long as the longest, so that one that is written over another leaves nothing of it.
fn line(term: Term) -> Vec<u8> {
    format!("{:020}\n", term.number()).into_bytes()
}

/// What a host may read of it, for the page that explains it.
#[cfg(test)]
pub(crate) fn warnings() -> Vec<lanparty_told::Told> {
    vec![lanparty_told::Told {
        sentence: warning(
            "/var/lib/lanparty-gateway/FRIDAY.term cannot be written (No space left on device); name a folder that you may write to",
        ),
        means: "Players find a party that has moved by the highest count; without its file it begins with the time of day.",
        remedy: "What the sentence says. Until then the party goes on as ever.",
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::HostSecret;
    use std::fs;

    const RELAY: Pin = Pin::from_sha256([1; 32]);

    fn room() -> RoomCode {
        "FRIDAY".parse().unwrap()
    }

    fn host() -> HostKey {
        HostSecret::from_random([7; 32]).host_key(&room())
    }

    fn open(folder: &Path) -> Terms {
        Terms::open(host(), room(), Some(folder), true).unwrap()
    }

    #[test]
    fn a_party_of_one_relay_counts_nothing_until_it_has_had_several() {
        let folder = tempfile::tempdir().unwrap();
        let of_one = || Terms::open(host(), room(), Some(folder.path()), false);
        assert!(of_one().is_none());
        let mut files = fs::read_dir(folder.path()).unwrap();
        assert!(files.next().is_none(), "and keeps nothing");
        let seen = open(folder.path()).next(&RELAY, 2_000).number;
        let told = of_one().unwrap().next(&RELAY, 5).number;
        assert!(told > seen, "players of the older invite believe it");
        let nowhere = folder.path().join("FRIDAY.term").join("below");
        assert!(Terms::open(host(), room(), Some(&nowhere), false).is_none());
    }

    #[test]
    fn each_stay_has_a_higher_term_signed_for_its_relay() {
        let folder = tempfile::tempdir().unwrap();
        let mut terms = open(folder.path());
        assert_eq!(terms.last(), None);
        let first = terms.next(&RELAY, 1_000);
        let other = Pin::from_sha256([2; 32]);
        let second = terms.next(&other, 1_000);
        let of = |term: SignedTerm, relay: &Pin| term.of(&host().id(), &room(), relay);
        assert_eq!(of(first, &RELAY), Some(Term::new(1_000)));
        assert_eq!(of(second, &other), Some(Term::new(1_001)));
        assert_eq!(of(second, &RELAY), None);
        assert_eq!(terms.last(), Some(Term::new(1_001)));
        assert_eq!(terms.take_warning(), None);
    }

    #[test]
    fn the_count_outlives_the_gateway_and_a_clock_that_is_set_back() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).next(&RELAY, 2_000_000_000);
        let kept = fs::read_to_string(folder.path().join("FRIDAY.term")).unwrap();
        assert_eq!(kept, "00000000002000000000\n");
        let again = open(folder.path()).next(&RELAY, 5);
        assert_eq!(again.number, Term::new(2_000_000_001));
        // One beside it has counted on.
        let (mut one, mut two) = (open(folder.path()), open(folder.path()));
        assert!(one.next(&RELAY, 0).number < two.next(&RELAY, 0).number);
        assert_eq!(one.next(&RELAY, 0).number, Term::new(2_000_000_004));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_and_each_room_has_its_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).next(&RELAY, 9);
        let mode = fs::metadata(folder.path().join("FRIDAY.term")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        let monday: RoomCode = "MONDAY".parse().unwrap();
        let key = HostSecret::from_random([7; 32]).host_key(&monday);
        let mut other = Terms::open(key, monday, Some(folder.path()), true).unwrap();
        assert_eq!(other.next(&RELAY, 3).number, Term::new(3));
    }

    #[test]
    fn a_count_that_cannot_be_kept_goes_on_by_the_clock_and_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a-file");
        fs::write(&file, "").unwrap();
        let mut terms = open(&file.join("below"));
        let said = terms.take_warning().unwrap();
        assert!(said.contains("clock") && said.contains("--keys"), "{said}");
        assert_eq!(terms.next(&RELAY, 70).number, Term::new(70));
        assert_eq!(terms.next(&RELAY, 70).number, Term::new(71));
        assert_eq!(terms.take_warning(), None);
    }

    #[test]
    fn a_file_that_is_lost_or_broken_later_is_said_and_hinders_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("FRIDAY.term");
        let mut terms = open(folder.path());
        terms.next(&RELAY, 50);
        fs::write(&file, "half").unwrap();
        assert_eq!(terms.next(&RELAY, 0).number, Term::new(51));
        assert_eq!(terms.take_warning(), None, "it is mended");
        fs::remove_file(&file).unwrap();
        assert_eq!(terms.next(&RELAY, 0).number, Term::new(52));
        assert!(terms.take_warning().unwrap().contains("FRIDAY.term"));
        terms.next(&RELAY, 0);
        assert_eq!(terms.take_warning(), None, "once");
    }
}

//! What a host has answered, and the file that says it to the gateway.

use crate::config::Mode;
use anyhow::{Context, anyhow};
use lanparty_ctrl::{Pin, RoomCode, Text};
use lanparty_edge::address::{ListenAddress, RelayAddress};
use lanparty_edge::invite::{OtherRelay, Relays};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};
use toml_edit::{Array, DocumentMut, Item, Value, value};

/// What a new file begins with.
const HEAD: &str = "\
# A LAN party's gateway: `lanparty-gateway --config` reads this, and `lanparty-gateway setup` writes it.
# Keys are the flags' names (`lanparty-gateway --help`, `lanparty-gateway host --help`); add what you like. No
# secret stands here: keys and access token are in the state folder.

";
/// Who may read it: everybody, as nothing in it is secret.
const MODE: u32 = 0o644;

/// All that a party needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) interface: String,
    pub(super) party: Party,
    pub(super) room: RoomCode,
    pub(super) name: Option<Text>,
    /// The folder with the keys, where the host has named one.
    pub(super) keys: Option<PathBuf>,
}

/// Where players find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Party {
    /// At this machine.
    Host {
        listen: ListenAddress,
        public_address: Option<String>,
    },
    /// At a relay elsewhere.
    Relay {
        relay: RelayAddress,
        pin: Option<Pin>,
        others: Vec<OtherRelay>,
        access_token_file: Option<PathBuf>,
    },
}

/// A file with settings, as it is now.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    document: DocumentMut,
    is_new: bool,
}

impl Settings {
    /// Reads the file; one that is not there is empty.
    pub(super) fn load(file: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let document = DocumentMut::new();
                return Ok(Settings {
                    document,
                    is_new: true,
                });
            }
            Err(error) => {
                return Err(anyhow!(
                    "the configuration {} cannot be read ({error}); run this as root, or name another file with --config",
                    file.display()
                ));
            }
        };
        let document = text.parse().map_err(|error: toml_edit::TomlError| {
            let line = 1 + error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            let problem = error.message().replace('\n', ", ");
            let file = file.display();
            anyhow!("the configuration {file} is not TOML in line {line}: {problem}; mend it, or move it out of the way")
        })?;
        Ok(Settings {
            document,
            is_new: false,
        })
    }

    /// What it says under this key, as a text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let item = self.document.get(key)?;
        match (item.as_str(), item.as_integer()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(number)) => Some(number.to_string()),
            (None, None) => None,
        }
    }

    /// The same, as long as it makes sense.
    pub(super) fn parsed<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// The relays that it names, as long as all of them make sense.
    pub(super) fn relays(&self) -> Option<Relays> {
        let named = texts(self.document.get("relay")?)?;
        let named: Result<_, _> = named.iter().map(|relay| relay.parse()).collect();
        Relays::named(named.ok()?, self.parsed("pin")).ok()?
    }

    pub(super) fn mode(&self) -> Option<Mode> {
        match &*self.text("mode")? {
            "host" => Some(Mode::Host),
            "relay" => Some(Mode::Relay),
            _ => None,
        }
    }

    /// The file with these answers in it: what it says else stays, but for what belongs to the other kind of party.
    pub(super) fn with(&self, answers: &Answers) -> String {
        let mut document = self.document.clone();
        let mut set_all = |key: &str, all: &[String]| match all {
            [] => drop(document.remove(key)),
            all if document.get(key).and_then(texts).as_deref() == Some(all) => {}
            [one] => put(&mut document, key, value(one)),
            all => put(&mut document, key, value(all.iter().collect::<Array>())),
        };
        let mut set = |key: &str, text: Option<String>| set_all(key, text.as_slice());
        let path = |path: &Path| path.display().to_string();
        let (mut listens, mut public) = (None, None);
        let (mut relays, mut pins, mut tokens) = (Vec::new(), None, None);
        let mode = match &answers.party {
            Party::Host {
                listen,
                public_address,
            } => {
                listens = Some(spelt(*listen));
                public.clone_from(public_address);
                "host"
            }
            Party::Relay {
                relay,
                pin,
                others,
                access_token_file,
            } => {
                relays.push(relay.to_string());
                relays.extend(others.iter().map(ToString::to_string));
                pins = pin.map(|pin| pin.to_string());
                tokens = access_token_file.as_deref().map(path);
                "relay"
            }
        };
        if mode == "host" {
            // Its players are there when they are at the relay.
            set("no-door", None);
            set("door-port", None);
            // The relay is here: nothing leads there by a proxy.
            set("proxy", None);
        }
        if mode == "relay" {
            set("tcp-listen", None);
        }
        set("mode", Some(mode.to_owned()));
        set("interface", Some(answers.interface.clone()));
        set("listen", listens);
        set("public-address", public);
        set_all("relay", &relays);
        let mut set = |key: &str, text: Option<String>| set_all(key, text.as_slice());
        set("pin", pins);
        set("access-token-file", tokens);
        set("room", Some(answers.room.to_string()));
        set("name", answers.name.as_ref().map(Text::to_string));
        set("keys", answers.keys.as_deref().map(path));
        let head = if self.is_new { HEAD } else { "" };
        format!("{head}{document}")
    }
}

/// As people write it.
fn spelt(listen: ListenAddress) -> String {
    let address = listen.socket_address();
    match address.ip().is_unspecified() && address.is_ipv6() {
        true => format!("{}/udp", address.port()),
        false => address.to_string(),
    }
}

/// The texts of a value: one, or several in brackets.
fn texts(item: &Item) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match item.as_value()? {
        Value::Array(values) => values.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

/// Sets a key to a value, with what stands around it left as it is.
fn put(document: &mut DocumentMut, key: &str, new: Item) {
    match (document.get_mut(key), new) {
        (Some(Item::Value(before)), Item::Value(mut new)) => {
            *new.decor_mut() = before.decor().clone();
            *before = new;
        }
        (_, new) => {
            document.insert(key, new);
        }
    }
}

/// Puts a file there in one step: whatever happens, the old or the new one is there. `is_sound` looks at the new one first.
pub(super) fn write(
    file: &Path,
    text: &str,
    is_sound: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let unwritable = || {
        format!(
            "the configuration {} cannot be written; run this as root, or name another file with --config",
            file.display()
        )
    };
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).with_context(unwritable)?;
    let mut unfinished = tempfile::NamedTempFile::new_in(folder).with_context(unwritable)?;
    unfinished
        .write_all(text.as_bytes())
        .with_context(unwritable)?;
    is_sound(unfinished.path())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let everybody = fs::Permissions::from_mode(MODE);
        unfinished
            .as_file()
            .set_permissions(everybody)
            .with_context(unwritable)?;
    }
    unfinished.as_file().sync_all().with_context(unwritable)?;
    unfinished
        .persist(file)
        .map_err(|error| error.error)
        .with_context(unwritable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Answers {
        Answers {
            interface: "eth1".to_owned(),
            party: Party::Host {
                listen: "443/udp".parse().unwrap(),
                public_address: Some("party.example.net".to_owned()),
            },
            room: "FRIDAY".parse().unwrap(),
            name: Some("Friday \"night\"".into()),
            keys: None,
        }
    }

    fn relay() -> Answers {
        Answers {
            party: Party::Relay {
                relay: "relay.example.net".parse().unwrap(),
                pin: None,
                others: Vec::new(),
                access_token_file: Some("/var/lib/lanparty-gateway/access-token".into()),
            },
            name: None,
            ..host()
        }
    }

    fn settings(text: &str) -> Settings {
        Settings {
            document: text.parse().unwrap(),
            is_new: false,
        }
    }

    #[test]
    fn the_file_says_what_was_answered() {
        let fresh = Settings {
            is_new: true,
            ..Settings::default()
        };
        let text = fresh.with(&host());
        assert!(text.starts_with("# A LAN party's gateway"), "{text}");
        let read = settings(&text);
        assert_eq!(read.mode(), Some(Mode::Host));
        for (key, said) in [
            ("interface", Some("eth1")),
            ("listen", Some("443/udp")),
            ("public-address", Some("party.example.net")),
            ("room", Some("FRIDAY")),
            ("name", Some("Friday \"night\"")),
            ("relay", None),
            ("keys", None),
        ] {
            assert_eq!(read.text(key).as_deref(), said, "{key}");
        }
        assert_eq!(read.with(&host()), text, "once more changes nothing");
    }

    #[test]
    fn what_else_stands_there_stays_and_what_belongs_to_the_other_kind_goes() {
        let before = "# mine\nmode = \"host\" # at home\ninterface = \"eth0\"\nlisten = \"443/udp\"\n\n# more\nlog = \"debug\"\n";
        let after = settings(before).with(&relay());
        for kept in [
            "# mine\n",
            "mode = \"relay\" # at home\n",
            "# more\nlog = \"debug\"\n",
        ] {
            assert!(after.contains(kept), "{kept} in {after}");
        }
        assert!(
            after.contains("interface = \"eth1\"") && !after.contains("listen"),
            "{after}"
        );
        let read = settings(&after);
        assert_eq!(read.mode(), Some(Mode::Relay));
        let own = "no-door = true\ndoor-port = 40000\nno-tcp = false\nproxy = \"http://proxy:1\"\n";
        let straight = settings(&format!("{own}{after}")).with(&relay());
        assert!(straight.contains(own));
        let back = settings(&straight).with(&host());
        for gone in ["access-token", "relay =", "no-door", "door-port", "proxy"] {
            assert!(!back.contains(gone), "{back}");
        }
        assert!(back.contains("no-tcp"), "both kinds have one");
        let proxied = format!("tcp-listen = \"127.0.0.1:8443\"\n{back}");
        let proxied = settings(&proxied).with(&host());
        assert!(proxied.contains("tcp-listen"));
        let elsewhere = settings(&proxied).with(&relay());
        assert!(!elsewhere.contains("tcp-listen"), "{elsewhere}");
    }

    #[test]
    fn relays_beside_the_first_stand_in_the_same_key() {
        let pin = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";
        let others = [format!("b.example:4433~{pin}"), "c.example:443".to_owned()];
        let with = |others: &[String]| {
            let mut answers = relay();
            if let Party::Relay { others: kept, .. } = &mut answers.party {
                *kept = others.iter().map(|other| other.parse().unwrap()).collect();
            }
            answers
        };
        let several = with(&others);
        let text = settings("relay = \"a.example\" # best\n").with(&several);
        let line = format!(
            "relay = [\"relay.example.net:443\", \"{}\", \"{}\"] # best\n",
            others[0], others[1]
        );
        assert!(text.starts_with(&line), "{text}");
        let read = settings(&text);
        assert_eq!(read.with(&several), text, "once more changes nothing");
        let relays = read.relays().unwrap();
        assert_eq!(relays.first.to_string(), "relay.example.net:443");
        let kept: Vec<_> = relays.others.iter().map(ToString::to_string).collect();
        assert_eq!(kept, others);
        let one = read.with(&with(&[]));
        assert!(
            one.starts_with("relay = \"relay.example.net:443\" # best\n"),
            "{one}"
        );
        assert!(!read.with(&host()).contains("relay ="));
        for (relay, of) in [
            ("'a.example'", Some(0)),
            ("['a.example', 'b.example']", Some(1)),
            ("['a.example', 'a.example']", None),
            ("['a.example', 7]", None),
            ("[]", None),
            ("7", None),
        ] {
            let relays = settings(&format!("relay = {relay}\n")).relays();
            assert_eq!(relays.map(|relays| relays.others.len()), of, "{relay}");
        }
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/gateway.toml");
        write(&file, "a = 1\n", |_| Ok(())).unwrap();
        let refused = write(&file, "b = 2\n", |unfinished| {
            assert_eq!(fs::read_to_string(unfinished).unwrap(), "b = 2\n");
            anyhow::bail!("no")
        });
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "a = 1\n");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        let error = write(&folder.path().join("new/gateway.toml/x"), "", |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("--config"), "{error}");
    }

    #[test]
    fn a_broken_file_is_told_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        assert!(Settings::load(&file).unwrap().is_new);
        fs::write(&file, "a = 1\n\nb = \n").unwrap();
        let error = Settings::load(&file).unwrap_err().to_string();
        assert!(error.contains("is not TOML in line 3"), "{error}");
    }
}

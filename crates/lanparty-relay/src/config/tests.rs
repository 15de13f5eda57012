use super::*;
use crate::registry::JoinLimits;
use crate::room::Rate;
use clap::CommandFactory as _;

/// Every setting: its name, its default (if it has one), and a value that is none of the defaults.
const SETTINGS: [(&str, Option<&str>, &str); 40] = [
    ("metrics", None, "127.0.0.1:9464"),
    ("threads", None, "33"),
    ("listen", Some("443/udp"), "127.0.0.1:4433"),
    ("tcp-listen", None, "127.0.0.1:8443"),
    ("dev-cert-der-out", None, "a/b.der"),
    ("state", None, "a/state"),
    ("cert", None, "a/chain.pem"),
    ("key", None, "a/key.pem"),
    ("server-name", Some("lanparty-relay"), "lan.example"),
    ("congestion", Some("gate"), "cubic"),
    ("max-rooms", Some("256"), "1"),
    ("max-peers", Some("1024"), "2"),
    ("max-peers-per-address", Some("32"), "3"),
    ("max-clients-per-room", Some("64"), "4"),
    ("max-peers-per-network", Some("128"), "24"),
    ("max-rooms-per-address", Some("8"), "25"),
    ("max-rooms-per-network", Some("32"), "26"),
    ("max-joins", Some("30"), "27"),
    ("max-joins-per-address", Some("250"), "28"),
    ("max-handshakes-per-network", Some("256"), "29"),
    ("max-handshakes", Some("512"), "11"),
    ("max-handshakes-per-address", Some("64"), "12"),
    ("guess-burst", Some("128"), "13"),
    ("guess-rate", Some("16"), "14"),
    ("room-guess-burst", Some("512"), "15"),
    ("room-guess-rate", Some("64"), "17"),
    ("control-burst", Some("64"), "18"),
    ("control-rate", Some("32"), "19"),
    ("frame-burst", Some("8192"), "20"),
    ("frame-rate", Some("20000"), "21"),
    ("lan-broadcast-burst", Some("1024"), "22"),
    ("lan-broadcast-rate", Some("512"), "23"),
    ("broadcast-burst", Some("128"), "5"),
    ("broadcast-rate", Some("64"), "6"),
    ("unknown-unicast-burst", Some("64"), "7"),
    ("unknown-unicast-rate", Some("32"), "8"),
    ("byte-burst", Some("4194304"), "9000"),
    ("byte-rate", Some("12500000"), "10"),
    ("region", None, "Paris"),
    ("log-format", Some("human"), "json"),
];

#[test]
fn every_flag_has_this_spelling_and_this_default() {
    let mut command = RelayArgs::command();
    command.build();
    let mut flags: Vec<_> = command
        .get_arguments()
        .filter(|flag| {
            !matches!(
                flag.get_id().as_str(),
                "config"
                    | "check"
                    | "help"
                    | "version"
                    | "log"
                    | "access_token"
                    | "access_token_file"
                    | "take_over"
                    | "reload"
                    | "tells_starter"
                    | "no_introductions"
                    | "no_tcp"
                    | "directory"
                    | "directory_password_file"
                    | "fleet_secret_file"
                    | "advertise"
                    | "on_directory_loss"
            )
        })
        .map(|flag| {
            let defaults = flag.get_default_values();
            let default = defaults.first().map(|value| value.to_str().unwrap());
            (flag.get_long().unwrap(), default)
        })
        .collect();
    let mut expected: Vec<_> = SETTINGS.map(|(flag, default, _)| (flag, default)).into();
    flags.sort_unstable();
    expected.sort_unstable();
    assert_eq!(flags, expected);
    command.debug_assert();
}

#[test]
fn without_flags_it_listens_on_443_with_the_default_limits() {
    assert_eq!(config("", "").unwrap(), default());
}

#[test]
fn every_setting_can_be_made_by_flag_and_by_file() {
    let expected = Config {
        listen: "127.0.0.1:4433".parse().unwrap(),
        tcp: Tcp::At("127.0.0.1:8443".parse().unwrap()),
        server_name: "lan.example".to_owned(),
        identity: IdentitySource::Files {
            cert: "a/chain.pem".into(),
            key: "a/key.pem".into(),
        },
        dev_cert_der_out: Some("a/b.der".into()),
        limits: Limits {
            rooms: 1,
            peers: 2,
            peers_per_address: 3,
            peers_per_network: 24,
            rooms_per_address: 25,
            rooms_per_network: 26,
            joins: JoinLimits {
                per_identity: 27,
                per_address: 28,
            },
            clients_per_room: 4,
        },
        rates: Rates {
            control: rate(18, 19),
            group: rate(5, 6),
            unknown: rate(7, 8),
            frames: rate(20, 21),
            bytes: rate(9000, 10),
            lan: rate(22, 23),
        },
        knocks: KnockLimits {
            at_once: 11,
            per_address: 12,
            per_network: 29,
        },
        guesses: GuessLimits {
            per_source: rate(13, 14),
            per_room: rate(15, 17),
        },
        access: None,
        socket: None,
        is_access_hidden: false,
        introduces: true,
        fleet: None,
        region: Some("Paris".into()),
        handover: None,
        takes_over: false,
        tells_starter: false,
        settings: None,
        only: None,
        congestion: Congestion::Cubic,
        threads: NonZeroUsize::new(33),
        metrics: Some("127.0.0.1:9464".parse().unwrap()),
    };
    let flags = SETTINGS.map(|(flag, _, value)| format!("--{flag} {value} "));
    assert_eq!(config("", &flags.concat()).unwrap(), expected);
    let file = SETTINGS.map(|(key, _, value)| match value.parse::<u32>() {
        Ok(number) => format!("{key} = {number}\n"),
        Err(_) => format!("{key} = \"{value}\"\n"),
    });
    assert_eq!(config(&file.concat(), "").unwrap(), expected);
}

#[test]
fn an_operator_may_want_nobody_introduced() {
    let introduces = |file, flags| config(file, flags).unwrap().introduces;
    assert!(introduces("", ""));
    assert!(!introduces("", "--no-introductions"));
    assert!(!introduces("no-introductions = true\n", ""));
    assert!(introduces("no-introductions = false\n", ""));
}

#[test]
fn a_region_is_a_word_or_two() {
    for name in [
        "Paris",
        "Frankfurt am Main",
        "us-east 2",
        "Zürich",
        &"a".repeat(32),
    ] {
        let read = config(&format!("region = '{name}'"), "").unwrap().region;
        assert_eq!(read, Some(name.into()));
    }
    for wrong in [
        "",
        " ",
        " Paris",
        "a\tb",
        "a/b",
        "<b>",
        "Paris!",
        &"a".repeat(33),
    ] {
        let said = config(&format!("region = '{wrong}'"), "").unwrap_err();
        assert!(said.to_string().contains("1 to 32 letters"), "{said}");
    }
}

#[test]
fn a_fleet_needs_a_directory_a_secret_and_an_address_and_a_program_that_knows_fleets() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct horse battery\n").unwrap();
    let secret = format!("fleet-secret-file = '{}'\n", secret.display());
    let (directory, here) = (
        "directory = 'etcd://127.0.0.1:2379'\n",
        "advertise = 'a.example'\n",
    );
    let said = |file: &str| config(file, "").unwrap_err().to_string();
    assert!(said(here).contains("--advertise is of no use without --directory"));
    assert!(said(&secret).contains("--fleet-secret-file is of no use"));
    let whole = format!("{directory}{secret}{here}on-directory-loss = 'close'\n");
    if !cfg!(feature = "cluster-etcd") {
        assert!(said(&whole).contains("was built without fleets"));
        assert!(said(directory).contains("was built without fleets"));
        return;
    }
    let fleet = config(&whole, "").unwrap().fleet.unwrap();
    assert_eq!(fleet.directory, "etcd://127.0.0.1:2379");
    assert_eq!(fleet.secret.expose(), "correct horse battery");
    assert_eq!(fleet.advertise.to_string(), "a.example:443");
    assert_eq!(fleet.on_loss, OnDirectoryLoss::Close);
    assert_eq!(fleet.password, None);
    let password = folder.path().join("password");
    std::fs::write(&password, "battery staple\n").unwrap();
    let password = format!("directory-password-file = '{}'\n", password.display());
    assert!(said(&password).contains("--directory-password-file is of no use"));
    let fleet = config(&format!("{whole}{password}"), "")
        .unwrap()
        .fleet
        .unwrap();
    assert_eq!(fleet.password.as_ref().unwrap().expose(), "battery staple");
    let shown = format!("{fleet:?}");
    assert!(
        !shown.contains("horse") && !shown.contains("staple"),
        "{shown}"
    );
    assert!(said(directory).contains("needs --fleet-secret-file"));
    assert!(said(&format!("{directory}{secret}")).contains("needs --advertise HOST:PORT"));
    let nowhere = "fleet-secret-file = '/nowhere/secret'\n";
    assert!(said(&format!("{directory}{here}{nowhere}")).contains("/nowhere/secret"));
    assert!(config(&whole, "--advertise a/b").is_err());
}

#[test]
fn it_listens_for_tcp_beside_udp_unless_somebody_says_otherwise() {
    let tcp = |file, flags| config(file, flags).unwrap().tcp;
    let proxied = Tcp::At("127.0.0.1:8443".parse().unwrap());
    assert_eq!(tcp("", ""), Tcp::Beside);
    assert_eq!(tcp("", "--no-tcp"), Tcp::Off);
    assert_eq!(tcp("no-tcp = true", ""), Tcp::Off);
    assert_eq!(tcp("no-tcp = false", ""), Tcp::Beside);
    assert_eq!(tcp("tcp-listen = '127.0.0.1:8443'", ""), proxied);
    // A flag wins over the file.
    assert_eq!(tcp("no-tcp = true", "--tcp-listen 127.0.0.1:8443"), proxied);
    assert_eq!(tcp("tcp-listen = '127.0.0.1:8443'", "--no-tcp"), Tcp::Off);
    assert!(config("", "--no-tcp --tcp-listen 127.0.0.1:8443").is_err());
    let udp = "[::]:443".parse().unwrap();
    assert_eq!(Tcp::Beside.beside(udp), Some(udp));
    assert_eq!(Tcp::Off.beside(udp), None);
    assert_eq!(proxied.beside(udp).unwrap().port(), 8443);
}

#[test]
fn there_are_as_many_threads_as_processors_or_as_was_said() {
    let threads = |flags| config("", flags).unwrap().thread_count().get();
    let all = std::thread::available_parallelism().unwrap().get();
    assert_eq!(threads(""), all.min(64));
    assert_eq!((threads("--threads 1"), threads("--threads 64")), (1, 64));
    for wrong in ["0", "65", "-1", "all", ""] {
        let said = config(&format!("threads = \"{wrong}\""), "").unwrap_err();
        assert!(said.to_string().contains("from 1 to 64"), "{said}");
    }
    let alone = Config::new("443/udp".parse().unwrap());
    assert_eq!(alone.thread_count().get(), 1, "inside another program");
}

#[test]
fn a_flag_wins_over_the_file_wherever_it_stands() {
    let file = "max-rooms = 7\nmax-peers = 8\n";
    for flags in ["--max-peers 9", "--max-peers=9 --byte-rate 10"] {
        let limits = config(file, flags).unwrap().limits;
        assert_eq!((limits.rooms, limits.peers), (7, 9));
        assert_eq!(limits.clients_per_room, default().limits.clients_per_room);
    }
    // Even where it says what the default is.
    assert_eq!(config(file, "--max-rooms 256").unwrap(), {
        let mut expected = default();
        expected.limits.peers = 8;
        expected
    });
}

#[test]
fn a_file_may_say_what_to_log_unless_a_flag_does() {
    let log = |flags| {
        read("log = \"debug\"\n", flags)
            .unwrap()
            .log
            .log
            .unwrap()
            .to_string()
    };
    assert_eq!(log(""), "debug");
    assert_eq!(log("--log warn"), "warn");
}

#[test]
fn the_file_that_we_ship_is_complete_and_holds_the_defaults() {
    let shipped = include_str!("../../../../dist/relay.toml");
    assert_eq!(config(shipped, "").unwrap(), default());
    let keys: toml::Table = shipped.parse().unwrap();
    for (key, default, _) in SETTINGS {
        let Some(default) = default else {
            assert!(shipped.contains(&format!("\n# {key} = ")), "{key}");
            continue;
        };
        let number = keys[key].as_integer().map(|number| number.to_string());
        let value = number.or(keys[key].as_str().map(str::to_owned));
        assert_eq!(value.as_deref(), Some(default), "{key}");
    }
    assert_eq!(keys["log"].as_str(), Some("info"));
}

#[test]
fn settings_are_read_again_from_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let words = [
        "lanparty-relay",
        "--max-peers",
        "9",
        "--state",
        "x",
        "--config",
    ];
    let words = words.map(OsString::from).into_iter();
    let words: Vec<_> = words.chain([file.clone().into()]).collect();
    let rooms = |config: &Config| (config.limits.rooms, config.limits.peers);
    std::fs::write(&file, "max-rooms = 7").unwrap();
    let config = Config::try_from(RelayArgs::read(words).unwrap()).unwrap();
    assert_eq!(rooms(&config), (7, 9));
    assert_eq!(config.socket, Some("x/relay.ctl".into()));
    let settings = config.settings.unwrap();
    assert_eq!(settings.folders(), [folder.path()]);
    std::fs::write(&file, "max-rooms = 8").unwrap();
    assert_eq!(rooms(&settings.read().unwrap()), (8, 9));
    std::fs::write(&file, "max-rooms = 0").unwrap();
    assert!(settings.read().is_err());
}

#[test]
fn an_access_token_comes_from_a_file_of_its_own_or_this_one() {
    let token = "correct-horse-battery".parse().ok();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "correct-horse-battery\n").unwrap();
    let path = file.path().display();
    for settings in [
        format!("access-token-file = '{path}'"),
        "access-token = 'correct-horse-battery'".to_owned(),
    ] {
        assert_eq!(config(&settings, "").unwrap().access, token);
    }
    let error = config("access-token = 's3cret'", "").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    let shipped = include_str!("../../../../dist/relay.toml");
    assert!(shipped.contains("\n# access-token-file = "));
}

#[test]
fn an_access_token_by_flag_wins_over_the_files_whichever_way_that_gives_one() {
    let token = "correct-horse-battery".parse().ok();
    let own = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(own.path(), "correct-horse-battery\n").unwrap();
    let by_file = format!("--access-token-file {}", own.path().display());
    for flags in ["--access-token correct-horse-battery", &by_file] {
        for settings in [
            "access-token-file = '/no/such'",
            "access-token = 'another-horse-battery'",
        ] {
            assert_eq!(config(settings, flags).unwrap().access, token);
        }
    }
}

#[test]
fn a_certificate_needs_its_key_and_replaces_the_kept_one() {
    let identity = |file, flags| config(file, flags).unwrap().identity;
    let kept = IdentitySource::Kept(Some("x".into()));
    assert_eq!(identity("state = 'x'", ""), kept);
    let files = IdentitySource::Files {
        cert: "c".into(),
        key: "k".into(),
    };
    assert_eq!(identity("cert = 'c'\nkey = 'k'", "--state x"), files);
    for (file, flags) in [("", "--cert c"), ("", "--key k")] {
        let error = config(file, flags).unwrap_err();
        assert!(
            matches!(error, ArgsError::Usage(_)),
            "{file}{flags}: {error}"
        );
    }
}

#[test]
fn values_with_which_no_relay_works_are_refused() {
    for (key, value) in [
        ("max-rooms", "0"),
        ("max-peers", "0"),
        ("max-handshakes", "0"),
        ("byte-burst", "1513"),
        ("frame-burst", "0"),
        ("listen", "443/tcp"),
        ("server-name", "a_b!"),
        ("log-format", "xml"),
    ] {
        let flags = format!("--{key} {value}");
        assert!(
            matches!(config("", &flags), Err(ArgsError::Usage(_))),
            "{flags}"
        );
        let error = config(&format!("{key} = \"{value}\""), "").unwrap_err();
        let start = format!("relay.toml has {key} = {value} in line 1, which cannot be: ");
        assert!(one_sentence(&error).contains(&start), "{error}");
    }
}

#[test]
fn a_bad_file_is_told_in_one_sentence() {
    for (file, says) in [
        (
            "max-romms = 3",
            "relay.toml has an unknown key max-romms in line 1; did you mean max-rooms? Keys are",
        ),
        (
            "max_rooms = 3",
            "relay.toml has an unknown key max_rooms in line 1; did you mean max-rooms? Keys are",
        ),
        (
            "listen = '443/udp'\nMax-Clients = 3",
            "an unknown key Max-Clients in line 2; did you mean max-clients-per-room? Keys are",
        ),
        (
            "log-format = 'yaml'",
            "log-format = yaml in line 1, which cannot be: it is one of human, json",
        ),
        (
            "config = 'x'",
            "relay.toml has an unknown key config in line 1;",
        ),
        (
            "help = 'x'",
            "relay.toml has an unknown key help in line 1; keys are named like",
        ),
        (
            "[limits]\nmax-rooms = 3",
            "an unknown key limits in line 1;",
        ),
        (
            "max-rooms = true",
            "max-rooms = boolean in line 1, which cannot be: a value is",
        ),
        (
            "listen = '443/udp'\n\nmax-rooms = -1",
            "max-rooms = -1 in line 3, which cannot be: it must be a whole number from 1 to 4294967295",
        ),
        (
            "max-peers = 'many'",
            "max-peers = many in line 1, which cannot be: it must be a whole number from 1 to 4294967295",
        ),
        ("byte-burst = 9", "a whole number from 1514 to 4294967295"),
        (
            "log = 'loud'",
            "log = loud in line 1, which cannot be: `loud` is no level",
        ),
        ("\ncert = 'c'", "relay.toml has cert in line 2 and no key,"),
        ("key = 'k'", "relay.toml has key in line 1 and no cert,"),
        ("listen = 443", "write it like 443/udp"),
        ("max-rooms = 3\n\nmax-peers\n", "is not TOML in line 3: "),
        ("max-rooms = 3\nmax-rooms = 4\n", "is not TOML in line 2: "),
    ] {
        let error = config(file, "").unwrap_err();
        assert!(one_sentence(&error).contains(says), "{error}");
    }
    let words = ["lanparty-relay", "--config", "no/such.toml"].map(OsString::from);
    let error = RelayArgs::read(words).unwrap_err();
    let says = "the configuration no/such.toml cannot be read: ";
    assert!(one_sentence(&error).starts_with(says), "{error}");
}

fn default() -> Config {
    Config {
        tcp: Tcp::Beside,
        identity: IdentitySource::Kept(None),
        threads: None,
        ..Config::new("443/udp".parse().unwrap())
    }
}

fn rate(burst: u32, per_second: u32) -> Rate {
    Rate { burst, per_second }
}

fn config(file: &str, flags: &str) -> Result<Config, ArgsError> {
    let config = Config::try_from(read(file, flags)?)?;
    Ok(Config {
        socket: None,
        handover: None,
        settings: None,
        ..config
    })
}

/// What a file of this content and these flags make together.
fn read(content: &str, flags: &str) -> Result<RelayArgs, ArgsError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, content).unwrap();
    let words = ["lanparty-relay".into(), "--config".into(), file.into()];
    let flags = flags.split_whitespace().map(OsString::from);
    RelayArgs::read(words.into_iter().chain(flags))
}

fn one_sentence(error: &ArgsError) -> String {
    let text = error.to_string();
    assert!(
        matches!(error, ArgsError::File(_)) && !text.contains('\n'),
        "{text}"
    );
    text
}

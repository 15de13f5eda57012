//! Flags and files of a gateway.

use super::*;
use std::fs;

const RELAY: [&str; 5] = [
    "lanparty-gateway",
    "--relay",
    "r.example",
    "--room",
    "friday",
];

const PIN: &str = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

fn parse(more: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(RELAY.iter().chain(more))
}

#[test]
fn the_flags_make_sense_together() {
    Args::command().debug_assert();
}

#[test]
fn an_interface_has_two_spellings_and_may_be_left_to_the_program() {
    for flag in ["--interface", "--iface"] {
        let named = parse(&[flag, "eth0"]).unwrap().lan.interface;
        assert_eq!(named.as_deref(), Some("eth0"));
    }
    assert_eq!(parse(&[]).unwrap().lan.interface, None);
}

#[test]
fn of_what_is_said_about_this_machine_the_last_word_counts() {
    let meant = |more: &[&str]| {
        let flags = [&["--iface", "eth0"], more].concat();
        parse(&flags)
            .unwrap()
            .lan
            .this_machine(ThisMachine::IfPossible)
    };
    let [with, without] = ["--with-this-machine", "--without-this-machine"];
    assert_eq!(meant(&[]), ThisMachine::IfPossible);
    assert_eq!(meant(&[with]), ThisMachine::With);
    assert_eq!(meant(&[without]), ThisMachine::Without);
    assert_eq!(meant(&[without, with]), ThisMachine::With);
    assert_eq!(meant(&[with, without]), ThisMachine::Without);
}

#[test]
fn the_place_is_kept_where_the_system_says_or_at_home() {
    let state = |variables: &[(&str, &str)]| {
        let value = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.into());
        default_state("eth0", value)
    };
    let file = |folder: &str| {
        Some(
            [folder, "lanparty-gateway-eth0.place.json"]
                .iter()
                .collect(),
        )
    };
    let home = ("HOME", "/root");
    assert_eq!(state(&[home]), file("/root/.local/state"));
    let service = ("STATE_DIRECTORY", "/var/lib/lanparty");
    assert_eq!(state(&[home, service]), file("/var/lib/lanparty"));
    assert_eq!(state(&[("HOME", "here")]), None);
    let given = parse(&["--iface", "eth0", "--state", "x.json"]).unwrap();
    assert_eq!(given.lan.state, Some("x.json".into()));
}

#[test]
fn what_players_may_reach_is_a_flag() {
    let reach = |more: &[&str]| {
        let flags = [&["--iface", "eth0"], more].concat();
        Ok::<_, clap::Error>(parse(&flags)?.lan.reach.to_string())
    };
    assert_eq!(reach(&[]).unwrap(), "everything");
    assert_eq!(
        reach(&["--reach", "games, [fd00::2]:445/tcp"]).unwrap(),
        "games,[fd00::2]:445/tcp"
    );
    let error = reach(&["--reach", "game"]).unwrap_err().to_string();
    assert!(
        error.contains("does not begin with an IP address"),
        "{error}"
    );
}

#[test]
fn a_service_opens_no_room_to_which_everybody_has_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().to_str().unwrap();
    let args = || parse(&["--iface", "eth0", "--keys", keys, "--pin", PIN]).unwrap();
    assert!(args().load_for(false).unwrap().relay.key.is_none());
    let service = args().load_for(true).unwrap().relay;
    assert!(service.key.is_some() && service.host_key.is_some());
    let later = args().load_for(false).unwrap().relay;
    assert!(later.key.is_some(), "it is kept for invites");
}

#[test]
fn the_shared_flags_are_there() {
    let args = parse(&[
        "--iface",
        "eth0",
        "--server-name",
        "lanparty-relay",
        "--relay-ca-cert",
        "relay.der",
        "--datagram-budget",
        "1200",
        "--log-format",
        "json",
        "--log",
        "debug",
    ])
    .unwrap();
    assert_eq!(args.relay.room.unwrap().as_str(), "FRIDAY");
    assert_eq!(args.relay.relay, ["r.example".parse().unwrap()]);
}

#[test]
fn relays_are_known_by_the_pins_of_the_invites_that_were_made_here() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().to_str().unwrap();
    let others = ["--relay", "s.example", "--relay", "t.example~"];
    let other = format!("t.example~{PIN}");
    let load = |more: &[&str]| {
        let flags = [
            &["--keys", keys, "--relay", "s.example", "--relay", &other],
            more,
        ]
        .concat();
        parse(&flags).unwrap().load_for(false).unwrap().relay
    };
    assert!(parse(&others).is_err(), "no pin is no pin");
    let room = "FRIDAY".parse().unwrap();
    let relays = ["r.example", "s.example", "t.example"].map(|relay| relay.parse().unwrap());
    let pins = [7, 8, 9].map(|byte| lanparty_ctrl::Pin::from_sha256([byte; 32]));
    let known: Vec<_> = relays.into_iter().zip(pins).collect();
    keys::keep_pins(Some(folder.path()), &room, &known).unwrap();
    let relay = load(&[]);
    assert_eq!(relay.trust.pin(), Some(pins[0]));
    assert_eq!(relay.others[0].pin, Some(pins[1]));
    assert_eq!(relay.others[1].pin, PIN.parse().ok(), "the flag counts");
    let relay = load(&["--pin", PIN]);
    assert_eq!(relay.trust.pin(), PIN.parse().ok());
}

#[test]
fn a_file_names_one_relay_or_several() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let file = file.to_str().unwrap();
    let read = |relays: &str, more: &[&str]| {
        fs::write(file, format!("room = 'FRIDAY'\nrelay = {relays}\n")).unwrap();
        let line = [&["lanparty-gateway", "--config", file], more].concat();
        Args::read(words(&line))
    };
    let several = format!("['r.example', 's.example:4433~{PIN}']");
    let args = read(&several, &["--interface", "eth0"]).unwrap();
    let relay = args.relay.clone().load().unwrap();
    assert_eq!(relay.address.to_string(), "r.example:443");
    assert_eq!(
        relay.others,
        [format!("s.example:4433~{PIN}").parse().unwrap()]
    );
    assert!(args.check().is_ok());
    let args = read(&several, &["--relay", "x.example"]).unwrap();
    assert_eq!(
        args.relay.relay,
        ["x.example".parse().unwrap()],
        "the flag counts"
    );
    for (wrong, says) in [
        ("['r.example', 's:x']", "relay = s:x in line 2"),
        ("['r.example', 's.example~x']", "is no pin"),
        ("true", "or several in [brackets]"),
    ] {
        let error = read(wrong, &[]).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let twice = read("['r.example', 'R.example']", &[]).unwrap();
    let error = twice.check().unwrap_err().to_string();
    assert!(error.contains("named twice"), "{error}");
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn one_file_says_which_kind_of_party_and_all_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let file = file.to_str().unwrap();
    let read = |text: &str, more: &[&str]| {
        fs::write(file, text).unwrap();
        let line = [&["lanparty-gateway", "--config", file], more].concat();
        Args::read(words(&line))
    };
    let relay = "mode = 'relay'\nrelay = 'r.example'\nroom = 'FRIDAY'\ninterface = 'eth1'\nwith-this-machine = true\n";
    let args = read(relay, &["--interface", "eth0"]).unwrap();
    assert_eq!(args.lan.interface.as_deref(), Some("eth0"), "the flag wins");
    assert_eq!(args.relay.relay, ["r.example".parse().unwrap()]);
    let off = relay.replace("true", "false");
    for (text, with) in [(relay, ThisMachine::With), (&off, ThisMachine::Without)] {
        let args = read(text, &[]).unwrap();
        assert_eq!(args.lan.this_machine(ThisMachine::Without), with);
    }
    let error = |text: &str| read(text, &[]).unwrap_err().to_string();
    for (wrong, says) in [
        (
            "mode = 'relay'\n\nrealy = 'r'",
            "unknown key realy in line 3; did you mean relay?",
        ),
        (
            "mode = 'party'",
            "mode = party in line 1, which cannot be: it is one of host, relay",
        ),
        ("with-this-machine = 'yes'", "it is true or false"),
        (
            "interface = ['eth0']",
            "a value is a \"text\" or a whole number",
        ),
        (
            "access-token = 'correct-horse-battery'",
            "access token in line 1",
        ),
        ("relay = 'r:x'", "in line 1, which cannot be: "),
    ] {
        let told = error(wrong);
        assert!(
            told.contains(says) && !told.contains("correct-horse"),
            "{told}"
        );
    }
    // Who gives an invite means another party than the file's.
    let invite = "lanparty://x.example/MONDAY#key=MDEyMzQ1Njc4OWFiY2RlZg";
    let args = read(relay, &[invite]).unwrap();
    assert!(args.relay.relay.is_empty() && args.relay.room.is_none());
}

#[test]
fn the_files_kind_of_party_is_known_before_its_flags_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let file = file.to_str().unwrap();
    let joined = format!("--config={file}");
    for (text, mode) in [
        ("mode = 'host'", Some(Mode::Host)),
        ("interface = 'x'\nmode = \"relay\"", Some(Mode::Relay)),
        ("", None),
        ("mode = 3", None),
        ("mode =", None),
    ] {
        fs::write(file, text).unwrap();
        for line in [
            &["x", "--config", file][..],
            &["x", "--log", "info", &joined],
        ] {
            assert_eq!(mode_in(&words(line)), mode, "{text}");
        }
    }
    assert_eq!(mode_in(&words(&["x", "--config"])), None);
    assert_eq!(mode_in(&words(&["x", "--config", "/no/such"])), None);
}

use super::*;
use clap::Parser;
use lanparty_client_control::{
    FixOffer, LanAddress, Loss, Measured, Member, Party, Ping, RelayPlace, State, Warning, Way,
};
use lanparty_obs::NotDirect;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("lanparty-client").chain(line.split(' '));
    Program::try_parse_from(words).map(|program| program.command)
}

#[test]
fn the_commands_are_spelled_like_this() {
    for line in [
        "join @invite.txt",
        "join - --name Anna",
        "join FRIDAY-LAN --wait 0",
        "join FRIDAY-LAN --name Anna",
        "leave",
        "status --json --watch",
        "ping",
        "ping Bert -c 10",
        "games",
        "doctor --fix --json",
        "doctor --relay relay.example.net",
        "invite",
        "rooms",
        "forget FRIDAY-LAN",
        "autojoin on",
        "autojoin off --socket x.sock",
        "direct off",
        "direct on --socket x.sock",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
    for wrong in [
        "join",
        "forget",
        "autojoin",
        "autojoin maybe",
        "direct maybe",
        "join X --wait soon",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn every_end_has_its_code_and_the_help_names_them() {
    let code = |error: DoorError| Trouble::from(error).code as u8;
    assert_eq!(code(DoorError::NotRunning), 4);
    assert_eq!(code(DoorError::NotPermitted), 5);
    assert_eq!(
        code(DoorError::Strange(io::ErrorKind::InvalidData.into())),
        1
    );
    assert_eq!(Trouble::not_connected("").code as u8, 3);
    for code in 0..=5 {
        assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "{code}");
    }
}

#[test]
fn a_person_reads_all_of_it_at_once() {
    let text = show::status(&connected());
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let expected = "\
Connected for 3 min: Friday night at relay.example.net:443, joined by anna
  All is well.
  address   192.168.50.17
  ping      23 ms (good, 0.3 % lost)
  way       relay 23 ms
            Your router gives every destination another port (symmetric NAT), so the host's answers do not find you; IPv6 on both sides, another network here, or a port opened in the host's router (UPnP) makes up for it.
  ! The invite ends soon.

WHO IS HERE      PING TO THEM  WAY
the party's LAN  23 ms         relay  talks
Bert                           relay";
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    let elsewhere = Snapshot {
        place: Some(RelayPlace {
            number: Some(2),
            of: 3,
            address: "paris.example.net:443".to_owned(),
            region: Some("Paris".to_owned()),
        }),
        ..connected()
    };
    let text = show::status(&elsewhere);
    let head = "Connected for 3 min: Friday night at paris.example.net:443, joined by anna\n";
    assert!(text.starts_with(head), "{text}");
    let row = "\n  relay     2 of 3, Paris (paris.example.net:443)\n";
    assert!(text.contains(row), "{text}");
    let idle = show::status(&Snapshot::idle(VERSION));
    assert_eq!(idle, "Not connected\n  Not connected to a party.\n");
}

#[test]
fn another_version_is_said_in_a_line_of_its_own() {
    let old = Snapshot::idle("0.0.9");
    let text = show::status(&old);
    let line = text.lines().last().unwrap();
    assert!(
        line.contains("version 0.0.9") && line.contains(VERSION),
        "{text}"
    );
    assert_eq!(show::versions_differ(&Snapshot::idle(VERSION)), None);
}

#[test]
fn a_ping_says_how_much_of_it_is_whose() {
    let said = |who| ping::sentence(&connected(), who).map_err(|trouble| trouble.sentence);
    let lan = "the LAN by the relay: 23 ms (20 ms to the relay, 3 ms from there)";
    assert_eq!(said(None).unwrap(), lan);
    assert!(said(Some("bert")).unwrap().contains("not known"));
    let nobody = said(Some("zoe")).unwrap_err();
    assert!(nobody.contains("nobody in the room"), "{nobody}");
}

#[test]
fn a_direct_way_stands_beside_the_one_by_the_relay() {
    let direct = Snapshot {
        way: Some(Way::Direct),
        relay: Measured {
            rtt_us: Some(31_000),
            loss_permille: None,
        },
        not_direct: None,
        ..connected()
    };
    let said = ping::sentence(&direct, None).map_err(|trouble| trouble.sentence);
    assert_eq!(
        said.unwrap(),
        "the LAN directly: 23 ms (31 ms by the relay)"
    );
    let text = show::status(&direct);
    let way = "  way       direct 23 ms\n            by the relay it would be 31 ms\n";
    assert!(text.contains(way), "{text}");
}

fn connected() -> Snapshot {
    let member = |name: Option<&str>, ping_us: Option<u32>| Member {
        name: name.map(str::to_owned),
        mac: None,
        is_gateway: name.is_none(),
        ping_us,
        way: Some(Way::Relay),
        talks: name.is_none(),
    };
    Snapshot {
        state: State::Connected,
        state_ms: 200_000,
        sentence: "All is well.".to_owned(),
        party: Some(Party {
            room: "FRIDAY".to_owned(),
            name: Some("Friday night".to_owned()),
            relay: "relay.example.net:443".to_owned(),
            also: Vec::new(),
            others: Vec::new(),
            expires: None,
            joined_by: Some("anna".to_owned()),
        }),
        address: Some(LanAddress {
            ip: "192.168.50.17".parse().unwrap(),
            made_up: false,
        }),
        ping: Ping {
            us: Some(23_200),
            minute: vec![Some(23_200)],
            loss: Some(Loss(3)),
        },
        way: Some(Way::Relay),
        not_direct: Some(NotDirect::PlayerNat.to_player()),
        members: vec![member(None, Some(3_200)), member(Some("Bert"), None)],
        warnings: vec![Warning {
            id: "invite_ends".to_owned(),
            sentence: "The invite ends soon.".to_owned(),
            fix: None::<FixOffer>,
        }],
        ..Snapshot::idle(VERSION)
    }
}

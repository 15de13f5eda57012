use super::*;
use clap::CommandFactory;

#[test]
fn the_words_make_sense_together() {
    CtlArgs::command().debug_assert();
    let words = ["ctl", "isolate", "on", "--iface", "eth0"];
    let args = CtlArgs::parse_from(words);
    assert_eq!(args.interface.as_deref(), Some("eth0"));
    assert!(matches!(args.order, Order::Isolate { state: Switch::On }));
}

#[test]
fn what_players_may_reach_is_said_in_words() {
    let asked = |words: &[&str]| {
        let words = [&["ctl", "reach"], words].concat();
        match CtlArgs::try_parse_from(words).unwrap().order {
            Order::Reach {
                player,
                what,
                named,
            } => {
                let request = reach(player, what, named).map_err(|error| error.to_string())?;
                Ok::<_, String>(serde_json::to_string(&request).unwrap())
            }
            _ => panic!("another order"),
        }
    };
    assert_eq!(asked(&[]), Ok(r#"{"do":"reaches"}"#.to_owned()));
    assert_eq!(
        asked(&["only", "10.0.0.2:1,10.0.0.3", "10.0.0.4"]),
        Ok(r#"{"do":"reach","who":null,"reach":{"only":{"allowed":["10.0.0.2:1","10.0.0.3","10.0.0.4"]}}}"#.to_owned())
    );
    assert_eq!(
        asked(&["--player", "Bert", "games"]),
        Ok(r#"{"do":"reach","who":"Bert","reach":{"games":{"also":[]}}}"#.to_owned())
    );
    assert_eq!(
        asked(&["default"]),
        Ok(r#"{"do":"reach","who":null,"reach":null}"#.to_owned())
    );
    assert!(asked(&["everything", "10.0.0.2"]).is_err());
    assert!(asked(&["--player", "Bert"]).is_err());
}

#[test]
fn a_player_is_named_by_a_key_that_begins_with_a_hyphen() {
    for order in ["kick", "ban", "unban", "mute", "unmute"] {
        let args = CtlArgs::try_parse_from(["ctl", order, "-gOoRZzx"]);
        assert!(args.is_ok(), "{order}");
    }
}

#[test]
fn a_player_or_the_party_is_renamed_and_never_both() {
    let parse = |words: &[&str]| CtlArgs::try_parse_from([&["ctl", "rename"], words].concat());
    assert!(parse(&["bert", "Bertie"]).is_ok());
    assert!(parse(&["bert", ""]).is_ok());
    assert!(parse(&["--party", "Friday"]).is_ok());
    for wrong in [&[][..], &["bert"], &["bert", "x", "--party", "y"]] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn several_gateways_are_told_apart_by_what_differs() {
    let sockets = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(Into::into).collect() };
    let two = sockets(&[
        "/a/lanparty-gateway-eth0.ctl",
        "/a/lanparty-gateway-eth1.ctl",
    ]);
    let said = which(&two);
    assert!(
        said.ends_with("`--interface eth0` or `--interface eth1`"),
        "{said}"
    );
    let same = sockets(&[
        "/a/lanparty-gateway-eth0.ctl",
        "/b/lanparty-gateway-eth0.ctl",
    ]);
    let said = which(&same);
    assert!(
        said.contains("`--socket /b/lanparty-gateway-eth0.ctl`"),
        "{said}"
    );
}

#[test]
fn without_a_gateway_there_is_one_sentence() {
    let args = ["ctl", "list", "--socket", "/nowhere/x.ctl"];
    let error = CtlArgs::parse_from(args).run().unwrap_err();
    assert!(
        error.to_string().starts_with("no gateway runs here"),
        "{error}"
    );
}

//! What is wrong, and what docs/errors.md says about it and about what the service refuses.

use super::*;
use lanparty_obs::Opening;
use lanparty_told::{Chapter, Told};

#[test]
fn what_is_wrong_is_said_beside_the_state_and_offers_what_helps() {
    let mut table = Table::new();
    table.join(&anna(), &format!("FRIDAY&expires={}", TODAY + 3600));
    let ids = |table: &Table| -> Vec<_> {
        let warnings = table.snapshot(&anna()).warnings;
        warnings.into_iter().map(|warning| warning.id).collect()
    };
    table.news(on_the_lan("fe80::1"));
    table.pass(14);
    assert_eq!(ids(&table), ["invite_ends"]);
    table.pass(1);
    assert_eq!(ids(&table), ["no_lan_address", "invite_ends"]);
    let fix = Request::Fix {
        fix: Fix::RenewAddress,
    };
    assert!(matches!(table.answered(&anna(), fix), Answer::Done(_)));
    table.desk.handle_saved(Err("no space left".to_owned()));
    table.news(PlayerStatus::AdapterAway);
    assert_eq!(ids(&table), ["adapter_away", "invite_ends", "not_kept"]);
    let adapter = "lanparty0".to_owned();
    table.news(PlayerStatus::AdapterDown { adapter });
    let snapshot = table.snapshot(&anna());
    let warning = &snapshot.warnings[0];
    assert_eq!(
        warning.fix.as_ref().map(|offer| offer.fix),
        Some(Fix::ResetAdapter)
    );
    // A service is not started again by who reads this, and they have a button.
    for said in [&snapshot.sentence, &warning.sentence] {
        assert!(said.contains("lanparty0"), "{said}");
        assert!(
            !said.contains("sudo") && !said.contains("this program"),
            "{said}"
        );
    }
    let mut hindered = news(PlayerStatus::Hindered {
        notice: "Nobody hears you.".to_owned(),
    });
    hindered.facts = facts("192.168.50.17");
    hindered.facts.notice = Some("Nobody hears you.".to_owned());
    table.desk.handle_news(table.now, hindered);
    assert_eq!(ids(&table), ["hindered", "invite_ends", "not_kept"]);
    let mut twin = news(on_the_lan("192.168.50.17"));
    twin.facts = facts("192.168.50.17");
    twin.facts.overlap = ["Home has it too.", "A collides.", "B collides."]
        .map(str::to_owned)
        .to_vec();
    table.desk.handle_news(table.now, twin);
    assert_eq!(
        ids(&table),
        ["same_network", "same_address", "invite_ends", "not_kept"]
    );
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.warnings[1].sentence, "A collides. B collides.");
    assert_eq!(snapshot.state, State::Connected);
    assert!(
        snapshot.sentence.contains("192.168.50.17"),
        "{}",
        snapshot.sentence
    );
}

#[test]
fn a_firewall_is_opened_by_a_press_and_never_unasked() {
    let mut table = Table::joined();
    for (opening, asks_admin) in [(Opening::Here, false), (Opening::ByAdmin, true)] {
        let mut hindered = news(PlayerStatus::Hindered {
            notice: "A firewall does.".to_owned(),
        });
        hindered.facts = facts("192.168.50.17");
        hindered.facts.notice = Some("A firewall does.".to_owned());
        hindered.facts.opening = Some(opening);
        table.desk.handle_news(table.now, hindered);
        let warnings = table.snapshot(&anna()).warnings;
        let offer = warnings[0].fix.as_ref().unwrap();
        assert_eq!(
            (offer.fix, offer.asks_admin),
            (Fix::LetPartyThrough, asks_admin)
        );
    }
    assert!(table.next().is_none());
    let fix = || Request::Fix {
        fix: Fix::LetPartyThrough,
    };
    let Answer::Refused(sentence) = table.answered(&bert(), fix()) else {
        panic!("it is anna's party")
    };
    assert!(sentence.contains("anna"), "{sentence}");
    table.ask(&anna(), fix());
    assert!(matches!(table.next(), Some(Output::LetPartyThrough(_))));
    let Answer::Refused(sentence) = Table::new().answered(&anna(), fix()) else {
        panic!("there is no party")
    };
    assert!(sentence.contains("no party"), "{sentence}");
}

#[test]
fn an_address_that_the_adapter_gave_itself_is_one_with_a_word() {
    let mut table = Table::new();
    table.join(&anna(), "FRIDAY");
    table.news(on_the_lan("169.254.7.7"));
    table.pass(3);
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.state, State::Connected);
    assert!(snapshot.address.unwrap().made_up);
    let ids = snapshot.warnings.iter().map(|warning| &warning.id[..]);
    assert_eq!(ids.collect::<Vec<_>>(), ["no_dhcp_server"]);
    let offer = snapshot.warnings[0].fix.as_ref().unwrap();
    assert_eq!(offer.fix, Fix::RenewAddress);
    table.news(on_the_lan("192.168.50.17"));
    assert!(table.snapshot(&anna()).warnings.is_empty());
}

#[test]
fn the_page_explains_what_the_service_says() {
    let mut table = Table::joined();
    let mut told = Vec::new();
    for (caller, request, means, remedy) in [
        (
            bert(),
            Request::Leave,
            "One person's party is not another's to end.",
            "Ask them; an administrator can.",
        ),
        (
            bert(),
            join("LAKE"),
            "A computer is in one party at a time.",
            "Join when they have left.",
        ),
        (
            anna(),
            room_as("LAKE", None),
            "No such name is among your rooms.",
            "`rooms` lists them; or give the invite.",
        ),
        (
            anna(),
            Request::Fix { fix: Fix::Repair },
            "What a killed run left cannot be told from what this one needs.",
            "Leave first.",
        ),
        (
            anna(),
            Request::Fix {
                fix: Fix::RestartService,
            },
            "Only the system starts services.",
            "The window's button, or `doctor --fix`.",
        ),
        (
            anna(),
            Request::Fix { fix: Fix::Unknown },
            "The window is newer than the service.",
            "Restart the service after an update.",
        ),
    ] {
        let Answer::Refused(sentence) = table.answered(&caller, request) else {
            panic!("that is not refused: {means}");
        };
        told.push(Told {
            sentence,
            means,
            remedy,
        });
    }
    let mut warn = |table: &Table, id: &str, means, remedy| {
        let warnings = table.snapshot(&anna()).warnings;
        let warning = warnings.into_iter().find(|warning| warning.id == id);
        let sentence = warning.unwrap_or_else(|| panic!("no {id}")).sentence;
        told.push(Told {
            sentence,
            means,
            remedy,
        });
    };
    table.desk.handle_saved(Err("no space left".to_owned()));
    warn(
        &table,
        "not_kept",
        "The service's folder cannot be written.",
        "Make room; nothing else is lost.",
    );
    table.news(on_the_lan("fe80::1"));
    table.pass(15);
    warn(
        &table,
        "no_lan_address",
        "For fifteen seconds the LAN's DHCP server has given nothing that can be used, and the adapter has found nothing either.",
        "Get an address tries again; the host looks at the DHCP server.",
    );
    table.news(on_the_lan("169.254.7.7"));
    warn(
        &table,
        "no_dhcp_server",
        "Nobody on the LAN gives an address, or none that can be used, so the adapter has looked for a free one itself. One from a DHCP server takes its place as soon as there is one.",
        "Play with others who have such an address; or the host starts a DHCP server.",
    );
    table.news_by(Way::RelayOverTcp, None);
    warn(
        &table,
        "over_tcp",
        "The network that you are in, or a firewall, lets no UDP through. Over TCP a lost packet holds up all those behind it.",
        "Play; or allow UDP to the relay's port, or take another network.",
    );
    let adapter = "lanparty0".to_owned();
    table.news(PlayerStatus::AdapterDown { adapter });
    warn(
        &table,
        "adapter_away",
        "Somebody, or another program, has switched the adapter off.",
        "Set it up again.",
    );
    let mut ends = Table::new();
    for (seconds, means) in [
        (3600, "The host gave the invite an end."),
        (30, "It has come; who is in stays in."),
    ] {
        ends.join(&anna(), &format!("FRIDAY&expires={}", TODAY + seconds));
        warn(&ends, "invite_ends", means, "A new invite from the host.");
        ends = Table::new();
    }
    Chapter::new("service-says").with(told).check();
}

#[test]
fn the_way_is_shown_with_what_it_measures_and_why_it_is_not_direct() {
    let mut table = Table::new();
    table.join(&anna(), "FRIDAY");
    table.news_by(Way::Relay, Some(NotDirect::PlayerNat));
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.way, Some(Way::Relay));
    assert_eq!(snapshot.ping.us, Some(31_000));
    assert_eq!(snapshot.direct.rtt_us, Some(12_000));
    let why = snapshot.not_direct.unwrap();
    assert_eq!(why.id, NotDirect::PlayerNat);
    assert!(why.sentence.contains("Your router"), "{}", why.sentence);
    assert_eq!(snapshot.warnings, []);

    table.news_by(Way::Direct, None);
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.way, Some(Way::Direct));
    assert_eq!(snapshot.ping.us, Some(12_000), "the one that is taken");
    assert_eq!(snapshot.relay.rtt_us, Some(31_000));
    assert_eq!(snapshot.not_direct, None);
    let minute: Vec<_> = snapshot.ping.minute.into_iter().flatten().collect();
    assert_eq!(minute.last(), Some(&12_000));

    table.news(connecting());
    assert_eq!(table.snapshot(&anna()).way, None, "of a link that is gone");
}

//! How policies are written.

use super::*;
use proptest::prelude::*;

#[test]
fn what_is_written_is_read_and_written_again() {
    for text in [
        "everything",
        "games",
        "games,192.168.50.2:445",
        "192.168.50.2",
        "192.168.50.2:27960",
        "192.168.50.2:27960-27963/udp",
        "192.168.50.2/tcp",
        "192.168.50.0/24",
        "192.168.50.0/24:27015-27030/udp",
        "0.0.0.0/0:27960",
        "[fd00::2]",
        "[fd00::2]:27960",
        "[fd00::]/64:27960/udp",
        "[fe80::1]/tcp",
        "192.168.50.2:1,[fd00::2]:65535",
    ] {
        let policy: Policy = text.parse().unwrap_or_else(|bad| panic!("{text}: {bad}"));
        assert_eq!(policy.to_string(), text);
    }
    for (text, same) in [
        ("Games", "games"),
        (" EVERYTHING ", "everything"),
        ("192.168.50.2, games", "games,192.168.50.2"),
        ("games,192.168.50.2,192.168.50.2/32", "games,192.168.50.2"),
        ("192.168.50.2:80-80", "192.168.50.2:80"),
        ("[FD00:0:0::2]", "[fd00::2]"),
    ] {
        assert_eq!(text.parse::<Policy>().unwrap().to_string(), same);
    }
}

#[test]
fn what_is_wrong_is_said_with_what_helps() {
    let many: Vec<_> = (1..=65).map(|port| format!("10.0.0.1:{port}")).collect();
    for (text, part) in [
        ("", "it is not said what"),
        ("games,everything", "write everything alone"),
        ("game", "\"game\" does not begin with an IP address"),
        ("nas.local:445", "does not begin with an IP address"),
        ("192.168.50", "does not begin with an IP address"),
        ("192.168.050.2", "does not begin with an IP address"),
        ("games,", "does not begin with an IP address"),
        ("fd00::2", "without brackets"),
        ("fd00::/64", "without brackets"),
        ("[fd00::2", "does not begin with an IP address"),
        ("[192.168.50.2]", "does not begin with an IP address"),
        ("[fe80::1%eth0]", "does not begin with an IP address"),
        ("192.168.50.2/33", "\"33\" is no size of a network"),
        ("[fd00::]/129", "no size of a network"),
        ("192.168.50.7/24", "write 192.168.50.0/24"),
        ("[fd00::7]/64", "write [fd00::]/64"),
        ("192.168.50.2:0", "\"0\" are no ports"),
        ("192.168.50.2:65536", "are no ports"),
        ("192.168.50.2:9-8", "are no ports"),
        ("192.168.50.2:+9", "are no ports"),
        ("192.168.50.2:", "are no ports"),
        ("192.168.50.2:80/icmp", "\"/icmp\" does not belong there"),
        ("192.168.50.2/tcp:80", "does not belong there"),
        ("[fd00::2]445", "does not belong there"),
        ("0.0.0.0", "is no machine's address"),
        ("255.255.255.255", "is no machine's address"),
        ("224.0.0.1:80", "is no machine's address"),
        ("127.0.0.1:80", "is no machine's address"),
        ("[::ffff:10.0.0.1]:80", "is no machine's address"),
        (&many.join(","), "more than 64"),
    ] {
        let bad = text.parse::<Policy>().unwrap_err().to_string();
        assert!(bad.contains(part), "{text}: {bad}");
        assert!(bad.contains(';') && !bad.contains('\n'), "{bad}");
    }
}

#[test]
fn one_thing_more_and_one_less() {
    let mut policy: Policy = "games".parse().unwrap();
    let share: Target = "192.168.50.2:445".parse().unwrap();
    assert_eq!(policy.allow(share), Ok(true));
    assert_eq!(policy.allow(share), Ok(false));
    assert_eq!(policy.to_string(), "games,192.168.50.2:445");
    assert!(policy.disallow(share) && !policy.disallow(share));
    let mut everything = Policy::Everything;
    assert_eq!(everything.allow(share), Ok(false));
    for port in 1..=64 {
        let target = format!("192.168.50.2:{port}").parse().unwrap();
        assert_eq!(policy.allow(target), Ok(true));
    }
    assert_eq!(policy.allow(share), Err(BadPolicy::TooMany));
}

proptest! {
    #[test]
    fn no_text_is_read_as_something_that_is_written_otherwise(text in "[0-9a-f.:/\\[\\],tcpudgmesvrhin -]{0,40}") {
        if let Ok(policy) = text.parse::<Policy>() {
            let written = policy.to_string();
            if written.is_empty() {
                return Ok(());
            }
            prop_assert_eq!(written.parse::<Policy>().unwrap(), policy);
        }
    }
}

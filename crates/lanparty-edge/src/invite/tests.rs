mod others;
mod spellings;

use super::*;
use proptest::prelude::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
const HOST: &str = "z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs";
const PIN: &str = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

/// As it was written before.
fn old_link(invite: &Invite) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let field = |name, value: Option<String>| value.map(|value| format!("&{name}={value}"));
    let name = |name: &Text| name.as_str().bytes().map(byte).collect();
    let more = [
        field("host", invite.host.map(|host| host.to_string())),
        field("pin", invite.pin.map(|pin| pin.to_string())),
        field("name", invite.name.as_ref().map(name)),
        field("expires", invite.expires.map(|end| end.to_string())),
    ];
    let more: String = more.into_iter().flatten().collect();
    let place = format!("{}/{}", authority(&invite.relay), invite.room);
    format!("{SCHEME}{place}#key={}{more}", invite.key.reveal())
}

fn at(relay: &str) -> Invite {
    Invite {
        relay: relay.parse().unwrap(),
        room: "FRIDAY".parse().unwrap(),
        key: KEY.parse().unwrap(),
        host: HOST.parse().ok(),
        pin: PIN.parse().ok(),
        name: None,
        expires: None,
        also: Vec::new(),
        others: Vec::new(),
        extra: Extra::default(),
    }
}

/// The bytes were put together with Python: struct, base64 and zlib.
#[test]
fn an_invite_is_written_like_this() {
    let invite = Invite {
        name: Some("Friday night!".into()),
        expires: Some(1_790_000_000),
        ..at("relay.example.net:4433")
    };
    let link = "lanparty://relay.example.net:4433/FRIDAY/\
        CMYDCMRTGQ2TMNZYHFQWEY3EMVTM7RIHEMQP3FSGLJ6FH3IG5RPTN5VVON3IBP2Q5A6EPHB7AL3SOGZKQYM2J7TIA3O4BI5T5FARJFKWLWBUGU2CDEVSO7HTKT5PX2YCDQAQADKGOJUWIYLZEBXGSZ3IOQQQEAAENKYTXAAXHCGKC";
    assert_eq!(invite.reveal(), link);
    assert_eq!(link.parse(), Ok(invite.clone()));
    assert_eq!(Invite::find(&link.to_lowercase()), Ok(invite.clone()));
    let page = "https://lan.example.net/join".parse().unwrap();
    let behind = link.strip_prefix(SCHEME).unwrap();
    let at_page = format!("https://lan.example.net/join#{behind}");
    assert_eq!(invite.reveal_at(&page), at_page);
    assert_eq!(Invite::find(&at_page), Ok(invite));
}

#[test]
fn links_of_before_are_read_for_ever() {
    let whole = format!(
        "lanparty://relay.example.net:4433/FRIDAY#key={KEY}&host={HOST}&pin={PIN}&name=Friday%20night%21&expires=1790000000"
    );
    let invite: Invite = whole.parse().unwrap();
    assert_eq!(old_link(&invite), whole);
    assert_eq!(invite.relay.to_string(), "relay.example.net:4433");
    assert_eq!(invite.room.as_str(), "FRIDAY");
    assert_eq!(invite.host, HOST.parse().ok());
    assert_eq!(invite.name.as_ref().unwrap().as_str(), "Friday night!");
    assert_eq!(invite.reveal().parse(), Ok(invite.clone()));
    assert!(!invite.may_be_cut());
    for (short, long) in [
        ("relay.example.net/FRIDAY", "relay.example.net/FRIDAY"),
        ("relay.example.net:443/friday", "relay.example.net/FRIDAY"),
        ("203.0.113.7/FRIDAY", "203.0.113.7/FRIDAY"),
        ("[2001:db8::7]:443/FRIDAY", "[2001:db8::7]/FRIDAY"),
    ] {
        let invite: Invite = format!("LANPARTY://{short}#later=1&key={KEY}")
            .parse()
            .unwrap();
        assert_eq!(old_link(&invite), format!("lanparty://{long}#key={KEY}"));
        assert!(invite.may_be_cut());
    }
}

#[test]
fn every_relay_can_be_named_without_what_shells_and_chats_take_for_theirs() {
    for (relay, shown) in [
        ("relay.example.net:443", "relay.example.net"),
        ("Relay.Example.net:4433", "relay.example.net:4433"),
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8::7]:4433", "2001-db8--7:4433"),
        ("::1", "--1"),
        ("[::ffff:192.0.2.7]:5", "--ffff-192.0.2.7:5"),
        ("my_relay.example", "my-relay.example"),
        ("_x_.example_:4433", "xxx.examplex:4433"),
    ] {
        let invite = at(relay);
        let link = invite.reveal();
        let place = format!("lanparty://{shown}/FRIDAY/");
        assert!(link.starts_with(&place), "{link}");
        let harmless = |c: char| c.is_ascii_alphanumeric() || ":/.-".contains(c);
        assert!(link.chars().all(harmless), "{link}");
        let read: Invite = link.parse().unwrap();
        let exact = invite.relay.to_string();
        assert_eq!(read.relay.to_string(), exact.to_lowercase(), "{link}");
        assert!(!read.may_be_cut());
    }
}

#[test]
fn nothing_but_reveal_shows_the_key() {
    let invite = at("r.example");
    assert_eq!(invite.to_string(), "lanparty://r.example/FRIDAY/…");
    let (_, payload) = invite
        .reveal()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    for secret in [KEY, &payload[..10]] {
        assert!(!format!("{invite:?} {invite:#?}").contains(secret));
    }
}

#[test]
fn other_texts_are_no_invites_and_are_not_repeated() {
    let r = "lanparty://r.example/FRIDAY";
    let key = format!("{r}#key={KEY}");
    use InviteError::{Cut, Damaged, Long, Missing};
    for (bad, error) in [
        (String::new(), Missing),
        (format!("https://r.example/FRIDAY#key={KEY}"), Missing),
        (format!("{r}?key={KEY}"), Cut),
        (format!("lanparty://r.example#key={KEY}"), Damaged),
        (format!("{key}&name={}", "x".repeat(MAX_LEN)), Long),
        (format!("lanparty:///FRIDAY#key={KEY}"), Damaged),
        (format!("lanparty://me@r.example/FRIDAY#key={KEY}"), Damaged),
        (format!("lanparty://r.example/a/b#key={KEY}"), Damaged),
        (format!("{r}#pin=x"), Cut),
        (format!("{key}&host={}", &HOST[1..]), Cut),
        (format!("{key}&host=A{HOST}"), Damaged),
        (format!("{key}&host={HOST}&host={HOST}"), Damaged),
        (format!("{r}#name=x"), Cut),
        (format!("{r}#key={}", &KEY[1..]), Cut),
        (format!("{key}&key={KEY}"), Damaged),
        (format!("{key}&expires=+1790000000"), Damaged),
        (format!("{key}&expires=17900"), Damaged),
        (format!("{key}&name=%f"), Damaged),
        (format!("{key}&name=%ff"), Damaged),
        (format!("{key}&name=a b"), Damaged),
        (format!("{key}&amp;pin={PIN}"), Damaged),
        (format!("{key}&pi={PIN}"), Damaged),
        (format!("{key}&p={PIN}"), Damaged),
        (format!("{key}&qjm={PIN}"), Damaged),
        (format!("{key}&pni={PIN}"), Damaged),
        (format!("{key}&Pin={PIN}"), Damaged),
        (format!("{key}&nost={HOST}"), Damaged),
        (format!("{key}&xpires=1790000000"), Damaged),
        (format!("{r}/"), Cut),
        (format!("{r}/GEZDGNBVGY3TQOJQ"), Cut),
    ] {
        assert_eq!(bad.parse::<Invite>(), Err(error), "{bad}");
        assert!(!error.to_string().contains(KEY));
    }
}

#[test]
fn an_invite_ends_when_it_says_so() {
    let end = |expires| {
        let invite = Invite {
            expires,
            ..at("r.example")
        };
        let read: Invite = invite.reveal().parse().unwrap();
        read.is_expired(UNIX_EPOCH + Duration::from_secs(100))
    };
    assert!(end(Some(99)) && end(Some(100)));
    assert!(!end(Some(101)) && !end(None) && !end(Some(u64::MAX)));
}

#[test]
fn what_a_newer_version_says_is_kept_or_refused_and_never_lost() {
    let of = |tag: u8| {
        let mut invite = at("r.example");
        invite.extra.later = vec![(tag, b"more".to_vec()), (tag, Vec::new())];
        invite
    };
    let later = of(127);
    let read: Invite = later.reveal().parse().unwrap();
    assert_eq!(read.reveal(), later.reveal());
    assert_eq!(of(128).reveal().parse::<Invite>(), Err(InviteError::Newer));
    assert_ne!(later, at("r.example"));
}

/// The bytes were put together with Python, as above; whoever does not know them has the first address.
#[test]
fn where_else_a_relay_is_stands_behind_what_older_programs_know() {
    let addresses = ["192.168.1.20:443", "[2600::7]:4433"].map(|text| text.parse().unwrap());
    let invite = Invite {
        also: addresses.to_vec(),
        ..at("203.0.113.7:40444")
    };
    let read: Invite = invite.reveal().parse().unwrap();
    assert_eq!(read, invite);
    assert!(read.also().eq(addresses));
    let mut field = vec![4, 192, 168, 1, 20, 1, 187, 16];
    field.extend([
        0x26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x11, 0x51,
    ]);
    let mut by_hand = at("203.0.113.7:40444");
    by_hand.extra.later = vec![(4, field)];
    assert_eq!(by_hand.reveal(), invite.reveal());
    let mapped = ["[::ffff:192.168.1.20]:443".parse().unwrap()];
    let mapped = Invite {
        also: mapped.to_vec(),
        ..at("r.example")
    };
    let read: Invite = mapped.reveal().parse().unwrap();
    assert_eq!(read.also, addresses[..1]);
}

#[test]
fn no_invite_sends_anybody_to_what_is_no_relays_address() {
    let nobodys = [
        "127.0.0.1:443",
        "[::1]:443",
        "0.0.0.0:443",
        "[::]:443",
        "224.0.0.1:443",
        "255.255.255.255:443",
        "[ff02::1]:443",
        "[::ffff:127.0.0.1]:443",
        "10.0.0.1:0",
    ];
    let mut field = Vec::new();
    for address in nobodys {
        let address: SocketAddr = address.parse().unwrap();
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        field.push(u8::try_from(ip.len()).unwrap());
        field.extend(ip);
        field.extend(address.port().to_be_bytes());
    }
    let of = |fields: &[u8]| {
        let mut invite = at("r.example");
        invite.extra.later = vec![(4, fields.to_vec())];
        invite.reveal().parse::<Invite>()
    };
    assert_eq!(of(&field).unwrap().also, []);
    // Lengths of a later version are stepped over, and no more than some are taken.
    let ours = [4, 10, 0, 0, 1, 1, 187];
    let others = [&[0, 1, 1][..], &[5, 1, 2, 3, 4, 5, 1, 1], &ours].concat();
    assert_eq!(of(&others).unwrap().also, ["10.0.0.1:443".parse().unwrap()]);
    assert_eq!(of(&ours.repeat(50)).unwrap().also.len(), MAX_ALSO);
    assert_eq!(of(&ours[..6]), Err(InviteError::Damaged));
    // Nobody could tell who is there.
    let mut unpinned = of(&ours).unwrap();
    unpinned.pin = None;
    assert_eq!(unpinned.also().count(), 0);
    assert!(unpinned.reveal().len() < of(&ours).unwrap().reveal().len() - 50);
}

#[test]
fn a_page_has_an_address_that_a_fragment_can_follow() {
    for (text, page) in [
        ("https://x.example/join/", "https://x.example/join/"),
        ("HTTPS://x.example", "https://x.example/"),
        ("https://[::1]:8443/?lang=de", "https://[::1]:8443/?lang=de"),
    ] {
        assert_eq!(text.parse::<InvitePage>().unwrap().to_string(), page);
    }
    for bad in [
        "",
        "x.example",
        "http://x.example",
        "https://",
        "https:///x",
        "https://x/#a",
        "https://x y",
        "https://ä.example",
    ] {
        assert_eq!(bad.parse::<InvitePage>(), Err(InvitePageError), "{bad}");
    }
}

/// What a stranger can put into a file takes no longer than what a friend puts there.
#[test]
fn a_text_of_nothing_but_beginnings_is_read_in_one_go() {
    for start in [
        "lanparty:/",
        "lanparty://r.example/FRIDAY#key=",
        "http://",
        "https://#",
        "%6c%25",
        "=\n",
        "&amp;",
        "[",
        "> ",
    ] {
        let text = start.repeat(MAX_TEXT / 16 / start.len());
        assert!(Invite::find(&text).is_err(), "{start}");
    }
}

#[test]
fn every_single_damage_of_a_link_is_found() {
    let invite = at("r.example:4433");
    let link = invite.reveal();
    let page = format!("https://x.example/#{}", &link[SCHEME.len()..]);
    for (link, from) in [
        (&link, SCHEME.len()),
        (&page, page.len() + SCHEME.len() - link.len()),
    ] {
        for at in from..link.len() {
            let (before, rest) = (&link[..at], &link[at + 1..]);
            let mut texts = vec![before.to_owned(), format!("{before}{rest}")];
            texts.extend("AZ27a-/.# &".chars().map(|c| format!("{before}{c}{rest}")));
            if let Some(next) = rest.chars().next() {
                texts.push(format!("{before}{next}{}{}", &link[at..=at], &rest[1..]));
            }
            for text in texts {
                let found = Invite::find(&text);
                assert!(
                    found.as_ref().is_ok_and(|found| *found == invite) || found.is_err(),
                    "{text}"
                );
            }
        }
    }
}

/// Where it ends between two fields nobody can tell: then it has no pin, and says that it may be cut.
#[test]
fn a_cut_old_link_is_found_out_or_may_be_cut() {
    let link = old_link(&at("r.example"));
    let fields = link.find('#').unwrap();
    for len in fields..link.len() {
        match Invite::find(&link[..len]) {
            Ok(found) => {
                let is_between = link[..len].ends_with('&') || link[len..].starts_with('&');
                assert!(is_between && found.may_be_cut(), "{}", &link[..len]);
            }
            Err(error) => assert_eq!(error, InviteError::Cut, "{}", &link[..len]),
        }
    }
}

#[test]
fn an_escape_before_a_line_that_is_broken_is_no_part_of_an_old_links_key() {
    // Twenty characters of the key stand in the first line: with the two digits a whole one.
    let link = |key: &str| format!("lanparty://119.155.219.100/AA--AA-A--#key={key}");
    let meant: Invite = link("AAAAAAAAAAAAAAAAAACwAA").parse().unwrap();
    let text = link("3DAAAAAAAAAAAAAAAAAACw=\nAA\">x</a>");
    assert_eq!(Invite::find(&text), Ok(meant.clone()));
    // As the mail's source, whose headers and boundaries have another `=`.
    let source = format!(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nCome: {}\n--=_x--",
        link("3DAAAAAAAAAAAAAAAAAACw=\nAA")
    );
    assert_eq!(Invite::find(&source), Ok(meant));
    // With a page's escapes as well.
    let text = link("3DAAAAAAAAAAAAAAAAAACw=\nAA&amp;expires=3D1000000000\">x</a>");
    let meant: Invite = link("AAAAAAAAAAAAAAAAAACwAA&expires=1000000000")
        .parse()
        .unwrap();
    assert_eq!(Invite::find(&text), Ok(meant));
    // Where an `=` stands for itself it is that key.
    let other: Invite = link("3DAAAAAAAAAAAAAAAAAACw").parse().unwrap();
    let text = link("3DAAAAAAAAAAAAAAAAAACw==\nSee you");
    assert_eq!(Invite::find(&text), Ok(other));
}

fn any_invite() -> impl Strategy<Value = Invite> {
    let relay = prop_oneof![
        "[a-z][a-z0-9]{0,20}(\\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?",
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
        any::<Ipv4Addr>().prop_map(|ip| ip.to_string()),
    ];
    // Of an old link's last word nobody can tell whether it ends with its full stop, or with its only line.
    let name = "([a-zA-Z0-9 äß!&=%#?+/]{0,20}[a-z0-9])?";
    let bits = any::<(Option<[u8; 32]>, Option<[u8; 32]>, [u8; 16])>();
    let expires = proptest::option::of(1_000_000_000u64..10_000_000_000);
    let parts = (relay, "[A-Z0-9-]{4,32}", name, bits, expires);
    parts.prop_map(|(relay, room, name, (host, pin, key), expires)| Invite {
        relay: relay.parse().unwrap(),
        room: room.parse().unwrap(),
        key: RoomKey::from_random(key),
        host: host.map(HostId::from_sha256),
        pin: pin.map(Pin::from_sha256),
        name: (!name.is_empty() && pin.is_some()).then(|| name.into()),
        expires,
        also: Vec::new(),
        others: Vec::new(),
        extra: Extra::default(),
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(invite in any_invite()) {
        prop_assert_eq!(invite.reveal().parse(), Ok(invite.clone()));
        prop_assert_eq!(old_link(&invite).parse(), Ok(invite));
    }

    #[test]
    fn addresses_are_read_as_they_were_written(
        invite in any_invite(),
        also in prop::collection::vec(any::<SocketAddr>(), 0..8),
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let invite = Invite { also, ..invite };
        let read: Invite = invite.reveal().parse().unwrap();
        let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let written: Vec<_> = invite.also().map(canonical).collect();
        prop_assert_eq!(&read.also, &written);
        prop_assert_eq!(read.reveal(), invite.reveal());
        // And whatever else stands there is nobody's harm.
        let mut strange = invite;
        strange.also.clear();
        strange.extra.later = vec![(4, bytes)];
        if let Ok(read) = strange.reveal().parse::<Invite>() {
            prop_assert!(read.also.len() <= MAX_ALSO);
        }
    }

    /// With one character less, another one in its place, or two that have changed places: the same or none.
    #[test]
    fn a_damaged_link_is_never_another_invite(invite in any_invite(), at: prop::sample::Index, c in "[ -~]") {
        let link = invite.reveal();
        let at = at.index(link.len());
        let without = [&link[..at], &link[at + 1..]].concat();
        let changed = [&link[..at], &c, &link[at + 1..]].concat();
        let mut swapped = link.clone().into_bytes();
        swapped.swap(at, (at + 1).min(link.len() - 1));
        let swapped = String::from_utf8(swapped).unwrap();
        for text in [&without, &changed, &swapped, &link[..at]] {
            match Invite::find(text) {
                Ok(found) => prop_assert_eq!(&found, &invite, "{}", text),
                Err(error) => prop_assert_ne!(error, InviteError::Newer, "{}", text),
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text: String, bytes: Vec<u8>) {
        let _ = text.parse::<Invite>();
        let _ = Invite::find(&text);
        let _ = Invite::find_in_bytes(&bytes);
        for start in ["lanparty://", "lanparty://r.example/FRIDAY/", "https://r.example/?u=lanparty%3A//"] {
            let _ = Invite::find(&format!("{start}{text}"));
        }
        let _ = Invite::find(&format!("lanparty://r.example/FRIDAY#key={KEY}&name={text}"));
    }
}

proptest! {
    // Each case is three hundred texts.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_is_done_to_a_link_it_is_found(invite in any_invite()) {
        for link in [invite.reveal(), old_link(&invite)] {
            for (how, text) in spellings::of(&link) {
                prop_assert_eq!(Invite::find_in_bytes(&text), Ok(invite.clone()), "{}: {}", how, String::from_utf8_lossy(&text));
            }
        }
    }
}

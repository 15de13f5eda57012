//! Invites that name several relays.

use super::*;

pub(super) fn five_relays() -> Invite {
    let others = [
        format!("relay-2.example.net~{HOST}"),
        format!("[2001:db8::7]:4433~{PIN}"),
        format!("203.0.113.7~{HOST}"),
        "my_relay.example:1".to_owned(),
    ];
    Invite {
        name: Some("Friday night".into()),
        others: others.map(|other| other.parse().unwrap()).to_vec(),
        ..at("relay-1.example.net")
    }
}

/// An invite as a program writes it that has these bytes in its fields of other relays.
fn saying(fields: &[&[u8]]) -> String {
    let mut invite = at("r.example");
    let fields = fields.iter().map(|field| (5, field.to_vec()));
    invite.extra.later = fields.collect();
    invite.reveal()
}

fn read(fields: &[&[u8]]) -> Result<Invite, InviteError> {
    saying(fields).parse()
}

/// The bytes were put together by hand: whether there is a pin, the pin, the port, the host.
#[test]
fn other_relays_stand_behind_what_older_programs_know() {
    let mut pinned = vec![1];
    pinned.extend(PIN.parse::<Pin>().unwrap().as_bytes());
    pinned.extend([0x11, 0x51]);
    pinned.extend(b"b.example");
    let plain = b"\0\x01\xbb2001:db8::7";
    let invite = Invite {
        others: vec![
            format!("B.example:4433~{PIN}").parse().unwrap(),
            "2001:db8::7".parse().unwrap(),
        ],
        ..at("r.example")
    };
    assert_eq!(invite.reveal(), saying(&[&pinned, plain]));
    let read: Invite = invite.reveal().parse().unwrap();
    assert_eq!(read.reveal(), invite.reveal());
    assert_eq!(read.others[0].to_string(), format!("b.example:4433~{PIN}"));
    assert_eq!(read.others[1].to_string(), "[2001:db8::7]:443");
    // Who does not know the field has the first relay, and hands on what it says.
    let later = [(5, pinned.clone()), (5, plain.to_vec())];
    let mut older = at("r.example");
    older.extra.later = later.to_vec();
    assert_eq!(older.reveal().parse(), Ok(read));
}

/// The example of docs/protocol.md.
#[test]
fn another_relay_is_these_bytes() {
    let other = OtherRelay {
        address: "b.example".parse().unwrap(),
        pin: Some(Pin::from_sha256([7; 32])),
    };
    let invite = Invite {
        others: vec![other],
        ..at("r.example")
    };
    let link = invite.reveal();
    let (_, payload) = link.rsplit_once('/').unwrap();
    let bytes = data_encoding::BASE32_NOPAD.decode(payload.as_bytes());
    let shown = data_encoding::HEXLOWER.encode(&bytes.unwrap());
    let field = format!("05002c01{}01bb622e6578616d706c65", "07".repeat(32));
    assert_eq!(shown[shown.len() - 8 - field.len()..][..field.len()], field);
}

#[test]
fn each_relay_is_there_once_and_the_first_is_none_of_them() {
    let of = |host: &str| [&b"\0\x01\xbb"[..], host.as_bytes()].concat();
    let [own, b] = ["R.Example", "b.example"].map(of);
    let found = read(&[&own, &b, &of("B.example."), &b]).unwrap();
    assert_eq!(found.others, ["b.example".parse().unwrap()]);
    let many = ["c1", "c2", "c3", "c4", "c5", "c6"].map(of);
    let many: Vec<_> = many.iter().map(Vec::as_slice).collect();
    let found = read(&many).unwrap();
    assert_eq!(found.others.len(), MAX_OTHERS);
    assert_eq!(found.others[3].address.host(), "c4");
    let written = Invite {
        others: [&found.others[..], &found.others, &["d".parse().unwrap()]].concat(),
        ..at("r.example")
    };
    let reread: Invite = written.reveal().parse().unwrap();
    assert_eq!(reread.others, found.others);
}

#[test]
fn a_damaged_relay_makes_no_invite_and_one_of_a_later_form_is_kept() {
    for field in [
        &b""[..],
        b"\0",
        b"\0\x01",
        b"\0\x01\xbb",
        b"\0\0\0b.example",
        b"\0\x01\xbbb.example:443",
        b"\0\x01\xbb[::1]",
        b"\0\x01\xbb[::1]:443",
        b"\0\x01\xbbb example",
        b"\0\x01\xbb\xff",
        b"\x01\x01\xbbb.example",
    ] {
        assert_eq!(read(&[field]), Err(InviteError::Damaged), "{field:?}");
    }
    let later = b"\x02whatever";
    let found = read(&[later, b"\0\x01\xbbb.example"]).unwrap();
    assert_eq!(found.others.len(), 1);
    let again: Invite = found.reveal().parse().unwrap();
    assert_eq!(again, found);
    assert_eq!(again.extra.later, [(5, later.to_vec())]);
}

/// Names of a usual length, not the longest that there can be: those are refused where the invite is made.
#[test]
fn five_relays_with_long_names_stay_within_an_invite() {
    let name = |number| format!("relay-{number}.{}.example.net:44330~{PIN}", "x".repeat(40));
    let invite = Invite {
        name: Some("x".repeat(48).into()),
        expires: Some(1_790_000_000),
        also: vec!["[2001:db8::7]:4433".parse().unwrap(); MAX_ALSO],
        others: (0..4).map(|number| name(number).parse().unwrap()).collect(),
        ..at("relay.example.net:4433")
    };
    let link = invite.reveal();
    assert!(link.len() <= MAX_LEN / 2, "{}", link.len());
    assert_eq!(link.parse(), Ok(invite));
    assert!(five_relays().reveal().len() < 600, "a QR code shows that");
}

#[test]
fn every_single_damage_of_five_relays_is_found() {
    let invite = five_relays();
    let link = invite.reveal();
    for at in SCHEME.len()..link.len() {
        let (before, rest) = (&link[..at], &link[at + 1..]);
        for text in [
            before.to_owned(),
            format!("{before}{rest}"),
            format!("{before}Q{rest}"),
        ] {
            let found = Invite::find(&text);
            let is_same = found.as_ref().is_ok_and(|found| *found == invite);
            assert!(is_same || found.is_err(), "{text}");
        }
    }
}

fn any_other() -> impl Strategy<Value = OtherRelay> {
    let host = prop_oneof![
        "[a-e_](\\.[a-b]{1,3})?",
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
        any::<Ipv4Addr>().prop_map(|ip| ip.to_string()),
    ];
    (host, 1u16.., any::<Option<[u8; 32]>>()).prop_map(|(host, port, pin)| OtherRelay {
        address: RelayAddress::parse(&host, port).unwrap(),
        pin: pin.map(Pin::from_sha256),
    })
}

proptest! {
    #[test]
    fn relays_are_read_as_they_were_written(
        invite in any_invite(),
        mut others in prop::collection::vec(any_other(), 0..8),
        twice: prop::sample::Index,
        own: bool,
    ) {
        if let Some(other) = others.get(twice.index(8)).cloned() {
            others.push(other);
        }
        if own {
            others.insert(0, OtherRelay { address: invite.relay.clone(), pin: None });
        }
        let invite = Invite { others, ..invite };
        let read: Invite = invite.reveal().parse().unwrap();
        let written: Vec<_> = invite.others().cloned().collect();
        prop_assert_eq!(&read.others, &written);
        prop_assert!(read.others.len() <= MAX_OTHERS);
        prop_assert_eq!(read.reveal(), invite.reveal());
    }

    #[test]
    fn whatever_is_said_of_relays_is_read_or_refused(
        fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
    ) {
        let fields: Vec<_> = fields.iter().map(Vec::as_slice).collect();
        if let Ok(found) = read(&fields) {
            prop_assert!(found.others.len() <= MAX_OTHERS);
            prop_assert_eq!(found.reveal().parse(), Ok(found));
        }
    }

    #[test]
    fn a_named_relay_is_read_as_it_is_shown(other in any_other(), text: String) {
        prop_assert_eq!(other.to_string().parse(), Ok(other));
        let _ = text.parse::<OtherRelay>();
    }
}

use super::*;
use crate::Pin;
use crate::door::{Mapping, NoMeetingReason};
use crate::orders::{
    ADDRESSES_PER_MEMBER, MAX_BANNED, MAX_GUESTS, MEMBERS_PER_MESSAGE, MemberReport, Person,
    REASONS_PER_MEMBER,
};
use crate::places::{FleetRelay, MAX_FLEET};
use crate::{HostSecret, NoticeKind, RoomKey, codec};
use lanparty_obs::{DropCounts, DropReason};
use serde_json::json;

const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

fn mac() -> VirtualMac {
    "02:1a:2b:3c:4d:5e".parse().unwrap()
}

fn hello() -> Hello {
    let budget = DatagramBudget::new(1312).unwrap();
    Hello::new(&"friday".parse().unwrap(), Newcomer::Client(mac()), budget)
}

fn vouched(host_key: &HostPublicKey, signature: &str) -> Vouched {
    Vouched {
        peer_id: PeerId::new(2).unwrap(),
        vouch: Vouch {
            host_key: *host_key,
            signature: signature.parse().unwrap(),
        },
    }
}

fn same_both_ways<M>(message: M, json: serde_json::Value)
where
    M: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_value(&message).unwrap(), json);
    let bytes = codec::encode(&message).unwrap();
    assert_eq!(
        codec::decode::<M>(&bytes[codec::PREFIX_LEN..]).unwrap(),
        message
    );
}

#[test]
fn messages_of_doors_have_this_json() {
    let (peer_id, secret) = (PeerId::new(2).unwrap(), [7; 32]);
    let secret = crate::door::MeetSecret::from_random(secret);
    let pin = Pin::from_sha256([9; 32]);
    same_both_ways(
        PeerMessage::Door(Door {
            open: true,
            addresses: vec!["192.168.1.5:40000".parse().unwrap()],
            pin: Some(pin),
            nat: Some(Mapping::Varies),
        }),
        json!({
            "type": "door", "open": true, "addresses": ["192.168.1.5:40000"], "pin": pin.to_string(),
            "nat": "varies"
        }),
    );
    let closed = json!({ "type": "door", "open": false });
    let message = Door {
        open: false,
        addresses: Vec::new(),
        pin: None,
        nat: None,
    };
    same_both_ways(PeerMessage::Door(message), closed);
    let ready = Ready { peer_id, round: 1 };
    let json = |kind| json!({ "type": kind, "peer_id": 2, "round": 1 });
    same_both_ways(PeerMessage::Ready(ready), json("ready"));
    same_both_ways(PeerMessage::Met(ready), json("met"));
    same_both_ways(RelayMessage::Go(ready), json("go"));
    let text = String::from(secret.clone());
    same_both_ways(
        RelayMessage::Meet(Box::new(Meet {
            peer_id,
            round: 1,
            addresses: vec!["203.0.113.20:40000".parse().unwrap()],
            seen: "203.0.113.10:40000".parse().unwrap(),
            secret,
            pin: Some(pin),
            rtt_us: 12_000,
            nat: None,
        })),
        json!({
            "type": "meet", "peer_id": 2, "round": 1, "addresses": ["203.0.113.20:40000"],
            "seen": "203.0.113.10:40000", "secret": text, "pin": pin.to_string(), "rtt_us": 12000
        }),
    );
    for why in NoMeetingReason::ALL {
        same_both_ways(
            RelayMessage::NoMeeting(NoMeeting { peer_id, why }),
            json!({ "type": "no_meeting", "peer_id": 2, "why": why.name() }),
        );
    }
    let proof = "A".repeat(43);
    let budget = DatagramBudget::new(1312).unwrap();
    same_both_ways(
        PeerMessage::Enter(Enter {
            peer_id,
            room_id: RoomId::new(5).unwrap(),
            round: 1,
            datagram_budget: budget,
            proof: proof.clone().try_into().unwrap(),
        }),
        json!({
            "type": "enter", "peer_id": 2, "room_id": 5, "round": 1, "datagram_budget": 1312,
            "proof": proof
        }),
    );
    same_both_ways(
        RelayMessage::Entered(Box::new(Entered {
            datagram_budget: budget,
            proof: proof.clone().try_into().unwrap(),
            host_key: None,
            host_signature: None,
        })),
        json!({ "type": "entered", "datagram_budget": 1312, "proof": proof }),
    );
}

#[test]
fn a_look_and_its_answer_have_this_json() {
    same_both_ways(PeerMessage::Look, json!({ "type": "look" }));
    for address in ["203.0.113.9:40000", "[2001:db8::9]:40000"] {
        same_both_ways(
            RelayMessage::Seen(Seen {
                address: address.parse().unwrap(),
                region: None,
            }),
            json!({ "type": "seen", "address": address }),
        );
    }
    same_both_ways(
        RelayMessage::Seen(Seen {
            address: "203.0.113.9:40000".parse().unwrap(),
            region: Some("Paris".into()),
        }),
        json!({ "type": "seen", "address": "203.0.113.9:40000", "region": "Paris" }),
    );
}

#[test]
fn peer_messages_have_this_json() {
    same_both_ways(
        PeerMessage::from(hello()),
        json!({
            "type": "hello", "version": 1, "role": "client", "room": "FRIDAY",
            "mac": "02:1a:2b:3c:4d:5e", "datagram_budget": 1312, "capabilities": ["notices"]
        }),
    );
    let resume_token = Some(ResumeToken::from_random([0xab; 16]));
    let budget = DatagramBudget::new(1162).unwrap();
    let gateway = Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget);
    same_both_ways(
        PeerMessage::from(Hello {
            resume_token,
            ..gateway
        }),
        json!({
            "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
            "datagram_budget": 1162, "capabilities": ["notices"],
            "resume_token": "abababababababababababababababab"
        }),
    );
    let proof = Proof::try_from("_".repeat(42) + "8").unwrap();
    let admission_key = AdmissionKey::try_from("-".repeat(42) + "4").unwrap();
    same_both_ways(
        PeerMessage::from(Hello {
            proof: Some(proof),
            admission_key: Some(admission_key),
            ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
        }),
        json!({
            "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
            "datagram_budget": 1162, "capabilities": ["notices"], "proof": "_".repeat(42) + "8",
            "admission_key": "-".repeat(42) + "4"
        }),
    );
    let host = HostSecret::from_random([1; 32]).host_key(&"friday".parse().unwrap());
    same_both_ways(
        PeerMessage::from(Hello {
            host: Some(host.id()),
            host_challenge: Some(Challenge::from_random([0xff; 32])),
            ..hello()
        }),
        json!({
            "type": "hello", "version": 1, "role": "client", "room": "FRIDAY",
            "mac": "02:1a:2b:3c:4d:5e", "datagram_budget": 1312, "capabilities": ["notices"],
            "host": host.id().to_string(), "host_challenge": "_".repeat(42) + "8"
        }),
    );
    same_both_ways(
        PeerMessage::from(Hello {
            yields: true,
            ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
        }),
        json!({
            "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
            "datagram_budget": 1162, "capabilities": ["notices"], "yields": true
        }),
    );
    let signature = "_".repeat(85) + "w";
    same_both_ways(
        PeerMessage::from(Hello {
            host_key: Some(host.public()),
            host_proof: Some(signature.parse().unwrap()),
            ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
        }),
        json!({
            "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
            "datagram_budget": 1162, "capabilities": ["notices"], "host_key": host.public().to_string(),
            "host_proof": signature
        }),
    );
    same_both_ways(
        PeerMessage::Vouch(vouched(&host.public(), &signature)),
        json!({ "type": "vouch", "peer_id": 2, "host_key": host.public().to_string(),
            "signature": signature }),
    );
    same_both_ways(
        PeerMessage::Stats(Box::new(PeerStats {
            frames_to_relay: 5,
            ..PeerStats::default()
        })),
        json!({
            "type": "stats", "frames_to_relay": 5, "bytes_to_relay": 0, "datagrams_to_relay": 0,
            "frames_from_relay": 0, "bytes_from_relay": 0, "datagrams_from_relay": 0,
            "group_frames_from_relay": 0, "port_reads": 0, "port_writes": 0, "drops": {}
        }),
    );
    let peer_id = PeerId::new(2).unwrap();
    same_both_ways(
        PeerMessage::Host(HostOrder::Mute {
            peer_id,
            muted: true,
        }),
        json!({ "type": "host", "order": "mute", "peer_id": 2, "muted": true }),
    );
    let admission_key = AdmissionKey::try_from("-".repeat(42) + "4").unwrap();
    same_both_ways(
        PeerMessage::Host(HostOrder::Rotate { admission_key }),
        json!({ "type": "host", "order": "rotate", "admission_key": "-".repeat(42) + "4" }),
    );
    let banned = vec![
        Person::Identity(Fingerprint::from_sha256([0xff; 32])),
        Person::Mac(mac()),
    ];
    same_both_ways(
        PeerMessage::Host(HostOrder::Ban { banned }),
        json!({ "type": "host", "order": "ban",
            "banned": [{ "identity": "_".repeat(42) + "8" }, { "mac": "02:1a:2b:3c:4d:5e" }] }),
    );
    same_both_ways(
        PeerMessage::Host(HostOrder::OnLan { mac: mac() }),
        json!({ "type": "host", "order": "on_lan", "mac": "02:1a:2b:3c:4d:5e" }),
    );
    let machine = lanparty_proto::MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);
    same_both_ways(
        PeerMessage::Host(HostOrder::Known {
            macs: vec![machine],
        }),
        json!({ "type": "host", "order": "known", "macs": ["00:16:3e:00:00:09"] }),
    );
    let relay = "b.example:443".to_owned();
    same_both_ways(
        PeerMessage::Host(HostOrder::Place { relay }),
        json!({ "type": "host", "order": "place", "relay": "b.example:443" }),
    );
    same_both_ways(
        PeerMessage::Host(HostOrder::Members),
        json!({ "type": "host", "order": "members" }),
    );
    same_both_ways(
        PeerMessage::Disconnect(Disconnect {
            reason: DisconnectReason::Leaving,
            text: "the player pressed Ctrl-C".into(),
        }),
        json!({ "type": "disconnect", "reason": "leaving", "text": "the player pressed Ctrl-C" }),
    );
}

#[test]
fn relay_messages_have_this_json() {
    let peer_id = PeerId::new(2).unwrap();
    same_both_ways(
        RelayMessage::Welcome(Welcome {
            room_id: RoomId::new(7).unwrap(),
            peer_id,
            effective_mtu: IpMtu::new(1290).unwrap(),
            gateway: PeerId::new(1),
            resume_token: ResumeToken::from_random([1; 16]),
            capabilities: Vec::new(),
            term: None,
            fence: None,
            region: None,
        }),
        json!({
            "type": "welcome", "room_id": 7, "peer_id": 2, "effective_mtu": 1290, "gateway": 1,
            "resume_token": "01010101010101010101010101010101"
        }),
    );
    same_both_ways(
        RelayMessage::Reject(Reject {
            reason: RejectReason::RoomFull,
            text: "full".into(),
        }),
        json!({ "type": "reject", "reason": "room_full", "text": "full" }),
    );
    same_both_ways(
        RelayMessage::PeerJoined(PeerJoined {
            peer_id,
            role: Role::Client,
            mac: Some(mac()),
            name: Some("Ann".parse().unwrap()),
            identity: Some(Fingerprint::from_sha256([0xff; 32])),
            host_challenge: Some(Challenge::from_random([0xff; 32])),
            tells_groups: true,
            takes_new_keys: true,
            term: None,
        }),
        json!({ "type": "peer_joined", "peer_id": 2, "role": "client", "mac": "02:1a:2b:3c:4d:5e",
            "name": "Ann", "identity": "_".repeat(42) + "8", "host_challenge": "_".repeat(42) + "8",
            "tells_groups": true, "takes_new_keys": true }),
    );
    let public = HostSecret::from_random([1; 32])
        .host_key(&"friday".parse().unwrap())
        .public();
    let signature = "_".repeat(85) + "w";
    same_both_ways(
        RelayMessage::Vouched(vouched(&public, &signature)),
        json!({ "type": "vouched", "peer_id": 2, "host_key": public.to_string(),
            "signature": signature }),
    );
    let sealed = "A".repeat(59);
    same_both_ways(
        RelayMessage::NewKey(NewKey {
            peer_id,
            host_key: public,
            signature: signature.parse().unwrap(),
            sealed: sealed.clone().try_into().unwrap(),
        }),
        json!({ "type": "new_key", "peer_id": 2, "host_key": public.to_string(),
            "signature": signature, "sealed": sealed }),
    );
    same_both_ways(
        RelayMessage::Notice(Notice {
            peer_id: Some(peer_id),
            address: Some([192, 168, 50, 10].into()),
            ..Notice::new(NoticeKind::AddressTaken, 3)
        }),
        json!({ "type": "notice", "kind": "address_taken", "peer_id": 2, "address": "192.168.50.10",
            "frames": 3 }),
    );
    same_both_ways(
        RelayMessage::Notice(Notice {
            mac: Some(mac()),
            name: Some("Ann".parse().unwrap()),
            ..Notice::new(NoticeKind::MacOnLan, 0)
        }),
        json!({ "type": "notice", "kind": "mac_on_lan", "mac": "02:1a:2b:3c:4d:5e", "name": "Ann",
            "frames": 0 }),
    );
    same_both_ways(
        RelayMessage::Pings(Pings {
            all: true,
            rtt_us: vec![(PeerId::new(1).unwrap(), 900), (peer_id, 20_100)],
            loss_permille: Some(3),
        }),
        json!({ "type": "pings", "all": true, "rtt_us": [[1, 900], [2, 20_100]], "loss_permille": 3 }),
    );
    same_both_ways(
        RelayMessage::Pings(Pings {
            all: false,
            rtt_us: vec![(peer_id, 41_000)],
            loss_permille: None,
        }),
        json!({ "type": "pings", "rtt_us": [[2, 41_000]] }),
    );
    same_both_ways(
        RelayMessage::PeerLeft(PeerLeft {
            peer_id,
            reason: LeaveReason::TimedOut,
        }),
        json!({ "type": "peer_left", "peer_id": 2, "reason": "timed_out" }),
    );
}

#[test]
fn the_fullest_answer_about_members_fits_a_message() {
    let member = MemberReport {
        peer_id: PeerId::new(65_534).unwrap(),
        addresses: vec![[u16::MAX; 8].into(); ADDRESSES_PER_MEMBER],
        seconds: u64::MAX,
        rtt_us: Some(u64::MAX),
        loss_permille: Some(1000),
        sends: Some(u64::MAX),
        receives: Some(u64::MAX),
        dropped: u64::MAX,
        drops: all_reasons().commonest(REASONS_PER_MEMBER),
        muted: false,
    };
    let message = RelayMessage::Members(Box::new(Members {
        locked: true,
        isolated: true,
        members: vec![member; MEMBERS_PER_MESSAGE],
        last: true,
        drops: all_reasons(),
    }));
    let bytes = codec::encode(&message).unwrap();
    assert_eq!(
        codec::decode::<RelayMessage>(&bytes[codec::PREFIX_LEN..]).unwrap(),
        message
    );
}

/// The longest names have the largest counts.
fn all_reasons() -> DropCounts {
    let mut drops = DropCounts::default();
    for &reason in DropReason::ALL {
        drops.add(reason, u64::MAX - 64 + reason.name().len() as u64);
    }
    drops
}

#[test]
fn a_hello_with_all_that_a_host_may_want_fits_a_message() {
    let budget = DatagramBudget::new(1162).unwrap();
    let hello = Hello {
        orders: vec![
            HostOrder::Ban {
                banned: vec![Person::Identity(Fingerprint::from_sha256([1; 32])); MAX_BANNED],
            },
            HostOrder::Lock {
                locked: true,
                also: vec![mac(); MAX_GUESTS],
            },
            HostOrder::Isolate { isolated: true },
        ],
        near: vec![
            Near {
                address: format!("{}.example:65535", "r".repeat(50)),
                rtt_ms: u16::MAX,
            };
            MAX_FLEET
        ],
        ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
    };
    assert!(codec::encode(&PeerMessage::from(hello.clone())).is_ok());
    let entry = hello.clone().check(CHANNEL).unwrap().unwrap();
    assert_eq!(entry.orders, hello.orders);
    let (role, mac) = (Role::Client, Some(mac()));
    let from_a_client = Hello { role, mac, ..hello };
    let entry = from_a_client.check(CHANNEL).unwrap().unwrap();
    assert_eq!((entry.orders, entry.near), (Vec::new(), Vec::new()));
}

#[test]
fn whoever_was_sent_on_says_so_and_nobody_else_says_anything_of_it() {
    let budget = DatagramBudget::new(1162).unwrap();
    let hello = Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget);
    let said = |hello: &Hello| serde_json::to_string(hello).unwrap();
    assert!(!said(&hello).contains("sent_on"));
    let sent = Hello {
        sent_on: 2,
        ..hello
    };
    assert!(said(&sent).contains(r#""sent_on":2"#));
    assert_eq!(sent.check(CHANNEL).unwrap().unwrap().sent_on, 2);
}

#[test]
fn messages_of_several_relays_have_this_json() {
    let room = "friday".parse().unwrap();
    let pin = Pin::from_sha256([9; 32]);
    let host = HostSecret::from_random([1; 32]).host_key(&room);
    let term = crate::Term::new(1_790_000_000).sign(&host, &room, &pin);
    let signed = json!({
        "number": 1_790_000_000,
        "host_key": host.public().to_string(),
        "signature": term.signature.to_string()
    });
    let mut find = serde_json::to_value(PeerMessage::from(hello())).unwrap();
    find["type"] = json!("find");
    same_both_ways(PeerMessage::Find(Box::new(hello())), find);
    let nobody = json!({ "type": "found", "gateway": false });
    same_both_ways(RelayMessage::Found(Box::default()), nobody);
    same_both_ways(
        RelayMessage::Found(Box::new(Found {
            gateway: true,
            term: Some(term),
            waiting: 3,
            region: Some("Paris".into()),
            relays: vec![FleetRelay {
                address: "b.example:443".to_owned(),
                pin: Some(pin),
                region: None,
            }],
        })),
        json!({
            "type": "found", "gateway": true, "term": signed, "waiting": 3, "region": "Paris",
            "relays": [{ "address": "b.example:443", "pin": pin.to_string() }]
        }),
    );
    let elsewhere = Elsewhere {
        address: "b.example:443".to_owned(),
        pin: Some(pin),
        fence: Some(77),
    };
    let json = |kind| json!({ "type": kind, "address": "b.example:443", "pin": pin.to_string(), "fence": 77 });
    same_both_ways(RelayMessage::Redirect(elsewhere.clone()), json("redirect"));
    same_both_ways(RelayMessage::Moved(elsewhere), json("moved"));
    same_both_ways(
        RelayMessage::NotPlaced(NotPlaced {
            relay: "b.example:443".to_owned(),
            text: "it is full".into(),
        }),
        json!({ "type": "not_placed", "relay": "b.example:443", "text": "it is full" }),
    );
    same_both_ways(
        RelayMessage::Silence(Silence {
            peer_id: PeerId::new(2).unwrap(),
            silent: true,
        }),
        json!({ "type": "silence", "peer_id": 2, "silent": true }),
    );
}

#[test]
fn only_who_says_so_takes_notices() {
    let takes = |hello: Hello| hello.check(CHANNEL).unwrap().unwrap().takes_notices;
    assert!(takes(hello()));
    let capabilities = vec!["telepathy".to_owned()];
    assert!(!takes(Hello {
        capabilities,
        ..hello()
    }));
}

#[test]
fn a_hello_is_checked_version_first() {
    let entry = hello().check(CHANNEL).unwrap().unwrap();
    assert_eq!(
        (entry.room.as_str(), entry.who),
        ("FRIDAY", Newcomer::Client(mac()))
    );
    let newer = Hello {
        version: 2,
        mac: None,
        ..hello()
    };
    assert_eq!(newer.check(CHANNEL), Ok(Err(RejectReason::Version)));
    let strange_room = Hello {
        room: "a b".into(),
        ..hello()
    };
    assert_eq!(
        strange_room.check(CHANNEL),
        Ok(Err(RejectReason::BadRoomCode))
    );
    assert_eq!(
        Hello {
            mac: None,
            ..hello()
        }
        .check(CHANNEL),
        Err(RoleWithoutMac)
    );
    assert_eq!(
        Hello {
            role: Role::Gateway,
            ..hello()
        }
        .check(CHANNEL),
        Err(RoleWithoutMac)
    );
}

#[test]
fn a_hello_proves_what_it_says_and_only_a_gateway_gives_the_key_away() {
    let key = RoomKey::from_random([1; 16]).admission_key();
    let mut client = hello();
    client.prove(&key, CHANNEL);
    let entry = client.clone().check(CHANNEL).unwrap().unwrap();
    let invitation = entry.invitation.unwrap();
    assert!(key.accepts(&invitation.proof, &CHANNEL, &entry.room, entry.who));
    assert_eq!(
        (invitation.admission_key, client.admission_key),
        (None, None)
    );
    let mut gateway = Hello::new(&entry.room, Newcomer::Gateway, client.datagram_budget);
    gateway.prove(&key, CHANNEL);
    let entry = gateway.check(CHANNEL).unwrap().unwrap();
    assert_eq!(entry.invitation.unwrap().admission_key, Some(key));
}

#[test]
fn only_a_gateway_with_the_hosts_key_is_the_hosts() {
    let room = "friday".parse().unwrap();
    let [host, other] = [1, 2].map(|bits| HostSecret::from_random([bits; 32]).host_key(&room));
    let key = RoomKey::from_random([1; 16]).admission_key();
    let proven = |hello: Hello| {
        let entry = hello.check(CHANNEL).unwrap().unwrap();
        entry.invitation.unwrap().host
    };
    let mut gateway = Hello::new(&room, Newcomer::Gateway, hello().datagram_budget);
    gateway.prove(&key, CHANNEL);
    assert_eq!(proven(gateway.clone()), None);
    gateway.prove_host(&host, CHANNEL);
    assert_eq!(proven(gateway.clone()), Some(host.id()));
    let claims = |change: fn(&mut Hello)| {
        let mut gateway = gateway.clone();
        change(&mut gateway);
        proven(gateway)
    };
    assert_eq!(claims(|hello| hello.host_proof = None), None);
    assert_eq!(
        claims(|hello| hello.admission_key = Some(RoomKey::from_random([2; 16]).admission_key())),
        None
    );
    assert_eq!(claims(|hello| hello.room = "MONDAY".into()), None);
    let borrowed = Hello {
        host_key: Some(other.public()),
        ..gateway.clone()
    };
    assert_eq!(proven(borrowed), None);
    let elsewhere = gateway.check(ChannelBinding([8; 32])).unwrap().unwrap();
    assert_eq!(elsewhere.invitation.unwrap().host, None);
}

#[test]
fn a_client_says_whose_room_it_means_and_what_shall_be_signed() {
    let room = "friday".parse().unwrap();
    let host = HostSecret::from_random([1; 32]).host_key(&room);
    let challenge = Some(Challenge::from_random([3; 32]));
    let mut client = Hello {
        host: Some(host.id()),
        host_challenge: challenge,
        ..hello()
    };
    let key = RoomKey::from_random([1; 16]).admission_key();
    client.prove(&key, CHANNEL);
    client.prove_host(&host, CHANNEL);
    assert_eq!(client.host_proof, None, "it is no gateway");
    let entry = client.clone().check(CHANNEL).unwrap().unwrap();
    assert_eq!(entry.host_challenge, challenge);
    assert_eq!(entry.invitation.unwrap().host, Some(host.id()));
    let mut gateway = Hello::new(&room, Newcomer::Gateway, client.datagram_budget);
    (gateway.host, gateway.host_challenge) = (client.host, challenge);
    gateway.prove(&key, CHANNEL);
    let entry = gateway.check(CHANNEL).unwrap().unwrap();
    let host = entry.invitation.unwrap().host;
    assert_eq!((entry.host_challenge, host), (None, None));
}

#[test]
fn values_that_cannot_be_are_no_message() {
    for json in [
        json!({ "type": "peer_left", "peer_id": 0, "reason": "closed" }),
        json!({ "type": "peer_joined", "peer_id": 1, "role": "client", "mac": "01:00:5e:00:00:01" }),
        json!({ "type": "peer_joined", "peer_id": 1, "role": "router" }),
        json!({ "type": "hello" }),
        json!(["peer_left"]),
    ] {
        let body = json.to_string();
        assert!(
            codec::decode::<RelayMessage>(body.as_bytes()).is_err(),
            "{json}"
        );
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let body = br#"{"type":"peer_left","peer_id":2,"reason":"closed","later":[1]}"#;
    assert!(codec::decode::<RelayMessage>(body).is_ok());
}

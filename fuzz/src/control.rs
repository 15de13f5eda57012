//! Control messages of both directions, and the check of a `hello`.

use lanparty_ctrl::message::{Entry, Hello, Newcomer};
use lanparty_ctrl::{
    BATCHES, ChannelBinding, DOORS, DRAINS, GROUPS, NEW_KEYS, NOTICES, PINGS, PeerMessage,
    RelayMessage, Role, Text, VERSION, codec, text,
};
use lanparty_proto::VirtualMac;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

/// A stranger's bytes, once as a length prefix and once as a message of either direction: what is
/// understood is written back with the same meaning, and every value in it is one that may be.
pub fn control(body: &[u8]) {
    if let Some(prefix) = body.first_chunk() {
        check_prefix(*prefix);
    }
    let from_peer = round_trip::<PeerMessage>(body);
    let from_relay = round_trip::<RelayMessage>(body);
    match (from_peer, from_relay) {
        (Some(PeerMessage::Disconnect(a)), Some(RelayMessage::Disconnect(b))) => {
            assert_eq!(a, b);
            check_text(&a.text);
        }
        (Some(message), None) => check_peer_message(message),
        (None, Some(message)) => check_relay_message(&message),
        (None, None) => {}
        both => unreachable!("a message of both directions: {both:?}"),
    }
}

fn check_prefix(prefix: [u8; codec::PREFIX_LEN]) {
    let announced = u32::from_be_bytes(prefix) as usize;
    let accepted = (announced <= codec::MAX_LEN).then_some(announced);
    assert_eq!(codec::body_len(prefix).ok(), accepted);
}

fn round_trip<M: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8]) -> Option<M> {
    let message: M = codec::decode(body).ok()?;
    // Defaults are written out, so what is nearly too long may become so.
    let Ok(bytes) = codec::encode(&message) else {
        assert!(body.len() > codec::MAX_LEN / 2);
        return Some(message);
    };
    let (prefix, body) = bytes
        .split_first_chunk()
        .expect("a message has a length prefix");
    assert_eq!(codec::body_len(*prefix).ok(), Some(body.len()));
    assert_eq!(codec::decode::<M>(body).ok().as_ref(), Some(&message));
    Some(message)
}

fn check_peer_message(message: PeerMessage) {
    match message {
        PeerMessage::Hello(hello) | PeerMessage::Find(hello) => check_hello(*hello),
        PeerMessage::Stats(stats) => {
            // Counters come from strangers too: their sum must be one.
            let _ = stats.drops.total();
        }
        PeerMessage::Host(_)
        | PeerMessage::Vouch(_)
        | PeerMessage::NewKey(_)
        | PeerMessage::Door(_)
        | PeerMessage::Ready(_)
        | PeerMessage::Met(_)
        | PeerMessage::Look
        | PeerMessage::Enter(_) => {}
        PeerMessage::Disconnect(disconnect) => {
            unreachable!("{disconnect:?} is for both directions")
        }
    }
}

fn check_relay_message(message: &RelayMessage) {
    match message {
        RelayMessage::Welcome(welcome) => {
            assert!((1280..=1500).contains(&welcome.effective_mtu.number()));
        }
        RelayMessage::Reject(reject) => check_text(&reject.text),
        RelayMessage::PeerJoined(joined) => {
            if let Some(mac) = joined.mac {
                check_mac(mac);
            }
        }
        RelayMessage::PeerLeft(left) => assert_ne!(left.peer_id.number(), 0),
        RelayMessage::Members(_)
        | RelayMessage::Notice(_)
        | RelayMessage::Vouched(_)
        | RelayMessage::NewKey(_)
        | RelayMessage::Pings(_)
        | RelayMessage::Meet(_)
        | RelayMessage::Go(_)
        | RelayMessage::NoMeeting(_)
        | RelayMessage::Seen(_)
        | RelayMessage::Entered(_)
        | RelayMessage::Found(_)
        | RelayMessage::Redirect(_)
        | RelayMessage::Moved(_)
        | RelayMessage::Silence(_)
        | RelayMessage::NotPlaced(_) => {}
        RelayMessage::Disconnect(disconnect) => {
            unreachable!("{disconnect:?} is for both directions")
        }
    }
}

fn check_hello(hello: Hello) {
    let has_its_mac = hello.mac.is_some() == (hello.role == Role::Client);
    let room = hello.room.clone();
    match hello.clone().check(CHANNEL) {
        Ok(Ok(entry)) => check_entry(&hello, &entry),
        Ok(Err(_)) => assert!(hello.version != VERSION || !is_room_code(&room)),
        Err(_) => assert!(!has_its_mac && hello.version == VERSION),
    }
}

/// A `hello` that our own programs would write says the same again.
fn check_entry(hello: &Hello, entry: &Entry) {
    assert_eq!(hello.version, VERSION);
    assert!(is_room_code(&hello.room));
    assert_eq!(entry.room.as_str(), hello.room.to_ascii_uppercase());
    assert!(entry.datagram_budget.bytes() >= 512);
    if let Newcomer::Client(mac) = entry.who {
        check_mac(mac);
    }
    let invitation = entry.invitation.as_ref();
    let is_client = entry.who != Newcomer::Gateway;
    let ours = Hello {
        host: invitation.and_then(|invitation| invitation.host.filter(|_| is_client)),
        host_challenge: entry.host_challenge,
        host_key: hello.host_key,
        host_proof: hello.host_proof,
        name: entry.name.clone().map(Into::into),
        resume_token: entry.resume_token.clone(),
        proof: invitation.map(|invitation| invitation.proof),
        admission_key: invitation.and_then(|invitation| invitation.admission_key.clone()),
        capabilities: abilities(entry),
        ..Hello::new(&entry.room, entry.who, entry.datagram_budget)
    };
    assert_eq!(ours.check(CHANNEL), Ok(Ok(entry.clone())));
}

fn abilities(entry: &Entry) -> Vec<String> {
    let abilities = [
        (NOTICES, entry.takes_notices),
        (GROUPS, entry.tells_groups),
        (BATCHES, entry.reads_batches),
        (PINGS, entry.takes_pings),
        (NEW_KEYS, entry.takes_new_keys),
        (DRAINS, entry.takes_drains),
        (DOORS, entry.knows_doors),
    ];
    let has = abilities.into_iter().filter(|&(_, has)| has);
    has.map(|(name, _)| name.to_owned()).collect()
}

fn is_room_code(text: &str) -> bool {
    let allowed = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-');
    (4..=32).contains(&text.chars().count()) && text.chars().all(allowed)
}

fn check_mac(mac: VirtualMac) {
    let [first, ..] = mac.addr().octets();
    assert_eq!(first & 0b11, 0b10, "{mac} is a group address or a vendor's");
}

/// Nothing in it may move a cursor or turn what follows.
fn check_text(shown: &Text) {
    assert!(shown.as_str().chars().count() <= text::MAX_CHARS);
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmless = |c: char| !c.is_control() && !turns(c);
    assert!(shown.as_str().chars().all(harmless), "{shown:?}");
}

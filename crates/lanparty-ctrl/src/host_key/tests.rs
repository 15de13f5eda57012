use super::*;
use crate::{AdmissionKey, RoomKey};

const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

fn secret() -> HostSecret {
    HostSecret::from_random(*b"0123456789abcdef0123456789ABCDEF")
}

fn room(code: &str) -> RoomCode {
    code.parse().unwrap()
}

fn key() -> HostKey {
    secret().host_key(&room("friday"))
}

fn admission_key(number: u8) -> AdmissionKey {
    RoomKey::from_random([number; 16]).admission_key()
}

fn introduction(room: &RoomCode) -> Introduction<'_> {
    Introduction {
        challenge: Challenge::from_random([9; 32]),
        client: VirtualMac::from_random([2, 0, 0, 0, 0, 9]),
        gateway: PeerId::new(1).unwrap(),
        room_id: RoomId::new(7).unwrap(),
        room,
    }
}

/// Worked out with Python's hmac and cryptography modules, from RFC 5869, RFC 8032 and RFC 8410.
#[test]
fn keys_and_signatures_are_these() {
    let (host, friday) = (key(), room("FRIDAY"));
    assert_eq!(
        *secret().reveal(),
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY"
    );
    assert_eq!(
        host.public().to_string(),
        "UGM6ucjooZVOGgHS1uyFP3twyO7s1cz8g_kgzSFEtgY"
    );
    assert_eq!(
        host.id().to_string(),
        "z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs"
    );
    assert_eq!(
        secret().host_key(&room("MONDAY")).id().to_string(),
        "AaObaTpDvbfo-UpFN29GQ0HnT4VnCc1BgA8mC8DhF3g"
    );
    let admission = RoomKey::from_random(*b"0123456789abcdef").admission_key();
    assert_eq!(
        host.prove(&CHANNEL, &admission.id(), &friday).to_string(),
        "yeIPF_RIvQvm73p0xjqVcABgJpvJzZwNkzYi85o2Ut2hdzKBfcK9rM7LVt4RQt0t7tzpoh5x1hC4qXuhW8mSAg"
    );
    assert_eq!(
        host.vouch(&introduction(&friday)).signature.to_string(),
        "RN3v6mZb0kB4xQYo4tRAjh8C8mCWy4KAW4HR1Hn1UJ9XuwBnlJXoZyVuHitII7oJ3u22iTGvPqNFLQMAsjw6Cg"
    );
}

#[test]
fn a_proof_is_for_one_host_connection_admission_key_and_room() {
    let (host, friday, brought) = (key(), room("FRIDAY"), admission_key(1).id());
    let proof = host.prove(&CHANNEL, &brought, &friday);
    let public = host.public();
    assert!(public.accepts(&proof, &CHANNEL, &brought, &friday));
    let other = HostSecret::from_random([1; 32]).host_key(&friday).public();
    for accepted in [
        other.accepts(&proof, &CHANNEL, &brought, &friday),
        public.accepts(&proof, &ChannelBinding([8; 32]), &brought, &friday),
        public.accepts(&proof, &CHANNEL, &admission_key(2).id(), &friday),
        public.accepts(&proof, &CHANNEL, &brought, &room("MONDAY")),
    ] {
        assert!(!accepted);
    }
}

#[test]
fn a_vouch_is_for_one_host_challenge_player_gateway_and_room() {
    let (host, friday, monday) = (key(), room("FRIDAY"), room("MONDAY"));
    let at = introduction(&friday);
    let vouch = host.vouch(&at);
    assert!(vouch.holds(&host.id(), &at));
    let challenge = Challenge::from_random([8; 32]);
    let client = VirtualMac::from_random([2, 0, 0, 0, 0, 8]);
    let gateway = PeerId::new(2).unwrap();
    let room_id = RoomId::new(8).unwrap();
    for other in [
        Introduction { challenge, ..at },
        Introduction { client, ..at },
        Introduction { gateway, ..at },
        Introduction { room_id, ..at },
        introduction(&monday),
    ] {
        assert!(!vouch.holds(&host.id(), &other), "{other:?}");
    }
    let guest = HostSecret::from_random([1; 32]).host_key(&friday);
    assert!(!guest.vouch(&at).holds(&host.id(), &at));
    let borrowed = Vouch {
        host_key: host.public(),
        ..guest.vouch(&at)
    };
    assert!(!borrowed.holds(&host.id(), &at));
}

/// A relay that gets one of both cannot pass it off as the other.
#[test]
fn what_is_signed_for_a_relay_vouches_for_nothing() {
    let (host, friday) = (key(), room("FRIDAY"));
    let signature = host.prove(&CHANNEL, &admission_key(1).id(), &friday);
    let host_key = host.public();
    let passed_off = Vouch {
        host_key,
        signature,
    };
    assert!(!passed_off.holds(&host.id(), &introduction(&friday)));
}

#[test]
fn no_secret_shows_itself() {
    let shown = format!("{:?} {:?}", secret(), key());
    assert_eq!(
        shown,
        "HostSecret(…) HostKey(z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs, …)"
    );
}

#[test]
fn each_is_so_many_characters() {
    assert_eq!(secret().reveal().parse(), Ok(secret()));
    let vouch = key().vouch(&introduction(&room("FRIDAY")));
    let signature = vouch.signature.to_string();
    assert_eq!(
        (signature.len(), signature.parse()),
        (86, Ok(vouch.signature))
    );
    let id = key().id().to_string();
    assert_eq!((id.len(), id.parse()), (43, Ok(key().id())));
    for bad in ["", &id[1..], &format!("{id}="), &signature] {
        assert_eq!(bad.parse::<HostId>(), Err(HostKeyError), "{bad}");
        assert_eq!(bad.parse::<HostSecret>(), Err(HostKeyError), "{bad}");
        assert_eq!(bad.parse::<Challenge>(), Err(HostKeyError), "{bad}");
    }
}

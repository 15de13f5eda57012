use super::*;
use crate::controls::Wishes;
use crate::picture::Place;
use lanparty_gateway_control::InviteFacts;
use std::path::Path;

fn desk(kept: Option<KeptFile>) -> Desk {
    desk_of(kept, false)
}

fn desk_of(kept: Option<KeptFile>, is_keyed: bool) -> Desk {
    let room = InviteFacts {
        relay: "r.example:443".into(),
        also: Vec::new(),
        others: Vec::new(),
        room: "EVENING".parse().unwrap(),
        host: None,
        pin: None,
        keys: "/keys".into(),
    };
    let controls = Controls::new(room, is_keyed, Wishes::default());
    let place = Place {
        program: "1.2.3",
        relay: "r.example:443".to_owned(),
        interface: "eth0".to_owned(),
        hosted: false,
    };
    let inviter = Inviter {
        relay: "r.example:443".parse().unwrap(),
        also: Vec::new(),
        others: Vec::new(),
        room: "EVENING".parse().unwrap(),
        host: None,
        pin: None,
        key: None,
        page: None,
        keys: None,
        is_renewing: false,
    };
    let picture = Picture::new(Instant::now(), place);
    let kept = kept.map(|file| (file, Wishes::default()));
    Desk::new(controls, kept, picture, inviter)
}

async fn lock(desk: &Desk) -> String {
    match desk.hear(Request::Lock { on: true }).await {
        Some(Answer::Done(sentence)) => sentence,
        _ => panic!("it is not done"),
    }
}

#[tokio::test]
async fn the_invite_of_a_party_that_runs_names_all_its_relays() {
    let desk = desk_of(None, true);
    let pin = lanparty_ctrl::Pin::from_sha256([7; 32]);
    let others = [format!("s.example:4433~{pin}"), "t.example".to_owned()];
    let others = others.map(|other| other.parse().unwrap()).to_vec();
    {
        let mut inviter = desk.inviter.borrow_mut();
        inviter.pin = Some(pin);
        inviter.key = Some(lanparty_ctrl::RoomKey::from_random([7; 16]));
        inviter.others.clone_from(&others);
    }
    let Some(Answer::Invite(shown)) = desk.hear(Request::Invite { hours: None }).await else {
        panic!("there is no invite");
    };
    let invite: lanparty_edge::invite::Invite = shown.link.parse().unwrap();
    assert_eq!(invite.relay.to_string(), "r.example:443");
    assert_eq!(invite.others, others);
}

#[tokio::test]
async fn a_host_hears_that_an_order_will_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let kept = KeptFile::open(&folder.path().join("orders.json")).unwrap();
    let said = lock(&desk(Some(kept))).await;
    assert!(!said.contains("cannot keep"), "{said}");
    let forgetful = desk(None);
    assert!(
        lock(&forgetful)
            .await
            .contains("cannot keep that (it has no file for that)")
    );
    assert!(forgetful.not_kept(Instant::now()).is_some());
    // A device that is always full.
    let full = KeptFile::open(Path::new("/dev/full")).unwrap();
    let said = lock(&desk(Some(full))).await;
    assert!(
        said.contains("cannot keep that (") && said.contains("next start"),
        "{said}"
    );
}

use super::*;
use crate::controls::Wishes;
use crate::picture::Place;
use crate::relays::Relays;
use lanparty_ctrl::Term;
use lanparty_gateway_control::InviteFacts;
use lanparty_peer::RelaySight;
use std::path::Path;
use std::task::{Context, Waker};

fn desk(kept: Option<KeptFile>) -> Desk {
    desk_of(kept, false)
}

fn desk_of(kept: Option<KeptFile>, is_keyed: bool) -> Desk {
    desk_with(kept, is_keyed, &["r.example:443"])
}

/// Of an open party that may be at these relays.
fn desk_at(relays: &[&str]) -> Desk {
    desk_with(None, false, relays)
}

fn desk_with(kept: Option<KeptFile>, is_keyed: bool, relays: &[&str]) -> Desk {
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
        relays: Relays::new(relays.iter().map(|relay| relay.parse().unwrap()).collect()),
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

/// What is seen of a relay that answers, or why it does not.
fn sight(address: &str, answer: Result<u64, &str>) -> RelaySight {
    RelaySight {
        address: address.parse().unwrap(),
        region: None,
        rtt: answer.ok().map(Duration::from_millis),
        at: Instant::now(),
        is_here: false,
        leads_to: None,
        said: answer.err().map(str::to_owned),
    }
}

/// True while there is no answer.
fn waits(pending: &mut Pending) -> bool {
    let mut nobody = Context::from_waker(Waker::noop());
    pending.as_mut().poll(&mut nobody).is_pending()
}

#[tokio::test]
async fn who_asks_for_the_relays_waits_until_they_have_been_asked() {
    let alone = desk(None);
    let Some(Answer::Relays(shown)) = alone.hear(Request::Relays).await else {
        panic!("another answer");
    };
    assert!(shown.relays.is_empty(), "{shown:?}");
    let desk = desk_at(&["a.example:443", "b.example:443"]);
    desk.note_relay(&"a.example:443".parse().unwrap(), None, None);
    let mut asked = desk.hear(Request::Relays);
    assert!(waits(&mut asked));
    assert!(desk.picture.borrow_mut().relays.take_look());
    desk.note_relays(&[
        sight("a.example:443", Ok(9)),
        sight("b.example:443", Err("it does not answer")),
    ]);
    let Some(Answer::Relays(shown)) = asked.await else {
        panic!("another answer");
    };
    assert!(shown.relays[0].here && shown.relays[0].ping_us == Some(9000));
    assert_eq!(
        shown.relays[1].trouble.as_deref(),
        Some("it does not answer")
    );
}

#[tokio::test]
async fn a_party_is_moved_once_it_is_there_and_the_host_hears_of_it() {
    let [here, there] = ["a.example:443", "b.example:443"];
    let desk = desk_at(&[here, there]);
    let move_to = |relay: &str| {
        desk.hear(Request::MoveTo {
            relay: relay.to_owned(),
        })
    };
    desk.note_relay(&here.parse().unwrap(), None, Some(Term::new(5)));
    let mut overtaken = move_to("2");
    assert!(waits(&mut overtaken));
    let mut moved = move_to("b.example");
    let Some(Answer::Refused(why)) = overtaken.await else {
        panic!("two orders at once");
    };
    assert!(why.contains("meanwhile"), "{why}");
    assert!(waits(&mut moved));
    let wanted = desk.picture.borrow().relays.wanted().cloned();
    assert_eq!(wanted, there.parse().ok());
    desk.note_relay(&there.parse().unwrap(), None, Some(Term::new(6)));
    let Some(Answer::Done(sentence)) = moved.await else {
        panic!("it is not done");
    };
    assert!(sentence.contains(there), "{sentence}");
    let places = desk.snapshot().link.places;
    assert_eq!(places.place().as_deref(), Some("relay 2 of 2"));
    assert_eq!((places.term, places.moves), (Some(6), 1));
    let event = &desk.snapshot().events[0];
    assert!(event.sentence.contains(there), "{event:?}");
}

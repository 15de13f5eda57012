#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

use super::*;
use crate::serve::{self, Listener};
use lanparty_client_control::{Fix, MAX_REQUEST};
use lanparty_client_core::{Player, Report, Reporter};
use lanparty_ctrl::Text;
use lanparty_obs::{Diagnostics, PlayerStatus};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::mpsc;

const INVITE: &str = "lanparty://relay.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg";
/// How long something may take on a busy machine that takes no time.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "local")]
async fn a_view_asks_in_one_line_and_is_answered_when_all_is_undone() {
    let house = House::open();
    let mut watch = house.view("1000").await;
    watch.say(r#"{"do":"watch"}"#).await;
    assert_eq!(watch.snapshot().await.state, State::NotConnected);

    let joining = format!(r#"{{"do":"join","invite":"{INVITE}"}}"#);
    assert!(
        house
            .answer("1000", &joining)
            .await
            .contains("Joining FRIDAY.")
    );
    watch.until(State::Connected).await;
    // Nobody else ends it, and no words of theirs do either.
    let refused = house.answer("1001", r#"{"do":"leave"}"#).await;
    assert!(
        refused.contains("refused") && refused.contains("user 1000"),
        "{refused}"
    );
    for nonsense in [
        "",
        "{}",
        "null",
        r#"{"do":"format"}"#,
        r#"{"for":{"account":"x","id":"1000"}}"#,
    ] {
        let answer = house.answer("1001", nonsense).await;
        assert!(
            answer.contains("does not understand"),
            "{nonsense}: {answer}"
        );
    }
    let too_long = house.answer("1001", &"x".repeat(2 * MAX_REQUEST)).await;
    assert_eq!(too_long, "", "it is not even read");
    let renew = serde_json::to_string(&Request::Fix {
        fix: Fix::RenewAddress,
    })
    .unwrap();
    assert!(house.answer("1000", &renew).await.contains("done"));
    assert!(house.service.wishes.take_renew_address());

    let left = house.answer("1000", r#"{"do":"leave"}"#).await;
    assert!(left.contains("You have left FRIDAY."), "{left}");
    assert!(house.service.running.borrow().is_none());
    watch.until(State::NotConnected).await;
}

#[tokio::test(flavor = "local")]
async fn an_administrators_program_may_speak_for_somebody_and_nobody_else_may() {
    let house = House::open();
    let joining = format!(r#"{{"do":"join","invite":"{INVITE}"}}"#);
    let preface = r#"{"for":{"account":"anna","id":"1000"}}"#;
    let mut carried = house.view("0").await;
    carried.say(preface).await;
    carried.say(&joining).await;
    assert!(carried.line().await.contains("Joining FRIDAY."));
    let rooms = |line: String| line.matches("\"name\":\"FRIDAY\"").count();
    assert_eq!(rooms(house.answer("1000", r#"{"do":"status"}"#).await), 1);
    assert_eq!(rooms(house.answer("0", r#"{"do":"status"}"#).await), 0);
}

#[tokio::test(flavor = "local")]
async fn whoever_is_spoken_for_has_their_own_places_and_none_of_the_administrators() {
    let house = House::open();
    let preface = r#"{"for":{"account":"anna","id":"1000"}}"#;
    let mut carried = Vec::new();
    for _ in 0..20 {
        let mut view = house.view("0").await;
        view.say(preface).await;
        view.say(r#"{"do":"watch"}"#).await;
        carried.push((view.line().await, view));
    }
    let heard = carried.iter().filter(|(line, _)| line.contains("snapshot"));
    assert_eq!(heard.count(), 16, "as many as of anybody else");
    for id in ["0", "1001"] {
        let status = house.answer(id, r#"{"do":"status"}"#).await;
        assert!(status.contains("snapshot"), "{id}: {status}");
    }
}

#[tokio::test(flavor = "local")]
async fn a_view_that_is_deaf_or_silent_keeps_nobody_from_anything() {
    let house = House::open();
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut view = house.view("1000").await;
        view.say(r#"{"do":"watch"}"#).await;
        deaf.push(view);
    }
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(house.view("1000").await);
    }
    let status = house.answer("1000", r#"{"do":"status"}"#).await;
    assert!(status.contains("not_connected"), "{status}");
    assert!(
        house
            .answer("1001", r#"{"do":"status"}"#)
            .await
            .contains("snapshot")
    );
}

/// A service without a system, and a way to its views.
struct House {
    service: Rc<Service<Nowhere>>,
    door: mpsc::UnboundedSender<(DuplexStream, Caller)>,
    _state: tempfile::TempDir,
}

struct View(BufReader<DuplexStream>);

/// Sessions here stand at once, and end when they are asked to.
struct Nowhere;

struct Doorway(mpsc::UnboundedReceiver<(DuplexStream, Caller)>);

impl House {
    fn open() -> Self {
        let state = tempfile::tempdir().unwrap();
        let options = Options {
            program: "0.1.0",
            state: StateFolder::new(state.path().to_owned()),
            tcp: Default::default(),
            relay_only: false,
        };
        let service = Rc::new(Service::new(Nowhere, options));
        let (door, views) = mpsc::unbounded_channel();
        tokio::task::spawn_local(service.clone().keep());
        tokio::task::spawn_local(service.clone().wake());
        tokio::task::spawn_local(serve::serve(Doorway(views), service.clone()));
        House {
            service,
            door,
            _state: state,
        }
    }

    async fn view(&self, id: &str) -> View {
        // Small, so that who does not read is in the way at once.
        let (theirs, ours) = tokio::io::duplex(256);
        let caller = Caller {
            account: format!("user {id}"),
            id: id.to_owned(),
            is_admin: id == "0",
        };
        self.door.send((ours, caller)).unwrap();
        tokio::task::yield_now().await;
        View(BufReader::new(theirs))
    }

    async fn answer(&self, id: &str, request: &str) -> String {
        let mut view = self.view(id).await;
        view.say(request).await;
        view.line().await
    }
}

impl View {
    async fn say(&mut self, line: &str) {
        // The service may hang up in the middle of too long a line.
        let _ = self.0.write_all(format!("{line}\n").as_bytes()).await;
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let heard = tokio::time::timeout(SOON, self.0.read_line(&mut line)).await;
        heard.expect("an answer in time").unwrap_or_default();
        line
    }

    async fn snapshot(&mut self) -> Snapshot {
        let line = self.line().await;
        match serde_json::from_str(&line).unwrap() {
            Answer::Snapshot(snapshot) => *snapshot,
            other => panic!("{other:?}"),
        }
    }

    async fn until(&mut self, state: State) {
        while self.snapshot().await.state != state {}
    }
}

impl Listener for Doorway {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, Caller)> {
        match self.0.recv().await {
            Some(view) => Ok(view),
            None => std::future::pending().await,
        }
    }
}

impl Place for Nowhere {
    fn boot(&self) -> Option<String> {
        None
    }

    async fn play(
        &self,
        player: Player,
        mut reporter: impl Reporter + 'static,
        _wishes: &Wishes,
        stop: impl Future<Output = Text>,
    ) -> Result<()> {
        let session = player.session();
        let address = "192.168.50.17".parse()?;
        let report = Report {
            status: PlayerStatus::OnTheLan {
                address,
                broadcast: true,
            },
            facts: Diagnostics {
                gateway_present: true,
                addresses: vec![address],
                ..Diagnostics::default()
            },
            session: &session,
        };
        reporter.hear(Instant::now(), report);
        stop.await;
        Ok(())
    }

    fn repair(&self) -> Result<String> {
        Ok("Nothing was left.".to_owned())
    }
}

//! `cargo xtask demo --fleet`: a party plays on while its relay is killed, while another one is updated, and while the whole
//! directory is gone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{EchoSession, Pings};
use lanparty_lab::{Etcd, Fleet, FleetPlan, Plan, Player, Several, SeveralPlan, Venue, pass};

use super::{point, say};

/// What a game sends.
const PER_SECOND: u32 = 60;
/// A party has moved by then, or never will.
const SOON: Duration = Duration::from_secs(30);
/// Half a second of a game.
const STEADY: usize = 30;
/// For everybody to see that nothing happens.
const A_WHILE: Duration = Duration::from_secs(5);
/// TCP tries again by then.
const TCP_WAKES: Duration = Duration::from_secs(30);

/// A party, what a player does there, and what it stands on.
struct Evening {
    game: Pings,
    tcp: EchoSession,
    party: Several,
    etcd: Etcd,
}

/// Plays, and ends everything that it began.
pub(super) fn play() -> Result<()> {
    let mut evening = begin()?;
    a_relay_dies(&mut evening)?;
    a_relay_is_updated(&mut evening)?;
    the_directory_is_gone(&mut evening)?;
    say("Good night: the player leaves, then the gateway, the relays, and etcd.");
    let Evening {
        game,
        tcp,
        party,
        etcd,
    } = evening;
    drop((game, tcp));
    party.end()?;
    drop(etcd);
    Ok(())
}

fn begin() -> Result<Evening> {
    say(
        "Setting up: three etcd, three relays that are one service, a LAN with its gateway, and a player far away.",
    );
    let start = Instant::now();
    let venue = Venue::build(Plan {
        remotes: 1,
        ..Plan::default()
    })?;
    let Fleet { relays, etcd } = Fleet::start(&venue, FleetPlan::default())?;
    point(
        "etcd",
        "three of them know which relay has which party; no frame ever goes by them.",
    );
    for (index, relay) in relays.iter().enumerate() {
        let city = Fleet::region(index);
        point("relay", &format!("{city}, {}.", relay.address));
    }
    let plan = SeveralPlan {
        relays: relays.len(),
        relay: Vec::new(),
        gateway: Vec::new(),
        remotes: 1,
        log: None,
    };
    let mut party = Several::gather_at(plan, venue, relays)?;
    let at = party.where_it_is(None).context("the party is nowhere")?;
    point(
        "gateway",
        &format!("was sent to {} with its party.", Fleet::region(at)),
    );
    party.join(Several::INVITE, &["--relay-only"])?;
    let machine = &party.players[0].machine;
    let (name, address) = (machine.name(), party.is_in(0)?);
    say(&format!(
        "The party is on after {:.1} s.",
        start.elapsed().as_secs_f32()
    ));
    point(name, &format!("is on the LAN with the address {address}."));
    point(
        "game",
        &format!("{name} plays with lan1: {PER_SECOND} packets a second, each answered."),
    );
    point(
        "TCP",
        "beside it a connection as ssh has one, that must never break.",
    );
    let game = Pings::start(machine, Venue::LAN1, PER_SECOND, 56)?;
    let tcp = EchoSession::open(machine, &party.venue.lan1, Venue::LAN1)?;
    game.wait_for_answers(Instant::now(), STEADY, SOON)?;
    Ok(Evening {
        game,
        tcp,
        party,
        etcd,
    })
}

fn a_relay_dies(evening: &mut Evening) -> Result<()> {
    let from = evening.city()?;
    let city = Fleet::region(from);
    say(&format!(
        "Somebody pulls the plug of {city}, in the middle of the game."
    ));
    let begin = Instant::now();
    evening.party.relays[from].program.kill()?;
    let to = evening.party.moves_from(from, SOON)?;
    evening.plays_on_since(begin)?;
    point(
        "party",
        &format!("is in {} now; nobody did anything.", Fleet::region(to)),
    );
    evening.show_game(begin, "It goes on; it was without answers for")?;
    evening.show_tcp()?;
    let address = evening.party.is_in(0)?;
    point("address", &format!("still {address}."));
    evening.party.relays[from].start_again()?;
    pass(A_WHILE);
    ensure!(evening.city()? == to, "the party has moved for no reason");
    point(
        "relay",
        &format!("{city} is back, and nobody runs there: what works stays where it is."),
    );
    Ok(())
}

fn a_relay_is_updated(evening: &mut Evening) -> Result<()> {
    let from = evening.city()?;
    let city = Fleet::region(from);
    say(&format!(
        "{city} shall be updated tonight, so its operator drains it."
    ));
    let begin = Instant::now();
    evening.party.relays[from].ctl(&["drain"])?;
    let to = evening.party.moves_from(from, SOON)?;
    evening.plays_on_since(Instant::now())?;
    point(
        "party",
        &format!("was asked over to {}.", Fleet::region(to)),
    );
    evening.show_game(begin, "On the way it was without answers for")?;
    evening.show_tcp()?;
    let relay = &mut evening.party.relays[from];
    let status = relay.program.wait(SOON)?;
    ensure!(status.success(), "{city} ended with {status}");
    relay.start_again()?;
    point(
        "relay",
        &format!("{city} ended by itself when it was empty, and is back as the new version."),
    );
    Ok(())
}

fn the_directory_is_gone(evening: &mut Evening) -> Result<()> {
    say("And now all three etcd die at once.");
    let begin = Instant::now();
    for member in &evening.etcd.members {
        member.program.kill()?;
    }
    pass(A_WHILE);
    evening.plays_on_since(Instant::now())?;
    evening.show_game(
        begin,
        "It does not notice: the longest wait for an answer was",
    )?;
    point("rooms", "go on where they are; only new ones have to wait.");
    for member in 0..evening.etcd.members.len() {
        evening.etcd.start_again(member)?;
    }
    evening.etcd.agrees()?;
    pass(A_WHILE);
    point("etcd", "is back. As every relay of the fleet sees it now:");
    let at = evening.city()?;
    for line in evening.party.relays[at].ctl(&["fleet"])?.lines() {
        println!("               {line}");
    }
    evening.show_tcp()
}

impl Evening {
    fn city(&self) -> Result<usize> {
        self.party.where_it_is(None).context("the party is nowhere")
    }

    fn plays_on_since(&self, since: Instant) -> Result<()> {
        self.game.wait_for_answers(since, STEADY, SOON)
    }

    fn show_game(&self, since: Instant, what: &str) -> Result<()> {
        let report = self.game.report(since, Instant::now());
        ensure!(report.twice == 0, "{} answers came twice", report.twice);
        let wait = report.silence.as_secs_f32();
        point("game", &format!("{what} {wait:.2} s."));
        Ok(())
    }

    fn show_tcp(&self) -> Result<()> {
        self.tcp.lives(TCP_WAKES)?;
        let echoed = self.tcp.echoed();
        let tap = Player::TAP;
        point(
            "TCP",
            &format!(
                "the same connection over {tap}: {echoed} records went, all came back as they were."
            ),
        );
        Ok(())
    }
}

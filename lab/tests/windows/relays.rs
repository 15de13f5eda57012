//! The invite names two relays, and the one where the party is dies: it goes on at the other one, and says so.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::Pings;
use lanparty_lab::{Several, Venue, WindowsPc, eventually};
use serde_json::Value;

use crate::guest::SOON;
use crate::service::Household;

/// Everybody is back by then (spec R150).
const PROMISE: Duration = Duration::from_secs(7);
/// What Wine, and a machine that has other work, may add.
const WINE: Duration = Duration::from_secs(4);
/// What a game sends.
const PER_SECOND: u32 = 60;
/// Half a second of answers is a way that works.
const STEADY: usize = 30;

/// Everything goes by the relay, so that no direct path hides the gap. Nobody does anything, and the PC has no route to the
/// dead relay left.
pub(crate) fn a_dead_relay_is_survived_at_the_other_one(household: &Household) -> Result<()> {
    household.does(&["direct", "off"])?;
    // Whoever is at no party is refused.
    household.client(&["leave"])?;
    household.join()?;
    let machine = household.pc.machine();
    let mut party = household.party();
    let at = party.where_it_is(None).context("the party is nowhere")?;
    is_at(household, &party, at)?;
    let address = machine.ipv4(WindowsPc::TAP);
    let pings = Pings::start(machine, Venue::LAN1, PER_SECOND, 56)?;
    pings.wait_for_answers(Instant::now(), STEADY, SOON)?;
    let client = household.installed("lanparty-client.exe");
    let words = ["status", "--watch", "--json"].map(AsRef::as_ref);
    let watch = [client.as_os_str()].into_iter().chain(words);
    let watch = household.pc.spawn("watch", watch)?;
    watch.wait_for_line("\"connected\"", SOON)?;

    let (begin, mark) = (Instant::now(), watch.mark());
    party.relays[at].program.kill()?;
    let to = party.moves_from(at, SOON)?;
    pings.wait_for_answers(Instant::now(), STEADY, SOON)?;
    let gap = pings.report(begin, Instant::now()).silence;
    is_at(household, &party, to)?;
    ensure!(gap <= PROMISE + WINE, "the game stood still for {gap:.1?}");
    ensure!(machine.ipv4(WindowsPc::TAP) == address, "another address");
    let log = watch.log();
    let meanwhile = log.lines().skip(mark);
    let told = |words: &str| meanwhile.clone().any(|line| line.contains(words));
    ensure!(
        told("\"reconnecting\"") && told("the other relay of the invite"),
        "the player was not told:\n{}",
        watch.tail(6)
    );
    let routes = machine.ip_shows("route show")?;
    let has_route = |relay: usize| {
        let relay = party.relays[relay].address.to_string();
        routes.lines().any(|route| route.starts_with(&relay))
    };
    ensure!(has_route(to) && !has_route(at), "{routes}");
    println!("a relay is killed: the player at Windows is without an answer for {gap:.1?}");

    party.relays[at].start_again()?;
    household.does(&["direct", "on"]).map(drop)
}

/// Both forms of the status say at which relay the party is, and only that one.
fn is_at(household: &Household, party: &Several, relay: usize) -> Result<()> {
    let number = relay + 1;
    let address = format!("{}:443", party.relays[relay].address);
    let mut last = Value::Null;
    let says = eventually(&format!("the party is at relay {number}"), SOON, || {
        last = household.snapshot().ok()?;
        let place = &last["place"];
        let is_there = place["number"] == number && place["of"] == 2;
        (last["state"] == "connected" && is_there && place["address"] == *address).then_some(())
    });
    says.with_context(|| format!("the last was {last}"))?;
    let said = household.does(&["status"])?;
    let row = format!("relay     {number} of 2 ({address})");
    let title = format!("{} at {address}", Several::ROOM);
    ensure!(said.contains(&row) && said.contains(&title), "{said}");
    Ok(())
}

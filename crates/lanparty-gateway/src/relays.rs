//! The relays at which a party may be, where there are several: what is known of each, and where the host wants it.
//!
//! Pure: times come in. The loop of the peer asks them all and goes over; this says when, and what the host hears of it.

use crate::controls::NO_LINK;
use lanparty_ctrl::places::NotPlaced;
use lanparty_ctrl::{Term, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_gateway_control::{Relay, Relays as Shown};
use lanparty_peer::RelaySight;
use std::time::{Duration, Instant};

/// How often all relays are asked although nobody wants to know.
const SURVEY: Duration = Duration::from_secs(600);
/// How long a relay may take until the party is there: two handshakes of the slowest path, and a hello.
const MOVE: Duration = Duration::from_secs(8);
/// How long they may take to answer at all.
const ANSWERS: Duration = Duration::from_secs(4);
/// Relays within this of the best round trip are as good; nobody feels it, and a party should not run after it.
const AS_GOOD: Duration = Duration::from_millis(10);

/// What is known of them.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    /// Those of the configuration, in its order.
    named: Vec<RelayAddress>,
    /// What the last look at all of them showed.
    sights: Vec<RelaySight>,
    /// Since when they are known at all, or when it was last time to ask them.
    asked_at: Option<Instant>,
    /// A look is wanted, and by whom: since when somebody waits for it.
    wants_look: bool,
    waits_since: Option<Instant>,
    /// Where the party is, or was last.
    last: Option<RelayAddress>,
    is_linked: bool,
    /// What the relay there calls its place.
    region: Option<Text>,
    term: Option<Term>,
    moves: u64,
    order: Option<Order>,
    /// What has come of it.
    outcome: Option<Result<String, String>>,
}

/// Where the host wants the party.
#[derive(Debug, Clone)]
struct Order {
    since: Instant,
    to: Wanted,
}

#[derive(Debug, Clone)]
enum Wanted {
    /// At the nearest one, which has to be found out.
    Best,
    At(RelayAddress),
}

/// What becomes of the host's order at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    /// A sentence says that all is so already.
    Done(String),
    /// What comes of it is known later ([`Relays::take_outcome`]).
    Later,
}

impl Relays {
    /// Those that the gateway was started with, the invite's first one first.
    pub(crate) fn new(named: Vec<RelayAddress>) -> Self {
        Relays {
            named,
            ..Relays::default()
        }
    }

    /// The link stands, at this relay. True when the party was at another one before.
    pub(crate) fn note_joined(
        &mut self,
        at: &RelayAddress,
        region: Option<Text>,
        term: Option<Term>,
    ) -> bool {
        let has_moved = self.last.as_ref().is_some_and(|last| !last.is_same(at));
        self.moves += u64::from(has_moved);
        (self.is_linked, self.region, self.term) = (true, region, term);
        self.last = Some(at.clone());
        for sight in &mut self.sights {
            sight.is_here = false;
        }
        if self.wanted().is_some_and(|wanted| wanted.is_same(at)) {
            let said = format!(
                "The party is at {} now; players follow by themselves within seconds.",
                self.words_for(at)
            );
            self.end_order(Ok(said));
        }
        has_moved
    }

    /// There is no link.
    pub(crate) fn note_lost(&mut self) {
        self.is_linked = false;
    }

    /// All of them have been looked at.
    pub(crate) fn note_sights(&mut self, now: Instant, sights: &[RelaySight]) {
        self.sights = sights.to_vec();
        self.asked_at.get_or_insert(now);
        self.waits_since = None;
        let Some(order) = &self.order else { return };
        match &order.to {
            Wanted::Best => self.choose_best(),
            Wanted::At(to) => {
                let to = to.clone();
                if let Some(end) = self.end_by_sight(&to) {
                    self.end_order(end);
                }
            }
        }
    }

    /// The fleet does not have the party where the host wants it.
    pub(crate) fn note_not_placed(&mut self, not_placed: &NotPlaced) {
        let is_it = |to: &&RelayAddress| {
            let relay = not_placed.relay.parse::<RelayAddress>();
            relay.is_ok_and(|relay| relay.is_same(to))
        };
        if let Some(to) = self.wanted().filter(is_it).cloned() {
            self.end_order(match not_placed.text.as_str() {
                HERE => Ok(self.already(&to)),
                why => Err(self.refusal(&to, why)),
            });
        }
    }

    /// A second has passed.
    pub(crate) fn handle_second(&mut self, now: Instant) {
        let age = |at: Instant| now.saturating_duration_since(at);
        let is_old = |at: Option<Instant>| at.is_none_or(|at| age(at) >= SURVEY);
        // The others of a fleet are measured without being asked for here.
        let is_due = is_old(self.asked_at) && is_old(self.oldest(self.named.iter()));
        if self.are_several() && self.is_linked && is_due && !self.wants_look {
            // Where nobody tells of it, it is not asked for each second.
            (self.wants_look, self.asked_at) = (true, Some(now));
        }
        self.waits_since.take_if(|at| age(*at) >= ANSWERS);
        let Some(order) = self.order.clone().filter(|order| age(order.since) >= MOVE) else {
            return;
        };
        let refusal = match &order.to {
            Wanted::Best => {
                "the other relays do not answer, so the party stays where it is; try again later"
                    .to_owned()
            }
            Wanted::At(to) => self.refusal(to, "it did not let the gateway in within 8 seconds"),
        };
        self.end_order(Err(refusal));
    }

    /// The host wants to see how all of them do. False where there is only one.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        let looks = self.are_several() && self.is_linked;
        if looks {
            (self.wants_look, self.waits_since) = (true, Some(now));
        }
        looks
    }

    /// True while somebody waits for that.
    pub(crate) fn is_looked_for(&self) -> bool {
        self.waits_since.is_some()
    }

    /// True once when all are to be looked at.
    pub(crate) fn take_look(&mut self) -> bool {
        std::mem::take(&mut self.wants_look)
    }

    /// The host wants the party at this one: by number, address, region, or the `best`.
    ///
    /// # Errors
    /// Why that cannot be, as a sentence's end.
    pub(crate) fn order(&mut self, now: Instant, to: &str) -> Result<Ordered, String> {
        if !self.are_several() {
            return Err(ALONE.to_owned());
        }
        let wanted = match to.trim().eq_ignore_ascii_case("best") {
            true => Wanted::Best,
            false => Wanted::At(self.find(to)?),
        };
        if !self.is_linked {
            return Err(NO_LINK.to_owned());
        }
        if let Wanted::At(to) = &wanted
            && let Some(here) = self.leads_here(to)
        {
            let said = self.already(here);
            self.end_order(Err(OVERTAKEN.to_owned()));
            return Ok(Ordered::Done(said));
        }
        self.end_order(Err(OVERTAKEN.to_owned()));
        self.wants_look |= matches!(wanted, Wanted::Best);
        self.order = Some(Order {
            since: now,
            to: wanted,
        });
        Ok(Ordered::Later)
    }

    /// Where the host wants it, for as long as it is not there.
    pub(crate) fn wanted(&self) -> Option<&RelayAddress> {
        match &self.order.as_ref()?.to {
            Wanted::Best => None,
            Wanted::At(to) => Some(to),
        }
    }

    /// What has come of an order, once.
    pub(crate) fn take_outcome(&mut self) -> Option<Result<String, String>> {
        self.outcome.take()
    }

    /// How often the party has gone from one relay to another.
    pub(crate) fn moves(&self) -> u64 {
        self.moves
    }

    /// All of them with what is known, in the order of the configuration; none where there is only one.
    pub(crate) fn shown(&self) -> Shown {
        let relays = match self.are_several() {
            true => self.known().map(|relay| self.show(relay)).collect(),
            false => Vec::new(),
        };
        Shown {
            relays,
            term: self.term.map(Term::number),
            moves: self.moves,
            asked_s: None,
        }
    }

    /// The same with the age of what is known: of the one that was seen first. Where the party is, the link's round trip is `ping`.
    pub(crate) fn shown_at(&self, now: Instant, ping: Option<Duration>) -> Shown {
        let asked = self.oldest(self.known());
        let mut shown = self.shown();
        shown.asked_s = asked.map(|at| now.saturating_duration_since(at).as_secs());
        for here in shown.relays.iter_mut().filter(|relay| relay.here) {
            here.ping_us = ping.map(micros).or(here.ping_us);
        }
        shown
    }

    /// Where the party is, as part of a sentence; nothing where there is only one place.
    pub(crate) fn place(&self) -> Option<String> {
        self.shown().place()
    }

    /// How many there are beside the one where the party is.
    pub(crate) fn others(&self) -> usize {
        let here = self.known().filter(|relay| self.is_here(relay)).count();
        self.known().count().saturating_sub(here.max(1))
    }

    fn are_several(&self) -> bool {
        self.known().nth(1).is_some()
    }

    /// Those of the configuration, and those of a fleet behind them.
    fn known(&self) -> impl Iterator<Item = &RelayAddress> {
        let seen = self.sights.iter().map(|sight| &sight.address);
        let is_new = |relay: &&RelayAddress| !self.named.iter().any(|named| named.is_same(relay));
        let last = self.last.iter().filter(|last| {
            let mut sights = self.sights.iter();
            !sights.any(|sight| sight.address.is_same(last))
        });
        self.named.iter().chain(seen.chain(last).filter(is_new))
    }

    fn sight_of(&self, relay: &RelayAddress) -> Option<&RelaySight> {
        let mut sights = self.sights.iter();
        sights.find(|sight| sight.address.is_same(relay))
    }

    /// When it was seen last how that one of these does of which that is longest ago, but for where the party is.
    fn oldest<'a>(&self, relays: impl Iterator<Item = &'a RelayAddress>) -> Option<Instant> {
        let others = relays.filter(|relay| !self.is_here(relay));
        let seen = others.filter_map(|relay| self.sight_of(relay));
        seen.map(|sight| sight.at).min()
    }

    /// What the last look at this one makes of an order to go there, if anything.
    fn end_by_sight(&self, to: &RelayAddress) -> Option<Result<String, String>> {
        if let Some(here) = self.leads_here(to) {
            return Some(Ok(self.already(here)));
        }
        let sight = self.sight_of(to)?;
        let leads = |to: &RelayAddress| format!("it leads to the relay {to}");
        let why = sight.said.clone();
        let why = why.or_else(|| sight.leads_to.as_ref().map(leads))?;
        Some(Err(self.refusal(to, &why)))
    }

    /// Where the party is, if it is at this one, or at the one to which this one sends those who ask for it.
    fn leads_here<'a>(&'a self, to: &'a RelayAddress) -> Option<&'a RelayAddress> {
        let leads_to = self.sight_of(to).and_then(|sight| sight.leads_to.as_ref());
        let mut ways = [Some(to), leads_to].into_iter().flatten();
        ways.find(|way| self.is_here(way))
    }

    fn already(&self, here: &RelayAddress) -> String {
        format!("The party is at {} already.", self.words_for(here))
    }

    /// True for where the link is, and for the other name of the same machine.
    fn is_here(&self, relay: &RelayAddress) -> bool {
        let is_named = || self.last.as_ref().is_some_and(|last| last.is_same(relay));
        let is_seen = || self.sight_of(relay).is_some_and(|sight| sight.is_here);
        self.is_linked && (is_named() || is_seen())
    }

    fn show(&self, relay: &RelayAddress) -> Relay {
        let sight = self.sight_of(relay);
        let is_here = self.is_here(relay);
        let told = self.region.as_ref().filter(|_| is_here);
        let region = told.or_else(|| sight?.region.as_ref());
        let rtt = sight.and_then(|sight| sight.rtt);
        Relay {
            address: relay.to_string(),
            region: region.map(ToString::to_string),
            ping_us: rtt.map(micros),
            here: is_here,
            leads_to: sight
                .filter(|_| !is_here)
                .and_then(|sight| Some(sight.leads_to.as_ref()?.to_string())),
            trouble: sight
                .filter(|_| !is_here)
                .and_then(|sight| sight.said.clone()),
        }
    }

    /// By number, by address, by region, or by a name alone.
    fn find(&self, who: &str) -> Result<RelayAddress, String> {
        let who = who.trim();
        let by_number = |number: usize| self.known().nth(number.checked_sub(1)?);
        if let Some(relay) = who.parse().ok().and_then(by_number) {
            return Ok(relay.clone());
        }
        let address = who.parse::<RelayAddress>().ok();
        let is_named = |relay: &RelayAddress| address.as_ref().is_some_and(|it| it.is_same(relay));
        let is_there = |relay: &RelayAddress| {
            let region = self.show(relay).region;
            region.is_some_and(|region| region.eq_ignore_ascii_case(who))
        };
        let is_host = |relay: &RelayAddress| relay.host().eq_ignore_ascii_case(who);
        for is_meant in [
            &is_named as &dyn Fn(&RelayAddress) -> bool,
            &is_there,
            &is_host,
        ] {
            let mut meant = self.known().filter(|relay| is_meant(relay));
            match (meant.next(), meant.next()) {
                (Some(_), Some(_)) => return Err(ambiguous(who)),
                (Some(relay), None) => return Ok(relay.clone()),
                (None, _) => {}
            }
        }
        Err(unknown(who))
    }

    fn choose_best(&mut self) {
        let good = self.sights.iter().filter(|sight| sight.said.is_none());
        let measured = good.filter_map(|sight| Some((sight.rtt?, &sight.address)));
        let best = measured.clone().min_by_key(|(rtt, _)| *rtt);
        let here = measured.clone().find(|(_, relay)| self.is_here(relay));
        let Some((rtt, best)) = best else {
            let refusal = "no relay answers now, so the party stays where it is; try again later";
            return self.end_order(Err(refusal.to_owned()));
        };
        match here {
            Some((own, here)) if own <= rtt + AS_GOOD => {
                let said = self.already(here);
                self.end_order(Ok(format!("{said} No other is nearer.")));
            }
            _ => {
                let to = Wanted::At(best.clone());
                self.order = self.order.take().map(|order| Order { to, ..order });
            }
        }
    }

    fn end_order(&mut self, outcome: Result<String, String>) {
        if self.order.take().is_some() {
            self.outcome = Some(outcome);
        }
    }

    fn refusal(&self, to: &RelayAddress, why: &str) -> String {
        let to = self.words_for(to);
        let here = self.last.as_ref().map(|here| self.words_for(here));
        let here = here.unwrap_or_else(|| "its relay".to_owned());
        format!(
            "{to} does not take the party: {why}; it stays at {here}; `lanparty-gateway ctl relays` shows how all of them do"
        )
    }

    /// An address, and where that is.
    fn words_for(&self, relay: &RelayAddress) -> String {
        match self.show(relay).region {
            Some(region) => format!("the relay {relay} in {region}"),
            None => format!("the relay {relay}"),
        }
    }
}

fn micros(rtt: Duration) -> u32 {
    u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)
}

const ALONE: &str = "this party has one relay only; start the gateway with more of them (--relay, several times), and make a \
                     new invite";
/// What a fleet says of a relay at which the party is, under another name (`lanparty_fleet::NotPlaced::Here`).
const HERE: &str = "the party is there already";
const OVERTAKEN: &str = "another relay was chosen meanwhile";

/// What a host reads when its fleet sends the party to where it does not come in.
pub(crate) fn stays(relay: &str, why: &str) -> String {
    format!("The fleet sends the party to the relay {relay}, and it stays where it is: {why}.")
}

fn unknown(who: &str) -> String {
    format!("no relay of this party is called {who:?}; `lanparty-gateway ctl relays` shows them")
}

fn ambiguous(who: &str) -> String {
    format!("several relays of this party are in {who:?}; name one by its address or number")
}

/// What the host may hear instead, for the page that explains it.
#[cfg(test)]
pub(crate) fn refusals() -> Vec<lanparty_told::Told> {
    let relays = Relays {
        last: "a.example:443".parse().ok(),
        ..Relays::default()
    };
    let told = |sentence: String, means, remedy| lanparty_told::Told {
        sentence,
        means,
        remedy,
    };
    let refused = relays.refusal(
        &"b.example:443".parse().expect("an address"),
        "it does not answer",
    );
    vec![
        told(
            ALONE.to_owned(),
            "A party moves between the relays of its invite, and this one has one.",
            "More relays, and a new invite.",
        ),
        told(
            unknown("Oslo"),
            "No relay has that number, address or region.",
            "Look in `ctl relays`.",
        ),
        told(
            ambiguous("Paris"),
            "More than one calls its place so.",
            "The address or number from `ctl relays`.",
        ),
        told(
            refused,
            "The gateway leaves a relay only for one that lets it in.",
            "Another relay, or later.",
        ),
        told(
            stays("b.example:443", "it does not answer"),
            "A relay that moves its rooms, or a host who moves a party, has named another one, to which the gateway did not get within 8 seconds.",
            "Nothing, as long as the party goes on; else tell the operator.",
        ),
        told(
            OVERTAKEN.to_owned(),
            "A second order came before the first one was done.",
            "Look in `ctl relays` where the party is.",
        ),
    ]
}

#[cfg(test)]
mod tests;

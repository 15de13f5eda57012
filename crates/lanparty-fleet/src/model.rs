//! A directory in memory under virtual time, for tests: leases, revisions, guarded writes, a watch, and a network that
//! delays and loses.
//!
//! It answers as etcd does where the fleet can tell the difference: a lease that expires takes its keys with it in one
//! revision; a directory that was away keeps its leases for their whole time again; a request whose answer is lost may
//! have been done.

use crate::directory::{
    Answer, Entry, Event, Found, Guard, LeaseId, Put, Request, Revision, Tag, Write,
};
use crate::view::View;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Answers that take longer are none, as the shell has it.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// Which relay asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(usize);

/// What a relay hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// For [`Fleet::handle_event`](crate::Fleet::handle_event).
    Event(Event),
    /// For [`Fleet::handle_answer`](crate::Fleet::handle_answer).
    Answer(Tag, Answer),
}

/// The directory.
#[derive(Debug)]
pub struct Model {
    now: Instant,
    cluster: u64,
    revision: u64,
    last_lease: i64,
    keys: BTreeMap<Vec<u8>, Kept>,
    leases: BTreeMap<LeaseId, Term>,
    is_up: bool,
    sites: Vec<Line>,
    /// What happens when, in turn.
    agenda: BTreeMap<(Instant, u64), Step>,
    last_step: u64,
    requests: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    value: Vec<u8>,
    revision: u64,
    lease: Option<LeaseId>,
}

#[derive(Debug, Clone, Copy)]
struct Term {
    ttl: Duration,
    ends: Instant,
}

/// The way between the directory and a relay.
#[derive(Debug)]
struct Line {
    delay: Duration,
    cut: bool,
    /// It has to hear everything anew.
    stale: bool,
    /// Which of its watches is the present one; what another has told is lost on its way.
    watch: u64,
    /// So long after a watch has ended the next one begins.
    pause: Duration,
    listens_at: Instant,
    /// A watch tells everything in turn: nothing sooner than what was told before.
    told: Instant,
    heard: VecDeque<Heard>,
}

impl Line {
    fn loses_the_thread(&mut self, now: Instant) {
        self.stale = true;
        self.watch += 1;
        self.listens_at = now + self.pause;
    }
}

#[derive(Debug)]
enum Step {
    Arrives(Site, Tag, Request, Instant),
    Answers(Site, Tag, Answer),
    Tells(Site, u64, Event),
    Listens,
}

impl Model {
    /// An empty directory that is up.
    pub fn new(now: Instant) -> Self {
        Model {
            now,
            cluster: 1,
            revision: 1,
            last_lease: 0,
            keys: BTreeMap::new(),
            leases: BTreeMap::new(),
            is_up: true,
            sites: Vec::new(),
            agenda: BTreeMap::new(),
            last_step: 0,
            requests: 0,
        }
    }

    /// A relay connects: it hears everything that is there, then each change. `delay` is there and back.
    pub fn join(&mut self, delay: Duration) -> Site {
        let site = Site(self.sites.len());
        self.sites.push(Line {
            delay,
            cut: false,
            stale: true,
            watch: 0,
            pause: Duration::ZERO,
            listens_at: self.now,
            told: self.now,
            heard: VecDeque::new(),
        });
        self.catch_up();
        site
    }

    /// There and back takes so long from now on.
    pub fn set_delay(&mut self, site: Site, delay: Duration) {
        self.sites[site.0].delay = delay;
    }

    /// A relay whose watch has ended begins the next one so much later; until then it hears nothing, but can ask.
    pub fn set_pause(&mut self, site: Site, pause: Duration) {
        self.sites[site.0].pause = pause;
    }

    /// Cuts a relay off, or mends it. What was on its way is lost; a mended one hears everything anew.
    pub fn cut(&mut self, site: Site, is: bool) {
        let line = &mut self.sites[site.0];
        if line.cut == is {
            return;
        }
        line.cut = is;
        line.loses_the_thread(self.now);
        if is {
            line.heard.push_back(Heard::Event(Event::Deaf));
        }
        self.catch_up();
    }

    /// Stops the directory, or starts it again, with all that it had; leases get their whole time.
    pub fn set_up(&mut self, is: bool) {
        if self.is_up == is {
            return;
        }
        self.is_up = is;
        for term in self.leases.values_mut() {
            term.ends = self.now + term.ttl;
        }
        for line in &mut self.sites {
            line.loses_the_thread(self.now);
            if !is && !line.cut {
                line.heard.push_back(Heard::Event(Event::Deaf));
            }
        }
        self.catch_up();
    }

    /// Everything is lost, and another directory stands in its place, with the same name: etcd makes its cluster's id of
    /// what is written in its unit file.
    pub fn wipe(&mut self) {
        self.revision = 1;
        self.keys.clear();
        self.leases.clear();
        for line in &mut self.sites {
            line.loses_the_thread(self.now);
        }
        self.catch_up();
    }

    /// The same, with another name.
    pub fn replace(&mut self) {
        self.cluster += 1;
        self.wipe();
    }

    /// A relay asks.
    pub fn request(&mut self, now: Instant, site: Site, tag: Tag, request: Request) {
        self.handle_timeout(now);
        self.requests += 1;
        let at = now + self.sites[site.0].delay / 2;
        self.schedule(at, Step::Arrives(site, tag, request, now));
    }

    /// What a relay hears next, as of the last [`handle_timeout`](Self::handle_timeout).
    pub fn poll(&mut self, site: Site) -> Option<Heard> {
        self.sites[site.0].heard.pop_front()
    }

    /// When something happens next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let step = self.agenda.first_key_value().map(|(&(at, _), _)| at);
        let ends = self.leases.values().map(|term| term.ends).min();
        step.into_iter().chain(ends.filter(|_| self.is_up)).min()
    }

    /// Time passes: what arrives arrives, what expires expires, in the right order.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.poll_timeout()
            && at <= now
        {
            self.now = at;
            self.expire();
            while let Some(first) = self.agenda.first_entry()
                && first.key().0 <= at
            {
                let step = first.remove();
                self.take(step);
            }
        }
        self.now = now;
    }

    /// Somebody who is no relay writes.
    pub fn scribble(&mut self, key: &[u8], value: &[u8]) {
        self.revision += 1;
        self.put(Put {
            key: key.to_vec(),
            value: value.to_vec(),
            lease: None,
        });
    }

    /// Somebody who is no relay deletes.
    pub fn erase(&mut self, key: &[u8]) {
        self.revision += 1;
        self.delete(key);
    }

    /// A value as it is now.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.keys.get(key).map(|kept| kept.value.as_slice())
    }

    /// When a key was changed last, if it is there.
    pub fn revision_of(&self, key: &[u8]) -> Option<Revision> {
        self.keys.get(key).map(|kept| Revision(kept.revision))
    }

    /// All keys as they are now, with their revisions.
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.keys.iter().map(|(key, kept)| Entry {
            key: key.clone(),
            value: kept.value.clone(),
            revision: Revision(kept.revision),
        });
        entries.collect()
    }

    /// How many leases there are.
    pub fn leases(&self) -> usize {
        self.leases.len()
    }

    /// Whether a lease is one of this directory's, and has not ended.
    pub fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains_key(&lease)
    }

    /// How many requests were made.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    fn schedule(&mut self, at: Instant, step: Step) {
        self.last_step += 1;
        self.agenda.insert((at, self.last_step), step);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Listens => self.catch_up(),
            Step::Arrives(site, tag, request, asked) => {
                let reached = self.is_up && !self.sites[site.0].cut;
                let (delay, answer) = match reached {
                    true => (self.sites[site.0].delay / 2, self.answer(request)),
                    false => (ANSWER_WITHIN, Answer::Unreachable),
                };
                let at = self.now + delay;
                let (at, answer) = if at > asked + ANSWER_WITHIN {
                    (asked + ANSWER_WITHIN, Answer::Unreachable)
                } else {
                    (at, answer)
                };
                self.schedule(at.max(self.now), Step::Answers(site, tag, answer));
            }
            Step::Answers(site, tag, answer) => {
                let line = &mut self.sites[site.0];
                // A lost answer is one that never came, which its asker notices about now.
                let answer = if line.cut {
                    Answer::Unreachable
                } else {
                    answer
                };
                line.heard.push_back(Heard::Answer(tag, answer));
            }
            Step::Tells(site, watch, event) => {
                let line = &mut self.sites[site.0];
                if !line.cut && line.watch == watch {
                    line.heard.push_back(Heard::Event(event));
                }
            }
        }
    }

    /// Who has lost the thread hears everything.
    fn catch_up(&mut self) {
        if !self.is_up {
            return;
        }
        for number in 0..self.sites.len() {
            let line = &mut self.sites[number];
            if line.cut || !line.stale {
                continue;
            }
            let listens_at = line.listens_at;
            if listens_at > self.now {
                self.schedule(listens_at, Step::Listens);
                continue;
            }
            line.stale = false;
            let mut view = View::default();
            for entry in self.entries() {
                view.read(entry);
            }
            let event = Event::Snapshot {
                cluster: self.cluster,
                revision: Revision(self.revision),
                view: Box::new(view),
            };
            self.tell_site(number, event);
        }
    }

    fn tell(&mut self, event: &Event) {
        for number in 0..self.sites.len() {
            let line = &self.sites[number];
            if self.is_up && !line.cut && !line.stale {
                self.tell_site(number, event.clone());
            }
        }
    }

    fn tell_site(&mut self, number: usize, event: Event) {
        let line = &mut self.sites[number];
        let at = (self.now + line.delay / 2).max(line.told);
        line.told = at;
        let watch = line.watch;
        self.schedule(at, Step::Tells(Site(number), watch, event));
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Grant { ttl } => {
                self.last_lease += 1;
                let lease = LeaseId(self.last_lease);
                let ends = self.now + ttl;
                self.leases.insert(lease, Term { ttl, ends });
                Answer::Granted { lease, ttl }
            }
            Request::KeepAlive { lease } => match self.leases.get_mut(&lease) {
                Some(term) => {
                    term.ends = self.now + term.ttl;
                    Answer::Alive { ttl: term.ttl }
                }
                None => Answer::Gone,
            },
            Request::Revoke { lease } => {
                if self.leases.remove(&lease).is_none() {
                    return Answer::Gone;
                }
                self.end(lease);
                Answer::Revoked
            }
            Request::Write(write) => self.write(write),
        }
    }

    fn write(&mut self, write: Write) -> Answer {
        if !write.guards.iter().all(|guard| self.holds(guard)) {
            let found = write.guards.iter().map(|guard| self.found(guard.key()));
            return Answer::Refused {
                found: found.collect(),
            };
        }
        let leases = write.puts.iter().filter_map(|put| put.lease);
        if leases
            .into_iter()
            .any(|lease| !self.leases.contains_key(&lease))
        {
            return Answer::Gone;
        }
        self.revision += 1;
        let revision = Revision(self.revision);
        for put in write.puts {
            self.put(put);
        }
        for key in write.deletes {
            self.delete(&key);
        }
        Answer::Written { revision }
    }

    fn holds(&self, guard: &Guard) -> bool {
        let kept = self.keys.get(guard.key());
        match guard {
            Guard::Revision { revision, .. } => kept.map_or(0, |kept| kept.revision) == revision.0,
            Guard::Value { value, .. } => kept.is_some_and(|kept| kept.value == *value),
        }
    }

    fn found(&self, key: &[u8]) -> Option<Found> {
        let kept = self.keys.get(key)?;
        Some(Found {
            value: kept.value.clone(),
            revision: Revision(kept.revision),
        })
    }

    fn put(&mut self, put: Put) {
        let kept = Kept {
            value: put.value.clone(),
            revision: self.revision,
            lease: put.lease,
        };
        self.keys.insert(put.key.clone(), kept);
        self.tell(&Event::Put(Entry {
            key: put.key,
            value: put.value,
            revision: Revision(self.revision),
        }));
    }

    fn delete(&mut self, key: &[u8]) {
        if self.keys.remove(key).is_some() {
            self.tell(&Event::Gone {
                key: key.to_vec(),
                revision: Revision(self.revision),
            });
        }
    }

    fn expire(&mut self) {
        if !self.is_up {
            return;
        }
        let over = self.leases.iter().filter(|(_, term)| term.ends <= self.now);
        let over: Vec<LeaseId> = over.map(|(&lease, _)| lease).collect();
        for lease in over {
            self.leases.remove(&lease);
            self.end(lease);
        }
    }

    /// All keys under a lease go, in one revision.
    fn end(&mut self, lease: LeaseId) {
        self.revision += 1;
        let under = self
            .keys
            .iter()
            .filter(|(_, kept)| kept.lease == Some(lease));
        let under: Vec<Vec<u8>> = under.map(|(key, _)| key.clone()).collect();
        for key in under {
            self.delete(&key);
        }
    }
}

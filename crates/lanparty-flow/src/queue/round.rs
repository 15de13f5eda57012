//! Whose turn it is: once between peers, once between the people behind one, once between a person's flows.
//!
//! Each level is a deficit round robin (RFC 8290 §4.2) whose members are, but for the flows, the next level. Three kinds
//! of members have frames: those that send little altogether, which go first; small ones of those that send much,
//! within bounds; and the rest, who share evenly. So a game passes another's copy because its person sends little, and one's
//! own because its flow does; and whoever makes many flows of one is still one person.

mod member;

use super::tag::{ByTag, Tag};
use super::waiting::Waiting;
use super::{OLDEST, Seen, Turn};
use member::{Member, RULES, Sums};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// All those together who have found no place of their own.
const CROWD: Tag = 0;
/// What a member may send in its turn, in bytes: a full frame.
pub(super) const QUANTUM: f64 = 1514.0;
/// So many bytes go before longer ones, though all are of those that send little: sixty-four copies that begin in one instant
/// would be 38 ms of a line of 20 Mbit/s.
const SHORT: usize = 512;
/// After such a pause nothing is left of what a member owes: several times what earning its quantum takes.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How many bytes small members may send for each of the others when there are so many of them that they would never
/// end, and how many at once.
const SMALL_SHARE: usize = 8;
const MOST_AHEAD: usize = SMALL_SHARE * 1514;
/// What the longest loses at least before it is asked again which is the longest.
const SHED_AT_ONCE: usize = 1514;
/// As how many a peer counts at most behind whom there are several people: who makes up more than these gains nothing.
const MOST_HEADS: u16 = 4;

/// Whoever has frames that wait: a flow, a person, a peer.
pub(super) trait Waits {
    type Frame;
    /// Flows are at 0.
    const LEVEL: usize;

    fn new() -> Self;

    /// How long the frames are together.
    fn bytes(&self) -> usize;

    fn frames(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.frames() == 0
    }

    /// How much memory all of it takes.
    fn memory(&self) -> usize;

    /// How much of that is what is known of whoever has had frames.
    fn knowledge(&self) -> usize;

    /// True when [`Turn::SmallFlows`] may get something.
    fn has_small(&self) -> bool;

    /// As how many it counts.
    fn heads(&self) -> u16;

    /// True when frames of this flow may be elsewhere.
    fn lacks(&self, flow: Tag) -> bool;

    /// Puts a frame where these names lead; who is not known becomes known only if there is `room` for that.
    fn put(&mut self, now: Instant, path: &[Tag], room: bool, waiting: Waiting<Self::Frame>);

    /// Gives a place to whoever these names lead to, as if a frame of it had just gone.
    fn introduce(&mut self, now: Instant, path: &[Tag], room: bool);

    /// The frame whose turn it is.
    fn next(
        &mut self,
        now: Instant,
        turn: Turn,
        sends_little: bool,
        seen: &mut Seen,
    ) -> Option<Waiting<Self::Frame>>;

    /// The longest lose their oldest frames, until so much memory is free.
    fn shed(&mut self, enough: usize, sends_little: bool, seen: &mut Seen);

    /// Throws away what is too old. Answers since when the oldest of the others waits.
    fn purge(&mut self, now: Instant, sends_little: bool, seen: &mut Seen) -> Option<Instant>;

    /// Takes all frames of a flow out.
    fn take_of(&mut self, flow: Tag) -> Vec<Waiting<Self::Frame>>;
}

/// Members that take turns.
#[derive(Debug)]
pub(super) struct Round<M> {
    members: ByTag<Member<M>>,
    /// Those that send little, the first so many with something short; those that send much, but have something small; and
    /// those that have used up what they may send.
    sparse: VecDeque<Tag>,
    short: usize,
    express: VecDeque<Tag>,
    bulk: VecDeque<Tag>,
    /// Those that have paused, and when to look whether they still do.
    paused: VecDeque<(Instant, Tag)>,
    /// Bytes that small ones have sent before the rest, which has its share of that to come.
    ahead: usize,
    /// The members', beside what the round itself takes.
    sums: Sums,
}

impl<M: Waits> Round<M> {
    fn member(&mut self, tag: Tag) -> &mut Member<M> {
        let member = self.members.get_mut(&tag);
        member.expect("what is in a list has a place")
    }

    /// Does something with a member's frames, and counts what that changes.
    fn change<R>(&mut self, tag: Tag, change: impl FnOnce(&mut Member<M>) -> R) -> R {
        let member = self.members.get_mut(&tag);
        let member = member.expect("what is in a list has a place");
        let before = Sums::of(&member.inner);
        let answer = change(member);
        let after = Sums::of(&member.inner);
        self.sums.replace(before, after);
        answer
    }

    /// What the round itself takes.
    fn own(&self) -> usize {
        let members = self.members.capacity() * size_of::<(Tag, Member<M>)>();
        let lists = self.sparse.capacity() + self.express.capacity() + self.bulk.capacity();
        let paused = self.paused.capacity() * size_of::<(Instant, Tag)>();
        members + lists * size_of::<Tag>() + paused
    }

    /// The place of whoever comes: its own, if there is one.
    fn place_of(&self, tag: Tag, room: bool) -> Tag {
        let rules = &RULES[M::LEVEL];
        let is_full = self.members.len() >= rules.most || (rules.needs_room && !room);
        match is_full && !self.members.contains_key(&tag) {
            true => CROWD,
            false => tag,
        }
    }

    /// What one who has a place of its own now has left in the crowd; else its frames would pass each other.
    fn left_in_crowd(&mut self, now: Instant, tag: Tag, flow: Tag) -> Vec<Waiting<M::Frame>> {
        let crowd = self.members.get(&CROWD);
        if tag == CROWD || crowd.is_none_or(|crowd| crowd.inner.is_empty()) {
            return Vec::new();
        }
        // What is older than that is of use to nobody.
        let may_have = self.members.get(&tag).is_none_or(|member| {
            now.saturating_duration_since(member.came) < OLDEST && member.inner.lacks(flow)
        });
        match may_have {
            true => self.change(CROWD, |crowd| crowd.inner.take_of(flow)),
            false => Vec::new(),
        }
    }

    /// The next frame of the first that sends little; without one it does not any more.
    fn next_sparse(
        &mut self,
        now: Instant,
        tag: Tag,
        turn: Turn,
        seen: &mut Seen,
    ) -> Option<Waiting<M::Frame>> {
        let next = self.change(tag, |member| {
            let sends_little = member.sends_little();
            let may = member.deficit > 0.0;
            let next = may.then(|| member.inner.next(now, turn, sends_little, seen))??;
            member.spend(next.len);
            Some(next)
        });
        if next.is_some() {
            return next;
        }
        self.sparse.pop_front();
        self.short = self.short.saturating_sub(1);
        let member = self.member(tag);
        member.is_sparse = false;
        if member.inner.is_empty() {
            self.note_pause(now, tag);
        } else {
            if !std::mem::replace(&mut member.is_bulk, true) {
                self.bulk.push_back(tag);
            }
            self.offer_express(now, tag);
        }
        None
    }

    /// Something small of the first that has it; they take turns.
    fn next_express(
        &mut self,
        now: Instant,
        tag: Tag,
        seen: &mut Seen,
    ) -> Option<Waiting<M::Frame>> {
        self.express.pop_front();
        let next = self.change(tag, |member| {
            member.is_express = false;
            let may = !member.is_sparse && member.may_pass > 0.0;
            let next = may.then(|| member.inner.next(now, Turn::SmallFlows, false, seen))??;
            member.spend(next.len);
            member.may_pass -= next.len as f64;
            Some(next)
        });
        self.offer_express(now, tag);
        next
    }

    fn offer_express(&mut self, now: Instant, tag: Tag) {
        let member = self.member(tag);
        if !member.is_sparse
            && !member.is_express
            && member.inner.has_small()
            && member.may_pass(now)
        {
            member.is_express = true;
            self.express.push_back(tag);
        }
    }

    /// The next frame of the first of the rest; without one its turn is over.
    fn next_bulk(&mut self, now: Instant, tag: Tag, seen: &mut Seen) -> Option<Waiting<M::Frame>> {
        if self.member(tag).is_sparse {
            // It has begun again and has its turn there; after that it comes to the end here.
            self.bulk.pop_front();
            self.member(tag).is_bulk = false;
            return None;
        }
        let next = self.change(tag, |member| {
            let may = member.deficit > 0.0;
            let next = may.then(|| member.inner.next(now, Turn::Any, false, seen))??;
            member.spend(next.len);
            Some(next)
        });
        if next.is_some() {
            return next;
        }
        self.bulk.pop_front();
        let member = self.member(tag);
        if member.inner.is_empty() {
            member.is_bulk = false;
            // The rest of its turn is lost, else it would be small with that.
            member.deficit = member.deficit.min(0.0);
            self.note_pause(now, tag);
        } else {
            member.deficit += QUANTUM * member.weight();
            self.bulk.push_back(tag);
        }
        None
    }

    /// Who has most, and how much more than the next one.
    fn heaviest(&self) -> Option<(Tag, usize)> {
        let (mut heaviest, mut second) = (None, 0);
        for (&tag, member) in &self.members {
            let burden = member.burden();
            if member.inner.is_empty() || burden <= second {
                continue;
            }
            match heaviest {
                Some((most, _, _)) if burden <= most => second = burden,
                _ => {
                    second = heaviest.map_or(second, |(most, _, _)| most);
                    heaviest = Some((burden, tag, member.inner.heads()));
                }
            }
        }
        let (most, tag, heads) = heaviest?;
        Some((tag, (most - second).max(SHED_AT_ONCE) * usize::from(heads)))
    }

    /// Makes a member of whoever is none.
    fn meet(&mut self, now: Instant, tag: Tag) {
        if !self.members.contains_key(&tag) {
            let is_trusted = self.members.len() < RULES[M::LEVEL].trusted;
            let member = Member::<M>::new(now, is_trusted);
            self.sums.replace(Sums::default(), Sums::of(&member.inner));
            self.members.insert(tag, member);
        }
    }

    fn note_pause(&mut self, now: Instant, tag: Tag) {
        if !std::mem::replace(&mut self.member(tag).has_paused, true) {
            self.paused.push_back((now + PAUSE, tag));
        }
    }

    /// Forgets members that have paused for so long that they are like new ones.
    pub(super) fn forget_paused(&mut self, now: Instant) {
        while let Some(&(_, tag)) = self.paused.front().filter(|(until, _)| *until <= now) {
            self.paused.pop_front();
            let member = self.member(tag);
            member.has_paused = false;
            if !member.inner.is_empty() || member.is_listed() {
                continue;
            }
            if now >= member.credited + PAUSE {
                self.remove(tag);
            } else {
                self.note_pause(now, tag);
            }
        }
    }

    fn remove(&mut self, tag: Tag) {
        if let Some(gone) = self.members.remove(&tag) {
            self.sums.replace(Sums::of(&gone.inner), Sums::default());
        }
        if self.members.is_empty() {
            *self = Self::new();
        }
    }
}

impl<M: Waits> Waits for Round<M> {
    type Frame = M::Frame;
    const LEVEL: usize = M::LEVEL + 1;

    fn new() -> Self {
        Round {
            members: ByTag::default(),
            sparse: VecDeque::new(),
            short: 0,
            express: VecDeque::new(),
            bulk: VecDeque::new(),
            paused: VecDeque::new(),
            ahead: 0,
            sums: Sums::default(),
        }
    }

    fn bytes(&self) -> usize {
        self.sums.bytes
    }

    fn frames(&self) -> usize {
        self.sums.frames
    }

    fn memory(&self) -> usize {
        self.sums.memory + self.own()
    }

    fn knowledge(&self) -> usize {
        self.sums.knowledge + self.own()
    }

    fn has_small(&self) -> bool {
        !(self.sparse.is_empty() && self.express.is_empty())
    }

    fn heads(&self) -> u16 {
        match M::LEVEL {
            // A person is one, however many flows there are.
            0 => 1,
            _ => (self.members.len() as u16).clamp(1, MOST_HEADS),
        }
    }

    fn lacks(&self, flow: Tag) -> bool {
        !self.members.contains_key(&flow)
    }

    fn put(&mut self, now: Instant, path: &[Tag], room: bool, waiting: Waiting<M::Frame>) {
        let (&own, rest) = path.split_first().expect("a step for each level");
        self.forget_paused(now);
        let tag = self.place_of(own, room);
        let earlier = self.left_in_crowd(now, tag, waiting.flow);
        self.meet(now, tag);
        let was_empty = self.change(tag, |member| {
            member.credit_pause(now);
            let was_empty = member.inner.is_empty();
            for waiting in earlier.into_iter().chain([waiting]) {
                member.inner.put(now, rest, room, waiting);
            }
            was_empty
        });
        let member = self.member(tag);
        // A game pauses after each frame, and is small as long as it stays within its quantum.
        if was_empty && !member.is_sparse {
            if member.deficit > 0.0 {
                member.is_sparse = true;
                let is_short = member.inner.bytes() <= SHORT;
                let end = if is_short {
                    self.short
                } else {
                    self.sparse.len()
                };
                self.sparse.insert(end, tag);
                self.short += usize::from(is_short);
            } else if !member.is_bulk {
                member.is_bulk = true;
                self.bulk.push_back(tag);
            }
        }
        self.offer_express(now, tag);
    }

    fn introduce(&mut self, now: Instant, path: &[Tag], room: bool) {
        let (&own, rest) = path.split_first().expect("a step for each level");
        self.forget_paused(now);
        let tag = self.place_of(own, room);
        if tag == CROWD {
            return;
        }
        self.meet(now, tag);
        let has_nothing = self.change(tag, |member| {
            member.inner.introduce(now, rest, room);
            member.inner.is_empty() && !member.is_listed()
        });
        if has_nothing {
            self.note_pause(now, tag);
        }
    }

    fn next(
        &mut self,
        now: Instant,
        turn: Turn,
        _: bool,
        seen: &mut Seen,
    ) -> Option<Waiting<M::Frame>> {
        loop {
            let bulk_is_due =
                turn == Turn::Any && self.ahead >= MOST_AHEAD && !self.bulk.is_empty();
            let first = |list: &VecDeque<Tag>| list.front().copied().filter(|_| !bulk_is_due);
            let small = if let Some(tag) = first(&self.sparse) {
                self.next_sparse(now, tag, turn, seen)
            } else if let Some(tag) = first(&self.express) {
                self.next_express(now, tag, seen)
            } else if turn == Turn::SmallFlows {
                return None;
            } else {
                let next = self.next_bulk(now, *self.bulk.front()?, seen);
                let Some(next) = next else { continue };
                self.ahead = self.ahead.saturating_sub(next.len * SMALL_SHARE);
                return Some(next);
            };
            if let Some(next) = small {
                self.ahead = MOST_AHEAD.min(self.ahead + next.len);
                return Some(next);
            }
        }
    }

    fn shed(&mut self, enough: usize, _: bool, seen: &mut Seen) {
        let before = self.sums.memory;
        while before.saturating_sub(self.sums.memory) < enough {
            let Some((tag, lead)) = self.heaviest() else {
                return;
            };
            let still = enough - before.saturating_sub(self.sums.memory);
            self.change(tag, |member| {
                let sends_little = member.sends_little();
                member.inner.shed(lead.min(still), sends_little, seen);
            });
        }
    }

    fn purge(&mut self, now: Instant, _: bool, seen: &mut Seen) -> Option<Instant> {
        let mut oldest: Option<Instant> = None;
        let tags: Vec<Tag> = self.members.keys().copied().collect();
        for tag in tags {
            let first = self.change(tag, |member| {
                let sends_little = member.sends_little();
                member.inner.purge(now, sends_little, seen)
            });
            oldest = [oldest, first].into_iter().flatten().min();
        }
        oldest
    }

    fn take_of(&mut self, flow: Tag) -> Vec<Waiting<M::Frame>> {
        let place = match self.members.contains_key(&flow) {
            true => flow,
            false => CROWD,
        };
        match self.members.contains_key(&place) {
            true => self.change(place, |member| member.inner.take_of(flow)),
            false => Vec::new(),
        }
    }
}

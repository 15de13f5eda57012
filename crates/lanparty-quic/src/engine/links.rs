//! The connections of a socket by their handles. QUIC's core numbers them densely and gives a number again once it is free,
//! so they are places in a list: a packet has no time for a hash that strangers cannot guess.

use super::link::Link;
use noq_proto::ConnectionHandle;

/// Links, each in memory of its own, so that a longer list moves none.
#[derive(Default)]
pub(super) struct Links {
    places: Vec<Option<Box<Link>>>,
    taken: usize,
}

impl Links {
    pub(super) fn get(&self, handle: ConnectionHandle) -> Option<&Link> {
        self.places.get(handle.0)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Link> {
        self.places.get_mut(handle.0)?.as_deref_mut()
    }

    /// Whoever had that handle before is gone.
    pub(super) fn insert(&mut self, handle: ConnectionHandle, link: Link) {
        if self.places.len() <= handle.0 {
            self.places.resize_with(handle.0 + 1, || None);
        }
        let before = self.places[handle.0].replace(Box::new(link));
        self.taken += usize::from(before.is_none());
    }

    pub(super) fn remove(&mut self, handle: ConnectionHandle) -> Option<Box<Link>> {
        let link = self.places.get_mut(handle.0)?.take()?;
        self.taken -= 1;
        Some(link)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    pub(super) fn handles(&self) -> Vec<ConnectionHandle> {
        let places = self.places.iter().enumerate();
        let taken = places.filter(|(_, place)| place.is_some());
        taken.map(|(place, _)| ConnectionHandle(place)).collect()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Link> {
        self.places.iter().filter_map(Option::as_deref)
    }

    /// Takes all of them.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Box<Link>> {
        self.taken = 0;
        std::mem::take(&mut self.places).into_iter().flatten()
    }
}

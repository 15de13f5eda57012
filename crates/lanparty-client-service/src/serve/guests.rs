//! How many views there may be, and whose.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::task::AbortHandle;

/// So many views at once,
const MAX: usize = 64;
/// and so many of one account: window, tray, and some terminals.
const MAX_OF_ONE: usize = 16;

/// Who is being answered.
#[derive(Debug, Default)]
pub(super) struct Guests {
    seats: Rc<RefCell<BTreeMap<u64, Guest>>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Guest {
    account: String,
    has_spoken: bool,
    task: Option<AbortHandle>,
}

/// A view's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    seats: Rc<RefCell<BTreeMap<u64, Guest>>>,
}

impl Guests {
    /// A place for one more. Where there is none, one that has said nothing yet gives way: first the account's own, the
    /// oldest first.
    pub(super) fn seat(&self, account: &str) -> Option<Seat> {
        let mut seats = self.seats.borrow_mut();
        let is_full = is_full_for(&seats, account);
        if is_full || seats.len() >= MAX {
            let gives_way = |guest: &Guest| guest.account == account || !is_full;
            if !make_room(&mut seats, gives_way) {
                return None;
            }
        }
        let number = self.next.get();
        self.next.set(number + 1);
        let guest = Guest {
            account: account.to_owned(),
            has_spoken: false,
            task: None,
        };
        seats.insert(number, guest);
        Some(Seat {
            number,
            seats: self.seats.clone(),
        })
    }

    /// How to end the conversation with somebody who gives way.
    pub(super) fn may_end(&self, number: u64, task: AbortHandle) {
        if let Some(guest) = self.seats.borrow_mut().get_mut(&number) {
            guest.task = Some(task);
        }
    }
}

fn is_full_for(seats: &BTreeMap<u64, Guest>, account: &str) -> bool {
    let own = seats.values().filter(|guest| guest.account == account);
    own.count() >= MAX_OF_ONE
}

/// Ends the oldest of these that has said nothing yet, if there is one.
fn make_room(seats: &mut BTreeMap<u64, Guest>, may_go: impl Fn(&Guest) -> bool) -> bool {
    let mut silent = seats
        .iter()
        .filter(|(_, guest)| !guest.has_spoken && may_go(guest));
    let Some((&number, _)) = silent.next() else {
        return false;
    };
    if let Some(task) = seats.remove(&number).and_then(|guest| guest.task) {
        task.abort();
    }
    true
}

impl Seat {
    /// Its view speaks for another account: from here on it is one of that account's. False when that has no place.
    pub(super) fn is_for(&self, account: &str) -> bool {
        let mut seats = self.seats.borrow_mut();
        let is_own = seats
            .get(&self.number)
            .is_some_and(|guest| guest.account == account);
        let is_full = !is_own && is_full_for(&seats, account);
        if is_full && !make_room(&mut seats, |guest| guest.account == account) {
            return false;
        }
        if let Some(guest) = seats.get_mut(&self.number) {
            account.clone_into(&mut guest.account);
        }
        true
    }

    /// Which one it is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Its view has said what it wants, and stays until it is answered.
    pub(super) fn has_spoken(&self) {
        if let Some(guest) = self.seats.borrow_mut().get_mut(&self.number) {
            guest.has_spoken = true;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_takes_no_others_place_and_who_is_silent_gives_way() {
        let guests = Guests::default();
        let spoken = |account: &str| {
            let seat = guests.seat(account);
            seat.inspect(Seat::has_spoken)
        };
        let mut all: Vec<_> = (0..MAX_OF_ONE).map(|_| spoken("1").unwrap()).collect();
        assert!(guests.seat("1").is_none(), "all of its places are in use");
        drop(all.pop());
        let silent = guests.seat("1").unwrap();
        let newer = guests.seat("1").unwrap();
        newer.has_spoken();
        drop(silent);
        assert!(guests.seat("1").is_none());
        for account in ["2", "3", "4"] {
            all.extend((0..MAX_OF_ONE).map(|_| spoken(account).unwrap()));
        }
        assert!(guests.seat("5").is_none(), "{} are there", all.len());
        all.clear();
        drop(newer);
        assert!(guests.seats.borrow().is_empty());
    }

    #[test]
    fn whoever_says_nothing_keeps_no_other_account_out() {
        let guests = Guests::default();
        let silent: Vec<_> = (0..1000)
            .map(|number: u32| guests.seat(&(number % 8).to_string()))
            .collect();
        let seated = guests.seats.borrow().len();
        assert_eq!((silent.len(), seated), (1000, MAX));
        assert!(guests.seat("anna").is_some());
    }
}

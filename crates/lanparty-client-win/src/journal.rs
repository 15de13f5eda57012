//! The restore journal: what to undo, written down before it is done (spec R71).
//!
//! A run that is killed at any point leaves its journal; the next start, or `repair`, undoes what is in
//! it, newest first.

use crate::change::{Change, System};
use anyhow::{Context as _, Result};
use lanparty_client_route::KeptText;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// The journal's name in the registry.
pub(crate) const KEPT_AS: &str = "Restore";

/// Where the journal outlives us: replaced at once or not at all.
pub(crate) trait Store {
    /// The text; empty when there is none.
    fn load(&self) -> io::Result<String>;
    /// Replaces it.
    fn save(&self, text: &str) -> io::Result<()>;
}

impl Store for KeptText {
    fn load(&self) -> io::Result<String> {
        KeptText::load(self)
    }

    fn save(&self, text: &str) -> io::Result<()> {
        KeptText::save(self, text)
    }
}

/// The changes that stand, oldest first, each with its number.
pub(crate) struct Journal {
    store: Box<dyn Store>,
    system: Box<dyn System>,
    standing: RefCell<Vec<(u64, Change)>>,
}

/// A change that stands until this is dropped.
#[must_use = "dropping it undoes the change"]
pub(crate) struct Guard {
    journal: Rc<Journal>,
    number: u64,
}

impl Journal {
    /// Reads what an earlier run left.
    pub(crate) fn open(store: Box<dyn Store>, system: Box<dyn System>) -> Result<Rc<Self>> {
        let text = store.load().context("cannot read the restore journal")?;
        let left: Vec<Change> = match text.is_empty() {
            true => Vec::new(),
            false => serde_json::from_str(&text).context("the restore journal is damaged")?,
        };
        Ok(Rc::new(Journal {
            store,
            system,
            standing: RefCell::new((0..).zip(left).collect()),
        }))
    }

    /// What stands now, oldest first.
    pub(crate) fn standing(&self) -> Vec<Change> {
        let standing = self.standing.borrow();
        standing.iter().map(|(_, change)| change.clone()).collect()
    }

    /// Undoes everything that stands, newest first, and says how many could be undone. What cannot be
    /// stays in the journal for another time.
    pub(crate) fn repair(&self) -> usize {
        let numbers: Vec<_> = self.standing.borrow().iter().map(|(n, _)| *n).collect();
        numbers
            .into_iter()
            .rev()
            .filter(|&number| self.undo(number))
            .count()
    }

    /// Makes a change, having written down how to undo it.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing is changed; or what the system says about the
    /// change, which is undone then as far as it came.
    pub(crate) fn make(self: &Rc<Self>, change: Change) -> io::Result<Guard> {
        let guard = self.write_down(change.clone())?;
        match change.make(&*self.system) {
            Ok(()) => {
                tracing::info!("Changed: {change}");
                Ok(guard)
            }
            // A route that we did not add may be somebody else's.
            Err(error) if matches!(change, Change::Route(_)) => {
                self.forget(guard.number);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes down how to undo a change that is yet to be made, with [`renew`](Self::renew).
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) fn write_down(self: &Rc<Self>, change: Change) -> io::Result<Guard> {
        let number = self.next_number();
        self.standing.borrow_mut().push((number, change));
        if let Err(error) = self.save() {
            self.standing.borrow_mut().pop();
            return Err(error);
        }
        Ok(Guard {
            journal: self.clone(),
            number,
        })
    }

    /// Makes a change that is written down: for the first time, or anew, because somebody else has
    /// changed the same thing meanwhile.
    pub(crate) fn renew(&self, guard: &Guard) -> io::Result<()> {
        match self.change(guard.number) {
            Some(change) => change.make(&*self.system),
            None => Ok(()),
        }
    }

    fn next_number(&self) -> u64 {
        let standing = self.standing.borrow();
        standing.last().map_or(0, |(number, _)| number + 1)
    }

    fn change(&self, number: u64) -> Option<Change> {
        let standing = self.standing.borrow();
        let (_, change) = standing.iter().find(|(n, _)| *n == number)?;
        Some(change.clone())
    }

    /// Undoes one change; true when that worked.
    fn undo(&self, number: u64) -> bool {
        let Some(change) = self.change(number) else {
            return false;
        };
        if let Err(error) = change.undo(&*self.system) {
            tracing::warn!(%error, "Could not undo: {change}");
            return false;
        }
        tracing::info!("Undone: {change}");
        self.forget(number);
        true
    }

    fn forget(&self, number: u64) {
        self.standing.borrow_mut().retain(|(n, _)| *n != number);
        if let Err(error) = self.save() {
            tracing::warn!(%error, "Could not write the restore journal");
        }
    }

    fn save(&self) -> io::Result<()> {
        let standing = self.standing();
        match standing.is_empty() {
            true => self.store.save(""),
            false => self.store.save(&serde_json::to_string(&standing)?),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.journal.undo(self.number);
    }
}

#[cfg(test)]
mod tests;

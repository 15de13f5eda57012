//! Who has which address, as the reference remembers it.

use crate::frames::{Mac, Says};
use lanparty_obs::DropReason;

/// What anybody said, in a list.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    owners: Vec<Owner>,
    // The first address that a machine on the LAN said to have, by room and family.
    firsts: Vec<(u32, Mac, bool, u8)>,
}

/// Who has an address in a room; without a MAC it is the LAN.
#[derive(Debug)]
struct Owner {
    room_id: u32,
    address: u8,
    mac: Option<Mac>,
    until: u64,
    heard: u64,
    leased: bool,
}

impl Owner {
    fn no_lease(&mut self) {
        if self.leased {
            self.until = self.until.min(self.heard + FIVE_MINUTES);
        }
        self.leased = false;
    }
}

const FIVE_MINUTES: u64 = 300_000;
const A_DAY: u64 = 86_400_000;

impl Addresses {
    /// The room's gateway has left.
    pub(super) fn forget_lan(&mut self, room_id: u32) {
        self.owners
            .retain(|owner| owner.room_id != room_id || owner.mac.is_some());
        self.firsts.retain(|first| first.0 != room_id);
        for owner in &mut self.owners {
            if owner.room_id == room_id {
                owner.no_lease();
            }
        }
    }

    /// Somebody speaks of an address: a client, or without a MAC the LAN, from this source. Nobody gets,
    /// gives away or gives up what somebody else has; but the LAN may claim what it likes, and gets what
    /// is not leased.
    pub(super) fn hear(
        &mut self,
        now: u64,
        (room_id, me, source): (u32, Option<Mac>, Mac),
        says: Says,
        clients: &[Mac],
    ) -> Result<(), DropReason> {
        self.owners.retain(|owner| owner.until > now);
        match (says, me) {
            (Says::Nothing | Says::Group(_), _) => Ok(()),
            (Says::Mine(address) | Says::Answer(address, _), Some(mac)) => {
                self.claim(now, (room_id, address), mac)
            }
            (Says::GivesUp(address), Some(mac)) => {
                if self.belongs_to_another((room_id, address), Some(mac)) {
                    return Err(DropReason::ClaimedAddress);
                }
                self.take((room_id, address));
                Ok(())
            }
            (Says::GivesUp(_), None) | (Says::Leased(..), Some(_)) => Ok(()),
            (Says::Mine(address), None) => {
                self.claim_for_lan(now, (room_id, address), source, clients, true);
                Ok(())
            }
            (Says::Answer(address, mac), None) => {
                self.claim_for_lan(now, (room_id, address), mac, clients, false);
                Ok(())
            }
            (Says::Leased(address, mac, time), None) if clients.contains(&mac) => {
                self.lease(now, (room_id, address), mac, time, clients)
            }
            (Says::Leased(..), None) => Ok(()),
        }
    }

    fn claim(&mut self, now: u64, what: (u32, u8), mac: Mac) -> Result<(), DropReason> {
        if self.belongs_to_another(what, Some(mac)) {
            return Err(DropReason::ClaimedAddress);
        }
        let before = self.take(what);
        self.give(what, Some(mac), now, now + FIVE_MINUTES);
        if let Some(before) = before {
            let owner = self.owners.last_mut().unwrap();
            owner.until = owner.until.max(before.until);
            owner.leased = before.leased;
        }
        Ok(())
    }

    fn claim_for_lan(&mut self, now: u64, what: (u32, u8), mac: Mac, clients: &[Mac], firm: bool) {
        if clients.contains(&mac) {
            return;
        }
        let is_six = what.1 > 100;
        let first = self
            .firsts
            .iter()
            .position(|first| (first.0, first.1, first.2) == (what.0, mac, is_six));
        let first = first.filter(|&at| {
            let first = (what.0, self.firsts[at].3);
            self.owner(first).is_some_and(|owner| owner.mac.is_none())
        });
        if !firm && first.is_some_and(|at| self.firsts[at].3 != what.1) {
            return;
        }
        match self.owner(what) {
            Some(owner) if owner.leased || owner.mac == Some(mac) => return,
            _ => {}
        }
        let until = match self.take(what) {
            Some(before) if before.mac.is_none() => before.until,
            _ => 0,
        };
        self.give(what, None, now, until.max(now + FIVE_MINUTES));
        if first.is_none() {
            self.firsts
                .retain(|first| (first.0, first.1, first.2) != (what.0, mac, is_six));
            self.firsts.push((what.0, mac, is_six, what.1));
        }
    }

    fn lease(
        &mut self,
        now: u64,
        what: (u32, u8),
        mac: Mac,
        time: u64,
        clients: &[Mac],
    ) -> Result<(), DropReason> {
        if let Some(owner) = self.owner(what)
            && owner.mac != Some(mac)
        {
            let is_held = match owner.mac {
                None => true,
                Some(holder) => {
                    let is_near = clients.contains(&holder) || now < owner.heard + FIVE_MINUTES;
                    owner.leased && is_near
                }
            };
            if is_held {
                return Err(DropReason::LeaseConflict);
            }
        }
        self.take(what);
        self.give(what, Some(mac), now, now + time.min(A_DAY));
        for old in &mut self.owners {
            if old.room_id == what.0 && old.mac == Some(mac) {
                old.no_lease();
            }
        }
        let new = self.owners.last_mut().unwrap();
        (new.until, new.leased) = (now + time.min(A_DAY), true);
        Ok(())
    }

    fn owner(&self, what: (u32, u8)) -> Option<&Owner> {
        let mut owners = self.owners.iter();
        owners.find(|owner| (owner.room_id, owner.address) == what)
    }

    fn belongs_to_another(&self, what: (u32, u8), mac: Option<Mac>) -> bool {
        self.owner(what).is_some_and(|owner| owner.mac != mac)
    }

    fn take(&mut self, what: (u32, u8)) -> Option<Owner> {
        let found = self
            .owners
            .iter()
            .position(|owner| (owner.room_id, owner.address) == what);
        found.map(|at| self.owners.remove(at))
    }

    fn give(&mut self, (room_id, address): (u32, u8), mac: Option<Mac>, now: u64, until: u64) {
        self.owners.push(Owner {
            room_id,
            address,
            mac,
            until,
            heard: now,
            leased: false,
        });
    }
}

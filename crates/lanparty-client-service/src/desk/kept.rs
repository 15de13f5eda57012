//! What outlives the service: whose rooms there are, and what was joined.

use crate::Caller;
use lanparty_client_control::{Party, Room, Secret};
use lanparty_ctrl::Text;
use lanparty_edge::invite::Invite;
use serde::{Deserialize, Serialize};

/// So many rooms of one account are kept; the one that was joined longest ago goes first.
const MAX_ROOMS: usize = 32;
/// So many accounts are known; the one that joined longest ago goes first.
const MAX_ACCOUNTS: usize = 64;

/// All of it, as it is written to the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// Who joined something, the last one first.
    accounts: Vec<Account>,
    /// What is joined, or was when the service ended without being told to leave.
    pub(super) joined: Option<Joined>,
    /// On which start of the machine a service was started last.
    boot: Option<String>,
}

/// What is kept for one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Account {
    id: String,
    account: String,
    /// What the player wanted to be called last.
    player: Option<String>,
    /// The last one first.
    rooms: Vec<KeptRoom>,
    auto_join: bool,
    /// Direct paths are not wanted.
    relay_only: bool,
}

/// An invite that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptRoom {
    #[serde(default)]
    name: String,
    invite: Secret,
}

/// What is joined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Joined {
    /// By whom.
    pub(super) id: String,
    /// The room's name among theirs.
    pub(super) room: String,
}

impl Kept {
    /// Keeps an invite as the account's last one; an older one with the same words for relay and host gives way. Answers
    /// with the room's name.
    pub(super) fn keep(&mut self, caller: &Caller, invite: &Invite, text: &Secret) -> String {
        let account = self.put_first(caller);
        let is_same =
            |room: &KeptRoom| room.read().is_some_and(|known| is_same_way(&known, invite));
        account.rooms.retain(|room| !is_same(room));
        let name = free_name(&account.rooms, invite);
        let room = KeptRoom {
            name: name.clone(),
            invite: text.clone(),
        };
        account.rooms.insert(0, room);
        account.rooms.truncate(MAX_ROOMS);
        name
    }

    /// An invite has led to its LAN: others of the same room give way, whose name it may have now. Answers with that,
    /// if anything has changed.
    pub(super) fn prove(&mut self, id: &str, name: &str) -> Option<String> {
        let rooms = &mut self.account_mut(id)?.rooms;
        let at = rooms.iter().position(|room| is_called(&room.name, name))?;
        let invite = rooms[at].read()?;
        let mut proven = rooms.remove(at);
        let before = rooms.len();
        rooms.retain(|room| {
            !room
                .read()
                .is_some_and(|other| is_same_room(&other, &invite))
        });
        let has_changed = rooms.len() < before;
        if has_changed {
            proven.name = free_name(rooms, &invite);
        }
        let name = proven.name.clone();
        rooms.insert(at.min(rooms.len()), proven);
        has_changed.then_some(name)
    }

    /// A kept room has another invite from now on. False where it is not kept.
    pub(super) fn renew(&mut self, id: &str, name: &str, invite: &Secret) -> bool {
        let rooms = self.account_mut(id).map(|account| &mut account.rooms);
        let mut rooms = rooms.into_iter().flatten();
        let room = rooms.find(|room| is_called(&room.name, name));
        room.is_some_and(|room| {
            room.invite = invite.clone();
            true
        })
    }

    fn put_first(&mut self, caller: &Caller) -> &mut Account {
        let known = self.accounts.iter().position(|known| known.id == caller.id);
        let mut account = known.map_or_else(Account::default, |at| self.accounts.remove(at));
        account.id.clone_from(&caller.id);
        account.account.clone_from(&caller.account);
        self.accounts.insert(0, account);
        self.accounts.truncate(MAX_ACCOUNTS);
        &mut self.accounts[0]
    }

    /// The invite of a kept room, by its name as people write it.
    pub(super) fn invite(&self, id: &str, room: &str) -> Option<&Secret> {
        let room = self.room(id, room)?;
        Some(&room.invite)
    }

    fn room(&self, id: &str, name: &str) -> Option<&KeptRoom> {
        let rooms = &self.account(id)?.rooms;
        rooms.iter().find(|room| is_called(&room.name, name))
    }

    fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    fn account_mut(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    /// Forgets a room; answers with its name, if it was kept.
    pub(super) fn forget(&mut self, id: &str, name: &str) -> Option<String> {
        let rooms = &mut self.account_mut(id)?.rooms;
        let at = rooms.iter().position(|room| is_called(&room.name, name))?;
        Some(rooms.remove(at).name)
    }

    /// What this account's player wanted to be called last.
    pub(super) fn player(&self, id: &str) -> Option<&str> {
        self.account(id)?.player.as_deref()
    }

    /// This account's player wants to be called so; an empty name is the account's.
    pub(super) fn call(&mut self, caller: &Caller, player: &str) {
        let player = Some(player).filter(|name| !name.is_empty());
        self.put_first(caller).player = player.map(str::to_owned);
    }

    /// Whether the account's last room is joined when the machine starts.
    pub(super) fn auto_join(&self, id: &str) -> bool {
        self.account(id).is_some_and(|account| account.auto_join)
    }

    /// Whether anybody wants that.
    pub(crate) fn begins_with_machine(&self) -> bool {
        self.accounts.iter().any(|account| account.auto_join)
    }

    /// Sets that.
    pub(super) fn set_auto_join(&mut self, caller: &Caller, on: bool) {
        if self.account(&caller.id).is_none() {
            self.put_first(caller);
        }
        if let Some(account) = self.account_mut(&caller.id) {
            account.auto_join = on;
        }
    }

    /// Whether this account's player wants everything to go by relays.
    pub(super) fn relay_only(&self, id: &str) -> bool {
        self.account(id).is_some_and(|account| account.relay_only)
    }

    /// Sets that.
    pub(super) fn set_relay_only(&mut self, caller: &Caller, on: bool) {
        if self.account(&caller.id).is_none() {
            self.put_first(caller);
        }
        if let Some(account) = self.account_mut(&caller.id) {
            account.relay_only = on;
        }
    }

    /// The rooms of an account, as it may see them.
    pub(super) fn rooms(&self, id: &str) -> Vec<Room> {
        let rooms = self.account(id).map(|account| &account.rooms[..]);
        let shown = |room: &KeptRoom| {
            let invite = room.read()?;
            Some(Room {
                name: room.name.clone(),
                party: party(&invite, None),
            })
        };
        rooms.unwrap_or_default().iter().filter_map(shown).collect()
    }

    /// A service starts; true when it is the first one since the machine was started. A system that does not tell was
    /// not.
    pub(crate) fn is_first_start(&mut self, boot: Option<String>) -> bool {
        let is_first = boot.is_some() && self.boot != boot;
        if is_first {
            self.boot = boot;
        }
        is_first
    }

    /// What a service joins by itself when it starts: what was joined when an earlier one ended; with the machine the
    /// last room of who wants that.
    pub(super) fn to_join(&self, is_first_start: bool) -> Option<(Caller, String)> {
        let (account, room) = match is_first_start {
            false => {
                let Joined { id, room } = self.joined.as_ref()?;
                (self.account(id)?, self.room(id, room)?)
            }
            true => {
                let wants = |account: &&Account| account.auto_join && !account.rooms.is_empty();
                let account = self.accounts.iter().find(wants)?;
                (account, &account.rooms[0])
            }
        };
        let caller = Caller {
            account: account.account.clone(),
            id: account.id.clone(),
            is_admin: false,
        };
        Some((caller, room.name.clone()))
    }
}

impl KeptRoom {
    /// The invite, which was written as a link and nothing else.
    fn read(&self) -> Option<Invite> {
        self.invite.reveal().trim().parse().ok()
    }
}

fn is_same_room(one: &Invite, other: &Invite) -> bool {
    one.relay == other.relay && one.room == other.room
}

/// True for an invite that leads to the same host by the same key, whatever it says of the party's name and end. Another
/// one may be a stranger's, who would drive the good one out with it.
fn is_same_way(one: &Invite, other: &Invite) -> bool {
    let way = |invite: &Invite| (invite.key.clone(), invite.host, invite.pin);
    is_same_room(one, other) && way(one) == way(other)
}

/// The party that an invite is for.
pub(super) fn party(invite: &Invite, joined_by: Option<&Caller>) -> Party {
    Party {
        room: invite.room.to_string(),
        name: invite.name.as_ref().map(ToString::to_string),
        relay: invite.relay.to_string(),
        also: invite.also.clone(),
        others: invite
            .others()
            .map(|other| other.address.to_string())
            .collect(),
        expires: invite.expires,
        joined_by: joined_by.map(|caller| caller.account.clone()),
    }
}

/// The party's name or the room's code; a number behind it where another room is called so. It never looks like a file,
/// standard input or an invite to the command line.
fn free_name(others: &[KeptRoom], invite: &Invite) -> String {
    let name = invite.name.as_ref().map(Text::as_str);
    let name = name.map(|name| name.replace(['/', '#', ':'], " "));
    let name = name.map(|name| name.trim_start_matches(['@', '-', ' ']).trim().to_owned());
    let name = name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| invite.room.to_string());
    let is_taken = |name: &str| others.iter().any(|other| is_called(&other.name, name));
    let numbered = (2..).map(|number| format!("{name} {number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names
        .find(|name| !is_taken(name))
        .expect("there are more numbers than rooms")
}

fn is_called(name: &str, wanted: &str) -> bool {
    name.to_lowercase() == wanted.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

    fn caller(id: &str) -> Caller {
        Caller {
            account: format!("account {id}"),
            id: id.to_owned(),
            is_admin: false,
        }
    }

    fn keep(kept: &mut Kept, id: &str, rest: &str) -> String {
        let text = format!("lanparty://relay.example/{rest}");
        let invite = text.parse().unwrap();
        kept.keep(&caller(id), &invite, &Secret::new(text))
    }

    fn names(kept: &Kept, id: &str) -> Vec<String> {
        let rooms = kept.rooms(id);
        rooms.into_iter().map(|room| room.name).collect()
    }

    #[test]
    fn rooms_have_names_of_their_own_and_the_last_one_is_first() {
        let mut kept = Kept::default();
        keep(&mut kept, "1", &format!("FRIDAY#key={KEY}"));
        keep(&mut kept, "1", &format!("ROOM-2#key={KEY}&name=Cellar"));
        keep(&mut kept, "1", &format!("ROOM-3#key={KEY}&name=cellar"));
        keep(&mut kept, "1", &format!("ROOM-4#key={KEY}&name=%40-"));
        assert_eq!(
            names(&kept, "1"),
            ["ROOM-4", "cellar 2", "Cellar", "FRIDAY"]
        );
        assert!(names(&kept, "2").is_empty(), "rooms are one person's");
        let again = keep(&mut kept, "1", &format!("FRIDAY#key={KEY}&name=Friday"));
        assert_eq!(again, "Friday");
        assert_eq!(names(&kept, "1").len(), 4);
        assert!(kept.invite("1", " CELLAR ").is_some());
        assert_eq!(kept.forget("1", "CELLAR 2").as_deref(), Some("cellar 2"));
        assert_eq!(kept.forget("2", "Cellar"), None);
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let mut kept = Kept::default();
        for number in 1000..1100 {
            keep(&mut kept, "1", &format!("ROOM-{number}#key={KEY}"));
            keep(&mut kept, &number.to_string(), &format!("FRIDAY#key={KEY}"));
        }
        assert_eq!(kept.accounts.len(), MAX_ACCOUNTS);
        assert_eq!(names(&kept, "1").len(), MAX_ROOMS);
        assert_eq!(names(&kept, "1")[0], "ROOM-1099");
    }

    #[test]
    fn a_service_that_was_ended_joins_again_and_a_machine_that_was_only_for_who_wants_it() {
        let mut kept = Kept::default();
        keep(&mut kept, "1", &format!("FRIDAY#key={KEY}"));
        keep(&mut kept, "2", &format!("ROOM-2#key={KEY}"));
        let room = |kept: &Kept, is_first| {
            let joined = kept.to_join(is_first);
            joined.map(|(caller, room)| (caller.id, room))
        };
        assert_eq!(room(&kept, false), None);
        kept.joined = Some(Joined {
            id: "1".to_owned(),
            room: "FRIDAY".to_owned(),
        });
        let friday = Some(("1".to_owned(), "FRIDAY".to_owned()));
        assert_eq!(
            (room(&kept, false), room(&kept, true)),
            (friday.clone(), None)
        );
        assert!(!kept.begins_with_machine());
        kept.set_auto_join(&caller("2"), true);
        assert!(kept.begins_with_machine());
        let second = Some(("2".to_owned(), "ROOM-2".to_owned()));
        assert_eq!((room(&kept, false), room(&kept, true)), (friday, second));
        let mut starts = [Some("1"), Some("1"), Some("2"), None]
            .map(|boot| boot.map(str::to_owned))
            .into_iter();
        let firsts: Vec<_> = starts
            .by_ref()
            .map(|boot| kept.is_first_start(boot))
            .collect();
        assert_eq!(firsts, [true, false, true, false]);
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&json).unwrap(), kept);
    }
}

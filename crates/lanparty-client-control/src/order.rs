//! What a view may ask for, which is all that people without rights of their own may do (spec R121).

use crate::{Row, Snapshot};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What somebody at a view wants. No paths: a view reads files with its own user's rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// How do things stand? Answered with [`Answer::Snapshot`].
    Status,
    /// The same now and after each change, until the view goes.
    Watch,
    /// Join the party of this invite, and keep the invite. Answered when the session has begun, not when it stands.
    Join {
        /// The invite.
        invite: Secret,
        /// What the player wants to be called; without it, what was wanted before. An empty one is the account's name.
        #[serde(default)]
        name: Option<String>,
    },
    /// Join a room whose invite is kept.
    JoinRoom {
        /// The room's name in [`Snapshot::rooms`].
        room: String,
        /// As in [`Request::Join`].
        #[serde(default)]
        name: Option<String>,
    },
    /// Leave the party; what was changed on this machine is undone before the answer.
    Leave,
    /// Forget a kept invite.
    Forget {
        /// The room's name in [`Snapshot::rooms`].
        room: String,
    },
    /// Join the last room by itself when the machine starts, or not.
    AutoJoin {
        /// Whether.
        on: bool,
    },
    /// Take direct paths to hosts where there are any, or have everything go by relays, from the next join on.
    Direct {
        /// Whether they are taken.
        on: bool,
    },
    /// Look at the machine. Answered with [`Answer::Rows`].
    Doctor,
    /// Mend something that a warning or a row offered to mend.
    Fix {
        /// What.
        fix: Fix,
    },
}

/// What can be mended with one press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// Start the service. No service can do that for itself: the view does.
    StartService,
    /// Start the service anew, which does not answer as it should. The view does that too.
    RestartService,
    /// Undo what a killed run left on this machine.
    Repair,
    /// Ask the LAN for an address again.
    RenewAddress,
    /// Set the adapter up again, as it was at the beginning.
    ResetAdapter,
    /// Let the user of this view use the service; the view does it, with an administrator's word.
    Permit,
    /// Let the party through this machine's own firewall, until it is left.
    LetPartyThrough,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// What the service says to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done, or has begun; a sentence says what.
    Done(String),
    /// It is not; a sentence says why, and what to do.
    Refused(String),
    /// How things stand.
    Snapshot(Box<Snapshot>),
    /// What a look at the machine found.
    Rows(Vec<Row>),
}

/// Words that no log and no screen shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes care of them.
    pub fn new(words: String) -> Self {
        Secret(words)
    }

    /// The words themselves.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spelled_like_this() {
        let invite = Secret::new("lanparty://r/X#k".to_owned());
        let join = Request::Join { invite, name: None };
        let json = serde_json::to_value(&join).unwrap();
        assert_eq!(json["do"], "join");
        assert_eq!(json["invite"], "lanparty://r/X#k");
        assert!(!format!("{join:?}").contains("lanparty"), "{join:?}");
        let older: Request = serde_json::from_str(r#"{"do":"join_room","room":"X"}"#).unwrap();
        let (room, name) = ("X".to_owned(), None);
        assert_eq!(older, Request::JoinRoom { room, name });
        let fix: Request = serde_json::from_str(r#"{"do":"fix","fix":"start_service"}"#).unwrap();
        assert_eq!(
            fix,
            Request::Fix {
                fix: Fix::StartService
            }
        );
        let open: Request =
            serde_json::from_str(r#"{"do":"fix","fix":"let_party_through"}"#).unwrap();
        let fix = Fix::LetPartyThrough;
        assert_eq!(open, Request::Fix { fix });
        let unknown: Request = serde_json::from_str(r#"{"do":"fix","fix":"later"}"#).unwrap();
        assert_eq!(unknown, Request::Fix { fix: Fix::Unknown });
    }
}

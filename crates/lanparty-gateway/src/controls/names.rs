//! What people and the party are called: by themselves, and by the host.

use super::{Controls, Mark};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{Challenge, Fingerprint, Name, Notice, Text};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// How many people can have a name of the host's.
pub(super) const MAX_LABELS: usize = 256;
/// How long a party's name may be, so that invites with it stay short, in characters.
const MAX_PARTY: usize = 48;

const FULL_OF_NAMES: &str = "as many players have names of yours as there can be; take one back first, with \
    `lanparty-gateway ctl rename PLAYER \"\"`";

/// A player who is in the room, or was.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) mac: VirtualMac,
    /// The name that this player gave.
    pub(crate) name: Option<Name>,
    pub(crate) identity: Option<Fingerprint>,
    /// By what this player takes a new key, where the program does.
    pub(super) takes_keys: Option<Challenge>,
}

impl Present {
    pub(crate) fn person(&self) -> Person {
        self.identity
            .map_or(Person::Mac(self.mac), Person::Identity)
    }
}

/// What the host calls somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) who: Person,
    pub(super) name: Name,
}

/// What the host calls the party from now on, and what it was called when the host said so: a flag that is changed
/// later counts again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Renamed {
    pub(super) name: Option<Text>,
    pub(super) before: Option<Text>,
}

impl Controls {
    /// What the party is called.
    pub(crate) fn party_name(&self) -> Option<&Text> {
        match &self.wishes.renamed {
            Some(renamed) if renamed.before == self.called => renamed.name.as_ref(),
            Some(_) | None => self.called.as_ref(),
        }
    }

    /// What the host calls somebody.
    pub(crate) fn label(&self, person: Person) -> Option<&Name> {
        let mut labels = self.wishes.labels.iter();
        let label = labels.find(|label| label.who == person)?;
        Some(&label.name)
    }

    /// The host's name for somebody, or else that player's own.
    pub(crate) fn shown_name<'a>(&'a self, player: &'a Present) -> Option<&'a Name> {
        self.label(player.person()).or(player.name.as_ref())
    }

    /// The same with the MAC address, for sentences.
    pub(crate) fn words_for(&self, player: &Present) -> String {
        match self.shown_name(player) {
            Some(name) => format!("{name} ({})", player.mac),
            None => player.mac.to_string(),
        }
    }

    /// The same for whoever has or had this MAC address.
    pub(crate) fn words_for_mac(&self, mac: VirtualMac) -> String {
        let known = self.players.values().chain(&self.gone);
        let known = known.into_iter().find(|player| player.mac == mac);
        known.map_or_else(|| mac.to_string(), |player| self.words_for(player))
    }

    /// How the host calls whom a notice is about, if that is somebody.
    pub(crate) fn meant_by(&self, notice: &Notice) -> Option<String> {
        let member = notice.peer_id.and_then(|peer| self.players.get(&peer));
        match (member, notice.mac, &notice.name) {
            (Some(player), ..) => Some(self.words_for(player)),
            (None, Some(mac), Some(name)) => Some(format!("{name} ({mac})")),
            (None, Some(mac), None) => Some(self.words_for_mac(mac)),
            (None, None, _) => None,
        }
    }

    pub(super) fn is_called(&self, player: &Present, mark: Mark<'_>) -> bool {
        let person = player.person();
        mark.is_of(person)
            || mark == Mark::Mac(player.mac)
            || mark.is_label(self.label(person))
            || mark.is_name(player.name.as_ref())
    }

    /// What anybody may be called from now on.
    pub(super) fn rename(&mut self, who: Option<&str>, name: &str) -> Result<String, String> {
        match who {
            Some(who) => self.rename_player(who, name),
            None => self.rename_party(name),
        }
    }

    fn rename_party(&mut self, name: &str) -> Result<String, String> {
        let name = Text::from(name.trim());
        if name.as_str().chars().count() > MAX_PARTY {
            return Err(too_long());
        }
        let name = Some(name).filter(|name| !name.as_str().is_empty());
        let sentence = match &name {
            Some(name) => format!("The party is called {name}, and invites say so from now on."),
            None => "The party has no name any more.".to_owned(),
        };
        self.wishes.renamed = Some(Renamed {
            name,
            before: self.called.clone(),
        });
        Ok(sentence)
    }

    /// Also somebody who has left, and may come back.
    fn rename_player(&mut self, who: &str, name: &str) -> Result<String, String> {
        let player = self.known_to_all(who)?;
        let (person, before) = (player.person(), self.words_for(&player));
        let name = match name.trim() {
            "" => None,
            name => Some(name.parse::<Name>().map_err(|error| {
                format!("{error}; choose another one, or an empty one to take yours back")
            })?),
        };
        let labels = &mut self.wishes.labels;
        labels.retain(|label| label.who != person);
        match name {
            None => Ok(match &player.name {
                Some(own) => format!("{before} is called {own} again, as that player wants it."),
                None => format!("{before} has no name of yours any more."),
            }),
            Some(_) if labels.len() >= MAX_LABELS => Err(FULL_OF_NAMES.to_owned()),
            Some(name) => {
                let sentence = format!("{before} is called {name} from now on, on this gateway.");
                labels.push(Label { who: person, name });
                Ok(sentence)
            }
        }
    }
}

fn too_long() -> String {
    format!(
        "a party's name has {MAX_PARTY} characters at most, as it stands in every invite; choose a shorter one"
    )
}

/// What `ctl` may hear instead of an answer, for the page that explains it.
#[cfg(test)]
pub(super) fn refusals() -> Vec<lanparty_told::Told> {
    let told = |sentence: String, means, remedy| lanparty_told::Told {
        sentence,
        means,
        remedy,
    };
    vec![
        told(
            FULL_OF_NAMES.to_owned(),
            "The list has an end.",
            "Take one back.",
        ),
        told(
            too_long(),
            "A longer one would make invites long.",
            "A shorter name.",
        ),
    ]
}

//! Whom the doctor looks at.

use lanparty_client_control::Party;
use lanparty_client_control::connection::Door;

/// Whom to look at, and for whom.
#[derive(Debug, Clone)]
pub struct Patient {
    /// Where the service would be.
    pub door: Door,
    /// The party that is to be reached; without it, the one that the service has or keeps.
    pub party: Option<Party>,
    /// Other relays, as people write them: with a second one it can be seen what a NAT does.
    pub others: Vec<String>,
    /// Whether [`crate::Hands`] are there to repair without the service.
    pub repairs_itself: bool,
}

impl Patient {
    /// This PC, as a view sees it.
    pub fn new(door: Door) -> Self {
        Patient {
            door,
            party: None,
            others: Vec::new(),
            repairs_itself: false,
        }
    }
}

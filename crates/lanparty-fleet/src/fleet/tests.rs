//! Fleets of several relays around one directory.

mod moving;
mod outages;
mod party;
mod placing;

use party::Party;

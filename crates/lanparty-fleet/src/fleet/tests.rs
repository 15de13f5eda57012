//! Fleets of several relays around one directory.

mod moving;
mod outages;
mod party;
mod placing;
mod random;

use party::Party;

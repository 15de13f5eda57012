//! Fleets of several relays around one directory.

mod anew;
mod moving;
mod outages;
mod party;
mod placing;
mod random;

use party::Party;

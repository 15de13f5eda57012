//! A proof instead of hope (spec R137): one frame of each way in which games find each other, sent by a player, known
//! again and answered by the gateway.
//!
//! A question is a real frame of its [`Style`]: a broadcast, a group's frame, an IPX packet, a full packet, pieces. In it
//! stands a [`Mark`] with a random [`Nonce`], so an answer of yesterday is none of today. Whoever hears the question could
//! answer it; so only the gateway is heard. The gateway answers only what its judge has let through from a member and what
//! has come the way that it says, with no more bytes, once in the same
//! style (does that way lead back?) and once to the asker alone, with all that it has heard so far (which of the two ways is
//! broken?). On a LAN such frames are harmless: they go to a port that nobody has, or ask mDNS and SSDP for what there is
//! none of.
//!
//! [`Asker`] is the player's end, [`Answerer`] the gateway's. Both are driven from outside: no socket, no clock. What a
//! program with sockets of its own needs for the same look is [`content`].

#[cfg(test)]
mod tests;

mod answerer;
mod asker;
pub mod content;
mod frame;
mod mark;
mod pieces;
mod read;
mod style;

pub use answerer::{Answerer, Heard, Lan};
pub use asker::{Asker, Place, Reach, Verdict};
pub use mark::{MARK_LEN, Mark, Nonce, Word};
pub use read::{Said, is_answer, may_be, read};
pub use style::{GROUP, PORT, SSDP, Style, Styles};

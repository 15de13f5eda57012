//! What a datagram says about a game, if it says anything.

use crate::datagram::Datagram;
use crate::found::Found;
use crate::{
    bedrock, doom3, freeciv, gamespy, minecraft, openttd, quake, source, supertuxkart, teeworlds,
    warcraft3,
};

/// False for what [`recognise`] knows nothing to do with, which is nearly everything.
pub(crate) fn is_lead(from_port: u16, to_port: u16, first: u8) -> bool {
    let is_known = matches!(
        first,
        0 | 0x1c | teeworlds::CONNECTIONLESS_0_7 | b'[' | b'\\' | 0x80 | 0xf7 | 0xff
    );
    is_known || matches!(from_port, openttd::PORT | supertuxkart::PORT) || to_port == freeciv::PORT
}

/// Whose answer it is shows in its first bytes, or in its port where these are too common.
pub(crate) fn recognise(said: &Datagram<'_>) -> Option<Found> {
    match said.payload {
        [0xff, 0xff, 0xff, 0xff, 0xff, ..] | [teeworlds::CONNECTIONLESS_0_7, ..] => {
            teeworlds::hear(said.payload)
        }
        [0xff, 0xff, 0xff, 0xff, rest @ ..] => source::hear(rest).or_else(|| quake::hear(rest)),
        [0xff, 0xff, rest @ ..] => doom3::hear(rest),
        [0x80, 0x00, ..] => quake::hear_first(said.payload),
        [0x1c, ..] => bedrock::hear(said.payload),
        [b'[', ..] => minecraft::hear(said),
        [b'\\', ..] | [0, ..] => gamespy::hear(said.payload),
        [0xf7, ..] => warcraft3::hear(said.payload),
        _ => match (said.from_port, said.to_port) {
            (openttd::PORT, _) => openttd::hear(said.payload),
            (_, freeciv::PORT) => freeciv::hear(said.payload),
            _ => None,
        },
    }
    .or_else(|| match said.from_port {
        supertuxkart::PORT => supertuxkart::hear(said.payload),
        _ => None,
    })
}

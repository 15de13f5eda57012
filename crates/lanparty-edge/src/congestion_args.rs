//! The flag that says how a link shares its path.

use clap::ValueEnum;
use clap::builder::{EnumValueParser, TypedValueParser};
use lanparty_flow::Congestion;

/// What `--congestion` takes unless told otherwise.
pub const DEFAULT: &str = "gate";

/// Reads a [`Congestion`], which is no flag itself, so that what carries frames needs no command line.
pub fn congestion() -> impl TypedValueParser<Value = Congestion> {
    EnumValueParser::<Choice>::new().map(Congestion::from)
}

#[derive(Clone, ValueEnum)]
enum Choice {
    /// Keep the path's own queue near a millisecond, so that games do not wait behind copies.
    Gate,
    /// BBRv3: fast, and indifferent to losses.
    Bbr3,
    /// CUBIC: until something gets lost, like most of TCP.
    Cubic,
}

impl From<Choice> for Congestion {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Gate => Congestion::Gate,
            Choice::Bbr3 => Congestion::Bbr3,
            Choice::Cubic => Congestion::Cubic,
        }
    }
}

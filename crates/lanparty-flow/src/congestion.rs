//! The ways to share a path.

/// How a link shares its path with others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Congestion {
    /// Keep the path's own queue near a millisecond, so that games do not wait behind copies.
    #[default]
    Gate,
    /// BBRv3: fast, and indifferent to losses.
    Bbr3,
    /// CUBIC: until something gets lost, like most of TCP.
    Cubic,
}

//! Why a peer looks at other relays.

/// Why a peer would go to another relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A player, to the party's gateway.
    Party,
    /// A gateway, to its players.
    Players,
    /// A gateway, to the best other one: this relay ends.
    Away,
    /// To this one.
    To(usize),
    /// Nowhere yet, but this link may fail.
    Ready,
    /// Nowhere: the host wants to know how all of them do.
    Look,
}

//! Capabilities (capabilities(7)).

pub use rustix::thread::CapabilitySet;

use rustix::thread::{
    CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};
use std::io;

/// What this thread may use, or make usable.
///
/// # Errors
/// What the system says.
pub fn held() -> io::Result<CapabilitySet> {
    Ok(capabilities(None)?.permitted)
}

/// Gives up every capability but `own`, which must be held; children have none.
///
/// # Errors
/// What the system says.
pub fn narrow(own: CapabilitySet) -> io::Result<()> {
    if capabilities(None)?
        .effective
        .contains(CapabilitySet::SETPCAP)
    {
        for unneeded in existing() {
            remove_capability_from_bounding_set(unneeded)?;
        }
    }
    clear_ambient_capability_set()?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: own,
            permitted: own,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}

/// The capabilities that the running kernel knows, as far as children could have them.
fn existing() -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .filter(|&capability| capability_is_in_bounding_set(capability).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_what_is_needed_is_given_up() {
        let own = CapabilitySet::NET_ADMIN;
        if !held().unwrap().contains(own) {
            lanparty_skip::skip("only root has what could be given up");
            return;
        }
        // The test's own thread only: capabilities belong to threads.
        narrow(own).unwrap();
        let sets = capabilities(None).unwrap();
        assert_eq!((sets.effective, sets.permitted), (own, own));
        assert_eq!(
            existing().fold(CapabilitySet::empty(), CapabilitySet::union),
            CapabilitySet::empty()
        );
        crate::privilege::give_up_capabilities().unwrap();
        assert_eq!(held().unwrap(), CapabilitySet::empty());
        assert!(narrow(own).is_err(), "what is gone is gone");
    }
}

//! Capabilities (capabilities(7)).

pub use rustix::thread::CapabilitySet;

use rustix::thread::{
    CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};
use std::io;

/// What this thread may use, or make usable.
///
/// # Errors
/// What the system says.
pub fn held() -> io::Result<CapabilitySet> {
    Ok(capabilities(None)?.permitted)
}

/// Gives up every capability but `own`, and `lent`, which is for children that [`lending`] starts. Both
/// must be held.
///
/// # Errors
/// What the system says.
pub fn narrow(own: CapabilitySet, lent: CapabilitySet) -> io::Result<()> {
    if capabilities(None)?
        .effective
        .contains(CapabilitySet::SETPCAP)
    {
        for unneeded in existing().filter(|&capability| !lent.contains(capability)) {
            remove_capability_from_bounding_set(unneeded)?;
        }
    }
    clear_ambient_capability_set()?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: own,
            permitted: own | lent,
            inheritable: lent,
        },
    )?;
    Ok(())
}

/// Runs `spawn` so that a child started in it has `lent`, also where nobody is root.
///
/// # Errors
/// What the system says.
pub fn lending<T>(lent: CapabilitySet, spawn: impl FnOnce() -> T) -> io::Result<T> {
    for capability in lent.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    let result = spawn();
    clear_ambient_capability_set()?;
    Ok(result)
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
        let lent = CapabilitySet::NET_RAW;
        if !held().unwrap().contains(own | lent) {
            lanparty_skip::skip("only root has what could be given up");
            return;
        }
        // The test's own thread only: capabilities belong to threads.
        narrow(own, lent).unwrap();
        let sets = capabilities(None).unwrap();
        assert_eq!((sets.effective, sets.permitted), (own, own | lent));
        assert_eq!(
            existing().fold(CapabilitySet::empty(), CapabilitySet::union),
            lent
        );
        crate::privilege::give_up_capabilities().unwrap();
        assert_eq!(held().unwrap(), CapabilitySet::empty());
        assert!(narrow(own, lent).is_err(), "what is gone is gone");
    }
}

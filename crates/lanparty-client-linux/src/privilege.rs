//! What the client may do: to change this machine's network, and what its DHCP client needs (spec R82).

use crate::tap::CLONE_DEVICE;
use anyhow::{Result, ensure};
use lanparty_edge::privilege::{self, CapabilitySet};
use std::io;

/// To make and set the TAP, and to pin routes again when the relay's address changes.
const OWN: CapabilitySet = CapabilitySet::NET_ADMIN;
/// What the system's DHCP client needs besides: a raw socket, and port 68.
const DHCP: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_BIND_SERVICE);

/// Checks that this process has what it needs.
pub(crate) fn check(dhcp: bool) -> Result<()> {
    let held = privilege::held()?;
    let needed = OWN | lent(dhcp);
    ensure!(
        held.contains(OWN),
        "this program may not change this machine's network (CAP_NET_ADMIN is missing): {}",
        privilege::advice(needed, &[CLONE_DEVICE])
    );
    ensure!(
        held.contains(needed),
        "--dhcp needs CAP_NET_RAW and CAP_NET_BIND_SERVICE for the system's DHCP client: {}; or use --address",
        privilege::advice(needed, &[CLONE_DEVICE])
    );
    Ok(())
}

/// Gives up every capability that is not needed from here on, for this process and its children.
/// Call it while there is one thread: capabilities belong to threads.
pub(crate) fn narrow(dhcp: bool) -> io::Result<()> {
    privilege::narrow(OWN, lent(dhcp))
}

/// Runs `spawn` so that a child started in it has what the DHCP client needs.
pub(crate) fn lending<T>(spawn: impl FnOnce() -> T) -> io::Result<T> {
    privilege::lending(lent(true), spawn)
}

fn lent(dhcp: bool) -> CapabilitySet {
    if dhcp {
        OWN | DHCP
    } else {
        CapabilitySet::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dhcp_client_can_be_lent_what_it_needs_until_that_is_given_up() {
        if check(true).is_err() {
            lanparty_skip::skip("only root has what could be given up");
            return;
        }
        // The test's own thread only: capabilities belong to threads.
        narrow(true).unwrap();
        assert_eq!(privilege::held().unwrap(), OWN | DHCP);
        narrow(false).unwrap();
        assert!(check(false).is_ok());
        assert!(check(true).unwrap_err().to_string().contains("CAP_NET_RAW"));
    }

    #[test]
    fn without_the_capability_one_sentence_says_so() {
        std::thread::spawn(|| {
            privilege::give_up_capabilities().unwrap();
            let sentence = check(false).unwrap_err().to_string();
            assert!(
                sentence.contains("CAP_NET_ADMIN") && !sentence.contains('\n'),
                "{sentence}"
            );
        })
        .join()
        .unwrap();
    }
}

//! What the client may do: to change this machine's network (spec R82).

use crate::tap::CLONE_DEVICE;
use anyhow::{Result, ensure};
use lanparty_edge::privilege::{self, CapabilitySet};
use std::io;

/// To make and set the TAP, and to pin routes again when the relay's address changes.
const OWN: CapabilitySet = CapabilitySet::NET_ADMIN;

/// Checks that this process has what it needs.
pub(crate) fn check() -> Result<()> {
    ensure!(
        privilege::held()?.contains(OWN),
        "this program may not change this machine's network (CAP_NET_ADMIN is missing): {}",
        privilege::advice(OWN, &[CLONE_DEVICE])
    );
    Ok(())
}

/// Gives up every capability that is not needed from here on, for this process and its children.
/// Call it while there is one thread: capabilities belong to threads.
pub(crate) fn narrow() -> io::Result<()> {
    privilege::narrow(OWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_right_is_kept_and_the_others_are_given_up() {
        if check().is_err() {
            lanparty_skip::skip("only root has what could be given up");
            return;
        }
        // The test's own thread only: capabilities belong to threads.
        narrow().unwrap();
        assert_eq!(privilege::held().unwrap(), OWN);
        assert!(check().is_ok());
    }

    #[test]
    fn without_the_capability_one_sentence_says_so() {
        std::thread::spawn(|| {
            privilege::give_up_capabilities().unwrap();
            let sentence = check().unwrap_err().to_string();
            assert!(
                sentence.contains("CAP_NET_ADMIN") && !sentence.contains('\n'),
                "{sentence}"
            );
        })
        .join()
        .unwrap();
    }
}

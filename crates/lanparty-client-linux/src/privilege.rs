//! Capabilities (capabilities(7)): what the client needs, and letting go of everything else (spec R82).

use anyhow::{Result, ensure};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities,
};
use std::io;

/// To make and set the TAP, and to pin routes again when the relay's address changes.
const OWN: CapabilitySet = CapabilitySet::NET_ADMIN;
/// What the system's DHCP client needs besides: a raw socket, and port 68.
const DHCP: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_BIND_SERVICE);

/// Checks that this process has what it needs.
pub(crate) fn check(dhcp: bool) -> Result<()> {
    let held = capabilities(None)?.permitted;
    ensure!(
        held.contains(OWN),
        "you may not change this machine's network (CAP_NET_ADMIN is missing); run this with sudo, or \
         once `sudo setcap cap_net_admin+ep` on the program"
    );
    ensure!(
        !dhcp || held.contains(DHCP),
        "--dhcp needs CAP_NET_RAW and CAP_NET_BIND_SERVICE for the system's DHCP client; run this with \
         sudo, give the program these capabilities too, or use --address"
    );
    Ok(())
}

/// Gives up every capability that is not needed from here on, for this process and its children.
/// Call it while there is one thread: capabilities belong to threads.
pub(crate) fn narrow(dhcp: bool) -> io::Result<()> {
    let lent = if dhcp {
        OWN | DHCP
    } else {
        CapabilitySet::empty()
    };
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
            effective: OWN,
            permitted: OWN | lent,
            inheritable: lent,
        },
    )?;
    Ok(())
}

/// Runs `spawn` so that a child started in it has what the DHCP client needs, also where nobody is
/// root.
pub(crate) fn lending<T>(spawn: impl FnOnce() -> T) -> io::Result<T> {
    for capability in (OWN | DHCP).iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    let result = spawn();
    clear_ambient_capability_set()?;
    Ok(result)
}

/// The capabilities that the running kernel knows.
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
        if check(true).is_err() {
            eprintln!("skipped: not root");
            return;
        }
        // The test's own thread only: capabilities belong to threads.
        narrow(true).unwrap();
        let held = capabilities(None).unwrap();
        assert_eq!((held.effective, held.permitted), (OWN, OWN | DHCP));
        assert_eq!(
            existing().fold(CapabilitySet::empty(), CapabilitySet::union),
            OWN | DHCP
        );
        narrow(false).unwrap();
        assert!(check(false).is_ok());
        assert!(check(true).unwrap_err().to_string().contains("CAP_NET_RAW"));
    }

    #[test]
    fn without_the_capability_one_sentence_says_so() {
        std::thread::spawn(|| {
            let none = CapabilitySet::empty();
            let sets = CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            };
            set_capabilities(None, sets).unwrap();
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

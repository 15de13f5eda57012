//! Why this machine cannot take part.

use super::CLONE_DEVICE;
use lanparty_edge::privilege::{self, CapabilitySet};
use std::io;

/// Each sentence says what to do, beside going on without.
#[derive(Debug, thiserror::Error)]
pub enum LegError {
    /// Networks are the administrator's.
    #[error(
        "this machine can take part in its own party only with the privilege CAP_NET_ADMIN: {0}"
    )]
    NotPermitted(String),
    /// The kernel makes no TAPs, or a container has none.
    #[error(
        "this machine can take part in its own party only where there are TAP adapters ({CLONE_DEVICE} is missing): load \
         them with `sudo modprobe tun`, or, in a container, start it with `--device {CLONE_DEVICE}`"
    )]
    NoDevice,
    /// An administrator's rule, or a container's.
    #[error(
        "this machine can take part in its own party only if this program may open {CLONE_DEVICE}: run it with sudo, open \
         it to everybody as most systems do (`sudo chmod 666 {CLONE_DEVICE}`), or, in a container, start that with \
         `--device {CLONE_DEVICE}`"
    )]
    DeviceClosed,
    /// A kernel that was built for something small.
    #[error(
        "this machine can take part in its own party only if its kernel redirects frames ({error}): load what it needs \
         with `sudo modprobe -a sch_ingress cls_u32 act_mirred`, after installing the rest of your kernel's modules if \
         they are not found"
    )]
    NoRedirection {
        /// What the system says.
        error: io::Error,
    },
    /// Something else that the system refuses.
    #[error("cannot let this machine take part in its own party: {step} failed ({error})")]
    System {
        /// What was tried.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl LegError {
    /// What it means that the device does not open.
    pub(super) fn of_device(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => LegError::NoDevice,
            Some(libc::EPERM | libc::EACCES) => LegError::DeviceClosed,
            _ => {
                let step = "opening the way to TAP adapters";
                LegError::System { step, error }
            }
        }
    }

    /// What it means that the device makes no TAP.
    pub(super) fn of_tap(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => LegError::not_permitted(),
            Some(libc::ENODEV | libc::ENXIO) => LegError::NoDevice,
            _ => {
                let step = "making a TAP adapter";
                LegError::System { step, error }
            }
        }
    }

    /// What it means that frames are not led elsewhere.
    pub(super) fn of_redirection(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => LegError::not_permitted(),
            Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EINVAL) => {
                LegError::NoRedirection { error }
            }
            _ => {
                let step = "redirecting frames";
                LegError::System { step, error }
            }
        }
    }

    /// What it means that the interface's socket does not hear this machine.
    pub(in super::super) fn of_hearing(error: io::Error) -> Self {
        let step = "listening to this machine";
        LegError::System { step, error }
    }

    fn not_permitted() -> Self {
        let needed = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
        LegError::NotPermitted(privilege::advice(needed, &[CLONE_DEVICE]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_system_says_what_helps() {
        let error = io::Error::from_raw_os_error;
        for (told, helps) in [
            (LegError::of_device(error(libc::ENOENT)), "modprobe tun"),
            (LegError::of_device(error(libc::EACCES)), "chmod 666"),
            (LegError::of_tap(error(libc::EPERM)), "CAP_NET_ADMIN"),
            (LegError::of_tap(error(libc::ENODEV)), "modprobe tun"),
            (LegError::of_redirection(error(libc::ENOENT)), "act_mirred"),
            (
                LegError::of_redirection(error(libc::EPERM)),
                "CAP_NET_ADMIN",
            ),
            (LegError::of_redirection(error(libc::ENOMEM)), "redirecting"),
        ] {
            assert!(told.to_string().contains(helps), "{told}");
        }
    }
}

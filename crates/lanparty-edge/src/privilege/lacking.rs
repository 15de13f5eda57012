//! Why a program lacks what it needs, and what to do about that here.
//!
//! `sudo` and `setcap` are the advice for a program that an ordinary user has started. Root of a container has no use
//! for them, and where `setcap` was done already it does not count on every file system (capabilities(7), mount(8)).

use super::capabilities::CapabilitySet;
use rustix::fs::StatVfsMountFlags;
use std::path::Path;
use std::sync::OnceLock;

/// Whether this program was forbidden to gain rights by whoever started it; later it forbids that to itself.
static FORBIDDEN: OnceLock<bool> = OnceLock::new();

/// To be called before the program forbids itself to gain rights.
pub(super) fn note_forbidden() {
    FORBIDDEN.get_or_init(|| rustix::thread::no_new_privs().unwrap_or(false));
}

/// What of this machine decides the advice.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    is_root: bool,
    /// `setcap` was done on the program's file.
    has_file_capabilities: bool,
    /// The file is where such capabilities do not count.
    is_nosuid: bool,
    is_forbidden: bool,
}

/// What to do, as part of a sentence, so that this program has these capabilities; `devices` are what a container
/// must be given besides.
pub fn advice(needed: CapabilitySet, devices: &[&str]) -> String {
    advise(facts(), needed, devices)
}

fn facts() -> Facts {
    let program = std::env::current_exe().unwrap_or_default();
    Facts {
        is_root: rustix::process::geteuid().is_root(),
        has_file_capabilities: has_file_capabilities(&program),
        is_nosuid: rustix::fs::statvfs(&program)
            .is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOSUID)),
        is_forbidden: FORBIDDEN.get().copied().unwrap_or(false),
    }
}

fn has_file_capabilities(program: &Path) -> bool {
    let mut value = [0; 64];
    rustix::fs::getxattr(program, "security.capability", &mut value[..]).is_ok()
}

fn advise(facts: Facts, needed: CapabilitySet, devices: &[&str]) -> String {
    let names: Vec<_> = needed.iter_names().map(|(name, _)| name).collect();
    let capabilities: Vec<_> = names
        .iter()
        .map(|name| format!("cap_{}", name.to_lowercase()))
        .collect();
    let setcap = format!("`sudo setcap {}+ep` on the program", capabilities.join(","));
    if facts.is_root {
        let caps = names.iter().map(|name| format!("--cap-add {name}"));
        let devices = devices.iter().map(|device| format!("--device {device}"));
        let flags: Vec<_> = caps.chain(devices).collect();
        return format!(
            "this root has less than root's rights, as in a container; start the container with `{}`",
            flags.join(" ")
        );
    }
    match facts {
        Facts {
            is_forbidden: true, ..
        } => "whoever started this program forbids it such rights (no_new_privs), as sandboxes do; start it outside of \
              one, or with sudo"
            .to_owned(),
        Facts {
            has_file_capabilities: true,
            is_nosuid: true,
            ..
        } => format!(
            "`setcap` was done, but does not count here, on a file system that is mounted nosuid; copy the program to \
             /usr/local/bin, and then once {setcap} there"
        ),
        Facts {
            has_file_capabilities: false,
            is_nosuid: true,
            ..
        } => format!(
            "run this with sudo, or copy the program to /usr/local/bin, as `setcap` does not count where it is now \
             (mounted nosuid), and then once {setcap} there"
        ),
        Facts {
            is_nosuid: false, ..
        } => format!("run this with sudo, or once {setcap}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(facts: Facts) -> String {
        let needed = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
        advise(facts, needed, &["/dev/net/tun"])
    }

    #[test]
    fn a_user_is_told_of_sudo_and_of_setcap_with_all_that_is_needed() {
        let said = said(Facts::default());
        assert!(said.contains("with sudo"), "{said}");
        assert!(
            said.contains("`sudo setcap cap_net_admin,cap_net_raw+ep`"),
            "{said}"
        );
    }

    #[test]
    fn root_in_a_container_is_told_what_the_container_lacks() {
        let said = said(Facts {
            is_root: true,
            is_nosuid: true,
            ..Facts::default()
        });
        let flags = "--cap-add NET_ADMIN --cap-add NET_RAW --device /dev/net/tun";
        assert!(said.contains(flags) && !said.contains("sudo"), "{said}");
    }

    #[test]
    fn who_did_setcap_is_not_told_to_do_it_there_again() {
        let done = Facts {
            has_file_capabilities: true,
            is_nosuid: true,
            ..Facts::default()
        };
        let nosuid = said(done);
        assert!(
            nosuid.contains("nosuid") && nosuid.contains("/usr/local/bin"),
            "{nosuid}"
        );
        let forbidden = said(Facts {
            is_forbidden: true,
            ..done
        });
        assert!(forbidden.contains("no_new_privs"), "{forbidden}");
        let not_yet = said(Facts {
            has_file_capabilities: false,
            ..done
        });
        assert!(
            not_yet.contains("nosuid") && not_yet.contains("sudo,"),
            "{not_yet}"
        );
    }
}

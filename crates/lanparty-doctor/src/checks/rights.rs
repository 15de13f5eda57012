//! Without a service, the program needs rights of its own.

use super::Check;
use crate::facts::{Hindrance, Pc, Rights, Service, System};
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "rights",
    about: "What this program may do",
    look,
    is_personal: true,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let service = pc.service();
    if service.snapshot().is_some() {
        return None;
    }
    let hindrance = match pc.rights() {
        Rights::Enough => {
            return Some(Found::good(
                "This program may set up the party's adapter itself.",
            ));
        }
        Rights::Missing(hindrance) => hindrance,
    };
    let (sentence, cure) = words(pc.system(), &hindrance);
    // A service that could be used does without.
    Some(match service {
        Service::Absent => Found::bad(sentence, Cure::by_hand(cure)),
        _ => Found::doubt(sentence).cured(Cure::by_hand(cure)),
    })
}

fn words(system: System, hindrance: &Hindrance) -> (&'static str, &'static str) {
    match (hindrance, system) {
        (Hindrance::Ordinary, System::Linux) => (
            "Without the service, this program may not set up the party's adapter.",
            "Start it with sudo, or say once `sudo setcap cap_net_admin+ep` with the program's path.",
        ),
        (_, System::Windows) => (
            "Without the service, this program may not set up the party's adapter.",
            "Right-click the program and choose `Run as administrator`.",
        ),
        (Hindrance::Container, System::Linux) => (
            "This is root, but in a container that may not change its network.",
            "Start the container with `--cap-add NET_ADMIN --device /dev/net/tun`.",
        ),
        (Hindrance::NoSuid, System::Linux) => (
            "The program was given its rights, but lies on a file system that is mounted `nosuid`, where they do not count.",
            "Copy the program to /usr/local/bin and say `sudo setcap cap_net_admin+ep` there, or start it with sudo.",
        ),
        (Hindrance::NoNewPrivileges, System::Linux) => (
            "The program was given its rights, but was started by something that allows no new ones.",
            "Start it from an ordinary terminal, outside of a sandbox, a Flatpak or a snap.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn they_matter_without_a_service_only() {
        for mut pc in FakePc::both() {
            assert_eq!(look(&pc), None);
            pc.rights = Rights::Missing(Hindrance::Ordinary);
            let mark = |pc: &FakePc| look(pc).unwrap().row(CHECK.id).mark;
            pc.service = Service::Stopped;
            assert_eq!(mark(&pc), Mark::Doubt);
            pc.service = Service::Absent;
            assert_eq!(mark(&pc), Mark::Bad);
            pc.rights = Rights::Enough;
            assert_eq!(mark(&pc), Mark::Good);
        }
    }

    #[test]
    fn root_in_a_container_is_not_told_to_use_sudo() {
        let mut pc = FakePc::linux();
        pc.service = Service::Absent;
        for (hindrance, helps) in [
            (Hindrance::Container, "NET_ADMIN"),
            (Hindrance::NoSuid, "/usr/local/bin"),
            (Hindrance::NoNewPrivileges, "sandbox"),
        ] {
            pc.rights = Rights::Missing(hindrance);
            let row = look(&pc).unwrap().row(CHECK.id);
            let how_to = row.how_to.unwrap();
            assert!(how_to.contains(helps), "{how_to}");
        }
    }
}

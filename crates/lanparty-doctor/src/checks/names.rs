//! Is the relay's name known here?

use super::Check;
use crate::facts::{Lookup, Pc, System};
use crate::found::{Cure, Found};
use crate::relay_place;
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    id: "names",
    about: "The relay's name",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let (host, _) = relay_place(&pc.party()?.relay);
    if host.parse::<IpAddr>().is_ok() {
        return Some(Found::good(
            "The relay is known by its address, so no name is asked for.",
        ));
    }
    Some(match pc.look_up(&host) {
        Lookup::Found(_) => Found::good(format!("The relay's name {host} is found.")),
        Lookup::Unknown => Found::bad(
            format!("There is no relay with the name {host}, says your name server."),
            Cure::by_hand(
                "Ask the host for a new invite; if others can join, use another DNS server, such as your router's.",
            ),
        ),
        Lookup::Silent => Found::bad(
            format!("Your name server does not answer when it is asked for {host}."),
            Cure::by_hand(other_server(pc.system())),
        ),
        Lookup::Failed => Found::bad(
            format!("The name {host} cannot be looked up."),
            Cure::by_hand(other_server(pc.system())),
        ),
    })
}

fn other_server(system: System) -> &'static str {
    match system {
        System::Linux => {
            "Check that you are online, then look at the DNS server in your network settings (`resolvectl status`)."
        }
        System::Windows => {
            "Check that you are online, then look at the DNS server in Windows' network settings (`ipconfig /all`)."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn a_name_is_found_unknown_or_not_to_be_asked_for() {
        for mut pc in FakePc::both() {
            let mark = |pc: &FakePc| look(pc).unwrap().row(CHECK.id).mark;
            assert_eq!(mark(&pc), Mark::Good);
            for lookup in [Lookup::Unknown, Lookup::Silent, Lookup::Failed] {
                pc.lookup = lookup;
                assert_eq!(mark(&pc), Mark::Bad);
            }
            // An address is not asked for.
            pc.party.as_mut().unwrap().relay = "203.0.113.7:443".into();
            assert_eq!(mark(&pc), Mark::Good);
            pc.party = None;
            assert_eq!(look(&pc), None);
        }
    }
}

//! A way to the internet.

use super::{Check, nat};
use crate::facts::{Pc, Route};
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "network",
    about: "This computer's own network",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let Ok(network) = pc.network() else {
        return Some(Found::unseen("This computer's routes cannot be read."));
    };
    let is_home = |route: &&Route| {
        let interface = network.interface(&route.interface);
        route.destination.is_default() && !interface.is_some_and(|interface| interface.is_party)
    };
    let mut ways: Vec<_> = network.routes.iter().filter(is_home).collect();
    ways.sort_by_key(|route| route.metric);
    Some(match ways.first() {
        Some(way) => Found::good(format!(
            "The internet is reached by {}{}.",
            way.interface,
            nat::end_of_sentence(&network)
        )),
        None => Found::bad(
            "This computer is not connected to the internet: no route leads there.",
            Cure::by_hand("Plug its network cable in, or connect it to your Wi-Fi."),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn a_default_route_that_is_not_the_partys_leads_to_the_internet() {
        for mut pc in FakePc::both() {
            let mark = |pc: &FakePc| look(pc).unwrap().row(CHECK.id).mark;
            assert_eq!(mark(&pc), Mark::Good);
            let party = pc.network().unwrap().party().unwrap().name.clone();
            for route in &mut pc.network.as_mut().unwrap().routes {
                route.interface.clone_from(&party);
            }
            assert_eq!(mark(&pc), Mark::Bad);
            pc.network = Err("no netlink".into());
            assert_eq!(mark(&pc), Mark::Doubt);
        }
    }
}

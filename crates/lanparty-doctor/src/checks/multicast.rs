//! Whether groups go to the party, where no game says by which interface. Where they do, `ways` says so.

use super::{Check, reset_adapter, ways};
use crate::facts::Pc;
use crate::found::{Cure, Found};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const CHECK: Check = Check {
    id: "multicast",
    about: "The way of multicast",
    look,
    is_personal: false,
};

/// One of each kind that games and their discovery have: of the link, of an organisation (SSDP), of everybody.
const GROUPS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(224, 0, 0, 251),
    Ipv4Addr::new(239, 255, 255, 250),
    Ipv4Addr::new(224, 0, 2, 60),
];

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    network.party().filter(|adapter| ways::is_used(adapter))?;
    let (group, thief) = GROUPS.into_iter().find_map(|group| {
        let way = network.way_to(IpAddr::V4(group));
        let interface = way.and_then(|way| network.interface(&way.interface));
        let leads_elsewhere = !interface.is_some_and(|interface| interface.is_party);
        leads_elsewhere.then(|| (group, interface.map(|interface| interface.name.clone())))
    })?;
    let cure = reset_adapter(pc).map_or_else(
        || Cure::by_hand("Leave the party and join it again."),
        Cure::fix,
    );
    let sentence = match thief {
        Some(thief) => format!(
            "Games that look for others by multicast do so by {thief} and not at the party: the route of {group} leads there."
        ),
        None => format!(
            "Games that look for others by multicast get nowhere: no route leads to {group}."
        ),
    };
    Some(Found::doubt(sentence).cured(cure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakePc, prefix, tunnel};
    use lanparty_client_control::Fix;

    #[test]
    fn groups_go_to_the_party_or_it_is_said_where() {
        for mut pc in FakePc::both() {
            assert_eq!(look(&pc), None);
            let mut elsewhere = pc.clone();
            tunnel(elsewhere.network.as_mut().unwrap(), "239.0.0.0/8");
            let row = look(&elsewhere).unwrap().row(CHECK.id);
            assert!(row.sentence.contains("by wg0"), "{row:?}");
            assert_eq!(row.fix.unwrap().fix, Fix::ResetAdapter);
            let network = pc.network.as_mut().unwrap();
            let groups = prefix("224.0.0.0/4");
            network.routes.retain(|route| route.destination != groups);
            let row = look(&pc).unwrap().row(CHECK.id);
            assert!(row.sentence.contains("not at the party"), "{row:?}");
            let network = pc.network.as_mut().unwrap();
            network
                .routes
                .retain(|route| !route.destination.is_default());
            let row = look(&pc).unwrap().row(CHECK.id);
            assert!(row.sentence.contains("get nowhere"), "{row:?}");
            let network = pc.network.as_mut().unwrap();
            network.interfaces.last_mut().unwrap().addresses.clear();
            assert_eq!(look(&pc), None);
        }
    }
}

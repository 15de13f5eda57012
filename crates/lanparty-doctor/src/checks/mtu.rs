//! How long packets may be: in the room, on the adapter, and on the way to the relay.

use super::{Check, reset_adapter};
use crate::facts::Pc;
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "mtu",
    about: "The length of packets",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    let adapter = network.party().filter(|adapter| adapter.is_up)?;
    let name = &adapter.name;
    let known = pc.service().snapshot().map(|snapshot| snapshot.mtu);
    let (mtu, room) = match (adapter.mtu, known) {
        (Some(mtu), Some(Some(room))) => (mtu, room),
        // A run at a terminal does not say what its room has.
        (Some(mtu), None) => {
            return Some(Found::good(format!(
                "The adapter {name} takes packets of {mtu} bytes."
            )));
        }
        (None, Some(Some(room))) => (usize::from(room.room), room),
        _ => return None,
    };
    if mtu != usize::from(room.room) {
        let cure = reset_adapter(pc).map_or_else(
            || Cure::by_hand("Leave the party and join it again."),
            Cure::fix,
        );
        let sentence = format!(
            "The adapter {name} takes packets of {mtu} bytes, but the room has {}: somebody has changed it, and long ones may get lost.",
            room.room
        );
        return Some(Found::doubt(sentence).cured(cure));
    }
    Some(Found::good(match room.path {
        Some(path) if path < room.room => format!(
            "Packets have the room's {mtu} bytes; the way to the relay takes {path} at once, so the longest go in two pieces."
        ),
        Some(path) => format!(
            "Packets have the room's {mtu} bytes, and the way to the relay takes {path} at once."
        ),
        None => format!("Packets have the room's {mtu} bytes."),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::FakePc;
    use lanparty_client_control::{Fix, Mark, Mtu, Row};

    fn row(pc: &FakePc) -> Option<Row> {
        look(pc).map(|found| found.row(CHECK.id))
    }

    #[test]
    fn adapter_room_and_way_are_compared() {
        for mut pc in FakePc::both() {
            let said = row(&pc).unwrap();
            assert!(said.sentence.contains("takes 1416 at once"), "{said:?}");
            let Service::Answers(snapshot) = &mut pc.service else {
                unreachable!()
            };
            snapshot.mtu = Some(Mtu {
                room: 1400,
                path: Some(1200),
            });
            let said = row(&pc).unwrap();
            assert!(said.sentence.contains("two pieces") && said.mark == Mark::Good);
            let network = pc.network.as_mut().unwrap();
            network.interfaces.last_mut().unwrap().mtu = Some(1500);
            let said = row(&pc).unwrap();
            assert_eq!(said.mark, Mark::Doubt);
            assert_eq!(said.fix.unwrap().fix, Fix::ResetAdapter);
            pc.service = Service::Absent;
            assert_eq!(row(&pc).unwrap().mark, Mark::Good);
            let network = pc.network.as_mut().unwrap();
            network.interfaces.last_mut().unwrap().mtu = None;
            assert_eq!(row(&pc), None);
        }
    }
}

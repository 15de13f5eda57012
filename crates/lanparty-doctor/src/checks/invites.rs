//! The invites that the service keeps: has one ended?

use super::Check;
use super::clock::{date, seconds};
use crate::facts::Pc;
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "invites",
    about: "The kept invites",
    look,
    is_personal: true,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let service = pc.service();
    let rooms = &service.snapshot()?.rooms;
    let now = seconds(pc.now());
    let ended: Vec<_> = rooms
        .iter()
        .filter_map(|room| Some((room, room.party.expires.filter(|end| *end <= now)?)))
        .collect();
    let cure = Cure::by_hand(
        "Ask the host for a new invite; if this one should still hold, look at the clock.",
    );
    Some(match (rooms.len(), ended.first()) {
        (0, _) => Found::good("No invite is kept yet; the first one that you join with will be."),
        (1, None) => Found::good("One invite is kept, and it has not ended."),
        (count, None) => Found::good(format!("{count} invites are kept, and none has ended.")),
        // The one that a press on Join would take.
        (_, Some((room, end))) if room.name == rooms[0].name => Found::bad(
            format!("The invite to {} ended on {}.", room.name, date(*end)),
            cure,
        ),
        (_, Some(_)) => {
            let names: Vec<_> = ended
                .iter()
                .take(3)
                .map(|(room, _)| room.name.as_str())
                .collect();
            Found::doubt(format!("Older invites have ended: {}.", names.join(", "))).cured(cure)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::{FakePc, party};
    use lanparty_client_control::{Mark, Room, Snapshot};

    fn mark(ends: &[Option<u64>]) -> Mark {
        let mut pc = FakePc::linux();
        let rooms = ends.iter().enumerate().map(|(number, expires)| Room {
            name: format!("ROOM-{number}"),
            party: lanparty_client_control::Party {
                expires: *expires,
                ..party()
            },
        });
        pc.service = Service::Answers(Box::new(Snapshot {
            rooms: rooms.collect(),
            ..Snapshot::idle("0.1.0")
        }));
        look(&pc).unwrap().row(CHECK.id).mark
    }

    #[test]
    fn only_an_invite_that_has_ended_is_told() {
        let now = seconds(FakePc::linux().now);
        assert_eq!(mark(&[]), Mark::Good);
        assert_eq!(mark(&[None]), Mark::Good);
        assert_eq!(mark(&[Some(now + 1), None]), Mark::Good);
        assert_eq!(mark(&[Some(now)]), Mark::Bad);
        assert_eq!(mark(&[None, Some(now - 1)]), Mark::Doubt);
    }

    #[test]
    fn without_a_service_none_is_kept() {
        let mut pc = FakePc::linux();
        pc.service = Service::Stopped;
        assert_eq!(look(&pc), None);
    }
}

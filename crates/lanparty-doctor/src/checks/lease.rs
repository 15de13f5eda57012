//! Who has lent the address on the party's LAN, and for how long: as long as all is well a part of what `adapter` says, as
//! are an address that is made up, and none.

use super::{Check, is_anybodys, renew_address};
use crate::facts::Pc;
use crate::found::{Cure, Found};
use lanparty_client_control::Lease;
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    id: "lease",
    about: "The lease of the party's address",
    look,
    is_personal: false,
};

/// A client that is answered renews at half of a lease, and no server of a LAN gives one of a minute.
const TOO_SHORT: u64 = 30;

fn look(pc: &dyn Pc) -> Option<Found> {
    let lease = lease(pc)?;
    let is_over = lease.seconds.is_some_and(|seconds| seconds < TOO_SHORT);
    is_over.then(|| {
        let cure = renew_address(pc).map_or_else(
            || Cure::by_hand("Leave the party and join it again."),
            Cure::fix,
        );
        Found::doubt(format!(
            "The adapter's address is about to run out: {}, which has lent it, does not answer any more.",
            server(lease)
        ))
        .cured(cure)
    })
}

/// Who has lent the address, and for how long: the end of a sentence, where the service knows it.
pub(super) fn end_of_sentence(pc: &dyn Pc) -> String {
    let Some(lease) = lease(pc) else {
        return String::new();
    };
    let span = lease.seconds.map_or("good".to_owned(), span);
    format!(", lent by {} for {span}", server(lease))
}

fn lease(pc: &dyn Pc) -> Option<Lease> {
    pc.service().snapshot()?.lease
}

fn server(lease: Lease) -> String {
    match is_anybodys(IpAddr::V4(lease.server)) {
        true => format!("the DHCP server {}", lease.server),
        false => "the LAN's DHCP server".to_owned(),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::FakePc;
    use lanparty_client_control::{Fix, Mark, Snapshot};

    fn snapshot(pc: &mut FakePc) -> &mut Snapshot {
        match &mut pc.service {
            Service::Answers(snapshot) => snapshot,
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_lease_has_a_server_and_an_end() {
        for mut pc in FakePc::both() {
            let row = |pc: &FakePc| look(pc).map(|found| found.row(CHECK.id));
            assert_eq!(row(&pc), None);
            assert_eq!(
                end_of_sentence(&pc),
                ", lent by the DHCP server 192.168.50.1 for 10 hours"
            );
            snapshot(&mut pc).lease.as_mut().unwrap().seconds = Some(9);
            let said = row(&pc).unwrap();
            assert_eq!(said.mark, Mark::Doubt);
            assert_eq!(said.fix.unwrap().fix, Fix::RenewAddress);
            let lease = snapshot(&mut pc).lease.as_mut().unwrap();
            (lease.seconds, lease.server) = (None, [203, 0, 113, 1].into());
            assert_eq!(row(&pc), None);
            assert_eq!(
                end_of_sentence(&pc),
                ", lent by the LAN's DHCP server for good"
            );
            pc.service = Service::Absent;
            assert_eq!((row(&pc), end_of_sentence(&pc)), (None, String::new()));
        }
    }
}

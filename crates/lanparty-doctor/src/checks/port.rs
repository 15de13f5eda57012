//! Does the router open ports for programs that ask? Hosting at home needs it, playing does not.

use super::Check;
use crate::facts::{Pc, Ports};
use crate::found::Found;

pub(crate) const CHECK: Check = Check {
    id: "port",
    about: "The router",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let Ports(protocols) = pc.ports()?;
    Some(Found::good(match &protocols[..] {
        [] => "Your router opens no ports for programs that ask (PCP, NAT-PMP, UPnP): playing needs none, a party that you host here would.".to_owned(),
        [_, ..] => format!(
            "Your router opens ports for programs that ask ({}), so that a party that you host here is found.",
            protocols.join(", ")
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;

    #[test]
    fn what_the_router_speaks_is_named() {
        let mut pc = FakePc::linux();
        let said = |pc: &FakePc| look(pc).map(|found| found.row(CHECK.id).sentence);
        assert!(said(&pc).unwrap().contains("(UPnP)"));
        pc.ports = Some(Ports::default());
        assert!(said(&pc).unwrap().contains("opens no ports"));
        pc.ports = None;
        assert_eq!(said(&pc), None);
    }
}

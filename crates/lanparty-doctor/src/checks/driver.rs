//! What makes adapters: `/dev/net/tun`, or TAP-Windows6.

use super::Check;
use crate::facts::{Driver, Pc, System};
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "driver",
    about: "The adapter's driver",
    look,
    is_personal: false,
};

const INSTALL: &str =
    "Run softlan-vpn's installer again, which brings the TAP-Windows driver along.";

fn look(pc: &dyn Pc) -> Option<Found> {
    let is_windows = pc.system() == System::Windows;
    Some(match pc.driver() {
        Driver::Ready(None) => Found::good("This system can make network adapters."),
        Driver::Ready(Some(version)) => {
            Found::good(format!("The TAP-Windows driver {version} is installed and has an adapter."))
        }
        Driver::InUse => Found::good("The TAP-Windows adapter is there, and in use."),
        Driver::NoAdapterYet => Found::good(
            "The TAP-Windows driver is installed; joining a party makes an adapter with it.",
        ),
        Driver::Unseen => Found::doubt(
            "There is no TAP-Windows adapter, and no sign of the driver that joining would make one with.",
        )
        .cured(Cure::by_hand(INSTALL)),
        Driver::Missing if is_windows => Found::bad(
            "The TAP-Windows driver is not installed.",
            Cure::by_hand(INSTALL),
        ),
        Driver::Missing => Found::bad(
            "This system makes no network adapters: /dev/net/tun is missing.",
            Cure::by_hand("Say `sudo modprobe tun`; in a container, start it with `--device /dev/net/tun`."),
        ),
        // The service opens it with rights of its own.
        Driver::Closed if pc.service().snapshot().is_some() => {
            Found::good("This system can make network adapters, and the service may.")
        }
        Driver::Closed => Found::unseen("You may not open /dev/net/tun; the service may.").cured(
            Cure::by_hand("Without the service, start the program with sudo."),
        ),
        Driver::Old(version) => Found::bad(
            format!("The TAP-Windows driver is version {version}, which is too old."),
            Cure::by_hand(INSTALL),
        ),
        Driver::Disabled => Found::bad(
            "The TAP-Windows adapter is disabled, or does not start.",
            Cure::by_hand(
                "Enable it in Windows' network connections, or remove it in the device manager: joining makes a new one.",
            ),
        ),
        Driver::Several(count) => Found::bad(
            format!("There are {count} TAP-Windows adapters, and nobody has said which is for the party."),
            Cure::by_hand(
                "Remove those of programs that you do not use, or name one with --tap-instance-id.",
            ),
        ),
        Driver::Broken(what) => Found::bad(
            format!("The adapter's driver does not answer as it should ({what})."),
            match is_windows {
                true => Cure::by_hand(INSTALL),
                false => Cure::by_hand("Restart the computer; its kernel may be newer than its modules."),
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    fn mark(pc: &FakePc) -> Mark {
        look(pc).unwrap().row(CHECK.id).mark
    }

    #[test]
    fn each_state_has_its_mark() {
        for (driver, expected) in [
            (Driver::Ready(Some("9.27".into())), Mark::Good),
            (Driver::InUse, Mark::Good),
            (Driver::NoAdapterYet, Mark::Good),
            (Driver::Unseen, Mark::Doubt),
            (Driver::Missing, Mark::Bad),
            (Driver::Old("9.24".into()), Mark::Bad),
            (Driver::Disabled, Mark::Bad),
            (Driver::Several(2), Mark::Bad),
            (Driver::Broken("it is silent".into()), Mark::Bad),
        ] {
            let mut pc = FakePc::windows();
            pc.driver = driver.clone();
            assert_eq!(mark(&pc), expected, "{driver:?}");
        }
    }

    #[test]
    fn a_closed_device_is_the_services_to_open() {
        let mut pc = FakePc::linux();
        pc.driver = Driver::Closed;
        assert_eq!(mark(&pc), Mark::Good);
        pc.service = Service::Stopped;
        assert_eq!(mark(&pc), Mark::Doubt);
    }
}

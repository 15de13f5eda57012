//! What docs/errors.md says of the fleet.

use crate::{AddressError, FleetSecretError, Refusal, Trouble};
use lanparty_told::{Chapter, told};

#[test]
fn the_page_explains_what_is_said_of_a_fleet() {
    let secret = told!(FleetSecretError {
        FleetSecretError = FleetSecretError => "The file has too few characters, or is empty.", "As the sentence says.";
    });
    let address = told!(AddressError {
        AddressError = AddressError => "Peers are sent to that address, so it must be one that they can reach.", "The relay's public name or address.";
    });
    let refusals = told!(Refusal {
        Refusal::NoDirectory = Refusal::NoDirectory => "Host: etcd is away for this relay. Parties that run are not touched.", "Operator: bring etcd back.";
        Refusal::Entering = Refusal::Entering => "The relay started in this moment.", "It is tried again.";
        Refusal::Full = Refusal::Full => "Every relay has all the players that it may have, or drains.", "Operator: one relay more.";
        Refusal::Busy = Refusal::Busy => "Thousands of rooms are opened at once, as after a failure.", "It is tried again.";
    });
    let troubles = told!(Trouble {
        Trouble::Silent = Trouble::Silent => "No etcd has answered; or this relay alone is cut off from them.", "`etcdctl endpoint status`, firewall, name.";
        Trouble::Back = Trouble::Back => "It is over.", "Nothing.";
        Trouble::LeaseLost = Trouble::LeaseLost => "The relay was stopped or cut off for longer than three seconds. Rooms that others have taken go there.", "Look for what stopped it: a suspended machine, a full disk at etcd.";
        Trouble::Garbage { .. } = Trouble::Garbage { seen: 12 } => "Another program shares the prefix, or somebody tried something by hand.", "`etcdctl get --prefix` shows it; delete it, and give the fleet a user of its own.";
        Trouble::WrongSecret = Trouble::WrongSecret => "Relays of one fleet must agree on their rooms' names. This one stays out.", "Copy the secret's file from another relay.";
        Trouble::NotAFleet = Trouble::NotAFleet => "Another program uses the same key.", "As the sentence says.";
        Trouble::AnotherDirectory = Trouble::AnotherDirectory => "etcd was set up anew. Nothing is lost: relays have everything that counts.", "Nothing, if that was you.";
        Trouble::SameAddress = Trouble::SameAddress => "Two relays were started with the same `--advertise`, perhaps from one copied file; or the one before this one still runs.", "Correct `--advertise` at one of them, or stop it.";
        Trouble::NowhereToMove = Trouble::NowhereToMove => "All others are full, drain, or have started less than five seconds ago.", "Start another relay, or wait until parties have ended.";
        Trouble::Slow = Trouble::Slow => "More players than this processor carries, or another program on it.", "As the sentence says.";
        Trouble::Recovered = Trouble::Recovered => "It is over.", "Nothing.";
        Trouble::TooSlow = Trouble::TooSlow => "The same, and players feel it.", "Another relay, soon.";
    });
    Chapter::new("fleet")
        .with(troubles)
        .with(refusals)
        .with(secret)
        .with(address)
        .check();
}

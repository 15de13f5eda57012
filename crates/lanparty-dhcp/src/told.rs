//! What docs/errors.md says about addresses.

use crate::Word;
use lanparty_proto::MacAddr;
use lanparty_told::{Chapter, told};
use std::net::Ipv4Addr;

#[test]
fn the_page_explains_what_is_said_of_addresses() {
    let address = Ipv4Addr::new(192, 168, 50, 10);
    let holder = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);
    let told = told!(Word {
        Word::GivenUp { .. } = Word::GivenUp { address, holder } => "A machine has taken an address that the DHCP server had lent you, and insists on it.", "Nothing; the host finds the machine by its MAC, and sets it to DHCP.";
        Word::AllTaken { .. } = Word::AllTaken { address, holder } => "A machine with an address set by hand, in the DHCP server's range.", "Wait for another one; the host moves the range.";
        Word::ChosenTaken { .. } = Word::ChosenTaken { address, holder } => "--address names what somebody has.", "Another address, or none.";
        Word::Unusable { .. } = Word::Unusable { address } => "A DHCP server that is set up wrongly: a mask with holes, the network's own address, its own one.", "The host corrects it.";
        Word::NeededAtHome { .. } = Word::NeededAtHome { address } => "It is this machine's own address at home, its router's, its name server's, or the relay's; with it at the party your internet or the party would be gone.", "The host takes it out of the range, or joins with a rarer subnet; --address with a free one helps meanwhile.";
        Word::UsedAtHome { .. } = Word::UsedAtHome { address } => "Home and party have the same subnet, and the DHCP server has given nothing else, or the machine at home came later.", "Nothing while it does not disturb; the host can choose a rarer subnet.";
    });
    Chapter::new("lan-address").with(told).check();
}

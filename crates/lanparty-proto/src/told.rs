//! What docs/errors.md says about addresses and numbers.

use crate::mac::MacError;
use crate::mtu::{BudgetError, DatagramBudget};
use lanparty_told::{Chapter, told};

#[test]
fn the_page_explains_the_form_of_numbers() {
    let mac = told!(MacError {
        MacError::Syntax = MacError::Syntax => "--virtual-mac is written wrongly.", "Six pairs with colons.";
        MacError::Group = MacError::Group => "That is an address of a group, which no machine can have.", "An even first pair.";
        MacError::NotLocal = MacError::NotLocal => "That is an address of a maker's, which a real machine may have.", "Begin with 02.";
    });
    let refused = || "12".parse::<DatagramBudget>().unwrap_err();
    let budget = told!(BudgetError {
        BudgetError(_) = refused() => "--datagram-budget is out of range.", "A number in it, or leave the flag out.";
    });
    Chapter::new("numbers").with(mac).with(budget).check();
}

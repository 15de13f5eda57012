//! What docs/errors.md says about the commands.

use super::{Trouble, join, ping, show};
use lanparty_client_control::Snapshot;
use lanparty_told::{Chapter, Told};

#[test]
fn the_page_explains_what_the_commands_say() {
    let said = |trouble: Trouble, means, remedy| Told {
        sentence: trouble.sentence,
        means,
        remedy,
    };
    let idle = Snapshot::idle("0.0.9");
    let told = vec![
        said(
            Trouble::not_connected(join::NOT_YET),
            "`join` waits 30 seconds, or as long as --wait says; the party's host may not be there yet.",
            "`status` says what is missing.",
        ),
        said(
            Trouble::not_connected(join::LEFT),
            "Another terminal, or the window, has left while `join` waited.",
            "Join again.",
        ),
        said(
            show::needs_party(&idle).unwrap_err(),
            "The command is about a party, and there is none.",
            "`join`, then again.",
        ),
        said(
            ping::find(&[], "zoe").unwrap_err(),
            "Nobody who is here has that name or MAC address.",
            "A name as `status` lists it.",
        ),
        said(
            Trouble::failed(show::versions_differ(&idle).unwrap()),
            "One of both was updated, and the other has run on.",
            "Restart the service, or the computer.",
        ),
    ];
    Chapter::new("commands").with(told).check();
}

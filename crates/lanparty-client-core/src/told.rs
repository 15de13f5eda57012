//! What docs/errors.md says about a player's own files, and about a home with the party's addresses.

use crate::Identity;
use crate::identity_store::IdentityError;
use crate::overlap::{Double, HomeNetwork, Overlap, Prefix, Role};
use crate::player::PlayerError;
use lanparty_told::{Chapter, Told, told};
use std::io;
use std::net::Ipv4Addr;

#[test]
fn the_page_explains_a_players_files() {
    let file = || "/home/bert/.local/share/lanparty-client-identity.json".into();
    let broken = || Identity::decode("{ half", [0; 32]).unwrap_err();
    let identity = told!(IdentityError {
        IdentityError::Broken { .. } = IdentityError::Broken { file: file(), cause: broken() } => "The identity file was edited or cut off.", "Repair or delete it; a new identity has another MAC.";
        IdentityError::Unreadable { .. } = IdentityError::Unreadable { file: file(), cause: io::Error::from_raw_os_error(13) } => "The file is another user's, often root's from an earlier run.", "Give it back with chown, or name another one.";
        IdentityError::Unwritable { .. } = IdentityError::Unwritable { file: file(), cause: io::Error::from_raw_os_error(28) } => "The folder is full, read-only or another user's.", "Make room, or name another file.";
    });
    let player = told!(PlayerError {
        PlayerError::Homeless = PlayerError::Homeless => "There is no HOME, as for some services.", "Say where the identity is.";
    } elsewhere PlayerError::Relay(_), PlayerError::Identity(_));
    Chapter::new("player").with(identity).with(player).check();
}

#[test]
fn the_page_explains_a_home_with_the_partys_addresses() {
    let double = |last, role, is_own| Double {
        address: Ipv4Addr::new(192, 168, 1, last),
        role,
        is_own,
    };
    let networks = vec![HomeNetwork {
        prefix: Prefix::new(Ipv4Addr::new(192, 168, 1, 0), 24),
        interface: "eth0".to_owned(),
    }];
    let noticed = Overlap {
        networks,
        ..Overlap::default()
    };
    let told = |sentence: String, means, remedy| Told {
        sentence,
        means,
        remedy,
    };
    let mut all = vec![told(
        noticed.sentences().concat(),
        "Home and party have the same subnet, or one has a part of the other's. The first word with a machine of the party \
         that nobody has heard of may take some seconds.",
        "Play. If it disturbs you: another network at home, or one that nobody has at the party.",
    )];
    for (double, means, remedy) in [
        (
            double(1, Role::Router, false),
            "Two machines have this number, one at home and one at the party. Yours keeps it.",
            "Nothing, unless you need the other one: the host, or you, would have to give one of them another address.",
        ),
        (
            double(20, Role::Machine, true),
            "The address that you have at the party is somebody's at your home, who is not reached while you play.",
            "Leave and join again, or take a free one with --address.",
        ),
    ] {
        all.push(told(double.to_string(), means, remedy));
    }
    Chapter::new("overlap").with(all).check();
}

//! What docs/errors.md says about what every program has at its edges.

use crate::access_args::AccessError;
use crate::address::{
    ListenAddress, ListenAddressError, RelayAddress, RelayAddressError, TcpAddress, TcpAddressError,
};
use crate::invite::{
    InviteError, InvitePageError, InviteSourceError, OtherRelay, OtherRelayError, Relays,
    RelaysError,
};
use crate::log::FilterError;
use crate::runtime::RuntimeError;
use crate::state_folder::StateError;
use lanparty_ctrl::AccessToken;
use lanparty_told::{Chapter, told};
use std::io;

fn denied() -> io::Error {
    io::Error::from_raw_os_error(13)
}

#[test]
fn the_page_explains_invites() {
    let invites = told!(InviteError {
        InviteError::Missing = InviteError::Missing => "The text holds no invite at all.", "Copy the whole link.";
        InviteError::Cut = InviteError::Cut => "Only the beginning is there; shells cut old invites at an &.", "Copy all of it, and put it between quotes.";
        InviteError::Damaged = InviteError::Damaged => "A chat, a mail or an editor has changed some of it.", "Copy it anew, or have it sent another way.";
        InviteError::Several = InviteError::Several => "The text holds invites to two parties.", "Give one.";
        InviteError::Newer = InviteError::Newer => "The host's program is newer.", "Update.";
        InviteError::Long = InviteError::Long => "It is longer than any that this program makes.", "Ask for one with a shorter name or fewer relays.";
    });
    let source = told!(InviteSourceError {
        InviteSourceError::FileName(_) = InviteSourceError::FileName("invite.txt".into()) => "The name of a file stands where an invite should.", "An @ in front of it.";
        InviteSourceError::Unreadable { .. } = InviteSourceError::Unreadable { file: "invite.txt".into(), cause: io::Error::from_raw_os_error(2) } => "The file behind @ or --invite-file cannot be read.", "Name one that is there.";
    } elsewhere InviteSourceError::Invite(_));
    let page = told!(InvitePageError { InvitePageError = InvitePageError => "Host: --invite-page is written wrongly.", "The page's address, as the sentence shows."; });
    Chapter::new("invite")
        .with(invites)
        .with(source)
        .with(page)
        .check();
}

#[test]
fn the_page_explains_what_every_program_may_say() {
    let file = || "/var/lib/lanparty/key".into();
    let state = told!(StateError {
        StateError::NoFolder = StateError::NoFolder => "There is no HOME, as for some services.", "Name a folder.";
        StateError::Unreadable { .. } = StateError::Unreadable { file: file(), cause: denied() } => "The file is another user's, or the disk is broken.", "Run as its owner.";
        StateError::Unwritable { .. } = StateError::Unwritable { file: file(), cause: io::Error::from_raw_os_error(28) } => "The folder is full, read-only or another user's.", "Make room, or name another one.";
    });
    let token_error = || "short".parse::<AccessToken>().unwrap_err();
    let access = told!(AccessError {
        AccessError::Flag(_) = AccessError::Flag(token_error()) => "The value of --access-token is none.", "Copy all of it.";
        AccessError::File { .. } = AccessError::File { file: file(), cause: token_error() } => "That file holds no token.", "One line with it.";
        AccessError::Unreadable { .. } = AccessError::Unreadable { file: file(), cause: denied() } => "That file cannot be read.", "Name one that is there and yours.";
        AccessError::OutOfSight(_) = AccessError::OutOfSight(denied()) => "The program was started by hand, or by a reload, with a service's environment.", "`systemctl restart`.";
    });
    let runtime = told!(RuntimeError {
        RuntimeError::NoEventLoop(_) = RuntimeError::NoEventLoop(io::Error::from_raw_os_error(24)) => "The system has no file descriptors left.", "Close other programs, or raise the limit.";
        RuntimeError::Panicked = RuntimeError::Panicked => "A fault of this program; everything was undone.", "Report it with the lines above it.";
    });
    let bad = |filter: &str| crate::log::filter(filter).unwrap_err();
    let filter = told!(FilterError {
        FilterError::NoLevel(_) = bad("loud") => "--log, `log =` or LANPARTY_LOG holds another word.", "A level, such as info.";
        FilterError::Malformed(_) = bad("x=y=z") => "The same with a target.", "TARGET=LEVEL, such as lanparty_relay=debug.";
    });
    Chapter::new("every-program")
        .with(state)
        .with(access)
        .with(runtime)
        .with(filter)
        .check();
}

#[test]
fn the_page_explains_the_form_of_addresses() {
    let relay = || "relay:x".parse::<RelayAddress>().unwrap_err();
    let listen = || "443".parse::<ListenAddress>().unwrap_err();
    let tcp = || "443".parse::<TcpAddress>().unwrap_err();
    let addresses = [
        told!(RelayAddressError { RelayAddressError(_) = relay() => "--relay, --public-address or an invite has another form.", "As the sentence shows."; }),
        told!(ListenAddressError { ListenAddressError(_) = listen() => "--listen, or `listen =`, has another form.", "As the sentence shows."; }),
        told!(TcpAddressError { TcpAddressError(_) = tcp() => "--tcp-listen, or `tcp-listen =`, has another form.", "As the sentence shows."; }),
    ];
    let other = told!(OtherRelayError {
        OtherRelayError::Pin { .. } = "relay.example.net~x".parse::<OtherRelay>().unwrap_err() => "--relay or `relay =` has something else behind its ~.", "Copy all of the pin.";
    } elsewhere OtherRelayError::Address(_));
    let relay = |text: &str| text.parse::<OtherRelay>().unwrap();
    let pin = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";
    let pinned = relay(&format!("relay.example.net~{pin}"));
    let other_pin = pin.replace('K', "L").parse().ok();
    let named = |relays: &[OtherRelay], pin| Relays::named(relays.to_vec(), pin).unwrap_err();
    let many = ["a", "b", "c", "d", "e", "f"].map(relay);
    let relays = told!(RelaysError {
        RelaysError::Twice(_) = named(&[pinned.clone(), pinned.clone()], None) => "One relay stands for two: the party could move nowhere.", "Each relay once.";
        RelaysError::TooMany(_) = named(&many, None) => "No invite could say all of them.", "The best five, or fewer.";
        RelaysError::TwoPins(_) = named(&[pinned], other_pin) => "--pin, or the file of --relay-cert, is of another key.", "The pin that the relay prints.";
    });
    Chapter::new("addresses")
        .with(addresses.concat())
        .with(other)
        .with(relays)
        .check();
}

//! What docs/errors.md says about making a link.

use crate::RunError;
use crate::link::{ConnectError, Unfit};
use crate::relay_args::RelayArgsError;
use crate::relays::{NoneOf, NotFollowed};
use lanparty_ctrl::RejectReason;
use lanparty_ctrl::message::Reject;
use lanparty_ctrl::places::Elsewhere;
use lanparty_obs::Utc;
use lanparty_quic::HandshakeError;
use lanparty_quic::control::ControlError;
use lanparty_told::{Chapter, told};
use std::io;

fn unresolved(words: &str) -> io::Error {
    io::Error::other(format!("failed to lookup address information: {words}"))
}

#[test]
fn the_page_explains_why_there_is_no_link() {
    let reject = || Reject {
        reason: RejectReason::Other,
        text: "the relay's own words".into(),
    };
    let elsewhere = || Elsewhere {
        address: "b.example.net:443".to_owned(),
        pin: None,
        fence: None,
    };
    let several = || {
        let silent = |name: &str| (name.parse().unwrap(), HandshakeError::NoAnswer.into());
        vec![silent("a.example.net"), silent("b.example.net")]
    };
    let connect = told!(ConnectError {
        ConnectError::Resolve(_) = ConnectError::Resolve(unresolved("Name or service not known"))
            => "The name servers know no such name.", "Check the spelling; ask the host.";
        ConnectError::NoNameServer(_) = ConnectError::NoNameServer(unresolved("Temporary failure in name resolution"))
            => "No name server answers: the own DNS does not work, or the internet behind the router.", "Look at your network; an invite with an address needs no name server.";
        ConnectError::Socket(_) = ConnectError::Socket(io::Error::from_raw_os_error(24))
            => "The system gives the program no socket.", "Close other programs; start the machine anew.";
        ConnectError::NotOpen = ConnectError::NotOpen
            => "The relay does not know the key of your invite: the host's gateway is not there (yet), or there is a new invite. The relay tells nobody which of these it is.",
            "Leave it running, it comes in with the host; ask the host whether there is a new invite.";
        ConnectError::HostAway = ConnectError::HostAway
            => "You were in. After a restart of the relay the host's gateway comes back within seconds; you are asked in again each second.",
            "Wait a minute; after that ask the host.";
        ConnectError::CutInvite(_) = ConnectError::CutInvite(HandshakeError::Certificate("UnknownIssuer".into()))
            => "An old invite without a pin: a shell or a chat has ended it at an `&`, or the relay's certificate has run out of trust.",
            "Copy all of it, between quotes; ask the host for a new one.";
        ConnectError::NoRoomKeys = ConnectError::NoRoomKeys
            => "The relay is of a version before invites and would let in anybody.", "Ask its operator to update it.";
        ConnectError::NoHostKeys = ConnectError::NoHostKeys
            => "The relay is of a version that takes any guest for the host.", "Ask its operator to update it.";
        ConnectError::Greeting(_) = ConnectError::Greeting(ControlError::TooSlow)
            => "The link broke during the first words, or something else speaks there.", "Nothing; it is tried again.";
        ConnectError::Rejected(_) = ConnectError::Rejected(reject())
            => "A newer relay refuses for a reason of its own, in its words.", "What they say; update this program.";
        ConnectError::Sent(_) = ConnectError::Sent(Box::new(elsewhere()))
            => "A relay of a fleet says which of them has the room.", "Nothing; it is gone to.";
        ConnectError::Lost = ConnectError::Lost
            => "A relay of a fleet was cut off, and another one has the room by now.", "Nothing; it is looked for.";
        ConnectError::NoGateway = ConnectError::NoGateway
            => "The relay is one of several, and the party is not there.", "Nothing; the others are asked.";
        ConnectError::NoneOf(_) = ConnectError::NoneOf(NoneOf::new(several()))
            => "Nobody answers at any of the relays of your invite. Where it is not the same with all, what is wrong with each stands behind its name.",
            "Look at your own network first: several relays are rarely away at once. Then ask the host.";
    } elsewhere ConnectError::Handshake(_), ConnectError::Carrier(_), ConnectError::NotFollowed(_));
    let followed = told!(NotFollowed {
        NotFollowed::NoAddress = NotFollowed::NoAddress
            => "A relay names something that is none as the one that has the room.", "Tell its operator; it is asked again.";
        NotFollowed::Circle = NotFollowed::Circle
            => "Each relay of a fleet says that another one has the room.", "Wait a few seconds; tell their operator if it stays.";
        NotFollowed::Failed = NotFollowed::Failed
            => "The relay that had the room is dead, and its fleet does not know yet.", "Nothing; it is asked again.";
        NotFollowed::Stale = NotFollowed::Stale
            => "A relay of a fleet is behind the others, which have given the room to another one.", "Nothing; it is asked again.";
        NotFollowed::Within = NotFollowed::Within
            => "A relay of the internet names a private address. Its operator has made a mistake, or means ill.", "Tell its operator.";
        NotFollowed::Stranger = NotFollowed::Stranger
            => "The fleet's directory has a wrong pin for that relay, or somebody else is at its address.", "Tell its operator; it is asked again.";
        NotFollowed::Unknown = NotFollowed::Unknown
            => "The relay that has the room is known by a certificate, and this system trusts nobody.", "Install ca-certificates; tell the operator to give the fleet's relays pins.";
    });
    let unfit = told!(Unfit {
        Unfit::Narrow = Unfit::Narrow
            => "The path changed and swallows full packets.", "Nothing; a link with smaller packets follows.";
        Unfit::Silent = Unfit::Silent
            => "The relay has said nothing for some seconds, though it was asked.", "Nothing; it is tried again.";
    });
    let run = told!(RunError {
        RunError::Relay { .. } = RunError::Relay {
            relay: "relay.example.net:443".into(),
            error: ConnectError::NoRoomKeys,
        } => "The relay cannot be used, and waiting will not change that; why stands behind the colon.", "What the cause says; then start again.";
        RunError::Port(_) = RunError::Port(io::Error::other("somebody removed the adapter; start the client again"))
            => "The adapter, or the host's LAN interface, was taken away.", "A client is started again; a gateway waits for its interface.";
        RunError::Kicked(_) = RunError::Kicked("the host has sent you out of the room".into())
            => "The host, or the relay's operator, sent you out.", "Ask the host; the same invite lets you in again unless you are banned.";
    } elsewhere RunError::Host(_));
    Chapter::new("connect")
        .with(connect)
        .with(followed)
        .with(unfit)
        .with(run)
        .check();
}

#[test]
fn the_page_explains_what_is_wrong_with_an_invite_s_file_or_time() {
    let args = told!(RelayArgsError {
        RelayArgsError::Expired { .. } = RelayArgsError::Expired {
            ended: Utc(1_796_000_000),
            now: Utc(1_800_000_000),
        } => "The host made the invite for so many hours; or this machine's clock is ahead.", "Compare the clock with a phone's; else ask for a new invite.";
        RelayArgsError::Certificate = RelayArgsError::Certificate => "One certificate cannot vouch for several relays, or beside a pin.", "A pin behind each relay's ~.";
    } elsewhere RelayArgsError::Trust(_), RelayArgsError::Invite(_), RelayArgsError::Relays(_));
    Chapter::new("invite-file").with(args).check();
}

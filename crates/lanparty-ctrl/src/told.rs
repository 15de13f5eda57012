//! What docs/errors.md says about refusals, notices and values.

use crate::access::AccessTokenError;
use crate::name::NameError;
use crate::pin::PinError;
use crate::room_code::RoomCodeError;
use crate::{LeaveReason, Notice, NoticeKind, RejectReason};
use lanparty_told::{Chapter, told};
use std::fmt;

/// A notice as the player reads it.
struct ToPlayer(NoticeKind);
/// And as the host does.
struct ToHost(NoticeKind);

fn notice(kind: NoticeKind) -> Notice {
    Notice {
        address: Some([192, 168, 50, 10].into()),
        ..Notice::new(kind, 1)
    }
}

impl fmt::Display for ToPlayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        notice(self.0).to_player().fmt(f)
    }
}

impl fmt::Display for ToHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        notice(self.0).to_host("Bert (02:1a:2b:3c:4d:5e)").fmt(f)
    }
}

#[test]
fn the_page_explains_what_the_relay_refuses() {
    use RejectReason as No;
    let refusals = told!(RejectReason {
        No::Version = No::Version => "Program and relay are too far apart in age.", "Update the older one.";
        No::BadRoomCode = No::BadRoomCode => "The code has a form that the relay does not know.", "Check --room.";
        No::RoomFull = No::RoomFull => "As many players are in as the relay allows in a room.", "The host or operator raises the limit, or somebody leaves.";
        No::RelayFull = No::RelayFull => "The relay has all the rooms or peers that it may have.", "Later, or another relay.";
        No::GatewayPresent = No::GatewayPresent => "Host: another gateway of the open room is there, or yours of a moment ago.", "Stop the other one, or wait 15 seconds.";
        No::MacInUse = No::MacInUse => "Your place of a moment ago is not given up yet, or two machines share an identity file.", "Wait 15 seconds; give each machine its own identity.";
        No::MacOnLan = No::MacOnLan => "A machine on the LAN has that address.", "Another --virtual-mac.";
        No::NotAuthorised = No::NotAuthorised => "The room is for invited people, and you came without an invite.", "Ask the host for one.";
        No::CodeClaimed = No::CodeClaimed => "Host: others have a closed room of this code.", "Another --room, or make invites.";
        No::NoAccess = No::NoAccess => "Host: the relay is its operator's own.", "Ask the operator for the token.";
        No::NotHost = No::NotHost => "A gateway was started with a guest's invite, or is too old.", "Play with the client; the host starts the gateway with its key folder.";
        No::NotOpened = No::NotOpened => "On this relay a host opens the room first.", "Wait for the host.";
        No::Locked = No::Locked => "The host takes nobody new in.", "Ask the host: `lanparty-gateway ctl unlock`.";
        No::Banned = No::Banned => "The host has banned you, by key or MAC.", "Ask the host.";
        No::RateLimited = No::RateLimited => "Too many attempts from your address, perhaps by others behind the same router.", "Wait a minute.";
        No::Draining = No::Draining => "The operator updates the relay.", "Wait; it is tried again.";
        No::Other = No::Other => "The relay is newer than this program.", "Update this program.";
    });
    Chapter::new("refusals").with(refusals).check();
}

#[test]
fn the_page_explains_what_does_not_cross() {
    use NoticeKind as Kind;
    let player = told!(ToPlayer {
        ToPlayer(Kind::AddressTaken) = ToPlayer(Kind::AddressTaken) => "Two have one address; the first one keeps it.", "Take one by DHCP, or a free one.";
        ToPlayer(Kind::LeaseWithheld) = ToPlayer(Kind::LeaseWithheld) => "The DHCP server does not know of an address that somebody set by hand.", "The host moves the range.";
        ToPlayer(Kind::Muted) = ToPlayer(Kind::Muted) => "The host did that.", "Ask the host.";
        ToPlayer(Kind::Isolated) = ToPlayer(Kind::Isolated) => "The host did that.", "Ask the host.";
        ToPlayer(Kind::MacOnLan) = ToPlayer(Kind::MacOnLan) => "Two have one MAC address.", "Another --virtual-mac.";
        ToPlayer(Kind::GroupRate) = ToPlayer(Kind::GroupRate) => "A program floods the LAN, often a server browser or a broken driver.", "Close it.";
        ToPlayer(Kind::ControlRate) = ToPlayer(Kind::ControlRate) => "A program scans the LAN.", "Close it.";
        ToPlayer(Kind::UnknownRate) = ToPlayer(Kind::UnknownRate) => "A program speaks to machines that have left.", "Close or restart it.";
        ToPlayer(Kind::FrameRate) = ToPlayer(Kind::FrameRate) => "A copy is faster than a player may be on this relay.", "Nothing; it goes on more slowly.";
        ToPlayer(Kind::ByteRate) = ToPlayer(Kind::ByteRate) => "The same, counted in bytes.", "Nothing.";
        ToPlayer(Kind::Draining) = ToPlayer(Kind::Draining) => "The relay's operator has a new version for it, or another reason.", "Nothing.";
        ToPlayer(Kind::Staying) = ToPlayer(Kind::Staying) => "The operator has taken that back.", "Nothing.";
        ToPlayer(Kind::Other) = ToPlayer(Kind::Other) => "The relay is newer than this program.", "Update.";
    });
    let host = told!(ToHost {
        ToHost(Kind::AddressTaken) = ToHost(Kind::AddressTaken) => "A player has set an address by hand that is taken.", "Tell the player a free one.";
        ToHost(Kind::LeaseWithheld) = ToHost(Kind::LeaseWithheld) => "The LAN's DHCP server gives out what somebody has.", "Move its range.";
        ToHost(Kind::Muted) = ToHost(Kind::Muted) => "As you ordered.", "`ctl unmute` ends it.";
        ToHost(Kind::Isolated) = ToHost(Kind::Isolated) => "As you ordered.", "`ctl isolate off` ends it.";
        ToHost(Kind::MacOnLan) = ToHost(Kind::MacOnLan) => "A player's MAC is a machine's on your LAN.", "The player takes another --virtual-mac.";
        ToHost(Kind::GroupRate) = ToHost(Kind::GroupRate) => "A player floods.", "Ask; `ctl mute` if it does not end.";
        ToHost(Kind::ControlRate) = ToHost(Kind::ControlRate) => "A player scans the LAN.", "Ask.";
        ToHost(Kind::UnknownRate) = ToHost(Kind::UnknownRate) => "A player speaks to machines that are not there.", "Nothing, if it ends.";
        ToHost(Kind::FrameRate) = ToHost(Kind::FrameRate) => "A player copies much.", "Nothing; the limits are flags.";
        ToHost(Kind::ByteRate) = ToHost(Kind::ByteRate) => "The same, counted in bytes.", "Nothing.";
        ToHost(Kind::Draining) = ToHost(Kind::Draining) => "The relay's operator has a new version for it, or another reason.", "Whoever is still to come should come after that.";
        ToHost(Kind::Staying) = ToHost(Kind::Staying) => "The operator has taken that back.", "Nothing.";
        ToHost(Kind::Other) = ToHost(Kind::Other) => "The relay is newer than the gateway.", "Update.";
    });
    let leave = told!(LeaveReason {
        LeaveReason::Leaving = LeaveReason::Leaving => "The player ended the program.", "Nothing.";
        LeaveReason::Closed = LeaveReason::Closed => "The program was killed, or ended without a goodbye.", "Nothing.";
        LeaveReason::TimedOut = LeaveReason::TimedOut => "The player's network or machine is gone.", "Nothing; it comes back by itself.";
        LeaveReason::ProtocolError = LeaveReason::ProtocolError => "The player's program does not speak as it should.", "Update both sides.";
        LeaveReason::Kicked = LeaveReason::Kicked => "You, or the operator, sent it out.", "Nothing.";
        LeaveReason::Replaced = LeaveReason::Replaced => "The same player came in over a new link.", "Nothing.";
        LeaveReason::MacOnLan = LeaveReason::MacOnLan => "Its MAC is a machine's on your LAN.", "It takes another --virtual-mac.";
        LeaveReason::Draining = LeaveReason::Draining => "The relay was restarted.", "Nothing; all come back.";
        LeaveReason::Other = LeaveReason::Other => "The relay is newer than the gateway.", "Update.";
    });
    Chapter::new("notices").with(player).check();
    Chapter::new("notices-host").with(host).with(leave).check();
}

#[test]
fn the_page_explains_the_form_of_values() {
    let values = [
        told!(RoomCodeError { RoomCodeError = RoomCodeError => "--room is written wrongly.", "Write it like FRIDAY-LAN."; }),
        told!(NameError { NameError = NameError => "--name is empty or too long.", "A shorter one."; }),
        told!(AccessTokenError { AccessTokenError = AccessTokenError => "The access token was cut off, or has blanks.", "Copy all of it."; }),
        told!(PinError { PinError = PinError => "--pin was cut off.", "Copy all of it from the relay's output."; }),
    ];
    Chapter::new("values").with(values.concat()).check();
}

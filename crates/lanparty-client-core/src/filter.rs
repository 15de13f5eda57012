//! Which frames may cross, seen from a player (spec R28, R29, R61).

use lanparty_ctrl::message::Newcomer;
use lanparty_obs::DropReason;
use lanparty_proto::{EthernetFrame, MacAddr, VirtualMac};
use lanparty_switch::{Speaker, classify};

/// Judges a frame of the player's own machine.
///
/// # Errors
/// Why it may not leave.
pub fn outgoing(frame: &[u8], own: VirtualMac) -> Result<(), DropReason> {
    let frame = sent_by_client(frame, own.addr())?;
    if frame.destination() == own.addr() {
        return Err(DropReason::UnknownDestination);
    }
    Ok(())
}

/// What to do about frames of the player's own machine that die of this, where somebody can do something.
pub fn advice(reason: DropReason) -> Option<&'static str> {
    match reason {
        DropReason::DhcpSpoof => Some(
            "The DHCP client here asks in the name of another MAC than the adapter's, and that is dropped: have it \
             use the adapter's (dhclient.conf: `send dhcp-client-identifier = hardware;`, dhcpcd.conf: `clientid`).",
        ),
        DropReason::ArpSpoof => Some(
            "Something on this machine claims an address for another MAC than the adapter's, and that is dropped: \
             take the adapter out of bridges, and end programs that answer for other machines (proxy ARP).",
        ),
        DropReason::UnauthorizedSourceMac => Some(
            "Something on this machine sends from another MAC than the adapter's, and that is dropped: take the \
             adapter out of bridges, and leave its MAC as it is.",
        ),
        DropReason::DhcpServerReply | DropReason::Dhcpv6ServerReply => Some(
            "Something on this machine gives out addresses on the adapter, and that is dropped: turn off its DHCP \
             server, or the sharing of its internet connection.",
        ),
        _ => None,
    }
}

/// Judges a frame that the relay passed on from `sender`.
///
/// # Errors
/// Why it may not reach the player's adapter.
pub fn incoming(frame: &[u8], sender: Newcomer, own: VirtualMac) -> Result<(), DropReason> {
    let frame = match sender {
        Newcomer::Client(mac) => sent_by_client(frame, mac.addr())?,
        Newcomer::Gateway => classify(frame, Speaker::Lan)?,
    };
    if frame.source() == own.addr() {
        return Err(DropReason::UnauthorizedSourceMac);
    }
    if frame.destination() != own.addr() && !frame.destination().is_group() {
        return Err(DropReason::UnknownDestination);
    }
    Ok(())
}

/// A client has one MAC; a source that nobody can have is named first (spec R28).
fn sent_by_client(bytes: &[u8], mac: MacAddr) -> Result<EthernetFrame<'_>, DropReason> {
    let frame = EthernetFrame::parse(bytes).map_err(|_| DropReason::Runt)?;
    if frame.source().is_valid_source() && frame.source() != mac {
        return Err(DropReason::UnauthorizedSourceMac);
    }
    classify(bytes, Speaker::Player(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const LAN_HOST: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];

    #[test]
    fn a_player_speaks_with_its_own_mac_only() {
        assert_eq!(send(LAN_HOST, OWN), Ok(()));
        assert_eq!(
            send(LAN_HOST, OTHER),
            Err(DropReason::UnauthorizedSourceMac)
        );
        assert_eq!(send(LAN_HOST, [0; 6]), Err(DropReason::InvalidSourceMac));
        assert_eq!(send(LAN_HOST, [0xff; 6]), Err(DropReason::InvalidSourceMac));
        assert_eq!(send(OWN, OWN), Err(DropReason::UnknownDestination));
    }

    #[test]
    fn a_player_hears_what_is_for_it_and_for_all() {
        let lan = Newcomer::Gateway;
        assert_eq!(receive(lan, OWN, LAN_HOST), Ok(()));
        assert_eq!(receive(lan, [0xff; 6], LAN_HOST), Ok(()));
        assert_eq!(receive(lan, [1, 0, 0x5e, 0, 0, 0xfb], LAN_HOST), Ok(()));
        assert_eq!(
            receive(lan, OTHER, LAN_HOST),
            Err(DropReason::UnknownDestination)
        );
    }

    #[test]
    fn other_players_speak_with_their_announced_mac_only() {
        let other = Newcomer::Client(virtual_mac(OTHER));
        assert_eq!(receive(other, OWN, OTHER), Ok(()));
        assert_eq!(
            receive(other, OWN, LAN_HOST),
            Err(DropReason::UnauthorizedSourceMac)
        );
        assert_eq!(
            receive(other, OWN, [0; 6]),
            Err(DropReason::InvalidSourceMac)
        );
    }

    #[test]
    fn nobody_else_speaks_with_the_players_mac() {
        let heard = receive(Newcomer::Gateway, [0xff; 6], OWN);
        assert_eq!(heard, Err(DropReason::UnauthorizedSourceMac));
    }

    #[test]
    fn only_the_lan_may_serve_dhcp() {
        let reply = dhcp_reply(OTHER);
        let other = Newcomer::Client(virtual_mac(OTHER));
        assert_eq!(
            incoming(&reply, Newcomer::Gateway, virtual_mac(OWN)),
            Ok(())
        );
        let forbidden = Err(DropReason::DhcpServerReply);
        assert_eq!(incoming(&reply, other, virtual_mac(OWN)), forbidden);
        assert_eq!(outgoing(&reply, virtual_mac(OTHER)), forbidden);
    }

    fn send(destination: [u8; 6], source: [u8; 6]) -> Result<(), DropReason> {
        outgoing(&ipx(destination, source), virtual_mac(OWN))
    }

    fn receive(from: Newcomer, to: [u8; 6], source: [u8; 6]) -> Result<(), DropReason> {
        incoming(&ipx(to, source), from, virtual_mac(OWN))
    }

    fn virtual_mac(octets: [u8; 6]) -> VirtualMac {
        MacAddr::new(octets).try_into().unwrap()
    }

    fn ipx(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
        let mut frame = [destination, source].concat();
        frame.extend([0x81, 0x37]);
        frame.resize(60, 0);
        frame
    }

    fn dhcp_reply(source: [u8; 6]) -> Vec<u8> {
        let mut frame = [[0xff; 6], source].concat();
        frame.extend([0x08, 0x00]);
        frame.extend([
            0x45, 0, 0, 48, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255,
        ]);
        frame.extend([0, 67, 0, 68, 0, 28, 0, 0, 2]);
        frame.resize(62, 0);
        frame
    }
}

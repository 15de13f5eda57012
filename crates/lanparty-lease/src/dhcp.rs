//! DHCP for IPv4, from a server to a client (RFC 2131, RFC 2132).

use crate::Refused;
use lanparty_proto::dhcp_options::{OVERLOAD, Options, PAD, Piece};
use std::ops::RangeInclusive;

const MASK: u8 = 1;
/// The fields that may have options besides the usual place: `file`, `sname`, both.
const OVERLOADS: RangeInclusive<u8> = 1..=3;

/// Edits a message; one without options, as BOOTP's may be, has nothing in it.
pub(crate) fn edit(message: &mut [u8]) -> Result<(), Refused> {
    let pieces = Options::of(message).pieces().collect::<Option<Vec<_>>>();
    let pieces = pieces.ok_or(Refused::Broken)?;
    check_overload(&pieces, message)?;
    widen_no_further(&pieces, message)?;
    for piece in pieces {
        if is_taken(piece.kind) {
            message[piece.whole].fill(PAD);
        }
    }
    Ok(())
}

/// Where it stands twice, in a field, or says what it cannot, clients differ in where else they look.
fn check_overload(pieces: &[Piece], message: &[u8]) -> Result<(), Refused> {
    let mut overloads = pieces.iter().filter(|piece| piece.kind == OVERLOAD);
    match (overloads.next(), overloads.next()) {
        (None, _) => Ok(()),
        (Some(piece), None) if piece.area == 0 => match message[piece.value()] {
            [fields] if OVERLOADS.contains(&fields) => Ok(()),
            _ => Err(Refused::Broken),
        },
        _ => Err(Refused::Broken),
    }
}

/// A LAN as wide as the internet is the internet to a host. The widest that anybody has is 10.0.0.0/8.
fn widen_no_further(pieces: &[Piece], message: &mut [u8]) -> Result<(), Refused> {
    let mut masks = pieces.iter().filter(|piece| piece.kind == MASK);
    let (Some(mask), rest) = (masks.next(), masks.next()) else {
        return Ok(());
    };
    match (&mut message[mask.value()], rest) {
        (mask @ [_, _, _, _], None) => {
            if mask[0] != 0xff {
                mask.copy_from_slice(&[0xff, 0, 0, 0]);
            }
            Ok(())
        }
        _ => Err(Refused::Broken),
    }
}

/// Whether a player's machine is better off without an option (IANA BOOTP and DHCP parameters). It is when the option
/// sends anything but the LAN's own traffic into the LAN, or sets what belongs to the whole machine.
///
/// Left: the address and its times (1, 28, 50 to 61, 80, 116, 118), who asks and who answers (12, 13, 77, 81, 82, 90
/// to 94, 97, 124, 145, 151 to 157, 220, 221), what only a machine reads that boots from the net (13, 14, 16, 17, 66,
/// 67, 128 to 135, 150, 208 to 211), what sets the adapter's own frames (34 to 36), where something stands (99, 123,
/// 144), what shares and prints on the LAN itself (9 to 11, 47 to 49, 62, 63, 78, 79, 83, 138), and numbers without a
/// meaning for all.
pub(crate) fn is_taken(kind: u8) -> bool {
    matches!(
        kind,
        2           // time offset
        | 3         // routers
        | 4         // time servers
        | 5         // name servers of old (IEN 116)
        | 6         // DNS servers
        | 7         // log servers: the player's logs
        | 8         // quotes of the day
        | 15        // domain
        | 18        // a file with more options
        | 19..=25   // IP, for the whole machine: forwarding, source routing, TTL, path MTU
        | 26        // the adapter's MTU: the room has its own
        | 27        // all subnets have that MTU
        | 29 | 30   // ask others for the mask, and answer them
        | 31 | 32   // ask for routers (RFC 1256)
        | 33        // static routes
        | 37..=39   // TCP, for the whole machine: TTL, keep-alives
        | 40 | 41   // NIS: whose accounts these are
        | 42        // NTP
        | 43        // a maker's own: nobody else can tell what it does
        | 44..=46   // WINS: names of all kinds, WPAD among them; without it NetBIOS asks everybody, as on any LAN
        | 64 | 65   // NIS+
        | 68        // mobile IP's home agents: all traffic
        | 69..=76   // mail, news, pages, chat
        | 85..=87   // NetWare's directory: whose accounts these are
        | 88 | 89   // broadcast of mobile networks
        | 95        // LDAP
        | 98        // user authentication
        | 100 | 101 // time zone
        | 108       // IPv6 alone is preferred: would switch IPv4 off (RFC 8925)
        | 109       // IPv4 in DHCPv6's tunnels
        | 112 | 113 // NetInfo
        | 114       // captive portal (RFC 8910)
        | 117       // in which order names are looked up
        | 119       // domains to search
        | 120       // SIP: calls
        | 121       // classless routes (RFC 3442)
        | 122       // a cable modem's telephony
        | 125       // a maker's own
        | 136       // PANA: authentication
        | 137       // LoST: emergency calls
        | 139 | 140 // mobility services
        | 141       // SIP
        | 142       // which network to prefer
        | 143       // who sets the machine up (RFC 8572)
        | 146       // which DNS server for what (RFC 6731)
        | 147 | 148 // DOTS
        | 158       // port control (RFC 7291): who opens ports to the internet
        | 159       // a share of the ports (RFC 7618)
        | 160       // captive portal of old (RFC 7710)
        | 162       // encrypted DNS (RFC 9463)
        | 212       // IPv6 through the LAN (6rd, RFC 5969)
        | 213       // the access network's domain
        | 249       // classless routes, Microsoft's number
        | 252 // WPAD: the proxy
    )
}

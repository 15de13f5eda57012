//! What stands behind UDP's header: the mark, in words that suit the port.
//!
//! On mDNS' and SSDP's ports the mark stands in a question for what nobody has, so that whoever listens there reads a
//! well-formed one and has nothing to say.

use crate::mark::{MARK_LEN, Mark};
use crate::style::{MDNS_PORT, SSDP_PORT, Style};

/// How long the one in pieces is.
pub const PIECES_LEN: usize = 8192;

const HEX_LEN: usize = 2 * MARK_LEN;
/// A question (RFC 1035 §4.1) with one name, whose first label is the mark.
const DNS: [u8; 13] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, HEX_LEN as u8];
/// The rest of the name, and what is asked: PTR, IN.
const DNS_END: &[u8] = b"\x0e_softlan-proof\x04_udp\x05local\x00\x00\x0c\x00\x01";
const SSDP_BEGIN: &[u8] =
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: urn:softlan-vpn:proof:";
const SSDP_END: &[u8] = b"\r\n\r\n";

/// The content that says this in the style of the mark; `len` is how long it is at least where that is free.
pub fn write(mark: &Mark, len: usize) -> Vec<u8> {
    let bytes = mark.encode();
    match mark.style.port() {
        MDNS_PORT => [&DNS, hex(&bytes).as_slice(), DNS_END].concat(),
        SSDP_PORT => [SSDP_BEGIN, &hex(&bytes), SSDP_END].concat(),
        // Said again to the end, so that each piece shows it.
        _ => bytes
            .iter()
            .copied()
            .cycle()
            .take(len.max(MARK_LEN))
            .collect(),
    }
}

/// The same for a tally, which is the same on every port.
pub fn tally(mark: &Mark) -> Vec<u8> {
    mark.encode().to_vec()
}

/// The mark in a datagram between these ports, if there is one.
pub fn read((from, to): (u16, u16), content: &[u8]) -> Option<Mark> {
    let plain = || Mark::decode(content);
    let hidden = |begin: &[u8], style: fn(Style) -> bool| {
        let mark = Mark::decode(&unhex(content.strip_prefix(begin)?.first_chunk()?)?)?;
        style(mark.style).then_some(mark)
    };
    let is_at = |port| from == port || to == port;
    if is_at(MDNS_PORT) {
        hidden(&DNS, |style| style.port() == MDNS_PORT).or_else(plain)
    } else if is_at(SSDP_PORT) {
        hidden(SSDP_BEGIN, |style| style.port() == SSDP_PORT).or_else(plain)
    } else {
        plain()
    }
}

/// The mark near the beginning of a piece that is not the first: it is said again and again, at multiples of eight.
pub(crate) fn read_piece(piece: &[u8]) -> Option<Mark> {
    let starts = [0, 8, 16].into_iter().filter_map(|at| piece.get(at..));
    let mut marks = starts.filter_map(Mark::decode);
    marks.next().filter(|mark| mark.style == Style::Pieces)
}

fn hex(bytes: &[u8; MARK_LEN]) -> [u8; HEX_LEN] {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
    std::array::from_fn(|at| {
        let byte = bytes[at / 2];
        digit(if at % 2 == 0 { byte >> 4 } else { byte & 0x0f })
    })
}

fn unhex(digits: &[u8; HEX_LEN]) -> Option<[u8; MARK_LEN]> {
    let mut bytes = [0; MARK_LEN];
    for (at, &digit) in digits.iter().enumerate() {
        let value = (digit as char).to_digit(16)?;
        bytes[at / 2] = bytes[at / 2] << 4 | value as u8;
    }
    Some(bytes)
}

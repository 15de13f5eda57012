//! What systems say by themselves, to find each other.

/// NetBIOS names and datagrams (RFC 1002), SSDP, WS-Discovery, mDNS (RFC 6762), LLMNR (RFC 4795).
const PORTS: [u16; 6] = [137, 138, 1900, 3702, 5353, 5355];

/// True between these UDP ports.
pub(crate) fn is_chatter((_, to): (u16, u16)) -> bool {
    PORTS.contains(&to)
}

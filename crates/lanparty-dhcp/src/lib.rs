//! An address on the LAN for a player's adapter (spec R131): from the LAN's DHCP server (RFC 2131), or, where there is
//! none, one that the adapter gives itself (RFC 3927), after looking whether somebody has it (RFC 5227).

//! A lease that is only for games (spec R130): what the LAN's DHCP servers and routers tell a player's machine loses
//! all that would send the player's own internet through the party.

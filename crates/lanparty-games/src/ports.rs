//! Ports at which games play, whether they announce themselves or not: those of the tables in docs/games.md.

use lanparty_proto::ip::UDP;

/// IP's number of TCP, as all of these.
const TCP: u8 = lanparty_proto::ip::TCP;

/// The protocol, the first port and the last.
const PORTS: &[(u8, u16, u16)] = &[
    (UDP, 2302, 2400),   // DirectPlay 8
    (UDP, 6073, 6073),   // and where it is asked
    (TCP, 2300, 2400),   // DirectPlay before 8
    (UDP, 2300, 2301),   //
    (TCP, 47624, 47624), // and where it is asked
    (UDP, 47624, 47624), //
    (UDP, 2342, 2345),   // Chocolate Doom and kin
    (UDP, 2456, 2458),   // Valheim
    (TCP, 2100, 2100),   // Warzone 2100
    (UDP, 2757, 2759),   // SuperTuxKart
    (TCP, 3979, 3979),   // OpenTTD
    (UDP, 3979, 3979),   //
    (UDP, 4445, 4445),   // Minecraft's announcements
    (UDP, 4534, 4540),   // Armagetron Advanced
    (UDP, 4555, 4556),   // Freeciv's look
    (TCP, 5556, 5556),   // and Freeciv
    (TCP, 5154, 5154),   // BZFlag
    (UDP, 5154, 5154),   //
    (TCP, 6111, 6119),   // Warcraft III, StarCraft
    (UDP, 6111, 6119),   //
    (TCP, 7394, 7396),   // Widelands
    (UDP, 7394, 7395),   //
    (TCP, 7777, 7777),   // Terraria
    (UDP, 7777, 7788),   // Unreal's engine: Unreal Tournament, Deus Ex and others, ARK
    (UDP, 8086, 8088),   // Generals, Zero Hour
    (UDP, 8303, 8310),   // Teeworlds, DDNet
    (UDP, 10999, 10999), // Don't Starve Together
    (UDP, 14567, 14567), // Battlefield 1942
    (UDP, 23000, 23009), // and where it is asked
    (UDP, 19132, 19133), // Minecraft Bedrock
    (UDP, 24642, 24642), // Stardew Valley
    (TCP, 25565, 25565), // Minecraft Java
    (UDP, 25565, 25565), //
    (UDP, 26000, 26010), // Quake, Xonotic, DarkPlaces
    (TCP, 27015, 27016), // Source's console, which games ask by
    (UDP, 27005, 27030), // A2S: Half-Life, Counter-Strike and others of Steam's
    (UDP, 27500, 27510), // QuakeWorld
    (UDP, 27650, 27675), // Doom 3, Quake 4, Prey
    (UDP, 27901, 27920), // Quake II
    (UDP, 27950, 27970), // Quake III and kin
    (UDP, 28000, 28005), // Tribes
    (UDP, 28784, 28787), // Cube 2
    (UDP, 28960, 28970), // Call of Duty
    (UDP, 30000, 30000), // Luanti
    (UDP, 34197, 34197), // Factorio
    (TCP, 1234, 1234),   // OpenRA
    (UDP, 35891, 35891), // and its look
    (TCP, 46631, 46631), // Hedgewars
    (UDP, 46631, 46631), //
];

/// True for a port at which a game plays, by IP's number of the protocol.
pub fn is_game_port(protocol: u8, port: u16) -> bool {
    let mut ports = PORTS.iter();
    ports.any(|&(own, first, last)| own == protocol && (first..=last).contains(&port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_ports_are_games_and_services_are_none() {
        for port in [27960, 8303, 3979, 27015, 19132, 30000] {
            assert!(is_game_port(UDP, port), "{port}");
        }
        for port in [25565, 7777, 6112, 3979, 5556] {
            assert!(is_game_port(TCP, port), "{port}");
        }
        for port in [22, 80, 443, 445, 3389, 5000, 5900, 8006, 8080, 8086, 27017] {
            assert!(!is_game_port(TCP, port), "{port}");
        }
        for port in [53, 67, 137, 161, 1900, 5353, 5351] {
            assert!(!is_game_port(UDP, port), "{port}");
        }
    }

    #[test]
    fn rows_are_the_right_way_round_and_above_the_services() {
        assert!(
            PORTS
                .iter()
                .all(|&(_, first, last)| 1024 <= first && first <= last)
        );
    }
}

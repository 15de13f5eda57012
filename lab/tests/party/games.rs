//! Real game servers, found as a game's LAN browser finds them.

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{
    openarena_server, openarena_servers_seen, teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{LAN_BROADCAST, Machine, Party, Venue};

use std::net::IpAddr;

use crate::player;

pub(crate) fn the_player_finds_game_servers_on_the_lan_by_broadcast(party: &Party) -> Result<()> {
    finds(&player(party)?.machine, &party.venue.lan1, Venue::LAN1)
}

pub(crate) fn the_lan_finds_game_servers_of_the_player_by_broadcast(party: &Party) -> Result<()> {
    let player = player(party)?;
    finds(&party.venue.lan1, &player.machine, player.address()?)
}

fn finds(seeker: &Machine, host: &Machine, address: IpAddr) -> Result<()> {
    let _openarena = openarena_server(host, "Quaking")?;
    let _teeworlds = teeworlds_server(host, "Teeing")?;
    let seen = openarena_servers_seen(seeker, LAN_BROADCAST)?;
    ensure!(
        seen.contains(&format!("{address}:27960")) && seen.contains("Quaking"),
        "{seen}"
    );
    let seen = teeworlds_servers_seen(seeker, LAN_BROADCAST)?;
    ensure!(
        seen.get(&(address, 8303).into())
            .is_some_and(|name| name == "Teeing"),
        "{seen:?}"
    );
    Ok(())
}

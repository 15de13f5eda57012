//! Thousands of relays beside their reference; `lanparty_sim::seeds` says how to play more, or one.

use lanparty_sim::party::{self, Tally};
use lanparty_sim::seeds::{SEEDS, play_all};

const STEPS: usize = 100;

#[test]
fn the_relay_agrees_with_the_reference_on_every_step_of_every_party() {
    let play = |seed, verbose| party::play(seed, STEPS, verbose);
    let Some((seeds, tally)) = play_all("rooms", play, Tally::add) else {
        return;
    };
    println!("{seeds} parties: {tally:#?}");
    if seeds >= SEEDS {
        everything_happened(&tally);
    }
}

/// The dice are worth something only if they reach every corner.
fn everything_happened(tally: &Tally) {
    for reason in [
        "RoomFull",
        "RelayFull",
        "GatewayPresent",
        "MacInUse",
        "Locked",
        "Banned",
        "MacOnLan",
        "NotAuthorised",
        "NotHost",
        "NoAccess",
        "NotOpened",
        "RateLimited",
        "Draining",
    ] {
        assert!(
            tally.refused.contains_key(reason),
            "nobody was refused for {reason}"
        );
    }
    for reason in [
        "malformed",
        "forged_header",
        "bad_fragment",
        "runt",
        "jumbo",
        "invalid_source_mac",
        "unauthorized_source_mac",
        "unknown_destination",
        "reserved_multicast",
        "eapol",
        "lldp",
        "slow_protocol",
        "mac_sec",
        "pause",
        "cam_refresh",
        "dhcp_server_reply",
        "dhcp_spoof",
        "lease_conflict",
        "router_advertisement",
        "router_protocol",
        "group_query",
        "bridge_protocol",
        "vlan_tagged",
        "arp_spoof",
        "claimed_address",
        "control_rate",
        "broadcast_rate",
        "unknown_unicast_rate",
        "frame_rate",
        "byte_rate",
        "lan_rate",
        "unwanted",
        "link_down",
        "muted",
        "isolated",
    ] {
        assert!(
            tally.dropped.contains_key(reason),
            "nothing was dropped for {reason}"
        );
    }
    assert!(tally.resumed > 0 && tally.expelled > 0 && tally.pending > 0 && tally.probes > 0);
    assert!(tally.kicked > 0 && tally.keyed > 0);
}

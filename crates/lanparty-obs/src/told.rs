//! What docs/errors.md says about a player's status.

use crate::{NoAddress, NotDirect, PlayerStatus};
use lanparty_told::{Chapter, Told, told};

fn relay() -> String {
    "relay.example.net:443".into()
}

fn room() -> String {
    "FRIDAY".into()
}

#[test]
fn the_page_explains_every_status() {
    let address = "192.168.50.17".parse().unwrap();
    let statuses = told!(PlayerStatus {
        PlayerStatus::Connecting { .. } = PlayerStatus::Connecting { relay: relay() }
            => "The program looks for the relay and knocks.", "Wait a second.";
        PlayerStatus::LookingUp { .. } = PlayerStatus::LookingUp { relay: relay() }
            => "The name server has not answered for 0.7 seconds.", "Wait; if it goes on, look at your network, or ask for an invite with an address.";
        PlayerStatus::NotReachable { .. } = PlayerStatus::NotReachable {
            relay: relay(),
            cause: "it does not answer; check the address and port, and whether UDP gets through".into(),
        } => "There is no link to the relay; the cause stands behind the colon, and below under “Why there is no link”.",
            "What the cause says. The program goes on trying.";
        PlayerStatus::LookingForParty { .. } = PlayerStatus::LookingForParty { relays: 3 }
            => "The invite names several relays; all are asked at once where the party is.", "Wait a second.";
        PlayerStatus::LookingElsewhere { .. } = PlayerStatus::LookingElsewhere { others: 2 }
            => "The relay is gone, or this machine's way to it; the party goes on at another relay of the invite.", "Nothing: it takes up to seven seconds, and games go on.";
        PlayerStatus::NoRelay { .. } = PlayerStatus::NoRelay {
            cause: "none of the 2 relays of the party answers (a.example:443, b.example:443); see whether the internet works here, and whether UDP gets through".into(),
            refused: false,
        } => "There is no link to any relay of the invite; the cause stands behind the colon, and below under “Why there is no link”.",
            "What the cause says. The program goes on trying.";
        PlayerStatus::Awake = PlayerStatus::Awake
            => "The machine slept, or the program was stopped.", "Nothing; it comes back by itself.";
        PlayerStatus::Refused { .. } = PlayerStatus::Refused {
            relay: relay(),
            cause: "the room is full; ask the host to make room".into(),
        } => "The relay is there and says no; why stands behind the colon, and below under “What the relay refuses”.",
            "What the cause says. The program goes on trying.";
        PlayerStatus::AdapterAway = PlayerStatus::AdapterAway
            => "Windows: somebody disabled the TAP adapter, or its driver restarts.", "Enable it in the network connections.";
        PlayerStatus::WaitingForGateway { .. } = PlayerStatus::WaitingForGateway { room: room() }
            => "You are in the room, and the host's gateway is not.", "Wait, or ask the host to start it.";
        PlayerStatus::SilentGateway { .. } = PlayerStatus::SilentGateway { room: room() }
            => "The host's gateway is in the room and says nothing: its machine may have lost its power.", "Ask the host to look at it.";
        PlayerStatus::LookingBeside { .. } = PlayerStatus::LookingBeside { room: room(), others: 2, is_silent: false }
            => "The host's gateway is not at this relay, or says nothing; the party may have gone to another relay of the invite.", "Nothing: where it is, you are within seconds. If it is nowhere, ask the host to start it.";
        PlayerStatus::StrangeGateway { .. } = PlayerStatus::StrangeGateway { room: room() }
            => "Somebody else's gateway is in the room. Nothing that it says reaches your machine.", "Ask the host; do not join another way.";
        PlayerStatus::Hindered { .. } = PlayerStatus::Hindered {
            notice: "The host has muted you: what you say to everybody is dropped, so your games are not found; ask the host.".into(),
        } => "You are on the LAN, and something of your own does not cross; below under “What does not cross”.", "What the sentence says.";
        PlayerStatus::NoLanAddress = PlayerStatus::NoLanAddress
            => "The cable is in, so to say; your machine asks for an address.", "Wait up to ten seconds.";
        PlayerStatus::SelfAssigned { .. } = PlayerStatus::SelfAssigned {
            address: "169.254.7.7".parse().unwrap(),
        } => "No DHCP server answers, or what it gives cannot be used, so the adapter has looked for a free address itself. It is asked for another one all the time; whose address is of the LAN's own kind may not be reached until then.", "Play with others who have such an address; or ask the host for a DHCP server, or for an address to set with --address.";
        PlayerStatus::AddressMissing(NoAddress::NotGiven) = PlayerStatus::AddressMissing(NoAddress::NotGiven)
            => "For fifteen seconds no DHCP server has answered, or what it gave was somebody's, or nothing that a machine can use.", "Ask the host, or choose a free address with --address.";
        PlayerStatus::AddressMissing(NoAddress::NotAsked) = PlayerStatus::AddressMissing(NoAddress::NotAsked)
            => "The program was started with --no-dhcp, and nothing else has given the adapter an address for fifteen seconds.", "Start it without, or with --address.";
        PlayerStatus::AdapterDown { .. } = PlayerStatus::AdapterDown { adapter: "lanparty0".into() }
            => "Another program, or a person, has set the adapter down.", "Set it up, or start the client again.";
        PlayerStatus::OnTheLan { broadcast: false, .. } = PlayerStatus::OnTheLan { address, broadcast: false }
            => "All is well. Nobody on the LAN has spoken to everybody for three minutes.", "Play.";
        PlayerStatus::OnTheLan { broadcast: true, .. } = PlayerStatus::OnTheLan { address, broadcast: true }
            => "All is well, and the LAN's games find you.", "Play.";
    });
    // Part of the status; explained there.
    let _ = told!(NoAddress {} elsewhere NoAddress::NotGiven, NoAddress::NotAsked);
    Chapter::new("status").with(statuses).check();
}

#[test]
fn the_page_explains_why_a_way_is_not_direct() {
    let all = || NotDirect::ALL.into_iter().chain([NotDirect::Other]);
    let told = |sentence: fn(NotDirect) -> String| -> Vec<_> {
        let told = all().map(|why| {
            let (means, remedy) = explained(why);
            Told {
                sentence: sentence(why),
                means,
                remedy,
            }
        });
        told.collect()
    };
    Chapter::new("not-direct")
        .with(told(|why| why.to_player().sentence))
        .check();
    Chapter::new("not-direct-host")
        .with(told(|why| why.to_host().sentence))
        .check();
}

fn explained(why: NotDirect) -> (&'static str, &'static str) {
    match why {
        NotDirect::NotYet => (
            "The relay has not introduced the two yet.",
            "Wait a second.",
        ),
        NotDirect::Meeting => (
            "Both knock at each other's routers; that takes a second or two.",
            "Wait.",
        ),
        NotDirect::PlayerNat | NotDirect::HostNat | NotDirect::BothNats => (
            "Such a router shows the relay one port and everybody else another, so nobody can be told where to knock. Usual in \
             mobile networks, offices and behind a provider's NAT.",
            "`doctor` says which kind a router is; IPv6 or UPnP on the host's side is enough.",
        ),
        NotDirect::Blocked => (
            "Packets to the relay come through, those to its second address and to the other side do not.",
            "Look at the firewall of machine, router and network.",
        ),
        NotDirect::HostOff => (
            "The gateway runs with `--no-door`.",
            "The host leaves that out.",
        ),
        NotDirect::PlayerOff => (
            "The client runs with `--relay-only`, or the player has told the service `direct off`.",
            "The player leaves that out, or says `direct on` and joins again.",
        ),
        NotDirect::OpenRoom => (
            "Who sends packets straight shows an internet address, and in an open room anybody may be at the other end.",
            "The host gives the room a key, and guests an invite.",
        ),
        NotDirect::RelayRefuses => (
            "The relay's operator does not let it introduce anybody.",
            "Ask the operator, or use another relay.",
        ),
        NotDirect::OldRelay | NotDirect::OldGateway | NotDirect::OldPlayer => (
            "That program has no direct paths.",
            "Update it; until then all works as before.",
        ),
        NotDirect::OverTcp | NotDirect::HostOverTcp => (
            "There a network or firewall lets no UDP through, and direct paths are UDP.",
            "Another network, or a rule that allows UDP.",
        ),
        NotDirect::NoAnswer => (
            "Both have knocked, and neither has heard the other.",
            "`doctor` looks at your side; play on, it is tried again.",
        ),
        NotDirect::Unproven => (
            "The other end does not have the room's key, or not the secret of this meeting, or is not the host's gateway.",
            "Play on by the relay, and tell the host.",
        ),
        NotDirect::Narrow => (
            "Full packets get lost there, as in some tunnels and mobile networks.",
            "Nothing; it is tried again.",
        ),
        NotDirect::Slower => (
            "The internet's shortest way is not always the one with fewest machines.",
            "Nothing.",
        ),
        NotDirect::BrokenOff => (
            "Nothing has come back for a third of a second; no connection breaks of that.",
            "Nothing. It is taken again after 10 s, and later each time that it breaks.",
        ),
        NotDirect::Other => ("The other programs are newer.", "Update this one."),
    }
}

//! Players with the MAC of a machine on the LAN (spec R102).

use super::*;
use crate::testing::client;
use lanparty_proto::VirtualMac;

const LAPTOP: u8 = 9;

/// What the host was told of them since the last look.
fn told(relay: &mut Relay) -> Vec<(u8, Notice)> {
    relay.registry.poll_notices(relay.now)
}

fn of_laptop() -> Notice {
    Notice {
        mac: client(LAPTOP).mac(),
        ..Notice::new(NoticeKind::MacOnLan, 0)
    }
}

fn laptop() -> VirtualMac {
    client(LAPTOP).mac().unwrap()
}

#[test]
fn nobody_comes_with_the_mac_of_a_machine_that_was_heard_on_the_lan() {
    let (mut relay, gateway, _) = party();
    let said = frame(MacAddr::BROADCAST, client_mac(LAPTOP), 60);
    assert_eq!(relay.frame(gateway, &said), To(vec![2, 3, 4]));
    for _ in 0..100 {
        let refusal = relay.admit(LAPTOP, "lanparty", client(LAPTOP)).unwrap_err();
        assert_eq!(refusal, RejectReason::MacOnLan);
    }
    assert_eq!(told(&mut relay), [(1, of_laptop())], "one line is enough");
    let elsewhere = relay.admit(LAPTOP, "elsewhere", client(LAPTOP));
    assert!(elsewhere.is_ok(), "another room, another LAN");
    // Its owner takes it home.
    relay.advance(Duration::from_secs(400));
    relay.client(LAPTOP);
    assert_eq!(told(&mut relay), []);
}

#[test]
fn a_machine_that_is_heard_after_the_player_has_its_mac_back() {
    let (mut relay, gateway, [two, ..]) = party();
    let order = |relay: &mut Relay, mac| {
        let order = HostOrder::OnLan { mac };
        let obeyed = relay.registry.handle_order(relay.now, gateway, order);
        obeyed.unwrap().kicked
    };
    assert!(order(&mut relay, laptop()).is_empty(), "nobody here has it");
    let [out] = &order(&mut relay, client(2).mac().unwrap())[..] else {
        panic!("the player is out");
    };
    assert_eq!((out.peer, out.reason), (two.peer, LeaveReason::MacOnLan));
    let [(1, notice)] = &told(&mut relay)[..] else {
        panic!("the host is told");
    };
    assert_eq!(notice.mac, client(2).mac());
    for number in [2, LAPTOP] {
        let refusal = relay.admit(number, "lanparty", client(number)).unwrap_err();
        assert_eq!(refusal, RejectReason::MacOnLan);
    }
    // What the machine says passes now.
    let said = frame(MacAddr::BROADCAST, client_mac(2), 60);
    assert_eq!(relay.frame(gateway, &said), To(vec![3, 4]));
}

#[test]
fn machines_that_spoke_by_direct_paths_are_known_when_players_come_back_from_there() {
    let (mut relay, gateway, [two, ..]) = party();
    let server = MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);
    let game = frame(server, client_mac(2), 60);
    let passed = |relay: &mut Relay| {
        let frames = (0..100).filter(|_| matches!(relay.frame(two, &game), To(_)));
        frames.count()
    };
    assert_eq!(passed(&mut relay), 64, "on the chance that it is there");
    let macs = vec![server, client_mac(3), MacAddr::BROADCAST, MacAddr::ZERO];
    let order = HostOrder::Known { macs };
    let obeyed = relay.registry.handle_order(relay.now, gateway, order);
    assert!(obeyed.unwrap().kicked.is_empty(), "nobody has to leave");
    assert_eq!(passed(&mut relay), 100);
    // A member's MAC is a member's still.
    let to_member = frame(client_mac(3), client_mac(2), 60);
    assert_eq!(relay.frame(two, &to_member), To(vec![3]));
}

#[test]
fn who_takes_its_place_back_has_had_its_mac_first() {
    let (mut relay, gateway, [two, ..]) = party();
    // A relay that was told so by a gateway of before.
    relay.leave(gateway);
    let gateway = relay.gateway(1);
    let said = frame(MacAddr::BROADCAST, client_mac(2), 60);
    let refused = Dropped(DropReason::UnauthorizedSourceMac);
    assert_eq!(relay.frame(gateway, &said), refused);
    relay.token = Some(ResumeToken::from_random([2; 16]));
    let back = relay.admit(2, "lanparty", client(2)).unwrap();
    assert_ne!(back.place, two);
}

#[test]
fn whoever_tries_every_mac_costs_the_host_a_few_lines() {
    let (mut relay, gateway, _) = party();
    for number in 10..60 {
        let said = frame(MacAddr::BROADCAST, client_mac(number), 60);
        relay.frame(gateway, &said);
        assert!(relay.admit(number, "lanparty", client(number)).is_err());
    }
    assert_eq!(told(&mut relay).len(), 16);
}

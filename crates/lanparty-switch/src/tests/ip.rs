//! What IP's headers can hide, and does not.

use super::*;
use proptest::prelude::*;

#[test]
fn ipv4_options_hide_nothing() {
    for options in [4, 20, 40] {
        let packet = with_options(&udp_v4(67, 68, &[2]), options);
        assert_client_only("options", IPV4, &packet, DropReason::DhcpServerReply);
        let packet = with_options(&udp_v4(68, 9, &[1]), options);
        assert_eq!(judge(&ethernet(OTHER, IPV4, &packet), CLIENT), Ok(()));
    }
}

#[test]
fn ipv4_authentication_hides_nothing() {
    let dhcp = udp(67, 68, &[2]);
    for headers in [1, 2, 8] {
        let packet = authenticated_v4(headers, 17, &dhcp);
        assert_client_only("DHCP reply", IPV4, &packet, DropReason::DhcpServerReply);
        let packet = authenticated_v4(headers, 17, &udp(9, 9, &[]));
        assert_eq!(judge(&ethernet(OTHER, IPV4, &packet), CLIENT), Ok(()));
    }
    let hidden = DropReason::HiddenUpperHeader;
    let endless = authenticated_v4(9, 17, &dhcp);
    assert_client_only("nine headers", IPV4, &endless, hidden);
    assert_client_only("cut short", IPV4, &v4(51, &[17, 4, 0, 0]), hidden);
}

#[test]
fn ipv6_extension_headers_hide_nothing() {
    for (name, protocol, message, reason) in forbidden_v6() {
        let bare = v6(protocol, &message);
        assert_client_only(name, IPV6, &bare, reason);
        for (chain_name, chain) in chains() {
            let name = format!("{name} behind {chain_name}");
            assert_client_only(&name, IPV6, &extend(&chain, protocol, &message), reason);
        }
    }
}

#[test]
fn ipv4_fragments_must_show_their_upper_header_first() {
    let datagram = &udp_v4(9, 9, &[1, 1, 6, 0, 0, 0, 0, 0])[20..];
    for (name, packet, verdict) in [
        ("first", fragment_v4(0, true, 17, datagram), Ok(())),
        ("later", fragment_v4(185, true, 17, &[0; 64]), Ok(())),
        ("last", fragment_v4(370, false, 17, &[0; 1]), Ok(())),
        ("tiny TCP", fragment_v4(0, true, 6, &[0; 16]), hidden()),
        ("empty", fragment_v4(0, true, 17, &[]), hidden()),
        (
            "of DHCP",
            fragment_v4(0, true, 17, &udp(68, 67, &[1; 240])),
            hidden(),
        ),
        (
            "over the operation",
            fragment_v4(1, false, 17, &[2; 64]),
            hidden(),
        ),
        (
            "over TCP's flags",
            fragment_v4(1, false, 6, &[2; 64]),
            hidden(),
        ),
        (
            "over TCP's checksum",
            fragment_v4(2, false, 6, &[2; 64]),
            hidden(),
        ),
        (
            "just behind TCP",
            fragment_v4(3, false, 6, &[2; 64]),
            Ok(()),
        ),
    ] {
        let frame = ethernet(OTHER, IPV4, &packet);
        assert_eq!(judge(&frame, CLIENT), verdict, "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
}

#[test]
fn ipv6_fragments_must_show_their_whole_header_chain_first() {
    let own = OWN.octets();
    let udp = &udp_v6(9, 9)[40..];
    let first = |rest: &[u8]| fragment_v6(0, true, 17, rest);
    let fragment_then_udp = [&[17, 0, 0, 1, 0, 0, 0, 8], udp].concat();
    let options_then_udp = [&[17, 0, 1, 4, 0, 0, 0, 0], udp].concat();
    for (name, packet, verdict) in [
        ("first", first(udp), Ok(())),
        (
            "first with options",
            fragment_v6(0, true, 60, &options_then_udp),
            Ok(()),
        ),
        ("later", fragment_v6(160, true, 17, &[0; 64]), Ok(())),
        (
            "later of options",
            fragment_v6(160, false, 60, &[0xff; 64]),
            Ok(()),
        ),
        (
            "a later piece of a ping",
            fragment_v6(160, false, 58, &[134; 64]),
            Ok(()),
        ),
        ("atomic", fragment_v6(0, false, 17, udp), Ok(())),
        ("half a UDP header", first(&udp[..4]), hidden()),
        (
            "options without end",
            fragment_v6(0, true, 60, &options_then_udp[..8]),
            hidden(),
        ),
        (
            "half an options header",
            fragment_v6(0, true, 60, &[17, 1, 1, 4]),
            hidden(),
        ),
        ("nothing", first(&[]), hidden()),
        (
            "over the ports",
            fragment_v6(1, false, 17, &[0; 64]),
            hidden(),
        ),
        (
            "a fragment in a fragment",
            fragment_v6(0, true, 44, &fragment_then_udp),
            hidden(),
        ),
        (
            "solicitation",
            fragment_v6(0, false, 58, &neighbour(135, &[1, 1], own)),
            hidden(),
        ),
        (
            "advertisement",
            fragment_v6(0, true, 58, &neighbour(136, &[2, 1], own)),
            hidden(),
        ),
    ] {
        let frame = ethernet(OTHER, IPV6, &packet);
        assert_eq!(judge(&frame, CLIENT), verdict, "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
}

#[test]
fn a_header_chain_has_an_end() {
    let udp = &udp_v6(9, 9)[40..];
    let mut jumbogram = v6(0, &[&[17, 0, 0xc2, 4, 0, 0, 0, 24], udp].concat());
    jumbogram[4..6].fill(0);
    for (name, packet, verdict) in [
        ("eight extensions", extend(&[60; 8], 17, udp), Ok(())),
        ("nine extensions", extend(&[60; 9], 17, udp), hidden()),
        ("eighty extensions", extend(&[60; 80], 17, udp), hidden()),
        (
            "an extension beyond the packet",
            v6(60, &[17, 9, 1, 4, 0, 0, 0, 0]),
            hidden(),
        ),
        ("no room for a length", v6(0, &[17]), hidden()),
        ("a jumbogram", jumbogram, hidden()),
    ] {
        let frame = ethernet(OTHER, IPV6, &packet);
        assert_eq!(judge(&frame, CLIENT), verdict, "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
}

#[test]
fn bytes_behind_a_packet_are_not_its_own() {
    // Padding that looks like BOOTREPLY, and a datagram cut by the length of its packet.
    let mut frame = ethernet(OTHER, IPV4, &udp_v4(68, 67, &[]));
    frame.resize(60, 2);
    assert_eq!(judge(&frame, CLIENT), hidden());
    let mut frame = ethernet(OTHER, IPV4, &udp_v4(9, 9, &[]));
    frame[17] = 27;
    assert_eq!(judge(&frame, CLIENT), hidden());
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..1600)) {
        let _ = judge(&bytes, CLIENT);
        let _ = judge(&bytes, Speaker::Lan);
    }

    #[test]
    fn damaged_packets_do_not_panic_and_the_lan_may_do_all_that_clients_may(
        which in any::<prop::sample::Index>(),
        chain in prop::collection::vec(extension(), 0..11),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0_usize..120,
    ) {
        let messages = forbidden_v6();
        let (_, protocol, message, _) = &messages[which.index(messages.len())];
        let mut frame = ethernet(OTHER, IPV6, &extend(&chain, *protocol, message));
        for (at, value) in damage {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        frame.truncate(frame.len().saturating_sub(cut));
        if judge(&frame, CLIENT).is_ok() {
            prop_assert_eq!(judge(&frame, Speaker::Lan), Ok(()));
        }
    }

    #[test]
    fn no_chain_and_no_cut_brings_a_forbidden_message_through(
        which in any::<prop::sample::Index>(),
        chain in prop::collection::vec(extension(), 0..11),
        cut in 0_usize..120,
    ) {
        let messages = forbidden_v6();
        let (name, protocol, message, _) = &messages[which.index(messages.len())];
        let packet = extend(&chain, *protocol, message);
        let packet = &packet[..packet.len().saturating_sub(cut)];
        prop_assert!(judge(&ethernet(OTHER, IPV6, packet), CLIENT).is_err(), "{}", name);
    }

    #[test]
    fn no_fragmentation_brings_a_forbidden_message_through(
        which in any::<prop::sample::Index>(),
        chain in prop::collection::vec(prop::sample::select(vec![0_u8, 43, 60]), 0..4),
        eighths in 1_usize..30,
    ) {
        let messages = forbidden_v6();
        let (name, protocol, message, _) = &messages[which.index(messages.len())];
        let whole = extend(&chain, *protocol, message);
        let (first_header, rest) = (whole[6], &whole[40..]);
        let cut = (eighths * 8).min(rest.len());
        let first = fragment_v6(0, true, first_header, &rest[..cut]);
        prop_assert!(judge(&ethernet(OTHER, IPV6, &first), CLIENT).is_err(), "{}", name);

        let whole = udp_v4(67, 68, &[2; 100]);
        let cut = 20 + (eighths * 8).min(100);
        let first = fragment_v4(0, true, 17, &whole[20..cut]);
        prop_assert!(judge(&ethernet(OTHER, IPV4, &first), CLIENT).is_err());
    }
}

//! What the machine hears of leases and routers.

use super::*;

const ROUTER: [u8; 6] = [3, 4, 192, 168, 50, 1];

/// A lease with a router in it, without a checksum; its options end or are cut short.
fn lease(ends: bool) -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0];
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 2]);
    message.extend(ROUTER);
    match ends {
        true => message.push(255),
        false => message.extend([6, 8, 192, 168]),
    }
    let len = u16::try_from(8 + message.len()).unwrap();
    let datagram = [
        &[67, 68, len, 0].map(u16::to_be_bytes).concat()[..],
        &message,
    ]
    .concat();
    ipv4(17, &datagram)
}

fn ipv4(protocol: u8, upper: &[u8]) -> Vec<u8> {
    let mut frame = [BROADCAST, LAN_HOST].concat();
    let len = u16::try_from(20 + upper.len()).unwrap().to_be_bytes();
    frame.extend([
        8, 0, 0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0,
    ]);
    frame.extend([192, 168, 50, 1, 255, 255, 255, 255]);
    frame.extend(upper);
    frame
}

fn heard(session: &mut Session, frame: &[u8]) -> Result<Bytes, DropReason> {
    let heard = session.handle_datagram(Instant::now(), datagram(GATEWAY_ID, frame));
    heard.map(Option::unwrap)
}

fn has_router(frame: &[u8]) -> bool {
    frame.windows(6).any(|bytes| bytes == ROUTER)
}

#[test]
fn a_lease_comes_without_its_router_unless_the_player_wants_all_of_it() {
    let frame = lease(true);
    let edited = heard(&mut joined(), &frame).unwrap();
    assert!(has_router(&frame) && !has_router(&edited));
    assert_eq!(edited.len(), frame.len());
    let mut whole = joined().with_full_lease();
    assert_eq!(heard(&mut whole, &frame).unwrap(), frame);
}

#[test]
fn a_lease_is_edited_wherever_it_waited_and_however_it_came() {
    let (now, frame) = (Instant::now(), lease(true));
    let mut session = joined();
    leave(&mut session, GATEWAY_ID);
    for _ in 0..2 {
        // Before its sender is announced.
        let heard = session.handle_datagram(now, datagram(GATEWAY_ID, &frame));
        assert_eq!(heard, Ok(None));
    }
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    let given = std::iter::from_fn(|| session.poll_output());
    let frames = given.filter_map(|output| match output {
        PeerOutput::Frame(frame) => Some(frame),
        _ => None,
    });
    let frames: Vec<_> = frames.collect();
    assert_eq!(frames.len(), 2);
    assert!(!frames.iter().any(|frame| has_router(frame)));
    let mut pieces = [frame.clone(), vec![0; 1400 - frame.len()]].concat();
    pieces.truncate(1400);
    let heard = cut(&pieces, 7).map(|piece| session.handle_datagram(now, piece));
    let whole: Vec<_> = heard.filter_map(Result::unwrap).collect();
    assert_eq!((whole.len(), has_router(&whole[0])), (1, false));
}

#[test]
fn what_cannot_be_edited_is_a_counted_drop() {
    let redirect = ipv4(1, &[5, 1, 0, 0, 192, 168, 50, 66]);
    let mut long_chain = [BROADCAST, LAN_HOST].concat();
    let chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    long_chain.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 72, 60, 255]);
    long_chain.extend([0xfe; 32]);
    long_chain.extend(chain);
    for (frame, reason) in [
        (lease(false), DropReason::BrokenLease),
        (redirect, DropReason::LanRouter),
        (long_chain, DropReason::HiddenUpperHeader),
    ] {
        let mut session = joined();
        assert_eq!(heard(&mut session, &frame), Err(reason));
        assert_eq!(session.counters().drops.of(reason), 1);
        let mut whole = joined().with_full_lease();
        assert_eq!(heard(&mut whole, &frame).unwrap(), frame);
    }
}

//! What a careless host would take from an edited frame: nothing that leads its own traffic into the LAN.

/// Of the options of the promise itself, written down a second time.
const NEVER: [u8; 15] = [
    3, 6, 15, 33, 42, 119, 121, 249, 252, 4, 5, 26, 108, 114, 162,
];
const NEVER_V6: [u16; 6] = [23, 24, 31, 56, 103, 144];
const NEVER_ADVERTISED: [u8; 7] = [5, 24, 25, 31, 37, 38, 144];

/// Reads an untagged frame without options or extension headers, and sums nothing.
pub(super) fn assert_harmless(frame: &[u8]) {
    match frame {
        [_, _, _, _, _, _, _, _, _, _, _, _, 8, 0, 0x45, ..]
            if frame.get(23) == Some(&17) && frame.get(36..38) == Some(&[0, 68]) =>
        {
            assert_harmless_lease(&frame[42..]);
        }
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ..] => match frame.get(20) {
            Some(58) if frame.get(54) == Some(&134) => assert_no_router(&frame[54..]),
            Some(17) if frame.get(56..58) == Some(&[2, 34]) => assert_harmless_v6(&frame[66..]),
            _ => {}
        },
        _ => {}
    }
}

/// The options behind the cookie and in both fields, whether overloaded or not.
fn assert_harmless_lease(message: &[u8]) {
    if message.get(236..240) != Some(&[99, 130, 83, 99]) {
        return;
    }
    let options = walk(&message[240..]);
    let overload = options.iter().find(|(kind, _)| *kind == 52);
    let fields = overload.map_or(0, |(_, value)| value[0]);
    let mut all = options.clone();
    if fields & 1 == 1 {
        all.extend(walk(&message[108..236]));
    }
    if fields & 2 == 2 {
        all.extend(walk(&message[44..108]));
    }
    for (kind, value) in all {
        assert!(!NEVER.contains(&kind), "option {kind}: {value:?}");
        assert!(kind != 1 || value[0] == 255, "mask {value:?}");
    }
}

/// Reads on past what cannot be read, from the next byte.
fn walk(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut options = Vec::new();
    loop {
        match *bytes {
            [] | [255, ..] | [_] => return options,
            [0, ref rest @ ..] => bytes = rest,
            [kind, len, ref rest @ ..] => {
                let len = usize::from(len).min(rest.len());
                options.push((kind, &rest[..len]));
                bytes = &rest[len..];
            }
        }
    }
}

fn assert_no_router(message: &[u8]) {
    assert_eq!(message[6..8], [0, 0], "a router's lifetime");
    assert_eq!(message[5] & 0x18, 0, "a preference");
    let mut rest = &message[16..];
    while let [kind, eighths, ..] = *rest {
        assert!(!NEVER_ADVERTISED.contains(&kind), "option {kind}");
        if kind == 3 && rest[3] & 0x80 != 0 {
            assert!(rest[2] >= 48, "a prefix of {} bits", rest[2]);
        }
        rest = &rest[usize::from(eighths) * 8..];
    }
}

fn assert_harmless_v6(message: &[u8]) {
    let mut rest = &message[4..];
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([k0, k1]);
        assert!(!NEVER_V6.contains(&kind), "option {kind}");
        rest = &after[usize::from(u16::from_be_bytes([l0, l1]))..];
    }
}

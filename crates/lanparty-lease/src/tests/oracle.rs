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
            assert_harmless_lease(frame.get(42..).unwrap_or_default());
        }
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ..] => match frame.get(20) {
            Some(58) if frame.get(54) == Some(&134) => assert_no_router(&frame[54..]),
            Some(17) if frame.get(56..58) == Some(&[2, 34]) => {
                assert_harmless_v6(frame.get(66..).unwrap_or_default());
            }
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
    let fields = overload.map_or(0, |(_, value)| value.first().copied().unwrap_or(0));
    let mut all = options.clone();
    if fields & 1 == 1 {
        all.extend(walk(&message[108..236]));
    }
    if fields & 2 == 2 {
        all.extend(walk(&message[44..108]));
    }
    for (kind, value) in all {
        assert!(!NEVER.contains(&kind), "option {kind}: {value:?}");
        assert!(
            kind != 1 || value.first().is_none_or(|first| *first == 255),
            "mask {value:?}"
        );
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

/// Reads up to the first option that is not whole, as a host does that takes what it can get.
fn assert_no_router(message: &[u8]) {
    let Some((fields, mut rest)) = message.split_at_checked(16) else {
        return;
    };
    assert_eq!(fields[6..8], [0, 0], "a router's lifetime");
    assert_eq!(fields[5] & 0x18, 0, "a preference");
    while let [kind, eighths, ..] = *rest
        && eighths > 0
    {
        let Some((option, after)) = rest.split_at_checked(usize::from(eighths) * 8) else {
            return;
        };
        assert!(!NEVER_ADVERTISED.contains(&kind), "option {kind}");
        if kind == 3 && option[3] & 0x80 != 0 {
            assert!(option[2] >= 48, "a prefix of {} bits", option[2]);
        }
        rest = after;
    }
}

fn assert_harmless_v6(message: &[u8]) {
    let mut rest = message.get(4..).unwrap_or_default();
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([k0, k1]);
        assert!(!NEVER_V6.contains(&kind), "option {kind}");
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        rest = after.get(len..).unwrap_or_default();
    }
}

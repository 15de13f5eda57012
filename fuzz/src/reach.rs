//! What players may reach: the words of a host, and a judge among strangers.

use lanparty_proto::ip::UDP;
use lanparty_proto::{EthernetFrame, MacAddr};
use lanparty_switch::reach::{LanFacts, MAX_ANNOUNCED, MAX_ATTEMPTS, MAX_FLOWS, Policy, Reach};
use std::time::Duration;

const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
const ANNA: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);
/// What one player, and the LAN's table of addresses, may take of memory.
const MOST: usize = MAX_FLOWS + 32 + MAX_ATTEMPTS + MAX_ANNOUNCED + 2 * 1024 + 2 * 16;

/// A line of words, and behind it frames, each behind its length and a byte that says whose it is. What is read as a policy is
/// written so that it is read as the same; everything lets everything pass; whatever is said, memory stays bounded, and
/// who is refused is answered at its own MAC, one for one.
pub fn reach(bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (words, frames) = bytes.split_at(end.unwrap_or(bytes.len()));
    let words = String::from_utf8_lossy(words);
    let policy = match words.parse::<Policy>() {
        Ok(policy) => {
            let written = policy.to_string();
            assert_eq!(written.parse::<Policy>().as_ref(), Ok(&policy), "{written}");
            policy
        }
        Err(bad) => {
            assert!(bad.to_string().contains(';'), "{bad}");
            Policy::Games { also: Vec::new() }
        }
    };
    let mut now = crate::epoch();
    let mut judge = Reach::new(NIC, |protocol, port| protocol == UDP && port == 27_960);
    judge.set_facts(LanFacts {
        own: vec![[192, 168, 50, 5].into()],
        networks: vec![([192, 168, 50, 5].into(), 24)],
        routers: vec![[192, 168, 50, 1].into()],
    });
    judge.set_policy(now, policy.clone());
    let mut frames = frames.get(1..).unwrap_or_default();
    while let [len, whose, rest @ ..] = frames {
        let (frame, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        frames = rest;
        now += Duration::from_millis(u64::from(*whose));
        let Ok(frame) = EthernetFrame::parse(frame) else {
            continue;
        };
        match whose % 4 {
            0 => judge.hear_lan(now, frame),
            1 => judge.hear_to_player(now, ANNA, frame),
            2 => judge.hear_game(now, frame.source(), u16::from(*len)),
            _ => {
                let verdict = judge.judge(now, ANNA, frame);
                assert!(verdict.is_ok() || !policy.is_everything());
                if let Some(answer) = judge.take_answer() {
                    assert!(verdict.is_err());
                    assert_eq!(answer[..6], frame.source().octets());
                    assert!(answer.len() <= frame.bytes().len() + 48);
                }
            }
        }
        assert!(judge.remembered() <= MOST);
    }
}

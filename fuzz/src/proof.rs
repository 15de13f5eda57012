//! Looks whether games' ways lead to the LAN: the gateway's end and the player's.

use lanparty_proof::{Answerer, Asker, Lan, Nonce, Place, Reach, Word, may_be, read};
use lanparty_proto::{IpMtu, MacAddr};
use lanparty_switch::{Speaker, classify};
use std::net::Ipv4Addr;
use std::time::Duration;

const PLAYER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const NIC: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);

/// A stranger's bytes, to both ends; then a stranger's bytes in the place of one frame of a look. The cheap test lets
/// through what the whole one knows. Answers come from the gateway's NIC, are what the LAN may say, and are two for each
/// question at most, neither longer than it and none to all where it was to one; no stranger makes a look end well.
pub fn proof(bytes: &[u8]) {
    let start = crate::epoch();
    if read(bytes).is_some() {
        assert!(may_be(bytes));
    }
    let mut gateway = Answerer::new(NIC, None);
    let answers = gateway
        .hear(start, bytes, Lan::default())
        .map(|heard| heard.answers);
    for answer in answers.iter().flatten() {
        assert_eq!(answer[6..12], NIC.octets());
        assert!(classify(answer, Speaker::Lan).is_ok());
        let said = read(answer).expect("what is ours is known again");
        assert_ne!(said.mark.word, Word::Question);
        assert!(answer.len() <= bytes.len(), "more than was asked");
        assert!(
            answer[0] & 1 == 0 || bytes[0] & 1 == 1,
            "louder than it was asked"
        );
    }
    assert!(
        answers.map_or(0, |answers| answers.len()) <= 2,
        "one frame is not all of the one in pieces"
    );

    let place = Place {
        address: Some((Ipv4Addr::new(10, 0, 0, 2), 8)),
        mtu: IpMtu::MIN,
    };
    let (mut now, mut asker) = (start, Asker::new(PLAYER));
    asker.begin(now, Nonce(*b"a random"), place);
    // Whoever knows the nonce has been asked.
    let knows = bytes.windows(8).any(|window| window == b"a random");
    let verdict = loop {
        let swallowed = asker.hear(now, bytes);
        assert!(!swallowed || knows || hidden(bytes));
        drop(asker.poll(now));
        if let Some(verdict) = asker.take_verdict() {
            break verdict;
        }
        now = asker.poll_timeout().expect("a look has an end");
        assert!(now < start + Duration::from_secs(5));
    };
    let answered = verdict
        .reaches
        .iter()
        .any(|(_, reach)| *reach == Reach::Back);
    assert!(!answered || knows || hidden(bytes));
}

/// In mDNS and SSDP the nonce stands in hexadecimal.
fn hidden(bytes: &[u8]) -> bool {
    let nonce: String = b"a random"
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = bytes.to_ascii_lowercase();
    text.windows(nonce.len())
        .any(|window| window == nonce.as_bytes())
}

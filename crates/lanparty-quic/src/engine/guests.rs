//! From where strangers may come to an endpoint that was made for going out: it listens to those who have been introduced,
//! and for everybody else there is nobody.

use std::net::IpAddr;
use std::time::Instant;

/// How many may be expected at a time. Who is expected when there are more takes the place of the oldest.
const MOST: usize = 256;

/// Those who are expected.
#[derive(Debug, Default)]
pub(super) struct Guests(Vec<Guest>);

/// Handshakes that may come from an address, whatever the port: NATs change those.
#[derive(Debug)]
struct Guest {
    address: IpAddr,
    until: Instant,
    handshakes: u8,
}

impl Guests {
    /// So many handshakes may come from there, until then.
    pub(super) fn expect(&mut self, now: Instant, address: IpAddr, until: Instant, handshakes: u8) {
        self.0.retain(|guest| guest.until > now);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Guest {
            address: address.to_canonical(),
            until,
            handshakes,
        });
    }

    /// Whether packets from there are looked at. A handshake takes several.
    pub(super) fn expects(&self, now: Instant, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut guests = self.0.iter();
        guests.any(|guest| guest.address == address && guest.until > now)
    }

    /// Takes one of the handshakes that may come from there. False when there are none left.
    pub(super) fn enter(&mut self, now: Instant, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut guests = self.0.iter_mut();
        let guest = guests
            .find(|guest| guest.address == address && guest.until > now && guest.handshakes > 0);
        let Some(guest) = guest else {
            return false;
        };
        guest.handshakes -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(10);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_was_introduced_may_come_for_a_while_and_so_often() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        guests.expect(now, ip("203.0.113.7"), now + SOON, 2);
        assert!(!guests.expects(now, ip("203.0.113.8")));
        assert!(guests.expects(now, ip("::ffff:203.0.113.7")));
        let comes = |guests: &mut Guests, at| guests.enter(at, ip("203.0.113.7"));
        assert!(comes(&mut guests, now) && comes(&mut guests, now));
        assert!(!comes(&mut guests, now));
        assert!(
            guests.expects(now, ip("203.0.113.7")),
            "its handshake goes on"
        );
        // Somebody else behind the same NAT.
        guests.expect(now, ip("203.0.113.7"), now + 2 * SOON, 1);
        assert!(comes(&mut guests, now + SOON));
        assert!(!guests.expects(now + 2 * SOON, ip("203.0.113.7")));
    }

    #[test]
    fn there_are_never_too_many() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        for number in 0..1000u32 {
            guests.expect(now, IpAddr::V4(number.into()), now + SOON, 2);
        }
        assert_eq!(guests.0.len(), MOST);
        assert!(guests.expects(now, IpAddr::V4(999.into())));
        assert!(!guests.expects(now, IpAddr::V4(0.into())));
        guests.expect(now + SOON, ip("192.0.2.1"), now + 2 * SOON, 2);
        assert_eq!(guests.0.len(), 1);
    }
}

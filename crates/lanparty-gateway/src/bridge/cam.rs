//! Keeps the LAN's switches informed where the clients are (spec R46).
//!
//! A switch remembers behind which of its ports a MAC was last heard, and forgets it after some
//! minutes (300 s by default, IEEE 802.1Q §8.8.3). A client that only listens would be forgotten, and
//! its frames would then flood the LAN. So each client's MAC speaks now and then, in a frame that no
//! switch carries further, because its destination is the gateway's own NIC, behind the same port:
//!
//! ```text
//!  0           6          12       14                   60
//!  +-----------+-----------+--------+--------------------+
//!  |  the NIC  |the client | 0x88B5 | zeros …            |
//!  +-----------+-----------+--------+--------------------+
//! ```

use bytes::Bytes;
use lanparty_proto::ethernet::{self, MIN_WIRE_LEN, ether_type::LOCAL_EXPERIMENTAL_1};
use lanparty_proto::{MacAddr, PeerId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often each client's MAC is refreshed.
pub const PERIOD: Duration = Duration::from_secs(60);

/// Into how many moments the refreshes of one period are spread.
const SPREAD: u32 = 64;

/// The refreshes to come.
#[derive(Debug)]
pub(super) struct CamRefresh {
    nic: MacAddr,
    due: BTreeMap<(Instant, PeerId), MacAddr>,
}

impl CamRefresh {
    pub(super) fn new(nic: MacAddr) -> Self {
        CamRefresh {
            nic,
            due: BTreeMap::new(),
        }
    }

    /// Adds a client; answers its first refresh, which is due at once.
    pub(super) fn add(&mut self, now: Instant, client: PeerId, mac: MacAddr) -> Bytes {
        // A gateway that joins meets everybody at once: the second refresh comes half a period to a
        // whole one later, so that the rest never comes in a burst.
        let share = u32::from(client.number()) % SPREAD;
        let second = now + PERIOD / 2 + PERIOD / 2 * share / SPREAD;
        self.due.insert((second, client), mac);
        self.frame(mac)
    }

    pub(super) fn remove(&mut self, client: PeerId) {
        self.due.retain(|&(_, id), _| id != client);
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// The next refresh that is due by now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Bytes> {
        let (&(deadline, client), &mac) = self.due.first_key_value()?;
        if deadline > now {
            return None;
        }
        self.due.remove(&(deadline, client));
        // Counted from the deadline, so that the spread stays; but what was missed in a long sleep is
        // not made up for.
        let missed = (now - deadline).as_secs() / PERIOD.as_secs();
        let periods = u32::try_from(missed + 1).unwrap_or(u32::MAX);
        self.due.insert((deadline + PERIOD * periods, client), mac);
        Some(self.frame(mac))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (&(deadline, _), _) = self.due.first_key_value()?;
        Some(deadline)
    }

    fn frame(&self, client: MacAddr) -> Bytes {
        let mut frame = Vec::with_capacity(MIN_WIRE_LEN);
        frame.extend(self.nic.octets());
        frame.extend(client.octets());
        frame.extend(LOCAL_EXPERIMENTAL_1.to_be_bytes());
        debug_assert_eq!(frame.len(), ethernet::HEADER_LEN);
        frame.resize(MIN_WIRE_LEN, 0);
        frame.into()
    }
}

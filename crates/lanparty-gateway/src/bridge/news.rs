//! What the host hears of its LAN: loops, lookalikes, leases, silence.

use super::Bridge;
use lanparty_ctrl::{Notice, NoticeKind};
use lanparty_proto::MacAddr;
use lanparty_switch::{DhcpTalk, Switch};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much talk with DHCP servers is kept between two looks, a second apart: what a whole party says that comes at
/// once. Of more the oldest is forgotten.
const MAX_TALK: usize = 256;

/// Notes what the frame that was just judged was, if it was between a player and a DHCP server.
pub(super) fn note_dhcp(talk: &mut VecDeque<DhcpTalk>, switch: &mut Switch) {
    if let Some(news) = switch.take_dhcp() {
        if talk.len() == MAX_TALK {
            talk.pop_front();
        }
        talk.push_back(news);
    }
}

impl Bridge {
    /// A client that is refused for having the MAC of a machine on the LAN, once for each, if its relay is too old to
    /// say so itself.
    pub fn take_lookalike(&mut self) -> Option<MacAddr> {
        self.lookalikes.pop_front()
    }

    /// The client whose frames come back from the LAN, while they do: nothing goes to groups then.
    pub fn looped(&self) -> Option<MacAddr> {
        self.guard.looped()
    }

    /// The notice to the host about a lease that did not go to the player whom it was for.
    pub fn take_withheld(&mut self) -> Option<Notice> {
        let (mac, address) = self.switch.as_mut()?.take_withheld()?;
        Some(Notice {
            mac: mac.try_into().ok(),
            address: Some(address),
            ..Notice::new(NoticeKind::LeaseWithheld, 1)
        })
    }

    /// What has passed between a player and a DHCP server of the LAN, each once, the oldest first.
    pub fn take_dhcp(&mut self) -> Option<DhcpTalk> {
        self.dhcp.pop_front()
    }

    /// For how long the LAN has said nothing; without it, it has never said anything.
    pub fn lan_silence(&self, now: Instant) -> Option<Duration> {
        let heard_at = self.lan_heard_at?;
        Some(now.saturating_duration_since(heard_at))
    }
}

//! The machine's address on the LAN: asked for, looked after, or somebody else's affair.
//!
//! The cable is in while a gateway is there that the player believes. After each time that it was out the address of
//! before is asked about anew, since the LAN behind it may be another one; until the answer it stays.

use super::Session;
use crate::overlap::Role;
use lanparty_dhcp::{AddressClient, AtHome, Held, Watchman};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Who sees to the machine's address.
#[derive(Debug, Default)]
pub(super) struct Address {
    keeper: Keeper,
    /// True while there is a LAN.
    is_plugged: bool,
}

#[derive(Debug, Default)]
enum Keeper {
    /// Somebody else on the machine.
    #[default]
    Others,
    /// This session.
    Client(Box<AddressClient>),
    /// The player, who has chosen some.
    Player(Box<Watchman>),
}

impl Session {
    /// The same for a machine whose address this session asks the LAN for.
    pub fn asking_for_address(mut self, seed: u64) -> Self {
        let client = AddressClient::new(self.mac.addr(), seed);
        self.address.keeper = Keeper::Client(Box::new(client));
        self
    }

    /// The same for a machine that has these addresses, by its player's choice.
    pub fn with_addresses(mut self, addresses: Vec<Ipv4Addr>) -> Self {
        let watchman = Watchman::new(self.mac.addr(), addresses);
        self.address.keeper = Keeper::Player(Box::new(watchman));
        self
    }

    /// The address that the machine should have, where this session asks for it and has one.
    pub fn held_address(&self) -> Option<&Held> {
        match &self.address.keeper {
            Keeper::Client(client) => client.held(),
            Keeper::Others | Keeper::Player(_) => None,
        }
    }

    /// Asks the LAN for an address anew; the one that there is stays meanwhile.
    pub fn renew_address(&mut self, now: Instant) {
        if let Keeper::Client(client) = &mut self.address.keeper {
            client.ask_anew(now);
        }
    }

    /// These are in use at home: of the LAN others are asked for, while it has others, and those that this machine cannot
    /// do without are never taken.
    pub fn forbid_addresses(&mut self, now: Instant, used: &BTreeMap<Ipv4Addr, Role>) {
        if let Keeper::Client(client) = &mut self.address.keeper {
            let of_machine = |role: &Role| *role == Role::Machine;
            let (machines, vital): (Vec<_>, Vec<_>) =
                used.iter().partition(|(_, role)| of_machine(role));
            let addresses =
                |used: Vec<(&Ipv4Addr, &Role)>| used.into_iter().map(|(ip, _)| *ip).collect();
            client.forbid(
                now,
                AtHome {
                    vital: addresses(vital),
                    machines: addresses(machines),
                },
            );
        }
        self.speak_of_address();
    }

    /// Time has passed for a lease that the machine's clock does not know of.
    pub(super) fn age_address(&mut self, now: Instant, slept: Duration) {
        if let Keeper::Client(client) = &mut self.address.keeper {
            client.handle_sleep(now, slept);
        }
    }

    /// The LAN may have come or gone.
    pub(super) fn follow_lan(&mut self, now: Instant) {
        let is_there = self.has_gateway();
        if !is_there {
            self.door.forget_lan();
        }
        self.address.follow(now, is_there);
        self.speak_of_address();
    }

    pub(super) fn keep_address(&mut self, now: Instant) {
        self.follow_lan(now);
        self.address.handle_timeout(now);
        self.speak_of_address();
    }

    pub(super) fn give_address_back(&mut self, now: Instant) {
        if let Keeper::Client(client) = &mut self.address.keeper {
            client.handle_shutdown(now);
        }
        self.speak_of_address();
    }

    /// Says what there is to say, in the machine's name.
    pub(super) fn speak_of_address(&mut self) {
        while let Some(frame) = self.address.poll_output() {
            self.say(&frame);
        }
    }
}

impl Address {
    fn follow(&mut self, now: Instant, is_there: bool) {
        if std::mem::replace(&mut self.is_plugged, is_there) == is_there {
            return;
        }
        match (&mut self.keeper, is_there) {
            (Keeper::Others, _) => {}
            (Keeper::Client(client), true) => client.plug_in(now),
            (Keeper::Client(client), false) => client.unplug(),
            (Keeper::Player(watchman), true) => watchman.plug_in(now),
            (Keeper::Player(watchman), false) => watchman.unplug(),
        }
    }

    /// A frame for the machine. True for a DHCP server's answer to this session, which is of no use to anybody else:
    /// the machine's own stack would tell the server that nobody listens. What other clients on the machine have asked
    /// for is theirs.
    pub(super) fn hear(&mut self, now: Instant, frame: &[u8]) -> bool {
        match &mut self.keeper {
            Keeper::Others => false,
            Keeper::Client(client) => client.handle_frame(now, frame),
            Keeper::Player(watchman) => {
                watchman.handle_frame(now, frame);
                false
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.keeper {
            Keeper::Others => None,
            Keeper::Client(client) => client.poll_timeout(),
            Keeper::Player(watchman) => watchman.poll_timeout(),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.keeper {
            Keeper::Others => {}
            Keeper::Client(client) => client.handle_timeout(now),
            Keeper::Player(watchman) => watchman.handle_timeout(now),
        }
    }

    fn poll_output(&mut self) -> Option<Vec<u8>> {
        match &mut self.keeper {
            Keeper::Others => None,
            Keeper::Client(client) => client.poll_output(),
            Keeper::Player(watchman) => watchman.poll_output(),
        }
    }

    pub(super) fn take_news(&mut self) -> bool {
        match &mut self.keeper {
            Keeper::Others => false,
            Keeper::Client(client) => client.take_news(),
            Keeper::Player(watchman) => watchman.take_news(),
        }
    }

    /// What a person should know of it.
    pub(super) fn word(&self, now: Instant) -> Option<String> {
        let word = match &self.keeper {
            Keeper::Others => None,
            Keeper::Client(client) => client.word(now),
            Keeper::Player(watchman) => watchman.word(now),
        };
        word.map(|word| word.to_string())
    }
}

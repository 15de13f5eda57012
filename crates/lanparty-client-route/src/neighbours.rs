//! Whom this machine has looked for on its networks, and who was there (RFC 4861, section 7.3.2, for IPv4 as well).

use crate::route::Luid;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Hardware with so many addresses answers for others (proxy ARP, RFC 1027), as some routers and access points do for
/// whatever they are asked: that somebody has the address it does not say.
const STANDS_IN: usize = 8;

/// What Windows knows of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was asked, and has not answered yet.
    Awaited,
    /// It was asked, and has not answered.
    None,
    /// It has answered of late.
    Fresh,
    /// It has answered once, and nobody has looked since.
    Old,
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface to that link.
    pub interface: Luid,
    /// The address.
    pub ip: Ipv4Addr,
    /// Who answers for it.
    pub mac: [u8; 6],
    /// Whether somebody does.
    pub answer: Answer,
}

impl Neighbour {
    fn is_there(&self) -> bool {
        matches!(self.answer, Answer::Fresh | Answer::Old) && !self.is_group()
    }

    /// Windows has a row for each address that means many, too.
    fn is_group(&self) -> bool {
        self.mac[0] & 1 != 0
    }
}

/// The neighbours at home, and those at the party.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    home: Vec<Neighbour>,
    party: Vec<Neighbour>,
}

impl Neighbours {
    /// Sorts them, where the adapter has this hardware address: who plays in the party's own LAN meets itself there.
    pub fn new(all: Vec<Neighbour>, adapter: Luid, own: [u8; 6]) -> Self {
        let (party, mut home): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|known| known.interface == adapter);
        home.retain(|known| known.mac != own);
        Neighbours { home, party }
    }

    /// Those that are there at home and speak for themselves.
    pub fn machines(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let there = || self.home.iter().filter(|known| known.is_there());
        let mut addresses = BTreeMap::<_, usize>::new();
        for known in there() {
            *addresses.entry((known.interface, known.mac)).or_default() += 1;
        }
        let speaks = move |known: &&Neighbour| addresses[&(known.interface, known.mac)] < STANDS_IN;
        there().filter(speaks).map(|known| known.ip)
    }

    /// Whether somebody was there, and nobody has looked since.
    pub fn is_old(&self, ip: Ipv4Addr) -> bool {
        let of_it = || self.home.iter().filter(|known| known.ip == ip);
        let is_old = |known: &Neighbour| known.answer == Answer::Old;
        of_it().any(is_old) && of_it().all(|known| is_old(known) || !known.is_there())
    }

    /// Whether home has that very machine: who plays in the party's own LAN has its hosts at home.
    pub fn is_at_home(&self, ip: Ipv4Addr, mac: [u8; 6]) -> bool {
        let is_it = |known: &Neighbour| (known.ip, known.mac) == (ip, mac) && known.is_there();
        self.home.iter().any(is_it)
    }

    /// Who is asked for at home now, and has not answered yet.
    pub fn awaited(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.of_answer(Answer::Awaited)
    }

    /// Who was asked for at home and did not answer.
    pub fn missing(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.of_answer(Answer::None)
    }

    /// Whom this machine has spoken with at the party.
    pub fn at_the_party(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let there = self.party.iter().filter(|known| known.is_there());
        there.map(|known| known.ip)
    }

    fn of_answer(&self, answer: Answer) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let known = self.home.iter().filter(move |known| known.answer == answer);
        known.map(|known| known.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAP: Luid = Luid(1);
    const WIFI: Luid = Luid(2);
    const OWN: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];

    #[test]
    fn who_was_there_counts_until_somebody_has_looked() {
        let neighbours = |answers: &[Answer]| {
            let known = (2..).zip(answers).map(|(link, answer)| Neighbour {
                interface: Luid(link),
                answer: *answer,
                ..neighbour(30, 4)
            });
            Neighbours::new(known.collect(), TAP, OWN)
        };
        use Answer::{Fresh, None, Old};
        let is_old = |answers: &[Answer]| neighbours(answers).is_old(ip(30));
        assert!(is_old(&[Old]) && is_old(&[None, Old]));
        assert!(!is_old(&[Old, Fresh]) && !is_old(&[None]) && !is_old(&[]));
        assert_eq!(neighbours(&[Old]).machines().count(), 1);
        assert_eq!(neighbours(&[None]).machines().count(), 0);
    }

    #[test]
    fn who_answers_for_everybody_says_nothing_of_anybody() {
        let router = (1..=9).map(|last| neighbour(last, 4));
        let repeater = (20..27).map(|last| neighbour(last, 6));
        let known = Neighbours::new(router.chain(repeater).collect(), TAP, OWN);
        let there: Vec<_> = known.machines().map(|ip| ip.octets()[3]).collect();
        assert_eq!(there, [20, 21, 22, 23, 24, 25, 26]);
    }

    #[test]
    fn neither_oneself_nor_an_address_that_means_many_is_a_machine() {
        let oneself = Neighbour {
            mac: OWN,
            ..neighbour(77, 0)
        };
        let everybody = neighbour(255, 0xff);
        let known = Neighbours::new(vec![oneself, everybody, neighbour(20, 4)], TAP, OWN);
        assert_eq!(known.machines().collect::<Vec<_>>(), [ip(20)]);
    }

    #[test]
    fn whom_home_lacks_and_whom_the_party_has_is_told_apart() {
        let answers = [
            (40, WIFI, Answer::Awaited),
            (41, WIFI, Answer::None),
            (42, TAP, Answer::Old),
            (43, TAP, Answer::None),
            (44, WIFI, Answer::Fresh),
        ];
        let known = answers.map(|(last, interface, answer)| Neighbour {
            interface,
            answer,
            ..neighbour(last, last)
        });
        let known = Neighbours::new(known.into(), TAP, OWN);
        assert_eq!(known.awaited().collect::<Vec<_>>(), [ip(40)]);
        assert_eq!(known.missing().collect::<Vec<_>>(), [ip(41)]);
        assert_eq!(known.at_the_party().collect::<Vec<_>>(), [ip(42)]);
        assert!(known.is_at_home(ip(44), [44; 6]) && !known.is_at_home(ip(44), [45; 6]));
        assert!(!known.is_at_home(ip(41), [41; 6]) && !known.is_at_home(ip(42), [42; 6]));
    }

    fn neighbour(last: u8, mac: u8) -> Neighbour {
        Neighbour {
            interface: WIFI,
            ip: ip(last),
            mac: [mac; 6],
            answer: Answer::Fresh,
        }
    }

    fn ip(last: u8) -> Ipv4Addr {
        [192, 168, 1, last].into()
    }
}

//! When to try again, and how, after a link has ended or was refused.

use crate::backoff::{Backoff, STEADY};
use crate::link::ConnectError;
use lanparty_ctrl::RejectReason;
use std::time::Duration;

/// How long a gateway that was sent out of its room stays out of it, and a player whose place another machine took.
const AWAY: Duration = Duration::from_secs(10);
/// How often a gateway whose place another one has asks whether that one is gone.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How often a player whose host is on its way back asks for it without waiting for longer than
const EAGER: u32 = 60;
/// this: a gateway and its players come back to a restarted relay in any order.
const EAGER_WAIT: Duration = Duration::from_secs(1);
/// Within this players come to the relay that has taken another one's place.
const SPREAD: Duration = Duration::from_millis(100);
/// Within this the players of a dead relay of a fleet come to its others, which have gateways to let in first: thousands may have
/// been there.
const FLEET_SPREAD: Duration = Duration::from_millis(1500);
/// How often, and how soon, a player asks for a party that is moving, or somebody whom a fleet has sent to a relay that is dead.
const MOVING: u32 = 12;
const MOVING_WAIT: Duration = Duration::from_millis(600);

/// What a gateway says whose place another one has taken.
const OTHER_GATEWAY: &str = "another gateway with this one's key folder has taken its place; run one of \
     them only, and until the other one is gone this one waits";
/// What a player says whose place another machine has taken.
const OTHER_MACHINE: &str = "another machine uses this one's identity file and has taken its place; give each its own with --identity";

/// How a link ended that nobody wanted to end.
#[derive(Debug)]
pub(super) enum End {
    /// It is lost, or the relay goes.
    Lost(String),
    /// Another program has the relay's place, and listens already.
    Succeeded(String),
    /// The relay's operator has sent the gateway out, in whose words.
    SentOut(String),
    /// Somebody with the same key has the place.
    Replaced,
}

/// Another attempt follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Retry {
    /// Why, as part of a sentence.
    pub(super) cause: String,
    /// True when somebody answered and said no.
    pub(super) refused: bool,
    /// After so long.
    pub(super) wait: Duration,
}

/// Where else the party may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Others {
    /// At no other relay.
    #[default]
    None,
    /// At the others of the invite.
    Few,
    /// At others of a fleet.
    Fleet,
}

/// What earlier attempts mean for the next.
#[derive(Debug)]
pub(super) struct Retries {
    is_gateway: bool,
    backoff: Backoff,
    /// Another one has our place. It would be taken back and forth for ever, so we wait until it is free.
    is_replaced: bool,
    /// How often the host was not back yet.
    without_host: u32,
    /// How often a fleet has sent us to nobody.
    misled: u32,
    others: Others,
}

impl Retries {
    pub(super) fn new(is_gateway: bool) -> Self {
        Retries {
            is_gateway,
            backoff: Backoff::default(),
            is_replaced: false,
            without_host: 0,
            misled: 0,
            others: Others::None,
        }
    }

    /// The party may be there as well.
    pub(super) fn know(&mut self, others: Others) {
        self.others = others;
    }

    /// True when the place is to be taken only if it is free.
    pub(super) fn yields(&self) -> bool {
        self.is_replaced
    }

    /// The relay has let us in.
    pub(super) fn welcomed(&mut self) {
        self.is_replaced = false;
        (self.without_host, self.misled) = (0, 0);
    }

    /// A link has ended that stood for so long.
    pub(super) fn ended(&mut self, end: End, stood: Duration, random: u32) -> Retry {
        self.backoff.ended(stood);
        match end {
            End::Lost(cause) if stood < STEADY || self.others == Others::None => {
                self.after(cause, false, random)
            }
            // The others are well, so nothing is waited for but a herd.
            End::Lost(cause) => Retry {
                cause,
                refused: false,
                wait: self.spread(random),
            },
            // A relay that says so of itself again and again is one that fails.
            End::Succeeded(cause) if stood < STEADY => self.after(cause, false, random),
            End::Succeeded(cause) => Retry {
                cause,
                refused: false,
                wait: self.spread(random),
            },
            End::SentOut(cause) => {
                let retry = self.after(cause, true, random);
                let wait = retry.wait.max(AWAY);
                Retry { wait, ..retry }
            }
            End::Replaced => {
                self.is_replaced = true;
                self.waiting()
            }
        }
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, error: &ConnectError, random: u32) -> Retry {
        match error {
            ConnectError::Rejected(reject) if self.is_replaced && is_taken(reject.reason) => {
                self.waiting()
            }
            ConnectError::HostAway if self.without_host < EAGER => {
                self.without_host += 1;
                let retry = self.after(error.to_string(), true, random);
                let wait = match self.others != Others::None && self.without_host <= MOVING {
                    true => soon(random),
                    false => retry.wait.min(EAGER_WAIT),
                };
                Retry { wait, ..retry }
            }
            // Its fleet knows within seconds.
            error if self.is_misled(error) && self.misled < MOVING => {
                self.misled += 1;
                let retry = self.after(error.to_string(), true, random);
                let wait = soon(random);
                Retry { wait, ..retry }
            }
            error => self.after(error.to_string(), error.is_refusal(), random),
        }
    }

    /// Whether a fleet has sent us to nobody: it does not know yet that its relay is dead, and who does says nothing.
    fn is_misled(&self, error: &ConnectError) -> bool {
        match error {
            ConnectError::NotFollowed(_) | ConnectError::Lost | ConnectError::Sent(_) => true,
            error => self.others == Others::Fleet && !error.is_refusal(),
        }
    }

    fn after(&mut self, cause: String, refused: bool, random: u32) -> Retry {
        let wait = self.backoff.next_wait(random);
        Retry {
            cause,
            refused,
            wait,
        }
    }

    /// A room full of players does not knock in one instant; its gateway, without which it is none, is first.
    fn spread(&self, random: u32) -> Duration {
        match self.is_gateway {
            true => Duration::ZERO,
            false if self.others == Others::Fleet => FLEET_SPREAD.mul_f64(fraction(random)),
            false => SPREAD.mul_f64(fraction(random)),
        }
    }

    /// The same sentence each time, so that it is said once.
    fn waiting(&self) -> Retry {
        let (cause, wait) = match self.is_gateway {
            true => (OTHER_GATEWAY, ASK_AGAIN),
            false => (OTHER_MACHINE, AWAY),
        };
        Retry {
            cause: cause.to_owned(),
            refused: true,
            wait,
        }
    }
}

fn soon(random: u32) -> Duration {
    MOVING_WAIT / 2 + (MOVING_WAIT / 2).mul_f64(fraction(random))
}

fn fraction(random: u32) -> f64 {
    f64::from(random) / f64::from(u32::MAX)
}

/// Our place is somebody else's now.
fn is_taken(reason: RejectReason) -> bool {
    matches!(
        reason,
        RejectReason::GatewayPresent | RejectReason::MacInUse
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::LONGEST;
    use lanparty_ctrl::message::Reject;

    fn rejected(reason: RejectReason) -> ConnectError {
        let text = "".into();
        ConnectError::Rejected(Reject { reason, text })
    }

    #[test]
    fn a_gateway_whose_place_another_has_says_so_once_and_waits_until_it_is_free() {
        let mut retries = Retries::new(true);
        assert!(!retries.yields());
        let first = retries.ended(End::Replaced, Duration::ZERO, 0);
        assert!(first.cause.contains("run one of them only") && first.refused);
        assert!(first.wait >= ASK_AGAIN && retries.yields());
        let present = rejected(RejectReason::GatewayPresent);
        assert_eq!(retries.failed(&present, 0), first, "nothing new is said");
        let full = retries.failed(&rejected(RejectReason::RelayFull), u32::MAX);
        assert!(full.wait <= LONGEST && retries.yields(), "another matter");
        retries.welcomed();
        assert!(!retries.yields(), "the place is its own again");
        assert_ne!(retries.failed(&present, 0), first);
    }

    #[test]
    fn a_player_whose_identity_file_another_machine_uses_says_so_and_does_not_fight_for_the_place()
    {
        let mut retries = Retries::new(false);
        let first = retries.ended(End::Replaced, Duration::ZERO, 0);
        assert!(first.cause.contains("identity file"), "{first:?}");
        assert_eq!((first.wait, first.refused), (AWAY, true));
        let taken = rejected(RejectReason::MacInUse);
        assert_eq!(retries.failed(&taken, 0), first);
    }

    #[test]
    fn a_player_whose_host_is_on_its_way_back_asks_for_it_each_second_for_a_minute() {
        let mut retries = Retries::new(false);
        let mut waits = || retries.failed(&ConnectError::HostAway, u32::MAX).wait;
        assert!((0..EAGER).all(|_| waits() <= EAGER_WAIT));
        assert_eq!(
            waits(),
            LONGEST,
            "the host has gone, or has made a new invite"
        );
        retries.welcomed();
        let again = retries.failed(&ConnectError::HostAway, u32::MAX);
        assert!(again.wait <= EAGER_WAIT && again.refused, "{again:?}");
    }

    #[test]
    fn where_another_relay_has_taken_over_the_gateway_is_first_and_nobody_waits_long() {
        let succeeded = || End::Succeeded("it said".to_owned());
        let wait = |is_gateway, random| {
            let retry = Retries::new(is_gateway).ended(succeeded(), STEADY, random);
            assert!(!retry.refused, "nobody said no");
            retry.wait
        };
        assert_eq!(wait(true, u32::MAX), Duration::ZERO);
        assert_eq!(
            (wait(false, 0), wait(false, u32::MAX)),
            (Duration::ZERO, SPREAD)
        );
        let mut retries = Retries::new(true);
        let mut again = || retries.ended(succeeded(), Duration::ZERO, u32::MAX).wait;
        let waits: Vec<_> = std::iter::repeat_with(&mut again).take(8).collect();
        assert_eq!(
            waits.last(),
            Some(&LONGEST),
            "a relay that never stays: {waits:?}"
        );
    }

    #[test]
    fn where_there_are_other_relays_a_lost_one_is_not_waited_for_and_a_fleet_sees_no_herd() {
        let wait = |is_gateway, others, random| {
            let mut retries = Retries::new(is_gateway);
            retries.know(others);
            let lost = End::Lost("silence".to_owned());
            retries.ended(lost, STEADY, random).wait
        };
        for others in [Others::Few, Others::Fleet] {
            assert_eq!(wait(true, others, u32::MAX), Duration::ZERO);
        }
        assert_eq!(wait(false, Others::Few, u32::MAX), SPREAD);
        assert_eq!(wait(false, Others::Fleet, u32::MAX), FLEET_SPREAD);
        assert_eq!(wait(false, Others::Fleet, 0), Duration::ZERO);
        assert_eq!(wait(true, Others::None, u32::MAX), crate::backoff::FIRST);
        // One that flaps is no better than none.
        let mut retries = Retries::new(true);
        retries.know(Others::Few);
        let mut again = || {
            let lost = End::Lost("silence".to_owned());
            retries.ended(lost, Duration::ZERO, u32::MAX).wait
        };
        let waits: Vec<_> = std::iter::repeat_with(&mut again).take(8).collect();
        assert_eq!(waits.last(), Some(&LONGEST), "{waits:?}");
    }

    #[test]
    fn a_party_that_moves_is_asked_for_twice_a_second_for_a_while() {
        let mut retries = Retries::new(false);
        retries.know(Others::Few);
        let mut waits = || retries.failed(&ConnectError::HostAway, u32::MAX).wait;
        assert!((0..MOVING).all(|_| waits() <= MOVING_WAIT));
        assert_eq!(waits(), EAGER_WAIT);
        let mut retries = Retries::new(true);
        let mut waits = || retries.failed(&ConnectError::Lost, u32::MAX).wait;
        assert!((0..MOVING).all(|_| waits() <= MOVING_WAIT));
        assert_eq!(waits(), LONGEST);
    }

    #[test]
    fn who_loses_a_relay_of_a_fleet_asks_the_others_again_soon_whatever_they_say_of_it() {
        let sent = || {
            ConnectError::Sent(Box::new(lanparty_ctrl::places::Elsewhere {
                address: "a.example".to_owned(),
                pin: None,
                fence: None,
            }))
        };
        let silent = || lanparty_quic::HandshakeError::NoAnswer.into();
        for (error, others, is_soon) in [
            (sent(), Others::Fleet, true),
            (sent(), Others::Few, true),
            (silent(), Others::Fleet, true),
            (silent(), Others::Few, false),
            (rejected(RejectReason::RelayFull), Others::Fleet, false),
        ] {
            let mut retries = Retries::new(true);
            retries.know(others);
            let waits = (0..MOVING).map(|_| retries.failed(&error, u32::MAX).wait);
            let is = waits.into_iter().all(|wait| wait <= MOVING_WAIT);
            assert_eq!(is, is_soon, "{error} {others:?}");
            assert!(retries.failed(&error, u32::MAX).wait > MOVING_WAIT);
        }
    }

    #[test]
    fn who_is_sent_out_stays_out_for_a_while_and_a_lost_link_is_made_anew_at_once() {
        let mut retries = Retries::new(true);
        let minute = Duration::from_secs(60);
        let out = retries.ended(End::SentOut("it said".to_owned()), minute, 0);
        assert_eq!((out.wait, out.refused), (AWAY, true));
        let lost = retries.ended(End::Lost("silence".to_owned()), minute, u32::MAX);
        assert_eq!(lost.wait, crate::backoff::FIRST);
        assert!(!lost.refused && !retries.yields());
    }
}

//! Is the relay still there?
//!
//! QUIC believes in a silent relay for fifteen seconds (spec R35), and one that was killed says nothing.
//! But a party is to be whole again within five (spec R93). So a peer looks at each beat, once a second,
//! whether anything came at all; when nothing did it asks, and without an answer it looks for the relay
//! anew. A new handshake is also quicker than a link whose timers have backed off.
//!
//! Beats are counted, not the clock: a machine that was suspended has not been listening.

/// After so many beats without a packet the relay is given up; all but the first were questions.
const GIVE_UP: u32 = 3;

/// What a beat asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing: the relay was heard.
    Heard,
    /// A question; the relay may just have nothing to say.
    Ask,
    /// A stronger question: perhaps it was we who moved.
    Stir,
    /// Another link.
    GiveUp,
}

/// Counts the beats of silence on a link; pure.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    heard: u64,
    silent: u32,
    /// How often it was looked for an answer since the first question.
    looks: u32,
}

impl Pulse {
    /// Takes a beat. `heard` is the number of packets that have come since the link was made.
    pub(crate) fn beat(&mut self, heard: u64) -> Beat {
        if heard != self.heard {
            *self = Pulse {
                heard,
                ..Pulse::default()
            };
            return Beat::Heard;
        }
        self.silent = self.silent.saturating_add(1);
        match self.silent {
            1 => Beat::Ask,
            GIVE_UP.. => Beat::GiveUp,
            _ => Beat::Stir,
        }
    }

    /// Looks for an answer, several times between two beats. True once: when none has come after so many looks, of which
    /// people should hear before the link is given up.
    pub(crate) fn look(&mut self, patience: u32, heard: impl FnOnce() -> u64) -> bool {
        let waits = self.silent > 0 && heard() == self.heard;
        self.looks += u32::from(waits);
        waits && self.looks == patience
    }

    /// True while that is so.
    pub(crate) fn is_late(&self, patience: u32, heard: impl FnOnce() -> u64) -> bool {
        self.looks >= patience && heard() == self.heard
    }

    /// True while a question stands unanswered for a beat: a frame sent now would wait in a queue and
    /// come out late. `heard` is asked only when that matters.
    pub(crate) fn is_faint(&self, heard: impl FnOnce() -> u64) -> bool {
        self.silent > 1 && heard() == self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_relay_is_asked_twice_and_given_up() {
        let mut pulse = Pulse::default();
        let beats = [7, 7, 7, 7].map(|heard| pulse.beat(heard));
        assert_eq!(beats, [Beat::Heard, Beat::Ask, Beat::Stir, Beat::GiveUp]);
    }

    #[test]
    fn any_packet_starts_the_count_anew() {
        let mut pulse = Pulse::default();
        for heard in 1..100 {
            assert_eq!(pulse.beat(heard), Beat::Heard);
            assert_eq!(pulse.beat(heard), Beat::Ask);
        }
    }

    #[test]
    fn frames_stop_after_an_unanswered_question_and_flow_with_the_first_packet() {
        let mut pulse = Pulse::default();
        pulse.beat(7);
        pulse.beat(7);
        assert!(!pulse.is_faint(|| 7), "it may have nothing to say");
        pulse.beat(7);
        assert!(pulse.is_faint(|| 7));
        assert!(!pulse.is_faint(|| 8), "without waiting for the next beat");
    }

    #[test]
    fn people_hear_of_a_silent_relay_before_it_is_given_up_and_once() {
        let (mut pulse, patience) = (Pulse::default(), 2);
        pulse.beat(7);
        assert!(!pulse.look(patience, || 7), "nothing was asked yet");
        assert_eq!(pulse.beat(7), Beat::Ask);
        let looks = [1, 2, 3].map(|_| pulse.look(patience, || 7));
        assert_eq!(looks, [false, true, false]);
        assert!(pulse.is_late(patience, || 7));
        assert!(!pulse.is_late(patience, || 8), "it has answered");
        assert_eq!(pulse.beat(8), Beat::Heard);
        assert!(!pulse.is_late(patience, || 8));
    }
}

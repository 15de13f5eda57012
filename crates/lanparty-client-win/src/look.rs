//! Questions to Windows that may take long, or for ever: asked in threads of their own.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer is waited for. A service of Windows that hangs, as the one for networks can, gives none.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many questions may hang, each with its thread; then nothing is asked until one of them is answered.
const MOST_HANGING: usize = 4;

/// A question at a time, and those that were given up.
#[derive(Debug)]
pub(crate) struct Looks<T> {
    present: Option<(Instant, Receiver<T>)>,
    hanging: Vec<Receiver<T>>,
}

impl<T> Default for Looks<T> {
    fn default() -> Self {
        Looks {
            present: None,
            hanging: Vec::new(),
        }
    }
}

impl<T: Send + 'static> Looks<T> {
    /// True while a new question may be asked.
    pub(crate) fn may_begin(&mut self) -> bool {
        // What is answered so late is out of date.
        self.hanging
            .retain(|answer| matches!(answer.try_recv(), Err(TryRecvError::Empty)));
        self.present.is_none() && self.hanging.len() < MOST_HANGING
    }

    /// Asks; the answer comes out of [`Self::take`]. A system without another thread to give is asked later.
    pub(crate) fn begin(&mut self, now: Instant, question: impl FnOnce() -> T + Send + 'static) {
        let (sender, answer) = channel();
        let thread = thread::Builder::new().name("look".to_owned());
        let begun = thread.spawn(move || {
            // Who does not want the answer any more has dropped the receiver.
            let _ = sender.send(question());
        });
        if begun.is_ok() {
            self.present = Some((now, answer));
        }
    }

    /// The answer, once it is there. A question that is not answered in time is given up, and another one may be asked.
    pub(crate) fn take(&mut self, now: Instant) -> Option<T> {
        let (since, answer) = self.present.take()?;
        match answer.try_recv() {
            Ok(answer) => return Some(answer),
            Err(TryRecvError::Disconnected) => {}
            Err(TryRecvError::Empty) if now.saturating_duration_since(since) < PATIENCE => {
                self.present = Some((since, answer));
            }
            Err(TryRecvError::Empty) => {
                tracing::warn!("Windows does not answer how the adapter is set; asking again");
                self.hanging.push(answer);
            }
        }
        None
    }

    /// The present question is not of interest any more.
    pub(crate) fn forget(&mut self) {
        if let Some((_, answer)) = self.present.take() {
            self.hanging.push(answer);
        }
    }
}

/// Errands that bring no answer back: all of one lot at a time, the lots one after another.
#[derive(Debug, Default)]
pub(crate) struct Errands(Option<thread::JoinHandle<()>>);

impl Errands {
    /// So many are run beside each other.
    pub(crate) const LOT: usize = 8;

    /// True while nobody is under way.
    pub(crate) fn may_begin(&self) -> bool {
        self.0.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }

    /// Sends somebody for each of these. A system without another thread to give is asked later.
    pub(crate) fn begin<T: Send + 'static>(&mut self, lot: Vec<T>, errand: fn(T)) {
        let run = move || {
            thread::scope(|scope| {
                for what in lot {
                    let named = thread::Builder::new().name("errand".to_owned());
                    // Who cannot be sent now is sent another time.
                    let _ = named.spawn_scoped(scope, move || errand(what));
                }
            });
        };
        let thread = thread::Builder::new().name("errands".to_owned());
        self.0 = thread.spawn(run).ok();
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    #[test]
    fn a_question_that_windows_never_answers_does_not_stop_further_looks() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        let _never = ask(&mut looks, now);
        assert!(!looks.may_begin());
        assert_eq!(looks.take(now + PATIENCE - Duration::from_secs(1)), None);
        assert!(!looks.may_begin());
        assert_eq!(looks.take(now + PATIENCE), None);
        assert!(looks.may_begin());
        let answered = ask(&mut looks, now + PATIENCE);
        answered.send(7).unwrap();
        assert_eq!(wait(&mut looks, now + PATIENCE), 7);
    }

    #[test]
    fn threads_that_hang_are_few() {
        let (mut looks, mut now) = (Looks::default(), Instant::now());
        let mut hanging = Vec::new();
        while looks.may_begin() {
            hanging.push(ask(&mut looks, now));
            now += PATIENCE;
            looks.take(now);
        }
        assert_eq!(hanging.len(), MOST_HANGING);
        hanging.pop().unwrap().send(1).unwrap();
        while !looks.may_begin() {
            thread::yield_now();
        }
    }

    #[test]
    fn nobody_is_sent_while_somebody_is_under_way() {
        let (sender, arrived) = channel();
        let mut errands = Errands::default();
        assert!(errands.may_begin());
        let (keep, wait) = channel::<()>();
        errands.begin(vec![(sender, wait)], |(sender, wait)| {
            sender.send(()).unwrap();
            let _ = wait.recv();
        });
        arrived.recv().unwrap();
        assert!(!errands.may_begin());
        drop(keep);
        while !errands.may_begin() {
            thread::yield_now();
        }
    }

    fn ask(looks: &mut Looks<u8>, now: Instant) -> Sender<u8> {
        let (sender, answer) = channel();
        looks.begin(now, move || answer.recv().unwrap_or_default());
        sender
    }

    fn wait(looks: &mut Looks<u8>, now: Instant) -> u8 {
        loop {
            if let Some(answer) = looks.take(now) {
                return answer;
            }
            thread::yield_now();
        }
    }
}

//! How long the phases of a run take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Finding out what is to be sent.
    Plan,
    /// Bringing the archiver up and connecting to it.
    Wake,
    /// Sending, and seeing what has arrived.
    Send,
    /// Sending the archiver to sleep.
    Sleep,
}

impl Phase {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Wake, Self::Send, Self::Sleep];

    /// Its name, as in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Wake => "wake",
            Self::Send => "send",
            Self::Sleep => "sleep",
        }
    }
}

/// A stretch of a run that belongs to one phase; a run plans before and after it has woken an
/// archiver.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The phase.
    pub phase: Phase,
    /// When it began, in seconds after the run did.
    pub start_s: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A stop watch that all parts of a run share.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Option<Running>>>);

#[derive(Debug)]
struct Running {
    began: Instant,
    spans: Vec<(Phase, Instant, Instant)>,
    phase: Phase,
    since: Instant,
}

impl Clock {
    /// Begins with planning.
    pub fn start(&self) {
        let now = Instant::now();
        *self.lock() = Some(Running { began: now, spans: Vec::new(), phase: Phase::Plan, since: now });
    }

    /// Another phase begins; returns the one that ends, to come back to it.
    pub fn enter(&self, phase: Phase) -> Phase {
        match self.lock().as_mut() {
            Some(running) => running.enter(phase),
            None => phase,
        }
    }

    /// Ends, and returns what there was.
    #[must_use]
    pub fn stop(&self) -> Vec<Span> {
        let Some(mut running) = self.lock().take() else { return Vec::new() };
        running.enter(Phase::Sleep);
        let span = |(phase, from, to): &(Phase, Instant, Instant)| Span {
            phase: *phase,
            start_s: from.duration_since(running.began).as_secs_f64(),
            seconds: to.duration_since(*from).as_secs_f64(),
        };
        running.spans.iter().map(span).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn enter(&mut self, phase: Phase) -> Phase {
        let now = Instant::now();
        self.spans.push((self.phase, self.since, now));
        self.since = now;
        std::mem::replace(&mut self.phase, phase)
    }
}

/// How long a phase took altogether, in seconds; none when the run had no such phase.
#[must_use]
pub fn total(spans: &[Span], phase: Phase) -> Option<f64> {
    let mut of_phase = spans.iter().filter(|span| span.phase == phase).peekable();
    of_phase.peek()?;
    Some(of_phase.map(|span| span.seconds).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let clock = Clock::default();
        clock.start();
        let before = clock.enter(Phase::Wake);
        clock.enter(before);
        clock.enter(Phase::Send);
        let spans = clock.stop();
        let phases: Vec<Phase> = spans.iter().map(|span| span.phase).collect();
        assert_eq!(phases, [Phase::Plan, Phase::Wake, Phase::Plan, Phase::Send]);
        for pair in spans.windows(2) {
            assert!((pair[0].start_s + pair[0].seconds - pair[1].start_s).abs() < 1e-9, "{pair:?}");
        }
        assert!(total(&spans, Phase::Plan).is_some() && total(&spans, Phase::Sleep).is_none());
    }

    #[test]
    fn a_clock_that_was_not_started_tells_nothing() {
        let clock = Clock::default();
        clock.enter(Phase::Send);
        assert!(clock.stop().is_empty());
    }
}

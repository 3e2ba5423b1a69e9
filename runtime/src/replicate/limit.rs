//! Keeps streams together below a rate.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::pump::PIPE;

/// A rate that streams share.
#[derive(Debug)]
pub struct Limit {
    bytes_per_second: u64,
    /// When the next bytes are due.
    due: Mutex<Instant>,
}

impl Limit {
    /// Of at least a byte a second.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), due: Mutex::new(Instant::now()) }
    }

    /// How many bytes to move at once: so few that the rate is even.
    pub(super) fn portion(&self) -> usize {
        usize::try_from(self.bytes_per_second / 10).unwrap_or(PIPE).clamp(4096, PIPE)
    }

    /// How long to rest after moving bytes.
    pub(super) fn rest(&self, moved: usize, now: Instant) -> Duration {
        let time = Duration::from_secs_f64(moved as f64 / self.bytes_per_second as f64);
        let mut due = self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *due = (*due).max(now) + time;
        due.duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_together_keep_below_a_limit() {
        let (limit, begin) = (Limit::new(1000), Instant::now());
        let rests = [500, 250, 250].map(|moved| limit.rest(moved, begin).as_secs_f64());
        for (rest, wanted) in rests.into_iter().zip([0.5, 0.75, 1.0]) {
            assert!((rest - wanted).abs() < 0.1, "{rests:?}");
        }
        let later = begin + Duration::from_secs(60);
        assert!(limit.rest(100, later).as_secs_f64() < 0.2, "a pause is not made up for");
        assert_eq!((Limit::new(10).portion(), Limit::new(u64::MAX).portion()), (4096, PIPE));
    }
}

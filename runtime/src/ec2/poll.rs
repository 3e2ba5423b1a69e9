//! Waiting, bounded: EC2 tells nobody when something is done.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A series of pauses that grow, with jitter, until a deadline.
///
/// Jitter keeps hosts that begin together from calling together; the account's token bucket
/// refills by 20 reading calls a second (EC2 API, "Request throttling").
#[derive(Debug)]
pub struct Poll {
    pause: Duration,
    longest: Duration,
    deadline: Instant,
}

/// How much longer each pause is than the one before.
const GROWTH: f64 = 1.5;

impl Poll {
    /// Pauses from `first` to `longest`, for `total` at most.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, total: Duration) -> Self {
        Self { pause: first, longest, deadline: Instant::now() + total }
    }

    /// Pauses; false when the deadline has passed.
    pub async fn again(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        let jitter = rand::random_range(0.9..1.1);
        sleep(self.pause.mul_f64(jitter)).await;
        self.pause = self.pause.mul_f64(GROWTH).min(self.longest);
        true
    }
}

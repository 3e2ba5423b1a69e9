//! Progress of streams: a bar with rate and remaining time for each on a terminal, else a line a dataset.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::stream::Counter;
use crate::output::printable;

/// How often the bar is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

/// Shown when the total is known: the estimate of `zfs send -nP` may be off by some percent.
const KNOWN: &str = "  {prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}";

/// Shown when it is not.
const UNKNOWN: &str = "  {prefix} {spinner} {bytes} {bytes_per_sec}";

/// A bar that follows a counter until it is dropped.
#[derive(Debug)]
pub struct Progress {
    counter: Counter,
    drawing: Option<Drawing>,
}

/// A bar among others.
#[derive(Debug)]
struct Drawing {
    bars: MultiProgress,
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Progress {
    /// Counts silently.
    #[must_use]
    pub fn quiet() -> Self {
        Self { counter: Arc::new(AtomicU64::new(0)), drawing: None }
    }

    /// Draws a bar on stderr, below those that are there.
    #[must_use]
    pub fn bar(bars: &MultiProgress, name: &str, total: Option<u64>) -> Self {
        let counter: Counter = Arc::new(AtomicU64::new(0));
        let bar = bars.add(total.map_or_else(ProgressBar::new_spinner, ProgressBar::new));
        let style = ProgressStyle::with_template(if total.is_some() { KNOWN } else { UNKNOWN });
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(printable(name));
        let (shown, counted) = (bar.clone(), Arc::clone(&counter));
        let task = tokio::spawn(async move {
            loop {
                shown.set_position(counted.load(Ordering::Relaxed));
                tokio::time::sleep(REDRAW).await;
            }
        });
        Self { counter, drawing: Some(Drawing { bars: bars.clone(), bar, task }) }
    }

    /// The counter to be raised while bytes pass.
    #[must_use]
    pub fn counter(&self) -> Counter {
        Arc::clone(&self.counter)
    }

    /// How many bytes have passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counter.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Drawing { bars, bar, task }) = &self.drawing {
            task.abort();
            bar.finish_and_clear();
            bars.remove(bar);
        }
    }
}

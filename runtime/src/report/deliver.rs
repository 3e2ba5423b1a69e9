//! Events to sinks, in bounded time.

use std::collections::BTreeSet;
use std::time::Duration;

use dormouse_generator::spec::Report;
use tokio::time::{Instant, timeout};

use super::sink::{self, Sink, Trouble};
use super::spool::{Entry, Folder};
use crate::exec::Exec;
use crate::folder;
use crate::lock::Lock;
use crate::log;

/// How long telling everybody may take altogether, and how long one of them may take.
const ALTOGETHER: Duration = Duration::from_secs(10);
pub(super) const EACH: Duration = Duration::from_secs(4);

/// The names of a host's sinks.
#[must_use]
pub fn names(report: Option<&Report>) -> Vec<String> {
    report.map(sink::all).unwrap_or_default().iter().map(|sink| sink.name().to_owned()).collect()
}

/// Tells everybody of what they have not heard yet, the newest first; returns who could not be
/// told, and why. What is left waits on the disk.
pub async fn flush(
    folder: &Folder,
    report: Option<&Report>,
    spec: &str,
    exec: Exec,
) -> Vec<(&'static str, Trouble)> {
    let until = Instant::now() + ALTOGETHER;
    folder.tidy(std::time::SystemTime::now());
    // Two that tell the same at once would tell it twice.
    let lock = async { Lock::wait(&folder::runtime()?, spec, "reports").await };
    let Ok(Ok(_lock)) = timeout(ALTOGETHER, lock).await else { return Vec::new() };
    let sinks = report.map(sink::all).unwrap_or_default();
    let mut round = Round { sinks, exec, until, down: Vec::new(), told: BTreeSet::new() };
    for (path, mut entry) in folder.waiting() {
        if round.is_over() && !entry.waiting.is_empty() {
            break;
        }
        round.tell(&mut entry).await;
        // Unwritten, it is told once more by the next run.
        let _told = folder.update(&path, &entry);
    }
    round.down
}

/// One round of telling.
struct Round<'a> {
    sinks: Vec<Sink<'a>>,
    exec: Exec,
    until: Instant,
    /// Who did not take an event; they are left alone until the next round.
    down: Vec<(&'static str, Trouble)>,
    /// Who was told of which replication.
    told: BTreeSet<(String, String)>,
}

impl Round<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn tell(&mut self, entry: &mut Entry) {
        let mut waiting = Vec::new();
        for name in std::mem::take(&mut entry.waiting) {
            // One that the spec no longer names has nothing to hear.
            let Some(sink) = self.sinks.iter().copied().find(|sink| sink.name() == name) else { continue };
            let told = (name.clone(), entry.event.replication.clone());
            if sink.is_of_the_moment() && self.told.contains(&told) {
                continue;
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.down.iter().any(|(down, _)| *down == name) {
                waiting.push(name);
                continue;
            }
            match sink.send(&entry.event, self.exec, EACH.min(left)).await {
                Ok(()) => {
                    log::detail(&format!("told {name} of run {}", entry.event.run));
                    self.told.insert(told);
                }
                Err(trouble) => {
                    if trouble.is_passing() {
                        waiting.push(name);
                    }
                    self.down.push((sink.name(), trouble));
                }
            }
        }
        entry.waiting = waiting;
    }
}

/// Says who could not be told.
pub fn warn(troubles: &[(&'static str, Trouble)]) {
    for (name, trouble) in troubles {
        log::warning(&format!("report to {name}: {trouble}"), Some(trouble.help()));
    }
}

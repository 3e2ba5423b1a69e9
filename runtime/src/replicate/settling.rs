//! The mark of what was listed, once it is known.
//!
//! ZFS notes changes in whole seconds. Whoever lists snapshots in the second in which one last came or went
//! cannot tell from the time alone whether another one followed. Nothing waits for the end of that second: it
//! is looked at again afterwards, while streams are under way.

use std::time::{Duration, SystemTime};

use dormouse_generator::spec::Replication;

use crate::exec::Exec;
use crate::survey;
use crate::zfs::listing::Datasets;
use crate::zfs::mark::{self, Mark};

/// The kernel's coarse clock, by which ZFS notes changes, runs behind by a tick: at most this.
const TICK: Duration = Duration::from_millis(20);

/// A mark that is known at once, or once a second is over.
#[derive(Debug, Default)]
pub struct Settling {
    mark: Option<Mark>,
    /// The datasets, as they were in that second.
    unsettled: Option<Datasets>,
    /// The fingerprint of the snapshots that were listed then.
    listed: u64,
}

impl Settling {
    /// For datasets whose snapshots are about to be listed.
    #[must_use]
    pub fn begin(datasets: &Datasets, replication: &Replication) -> Self {
        let at = noted();
        let is_unsettled = mark::last_change(datasets) == Some(at);
        Self {
            mark: Mark::new(datasets, replication, at),
            unsettled: is_unsettled.then(|| datasets.clone()),
            listed: 0,
        }
    }

    /// The snapshots with this fingerprint were listed.
    #[must_use]
    pub fn listed(self, fingerprint: u64) -> Self {
        Self { listed: fingerprint, ..self }
    }

    /// The mark; none when something has happened since the listing.
    pub async fn settled(self, exec: Exec, replication: &Replication) -> Option<Mark> {
        let Some(datasets) = self.unsettled else { return self.mark };
        let change = Duration::from_secs(mark::last_change(&datasets)?.cast_unsigned());
        let second = Duration::from_secs(1) + TICK;
        tokio::time::sleep((change + second).saturating_sub(since_1970()).min(second)).await;
        let mark = Mark::new(&datasets, replication, noted());
        let now = survey::fingerprint(exec, replication).await;
        mark.filter(|_| now.is_ok_and(|now| now == self.listed))
    }
}

/// The second which ZFS may still note for a change, since 1970.
fn noted() -> i64 {
    since_1970().saturating_sub(TICK).as_secs().cast_signed()
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

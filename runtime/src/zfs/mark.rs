//! The property that remembers that an archiver has everything.
//!
//! When a run has seen on the archiver the newest snapshot of every dataset, it leaves a digest of
//! the tree in a property of the source: the datasets' names and identities, and when a snapshot of
//! each last came or went (zfsprops(7), `snapshots_changed`). While a listing of the datasets gives
//! the same digest, nothing has happened to any snapshot, and there is nothing to do: no snapshot
//! need be listed to know that.
//!
//! ZFS keeps those times in whole seconds. So only times count that lie before the second in which
//! the snapshots were listed: whatever comes later gets a later time. (Listed within that second, they are
//! looked at again when it is over.) `origin` is in the digest
//! since `zfs promote` moves snapshots without touching the times.
//!
//! A second digest leaves the times out. While that one is the same, no dataset was made, renamed or
//! destroyed since, so that every copy is where it was: then the cursors say all that there is to know
//! about the archiver. A third one is of the target alone: when the spec names another, the cursors tell of
//! copies that are elsewhere.

use std::fmt::{self, Write as _};

use dormouse_generator::spec::Replication;
use sha2::{Digest as _, Sha256};

use super::Dataset;
use super::listing::Datasets;

/// What the property holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the snapshots were listed, in seconds since 1970.
    at: i64,
    digest: String,
    shape: String,
    target: String,
}

/// The name of the property. The names of its parts hold no dot (`dormouse_generator::validate`).
#[must_use]
pub fn property(spec: &str, archiver: &str, replication: &str) -> String {
    format!("dormouse:{spec}.{archiver}.{replication}")
}

/// When a snapshot of any dataset last came or went, in seconds since 1970.
#[must_use]
pub fn last_change(datasets: &Datasets) -> Option<i64> {
    datasets.values().filter_map(|dataset| dataset.changed).max()
}

impl Mark {
    /// The mark of a tree whose snapshots are listed from `at` on, after its datasets; none when
    /// that is the second of the last change.
    #[must_use]
    pub fn new(datasets: &Datasets, replication: &Replication, at: i64) -> Option<Self> {
        let settled = last_change(datasets).is_some_and(|change| change < at);
        settled.then(|| Self {
            at,
            digest: digest(datasets, replication),
            shape: shape(datasets, replication),
            target: target(replication),
        })
    }

    /// Whether the property `kept` says that nothing has happened since; `now` in seconds since
    /// 1970. A clock that was set back proves nothing.
    #[must_use]
    pub fn is_valid(kept: &str, datasets: &Datasets, replication: &Replication, now: i64) -> bool {
        let mut parts = kept.split(':');
        let at = parts.next().and_then(|at| at.parse::<i64>().ok());
        at.is_some_and(|at| at <= now) && parts.next() == Some(&digest(datasets, replication))
    }

    /// Whether the property `kept` is of these datasets, whatever has happened to their snapshots. Marks
    /// of former versions say nothing about that.
    #[must_use]
    pub fn is_of(kept: &str, datasets: &Datasets, replication: &Replication) -> bool {
        kept.split(':').nth(2) == Some(&shape(datasets, replication))
    }

    /// Whether the property `kept` is of another target. Marks of former versions do not say.
    #[must_use]
    pub fn is_elsewhere(kept: &str, replication: &Replication) -> bool {
        kept.split(':').nth(3).is_some_and(|kept| kept != target(replication))
    }
}

impl fmt::Display for Mark {
    /// As the property holds it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.at, self.digest, self.shape, self.target)
    }
}

/// Changes with everything that could mean that there is something to send: names hold no tabs.
fn digest(datasets: &Datasets, replication: &Replication) -> String {
    let mut hash = Sha256::new();
    hash.update(replication.target.as_str());
    let Replication { snapshot_names, exclude_snapshot_names, .. } = replication;
    hash.update(format!("\n{snapshot_names:?}\t{exclude_snapshot_names:?}"));
    for dataset in datasets.values() {
        let changed = dataset.changed.unwrap_or(-1);
        hash.update(format!("\n{}\t{changed}", identity(dataset)));
    }
    hex(hash)
}

/// Changes with everything that could mean that a copy is elsewhere, or another one.
fn shape(datasets: &Datasets, replication: &Replication) -> String {
    let mut hash = Sha256::new();
    hash.update(replication.target.as_str());
    for dataset in datasets.values() {
        hash.update(format!("\n{}", identity(dataset)));
    }
    hex(hash)
}

fn target(replication: &Replication) -> String {
    hex(Sha256::new_with_prefix(replication.target.as_str()))
}

fn identity(dataset: &Dataset) -> String {
    let origin = dataset.origin.as_deref().unwrap_or("-");
    format!("{}\t{}\t{origin}", dataset.name, dataset.guid)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

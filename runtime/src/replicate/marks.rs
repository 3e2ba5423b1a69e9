//! Bookmarks and holds on the host, which keep a transfer resumable and remember its end.
//!
//! Holds matter for a first backup that takes longer than the youngest snapshots live: without
//! them its snapshot is pruned during a pause, the archiver's partial data is worth nothing, and
//! the backup never ends. Dormouse's tag names spec and archiver, so releasing it touches nobody
//! else's. Pruners that destroy with `-d`, as NixOS' does, are not disturbed: ZFS then deletes the
//! snapshot at its release.

use std::collections::BTreeSet;
use std::time::Duration;

use dormouse_generator::name::DatasetName;

use crate::exec::{self, Exec};
use crate::zfs::Dataset;
use crate::zfs::argv;
use crate::zfs::cursor::Changes;
use crate::zfs::listing::Datasets;

/// How long a change may take.
const CHANGE: Duration = Duration::from_secs(600);

/// Most snapshots named in one command; at 255 bytes a name this stays far below the 2 MiB that
/// Linux allows for all arguments.
const BATCH: usize = 2000;

/// The holds of one run.
#[derive(Debug)]
pub struct Holds {
    exec: Exec,
    tag: String,
    held: BTreeSet<String>,
}

impl Holds {
    /// Finds the holds that an earlier run left.
    ///
    /// # Errors
    /// When `zfs holds` fails.
    pub async fn find(
        exec: Exec,
        spec: &str,
        archiver: &str,
        datasets: &Datasets,
    ) -> Result<Self, exec::Error> {
        let tag = format!("dormouse_{spec}_{archiver}");
        let named = |dataset: &Dataset| {
            let held = dataset.snapshots.iter().filter(|snapshot| snapshot.holds > 0);
            held.map(|snapshot| format!("{}@{}", dataset.name, snapshot.name)).collect::<Vec<_>>()
        };
        let candidates: Vec<String> = datasets.values().flat_map(named).collect();
        let mut held = BTreeSet::new();
        for batch in candidates.chunks(BATCH) {
            let listed = exec.run(&argv::holds(batch), CHANGE).await?;
            held.extend(listed.lines().filter_map(|line| ours(line, &tag)));
        }
        Ok(Self { exec, tag, held })
    }

    /// Holds these snapshots, those that are not held yet.
    ///
    /// # Errors
    /// When `zfs hold` fails.
    pub async fn add(&mut self, snapshots: Vec<String>) -> Result<(), exec::Error> {
        let new: Vec<String> = snapshots.into_iter().filter(|name| !self.held.contains(name)).collect();
        for batch in new.chunks(BATCH) {
            self.exec.run(&argv::hold(&self.tag, batch), CHANGE).await?;
            self.held.extend(batch.iter().cloned());
        }
        Ok(())
    }

    /// Releases the holds on snapshots of datasets that need none any more.
    ///
    /// # Errors
    /// When `zfs release` fails.
    pub async fn release(&mut self, done: impl Fn(&str) -> bool) -> Result<(), exec::Error> {
        let dataset = |snapshot: &str| snapshot.split('@').next().unwrap_or_default().to_owned();
        let free: Vec<String> = self.held.iter().filter(|name| done(&dataset(name))).cloned().collect();
        for batch in free.chunks(BATCH) {
            self.exec.run(&argv::release(&self.tag, batch), CHANGE).await?;
            batch.iter().for_each(|name| {
                self.held.remove(name);
            });
        }
        Ok(())
    }
}

/// The snapshot of a line of `zfs holds -H` (name, tag, time), if the tag is ours.
fn ours(line: &str, tag: &str) -> Option<String> {
    let mut fields = line.split('\t');
    let name = fields.next()?;
    (fields.next()?.trim() == tag).then(|| name.to_owned())
}

/// Makes and destroys bookmarks of ours.
///
/// # Errors
/// The first command that fails.
pub async fn apply(exec: Exec, dataset: &DatasetName, changes: &Changes) -> Result<(), exec::Error> {
    for (snapshot, bookmark) in &changes.make {
        exec.run(&argv::bookmark(dataset, snapshot, bookmark), CHANGE).await?;
    }
    for bookmark in &changes.destroy {
        exec.run(&argv::destroy_bookmark(dataset, bookmark), CHANGE).await?;
    }
    Ok(())
}

//! Bookmarks and holds on the host, which keep a transfer resumable and remember its end.
//!
//! Holds matter for a first backup that takes longer than the youngest snapshots live: without
//! them its snapshot is pruned during a pause, the archiver's partial data is worth nothing, and
//! the backup never ends. Dormouse's tag names spec and archiver, so releasing it touches nobody
//! else's. Pruners that destroy with `-d`, as NixOS' does, are not disturbed: ZFS then deletes the
//! snapshot at its release.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dormouse_generator::name::DatasetName;
use tokio::task::JoinSet;

use crate::exec::{self, Exec};
use crate::output::count;
use crate::zfs::Dataset;
use crate::zfs::argv;
use crate::zfs::cursor::Changes;
use crate::zfs::listing::Datasets;
use crate::zfs::stderr::{Meaning, meaning};

/// How long a change may take.
const CHANGE: Duration = Duration::from_secs(600);

/// Most snapshots named in one command; at 255 bytes a name this stays far below the 2 MiB that
/// Linux allows for all arguments.
const BATCH: usize = 2000;

/// Most commands at once.
const SIDE_BY_SIDE: usize = 8;

/// The holds of one run.
#[derive(Debug)]
pub struct Holds {
    exec: Exec,
    tag: String,
    held: BTreeSet<String>,
}

impl Holds {
    /// None yet.
    #[must_use]
    pub fn new(exec: Exec, spec: &str, archiver: &str) -> Self {
        Self { exec, tag: format!("dormouse_{spec}_{archiver}"), held: BTreeSet::new() }
    }

    /// Finds the holds that an earlier run left on datasets.
    ///
    /// # Errors
    /// When `zfs holds` fails.
    pub async fn find(&mut self, datasets: &Datasets) -> Result<(), exec::Error> {
        let named = |dataset: &Dataset| {
            let held = dataset.snapshots.iter().filter(|snapshot| snapshot.holds > 0);
            held.map(|snapshot| format!("{}@{}", dataset.name, snapshot.name)).collect::<Vec<_>>()
        };
        let candidates: Vec<String> = datasets.values().flat_map(named).collect();
        for batch in candidates.chunks(BATCH) {
            let listed = self.exec.run(&argv::holds(batch), CHANGE).await?;
            self.held.extend(listed.lines().filter_map(|line| ours(line, &self.tag)));
        }
        Ok(())
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
async fn apply(exec: Exec, dataset: &DatasetName, changes: &Changes) -> Result<(), exec::Error> {
    for (snapshot, bookmark) in &changes.make {
        match exec.run(&argv::bookmark(dataset, snapshot, bookmark), CHANGE).await {
            // Its name holds the snapshot's identity, so it is the same one.
            Err(error) if error.stderr().contains("bookmark exists") => {}
            result => drop(result?),
        }
    }
    for bookmark in &changes.destroy {
        match exec.run(&argv::destroy_bookmark(dataset, bookmark), CHANGE).await {
            Err(error) if error.stderr().contains("does not exist") => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Makes many bookmarks at once, if this user may run channel programs; says whether all are made.
async fn make_together(exec: Exec, all: &[(DatasetName, Changes)]) -> bool {
    let pairs: Vec<String> = all.iter().flat_map(|(dataset, changes)| pairs(dataset, changes)).collect();
    let Some((dataset, _)) = all.first() else { return true };
    for batch in pairs.chunks(BATCH) {
        let said = exec.feed(&argv::bookmark_all(dataset.pool(), batch), argv::BOOKMARKS, CHANGE).await;
        if !said.is_ok_and(|said| said.split_whitespace().collect::<String>() == r#"{"return":0}"#) {
            return false;
        }
    }
    true
}

/// `dataset@snapshot` and `dataset#bookmark` of each bookmark to make.
fn pairs(dataset: &DatasetName, changes: &Changes) -> Vec<String> {
    let pair = |(snapshot, bookmark): &(String, String)| {
        [format!("{dataset}@{snapshot}"), format!("{dataset}#{bookmark}")]
    };
    changes.make.iter().flat_map(pair).collect()
}

/// Whether a bookmark could not be made as the pool takes none now.
#[must_use]
pub fn takes_none(error: &exec::Error) -> bool {
    let meaning = meaning(error.stderr());
    matches!(meaning, Some(Meaning::NoSpace | Meaning::PoolReadOnly | Meaning::NoBookmarks))
}

/// The warning about datasets that are sent without a bookmark, of which this pool takes none.
#[must_use]
pub fn unmarked(errors: &[exec::Error], pool: &str) -> Option<String> {
    let error = errors.first()?;
    let then = match meaning(error.stderr()) {
        Some(Meaning::NoBookmarks) => {
            format!("`zpool upgrade {pool}` enables bookmarks (an older ZFS cannot import it afterwards)")
        }
        Some(Meaning::NoSpace) => {
            format!("a run makes them when there is room: `zfs list -o space -r {pool}` shows what fills it")
        }
        _ => format!("a run makes them once {pool} is imported writable: `zpool get readonly {pool}`"),
    };
    let datasets = count(errors.len(), "dataset");
    Some(format!(
        "{datasets} sent without a bookmark; what arrives is whole, but the next increments need their newest \
         snapshots here: {error}; {then}"
    ))
}

/// Makes and destroys bookmarks of several datasets at once; returns what went wrong, by the
/// dataset's place in the list. Each command waits for its transaction group, so that some of them
/// side by side wait for the same one.
pub async fn apply_all(exec: Exec, mut all: Vec<(DatasetName, Changes)>) -> BTreeMap<usize, exec::Error> {
    let made: usize = all.iter().map(|(_, changes)| changes.make.len()).sum();
    if made > 1 && make_together(exec, &all).await {
        all.iter_mut().for_each(|(_, changes)| changes.make.clear());
    }
    let (mut errors, mut running) = (BTreeMap::new(), JoinSet::new());
    let mut all = all.into_iter().enumerate();
    loop {
        if running.len() < SIDE_BY_SIDE
            && let Some((index, (dataset, changes))) = all.next()
        {
            running.spawn(async move { (index, apply(exec, &dataset, &changes).await) });
            continue;
        }
        match running.join_next().await {
            None => return errors,
            Some(Ok((index, Err(error)))) => {
                errors.insert(index, error);
            }
            Some(Ok((_, Ok(()))) | Err(_)) => {}
        }
    }
}

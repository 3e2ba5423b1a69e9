//! What the host has: the datasets of a replication, and of their snapshots those that matter; or all
//! of them, where something is brought back.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Replication;

use crate::error::Error;
use crate::exec::{self, Exec};
use crate::zfs::cursor::Cursors;
use crate::zfs::listing::{self, Datasets, Listing, Unreadable};
use crate::zfs::names::Names;
use crate::zfs::recent::Recent;
use crate::zfs::scratch::Scratch;
use crate::zfs::stderr::{Meaning, meaning};
use crate::zfs::{Dataset, Snapshot, argv};

/// How long a listing may take; a big tree on a slow disk needs minutes.
pub const LISTING: Duration = Duration::from_secs(1800);

/// Most datasets that are listed together with all of their snapshots, of which a tree may have
/// millions.
const TOGETHER: usize = 64;

/// Parts of a tree that are small enough to be listed with all of their snapshots.
pub fn in_parts(datasets: Datasets) -> impl Iterator<Item = Datasets> {
    let mut datasets = datasets.into_iter();
    std::iter::from_fn(move || {
        let part: Datasets = datasets.by_ref().take(TOGETHER).collect();
        (!part.is_empty()).then_some(part)
    })
}

/// The datasets of a replication, parents before children, and what its mark holds.
#[derive(Debug)]
pub struct Tree {
    /// The datasets, without their snapshots.
    pub datasets: Datasets,
    /// The value of the mark's property; none where ZFS is older than 2.2, which cannot say when
    /// snapshots changed, or where no run has left one.
    pub mark: Option<String>,
}

/// Lists the datasets that the replication covers.
///
/// # Errors
/// [`Error::NoSource`], [`Error::SourceStays`] or [`Error::Listing`].
pub async fn tree(exec: Exec, replication: &Replication, mark: &str) -> Result<Tree, Error> {
    let list = |more: &[&str]| argv::list_datasets(&replication.source, replication.recursive, more);
    let mut listing = Listing::default();
    let all = list(&[listing::REPLICATE, listing::CHANGES, mark]);
    let failure = match lines(exec, &all, |line| listing.push(line)).await {
        Err(Failure::Command(error)) if error.stderr().contains("invalid property") => {
            listing = Listing::default();
            lines(exec, &list(&[listing::REPLICATE]), |line| listing.push(line)).await.err()
        }
        result => result.err(),
    };
    match failure {
        Some(Failure::Command(error)) if meaning(error.stderr()) == Some(Meaning::NoSuchDataset) => {
            Err(Error::NoSource { dataset: replication.source.to_string() })
        }
        Some(failure) => Err(unreadable(&replication.source, &failure.to_string())),
        None => {
            let mark = listing.mark.take();
            let datasets = listing.finish();
            if datasets.get(&replication.source).is_some_and(|source| source.stays) {
                return Err(Error::SourceStays { dataset: replication.source.to_string() });
            }
            Ok(Tree { datasets: covered(datasets, replication), mark })
        }
    }
}

/// Lists `root` on this host and, with `recursive`, the datasets below it, with all of their snapshots
/// and bookmarks; empty when it does not exist.
///
/// # Errors
/// [`Error::Listing`].
pub async fn all(exec: Exec, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
    let failed = |failure: Failure| unreadable(root, &failure.to_string());
    let mut listing = Listing::default();
    let list = argv::list_datasets(root, recursive, &[listing::REPLICATE]);
    match lines(exec, &list, |line| listing.push(line)).await {
        Err(Failure::Command(error)) if meaning(error.stderr()) == Some(Meaning::NoSuchDataset) => {
            return Ok(Datasets::new());
        }
        result => result.map_err(failed)?,
    }
    let mut all = Datasets::new();
    for part in in_parts(listing.finish()) {
        let argv = argv::list_histories(part.keys(), true);
        all.extend(read_histories(exec, &argv, part).await.map_err(failed)?);
    }
    Ok(all)
}

/// Adds those of their bookmarks and snapshots that matter; returns the [`fingerprint`] of all snapshots too.
///
/// # Errors
/// [`Error::Listing`].
pub async fn recent(
    exec: Exec,
    replication: &Replication,
    datasets: Datasets,
    cursors: &Cursors,
) -> Result<(Datasets, u64), Error> {
    let failed = |failure: Failure| unreadable(&replication.source, &failure.to_string());
    let names = Names::of(replication);
    let mut recent = Recent::new(datasets, cursors, &names);
    let bookmarks = argv::list_bookmarks(&replication.source, replication.recursive);
    lines(exec, &bookmarks, |line| recent.bookmark(line)).await.map_err(failed)?;
    let fingerprint = snapshots(exec, replication, |line| recent.snapshot(line)).await?;
    Ok((recent.finish(), fingerprint))
}

/// What tells whether any snapshot came or went since another listing by the same program.
///
/// # Errors
/// [`Error::Listing`].
pub async fn fingerprint(exec: Exec, replication: &Replication) -> Result<u64, Error> {
    snapshots(exec, replication, |_| Ok(())).await
}

async fn snapshots(
    exec: Exec,
    replication: &Replication,
    mut take: impl FnMut(&str) -> Result<(), Unreadable>,
) -> Result<u64, Error> {
    let all = argv::list_snapshots(&replication.source, replication.recursive);
    let mut fingerprint = 0_u64;
    let listed = lines(exec, &all, |line| {
        // Whatever their order.
        fingerprint = fingerprint.wrapping_add(BuildHasherDefault::<DefaultHasher>::default().hash_one(line));
        take(line)
    });
    listed.await.map_err(|failure| unreadable(&replication.source, &failure.to_string()))?;
    Ok(fingerprint)
}

/// The datasets with all of their bookmarks and snapshots, as they are now. A dataset that is gone
/// is left out.
///
/// # Errors
/// [`Error::Listing`].
pub async fn histories(exec: Exec, replication: &Replication, datasets: Datasets) -> Result<Datasets, Error> {
    let argv = argv::list_histories(datasets.keys(), true);
    let listed = read_histories(exec, &argv, datasets).await;
    let mut datasets = listed.map_err(|failure| unreadable(&replication.source, &failure.to_string()))?;
    Names::of(replication).sort_out(&mut datasets);
    Ok(datasets)
}

/// Reads what a [`argv::list_histories`] of these datasets prints, here or on an archiver.
///
/// # Errors
/// When it fails for another reason than that datasets are gone, or cannot be read.
pub async fn read_histories(exec: Exec, argv: &[String], datasets: Datasets) -> Result<Datasets, Failure> {
    if datasets.is_empty() {
        return Ok(datasets);
    }
    let mut listing = Listing::of(datasets);
    match lines(exec, argv, |line| listing.push(line)).await {
        Ok(()) => Ok(listing.finish()),
        Err(Failure::Command(error)) => {
            let mut datasets = listing.finish();
            let gone = |name: &str| format!("cannot open '{name}': dataset does not exist");
            let before = datasets.len();
            datasets.retain(|name, _| !error.stderr().contains(&gone(name.as_str())));
            let missing = before - datasets.len();
            // A command that was killed says nothing, and its listing has no end.
            let is_explained = missing > 0 && missing == error.stderr().lines().count();
            if is_explained { Ok(datasets) } else { Err(Failure::Command(error)) }
        }
        Err(failure) => Err(failure),
    }
}

/// What can keep a listing from being read.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command failed.
    #[error(transparent)]
    Command(exec::Error),
    /// It printed something else.
    #[error(transparent)]
    Line(Unreadable),
}

/// Hands out the lines of a listing up to the first that cannot be read.
///
/// # Errors
/// When there is such a line, or the command fails.
pub async fn lines(
    exec: Exec,
    argv: &[String],
    mut take: impl FnMut(&str) -> Result<(), Unreadable>,
) -> Result<(), Failure> {
    let mut bad = None;
    let listed = exec.lines(argv, LISTING, |line| {
        if bad.is_none() {
            bad = take(line).err();
        }
    });
    listed.await.map_err(Failure::Command)?;
    bad.map_or(Ok(()), |error| Err(Failure::Line(error)))
}

fn unreadable(dataset: &DatasetName, detail: &str) -> Error {
    let (dataset, place) = (dataset.to_string(), "on this host".to_owned());
    Error::Listing { dataset, place, detail: detail.to_owned() }
}

/// Leaves out children if the replication is not recursive, and what it never sends.
fn covered(mut datasets: Datasets, replication: &Replication) -> Datasets {
    let wanted = |name: &DatasetName| replication.recursive || *name == replication.source;
    datasets.retain(|name, _| wanted(name));
    leave_out(&mut datasets, replication);
    datasets
}

/// Takes out what is never sent, with everything below it.
pub fn leave_out(datasets: &mut Datasets, replication: &Replication) {
    let stay: BTreeSet<DatasetName> =
        datasets.values().filter(|dataset| dataset.stays).map(|dataset| dataset.name.clone()).collect();
    let above = |name: &DatasetName| std::iter::successors(Some(name.clone()), DatasetName::parent);
    let stays = |name: &DatasetName| !stay.is_empty() && above(name).any(|name| stay.contains(&name));
    datasets.retain(|name, _| !is_left_out(name, replication) && !stays(name));
}

/// Whether a dataset is excluded, or is what a drill brings back.
fn is_left_out(name: &DatasetName, replication: &Replication) -> bool {
    Scratch::holds(name) || replication.exclude.iter().any(|excluded| excluded.covers(name))
}

/// Whether the archiver is known to have the newest snapshot of every dataset.
#[must_use]
pub fn is_complete(datasets: &Datasets, cursors: &Cursors) -> bool {
    datasets.values().all(|dataset| behind(dataset, cursors) == 0)
}

/// How many of the listed snapshots of a dataset the archiver is not known to have.
#[must_use]
pub fn behind(dataset: &Dataset, cursors: &Cursors) -> usize {
    unacknowledged(dataset, cursors).count()
}

/// When the oldest snapshot was made that the archiver is not known to have, in seconds since
/// 1970.
#[must_use]
pub fn oldest_behind(dataset: &Dataset, cursors: &Cursors) -> Option<i64> {
    unacknowledged(dataset, cursors).map(|snapshot| snapshot.creation).min()
}

fn unacknowledged<'a>(dataset: &'a Dataset, cursors: &Cursors) -> impl Iterator<Item = &'a Snapshot> {
    let acknowledged = cursors.acknowledged(dataset).and_then(|guid| dataset.bookmark(guid));
    let txg = acknowledged.map_or(0, |bookmark| bookmark.createtxg);
    dataset.snapshots.iter().filter(move |snapshot| snapshot.createtxg > txg)
}

//! What the host has: the datasets of a replication, in one listing.

use std::time::Duration;

use dormouse_generator::spec::Replication;

use crate::error::Error;
use crate::exec::Exec;
use crate::zfs::listing::{Datasets, Listing};
use crate::zfs::stderr::{Meaning, meaning};
use crate::zfs::{Dataset, argv, cursor::Cursors};

/// How long a listing may take; a big tree on a slow disk needs minutes.
pub const LISTING: Duration = Duration::from_secs(1800);

/// Lists the datasets that the replication covers, parents before children.
///
/// # Errors
/// [`Error::NoSource`] or [`Error::Listing`].
pub async fn source(exec: Exec, replication: &Replication) -> Result<Datasets, Error> {
    let source = &replication.source;
    let unreadable = |detail: String| {
        let place = "on this host".to_owned();
        Error::Listing { dataset: source.to_string(), place, detail }
    };
    let (mut listing, mut bad) = (Listing::default(), None);
    let argv = argv::list(source, replication.recursive);
    let listed = exec.lines(&argv, LISTING, |line| {
        if bad.is_none() {
            bad = listing.push(line).err();
        }
    });
    match listed.await {
        Err(error) if meaning(error.stderr()) == Some(Meaning::NoSuchDataset) => {
            return Err(Error::NoSource { dataset: source.to_string() });
        }
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(()) => {}
    }
    match bad {
        Some(error) => Err(unreadable(error.to_string())),
        None => Ok(covered(listing.finish(), replication)),
    }
}

/// Leaves out what the replication excludes, and children if it is not recursive.
fn covered(mut datasets: Datasets, replication: &Replication) -> Datasets {
    datasets.retain(|name, _| {
        let wanted = replication.recursive || *name == replication.source;
        wanted && !replication.exclude.iter().any(|excluded| name.is_within(excluded))
    });
    datasets
}

/// Whether the archiver is known to have the newest snapshot of every dataset.
#[must_use]
pub fn is_complete(datasets: &Datasets, cursors: &Cursors) -> bool {
    datasets.values().all(|dataset| behind(dataset, cursors) == 0)
}

/// How many snapshots of a dataset the archiver is not known to have.
#[must_use]
pub fn behind(dataset: &Dataset, cursors: &Cursors) -> usize {
    let acknowledged = cursors.acknowledged(dataset).and_then(|guid| dataset.bookmark(guid));
    let txg = acknowledged.map_or(0, |bookmark| bookmark.createtxg);
    dataset.snapshots.iter().filter(|snapshot| snapshot.createtxg > txg).count()
}

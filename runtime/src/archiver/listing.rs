//! What is there: datasets, snapshots, the pool.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;

use super::{Archiver, CHANGE, NAMES};
use crate::error::Error;
use crate::exec;
use crate::survey::{self, LISTING};
use crate::zfs::listing::{self, Datasets, Listing};
use crate::zfs::stderr::{Meaning, meaning};
use crate::zfs::{Dataset, Guid, argv};

impl Archiver {
    /// Lists `root` and, with `recursive`, the datasets below it, without their snapshots; empty
    /// when `root` does not exist in a pool that does.
    ///
    /// # Errors
    /// [`Error::NoPool`], [`Error::Unreachable`] or [`Error::Listing`]: never an empty list for
    /// one that could not be read.
    pub async fn tree(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let argv = self.argv(&argv::list_datasets(root, recursive, &[listing::PASSIVE]))?;
        let mut listing = Listing::default();
        match survey::lines(self.exec, &argv, |line| listing.push(line)).await {
            Ok(()) => Ok(listing.finish()),
            Err(survey::Failure::Command(error))
                if error.stderr().contains(&format!("'{root}': dataset does not exist")) =>
            {
                self.require_pool(root.pool()).await.map(|()| Datasets::new())
            }
            Err(failure) => Err(self.failure(root, &failure)),
        }
    }

    /// These datasets with all of their snapshots and bookmarks; one that is gone is left out.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn histories(&self, datasets: Datasets) -> Result<Datasets, Error> {
        self.read_histories(datasets, false).await
    }

    async fn read_histories(&self, datasets: Datasets, detailed: bool) -> Result<Datasets, Error> {
        let Some(first) = datasets.keys().next().cloned() else { return Ok(datasets) };
        let argv = self.argv(&argv::list_histories(datasets.keys(), detailed))?;
        let read = survey::read_histories(self.exec, &argv, datasets).await;
        read.map_err(|failure| self.failure(&first, &failure))
    }

    /// Lists `root` and, with `recursive`, the datasets below it, with all of their snapshots.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn list(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let mut all = Datasets::new();
        for part in survey::in_parts(self.tree(root, recursive).await?) {
            all.extend(self.histories(part).await?);
        }
        Ok(all)
    }

    /// As [`Self::list`], with the times at which the snapshots were made.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn list_with_times(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let mut all = Datasets::new();
        for part in survey::in_parts(self.tree(root, recursive).await?) {
            all.extend(self.read_histories(part, true).await?);
        }
        Ok(all)
    }

    /// A dataset with its snapshots, if it is there.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn dataset(&self, name: &DatasetName) -> Result<Option<Dataset>, Error> {
        Ok(self.list(name, false).await?.remove(name))
    }

    /// Which of these snapshots, given as `dataset@snapshot`, are there, with their identities.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn which(&self, snapshots: &[String]) -> Result<BTreeMap<String, Guid>, Error> {
        let mut found = BTreeMap::new();
        for batch in snapshots.chunks(NAMES) {
            let argv = self.argv(&argv::list_these(batch))?;
            let listed = self.exec.lines(&argv, LISTING, |line| {
                found.extend(listed_snapshot(line).map(|(name, guid)| (name.to_owned(), guid)));
            });
            match listed.await {
                Err(error) if meaning(error.stderr()) != Some(Meaning::NoSuchDataset) => {
                    return Err(self.failure_of(&batch[0], &error));
                }
                // Those that are there are listed, whatever is not.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Proves that a pool is imported.
    ///
    /// # Errors
    /// [`Error::NoPool`], [`Error::Unreachable`] or [`Error::Listing`].
    pub async fn require_pool(&self, pool: &str) -> Result<(), Error> {
        let listed = self.run(&argv::list_pool(pool), CHANGE).await;
        listed.map(|_| ()).map_err(|error| match meaning(error.stderr()) {
            Some(Meaning::NoSuchDataset) => {
                let (archiver, pool) = (self.name().to_owned(), pool.to_owned());
                Error::NoPool { archiver, pool, detail: exec::text(error.stderr()) }
            }
            _ => self.failure_of(pool, &error),
        })
    }
}

/// The name, `dataset@snapshot`, and the identity in a line of [`argv::list_these`].
#[must_use]
pub fn listed_snapshot(line: &str) -> Option<(&str, Guid)> {
    let mut fields = line.split('\t');
    let name = fields.next().filter(|name| name.contains('@'))?;
    Some((name, Guid(fields.next()?.parse().ok()?)))
}

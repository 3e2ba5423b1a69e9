//! From both sides to jobs.
//!
//! Where the host's own cursor says what the archiver has, the archiver is only asked whether the
//! copy is there; and not even that where every dataset has such a cursor and none was made, renamed or
//! destroyed since the archiver was known to have them all. Other datasets are listed on both sides with
//! all of their snapshots, a few at a time.

use dormouse_generator::name::DatasetName;

use super::Run;
use super::batch::STREAMS;
use super::marks::Holds;
use crate::archiver::Archiver;
use crate::error::Error;
use crate::survey;
use crate::zfs::Dataset;
use crate::zfs::compare::{Finding, compare};
use crate::zfs::conflict;
use crate::zfs::cursor::Cursors;
use crate::zfs::form;
use crate::zfs::listing::Datasets;
use crate::zfs::schedule::{self, Job, carries};

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// A job for each dataset, in order.
    pub jobs: Vec<Job>,
    /// Whether the archiver was not looked at: what it refuses is planned anew.
    pub unseen: bool,
}

impl Run<'_> {
    /// What the host's cursors call for, if they are enough for all datasets.
    pub(super) fn unseen(&self, source: &Datasets) -> Result<Option<Plan>, Error> {
        let (cursors, raw) = (self.cursors(), self.replication.raw);
        let mut jobs = Vec::with_capacity(source.len());
        for dataset in source.values() {
            let job = Job::unseen(dataset, &self.target(&dataset.name)?, &cursors, raw);
            let is_short = |job: &Job| job.streams().is_none_or(|streams| streams.len() <= STREAMS);
            let Some(job) = job.filter(is_short) else { return Ok(None) };
            jobs.push(job);
        }
        schedule::sort(&mut jobs);
        Ok(Some(Plan { jobs, unseen: true }))
    }

    /// The jobs for all datasets, in order. With `losses`, which is for an audit, the cursors are not
    /// believed, and what the archiver has lost is told there. Holds that an earlier run may have left are
    /// found on the way.
    pub(super) async fn jobs(
        &self,
        archiver: &Archiver,
        source: &Datasets,
        mut losses: Option<&mut Vec<String>>,
        mut holds: Option<&mut Holds>,
    ) -> Result<Vec<Job>, Error> {
        let copies = archiver.tree(&self.replication.target, self.replication.recursive).await?;
        let (mut jobs, mut unknown, cursors) =
            (Vec::with_capacity(source.len()), Datasets::new(), self.cursors());
        for dataset in source.values() {
            let target = self.target(&dataset.name)?;
            let copy = copies.get(&target).filter(|_| losses.is_none());
            match copy.and_then(|copy| Job::by_cursor(dataset, &target, copy, &cursors)) {
                Some(job) => jobs.push(job.secret(&self.replication.target, self.replication.raw)),
                None => drop(unknown.insert(dataset.name.clone(), dataset.clone())),
            }
        }
        let mut orphans = None;
        for here in survey::in_parts(unknown) {
            let here = survey::histories(self.context.exec, self.replication, here).await?;
            if let Some(holds) = holds.as_mut() {
                holds.find(&here).await.map_err(Error::Program)?;
            }
            let mut there = Datasets::new();
            for name in here.keys() {
                let copy = copies.get_key_value(&self.target(name)?);
                there.extend(copy.map(|(name, copy)| (name.clone(), copy.clone())));
            }
            let mut there = archiver.histories(there).await?;
            let mut whole = Vec::with_capacity(here.len());
            for dataset in here.into_values() {
                let (target, carries) = (self.target(&dataset.name)?, carries(&dataset, source));
                let (root, raw) = (&self.replication.target, self.replication.raw);
                let below_raw = form::is_below_raw((&dataset.name, &target), (source, &copies), root, raw);
                let copy = there.remove(&target);
                // A dataset that was never sent from here was not renamed since.
                if copy.is_none()
                    && dataset.bookmarks.iter().any(|b| cursors.is_ours(&b.name))
                    && orphans.is_none()
                {
                    orphans = Some(self.orphans(archiver, source, &copies).await?);
                }
                let former = orphans.as_ref().filter(|_| copy.is_none());
                let former = former.and_then(|orphans| conflict::former_copy(&dataset, orphans));
                // A plain copy that was set aside for a raw one is not gone on with.
                let former = former.filter(|from| {
                    let orphan = orphans.as_ref().and_then(|orphans| orphans.get(*from));
                    !form::is_wanted(&dataset, raw)
                        || orphan.is_some_and(|copy| form::is_chain_raw(copy, root))
                });
                if let Some(losses) = losses.as_mut() {
                    losses.extend(lost(&dataset, copy.as_ref(), former, &cursors));
                }
                let job = Job::by_histories(dataset, target, copy, carries, former);
                whole.push(Job { below_raw, ..job }.secret(root, raw));
            }
            // Not one by one: what is kept must not lie between whole histories.
            jobs.extend(whole.iter().map(Job::trimmed));
        }
        schedule::sort(&mut jobs);
        Ok(jobs)
    }

    /// The copies that belong to no dataset of the host, with their snapshots. Those that were set
    /// aside with a copy above them are among them.
    async fn orphans(
        &self,
        archiver: &Archiver,
        source: &Datasets,
        copies: &Datasets,
    ) -> Result<Datasets, Error> {
        let mut orphans = copies.clone();
        for name in source.keys() {
            orphans.remove(&self.target(name)?);
        }
        archiver.histories(orphans).await
    }

    /// Where the copy of a dataset belongs.
    ///
    /// # Errors
    /// [`Error::NoTarget`] when that would be no legal name.
    pub fn target(&self, dataset: &DatasetName) -> Result<DatasetName, Error> {
        let relative = dataset.relative_to(&self.replication.source).unwrap_or_default();
        let target = self.replication.target.join(relative);
        target.map_err(|reason| Error::NoTarget { dataset: dataset.to_string(), reason })
    }

    /// The same as text, legal or not.
    pub(super) fn would_be(&self, dataset: &DatasetName) -> String {
        match dataset.relative_to(&self.replication.source) {
            None | Some("") => self.replication.target.to_string(),
            Some(relative) => format!("{}/{relative}", self.replication.target),
        }
    }
}

/// What the archiver has lost of a dataset. Where increments cannot go on, the dataset's outcome says so.
fn lost(
    dataset: &Dataset,
    copy: Option<&Dataset>,
    former: Option<&DatasetName>,
    cursors: &Cursors,
) -> Vec<String> {
    let findings = compare(dataset, copy, former, cursors).findings;
    let lost = findings.iter().filter(|finding| !matches!(finding, Finding::Parted(_)));
    lost.map(|finding| format!("{}: {finding}", dataset.name)).collect()
}

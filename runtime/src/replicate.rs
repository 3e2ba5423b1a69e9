//! One replication, from listing to acknowledgement.
//!
//! - [`outcome`]: what came of it
//! - [`dataset`]: one dataset's streams
//! - [`stream`]: one stream's bytes
//! - [`marks`]: bookmarks and holds
//! - [`advice`]: what a person can do about a dataset that did not arrive
//! - [`progress`]: what a person sees meanwhile

pub mod advice;
pub mod dataset;
pub mod marks;
pub mod outcome;
pub mod progress;
pub mod stream;

use std::collections::BTreeMap;
use std::time::Instant;

use dormouse_generator::spec::Replication;

use self::dataset::Sender;
use self::marks::Holds;
use self::outcome::{DatasetOutcome, Outcome, Result as Fate};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::lock::{self, Lock};
use crate::provider;
use crate::ssh::Connection;
use crate::survey;
use crate::zfs::cursor::{Changes, Cursors};
use crate::zfs::listing::Datasets;
use crate::zfs::schedule::{Job, schedule};

/// One replication of this host.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Where everything is.
    pub context: &'a Context,
    /// The replication's name.
    pub name: &'a str,
    /// What it says.
    pub replication: &'a Replication,
}

/// What happened to a dataset and which bookmarks were made for it.
struct Done {
    job: Job,
    outcome: DatasetOutcome,
    made: Changes,
}

impl Run<'_> {
    /// Replicates. Without `audit`, ends at once and without any network when the host's own
    /// bookmarks say that the archiver has everything.
    ///
    /// # Errors
    /// What keeps the run from beginning; a dataset's failure is in the outcome.
    pub async fn replicate(&self, audit: bool) -> Result<Outcome, Error> {
        let started = Instant::now();
        let folder = lock::folder()?;
        let _lock = Lock::take(&folder, &self.context.spec.name, self.name)?;
        let source = survey::source(self.context.exec, self.replication).await?;
        if !audit && survey::is_complete(&source, &self.cursors()) {
            return Ok(self.nothing_to_do(&source, started));
        }
        let mut archiver = self.connect().await?;
        let target = archiver.list(&self.replication.target, self.replication.recursive).await?;
        let jobs = self.schedule(&source, &target)?;
        let mut warnings = Vec::new();
        let mut holds =
            Holds::find(self.context.exec, &self.context.spec.name, &self.replication.archiver, &source)
                .await
                .map_err(Error::Program)?;
        if let Err(error) = holds.add(jobs.iter().flat_map(Job::needs).collect()).await {
            warnings.push(format!("snapshots under way are not protected from pruning: {error}"));
        }
        if target.is_empty() && jobs.iter().any(|job| job.source.newest().is_some()) {
            archiver.create_ancestors(&self.replication.target).await?;
        }
        let mut done = self.send(&mut archiver, jobs).await;
        self.acknowledge(&mut archiver, &mut done, &mut warnings).await;
        self.release(&mut holds, &done, &mut warnings).await;
        Ok(self.outcome(true, done.into_iter().map(|done| done.outcome).collect(), warnings, started))
    }

    /// The jobs that a run would do now, and the connection over which it learned of them;
    /// none when there is nothing to do.
    ///
    /// # Errors
    /// As [`Run::replicate`].
    pub async fn plan(&self) -> Result<Option<Vec<Job>>, Error> {
        let source = survey::source(self.context.exec, self.replication).await?;
        if survey::is_complete(&source, &self.cursors()) {
            return Ok(None);
        }
        let archiver = self.connect().await?;
        let target = archiver.list(&self.replication.target, self.replication.recursive).await?;
        self.schedule(&source, &target).map(Some)
    }

    /// The bookmarks that this replication keeps.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        Cursors::new(&self.context.spec.name, &self.replication.archiver)
    }

    async fn connect(&self) -> Result<Archiver, Error> {
        let endpoint = provider::endpoint(self.context, &self.replication.archiver)?;
        let control = lock::folder()?.join(control_name(&self.context.spec.name, self.name));
        let connection = Connection::open(self.context.exec, endpoint, control).await?;
        Ok(Archiver::new(self.context.exec, connection))
    }

    fn schedule(&self, source: &Datasets, target: &Datasets) -> Result<Vec<Job>, Error> {
        let Replication { source: from, target: to, .. } = self.replication;
        schedule(source, target, from, to)
            .map_err(|reason| Error::Spec(format!("replication {:?}: {reason}", self.name)))
    }

    /// Does the jobs in order. Once the connection is lost, the rest is not tried.
    async fn send(&self, archiver: &mut Archiver, jobs: Vec<Job>) -> Vec<Done> {
        let cursors = self.cursors();
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            let sender = Sender::new(self.context, self.replication, &cursors);
            let (outcome, made) = sender.send(archiver, &job).await;
            done.push(Done { job, outcome, made });
        }
        done
    }

    /// Looks at the archiver once more: a snapshot counts only when its GUID is seen there.
    async fn acknowledge(&self, archiver: &mut Archiver, done: &mut [Done], warnings: &mut Vec<String>) {
        let changed = done.iter().any(|done| matches!(done.outcome.result, Fate::Sent | Fate::Failed));
        let seen = match changed && archiver.is_alive() {
            true => archiver.list(&self.replication.target, self.replication.recursive).await,
            false => Ok(done
                .iter()
                .filter_map(|done| Some((done.job.target.clone(), done.job.copy.clone()?)))
                .collect()),
        };
        let seen = seen.unwrap_or_else(|error| {
            warnings.push(format!("what has arrived could not be checked: {error}"));
            BTreeMap::new()
        });
        for done in done {
            self.acknowledge_dataset(&seen, done, warnings).await;
        }
    }

    async fn acknowledge_dataset(&self, seen: &Datasets, done: &mut Done, warnings: &mut Vec<String>) {
        let Some(newest) = done.job.source.newest() else { return };
        let arrived = seen.get(&done.job.target).is_some_and(|copy| copy.snapshot(newest.guid).is_some());
        done.outcome.confirm(arrived);
        if !arrived || done.outcome.result == Fate::Refused {
            return;
        }
        let changes = self.cursors().after_receive(&done.job.source, newest, &done.made);
        if let Err(error) = marks::apply(self.context.exec, &done.job.source.name, &changes).await {
            warnings.push(format!("the next run will ask the archiver again: {error}"));
        }
    }

    /// Keeps the holds of failed datasets, which a later run resumes.
    async fn release(&self, holds: &mut Holds, done: &[Done], warnings: &mut Vec<String>) {
        let failed = |dataset: &str| {
            done.iter().any(|done| done.outcome.dataset == dataset && done.outcome.result == Fate::Failed)
        };
        if let Err(error) = holds.release(|dataset| !failed(dataset)).await {
            warnings.push(format!("snapshots stay held: {error}"));
        }
    }

    fn nothing_to_do(&self, source: &Datasets, started: Instant) -> Outcome {
        let outcome = |dataset: &crate::zfs::Dataset| {
            let target = self
                .replication
                .target
                .join(dataset.name.relative_to(&self.replication.source).unwrap_or_default());
            let target = target.map(|name| name.to_string()).unwrap_or_default();
            let fate = if dataset.newest().is_some() { Fate::UpToDate } else { Fate::NoSnapshots };
            DatasetOutcome::new(dataset, target, fate)
        };
        self.outcome(false, source.values().map(outcome).collect(), vec![], started)
    }

    fn outcome(
        &self,
        contacted: bool,
        datasets: Vec<DatasetOutcome>,
        warnings: Vec<String>,
        started: Instant,
    ) -> Outcome {
        Outcome {
            replication: self.name.to_owned(),
            archiver: self.replication.archiver.clone(),
            contacted,
            bytes: datasets.iter().map(|dataset| dataset.bytes).sum(),
            datasets,
            seconds: started.elapsed().as_secs_f64(),
            warnings,
        }
    }
}

/// The name of a run's ssh socket. It is short, since a Unix socket's path has at most 107 bytes,
/// of which ssh takes 17 for a suffix of its own; and it is the same in every run of a
/// replication, so that what a killed run left is found.
fn control_name(spec: &str, replication: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (spec, replication).hash(&mut hasher);
    format!("{:016x}.ssh", hasher.finish())
}

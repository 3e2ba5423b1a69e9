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

use std::time::Instant;

use dormouse_generator::spec::Replication;

use self::dataset::Sender;
use self::marks::Holds;
use self::outcome::{DatasetOutcome, Outcome, Result as Fate};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::folder;
use crate::lock::Lock;
use crate::output::count;
use crate::provider::session::Sessions;
use crate::survey;
use crate::zfs::Dataset;
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

impl<'a> Run<'a> {
    /// Replicates. Without `audit`, ends at once and without any network when the host's own
    /// bookmarks say that the archiver has everything.
    ///
    /// # Errors
    /// What keeps the run from beginning; a dataset's failure is in the outcome.
    pub async fn replicate(&self, sessions: &mut Sessions<'a>, audit: bool) -> Result<Outcome, Error> {
        let started = Instant::now();
        let _lock = Lock::take(&folder::runtime()?, &self.context.spec.name, self.name)?;
        let source = survey::source(self.context.exec, self.replication).await?;
        if !audit && survey::is_complete(&source, &self.cursors()) {
            return Ok(self.outcome(self.known(&source), started));
        }
        let archiver = sessions.get(&self.replication.archiver).await?;
        let jobs = self.jobs(archiver, &source).await?;
        let mut warnings = Vec::new();
        let mut holds = self.hold(&source, &jobs, &mut warnings).await?;
        let mut done = self.send(archiver, jobs).await?;
        let connection_lost = !archiver.is_alive();
        self.acknowledge(archiver, &mut done, &mut warnings).await;
        self.release(&mut holds, &done, &mut warnings).await;
        let datasets = done.into_iter().map(|done| done.outcome).collect();
        Ok(Outcome { contacted: true, connection_lost, warnings, ..self.outcome(datasets, started) })
    }

    /// The jobs that a run would do now; none when the host knows that there are none.
    ///
    /// # Errors
    /// As [`Run::replicate`].
    pub async fn plan(&self, sessions: &mut Sessions<'a>) -> Result<Vec<Job>, Error> {
        let source = survey::source(self.context.exec, self.replication).await?;
        if survey::is_complete(&source, &self.cursors()) {
            return Ok(vec![]);
        }
        self.jobs(sessions.get(&self.replication.archiver).await?, &source).await
    }

    /// The bookmarks that this replication keeps.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        Cursors::new(&self.context.spec.name, &self.replication.archiver)
    }

    async fn jobs(&self, archiver: &Archiver, source: &Datasets) -> Result<Vec<Job>, Error> {
        let Replication { source: from, target: to, recursive, .. } = self.replication;
        let target = archiver.list(to, *recursive).await?;
        let too_long = |reason| Error::Spec(format!("replication {:?}: {reason}", self.name));
        schedule(source, &target, from, to).map_err(too_long)
    }

    async fn hold(
        &self,
        source: &Datasets,
        jobs: &[Job],
        warnings: &mut Vec<String>,
    ) -> Result<Holds, Error> {
        let (exec, spec) = (self.context.exec, &self.context.spec.name);
        let found = Holds::find(exec, spec, &self.replication.archiver, source).await;
        let mut holds = found.map_err(Error::Program)?;
        if let Err(error) = holds.add(jobs.iter().flat_map(Job::needs).collect()).await {
            warnings.push(format!("snapshots under way are not protected from pruning: {error}"));
        }
        Ok(holds)
    }

    /// Does the jobs in order.
    async fn send(&self, archiver: &mut Archiver, jobs: Vec<Job>) -> Result<Vec<Done>, Error> {
        let busy = jobs.iter().filter(|job| job.does_something()).count();
        if busy > 0 {
            self.context.say(&format!(
                "{}: {} to {}",
                self.name,
                count(busy, "dataset"),
                self.replication.archiver
            ));
            archiver.create_ancestors(&self.replication.target, &jobs).await?;
        }
        let (cursors, mut done) = (self.cursors(), Vec::with_capacity(jobs.len()));
        for job in jobs {
            let sender = Sender::new(self.context, self.replication, &cursors);
            let (outcome, made) = sender.send(archiver, &job).await;
            done.push(Done { job, outcome, made });
        }
        Ok(done)
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
            Datasets::new()
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

    /// The outcomes of datasets that the archiver is known to have.
    fn known(&self, source: &Datasets) -> Vec<DatasetOutcome> {
        let outcome = |dataset: &Dataset| {
            let relative = dataset.name.relative_to(&self.replication.source).unwrap_or_default();
            let target = self.replication.target.join(relative).map(|name| name.to_string());
            let fate = if dataset.newest().is_some() { Fate::UpToDate } else { Fate::NoSnapshots };
            DatasetOutcome::new(dataset, target.unwrap_or_default(), fate)
        };
        source.values().map(outcome).collect()
    }

    fn outcome(&self, datasets: Vec<DatasetOutcome>, started: Instant) -> Outcome {
        Outcome {
            replication: self.name.to_owned(),
            archiver: self.replication.archiver.clone(),
            contacted: false,
            connection_lost: false,
            bytes: datasets.iter().map(|dataset| dataset.bytes).sum(),
            datasets,
            seconds: started.elapsed().as_secs_f64(),
            warnings: vec![],
        }
    }
}

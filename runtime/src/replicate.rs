//! One replication, from listing to acknowledgement.
//!
//! - [`outcome`]: what came of it
//! - [`planning`]: both sides to jobs
//! - `settling`: when the host may remember that the archiver has it all
//! - `sending`: in which order and company they are sent
//! - [`batch`]: many small ones together
//! - [`rest`]: all others, several at once, in an order in which each finds its place
//! - [`lanes`]: connections for large streams
//! - [`dataset`], [`stop`]: one dataset by itself, and what can keep it from arriving
//! - [`stream`], `pump`, [`limit`]: streams, their bytes on the way, and how fast they may go
//! - [`take`]: a stream from the archiver, inspected before anything receives it
//! - [`properties`]: keeps what was set on datasets
//! - [`acknowledge`], [`meanwhile`]: what has arrived, in the end and before
//! - [`marks`]: bookmarks and holds
//! - [`follow`]: deletes what the host has deleted
//! - [`advice`]: what a person can do about a dataset that did not arrive
//! - [`progress`]: what a person sees meanwhile
//! - [`sides`]: all that both sides have

pub mod acknowledge;
pub mod advice;
pub mod batch;
pub mod dataset;
pub mod follow;
pub mod lanes;
pub mod limit;
pub mod marks;
pub mod meanwhile;
pub mod outcome;
pub mod planning;
pub mod progress;
pub mod properties;
mod pump;
pub mod rest;
mod sending;
mod settling;
pub mod sides;
pub mod stop;
pub mod stream;
pub mod take;

use std::fmt::Display;
use std::pin::pin;
use std::time::{Duration, Instant};

use dormouse_generator::spec::Replication;
use jiff::Timestamp;

use self::marks::Holds;
use self::outcome::{DatasetOutcome, Outcome, Result as Fate};
use self::planning::Plan;
use self::sending::{Shipment, Shipped};
use self::settling::Settling;
use self::stream::Bounds;
use crate::context::Context;
use crate::error::Error;
use crate::folder;
use crate::lock::Lock;
use crate::output::count;
use crate::provider::session::Sessions;
use crate::report::clock::Phase;
use crate::restore::host;
use crate::survey;
use crate::zfs::cursor::{Changes, Cursors};
use crate::zfs::listing::Datasets;
use crate::zfs::mark::{self, Mark};
use crate::zfs::schedule::Job;
use crate::zfs::{Dataset, argv};

/// How long a change of a property may take.
const CHANGE: Duration = Duration::from_secs(600);

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
    /// None where the host's pool takes no bookmarks now.
    made: Option<Changes>,
    /// Whether the archiver was seen to have it, and its bookmarks say so.
    acknowledged: bool,
}

/// What the host has.
struct Survey {
    datasets: Datasets,
    /// What to remember once the archiver has it all.
    mark: Settling,
    /// Whether that is known to be so already.
    complete: bool,
    /// Whether every copy is known to be where it belongs.
    settled: bool,
    /// What is not sent as it is.
    refused: Vec<DatasetOutcome>,
}

impl<'a> Run<'a> {
    /// Replicates. Without `audit`, ends at once and without any network when the host's own marks
    /// say that the archiver has everything.
    ///
    /// # Errors
    /// What keeps the run from beginning; a dataset's failure is in the outcome.
    pub async fn replicate(
        &self,
        sessions: &mut Sessions<'a>,
        audit: bool,
        bounds: &Bounds,
    ) -> Result<Outcome, Error> {
        let started = Instant::now();
        let _lock = Lock::take(&folder::runtime()?, &self.context.spec.name, self.name)?;
        let Survey { datasets, mark, complete, settled, refused } = self.survey(sessions, audit).await?;
        let mut warnings = Vec::new();
        if complete {
            let mark = mark.settled(self.context.exec, self.replication).await;
            let outcomes: Vec<_> = self.known(&datasets).into_iter().chain(refused).collect();
            if outcomes.iter().all(DatasetOutcome::is_complete) {
                self.remember(mark, &datasets, &mut warnings).await;
            }
            return Ok(Outcome { warnings, ..self.outcome(outcomes, started) });
        }
        let archiver = sessions.get(&self.replication.archiver).await?;
        let mut holds = Holds::new(self.context.exec, &self.context.spec.name, &self.replication.archiver);
        let losses = audit.then_some(&mut warnings);
        let unseen = if settled { self.unseen(&datasets)? } else { None };
        let plan = match unseen {
            Some(plan) => plan,
            None => {
                let jobs = self.jobs(archiver, &datasets, losses, Some(&mut holds)).await?;
                Plan { jobs, unseen: false }
            }
        };
        self.context.clock.enter(Phase::Send);
        let mut shipment =
            Shipment { run: self, source: &datasets, bounds, holds: &mut holds, warnings: &mut warnings };
        let mark = mark.settled(self.context.exec, self.replication);
        let (sent, mark) = tokio::join!(shipment.send(archiver, plan), mark);
        let Shipped { mut done, pool } = sent?;
        self.acknowledge(archiver, &mut done, &mut holds, &mut warnings).await;
        // After that question: if the network is gone, other connections may have broken before this one.
        let connection_lost = !archiver.is_alive();
        self.keep_what_was_set(archiver, &done, audit, &mut warnings).await;
        if self.replication.follow_delete && archiver.is_alive() {
            let complete = done.iter().filter(|done| done.outcome.is_complete());
            let complete = complete.map(|done| (done.job.source.name.clone(), done.job.source.clone()));
            if let Err(error) = self.follow_deletes(archiver, complete.collect()).await {
                warnings.push(format!("what the host has deleted stays on the archiver: {error}"));
            }
        }
        if let Some(pool) = pool {
            sessions.saw(&self.replication.archiver, pool);
        }
        let is_marked = done.iter().all(|done| done.made.is_some());
        let outcomes: Vec<_> = done.into_iter().map(|done| done.outcome).chain(refused).collect();
        if is_marked && outcomes.iter().all(DatasetOutcome::is_complete) {
            self.remember(mark, &datasets, &mut warnings).await;
        }
        Ok(Outcome { contacted: true, connection_lost, warnings, ..self.outcome(outcomes, started) })
    }

    /// The jobs that a run would do now; none when the host knows that there are none.
    ///
    /// # Errors
    /// As [`Run::replicate`].
    pub async fn plan(&self, sessions: &mut Sessions<'a>) -> Result<Vec<Job>, Error> {
        let survey = self.survey(sessions, false).await?;
        for refused in survey.refused {
            let message = refused.message.unwrap_or_default();
            self.context.say(&format!("  {}: not sent: {message}", refused.dataset));
        }
        if survey.complete {
            return Ok(vec![]);
        }
        self.jobs(sessions.get(&self.replication.archiver).await?, &survey.datasets, None, None).await
    }

    /// Whether another run of this replication holds its lock.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let lock =
            folder::runtime().and_then(|folder| Lock::take(&folder, &self.context.spec.name, self.name));
        matches!(lock, Err(Error::Locked { .. }))
    }

    /// The bookmarks that this replication keeps.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        Cursors::new(&self.context.spec.name, &self.replication.archiver)
    }

    /// The property that holds its mark.
    #[must_use]
    pub fn mark_property(&self) -> String {
        mark::property(&self.context.spec.name, &self.replication.archiver, self.name)
    }

    /// Lists the datasets, and their snapshots unless the mark says that nothing has changed. When
    /// something has, the archiver is likely to be asked next.
    async fn survey(&self, sessions: &mut Sessions<'a>, audit: bool) -> Result<Survey, Error> {
        let exec = self.context.exec;
        let survey::Tree { datasets, mark } =
            survey::tree(exec, self.replication, &self.mark_property()).await?;
        let is_valid = |mark: &String| Mark::is_valid(mark, &datasets, self.replication, now());
        if !audit && mark.as_ref().is_some_and(is_valid) {
            let mark = Settling::default();
            return Ok(Survey { datasets, mark, complete: true, settled: true, refused: vec![] });
        }
        let is_elsewhere = |mark: &String| Mark::is_elsewhere(mark, self.replication);
        let is_elsewhere = mark.as_ref().is_some_and(is_elsewhere);
        let is_of = |mark: &String| Mark::is_of(mark, &datasets, self.replication);
        let settled = !audit && mark.as_ref().is_some_and(is_of);
        let may_ask = audit || mark.is_some();
        let mut listing = pin!(self.recent(datasets));
        let mut connecting = pin!(sessions.prepare(&self.replication.archiver));
        let mut is_connected = !may_ask;
        let (mark, mut datasets) = loop {
            tokio::select! {
                listed = &mut listing => break listed?,
                () = &mut connecting, if !is_connected => is_connected = true,
            }
        };
        let refused = self.take_refused(&mut datasets).await?;
        let complete = !audit && !is_elsewhere && survey::is_complete(&datasets, &self.cursors());
        // Who has nothing to ask waits for no answer.
        if !complete && !is_connected {
            connecting.await;
        }
        Ok(Survey { datasets, mark, complete, settled, refused })
    }

    /// The snapshots that matter, and the mark that says so.
    async fn recent(&self, datasets: Datasets) -> Result<(Settling, Datasets), Error> {
        let mark = Settling::begin(&datasets, self.replication);
        let (exec, cursors) = (self.context.exec, self.cursors());
        let (datasets, fingerprint) = survey::recent(exec, self.replication, datasets, &cursors).await?;
        Ok((mark.listed(fingerprint), datasets))
    }

    /// Takes out what an interrupted restore has left, for half of a history is nothing to send, and what
    /// could have no name on the archiver.
    async fn take_refused(&self, datasets: &mut Datasets) -> Result<Vec<DatasetOutcome>, Error> {
        let unfinished = host::unfinished(self.context.exec, &self.replication.source, datasets).await?;
        let unfinished = unfinished.into_iter().map(|name| {
            let help = format!("nothing was changed; go on with that restore: `dormouse restore {name}`");
            (name, "an interrupted restore has left it unfinished".to_owned(), help)
        });
        let nameless = datasets.keys().filter_map(|name| {
            let error = self.target(name).err()?;
            Some((name.clone(), error.to_string(), error.help()))
        });
        let refused: Vec<_> = unfinished.chain(nameless).collect();
        let outcome = |(name, message, help)| {
            let dataset = datasets.remove(&name)?;
            let outcome = DatasetOutcome::new(&dataset, self.would_be(&name), Fate::Refused);
            Some(DatasetOutcome { message: Some(message), help: Some(help), ..outcome })
        };
        Ok(refused.into_iter().filter_map(outcome).collect())
    }

    /// Leaves the mark of a tree that the archiver has.
    async fn remember(&self, mark: Option<Mark>, datasets: &Datasets, warnings: &mut Vec<String>) {
        let Some(mark) = mark else { return };
        let (exec, source) = (self.context.exec, &self.replication.source);
        if datasets.values().any(|dataset| dataset.changed.is_none()) {
            // No time means that nothing has changed, or that this pool does not keep times.
            let feature = exec.run(&argv::keeps_times(source.pool()), CHANGE).await;
            if !feature.is_ok_and(|state| matches!(state.trim(), "enabled" | "active")) {
                return;
            }
        }
        let set = argv::set(source, &self.mark_property(), &mark.to_string());
        if let Err(error) = exec.run(&set, CHANGE).await {
            let right = "`userprop` among its rights (`zfs allow`) spares that";
            warnings.push(format!("the next run will list all snapshots again: {error}; {right}"));
        }
    }

    /// The outcomes of datasets that the archiver is known to have.
    fn known(&self, source: &Datasets) -> Vec<DatasetOutcome> {
        let outcome =
            |dataset: &Dataset| DatasetOutcome::new(dataset, self.would_be(&dataset.name), Fate::UpToDate);
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

/// The warning about bookmarks that do not say yet what the archiver has.
fn unacknowledged<E: Display>(errors: impl IntoIterator<Item = E>) -> Option<String> {
    let mut errors = errors.into_iter();
    let (first, others) = (errors.next()?, errors.count());
    let others =
        if others > 0 { format!(", and so for {}", count(others, "more dataset")) } else { String::new() };
    Some(format!("the next run will ask the archiver again: {first}{others}"))
}

/// Seconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_second()
}

//! One dataset's way to the archiver: resume what was begun, then send the rest.

use std::time::{Duration, Instant};

use dormouse_generator::spec::{Raw, Replication};

use super::advice;
use super::marks;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::progress::Progress;
use super::stream::{self, Broken};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::exec;
use crate::output::{count, human_age, human_bytes};
use crate::zfs::cursor::{Changes, Cursors};
use crate::zfs::plan::{Decision, Refusal, Stream, decide};
use crate::zfs::schedule::Job;
use crate::zfs::stderr::Meaning;
use crate::zfs::token::{Stale, Token};
use crate::zfs::{Dataset, argv, estimate};

/// How long an estimate may take.
pub const ESTIMATE: Duration = Duration::from_secs(600);

/// How often, and after what pause, a dataset is tried again that the archiver calls busy. It is
/// for as long as the receive of a run that was killed has not noticed the end of its stream.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Rounds of resuming. One ends a partial receive; a second is for what another sender left
/// meanwhile.
const ROUNDS: u32 = 2;

/// Why a dataset did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A person has to decide.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A stream broke.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Something around the streams failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Resuming did not end the partial receive.
    #[error("the archiver still keeps a partial receive of it")]
    StillPartial,
}

impl Stop {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Broken(Broken::Receive { meaning: Some(Meaning::Busy), .. }))
    }
}

/// Sends datasets of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    context: &'a Context,
    replication: &'a Replication,
    cursors: &'a Cursors,
}

/// Whether a dataset is sent raw: only an encrypted one can be.
#[must_use]
pub fn is_raw(dataset: &Dataset, raw: Raw) -> bool {
    dataset.encrypted && raw != Raw::Never
}

impl<'a> Sender<'a> {
    /// A sender for one replication.
    #[must_use]
    pub fn new(context: &'a Context, replication: &'a Replication, cursors: &'a Cursors) -> Self {
        Self { context, replication, cursors }
    }

    /// Does a job; returns what came of it and the bookmarks that were made for it.
    pub async fn send(&self, archiver: &mut Archiver, job: &Job) -> (DatasetOutcome, Changes) {
        let mut outcome = DatasetOutcome::new(&job.source, job.target.to_string(), Fate::Failed);
        let mut made = Changes::default();
        match self.work(archiver, job, &mut outcome, &mut made).await {
            Ok(fate) => outcome.result = fate,
            Err(stop) => {
                outcome.result = if advice::needs_a_person(&stop) { Fate::Refused } else { Fate::Failed };
                outcome.message = Some(stop.to_string());
                outcome.help = Some(advice::help(&stop, job, archiver.endpoint()));
            }
        }
        (outcome, made)
    }

    async fn work(
        &self,
        archiver: &mut Archiver,
        job: &Job,
        outcome: &mut DatasetOutcome,
        made: &mut Changes,
    ) -> Result<Fate, Stop> {
        match &job.decision {
            Decision::NothingToSend => return Ok(Fate::NoSnapshots),
            Decision::UpToDate(_) => return Ok(Fate::UpToDate),
            Decision::Refused(refusal) => return Err(refusal.clone().into()),
            Decision::Placeholder | Decision::Resume { .. } | Decision::Send(_) => {}
        }
        if !archiver.is_alive() {
            return Err(Broken::Connection("it was lost before this dataset's turn".to_owned()).into());
        }
        if job.decision == Decision::Placeholder {
            archiver.create_placeholder(&job.target).await?;
            return Ok(Fate::NoSnapshots);
        }
        self.announce(job, made).await?;
        self.deliver(archiver, job, outcome).await?;
        Ok(Fate::Sent)
    }

    /// Bookmarks what is about to be sent.
    async fn announce(&self, job: &Job, made: &mut Changes) -> Result<(), Error> {
        let Some(newest) = job.source.newest() else { return Ok(()) };
        let changes = self.cursors.before_send(&job.source, newest);
        marks::apply(self.context.exec, &job.source.name, &changes).await.map_err(Error::Program)?;
        *made = changes;
        Ok(())
    }

    async fn deliver(
        &self,
        archiver: &Archiver,
        job: &Job,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let mut decision = job.decision.clone();
        for _ in 0..BUSY_TRIES {
            match self.attempt(archiver, job, decision, outcome).await {
                Err(stop) if stop.is_busy() => {
                    self.context
                        .say(&format!("  {}: the archiver is busy with it; waiting", job.source.name));
                    archiver.end_stale_receive(&job.target, job.source.kind).await?;
                    tokio::time::sleep(BUSY_PAUSE).await;
                    decision = self.decide_anew(archiver, job).await?;
                }
                Err(stop) => return Err(stop),
                Ok(()) => {
                    self.report(outcome, started);
                    return Ok(());
                }
            }
        }
        self.attempt(archiver, job, decision, outcome).await
    }

    async fn attempt(
        &self,
        archiver: &Archiver,
        job: &Job,
        decision: Decision,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        for stream in self.resume(archiver, job, decision, outcome).await? {
            self.stream(archiver, job, &stream, outcome).await?;
        }
        Ok(())
    }

    async fn decide_anew(&self, archiver: &Archiver, job: &Job) -> Result<Decision, Stop> {
        let now = archiver.list(&job.target, false).await?;
        Ok(decide(&job.source, now.get(&job.target)))
    }

    /// Finishes or gives up a partial receive, until none is left; returns what else is to send.
    async fn resume(
        &self,
        archiver: &Archiver,
        job: &Job,
        mut decision: Decision,
        outcome: &mut DatasetOutcome,
    ) -> Result<Vec<Stream>, Stop> {
        for _ in 0..=ROUNDS {
            match decision {
                Decision::Send(streams) => return Ok(streams),
                Decision::Refused(refusal) => return Err(refusal.into()),
                Decision::UpToDate(_) | Decision::NothingToSend | Decision::Placeholder => return Ok(vec![]),
                Decision::Resume { token } => self.take_up(archiver, job, &token, outcome).await?,
            }
            decision = self.decide_anew(archiver, job).await?;
        }
        Err(Stop::StillPartial)
    }

    async fn take_up(
        &self,
        archiver: &Archiver,
        job: &Job,
        token: &str,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let said = self.context.exec.run(&argv::inspect_token(token), ESTIMATE).await;
        let text = said.as_deref().unwrap_or_else(|error| error.stderr());
        let read = Token::read(text).ok_or_else(|| Stale::Unreadable(exec::text(text)));
        let raw = is_raw(&job.source, self.replication.raw);
        let name = &job.source.name;
        match read.and_then(|read| read.check(&job.source, raw).map(|()| read)) {
            Ok(Token { to_name, bytes, .. }) => {
                let kept = human_bytes(bytes);
                self.context.say(&format!("  {name}: resuming {to_name}; the archiver keeps {kept} of it"));
                self.carry(archiver, job, &argv::resume(token), estimate::read(text), outcome).await?;
                outcome.resumed = true;
                outcome.snapshots += 1;
            }
            Err(stale) => {
                self.context.say(&format!("  {name}: the archiver's partial receive is given up: {stale}"));
                archiver.abandon(&job.target).await?;
            }
        }
        Ok(())
    }

    async fn stream(
        &self,
        archiver: &Archiver,
        job: &Job,
        stream: &Stream,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let raw = is_raw(&job.source, self.replication.raw);
        // Nobody waits for an estimate that nobody sees.
        let total = match self.context.shows_progress {
            true => {
                self.context.exec.run(&argv::estimate(&job.source.name, stream, raw), ESTIMATE).await.ok()
            }
            false => None,
        };
        let total = total.as_deref().and_then(estimate::read);
        self.carry(archiver, job, &argv::send(&job.source.name, stream, raw), total, outcome).await?;
        outcome.snapshots += stream.count();
        Ok(())
    }

    async fn carry(
        &self,
        archiver: &Archiver,
        job: &Job,
        send: &[String],
        total: Option<u64>,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let progress = match self.context.shows_progress {
            true => Progress::bar(job.source.name.as_str(), total),
            false => Progress::quiet(),
        };
        let receive = archiver.argv(&argv::receive(&job.target, job.source.kind))?;
        let result = stream::run(self.context.exec, send, &receive, progress.counter()).await;
        outcome.bytes += progress.bytes();
        Ok(result?)
    }

    fn report(&self, outcome: &DatasetOutcome, started: Instant) {
        let newest = outcome.newest.as_deref().unwrap_or_default();
        self.context.say(&format!(
            "  {}: {} up to @{newest}, {} in {}",
            outcome.dataset,
            count(outcome.snapshots, "snapshot"),
            human_bytes(outcome.bytes),
            human_age(started.elapsed().as_secs_f64().ceil() as i64)
        ));
    }
}

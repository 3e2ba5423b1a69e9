//! One dataset's way to the archiver: resume what was begun, then send the rest.

use std::time::Duration;

use dormouse_generator::spec::{Raw, Replication};

use super::advice;
use super::marks;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::progress::Progress;
use super::stream::{self, Broken};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::output::human_bytes;
use crate::zfs::cursor::{Changes, Cursors};
use crate::zfs::plan::{Decision, Refusal, Stream, decide};
use crate::zfs::schedule::Job;
use crate::zfs::token::{Stale, Token};
use crate::zfs::{Dataset, argv, estimate};

/// How long an estimate may take.
const ESTIMATE: Duration = Duration::from_secs(600);

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
        let streams = self.resume(archiver, job, outcome).await?;
        for stream in &streams {
            self.stream(archiver, job, stream, outcome).await?;
        }
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

    /// Finishes or gives up a partial receive, until none is left; returns what else is to send.
    async fn resume(
        &self,
        archiver: &mut Archiver,
        job: &Job,
        outcome: &mut DatasetOutcome,
    ) -> Result<Vec<Stream>, Stop> {
        let mut decision = job.decision.clone();
        // One round ends a partial receive; a second one is for what another sender left meanwhile.
        for _ in 0..3 {
            match decision {
                Decision::Send(streams) => return Ok(streams),
                Decision::Refused(refusal) => return Err(refusal.into()),
                Decision::UpToDate(_) | Decision::NothingToSend | Decision::Placeholder => return Ok(vec![]),
                Decision::Resume { token } => self.take_up(archiver, job, &token, outcome).await?,
            }
            let now = archiver.list(&job.target, false).await?;
            decision = decide(&job.source, now.get(&job.target));
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
        let read = Token::read(text).ok_or_else(|| Stale::Unreadable(crate::exec::text(text)));
        let raw = is_raw(&job.source, self.replication.raw);
        match read.and_then(|read| read.check(&job.source, raw).map(|()| read)) {
            Ok(Token { to_name, bytes, .. }) => {
                let kept = human_bytes(bytes);
                self.say(&format!(
                    "  {}: resuming {to_name}; the archiver keeps {kept} of it",
                    job.source.name
                ));
                self.carry(archiver, job, &argv::resume(token), estimate::read(text), outcome).await?;
                outcome.snapshots += 1;
            }
            Err(stale) => {
                self.say(&format!(
                    "  {}: the archiver's partial receive is given up: {stale}",
                    job.source.name
                ));
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

    fn say(&self, text: &str) {
        if !self.context.json {
            eprintln!("{text}");
        }
    }
}

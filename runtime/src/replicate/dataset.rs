//! One dataset's way to the archiver: resume what was begun, then send the rest.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::{OnConflict, Replication};
use jiff::Timestamp;

use super::advice;
use super::batch::STREAMS;
use super::lanes::Lanes;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::progress::Progress;
use super::stop::Stop;
use super::stream::{self, Bounds, Broken, Sending};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::output::{count, human_age, human_bytes};
use crate::survey;
use crate::zfs::argv::Make;
use crate::zfs::conflict::{self, Move};
use crate::zfs::listing::Datasets;
use crate::zfs::plan::{Decision, Refusal, Stream, decide};
use crate::zfs::schedule::Job;
use crate::zfs::token::Token;
use crate::zfs::{Dataset, argv, estimate, form};

/// How long an estimate may take.
pub const ESTIMATE: Duration = Duration::from_secs(600);

/// Most streams whose sizes are estimated: a first one and the run over the rest.
const ESTIMATES: usize = 2;

/// How often, and after what pause, a dataset is tried again that the archiver calls busy. It is
/// for as long as the receive of a run that was killed has not noticed the end of its stream.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Rounds of resuming. One ends a partial receive; a second is for what another sender left
/// meanwhile.
const ROUNDS: u32 = 2;

/// Sends datasets of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    context: &'a Context,
    replication: &'a Replication,
    bounds: &'a Bounds,
    lanes: &'a Lanes<'a>,
}

impl<'a> Sender<'a> {
    /// A sender for one replication.
    #[must_use]
    pub fn new(
        context: &'a Context,
        replication: &'a Replication,
        bounds: &'a Bounds,
        lanes: &'a Lanes<'a>,
    ) -> Self {
        Self { context, replication, bounds, lanes }
    }

    /// Whether a job does anything on the archiver.
    #[must_use]
    pub fn is_busy(&self, job: &Job) -> bool {
        job.sends(self.sets_aside()) || job.does_something()
    }

    fn owns_mounts(&self) -> bool {
        self.context.owns_mounts(self.replication)
    }

    /// The job that both sides call for by now.
    ///
    /// # Errors
    /// When one cannot be listed.
    pub async fn anew(&self, archiver: &Archiver, job: Job) -> Result<Job, Error> {
        let (source, copy) = (self.source_now(&job).await?, archiver.dataset(&job.target).await?);
        Ok(match source {
            Some(source) => {
                let below_raw = job.below_raw;
                let anew = Job::by_histories(source, job.target, copy, false, None);
                let anew = anew.secret(&self.replication.target, self.replication.raw);
                Job { below_raw, ..anew.trimmed() }
            }
            None => Job { decision: Decision::NothingToSend, ..job },
        })
    }

    /// Does a job by itself.
    pub async fn send(&self, archiver: &Archiver, job: &Job) -> DatasetOutcome {
        let mut outcome = DatasetOutcome::new(&job.source, job.target.to_string(), Fate::Failed);
        match self.work(archiver, job, &mut outcome).await {
            Ok(fate) => outcome.result = fate,
            Err(stop) => {
                outcome.result = match stop.is_locked() {
                    true => Fate::Locked,
                    false if advice::needs_a_person(&stop) => Fate::Refused,
                    false => Fate::Failed,
                };
                outcome.message = Some(stop.to_string());
                outcome.help = Some(advice::help(&stop, job, archiver.endpoint()));
            }
        }
        outcome
    }

    async fn work(&self, archiver: &Archiver, job: &Job, outcome: &mut DatasetOutcome) -> Result<Fate, Stop> {
        match &job.decision {
            Decision::NothingToSend => return Ok(Fate::NoSnapshots),
            Decision::UpToDate(_) => return Ok(Fate::UpToDate),
            Decision::Refused(refusal) if !self.sets_aside() => return Err(refusal.clone().into()),
            Decision::Placeholder | Decision::Resume { .. } | Decision::Send(_) | Decision::Refused(_) => {}
        }
        if !archiver.is_alive() {
            return Err(Broken::Connection("it was lost before this dataset's turn".to_owned()).into());
        }
        if job.decision == Decision::Placeholder {
            let make = Make { passive: !self.owns_mounts(), keyless: job.below_raw };
            archiver.create_placeholder(&job.target, make).await?;
            return Ok(Fate::NoSnapshots);
        }
        let delivered = match job.decision.clone() {
            Decision::Refused(refusal) => Err(refusal.into()),
            decision => self.deliver(archiver, job, decision, outcome).await,
        };
        match delivered {
            Err(stop) if self.sets_aside() && advice::needs_a_person(&stop) => {
                self.solve(archiver, job, stop, outcome).await?;
            }
            delivered => delivered?,
        }
        Ok(Fate::Sent)
    }

    fn sets_aside(&self) -> bool {
        self.replication.on_conflict == OnConflict::SetAside
    }

    /// Makes way as little as may do, and if that does not, for the whole: one name that is taken may be the
    /// first sign of another history.
    async fn solve(
        &self,
        archiver: &Archiver,
        job: &Job,
        stop: Stop,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let at = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let whole = conflict::set_aside(&job.target, &at);
        let little = match &stop {
            Stop::Refused(refusal) => conflict::way_out(refusal, &job.target, &at),
            _ => Some(whole.clone()),
        };
        let Some(little) = little else { return Err(stop) };
        match self.make_way(archiver, job, &stop, &little, outcome).await {
            Err(stop) if advice::needs_a_person(&stop) && little != whole => {
                self.make_way(archiver, job, &stop, &whole, outcome).await
            }
            made => made,
        }
    }

    /// Renames what is in the way, then sends. What lies below a copy that was set aside belongs to
    /// other datasets of the host: it comes back to its place.
    async fn make_way(
        &self,
        archiver: &Archiver,
        job: &Job,
        stop: &Stop,
        moved: &Move,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let name = &job.source.name;
        // With the copy of a dataset above, this one may have come to its place already.
        let is_there = matches!(stop, Stop::Refused(Refusal::Renamed { .. }))
            && archiver.dataset(&job.target).await?.is_some();
        if !is_there {
            self.context.say(&format!("  {name}: {stop}; renaming {} to {}", moved.from, moved.to));
            archiver.rename(moved).await?;
        }
        let words = format!("{stop}; {} was renamed to {}", moved.from, moved.to);
        let told = outcome.message.take().into_iter().chain([words]);
        outcome.message = Some(told.collect::<Vec<_>>().join("; "));
        let decision = self.decide_anew(archiver, job).await?;
        self.deliver(archiver, job, decision, outcome).await?;
        if moved.from == job.target.as_str() {
            self.bring_back(archiver, &job.target, moved).await?;
        }
        Ok(())
    }

    async fn bring_back(&self, archiver: &Archiver, target: &DatasetName, moved: &Move) -> Result<(), Stop> {
        let aside = DatasetName::new(moved.to.clone()).map_err(Error::Argument)?;
        let children = archiver.tree(&aside, true).await?;
        for child in children.keys().filter(|child| child.parent().as_ref() == Some(&aside)) {
            let relative = child.relative_to(&aside).unwrap_or_default();
            archiver.rename(&Move { from: child.to_string(), to: format!("{target}/{relative}") }).await?;
        }
        Ok(())
    }

    async fn deliver(
        &self,
        archiver: &Archiver,
        job: &Job,
        mut decision: Decision,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let started = Instant::now();
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
                    report(self.context, outcome, started.elapsed());
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
        let streams = self.resume(archiver, job, decision, outcome).await?;
        let copy = match streams.first() {
            Some(Stream::Step { .. } | Stream::Run { .. }) => archiver.tree(&job.target, false).await?,
            Some(Stream::Full { .. }) | None => Datasets::new(),
        };
        let (root, wanted) = (&self.replication.target, self.replication.raw);
        let copy = copy.get(&job.target);
        if let Some(refusal) = form::conflict(&streams, &job.source, copy, root, wanted) {
            return Err(refusal.into());
        }
        let raw = form::are_raw(&streams, &job.source, copy, root, wanted);
        // They follow each other over one channel, as those of a batch do.
        for some in streams.chunks(STREAMS) {
            self.streams(job, some, raw, outcome).await?;
        }
        Ok(())
    }

    /// Decides by what both sides have now.
    async fn decide_anew(&self, archiver: &Archiver, job: &Job) -> Result<Decision, Stop> {
        let (source, copy) = (self.source_now(job).await?, archiver.dataset(&job.target).await?);
        Ok(source.map_or(Decision::NothingToSend, |source| decide(&source, copy.as_ref())))
    }

    /// The dataset with all of its snapshots, if it is still there.
    async fn source_now(&self, job: &Job) -> Result<Option<Dataset>, Error> {
        let here = BTreeMap::from([(job.source.name.clone(), job.source.clone())]);
        Ok(survey::histories(self.context.exec, self.replication, here).await?.remove(&job.source.name))
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
                Decision::Resume { token } => match self.take_up(archiver, job, &token, outcome).await {
                    Err(stop) if !stop.is_unfit() => return Err(stop),
                    taken => {
                        decision = self.decide_anew(archiver, job).await?;
                        // A receive that ended only now has kept more than was listed.
                        if decision == (Decision::Resume { token }) {
                            taken?;
                        }
                    }
                },
            }
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
        let read = Token::read(text).ok_or_else(|| Token::unreadable(text));
        let name = &job.source.name;
        let raw = |read: &Token| {
            let base = job.copy.as_ref().filter(|_| read.from.is_some());
            form::is_raw(&job.source, base, &self.replication.target, self.replication.raw)
        };
        let source = self.source_now(job).await?.unwrap_or_else(|| job.source.clone());
        match read.and_then(|read| read.check(&source, raw(&read)).map(|()| read)) {
            Ok(Token { to_name, bytes, .. }) => {
                let kept = human_bytes(bytes);
                self.context.say(&format!("  {name}: resuming {to_name}; the archiver keeps {kept} of it"));
                let sends = vec![argv::resume(token)];
                let make = Make { passive: !self.owns_mounts(), keyless: false };
                self.carry(job, sends, make, estimate::read(text), outcome).await?;
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

    async fn streams(
        &self,
        job: &Job,
        streams: &[Stream],
        raw: bool,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let total = self.estimate(job, streams, raw).await;
        let sends = streams.iter().map(|stream| argv::send(&job.source.name, stream, raw)).collect();
        self.carry(job, sends, job.make(streams, raw, self.owns_mounts()), total, outcome).await?;
        outcome.snapshots += streams.iter().map(Stream::count).sum::<usize>();
        Ok(())
    }

    /// How many bytes will be sent. Nobody waits for an estimate that nobody sees, nor for many.
    async fn estimate(&self, job: &Job, streams: &[Stream], raw: bool) -> Option<u64> {
        if !self.context.shows_progress || streams.len() > ESTIMATES {
            return None;
        }
        let mut total = 0;
        for stream in streams {
            let argv = argv::estimate(&job.source.name, stream, raw);
            total += estimate::read(&self.context.exec.run(&argv, ESTIMATE).await.ok()?)?;
        }
        Some(total)
    }

    async fn carry(
        &self,
        job: &Job,
        sends: Vec<Vec<String>>,
        make: Make,
        total: Option<u64>,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let lane = if job.is_small() { self.lanes.shared() } else { self.lanes.own().await };
        let progress = match self.context.shows_progress {
            true => Progress::bar(&self.context.bars, job.source.name.as_str(), total),
            false => Progress::quiet(),
        };
        let receives = argv::receives(&job.target, job.source.kind, make, sends.len());
        let packed = self.replication.stream_compression.is_zstd();
        let receiving = lane.archiver().receiving(&receives, packed)?;
        let sending = |argv| Sending { argv, counters: vec![progress.counter()], claim: None };
        let sendings = sends.into_iter().map(sending).collect();
        let result = stream::run(self.context.exec, sendings, &receiving, self.bounds).await;
        outcome.bytes += progress.bytes();
        if matches!(result, Err(Broken::Connection(_))) {
            lane.abandon();
        }
        Ok(result?)
    }
}

/// Tells a person what has been sent.
pub fn report(context: &Context, outcome: &DatasetOutcome, time: Duration) {
    let newest = outcome.newest.as_deref().unwrap_or_default();
    context.say(&format!(
        "  {}: {} up to @{newest}, {} in {}",
        outcome.dataset,
        count(outcome.snapshots, "snapshot"),
        human_bytes(outcome.bytes),
        human_age(time.as_secs_f64().ceil() as i64)
    ));
}

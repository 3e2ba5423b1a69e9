//! One dataset's way back: resume what was begun, then receive the rest.

use std::time::{Duration, Instant};

use dormouse_generator::name::DatasetName;

use super::host;
use super::intruders::{Names, received};
use super::outcome::{DatasetOutcome, Result as Fate};
use super::plan::{Piece, Step, step};
use super::refusal::Refusal;
use super::stop::{Stop, help};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::output::{count, human_age, human_bytes};
use crate::replicate::dataset::ESTIMATE;
use crate::replicate::progress::Progress;
use crate::replicate::stream::{Bounds, Broken, Sending};
use crate::replicate::take::{Asked, take};
use crate::zfs::begin::Expected;
use crate::zfs::plan::{Stream, single_steps};
use crate::zfs::{Snapshot, argv, estimate};

/// How often, and after what pause, a dataset is tried again that is busy. It is for as long as the
/// receive of a run that was killed has not noticed the end of its stream.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Rounds of deciding: the rest of an interrupted stream, what comes after it, a look at it all; and
/// some more, for receives that fail after they have brought something.
const ROUNDS: u32 = 6;

/// Brings datasets back from one archiver.
#[derive(Clone, Copy, Debug)]
pub struct Fetcher<'a> {
    context: &'a Context,
    bounds: &'a Bounds,
}

impl<'a> Fetcher<'a> {
    /// One that keeps to these bounds.
    #[must_use]
    pub fn new(context: &'a Context, bounds: &'a Bounds) -> Self {
        Self { context, bounds }
    }

    /// Brings a dataset back.
    pub async fn fetch(&self, archiver: &mut Archiver, piece: &Piece) -> DatasetOutcome {
        let (mut outcome, began) = (DatasetOutcome::new(piece), Instant::now());
        if !archiver.is_alive() {
            let lost = Broken::Connection("it was lost before this dataset's turn".to_owned()).into();
            return outcome.failed(Stop::to_string(&lost), help(&lost, piece, archiver.endpoint()));
        }
        match self.deliver(archiver, piece, &mut outcome).await {
            Ok(()) => {
                outcome.result = Fate::Restored;
                self.report(piece, &outcome, began.elapsed());
                outcome
            }
            Err(stop) => {
                let fate = if stop.is_locked() { Fate::Locked } else { Fate::Failed };
                let (message, help) = (stop.to_string(), help(&stop, piece, archiver.endpoint()));
                outcome.distrust = stop.distrust();
                DatasetOutcome { result: fate, ..outcome.failed(message, help) }
            }
        }
    }

    async fn deliver(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let mut step = piece.step.clone();
        for _ in 0..BUSY_TRIES {
            match self.attempt(archiver, piece, step, outcome).await {
                Err(stop) if stop.is_busy() => {
                    self.context.say(&format!("  {}: it is busy; waiting", piece.name));
                    tokio::time::sleep(BUSY_PAUSE).await;
                    step = self.decide_anew(piece).await?;
                }
                result => return result,
            }
        }
        self.attempt(archiver, piece, step, outcome).await
    }

    async fn attempt(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        mut step: Step,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        for _ in 0..ROUNDS {
            if step == Step::Done {
                return self.verify(piece).await;
            }
            let before = Names::list(self.context.exec, &piece.name).await?;
            let carried = self.take(archiver, piece, &step, outcome).await;
            before.refuse_others(self.context.exec, &piece.name).await?;
            // What has arrived counts, and not how `zfs receive` ended: it may fail without a word
            // after the last byte.
            if !matches!(carried, Ok(()) | Err(Stop::Broken(Broken::Receive { .. }))) {
                return carried;
            }
            let next = self.decide_anew(piece).await?;
            if next == step {
                return carried.and(Err(Stop::Missing(piece.chosen.name.clone())));
            }
            step = next;
        }
        Err(Stop::Missing(piece.chosen.name.clone()))
    }

    /// Takes a step.
    async fn take(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        step: &Step,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        match step {
            Step::Done => {}
            Step::Resume(token) => {
                self.context.say(&format!("  {}: resuming", piece.name));
                outcome.resumed = true;
                let total = self.total(archiver, &[argv::inspect_token(token)]).await;
                let (to, expected) = self.rest(piece, token).await?;
                let receive = argv::receive_back(&piece.name, &to.name, &piece.chosen, false);
                let streams = [(argv::resume(token), receive, expected)];
                self.carry(archiver, piece, streams, total, outcome).await?;
            }
            Step::Streams(streams) => {
                let estimates = streams.iter().map(|each| argv::estimate(&piece.copy.name, each, piece.raw));
                let total = self.total(archiver, &estimates.collect::<Vec<_>>()).await;
                let single = single_steps(&piece.copy, streams);
                let streams = single.iter().enumerate().map(|(place, stream)| {
                    let send = argv::send(&piece.copy.name, stream, piece.raw);
                    (send, receive(piece, stream, place == 0), expected(piece, stream))
                });
                self.carry(archiver, piece, streams, total, outcome).await?;
            }
        }
        Ok(())
    }

    /// What the rest of an interrupted stream must be, by this host's own token.
    async fn rest<'p>(&self, piece: &'p Piece, token: &str) -> Result<(&'p Snapshot, Expected), Stop> {
        let (dataset, wanted) = (piece.name.clone(), piece.chosen.name.clone());
        let token = host::inspect(self.context.exec, token).await;
        let token =
            token.map_err(|stale| Refusal::Stale { dataset: dataset.clone(), reason: stale.to_string() })?;
        let Some(to) = piece.copy.snapshot(token.to) else {
            return Err(Refusal::OtherUnderWay { dataset, under_way: token.to_name, wanted }.into());
        };
        let from = token.from;
        Ok((to, Expected { from, resumed: true, ..whole(piece, to) }))
    }

    /// Decides by what the host has now.
    async fn decide_anew(&self, piece: &Piece) -> Result<Step, Stop> {
        let host = host::look(self.context.exec, &piece.name, false).await?;
        Ok(step(piece, &host, true)?)
    }

    /// A snapshot counts when its GUID is seen.
    async fn verify(&self, piece: &Piece) -> Result<(), Stop> {
        let host = crate::survey::all(self.context.exec, &piece.name, false).await?;
        let here = host.get(&piece.name);
        let is_here = |guid| here.is_some_and(|here| here.snapshot(guid).is_some());
        let missing = piece.copy.snapshots.iter().find(|snapshot| !is_here(snapshot.guid));
        missing.map_or(Ok(()), |snapshot| Err(Stop::Missing(snapshot.name.clone())))
    }

    /// Without a progress display, no estimate is asked for.
    async fn total(&self, archiver: &Archiver, estimates: &[Vec<String>]) -> Option<u64> {
        if !self.context.shows_progress {
            return None;
        }
        let mut total = 0_u64;
        for estimate in estimates {
            let argv = archiver.argv(estimate).ok()?;
            let said = self.context.exec.run(&argv, ESTIMATE).await.ok()?;
            total = total.saturating_add(estimate::read(&said)?);
        }
        Some(total)
    }

    /// Takes streams, each with a `zfs receive` of its own.
    async fn carry(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        streams: impl IntoIterator<Item = (Vec<String>, Vec<String>, Expected)>,
        total: Option<u64>,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let progress = match self.context.shows_progress {
            true => Progress::bar(&self.context.bars, piece.name.as_str(), total),
            false => Progress::quiet(),
        };
        let mut result = Ok(());
        for (send, receive, expected) in streams {
            let sending =
                Sending { argv: archiver.argv(&send)?, counters: vec![progress.counter()], claim: None };
            let asked = Asked::Stream(expected);
            let taken = take(self.context.exec, sending, &receive, &asked, self.bounds).await;
            result = match taken {
                Ok(()) => received(self.context.exec, &piece.name).await,
                Err(Broken::Foreign(attempt)) => {
                    Err(Refusal::Foreign { dataset: piece.name.clone(), attempt }.into())
                }
                Err(broken) => Err(broken.into()),
            };
            if result.is_err() {
                break;
            }
        }
        outcome.bytes += progress.bytes();
        result
    }

    fn report(&self, piece: &Piece, outcome: &DatasetOutcome, time: Duration) {
        self.context.say(&format!(
            "  {}: {} up to @{}, {} in {}",
            piece.name,
            count(outcome.snapshots, "snapshot"),
            piece.chosen.name,
            human_bytes(outcome.bytes),
            human_age(time.as_secs_f64().ceil() as i64)
        ));
    }
}

/// What takes a stream. What the first one says of the dataset stays.
fn receive(piece: &Piece, stream: &Stream, is_first: bool) -> Vec<String> {
    let (name, to) = (&piece.name, &stream.to().name);
    let makes = matches!(stream, Stream::Full { .. });
    match is_first {
        true => argv::receive_back(name, to, &piece.chosen, piece.keyless && makes),
        false => argv::receive_further(name, to),
    }
}

/// What a stream must be.
fn expected(piece: &Piece, stream: &Stream) -> Expected {
    let from = match stream {
        Stream::Full { .. } => None,
        Stream::Step { from, .. } => Some(from.guid()),
        Stream::Run { from, .. } => Some(from.guid),
    };
    Expected { from, ..whole(piece, stream.to()) }
}

/// The whole stream of a snapshot.
fn whole(piece: &Piece, to: &Snapshot) -> Expected {
    let name = format!("{}@{}", piece.copy.name, to.name);
    let (kind, raw) = (piece.copy.kind, piece.raw);
    Expected { name, to: to.guid, from: None, kind, clone: false, raw, resumed: false }
}

/// Says that datasets are back, so that nothing goes on with them any more.
///
/// # Errors
/// When a property cannot be removed.
pub async fn finish(context: &Context, names: &[DatasetName]) -> Result<(), Error> {
    for name in names {
        let argv = argv::restored(name);
        context.exec.run(&argv, host::LOOK).await.map_err(Error::Program)?;
    }
    Ok(())
}

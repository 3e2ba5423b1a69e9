//! One dataset's way back: resume what was begun, then receive the rest.

use std::time::{Duration, Instant};

use dormouse_generator::name::DatasetName;

use super::host;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::plan::{Piece, Step, step};
use super::stop::{Stop, help};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::output::{count, human_age, human_bytes};
use crate::replicate::dataset::ESTIMATE;
use crate::replicate::progress::Progress;
use crate::replicate::stream::{self, Bounds, Broken, Receiving, Sending, Way};
use crate::zfs::plan::Stream;
use crate::zfs::{argv, estimate};

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
                let outcome = outcome.failed(stop.to_string(), help(&stop, piece, archiver.endpoint()));
                DatasetOutcome { result: fate, ..outcome }
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
                    step = self.decide_anew(archiver, piece).await?;
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
            let carried = self.take(archiver, piece, &step, outcome).await;
            // What has arrived counts, and not how `zfs receive` ended: it may fail without a word
            // after the last byte.
            if !matches!(carried, Ok(()) | Err(Stop::Broken(Broken::Receive { .. }))) {
                return carried;
            }
            let next = self.decide_anew(archiver, piece).await?;
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
                let total = self.total(archiver, &argv::inspect_token(token)).await;
                let receive = argv::receive_back(&piece.name, &piece.chosen, false);
                self.carry(archiver, piece, (&argv::resume(token), receive), total, outcome).await?;
            }
            Step::Streams(streams) => {
                // What the first one says of the dataset stays.
                for (place, stream) in streams.iter().enumerate() {
                    let makes = matches!(stream, Stream::Full { .. });
                    let receive = match place {
                        0 => argv::receive_back(&piece.name, &piece.chosen, piece.keyless && makes),
                        _ => argv::receive_as_sent(&piece.name),
                    };
                    self.stream(archiver, piece, stream, receive, outcome).await?;
                }
            }
        }
        Ok(())
    }

    /// Decides by what the host has now.
    async fn decide_anew(&self, archiver: &Archiver, piece: &Piece) -> Result<Step, Stop> {
        let host = host::look(self.context.exec, archiver, &piece.name, false).await?;
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

    async fn stream(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        stream: &Stream,
        receive: Vec<String>,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let copy = &piece.copy.name;
        let total = self.total(archiver, &argv::estimate(copy, stream, piece.raw)).await;
        let send = argv::send(copy, stream, piece.raw);
        self.carry(archiver, piece, (&send, receive), total, outcome).await
    }

    /// Nobody waits for an estimate that nobody sees.
    async fn total(&self, archiver: &Archiver, estimate: &[String]) -> Option<u64> {
        if !self.context.shows_progress {
            return None;
        }
        let argv = archiver.argv(estimate).ok()?;
        let said = self.context.exec.run(&argv, ESTIMATE).await.ok()?;
        estimate::read(&said)
    }

    async fn carry(
        &self,
        archiver: &Archiver,
        piece: &Piece,
        (send, receive): (&[String], Vec<String>),
        total: Option<u64>,
        outcome: &mut DatasetOutcome,
    ) -> Result<(), Stop> {
        let progress = match self.context.shows_progress {
            true => Progress::bar(piece.name.as_str(), total),
            false => Progress::quiet(),
        };
        let receiving = Receiving::of(receive);
        let sending = Sending { argv: archiver.argv(send)?, counters: vec![progress.counter()] };
        let way = Way::FromArchiver;
        let result = stream::run(self.context.exec, vec![sending], &receiving, way, self.bounds).await;
        outcome.bytes += progress.bytes();
        Ok(result?)
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

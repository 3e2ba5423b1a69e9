//! What does not go with the increments: first sends, resumed ones, conflicts.
//!
//! [`Turns`] says what is under way at the same time: small first sends share channels, each other dataset has
//! one of its own.

use std::collections::BTreeMap;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::batch::{Batches, Ended, Item, Room, STREAMS};
use super::dataset::Sender;
use super::outcome::{DatasetOutcome, Result as Fate};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::zfs::plan::Decision;
use crate::zfs::schedule::Job;
use crate::zfs::turns::{Candidate, Company, Turn, Turns};

/// A job, its place among all, and what came of it.
pub type Sent = (usize, Job, DatasetOutcome);

/// Jobs by their places among all.
type Jobs = BTreeMap<usize, Job>;

/// Sends what does not go with the increments.
#[derive(Clone, Copy, Debug)]
pub struct Rest<'a> {
    sender: Sender<'a>,
    batches: Batches<'a>,
    bound: usize,
}

impl<'a> Rest<'a> {
    /// Alone with the one, together with the other; never more than `bound` streams at once.
    #[must_use]
    pub fn new(sender: Sender<'a>, batches: Batches<'a>, bound: usize) -> Self {
        Self { sender, batches, bound }
    }

    /// The job that both sides call for by now.
    ///
    /// # Errors
    /// What came of it when one cannot be listed.
    pub async fn anew(&self, archiver: &Archiver, index: usize, job: Job) -> Result<(usize, Job), Box<Sent>> {
        match self.sender.anew(archiver, job.clone()).await {
            Ok(job) => Ok((index, job)),
            Err(error) => Err(Box::new(failed(index, job, &error))),
        }
    }

    /// Does these jobs, those that come first before others.
    ///
    /// # Errors
    /// When an argument cannot be carried to the archiver.
    pub async fn send(&self, archiver: &Archiver, jobs: Vec<(usize, Job)>) -> Result<Vec<Sent>, Error> {
        let is_busy = |(_, job): &(usize, Job)| self.sender.is_busy(job);
        let (busy, idle): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_busy);
        let mut sent = Vec::new();
        for (index, job) in idle {
            sent.push(self.alone(archiver, index, job).await);
        }
        let candidates = busy.iter().map(|(index, job)| (*index, candidate(job))).collect();
        let (mut turns, mut waiting) = (Turns::new(self.bound, candidates), Jobs::from_iter(busy));
        let missing = sent.iter().filter(|(.., outcome)| !outcome.is_complete());
        missing.for_each(|(_, job, _)| turns.misses(job.target.clone()));
        let mut under_way = FuturesUnordered::new();
        loop {
            while let Some(turn) = turns.start() {
                under_way.push(self.begin(archiver, turn, &mut waiting));
            }
            let Some(ended) = under_way.next().await else { return Ok(sent) };
            let ended = ended?;
            turns.ended(ended.iter().map(|(index, _, outcome)| (*index, outcome.is_complete())));
            sent.extend(ended);
        }
    }

    fn begin<'s>(
        &'s self,
        archiver: &'s Archiver,
        turn: Turn,
        waiting: &mut Jobs,
    ) -> impl Future<Output = Result<Vec<Sent>, Error>> + use<'s, 'a> {
        let (places, channels) = match turn {
            Turn::Alone(place) => (vec![place], None),
            Turn::Together { places, channels } => (places, Some(channels)),
        };
        let jobs: Vec<_> = places.into_iter().filter_map(|place| waiting.remove_entry(&place)).collect();
        async move {
            match channels {
                Some(channels) => self.together(archiver, jobs, channels).await,
                None => {
                    let mut sent = Vec::new();
                    for (index, job) in jobs {
                        sent.push(self.alone(archiver, index, job).await);
                    }
                    Ok(sent)
                }
            }
        }
    }

    async fn together(
        &self,
        archiver: &Archiver,
        jobs: Vec<(usize, Job)>,
        channels: usize,
    ) -> Result<Vec<Sent>, Error> {
        let items = jobs.into_iter().map(|(index, job)| Item { index, job }).collect();
        let room = Room { channels, most: channels };
        let Ended { done: mut sent, doubtful } = self.batches.send(archiver, items, false, room).await?;
        for (index, job) in doubtful {
            sent.push(match self.anew(archiver, index, job).await {
                Ok((index, job)) => self.alone(archiver, index, job).await,
                Err(failed) => *failed,
            });
        }
        Ok(sent)
    }

    async fn alone(&self, archiver: &Archiver, index: usize, job: Job) -> Sent {
        let outcome = self.sender.send(archiver, &job).await;
        (index, job, outcome)
    }
}

/// What came of a job that an error kept from being done.
#[must_use]
pub fn failed(index: usize, job: Job, error: &Error) -> Sent {
    let outcome = DatasetOutcome::new(&job.source, job.target.to_string(), Fate::Failed);
    let outcome = outcome.failed(error.to_string(), error.help());
    (index, job, outcome)
}

fn candidate(job: &Job) -> Candidate {
    let is_short = job.streams().is_some_and(|streams| streams.len() <= STREAMS);
    let is_refused = matches!(job.decision, Decision::Refused(_));
    let company = match () {
        () if is_refused => Company::Nothing,
        () if is_short && job.is_small_first() => Company::Small,
        () => Company::Large,
    };
    Candidate { target: job.target.clone(), company, is_there: job.age.is_some() && !is_refused }
}

//! What does not go with the increments: first sends, resumed ones, conflicts.
//!
//! A copy can only be received where the copy of the dataset above it is. Small first sends whose place is
//! there go together; whatever else waits is sent by itself.

use super::batch::{Batches, Ended, Item};
use super::dataset::Sender;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::queue::Queue;
use crate::archiver::Archiver;
use crate::error::Error;
use crate::zfs::schedule::Job;

/// A job, its place among all, and what came of it.
pub type Sent = (usize, Job, DatasetOutcome);

/// Sends what does not go with the increments.
#[derive(Clone, Copy, Debug)]
pub struct Rest<'a> {
    sender: Sender<'a>,
    batches: Batches<'a>,
}

impl<'a> Rest<'a> {
    /// Alone with the one, together with the other.
    #[must_use]
    pub fn new(sender: Sender<'a>, batches: Batches<'a>) -> Self {
        Self { sender, batches }
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
    pub async fn send(&self, archiver: &mut Archiver, jobs: Vec<(usize, Job)>) -> Result<Vec<Sent>, Error> {
        let (mut waiting, mut sent) = (Queue::new(jobs), Vec::new());
        while !waiting.is_empty() {
            let ready = waiting.take_ready();
            let before = sent.len();
            if ready.len() > 1 {
                let items = ready.into_iter().map(|(index, job)| Item { index, job }).collect();
                let Ended { done, doubtful } = self.batches.send(archiver, items, false).await?;
                sent.extend(done);
                for (index, job) in doubtful {
                    sent.push(match self.anew(archiver, index, job).await {
                        Ok((index, job)) => self.alone(archiver, index, job).await,
                        Err(failed) => *failed,
                    });
                }
            } else if let Some((index, job)) = ready.into_iter().next().or_else(|| waiting.take_first()) {
                sent.push(self.alone(archiver, index, job).await);
            }
            for (_, job, outcome) in &sent[before..] {
                waiting.end(&job.target, outcome.is_complete());
            }
        }
        Ok(sent)
    }

    async fn alone(&self, archiver: &mut Archiver, index: usize, job: Job) -> Sent {
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

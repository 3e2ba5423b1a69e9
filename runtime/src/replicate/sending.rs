//! Which jobs are sent together, which alone, and what is remembered before and meanwhile.

use std::collections::BTreeMap;

use dormouse_generator::spec::OnConflict;

use super::batch::{self, Batches, Ended, Item};
use super::dataset::Sender;
use super::marks::{self, Holds};
use super::meanwhile::{Arrival, Expected, Meanwhile};
use super::outcome::{DatasetOutcome, Result as Fate};
use super::rest::Rest;
use super::stream::Bounds;
use super::{Done, Run, unacknowledged};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::output::count;
use crate::zfs::Snapshot;
use crate::zfs::cursor::Changes;
use crate::zfs::schedule::Job;

impl Run<'_> {
    /// Bookmarks, holds and sends.
    pub(super) async fn send(
        &self,
        archiver: &mut Archiver,
        jobs: Vec<Job>,
        bounds: &Bounds,
        holds: &mut Holds,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Done>, Error> {
        let sets_aside = self.replication.on_conflict == OnConflict::SetAside;
        let works = |job: &&Job| job.sends(sets_aside) || job.does_something();
        let busy = jobs.iter().filter(works).count();
        if busy > 0 {
            let (name, to) = (self.name, &self.replication.archiver);
            self.context.say(&format!("{name}: {} to {to}", count(busy, "dataset")));
            archiver.create_ancestors(&self.replication.target, &jobs).await?;
        }
        // Bookmarks come before holds: they tell the next run that there may be holds.
        let (jobs, mut done) = self.announce(jobs).await;
        let meanwhile = Meanwhile::begin(self.context.exec, self.expected(&jobs));
        let (mut made, mut small, mut alone) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (index, (job, changes)) in jobs.into_iter().enumerate() {
            made.insert(index, changes);
            match job.increments().is_some_and(|streams| streams.len() <= batch::STREAMS) {
                true => small.push(Item { index, job }),
                false => alone.push((index, job)),
            }
        }
        let batches = Batches::new(self.context, self.replication, bounds, meanwhile.told());
        let Ended { done: mut sent, doubtful } = batches.send(archiver, small).await?;
        let rest = Rest::new(Sender::new(self.context, self.replication, bounds), batches);
        for (index, job) in doubtful {
            match rest.anew(archiver, index, job).await {
                Ok(anew) => alone.push(anew),
                Err(failed) => sent.push(*failed),
            }
        }
        // What is sent in a moment needs no hold, each of which takes a transaction group.
        let sending = alone.iter().filter(|(_, job)| job.sends(sets_aside) && !job.is_small_first());
        if let Err(error) = holds.add(sending.flat_map(|(_, job)| job.needs.clone()).collect()).await {
            warnings.push(format!("snapshots under way are not protected from pruning: {error}"));
        }
        sent.extend(rest.send(archiver, alone).await?);
        sent.sort_by_key(|(index, ..)| *index);
        let with_marks = |(index, job, outcome)| {
            let made = made.remove(&index).unwrap_or_default();
            Done { job, outcome, made, acknowledged: false }
        };
        done.extend(sent.into_iter().map(with_marks));
        let acknowledged = meanwhile.end().await;
        warnings.extend(acknowledged.errors.iter().map(unacknowledged));
        for done in &mut done {
            let has_arrived =
                |(name, newest): (String, &Snapshot)| acknowledged.seen.get(&name) == Some(&newest.guid);
            done.acknowledged = done.job.arrival().is_some_and(has_arrived);
        }
        Ok(done)
    }

    /// What these jobs bring to the archiver, and what acknowledges it.
    fn expected(&self, jobs: &[(Job, Changes)]) -> Expected {
        let cursors = self.cursors();
        let arrival = |(job, made): &(Job, Changes)| {
            let (name, newest) = job.arrival()?;
            let changes = cursors.after_receive(&job.source, newest, made);
            Some((name, Arrival { guid: newest.guid, dataset: job.source.name.clone(), changes }))
        };
        jobs.iter().filter_map(arrival).collect()
    }

    /// Bookmarks what is about to be sent. Datasets for which that fails are done with.
    async fn announce(&self, jobs: Vec<Job>) -> (Vec<(Job, Changes)>, Vec<Done>) {
        let cursors = self.cursors();
        let sets_aside = self.replication.on_conflict == OnConflict::SetAside;
        let changes = |job: &Job| match job.source.newest().filter(|_| job.sends(sets_aside)) {
            Some(newest) => cursors.before_send(&job.source, newest),
            None => Changes::default(),
        };
        let changes: Vec<Changes> = jobs.iter().map(changes).collect();
        let all = jobs.iter().zip(&changes).map(|(job, changes)| (job.source.name.clone(), changes.clone()));
        let mut errors = marks::apply_all(self.context.exec, all.collect()).await;
        let (mut ready, mut done) = (Vec::new(), Vec::new());
        for (index, (job, made)) in jobs.into_iter().zip(changes).enumerate() {
            let Some(error) = errors.remove(&index).map(Error::Program) else {
                ready.push((job, made));
                continue;
            };
            let outcome = DatasetOutcome::new(&job.source, job.target.to_string(), Fate::Failed);
            let outcome = outcome.failed(error.to_string(), error.help());
            done.push(Done { outcome, job, made, acknowledged: false });
        }
        (ready, done)
    }
}

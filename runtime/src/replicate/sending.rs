//! Which jobs are sent together, which alone, and what is remembered before and meanwhile.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::OnConflict;

use super::batch::{self, Batches, Ended, Item};
use super::dataset::Sender;
use super::marks::{self, Holds};
use super::meanwhile::{Arrival, Expected, Meanwhile};
use super::planning::Plan;
use super::rest::{Rest, Sent, failed};
use super::stream::Bounds;
use super::{Done, Run, unacknowledged};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::output::count;
use crate::zfs::Snapshot;
use crate::zfs::cursor::Changes;
use crate::zfs::listing::Datasets;
use crate::zfs::schedule::Job;

/// What is sent together and what by itself, each with its place among all.
#[derive(Default)]
struct Parted {
    together: Vec<Item>,
    alone: Vec<(usize, Job)>,
}

impl Parted {
    fn push(&mut self, index: usize, job: Job) {
        match job.increments().is_some_and(|streams| streams.len() <= batch::STREAMS) {
            true => self.together.push(Item { index, job }),
            false => self.alone.push((index, job)),
        }
    }
}

impl Run<'_> {
    /// Bookmarks, holds and sends.
    pub(super) async fn send(
        &self,
        archiver: &mut Archiver,
        plan: Plan,
        source: &Datasets,
        bounds: &Bounds,
        holds: &mut Holds,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Done>, Error> {
        let Plan { jobs, unseen } = plan;
        let sets_aside = self.replication.on_conflict == OnConflict::SetAside;
        let works = |job: &&Job| job.sends(sets_aside) || job.does_something();
        let busy = jobs.iter().filter(works).count();
        if busy > 0 {
            let (name, to) = (self.name, &self.replication.archiver);
            self.context.say(&format!("{name}: {} to {to}", count(busy, "dataset")));
        }
        let is_new = busy > 0 && jobs.iter().all(|job| job.copy.is_none());
        // Bookmarks come before holds: they tell the next run that there may be holds.
        let (created, (jobs, mut done)) = tokio::join!(self.make_room(archiver, is_new), self.announce(jobs));
        created?;
        let meanwhile = Meanwhile::begin(self.context.exec, self.expected(&jobs));
        let (mut made, mut parted) = (BTreeMap::new(), Parted::default());
        for (index, (job, changes)) in jobs.into_iter().enumerate() {
            made.insert(index, changes);
            parted.push(index, job);
        }
        let batches = Batches::new(self.context, self.replication, bounds, meanwhile.told());
        let mut sent = Vec::new();
        if unseen {
            let Ended { done, doubtful } = batches.send(archiver, parted.together, true).await?;
            sent.extend(done);
            parted.together = vec![];
            if let Err(failed) = self.plan_anew(archiver, source, doubtful, holds, &mut parted).await {
                sent.extend(failed);
            }
        }
        sent.extend(self.send_parted(archiver, parted, batches, bounds, holds, warnings).await?);
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

    /// Makes what is above the target, which is there if anything was received into it.
    async fn make_room(&self, archiver: &Archiver, is_new: bool) -> Result<(), Error> {
        if is_new { archiver.create_ancestors(&self.replication.target).await } else { Ok(()) }
    }

    /// Looks at the archiver after all, where it refused what the host's cursors called for.
    ///
    /// # Errors
    /// What came of them when it cannot be looked at.
    async fn plan_anew(
        &self,
        archiver: &Archiver,
        source: &Datasets,
        doubtful: Vec<(usize, Job)>,
        holds: &mut Holds,
        parted: &mut Parted,
    ) -> Result<(), Vec<Sent>> {
        if doubtful.is_empty() {
            return Ok(());
        }
        let anew = async {
            let jobs = self.jobs(archiver, source, None, Some(holds)).await?;
            self.make_room(archiver, jobs.iter().all(|job| job.copy.is_none())).await?;
            Ok::<_, Error>(jobs)
        };
        match anew.await {
            Ok(jobs) => {
                let places = doubtful.into_iter().map(|(index, job)| (job.target, index));
                let places: BTreeMap<DatasetName, usize> = places.collect();
                for job in jobs {
                    if let Some(index) = places.get(&job.target) {
                        parted.push(*index, job);
                    }
                }
                Ok(())
            }
            Err(error) => Err(doubtful.into_iter().map(|(index, job)| failed(index, job, &error)).collect()),
        }
    }

    /// Sends increments, then what does not go with them.
    async fn send_parted(
        &self,
        archiver: &mut Archiver,
        parted: Parted,
        batches: Batches<'_>,
        bounds: &Bounds,
        holds: &mut Holds,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Sent>, Error> {
        let Parted { together, mut alone } = parted;
        let Ended { done: mut sent, doubtful } = batches.send(archiver, together, false).await?;
        let rest = Rest::new(Sender::new(self.context, self.replication, bounds), batches);
        for (index, job) in doubtful {
            match rest.anew(archiver, index, job).await {
                Ok(anew) => alone.push(anew),
                Err(failed) => sent.push(*failed),
            }
        }
        // What is sent in a moment needs no hold, each of which takes a transaction group.
        let sets_aside = self.replication.on_conflict == OnConflict::SetAside;
        let sending = alone.iter().filter(|(_, job)| job.sends(sets_aside) && !job.is_small_first());
        if let Err(error) = holds.add(sending.flat_map(|(_, job)| job.needs.clone()).collect()).await {
            warnings.push(format!("snapshots under way are not protected from pruning: {error}"));
        }
        sent.extend(rest.send(archiver, alone).await?);
        Ok(sent)
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
            let (_, job, outcome) = failed(index, job, &error);
            done.push(Done { outcome, job, made, acknowledged: false });
        }
        (ready, done)
    }
}

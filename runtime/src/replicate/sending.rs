//! Which jobs are sent together, which alone, and what is remembered before and meanwhile.

use std::collections::BTreeMap;
use std::pin::pin;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::OnConflict;

use super::batch::{self, Batches, Ended, Item, Room};
use super::dataset::Sender;
use super::lanes::Lanes;
use super::marks::{self, Holds};
use super::meanwhile::{Arrival, Expected, Meanwhile};
use super::planning::Plan;
use super::rest::{Rest, Sent, failed};
use super::stream::Bounds;
use super::{Done, Run, now, unacknowledged};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::output::count;
use crate::report::seen::{self, Sight};
use crate::zfs::Snapshot;
use crate::zfs::cursor::Changes;
use crate::zfs::listing::Datasets;
use crate::zfs::schedule::Job;
use crate::zfs::turns::CHANNELS;

/// What is sent together and what by itself, each with its place among all.
#[derive(Default)]
struct Parted {
    together: Vec<Item>,
    alone: Vec<(usize, Job)>,
}

impl Parted {
    fn push(&mut self, index: usize, job: Job) {
        match Self::goes_alone(&job) {
            true => self.alone.push((index, job)),
            false => self.together.push(Item { index, job }),
        }
    }

    fn goes_alone(job: &Job) -> bool {
        job.increments().is_none_or(|streams| streams.len() > batch::STREAMS)
    }

    fn jobs(&self) -> impl Iterator<Item = &Job> {
        let alone = self.alone.iter().map(|(_, job)| job);
        self.together.iter().map(|item| &item.job).chain(alone)
    }
}

/// A job, and the bookmarks that were made for it; none where the pool takes no bookmarks now.
type Announced = (Job, Option<Changes>);

/// What was sent, in the jobs' order.
struct Carried {
    sent: Vec<Sent>,
    /// Whether nothing followed the increments to copies that nobody had looked at.
    was_all: bool,
}

/// What came of it all.
pub(super) struct Shipped {
    /// Each job.
    pub done: Vec<Done>,
    /// The archiver's pool, if it said in the end how that is.
    pub pool: Option<Sight>,
}

/// The sending of one run.
pub(super) struct Shipment<'s> {
    /// Whose it is.
    pub run: &'s Run<'s>,
    /// The host's datasets.
    pub source: &'s Datasets,
    /// Bounds of its transfers.
    pub bounds: &'s Bounds,
    /// Holds of the run.
    pub holds: &'s mut Holds,
    /// What did not keep anything from arriving.
    pub warnings: &'s mut Vec<String>,
}

impl Shipment<'_> {
    /// Bookmarks, holds and sends.
    ///
    /// # Errors
    /// What keeps it all from being sent. Bookmarks are as they were then.
    pub async fn send(&mut self, archiver: &Archiver, plan: Plan) -> Result<Shipped, Error> {
        let run = self.run;
        let lanes = Lanes::new(run.context, archiver);
        let shipped = {
            let mut preparing = pin!(lanes.prepare(run.connections(&plan.jobs)));
            let mut shipping = pin!(self.ship(archiver, plan, &lanes));
            let mut is_prepared = false;
            loop {
                tokio::select! {
                    shipped = &mut shipping => break shipped,
                    () = &mut preparing, if !is_prepared => is_prepared = true,
                }
            }
        };
        lanes.close().await;
        shipped
    }

    async fn ship(&mut self, archiver: &Archiver, plan: Plan, lanes: &Lanes<'_>) -> Result<Shipped, Error> {
        let run = self.run;
        let Plan { jobs, unseen } = plan;
        let (announced, mut done) = self.begin(archiver, jobs, unseen).await?;
        let meanwhile = Meanwhile::begin(run.context.exec, run.expected(&announced));
        let batches = Batches::new(run.context, run.replication, self.bounds, meanwhile.told(), lanes);
        let (jobs, mut made): (Vec<Job>, Vec<Option<Changes>>) = announced.into_iter().unzip();
        let names: Vec<DatasetName> = jobs.iter().map(|job| job.source.name.clone()).collect();
        let carried = self.carry(archiver, jobs, unseen, batches, lanes).await;
        let acknowledged = meanwhile.end().await;
        let Carried { sent, was_all } = match carried {
            Err(error @ Error::NoPool { .. }) => {
                run.take_back(names.into_iter().zip(made)).await;
                return Err(error);
            }
            carried => carried?,
        };
        self.warnings.extend(unacknowledged(&acknowledged.errors));
        done.extend(sent.into_iter().map(|(index, job, outcome)| {
            let has_arrived =
                |(name, newest): (String, &Snapshot)| acknowledged.seen.get(&name) == Some(&newest.guid);
            let acknowledged = job.arrival().is_some_and(has_arrived);
            let made = made.get_mut(index).and_then(Option::take);
            Done { job, outcome, made, acknowledged }
        }));
        let pool = seen::overhear(&acknowledged.rest, now()).filter(|_| was_all);
        Ok(Shipped { done, pool })
    }

    /// Announces all jobs and makes room for them; returns those whose turn has come, and those that failed.
    async fn begin(
        &mut self,
        archiver: &Archiver,
        jobs: Vec<Job>,
        unseen: bool,
    ) -> Result<(Vec<Announced>, Vec<Done>), Error> {
        let run = self.run;
        let busy = jobs.iter().filter(|job| run.is_busy(job)).count();
        if busy > 0 {
            let (name, to) = (run.name, &run.replication.archiver);
            run.context.say(&format!("{name}: {} to {to}", count(busy, "dataset")));
        }
        let is_new = busy > 0 && !unseen && jobs.iter().all(|job| job.copy.is_none());
        // Bookmarks come before holds: they tell the next run that there may be holds.
        let announcing = run.announce(jobs, self.warnings);
        let ((announced, done), room) = tokio::join!(announcing, run.make_room(archiver, is_new));
        if let Err(error) = room {
            run.take_back(announced.into_iter().map(|(job, made)| (job.source.name, made))).await;
            return Err(error);
        }
        Ok((announced, done))
    }

    /// Sends jobs, in the end in their order.
    ///
    /// # Errors
    /// [`Error::NoPool`] when nothing was sent; else what is no single dataset's failure.
    async fn carry(
        &mut self,
        archiver: &Archiver,
        jobs: Vec<Job>,
        unseen: bool,
        batches: Batches<'_>,
        lanes: &Lanes<'_>,
    ) -> Result<Carried, Error> {
        let mut parted = Parted::default();
        jobs.into_iter().enumerate().for_each(|(index, job)| parted.push(index, job));
        let mut sent = match unseen {
            true => self.send_unseen(archiver, &mut parted, batches).await?,
            false => vec![],
        };
        let was_all = !parted.jobs().any(|job| self.run.is_busy(job));
        sent.extend(self.send_parted(archiver, parted, batches, lanes).await?);
        sent.sort_by_key(|(index, ..)| *index);
        Ok(Carried { sent, was_all })
    }

    /// Sends increments to copies that nobody has looked at. What the archiver refuses is planned anew, and
    /// parted from the rest again.
    async fn send_unseen(
        &mut self,
        archiver: &Archiver,
        parted: &mut Parted,
        batches: Batches<'_>,
    ) -> Result<Vec<Sent>, Error> {
        let together = std::mem::take(&mut parted.together);
        let Ended { done: mut sent, doubtful } = batches.send(archiver, together, true, self.room()).await?;
        if doubtful.is_empty() {
            return Ok(sent);
        }
        match self.plan_anew(archiver).await {
            Ok(jobs) => {
                let places = doubtful.into_iter().map(|(index, job)| (job.target, index));
                let places: BTreeMap<DatasetName, usize> = places.collect();
                for job in jobs {
                    if let Some(index) = places.get(&job.target) {
                        parted.push(*index, job);
                    }
                }
            }
            Err(error @ Error::NoPool { .. }) if sent.is_empty() => return Err(error),
            Err(error) => sent.extend(doubtful.into_iter().map(|(index, job)| failed(index, job, &error))),
        }
        Ok(sent)
    }

    /// Increments share two channels; beside large ones, more are opened.
    fn room(&self) -> Room {
        Room { channels: CHANNELS, most: self.run.streams().max(CHANNELS) }
    }

    async fn plan_anew(&mut self, archiver: &Archiver) -> Result<Vec<Job>, Error> {
        let jobs = self.run.jobs(archiver, self.source, None, Some(self.holds)).await?;
        let is_new = jobs.iter().all(|job| job.copy.is_none());
        self.run.make_room(archiver, is_new).await?;
        Ok(jobs)
    }

    /// Sends increments, then what does not go with them.
    async fn send_parted(
        &mut self,
        archiver: &Archiver,
        parted: Parted,
        batches: Batches<'_>,
        lanes: &Lanes<'_>,
    ) -> Result<Vec<Sent>, Error> {
        let run = self.run;
        let Parted { together, mut alone } = parted;
        let Ended { done: mut sent, doubtful } = batches.send(archiver, together, false, self.room()).await?;
        let sender = Sender::new(run.context, run.replication, self.bounds, lanes);
        let rest = Rest::new(sender, batches, run.streams());
        for (index, job) in doubtful {
            match rest.anew(archiver, index, job).await {
                Ok(anew) => alone.push(anew),
                Err(failed) => sent.push(*failed),
            }
        }
        // What is sent in a moment needs no hold, each of which takes a transaction group. ZFS itself keeps a
        // snapshot that is being sent (`dsl_dataset_long_hold`), so the first need not wait for theirs.
        let sending = alone.iter().filter(|(_, job)| job.sends(run.sets_aside()) && !job.is_small_first());
        let needs = sending.flat_map(|(_, job)| job.needs.clone()).collect();
        let (held, rest) = tokio::join!(self.holds.add(needs), rest.send(archiver, alone));
        if let Err(error) = held {
            self.warnings.push(format!("snapshots under way are not protected from pruning: {error}"));
        }
        sent.extend(rest?);
        Ok(sent)
    }
}

impl Run<'_> {
    /// The connections beside the first that large streams are known to need.
    fn connections(&self, jobs: &[Job]) -> usize {
        let is_alone =
            |job: &&Job| job.sends(self.sets_aside()) && Parted::goes_alone(job) && !job.is_small();
        jobs.iter().filter(is_alone).count().min(self.streams()).saturating_sub(1)
    }

    /// Most streams at once.
    fn streams(&self) -> usize {
        self.replication.parallel_streams as usize
    }

    fn sets_aside(&self) -> bool {
        self.replication.on_conflict == OnConflict::SetAside
    }

    /// Whether a job does anything on the archiver.
    fn is_busy(&self, job: &Job) -> bool {
        job.sends(self.sets_aside()) || job.does_something()
    }

    /// Makes what is above the target, which is there if anything was received into it.
    async fn make_room(&self, archiver: &Archiver, is_new: bool) -> Result<(), Error> {
        if is_new { archiver.create_ancestors(&self.replication.target).await } else { Ok(()) }
    }

    /// What these jobs bring to the archiver, and what acknowledges it.
    fn expected(&self, jobs: &[Announced]) -> Expected {
        let cursors = self.cursors();
        let arrival = |(job, made): &Announced| {
            let (name, newest) = job.arrival()?;
            let made = made.as_ref();
            let changes = made.map(|made| cursors.after_receive(&job.source, newest, made));
            let changes = changes.unwrap_or_default();
            Some((name, Arrival { guid: newest.guid, dataset: job.source.name.clone(), changes }))
        };
        jobs.iter().filter_map(arrival).collect()
    }

    /// Bookmarks what is about to be sent. Datasets for which that fails are done with, unless it is their
    /// pool that takes no bookmarks now: a full or failing one is all the more to be sent.
    async fn announce(&self, jobs: Vec<Job>, warnings: &mut Vec<String>) -> (Vec<Announced>, Vec<Done>) {
        let cursors = self.cursors();
        let changes = |job: &Job| match job.source.newest().filter(|_| job.sends(self.sets_aside())) {
            Some(newest) => cursors.before_send(&job.source, newest),
            None => Changes::default(),
        };
        let changes: Vec<Changes> = jobs.iter().map(changes).collect();
        let all = jobs.iter().zip(&changes).map(|(job, changes)| (job.source.name.clone(), changes.clone()));
        let mut errors = marks::apply_all(self.context.exec, all.collect()).await;
        let (mut ready, mut done, mut unmarked) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (job, made)) in jobs.into_iter().zip(changes).enumerate() {
            match errors.remove(&index) {
                None => ready.push((job, Some(made))),
                Some(error) if marks::takes_none(&error) => {
                    ready.push((job, None));
                    unmarked.push(error);
                }
                Some(error) => {
                    let (_, job, outcome) = failed(index, job, &Error::Program(error));
                    done.push(Done { outcome, job, made: None, acknowledged: false });
                }
            }
        }
        warnings.extend(marks::unmarked(&unmarked, self.replication.source.pool()));
        (ready, done)
    }

    /// Drops the bookmarks of what was announced and not sent.
    async fn take_back(&self, announced: impl Iterator<Item = (DatasetName, Option<Changes>)>) {
        let undo = announced.filter_map(|(name, made)| {
            let destroy = made?.make.into_iter().map(|(_, bookmark)| bookmark).collect();
            Some((name, Changes { make: vec![], destroy }))
        });
        for error in marks::apply_all(self.context.exec, undo.collect()).await.into_values() {
            self.context.say(&format!("  a bookmark stays until the next run: {error}"));
        }
    }
}

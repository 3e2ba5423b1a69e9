//! Increments, and first sends of small datasets, over few channels.
//!
//! The streams of a batch follow each other over one channel into as many receives, which saves a
//! round trip and an ssh for each. The first failure ends a channel. What had arrived by then is
//! seen on the archiver; what was under way is left to [`super::dataset`], which finds out what is
//! wrong with it; the rest goes over a new channel.
//!
//! The size of an increment is unknown until it is sent. The items queued behind a large one move to other
//! channels, as far as there is [`Room`]. Each of these channels has its own connection.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dormouse_generator::spec::Replication;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::dataset::report;
use super::lanes::Lanes;
use super::outcome::{DatasetOutcome, Result as Fate};
use super::progress::Progress;
use super::stream::{self, Bounds, Broken, Claim, Counter, Receiving, Sending};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::report::seen;
use crate::zfs::Guid;
use crate::zfs::plan::Stream;
use crate::zfs::schedule::{Job, SMALL};
use crate::zfs::{argv, form};

/// Most datasets in a batch. A channel that breaks costs a look at the archiver, one that is new
/// costs an ssh: with some dozens neither matters.
const MOST: usize = 32;

/// Most streams over one channel. Each is a command on the archiver, and Linux takes 128 KiB for all of
/// them.
pub const STREAMS: usize = 64;

/// Fewest datasets that are listed on the archiver together once they have arrived. A listing there costs
/// half a receive.
const LISTED: usize = 6;

/// How often to look for streams that have become large.
const LOOK: Duration = Duration::from_millis(500);

/// How many channels there may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// For small streams.
    pub channels: usize,
    /// In total.
    pub most: usize,
}

impl Room {
    /// How many more there may be beside these.
    fn left(self, small: usize, large: usize) -> usize {
        self.channels.saturating_sub(small).min(self.most.saturating_sub(small + large))
    }

    /// Whether large streams make room for others.
    fn grows(self) -> bool {
        self.most > self.channels
    }
}

/// A job whose streams are known.
#[derive(Debug)]
pub struct Item {
    /// The job and its place among all.
    pub index: usize,
    /// The job.
    pub job: Job,
}

/// What became of the items.
#[derive(Debug, Default)]
pub struct Ended {
    /// What was sent, or is known to have failed.
    pub done: Vec<(usize, Job, DatasetOutcome)>,
    /// What has to be looked into by itself.
    pub doubtful: Vec<(usize, Job)>,
}

/// Sends items of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Batches<'a> {
    context: &'a Context,
    replication: &'a Replication,
    bounds: &'a Bounds,
    told: &'a UnboundedSender<String>,
    lanes: &'a Lanes<'a>,
}

/// A channel that is under way.
struct Course {
    /// The items that are sent over it.
    items: Vec<Item>,
    counters: Vec<Counter>,
    claims: Vec<Claim>,
    /// Whether it may have a connection beside the first.
    beside: bool,
    began: Instant,
}

impl Course {
    fn of(items: Vec<Item>, beside: bool) -> Self {
        let counters = items.iter().map(|_| Counter::default()).collect();
        let claims = items.iter().map(|_| Claim::default()).collect();
        Self { items, counters, claims, beside, began: Instant::now() }
    }

    /// Whether the current stream is large.
    fn is_large(&self) -> bool {
        let mut sizes = self.counters.iter().rev().map(|counter| counter.load(Ordering::Relaxed));
        sizes.find(|size| *size > 0).is_some_and(|size| size >= SMALL)
    }

    /// Takes the items back that have not started.
    fn take_rest(&mut self) -> Vec<Item> {
        let rest = self.claims.iter().rev().take_while(|claim| claim.take()).count();
        let left = self.items.len() - rest;
        self.counters.truncate(left);
        self.claims.truncate(left);
        self.items.split_off(left)
    }
}

/// How a channel ended.
struct End {
    /// Which it was.
    number: usize,
    has_failed: bool,
    /// If it failed, which of its snapshots the archiver has.
    there: BTreeMap<String, Guid>,
}

impl<'a> Batches<'a> {
    /// For one replication. What has arrived is listed to `told`.
    #[must_use]
    pub fn new(
        context: &'a Context,
        replication: &'a Replication,
        bounds: &'a Bounds,
        told: &'a UnboundedSender<String>,
        lanes: &'a Lanes<'a>,
    ) -> Self {
        Self { context, replication, bounds, told, lanes }
    }

    /// Sends all items. Where their copies are `unseen`, the first failure makes all that has not arrived
    /// doubtful, and the last channel tells how the pool is once all has: [`seen::questions`].
    ///
    /// # Errors
    /// When an argument cannot be carried to the archiver.
    pub async fn send(
        &self,
        archiver: &Archiver,
        items: Vec<Item>,
        unseen: bool,
        room: Room,
    ) -> Result<Ended, Error> {
        let (mut waiting, mut ended) = (VecDeque::from(items), Ended::default());
        let progress = match self.context.shows_progress && !waiting.is_empty() {
            true => Progress::bar(&self.context.bars, "all together", None),
            false => Progress::quiet(),
        };
        let (mut courses, mut running) = (BTreeMap::<usize, Course>::new(), FuturesUnordered::new());
        for number in 0.. {
            let left = loop {
                let large = courses.values().filter(|course| course.is_large()).count();
                let left = room.left(courses.len() - large, large);
                if left > 0 && room.grows() && archiver.is_alive() {
                    let large = courses.values_mut().filter(|course| course.is_large());
                    waiting.extend(large.flat_map(Course::take_rest));
                    waiting.make_contiguous().sort_by_key(|item| item.index);
                }
                if left > 0 && !waiting.is_empty() && archiver.is_alive() {
                    break Some((left, room.grows() && large > 0));
                }
                let Ok(end) = timeout(LOOK, running.next()).await else { continue };
                let Some(end) = end else { break None };
                let end: End = end?;
                if let Some(course) = courses.remove(&end.number) {
                    self.settle(course, &end, &mut waiting, &mut ended);
                }
                if unseen && !ended.doubtful.is_empty() {
                    ended.doubtful.extend(waiting.drain(..).map(|Item { index, job }| (index, job)));
                }
            };
            let Some((left, beside)) = left else { break };
            let course = Course::of(next(&mut waiting, left), beside);
            let is_last = unseen && waiting.is_empty();
            running.push(self.channel(number, &course, is_last, progress.counter()));
            courses.insert(number, course);
        }
        for Item { index, job } in waiting {
            let outcome = DatasetOutcome::new(&job.source, job.target.to_string(), Fate::Failed);
            let message = "the connection to the archiver broke before this dataset's turn".to_owned();
            ended.done.push((index, job, outcome.failed(message, "run it again".to_owned())));
        }
        Ok(ended)
    }

    /// Runs the streams of these items over one channel; the `last` one also asks for the pool.
    fn channel(
        &self,
        number: usize,
        course: &Course,
        is_last: bool,
        total: Counter,
    ) -> impl Future<Output = Result<End, Error>> + use<'a> {
        let mut commands = Vec::new();
        for some in halves(&course.items) {
            commands.extend(some.iter().flat_map(|item| {
                let (target, kind) = (&item.job.target, item.job.source.kind);
                let owned = self.context.owns_mounts(self.replication);
                let make = item.job.make(item.streams(), self.is_raw(item), owned);
                argv::receives(target, kind, make, item.streams().count())
            }));
            commands.push(argv::list_these(&arrivals(some)));
        }
        if is_last {
            commands.extend(seen::questions(self.replication.target.pool()));
        }
        let marks = course.counters.iter().zip(&course.claims);
        let sendings = course.items.iter().zip(marks).flat_map(|(item, (counter, claim))| {
            let (raw, mut claim) = (self.is_raw(item), Some(claim.clone()));
            let counters = vec![counter.clone(), total.clone()];
            item.streams().map(move |stream| Sending {
                argv: argv::send(&item.job.source.name, stream, raw),
                counters: counters.clone(),
                claim: claim.take(),
            })
        });
        let (sendings, names) = (sendings.collect::<Vec<_>>(), arrivals(&course.items));
        let (this, beside) = (*self, course.beside);
        async move {
            let lane = if beside { this.lanes.another().await } else { this.lanes.shared() };
            let packed = this.replication.stream_compression.is_zstd();
            let told = Some(this.told.clone());
            let receiving = Receiving { told, ..lane.archiver().receiving(&commands, packed)? };
            let result = stream::run(this.context.exec, sendings, &receiving, this.bounds).await;
            if matches!(result, Err(Broken::Connection(_))) {
                lane.abandon();
            }
            let there = match &result {
                Ok(()) => BTreeMap::new(),
                Err(_) => this.lanes.shared().archiver().which(&names).await.unwrap_or_default(),
            };
            Ok(End { number, has_failed: result.is_err(), there })
        }
    }

    fn is_raw(&self, item: &Item) -> bool {
        let (source, copy) = (&item.job.source, item.job.copy.as_ref());
        form::are_raw(item.streams(), source, copy, &self.replication.target, self.replication.raw)
    }

    fn settle(&self, course: Course, end: &End, waiting: &mut VecDeque<Item>, ended: &mut Ended) {
        let time = course.began.elapsed();
        let is_there = |item: &&Item| {
            let newest = item.job.arrival();
            newest.is_some_and(|(name, newest)| end.there.get(&name) == Some(&newest.guid))
        };
        let arrived = match end.has_failed {
            true => course.items.iter().take_while(is_there).count(),
            false => course.items.len(),
        };
        for (place, (item, counter)) in course.items.into_iter().zip(course.counters).enumerate().rev() {
            if place < arrived {
                let mut outcome =
                    DatasetOutcome::new(&item.job.source, item.job.target.to_string(), Fate::Sent);
                outcome.snapshots = item.streams().map(Stream::count).sum();
                outcome.bytes = counter.load(Ordering::Relaxed);
                report(self.context, &outcome, time);
                ended.done.push((item.index, item.job, outcome));
            } else if place == arrived {
                ended.doubtful.push((item.index, item.job));
            } else {
                waiting.push_front(item);
            }
        }
    }
}

/// Takes the items of a channel from those that wait, if there is room for so many more.
fn next(waiting: &mut VecDeque<Item>, left: usize) -> Vec<Item> {
    let fair = waiting.len().div_ceil(left).min(MOST);
    let mut streams = 0;
    let fits = waiting.iter().take(fair).take_while(|item| {
        streams += item.streams().count();
        streams <= STREAMS
    });
    let fits = fits.count().max(1);
    waiting.drain(..fits).collect()
}

/// The newest snapshots of these, by their names on the archiver.
fn arrivals(items: &[Item]) -> Vec<String> {
    items.iter().filter_map(|item| Some(item.job.arrival()?.0)).collect()
}

/// The first half, half of the rest, and so on. What has arrived is acknowledged while others are under way,
/// and few are left for the end.
fn halves<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (some, rest) =
            items.split_at_checked(items.len().div_ceil(2).max(LISTED)).unwrap_or((items, &[]));
        items = rest;
        (!some.is_empty()).then_some(some)
    })
}

impl Item {
    fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.job.streams().into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_stream_makes_room_for_another_within_the_bound() {
        let room = Room { channels: 2, most: 4 };
        let left =
            [(0, 0), (2, 0), (1, 1), (0, 2), (2, 2), (0, 4)].map(|(small, large)| room.left(small, large));
        assert_eq!((left, room.grows()), ([2, 0, 1, 2, 0, 0], true));
        let narrow = Room { channels: 2, most: 2 };
        let left = [(0, 0), (1, 1), (0, 2)].map(|(small, large)| narrow.left(small, large));
        assert_eq!((left, narrow.grows()), ([2, 0, 0], false));
    }

    #[test]
    fn all_are_listed_in_order_and_few_at_the_end() {
        let sizes = |count: usize| {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(halves(&items).flatten().copied().collect::<Vec<_>>(), items);
            halves(&items).map(<[usize]>::len).collect::<Vec<_>>()
        };
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(LISTED), [LISTED]);
        assert_eq!(sizes(LISTED + 1), [LISTED, 1]);
        assert_eq!(sizes(MOST), [16, 8, 6, 2]);
    }
}

//! Increments, and first sends of small datasets, over few channels.
//!
//! The streams of a batch follow each other over one channel into as many receives, which saves a
//! round trip and an ssh for each. The first failure ends a channel. What had arrived by then is
//! seen on the archiver; what was under way is left to [`super::dataset`], which finds out what is
//! wrong with it; the rest goes over a new channel.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dormouse_generator::spec::Replication;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::dataset::{make, report};
use super::outcome::{DatasetOutcome, Result as Fate};
use super::progress::Progress;
use super::stream::{self, Bounds, Broken, Counter, Receiving, Sending, Way};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::report::seen;
use crate::zfs::plan::Stream;
use crate::zfs::schedule::Job;
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

/// Channels side by side.
const CHANNELS: usize = 2;

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
}

/// A channel that has ended.
struct Channel {
    items: Vec<Item>,
    counters: Vec<Counter>,
    result: Result<(), Broken>,
    time: Duration,
}

impl<'a> Batches<'a> {
    /// For one replication. What has arrived is listed to `told`.
    #[must_use]
    pub fn new(
        context: &'a Context,
        replication: &'a Replication,
        bounds: &'a Bounds,
        told: &'a UnboundedSender<String>,
    ) -> Self {
        Self { context, replication, bounds, told }
    }

    /// Sends all items. Where their copies are `unseen`, the first failure makes all that has not arrived
    /// doubtful, and the last channel tells how the pool is once all has: [`seen::questions`].
    ///
    /// # Errors
    /// When an argument cannot be carried to the archiver.
    pub async fn send(
        &self,
        archiver: &mut Archiver,
        items: Vec<Item>,
        unseen: bool,
    ) -> Result<Ended, Error> {
        let (mut waiting, mut ended) = (VecDeque::from(items), Ended::default());
        let progress = match self.context.shows_progress && !waiting.is_empty() {
            true => Progress::bar("all together", None),
            false => Progress::quiet(),
        };
        let mut channels = JoinSet::new();
        loop {
            if channels.len() < CHANNELS && !waiting.is_empty() && archiver.is_alive() {
                let fair = waiting.len().div_ceil(CHANNELS - channels.len()).min(MOST);
                let mut streams = 0;
                let fits = waiting.iter().take(fair).take_while(|item| {
                    streams += item.streams().count();
                    streams <= STREAMS
                });
                let fits = fits.count().max(1);
                let items = waiting.drain(..fits).collect();
                let is_last = unseen && waiting.is_empty();
                channels.spawn(self.channel(archiver, items, is_last, progress.counter())?);
                continue;
            }
            match channels.join_next().await {
                Some(Ok(channel)) => {
                    self.settle(archiver, channel, &mut waiting, &mut ended).await;
                    if unseen && !ended.doubtful.is_empty() {
                        ended.doubtful.extend(waiting.drain(..).map(|Item { index, job }| (index, job)));
                    }
                }
                Some(Err(error)) => return Err(std::io::Error::other(error).into()),
                None => break,
            }
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
        archiver: &Archiver,
        items: Vec<Item>,
        is_last: bool,
        total: Counter,
    ) -> Result<impl Future<Output = Channel> + use<>, Error> {
        let mut commands = Vec::new();
        for some in halves(&items) {
            commands.extend(some.iter().flat_map(|item| {
                let (target, kind) = (&item.job.target, item.job.source.kind);
                let make = make(&item.job, item.streams(), self.is_raw(item));
                argv::receives(target, kind, make, item.streams().count())
            }));
            let arrivals: Vec<String> = some.iter().filter_map(|item| Some(item.job.arrival()?.0)).collect();
            commands.push(argv::list_these(&arrivals));
        }
        if is_last {
            commands.extend(seen::questions(self.replication.target.pool()));
        }
        let packed = self.replication.stream_compression.is_zstd();
        let told = Some(self.told.clone());
        let receiving = Receiving { told, ..archiver.receiving(&commands, packed)? };
        let counters: Vec<Counter> = items.iter().map(|_| Counter::default()).collect();
        let sendings = items.iter().zip(&counters).flat_map(|(item, counter)| {
            let (raw, total) = (self.is_raw(item), total.clone());
            item.streams().map(move |stream| Sending {
                argv: argv::send(&item.job.source.name, stream, raw),
                counters: vec![counter.clone(), total.clone()],
            })
        });
        let (exec, sendings) = (self.context.exec, sendings.collect::<Vec<_>>());
        let bounds = self.bounds.clone();
        let begin = Instant::now();
        Ok(async move {
            let result = stream::run(exec, sendings, &receiving, Way::ToArchiver, &bounds).await;
            Channel { items, counters, result, time: begin.elapsed() }
        })
    }

    fn is_raw(&self, item: &Item) -> bool {
        let (source, copy) = (&item.job.source, item.job.copy.as_ref());
        form::are_raw(item.streams(), source, copy, &self.replication.target, self.replication.raw)
    }

    async fn settle(
        &self,
        archiver: &mut Archiver,
        channel: Channel,
        waiting: &mut VecDeque<Item>,
        ended: &mut Ended,
    ) {
        let Channel { items, counters, result, time } = channel;
        let arrived = match &result {
            Ok(()) => items.len(),
            Err(_) => self.arrived(archiver, &items).await,
        };
        let failed = result.is_err();
        for (place, (item, counter)) in items.into_iter().zip(counters).enumerate().rev() {
            if place < arrived {
                let mut outcome =
                    DatasetOutcome::new(&item.job.source, item.job.target.to_string(), Fate::Sent);
                outcome.snapshots = item.streams().map(Stream::count).sum();
                outcome.bytes = counter.load(Ordering::Relaxed);
                report(self.context, &outcome, time);
                ended.done.push((item.index, item.job, outcome));
            } else if failed && place == arrived {
                ended.doubtful.push((item.index, item.job));
            } else {
                waiting.push_front(item);
            }
        }
    }

    /// How many of the items, from the first on, are on the archiver.
    async fn arrived(&self, archiver: &Archiver, items: &[Item]) -> usize {
        let names: Vec<String> = items.iter().filter_map(|item| Some(item.job.arrival()?.0)).collect();
        let there = archiver.which(&names).await.unwrap_or_default();
        let is_there = |item: &&Item| {
            let newest = item.job.arrival();
            newest.is_some_and(|(name, newest)| there.get(&name) == Some(&newest.guid))
        };
        items.iter().take_while(is_there).count()
    }
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

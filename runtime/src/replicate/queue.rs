//! Which jobs can be done next, when each waits for the copy above its own.

use std::collections::{BTreeMap, BTreeSet};

use dormouse_generator::name::DatasetName;

use super::batch::STREAMS;
use crate::zfs::schedule::Job;

/// A job with its place among all.
type Numbered = (usize, Job);

/// Jobs that wait, in order. An audit has one for each dataset, so that no step looks at all of them.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: BTreeMap<usize, Numbered>,
    /// Where the copies of jobs are that have not ended.
    pending: BTreeSet<DatasetName>,
    /// Small first sends, by the copy above theirs, which is pending.
    below: BTreeMap<DatasetName, Vec<usize>>,
    /// Small first sends whose place is there.
    ready: BTreeSet<usize>,
}

impl Queue {
    /// All jobs wait.
    #[must_use]
    pub fn new(jobs: Vec<Numbered>) -> Self {
        let pending = jobs.iter().map(|(_, job)| job.target.clone()).collect();
        let mut queue = Self { pending, ..Self::default() };
        for (place, (index, job)) in jobs.into_iter().enumerate() {
            if is_small(&job) {
                let above = job.target.parent().filter(|parent| queue.pending.contains(parent));
                if let Some(above) = above {
                    queue.below.entry(above).or_default().push(place);
                } else {
                    queue.ready.insert(place);
                }
            }
            queue.waiting.insert(place, (index, job));
        }
        queue
    }

    /// Whether no job waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out the small first sends whose place is there.
    pub fn take_ready(&mut self) -> Vec<Numbered> {
        let ready = std::mem::take(&mut self.ready);
        ready.into_iter().filter_map(|place| self.waiting.remove(&place)).collect()
    }

    /// Takes out the first job that waits.
    pub fn take_first(&mut self) -> Option<Numbered> {
        self.waiting.pop_first().map(|(_, job)| job)
    }

    /// A job has ended. Jobs below a copy that did not come whole are left to fail by themselves, in their order.
    pub fn end(&mut self, copy: &DatasetName, is_complete: bool) {
        self.pending.remove(copy);
        let below = self.below.remove(copy).unwrap_or_default();
        if is_complete {
            self.ready.extend(below.into_iter().filter(|place| self.waiting.contains_key(place)));
        }
    }
}

/// Whether a job is the first send of a dataset that is sent in a moment, over one channel.
fn is_small(job: &Job) -> bool {
    job.is_small_first() && job.streams().is_some_and(|streams| streams.len() <= STREAMS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::listing::Listing;
    use crate::zfs::schedule::schedule;

    /// First sends, small ones except those named `big`, of datasets in this order.
    fn queue(names: &[&str]) -> Queue {
        let line = |name: &&str| {
            let size: u64 = if name.ends_with("big") { 1 << 40 } else { 1 };
            format!("{name}\tfilesystem\t1\t-\t-\n{name}@a\t2\t3\t4\t0\t{size}\n")
        };
        let source = Listing::read(&names.iter().map(line).collect::<String>()).unwrap();
        let root = DatasetName::new("tank").unwrap();
        let jobs = schedule(&source, &Listing::read("").unwrap(), &root, &root).unwrap();
        Queue::new(jobs.into_iter().enumerate().collect())
    }

    fn names(jobs: impl IntoIterator<Item = Numbered>) -> Vec<String> {
        jobs.into_iter().map(|(_, job)| job.target.to_string()).collect()
    }

    fn end(queue: &mut Queue, name: &str, is_complete: bool) {
        queue.end(&DatasetName::new(name).unwrap(), is_complete);
    }

    #[test]
    fn small_first_sends_go_together_once_the_copy_above_is_there() {
        let mut queue = queue(&["tank/a", "tank/a/b", "tank/a/c", "tank/big", "tank/big/d"]);
        assert_eq!(names(queue.take_ready()), ["tank/a"]);
        assert!(queue.take_ready().is_empty());
        end(&mut queue, "tank/a", true);
        assert_eq!(names(queue.take_ready()), ["tank/a/b", "tank/a/c"]);
        assert_eq!(names(queue.take_first()), ["tank/big"]);
        end(&mut queue, "tank/big", true);
        assert_eq!(names(queue.take_ready()), ["tank/big/d"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn below_a_copy_that_did_not_come_each_job_is_done_by_itself_in_order() {
        let mut queue = queue(&["tank/a", "tank/a/b", "tank/a/b/c"]);
        assert_eq!(names(queue.take_ready()), ["tank/a"]);
        end(&mut queue, "tank/a", false);
        assert!(queue.take_ready().is_empty());
        assert_eq!(names(queue.take_first()), ["tank/a/b"]);
        end(&mut queue, "tank/a/b", false);
        assert!(queue.take_ready().is_empty());
        assert_eq!(names(queue.take_first()), ["tank/a/b/c"]);
    }
}

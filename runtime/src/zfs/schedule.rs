//! From the trees of both sides to jobs, in the order in which they are done.

use std::ops::Bound;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;

use super::argv::Make;
use super::cursor::Cursors;
use super::listing::Datasets;
use super::plan::{Base, Decision, Refusal, Stream, common, decide, decide_by_cursor, too_long};
use super::{Dataset, Kind, Snapshot, form};

/// Most snapshots of a dataset that are held while they are under way, besides the newest. A long
/// run has passed the first ones when it is interrupted; the next one holds what it resumes. Each
/// hold takes a transaction group.
const MOST_HELD: usize = 4;

/// Below this size, in bytes before compression, a dataset is sent in a moment.
pub const SMALL: u64 = 64 << 20;

/// What is to be done for one dataset.
#[derive(Clone, Debug)]
pub struct Job {
    /// The dataset on the host; of its snapshots at least the newest.
    pub source: Dataset,
    /// Where its copy is or will be.
    pub target: DatasetName,
    /// Its copy; of its snapshots the newest, where they were listed.
    pub copy: Option<Dataset>,
    /// What to do.
    pub decision: Decision,
    /// The host's snapshots that it needs until it is done, as `dataset@snapshot`: what is sent and
    /// what it builds on.
    pub needs: Vec<String>,
    /// How old the copy is: the transaction group, on the host, of the newest snapshot that both
    /// sides know.
    pub age: Option<u64>,
    /// Whether the copy was seen, or is known, to have the host's newest snapshot.
    pub arrived: bool,
    /// Whether the copy above it is raw: [`form::is_below_raw`].
    pub below_raw: bool,
}

impl Job {
    /// How the first of these streams makes the copy; `owned` says whether the archiver's root keeps copies unmounted.
    /// `zfs receive` takes `encryption` for new datasets only.
    pub fn make<'s>(&self, streams: impl IntoIterator<Item = &'s Stream>, raw: bool, owned: bool) -> Make {
        let is_new = streams.into_iter().any(|stream| matches!(stream, Stream::Full { .. }));
        let is_passive = !is_new && self.copy.as_ref().is_some_and(|copy| copy.is_passive);
        Make { passive: !owned && !is_passive, keyless: is_new && self.below_raw && !raw }
    }

    /// What the host knows by itself to be the job for a dataset, if that is enough.
    #[must_use]
    pub fn by_cursor(
        source: &Dataset,
        target: &DatasetName,
        copy: &Dataset,
        cursors: &Cursors,
    ) -> Option<Self> {
        let acknowledged = cursors.acknowledged(source)?;
        let decision = decide_by_cursor(source, copy, acknowledged)?;
        let base = source.bookmark(acknowledged).cloned().map(Base::Bookmark);
        Some(Self::new(source.clone(), target.clone(), Some(copy.clone()), decision, base.as_ref()))
    }

    /// The same for a copy that nobody has looked at, and that is where it was. None when the cursor is not
    /// enough.
    ///
    /// The form of an encrypted copy is taken for raw: should it be plain, `zfs receive` refuses the stream.
    /// A plain stream onto a raw copy would do harm, so a spec that wants those has the copy looked at.
    #[must_use]
    pub fn unseen(source: &Dataset, target: &DatasetName, cursors: &Cursors, raw: Raw) -> Option<Self> {
        if source.is_encrypted() && raw == Raw::Never {
            return None;
        }
        let copy = Dataset {
            name: target.clone(),
            encryption_root: source.is_encrypted().then(|| target.to_string()),
            is_passive: true,
            snapshots: vec![],
            unsent: vec![],
            bookmarks: vec![],
            ..source.clone()
        };
        if source.newest().is_none() && !source.bookmarks.iter().any(|each| cursors.is_ours(&each.name)) {
            return Some(Self::new(
                source.clone(),
                target.clone(),
                Some(copy),
                Decision::NothingToSend,
                None,
            ));
        }
        Self::by_cursor(source, target, &copy, cursors)
    }

    /// The job for a dataset by all snapshots of both sides. `carries` says that datasets below it
    /// have snapshots; `former` is its copy by another name.
    #[must_use]
    pub fn by_histories(
        source: Dataset,
        target: DatasetName,
        copy: Option<Dataset>,
        carries: bool,
        former: Option<&DatasetName>,
    ) -> Self {
        let mut decision = decide(&source, copy.as_ref());
        if let (None, Some(from)) = (&copy, former) {
            decision = Decision::Refused(Refusal::Renamed { from: from.clone() });
        }
        if decision == Decision::NothingToSend && copy.is_none() && carries {
            decision = Decision::Placeholder;
        }
        let base = copy.as_ref().and_then(|copy| common(&source, copy));
        Self::new(source, target, copy, decision, base.as_ref())
    }

    /// The same job, or a refusal if it would need a plain stream of an encrypted dataset: [`form::conflict`].
    #[must_use]
    pub fn secret(self, root: &DatasetName, wanted: Raw) -> Self {
        let streams = self.streams().unwrap_or_default();
        match form::conflict(streams, &self.source, self.copy.as_ref(), root, wanted) {
            Some(refusal) => {
                Self { decision: Decision::Refused(refusal), needs: needs(&self.source, None), ..self }
            }
            None => self,
        }
    }

    fn new(
        source: Dataset,
        target: DatasetName,
        copy: Option<Dataset>,
        decision: Decision,
        base: Option<&Base>,
    ) -> Self {
        let too_long =
            matches!(decision, Decision::Send(_)).then(|| too_long(&source, &target, base)).flatten();
        let decision = too_long.map_or(decision, Decision::Refused);
        let needs = match decision {
            Decision::Send(_) | Decision::Resume { .. } => needs(&source, base),
            Decision::Refused(_) => needs(&source, None),
            Decision::NothingToSend | Decision::Placeholder | Decision::UpToDate(_) => vec![],
        };
        let arrived = match (&decision, source.newest(), &copy) {
            (Decision::UpToDate(_), Some(newest), Some(copy)) => {
                copy.snapshots.is_empty() || copy.snapshot(newest.guid).is_some()
            }
            _ => false,
        };
        let age = base.map(Base::createtxg);
        Self { needs, age, arrived, below_raw: false, source, target, copy, decision }
    }

    /// A copy without the snapshots that no later step looks at: a tree may have millions. It lies in memory of
    /// its own: pieces of whole histories would keep the memory of those from being used for the next ones.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        let theirs = self.copy.as_ref().and_then(Dataset::newest).map(|snapshot| snapshot.guid);
        let newest = self.source.newest().map(|snapshot| snapshot.guid);
        let kept = |guid| [newest, theirs].contains(&Some(guid));
        let source = Dataset {
            partial: true,
            bookmarks: self.source.bookmarks.clone(),
            ..self.source.only_snapshots(|snapshot| kept(snapshot.guid))
        };
        let copy = self.copy.as_ref().map(|copy| copy.only_snapshots(|each| Some(each.guid) == theirs));
        Self {
            source,
            target: self.target.clone(),
            copy,
            decision: self.decision.clone(),
            needs: self.needs.clone(),
            ..*self
        }
    }

    /// The snapshot that the archiver has in the end: its name there, and itself.
    #[must_use]
    pub fn arrival(&self) -> Option<(String, &Snapshot)> {
        let newest = self.source.newest()?;
        Some((format!("{}@{}", self.target, newest.name), newest))
    }

    /// Whether the copy is new: nothing was in common before.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.age.is_none() && self.source.newest().is_some()
    }

    /// Whether it is the first send of a dataset that is sent in a moment, so that nobody needs to watch it.
    #[must_use]
    pub fn is_small_first(&self) -> bool {
        self.is_first() && self.streams().is_some() && self.is_small()
    }

    /// Whether the dataset is known to be small.
    #[must_use]
    pub fn is_small(&self) -> bool {
        let size = self.source.newest().and_then(|newest| newest.size);
        size.is_some_and(|size| size < SMALL)
    }

    /// Whether anything is sent or made without touching what is there.
    #[must_use]
    pub fn does_something(&self) -> bool {
        matches!(self.decision, Decision::Send(_) | Decision::Resume { .. } | Decision::Placeholder)
    }

    /// Whether snapshots are sent, if conflicts are solved by setting copies aside or not.
    #[must_use]
    pub fn sends(&self, sets_aside: bool) -> bool {
        match self.decision {
            Decision::Send(_) | Decision::Resume { .. } => true,
            Decision::Refused(Refusal::NameTooLong { .. }) => false,
            Decision::Refused(_) => sets_aside,
            Decision::NothingToSend | Decision::Placeholder | Decision::UpToDate(_) => false,
        }
    }

    /// The streams to send, if that is all there is to do.
    #[must_use]
    pub fn streams(&self) -> Option<&[Stream]> {
        match &self.decision {
            Decision::Send(streams) => Some(streams),
            _ => None,
        }
    }

    /// The same, if all of them are increments.
    #[must_use]
    pub fn increments(&self) -> Option<&[Stream]> {
        self.streams().filter(|streams| !streams.iter().any(|s| matches!(s, Stream::Full { .. })))
    }
}

fn needs(source: &Dataset, base: Option<&Base>) -> Vec<String> {
    let from = base.map_or(0, Base::createtxg);
    let needed = source.snapshots.iter().filter(|snapshot| snapshot.createtxg >= from);
    let count = needed.clone().count();
    let held = needed.enumerate().filter(|(index, _)| *index < MOST_HELD || index + 1 == count);
    held.map(|(_, snapshot)| format!("{}@{}", source.name, snapshot.name)).collect()
}

/// The jobs that make a copy at `to` of everything at and below `from`, in order.
///
/// # Errors
/// When a target's name would be too long for ZFS.
pub fn schedule(
    source: &Datasets,
    target: &Datasets,
    from: &DatasetName,
    to: &DatasetName,
) -> Result<Vec<Job>, String> {
    let job = |dataset: &Dataset| {
        let name = to.join(dataset.name.relative_to(from).unwrap_or_default())?;
        let copy = target.get(&name).cloned();
        let below_raw = form::is_below_raw((&dataset.name, &name), (source, target), to, Raw::Auto);
        let job = Job::by_histories(dataset.clone(), name, copy, carries(dataset, source), None);
        Ok::<_, String>(Job { below_raw, ..job })
    };
    let mut jobs = source.values().map(job).collect::<Result<Vec<_>, _>>()?;
    sort(&mut jobs);
    Ok(jobs)
}

/// New datasets come first, parents before children; then those whose copy is oldest, so that a
/// run that is cut short leaves all of them similarly fresh.
pub fn sort(jobs: &mut [Job]) {
    jobs.sort_by(|a, b| (a.age, &a.target).cmp(&(b.age, &b.target)));
}

/// Whether a dataset below this one has a snapshot.
#[must_use]
pub fn carries(dataset: &Dataset, all: &Datasets) -> bool {
    let is_below = |other: &Dataset| other.name.is_within(&dataset.name);
    dataset.kind == Kind::Filesystem
        && beginning_with(dataset, all).any(|other| is_below(other) && other.newest().is_some())
}

/// The other datasets whose names begin with this one's name, among them all datasets below it. They follow
/// each other, so that a tree of thousands is not searched for each of its datasets.
fn beginning_with<'a>(dataset: &'a Dataset, all: &'a Datasets) -> impl Iterator<Item = &'a Dataset> {
    let after = all.range((Bound::Excluded(&dataset.name), Bound::Unbounded));
    after.map(|(_, other)| other).take_while(|other| other.name.as_str().starts_with(dataset.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::listing::Listing;
    use super::*;

    fn tree(names: impl IntoIterator<Item = String>) -> Datasets {
        let line = |name| format!("{name}\tfilesystem\t1\t-\t-\n{name}@a\t2\t3\n");
        Listing::read(&names.into_iter().map(line).collect::<String>()).unwrap()
    }

    #[test]
    fn only_datasets_below_make_a_dataset_carry_something() {
        let all = tree(["tank/a", "tank/a-b", "tank/a/b/c", "tank/ab/c", "tank/b"].map(str::to_owned));
        let carrying: Vec<&str> = all
            .values()
            .filter(|dataset| carries(dataset, &all))
            .map(|dataset| dataset.name.as_str())
            .collect();
        assert_eq!(carrying, ["tank/a"]);
    }

    #[test]
    fn a_tree_four_times_as_big_takes_four_times_as_many_looks() {
        let looks = |folders: usize| {
            let names = (0..folders).flat_map(|folder| {
                let data = (0..10).map(move |data| format!("tank/folder{folder:04}/data{data}"));
                std::iter::once(format!("tank/folder{folder:04}")).chain(data)
            });
            let all = tree(names);
            all.values().map(|dataset| beginning_with(dataset, &all).count()).sum::<usize>()
        };
        assert_eq!((looks(100), looks(400)), (1000, 4000));
    }
}

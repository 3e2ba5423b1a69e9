//! Which datasets are sent at the same time, and in which order they start.
//!
//! A dataset may start when no dataset above or below it is under way and its parent's copy exists. Of the
//! datasets that may start, the first in the order of [`super::schedule::sort`] does.

use std::collections::{BTreeMap, BTreeSet};

use dormouse_generator::name::DatasetName;

/// Channels that small datasets share. One leaves a processor idle while a receive waits for its transaction
/// group; more than two make nothing faster, and a cold hard disk slower.
pub const CHANNELS: usize = 2;

/// The streams that a dataset may be sent beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Any; it shares channels with other small datasets.
    Small,
    /// Any; it has a channel of its own.
    Large,
    /// None: it renames copies that may belong to other datasets.
    Nothing,
}

/// A dataset that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where its copy will be.
    pub target: DatasetName,
    /// The streams that it may be sent beside.
    pub company: Company,
    /// Whether its copy exists, so that others can be received below it.
    pub is_there: bool,
}

/// The datasets that start; numbers are places among all datasets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Small datasets, which share channels.
    Together {
        /// The datasets.
        places: Vec<usize>,
        /// How many channels they share.
        channels: usize,
    },
    /// One dataset.
    Alone(usize),
}

/// The datasets that wait and those that are under way.
#[derive(Debug)]
pub struct Turns {
    bound: usize,
    waiting: Vec<(usize, Candidate)>,
    /// Targets of waiting datasets that have no copy yet.
    absent: BTreeSet<DatasetName>,
    /// Targets of those that are under way.
    under_way: BTreeSet<DatasetName>,
    alone: BTreeMap<usize, Candidate>,
    together: BTreeMap<usize, Candidate>,
    channels: usize,
    /// Targets of those that did not arrive.
    missing: BTreeSet<DatasetName>,
}

impl Turns {
    /// At most `bound` streams run at once. If that is 1, small datasets still share [`CHANNELS`].
    #[must_use]
    pub fn new(bound: usize, waiting: Vec<(usize, Candidate)>) -> Self {
        let absent = waiting.iter().filter(|(_, each)| !each.is_there);
        let absent = absent.map(|(_, each)| each.target.clone()).collect();
        let (alone, together) = (BTreeMap::new(), BTreeMap::new());
        let (under_way, missing) = (BTreeSet::new(), BTreeSet::new());
        Self { bound, waiting, absent, under_way, alone, together, channels: 0, missing }
    }

    /// The datasets that start now; none if the next start has to wait for an end.
    #[must_use]
    pub fn start(&mut self) -> Option<Turn> {
        if self.alone.values().any(|each| each.company == Company::Nothing) {
            return None;
        }
        let (ready, channels) = (self.ready(), self.free_channels());
        if ready.len() > 1 && channels > 0 {
            self.channels = channels;
            let taken: Vec<_> = self.waiting.extract_if(.., |(place, _)| ready.contains(place)).collect();
            self.begins(taken.iter().map(|(_, each)| &each.target));
            self.together = taken.into_iter().collect();
            return Some(Turn::Together { places: ready.into_iter().collect(), channels });
        }
        if self.alone.len() + self.channels >= self.bound {
            return None;
        }
        let at = self.waiting.iter().position(|(_, each)| self.may_begin_alone(each))?;
        let (place, candidate) = self.waiting.remove(at);
        self.begins([&candidate.target]);
        self.alone.insert(place, candidate);
        Some(Turn::Alone(place))
    }

    /// Records a dataset that does not arrive in this run.
    pub fn misses(&mut self, target: DatasetName) {
        self.missing.insert(target);
    }

    /// Records the datasets that have ended, and whether each arrived.
    pub fn ended(&mut self, ended: impl IntoIterator<Item = (usize, bool)>) {
        for (place, has_arrived) in ended {
            let candidate = self.alone.remove(&place).or_else(|| self.together.remove(&place));
            candidate.iter().for_each(|each| {
                self.under_way.remove(&each.target);
            });
            self.missing.extend(candidate.filter(|_| !has_arrived).map(|each| each.target));
        }
        if self.together.is_empty() {
            self.channels = 0;
        }
    }

    fn begins<'n>(&mut self, targets: impl IntoIterator<Item = &'n DatasetName>) {
        for target in targets {
            self.absent.remove(target);
            self.under_way.insert(target.clone());
        }
    }

    /// The channels that small datasets may share now.
    fn free_channels(&self) -> usize {
        match (self.channels, self.alone.len()) {
            (0, 0) => CHANNELS,
            (0, alone) => self.bound.saturating_sub(alone).min(CHANNELS),
            _ => 0,
        }
    }

    /// The small datasets that may begin together.
    fn ready(&self) -> BTreeSet<usize> {
        let is_ready = |each: &Candidate| self.is_small(each) && self.has_place(each);
        self.waiting.iter().filter(|(_, each)| is_ready(each)).map(|(place, _)| *place).collect()
    }

    /// Whether it can share a channel: a receive below a copy that did not arrive would end the channel.
    fn is_small(&self, candidate: &Candidate) -> bool {
        let parent = candidate.target.parent();
        candidate.company == Company::Small && parent.is_none_or(|parent| !self.missing.contains(&parent))
    }

    fn may_begin_alone(&self, candidate: &Candidate) -> bool {
        let has_company = match candidate.company {
            Company::Nothing => self.alone.is_empty() && self.together.is_empty(),
            // While some share channels, others gather for the next time.
            Company::Small => self.together.is_empty() || !self.is_small(candidate),
            Company::Large => true,
        };
        has_company && self.has_place(candidate)
    }

    /// Whether the copy above it is there, and nothing above or below it is under way.
    fn has_place(&self, candidate: &Candidate) -> bool {
        let target = &candidate.target;
        let mut above = std::iter::successors(target.parent(), DatasetName::parent);
        // Datasets whose names begin with this one's name follow each other.
        let mut after = self.under_way.range(target..);
        let is_below = |other: &&DatasetName| other.as_str().starts_with(target.as_str());
        !above.any(|above| self.absent.contains(&above) || self.under_way.contains(&above))
            && !after.by_ref().take_while(is_below).any(|other| other.is_within(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str) -> Vec<(usize, Candidate)> {
        let candidate = |word: &str| {
            let (name, kind) = word.split_at(word.len() - 1);
            let company = match kind {
                "s" => Company::Small,
                "L" | "+" => Company::Large,
                "!" => Company::Nothing,
                other => panic!("{other}"),
            };
            let target = DatasetName::new(format!("vault/{}", name.trim_end_matches(':'))).unwrap();
            Candidate { target, company, is_there: kind == "+" }
        };
        text.split_whitespace().map(candidate).enumerate().collect()
    }

    fn begin(turns: &mut Turns) -> Vec<Turn> {
        std::iter::from_fn(|| turns.start()).collect()
    }

    fn alone<const N: usize>(places: [usize; N]) -> Vec<Turn> {
        places.map(Turn::Alone).to_vec()
    }

    #[test]
    fn the_first_ones_are_under_way_and_never_more_than_the_bound() {
        let mut turns = Turns::new(4, candidates("a:L b:L c:L d:L e:L f:L"));
        assert_eq!(begin(&mut turns), alone([0, 1, 2, 3]));
        turns.ended([(2, true)]);
        assert_eq!(begin(&mut turns), alone([4]));
        turns.ended([(0, false), (1, true)]);
        assert_eq!(begin(&mut turns), alone([5]));
        turns.ended([(3, true), (4, true), (5, true)]);
        assert!(begin(&mut turns).is_empty());
    }

    #[test]
    fn children_wait_for_the_copy_of_their_parent() {
        let mut turns = Turns::new(4, candidates("a:L a/b:L a/b/c:L d:L"));
        assert_eq!(begin(&mut turns), alone([0, 3]));
        turns.ended([(0, true)]);
        assert_eq!(begin(&mut turns), alone([1]));
        turns.ended([(1, false)]);
        assert_eq!(begin(&mut turns), alone([2]), "what is wrong with it, it says itself");
    }

    #[test]
    fn a_new_child_of_a_copy_that_is_there_goes_before_its_parent_and_not_beside_it() {
        let mut turns = Turns::new(4, candidates("a/new:L a:+ b:+"));
        assert_eq!(begin(&mut turns), alone([0, 2]));
        turns.ended([(0, true)]);
        assert_eq!(begin(&mut turns), alone([1]));
    }

    #[test]
    fn small_ones_share_two_channels_of_the_bound() {
        let mut turns = Turns::new(4, candidates("a:s b:s c:L d:L e:L f:s g:L"));
        let small = Turn::Together { places: vec![0, 1, 5], channels: 2 };
        assert_eq!(begin(&mut turns), [vec![small], alone([2, 3])].concat());
        turns.ended([(0, true), (1, true), (5, true)]);
        assert_eq!(begin(&mut turns), alone([4, 6]));
    }

    #[test]
    fn small_ones_take_the_channels_that_are_left() {
        let mut turns = Turns::new(2, candidates("p:L p/a:s p/b:s q:L r:L"));
        assert_eq!(begin(&mut turns), alone([0, 3]));
        turns.ended([(0, true)]);
        assert_eq!(begin(&mut turns), [Turn::Together { places: vec![1, 2], channels: 1 }]);
        turns.ended([(3, true)]);
        assert_eq!(begin(&mut turns), alone([4]));
    }

    #[test]
    fn below_a_copy_that_did_not_arrive_none_shares_a_channel() {
        let mut turns = Turns::new(4, candidates("a:L b:L a/x:s a/y:s b/x:s b/y:s"));
        assert_eq!(begin(&mut turns), alone([0, 1]));
        turns.ended([(0, false), (1, true)]);
        let small = Turn::Together { places: vec![4, 5], channels: 2 };
        assert_eq!(begin(&mut turns), [vec![small], alone([2, 3])].concat());
    }

    #[test]
    fn what_renames_copies_has_nothing_beside_it() {
        let mut turns = Turns::new(4, candidates("a:! b:L c:L"));
        assert_eq!(begin(&mut turns), alone([0]));
        turns.ended([(0, true)]);
        assert_eq!(begin(&mut turns), alone([1, 2]));
        let mut turns = Turns::new(4, candidates("b:L a:! a/c:L"));
        assert_eq!(begin(&mut turns), alone([0]));
        turns.ended([(0, true)]);
        assert_eq!(begin(&mut turns), alone([1]));
        turns.ended([(1, true)]);
        assert_eq!(begin(&mut turns), alone([2]));
    }

    #[test]
    fn with_a_bound_of_one_large_ones_follow_each_other_and_small_ones_keep_their_channels() {
        let mut turns = Turns::new(1, candidates("a:s b:s c:L a/d:s d:L"));
        assert_eq!(begin(&mut turns), [Turn::Together { places: vec![0, 1], channels: 2 }]);
        turns.ended([(0, true), (1, true)]);
        assert_eq!(begin(&mut turns), alone([2]));
        turns.ended([(2, true)]);
        assert_eq!(begin(&mut turns), alone([3]));
        turns.ended([(3, true)]);
        assert_eq!(begin(&mut turns), alone([4]));
    }

    /// Every tree of four names, in every order and company, gets its turn.
    #[test]
    fn each_begins_once_and_within_the_bound_whatever_waits() {
        let names = ["a", "a/b", "a/b/c", "d", "d/e"];
        for code in 0..4_usize.pow(5) {
            for rotation in 0..names.len() {
                for bound in 1..=3 {
                    let mut words: Vec<String> = (0_u32..)
                        .zip(names)
                        .map(|(at, name)| {
                            format!("{name}:{}", ["s", "L", "+", "!"][code / 4_usize.pow(at) % 4])
                        })
                        .collect();
                    words.rotate_left(rotation);
                    each_begins_once(&words.join(" "), bound);
                }
            }
        }
    }

    fn each_begins_once(words: &str, bound: usize) {
        let mut turns = Turns::new(bound, candidates(words));
        let (mut begun, mut running, mut streams) = (BTreeSet::new(), Vec::<(Vec<usize>, usize)>::new(), 0);
        loop {
            for turn in begin(&mut turns) {
                let (places, channels) = match turn {
                    Turn::Alone(place) => (vec![place], 1),
                    Turn::Together { places, channels } => (places, channels),
                };
                assert!(places.iter().all(|place| begun.insert(*place)), "{words}");
                streams += channels;
                running.push((places, channels));
            }
            assert!(streams <= bound.max(CHANNELS), "{words}: {running:?}");
            let Some((places, channels)) = running.pop() else { break };
            streams -= channels;
            turns.ended(places.into_iter().map(|place| (place, place % 2 == 0)));
        }
        assert_eq!(begun.len(), 5, "{words}");
    }
}

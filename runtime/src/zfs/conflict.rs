//! What is in the way on the archiver, and where it can go without anything being lost.

use dormouse_generator::name::DatasetName;

use super::Dataset;
use super::listing::Datasets;
use super::plan::{Base, Refusal, common};

/// One `zfs rename` on the archiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// A dataset, or `dataset@snapshot`.
    pub from: String,
    /// Its new name.
    pub to: String,
}

/// The move that makes way for a dataset whose copy belongs at `target`. `at` makes the names of
/// what is set aside differ, such as `20261125T031500Z`. None where nothing is in the way.
#[must_use]
pub fn way_out(refusal: &Refusal, target: &DatasetName, at: &str) -> Option<Move> {
    Some(match refusal {
        Refusal::Renamed { from } => Move { from: from.to_string(), to: target.to_string() },
        Refusal::NameTaken { name, .. } => {
            let from = format!("{target}@{name}");
            Move { to: format!("{from}.aside-{at}"), from }
        }
        Refusal::TargetOccupied | Refusal::NoCommonSnapshot { .. } | Refusal::PlainCopy => {
            set_aside(target, at)
        }
        Refusal::NameTooLong { .. } => return None,
    })
}

/// The move of a whole copy out of the way. The datasets below it go with it.
#[must_use]
pub fn set_aside(target: &DatasetName, at: &str) -> Move {
    Move { from: target.to_string(), to: format!("{target}.aside-{at}") }
}

/// Whether one of these components of a name is that of a copy that was set aside.
#[must_use]
pub fn is_aside(relative: &str) -> bool {
    let is_time = |time: &str| time.len() == 16 && time.ends_with('Z') && time.as_bytes()[8] == b'T';
    let mut components = relative.split('/');
    components.any(|component| component.rsplit_once(".aside-").is_some_and(|(_, time)| is_time(time)))
}

/// Which of the copies that belong to no dataset of the host is this dataset's: the one with which
/// it has the newest snapshot in common.
#[must_use]
pub fn former_copy<'a>(dataset: &Dataset, orphans: &'a Datasets) -> Option<&'a DatasetName> {
    let shared = |orphan: &Dataset| common(dataset, orphan).as_ref().map(Base::createtxg);
    let same_kind = orphans.iter().filter(|(_, orphan)| orphan.kind == dataset.kind);
    let candidates = same_kind.filter_map(|(name, orphan)| Some((shared(orphan)?, name)));
    candidates.max_by_key(|(txg, _)| *txg).map(|(_, name)| name)
}

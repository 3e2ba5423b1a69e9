//! From the trees of both sides to jobs, in the order in which they are done.

use dormouse_generator::name::DatasetName;

use super::listing::Datasets;
use super::plan::{Decision, common, decide};
use super::{Dataset, Kind};

/// What is to be done for one dataset.
#[derive(Clone, Debug)]
pub struct Job {
    /// The dataset on the host.
    pub source: Dataset,
    /// Where its copy is or will be.
    pub target: DatasetName,
    /// Its copy.
    pub copy: Option<Dataset>,
    /// What to do.
    pub decision: Decision,
}

impl Job {
    /// Whether anything is sent or made.
    #[must_use]
    pub fn does_something(&self) -> bool {
        matches!(self.decision, Decision::Send(_) | Decision::Resume { .. } | Decision::Placeholder)
    }

    /// The host's snapshots that this job needs until it is done, as `dataset@snapshot`:
    /// what is sent and what it builds on.
    #[must_use]
    pub fn needs(&self) -> Vec<String> {
        if !matches!(self.decision, Decision::Send(_) | Decision::Resume { .. }) {
            return Vec::new();
        }
        let base = self.copy.as_ref().and_then(|copy| common(&self.source, copy));
        let from = base
            .and_then(|base| self.source.snapshots.iter().position(|snapshot| snapshot.guid == base.guid()));
        let needed = &self.source.snapshots[from.unwrap_or(0)..];
        needed.iter().map(|snapshot| format!("{}@{}", self.source.name, snapshot.name)).collect()
    }
}

/// Pairs each dataset with its copy. New datasets come first, parents before children; then
/// those whose copy is oldest, so that a run that is cut short leaves all of them similarly fresh.
///
/// # Errors
/// When a target's name would be too long for ZFS.
pub fn schedule(
    source: &Datasets,
    target: &Datasets,
    from: &DatasetName,
    to: &DatasetName,
) -> Result<Vec<Job>, String> {
    let mut jobs = Vec::with_capacity(source.len());
    for dataset in source.values() {
        let name = to.join(dataset.name.relative_to(from).unwrap_or_default())?;
        let copy = target.get(&name).cloned();
        let mut decision = decide(dataset, copy.as_ref());
        if decision == Decision::NothingToSend && copy.is_none() && carries(dataset, source) {
            decision = Decision::Placeholder;
        }
        jobs.push(Job { source: dataset.clone(), target: name, copy, decision });
    }
    let age = |job: &Job| job.copy.as_ref().and_then(Dataset::newest).map(|snapshot| snapshot.creation);
    jobs.sort_by(|a, b| (age(a), &a.target).cmp(&(age(b), &b.target)));
    Ok(jobs)
}

/// Whether a dataset below this one has a snapshot.
fn carries(dataset: &Dataset, all: &Datasets) -> bool {
    let below = |other: &Dataset| other.name != dataset.name && other.name.is_within(&dataset.name);
    dataset.kind == Kind::Filesystem && all.values().any(|other| below(other) && other.newest().is_some())
}

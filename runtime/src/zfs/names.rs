//! Which snapshots are sent, by their names.

use dormouse_generator::spec::Replication;
use glob::Pattern;

use super::Dataset;
use super::listing::Datasets;

/// The names of the snapshots that a replication sends.
#[derive(Clone, Debug)]
pub struct Names {
    sent: Vec<Pattern>,
    excluded: Vec<Pattern>,
}

impl Names {
    /// As a replication says.
    #[must_use]
    pub fn of(replication: &Replication) -> Self {
        let read = |all: &[String]| all.iter().filter_map(|text| Pattern::new(text).ok()).collect();
        Self { sent: read(&replication.snapshot_names), excluded: read(&replication.exclude_snapshot_names) }
    }

    /// Whether a snapshot of this name is sent.
    #[must_use]
    pub fn send(&self, name: &str) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        fits(&self.sent) && !fits(&self.excluded)
    }

    /// Takes the snapshots aside that are not sent.
    pub fn sort_out(&self, datasets: &mut Datasets) {
        datasets.values_mut().for_each(|dataset| self.sort_out_of(dataset));
    }

    /// Takes the snapshots of a dataset aside that are not sent.
    pub fn sort_out_of(&self, dataset: &mut Dataset) {
        let unsent = dataset.snapshots.extract_if(.., |snapshot| !self.send(&snapshot.name));
        dataset.unsent.extend(unsent);
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

//! What a restore did, for people and for machines.

use dormouse_generator::name::DatasetName;
use serde::Serialize;

use super::host::LOOK;
use super::plan::{Left, Piece, Why};
use super::refusal::Refusal;
use super::swap::Swap;
use crate::error::{Error, Exit};
use crate::exec::{self, Exec};
use crate::zfs::argv;
use crate::zfs::{Guid, Kind};

/// How a dataset fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// It is back: all of its snapshots were seen on this host.
    Restored,
    /// It was not asked for, or cannot be made here.
    Left,
    /// The archiver was receiving from this host, and sends nothing meanwhile; the same command goes on later.
    Locked,
    /// It failed; the same command goes on from what has arrived.
    Failed,
}

/// A dataset's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetOutcome {
    /// What it is called on this host.
    pub dataset: String,
    /// How it fared.
    pub result: Result,
    /// The snapshot that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Its identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<Guid>,
    /// How many snapshots it has now, or should have.
    pub snapshots: usize,
    /// How many bytes of streams were received.
    pub bytes: u64,
    /// Whether a partial receive of an earlier run was continued.
    pub resumed: bool,
    /// Whether it is encrypted with a key of its own, which has to be loaded.
    pub raw: bool,
    /// Whether it can be mounted.
    #[serde(skip)]
    pub is_filesystem: bool,
    /// What the archiver did that only a compromised one does.
    #[serde(skip)]
    pub distrust: Option<Refusal>,
    /// What went wrong or needs to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl DatasetOutcome {
    /// The outcome of a dataset before anything has arrived.
    #[must_use]
    pub fn new(piece: &Piece) -> Self {
        Self {
            dataset: piece.name.to_string(),
            result: Result::Failed,
            snapshot: Some(piece.chosen.name.clone()),
            guid: Some(piece.chosen.guid),
            snapshots: piece.copy.snapshots.len(),
            bytes: 0,
            resumed: false,
            raw: piece.raw,
            is_filesystem: piece.copy.kind == Kind::Filesystem,
            distrust: None,
            message: None,
            help: None,
        }
    }

    /// The outcome of one that stays away.
    #[must_use]
    pub fn left(left: &Left) -> Self {
        // Only what could be mended is a failure.
        let (result, help) = match &left.why {
            Why::NoParent(parent) => {
                let help = format!("make it: `zfs create {parent}`, then bring this dataset back by itself");
                (Result::Failed, Some(help))
            }
            Why::NoSnapshot(_) | Why::Aside => (Result::Left, None),
        };
        Self {
            dataset: left.name.to_string(),
            result,
            snapshot: None,
            guid: None,
            snapshots: 0,
            bytes: 0,
            resumed: false,
            raw: false,
            is_filesystem: false,
            distrust: None,
            message: Some(left.why.to_string()),
            help,
        }
    }

    /// The outcome of one that is back, but not in its place.
    #[must_use]
    pub fn not_swapped(self, swap: &Swap, error: &Error) -> Self {
        let Swap { place, beside } = swap;
        let message = format!("it is back as {beside}, and not in the place of {place}: {error}");
        let help = format!(
            "end what uses {place}, then run the same command again, or exchange them yourself: `{}`",
            swap.by_hand()
        );
        self.failed(message, help)
    }

    /// The outcome of one that failed.
    #[must_use]
    pub fn failed(mut self, message: String, help: String) -> Self {
        (self.result, self.message, self.help) = (Result::Failed, Some(message), Some(help));
        self
    }
}

/// A restore's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The replication's name.
    pub replication: String,
    /// The archiver's name.
    pub archiver: String,
    /// Whether the connection broke before the end.
    pub connection_lost: bool,
    /// Each dataset's outcome.
    pub datasets: Vec<DatasetOutcome>,
    /// How many bytes of streams were received.
    pub bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What to type next, to use what is back.
    pub next: Vec<String>,
    /// What the dataset is called whose place was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aside: Option<DatasetName>,
    /// The datasets below it that nothing takes the place of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<DatasetName>,
    /// What should be known though nothing failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Outcome {
    /// What the archiver did that only a compromised one does.
    #[must_use]
    pub fn distrust(&self) -> Option<&Refusal> {
        self.datasets.iter().find_map(|dataset| dataset.distrust.as_ref())
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let number = |result| self.datasets.iter().filter(|dataset| dataset.result == result).count();
        if let Some(refusal) = self.distrust() {
            return refusal.exit();
        }
        match (number(Result::Restored), number(Result::Failed)) {
            (_, 0) if number(Result::Locked) > 0 => Exit::Locked,
            (_, 0) => Exit::Done,
            _ if self.connection_lost => Exit::Unreachable,
            (0, _) => Exit::Failed,
            _ => Exit::Partial,
        }
    }
}

/// Which of the filesystems that are back have a mount point; all if zfs does not say.
pub async fn mountable(exec: Exec, datasets: &[DatasetOutcome]) -> Vec<String> {
    let back = datasets.iter().filter(|each| each.result == Result::Restored && each.is_filesystem);
    let names: Vec<String> = back.map(|each| each.dataset.clone()).collect();
    if names.is_empty() {
        return names;
    }
    let Ok(listed) = exec.run(&argv::list_mount_points(&names), LOOK).await else { return names };
    let mounts = listed.lines().filter_map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [name, "on" | "noauto", place] if place.starts_with('/') => Some(name.to_owned()),
        _ => None,
    });
    mounts.collect()
}

/// What makes the datasets that are back at and below `root` usable: they are neither opened nor mounted.
#[must_use]
pub fn next(root: &DatasetName, datasets: &[DatasetOutcome], mountable: &[String]) -> Vec<String> {
    let back = datasets.iter().filter(|dataset| dataset.result == Result::Restored);
    let keys: Vec<_> = back.filter(|dataset| dataset.raw).collect();
    let words =
        |words: &[&str]| exec::display(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let open = match keys[..] {
        [] => None,
        [one] => Some(words(&["zfs", "load-key", &one.dataset])),
        _ => Some(words(&["zfs", "load-key", "-r", root.as_str()])),
    };
    // Not all that can be mounted: datasets that an attacker made would be among them.
    open.into_iter().chain(mountable.iter().map(|name| words(&["zfs", "mount", name]))).collect()
}

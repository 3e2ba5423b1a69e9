//! What a run did, for people and for machines.

use serde::Serialize;

use crate::error::Exit;
use crate::zfs::{Dataset, Guid};

/// How a dataset fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// The host has no snapshot of it.
    NoSnapshots,
    /// The archiver had its newest snapshot.
    UpToDate,
    /// Its newest snapshot arrived and was seen there.
    Sent,
    /// A person has to decide; nothing was changed.
    Refused,
    /// The archiver was sending to this host, and receives nothing from it meanwhile; a later run sends it.
    Locked,
    /// It failed; a later run goes on from what has arrived.
    Failed,
}

/// A dataset's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetOutcome {
    /// The dataset on the host.
    pub dataset: String,
    /// Its copy.
    pub target: String,
    /// How it fared.
    pub result: Result,
    /// How many snapshots were sent.
    pub snapshots: usize,
    /// How many bytes of streams were sent.
    pub bytes: u64,
    /// Whether a partial receive of an earlier run was continued.
    pub resumed: bool,
    /// Whether the archiver may keep a part of a stream, which a later run resumes.
    pub unfinished: bool,
    /// The newest snapshot on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Its identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<Guid>,
    /// What went wrong or needs to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl DatasetOutcome {
    /// A dataset's outcome before anything was sent.
    #[must_use]
    pub fn new(dataset: &Dataset, target: String, result: Result) -> Self {
        Self {
            dataset: dataset.name.to_string(),
            target,
            result,
            snapshots: 0,
            bytes: 0,
            resumed: false,
            unfinished: false,
            newest: dataset.newest().map(|snapshot| snapshot.name.clone()),
            guid: dataset.newest().map(|snapshot| snapshot.guid),
            message: None,
            help: None,
        }
    }

    /// Whether the archiver has all that there is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.result, Result::NoSnapshots | Result::UpToDate | Result::Sent)
    }

    /// The outcome of one that failed.
    #[must_use]
    pub fn failed(mut self, message: String, help: String) -> Self {
        (self.result, self.message, self.help) = (Result::Failed, Some(message), Some(help));
        self
    }

    /// Corrects the outcome by what was seen on the archiver. Exit codes alone do not tell:
    /// `zfs receive` may fail after the data has arrived, for instance when it cannot mount it.
    pub fn confirm(&mut self, arrived: bool) {
        match self.result {
            Result::Sent if !arrived => {
                self.result = Result::Failed;
                self.message = Some("its newest snapshot was sent, but not seen on the archiver".to_owned());
                self.help = Some("run the same command again".to_owned());
            }
            Result::Failed | Result::Locked if arrived => {
                self.result = Result::Sent;
                self.help = None;
            }
            Result::NoSnapshots
            | Result::UpToDate
            | Result::Sent
            | Result::Refused
            | Result::Locked
            | Result::Failed => {}
        }
    }
}

/// A replication's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The replication's name.
    pub replication: String,
    /// The archiver's name.
    pub archiver: String,
    /// Whether the archiver had to be asked.
    pub contacted: bool,
    /// Whether the connection broke before the end.
    pub connection_lost: bool,
    /// Each dataset's outcome.
    pub datasets: Vec<DatasetOutcome>,
    /// How many bytes of streams were sent.
    pub bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What should be known though the run did not fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Outcome {
    /// The exit code. A conflict outranks a failure, since no later run mends it by itself; a lost
    /// connection is told from other failures, since a later run may well find it again.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let any = |result| self.datasets.iter().any(|dataset| dataset.result == result);
        let all_failed = self.datasets.iter().all(|dataset| dataset.result == Result::Failed);
        match (any(Result::Refused), any(Result::Failed)) {
            (true, _) => Exit::Conflict,
            (false, true) if self.connection_lost => Exit::Unreachable,
            (false, true) if all_failed => Exit::Failed,
            (false, true) => Exit::Partial,
            (false, false) if any(Result::Locked) => Exit::Locked,
            (false, false) => Exit::Done,
        }
    }
}

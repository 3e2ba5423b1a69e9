//! What is told about a run: one event, made from its outcome.

mod made;

use serde::{Deserialize, Serialize};

use super::clock::Span;
use super::run::{Identity, ServiceEnd};
use super::seen::Sight;
use crate::error::Exit;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was to be sent has arrived.
    Sent,
    /// The archiver had everything.
    NothingToDo,
    /// Some datasets failed.
    Partial,
    /// It failed.
    Failed,
    /// A conflict needs a person.
    Conflict,
    /// The archiver could not be reached.
    Unreachable,
    /// An instance may still be running.
    StillRunning,
    /// Another run of the same replication was under way.
    Locked,
    /// It ended without a word: killed, out of memory, out of time, or the power went.
    Killed,
}

/// A run, as sinks get it. Times are in seconds since 1970, durations in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The format's version.
    pub version: u32,
    /// The run; with the replication, names the event.
    pub run: String,
    /// The spec's name.
    pub spec: String,
    /// The host.
    pub host: String,
    /// The replication.
    pub replication: String,
    /// The archiver.
    pub archiver: String,
    /// What triggered the run.
    pub trigger: String,
    /// Whether the archiver was to be asked in any case.
    pub audit: bool,
    /// When it began.
    pub started_at: i64,
    /// How long it took.
    pub seconds: f64,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the archiver now has everything.
    pub success: bool,
    /// The exit code that `dormouse` documents; none when it was killed.
    pub exit: Option<u8>,
    /// How it ended for systemd.
    #[serde(flatten)]
    pub service: ServiceEnd,
    /// How long planning took.
    pub plan_s: Option<f64>,
    /// How long waking took.
    pub wake_s: Option<f64>,
    /// How long sending took.
    pub send_s: Option<f64>,
    /// How long it took until the archiver slept.
    pub sleep_s: Option<f64>,
    /// How many datasets were sent.
    pub sent: usize,
    /// How many needed nothing.
    pub skipped: usize,
    /// How many failed or were refused.
    pub failed: usize,
    /// How many snapshots were sent.
    pub snapshots: usize,
    /// How many bytes of streams were sent.
    pub bytes: u64,
    /// The instance that was used.
    pub instance: Option<String>,
    /// How long this run used it.
    pub instance_seconds: Option<u64>,
    /// What that costs by list prices, in US dollars.
    pub cost_usd: Option<f64>,
    /// Age of the oldest snapshot of all that the archiver does not have; none when it has all.
    pub oldest_unreplicated_s: Option<i64>,
    /// When a run of this replication last succeeded, this one included.
    pub last_success_at: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// What should be known though the run did not fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The pool as this run saw it.
    pub pool: Option<Sight>,
    /// The phases in order.
    pub phases: Vec<Span>,
    /// Each dataset.
    pub datasets: Vec<DatasetEvent>,
}

/// What became of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetEvent {
    /// The dataset on the host.
    pub dataset: String,
    /// How it fared.
    pub result: DatasetVerdict,
    /// How many snapshots were sent.
    pub snapshots: usize,
    /// How many bytes of streams were sent.
    pub bytes: u64,
    /// Age of the oldest snapshot that the archiver does not have, in seconds.
    pub oldest_unreplicated_s: Option<i64>,
    /// Whether the archiver may keep a part of a stream, which the next run resumes.
    pub unfinished: bool,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a dataset fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetVerdict {
    /// Its newest snapshot arrived.
    Sent,
    /// There was nothing to send.
    Skipped,
    /// It failed; a later run goes on.
    Failed,
    /// A person has to decide.
    Refused,
    /// The run ended before it came to it.
    Untried,
}

/// Which run of which replication, before anything is known of its end. It lies on the disk
/// meanwhile, so that a run that is killed is known of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The run.
    #[serde(flatten)]
    pub identity: Identity,
    /// The spec's name.
    pub spec: String,
    /// The host.
    pub host: String,
    /// The replication.
    pub replication: String,
    /// The archiver.
    pub archiver: String,
    /// Whether the archiver was to be asked in any case.
    pub audit: bool,
    /// When it began, in seconds since 1970.
    pub started_at: i64,
}

/// A dataset of which the archiver lacks snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The dataset.
    pub dataset: String,
    /// When the oldest of these snapshots was made; none when it lacks nothing.
    pub oldest: Option<i64>,
}

/// What a run used of an archiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// How long it took until the archiver slept, and after how much of the run that began.
    pub sleep: Option<Span>,
    /// The instance.
    pub instance: Option<String>,
    /// How long it was used.
    pub instance_seconds: Option<u64>,
    /// What that costs, in US dollars.
    pub cost_usd: Option<f64>,
    /// The archiver's pool.
    pub pool: Option<Sight>,
    /// What kept it from going to sleep.
    pub error: Option<(Exit, String, String)>,
}

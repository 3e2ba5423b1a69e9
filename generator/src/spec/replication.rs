//! What is replicated, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SnapshotClass, yes};
use crate::duration::Duration;
use crate::name::{DatasetName, DatasetPattern};

/// A dataset tree of a host and where its copy is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// Name of the archiver.
    pub archiver: String,
    /// Dataset on the host.
    pub source: DatasetName,
    /// Dataset on the archiver, in its pool.
    pub target: DatasetName,
    /// Whether the datasets below `source` are replicated too.
    #[serde(default = "yes")]
    pub recursive: bool,
    /// Datasets below `source` that are left out, each with everything below it; `*` stands for any
    /// characters of one component.
    #[serde(default)]
    pub exclude: Vec<DatasetPattern>,
    /// Names of the snapshots that are sent; `*` stands for anything. Others stay on the host.
    #[serde(default = "snapshot_names")]
    pub snapshot_names: Vec<String>,
    /// Names of the snapshots that are not sent, of those.
    #[serde(default)]
    pub exclude_snapshot_names: Vec<String>,
    /// Whether encrypted datasets are sent as they lie on the disk.
    #[serde(default)]
    pub raw: Raw,
    /// How streams are compressed on their way, beyond what is compressed on the disk.
    #[serde(default)]
    pub stream_compression: StreamCompression,
    /// Maximum number of streams at once, 1 to 16. Each large stream gets its own SSH connection, because one
    /// connection carries little more than 2 MiB per round trip. With 1, large datasets follow each other.
    #[serde(default = "parallel_streams")]
    #[schemars(range(min = 1, max = 16))]
    pub parallel_streams: u32,
    /// Whether snapshots that the host deleted are deleted on the archiver.
    #[serde(default)]
    pub follow_delete: bool,
    /// How long the archiver keeps them after they were first missed on the host.
    #[serde(default = "follow_delete_after")]
    pub follow_delete_after: Duration,
    /// Names of the snapshots that `follow_delete` is about; `*` stands for anything.
    #[serde(default = "follow_delete_names")]
    pub follow_delete_names: Vec<String>,
    /// What becomes of a copy that is in the way of the host's dataset.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// Snapshot classes after which the replication runs.
    #[serde(default = "SnapshotClass::all")]
    pub after: Vec<SnapshotClass>,
    /// How long one run may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// Commands that systemd runs before the replication (`ExecStartPre=`).
    #[serde(default)]
    pub exec_start_pre: Vec<String>,
    /// Commands that systemd runs after the replication (`ExecStopPost=`).
    #[serde(default)]
    pub exec_stop_post: Vec<String>,
}

/// Whether datasets are sent raw (`zfs send -w`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Raw {
    /// Encrypted datasets are sent raw, others plain.
    #[default]
    Auto,
    /// Everything is sent raw.
    Always,
    /// Nothing is sent raw: the archiver sees the plain data.
    Never,
}

/// How streams are compressed on their way. ZFS sends what is compressed on the disk as it is, and
/// what is encrypted does not shrink: this is for slow lines and datasets without compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamCompression {
    /// Not at all.
    #[default]
    None,
    /// By zstd(1), which must be on both sides.
    Zstd,
}

impl StreamCompression {
    /// Whether it is zstd.
    #[must_use]
    pub fn is_zstd(self) -> bool {
        self == Self::Zstd
    }
}

/// What becomes of a copy that has no snapshot in common with the host's dataset, was changed, or
/// goes by the name that the dataset had before it was renamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Nothing: the dataset is not replicated until a person has decided.
    #[default]
    Stop,
    /// It is renamed: to the dataset's new name if that is why, else out of the way, and the
    /// dataset is sent anew. Nothing is destroyed.
    SetAside,
}

const fn parallel_streams() -> u32 {
    4
}

const fn timeout() -> Duration {
    Duration::from_secs(90_000)
}

const fn follow_delete_after() -> Duration {
    Duration::from_secs(7 * 86_400)
}

fn snapshot_names() -> Vec<String> {
    vec!["*".to_owned()]
}

/// The names that zfs-auto-snapshot gives.
fn follow_delete_names() -> Vec<String> {
    vec!["zfs-auto-snap_*".to_owned()]
}

//! Why nothing is brought back.

use std::path::PathBuf;

use dormouse_generator::name::DatasetName;

use crate::error::Exit;
use crate::zfs::begin::Foreign;

/// Why nothing is brought back. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No replication of this host covers the dataset.
    #[error("no replication of this host covers {dataset}; their sources are: {}", .sources.join(", "))]
    NotReplicated {
        /// The dataset.
        dataset: DatasetName,
        /// The sources there are.
        sources: Vec<String>,
    },
    /// Several replications cover the dataset.
    #[error("{dataset} is covered by several replications: {}", .names.join(", "))]
    Ambiguous {
        /// The dataset.
        dataset: DatasetName,
        /// Their names.
        names: Vec<String>,
    },
    /// Two snapshots are asked for.
    #[error("@{snapshot} and --at both say which snapshot is wanted")]
    TwoChoices {
        /// The one that is named.
        snapshot: String,
    },
    /// The archiver has no copy of the dataset.
    #[error("archiver {archiver:?} has no copy of {dataset}: there is no {copy}")]
    NoCopy {
        /// The archiver.
        archiver: String,
        /// The dataset.
        dataset: DatasetName,
        /// Where the copy would be.
        copy: DatasetName,
    },
    /// The copy has no such snapshot.
    #[error("archiver {archiver:?} has no {wanted} of {dataset}")]
    NoSnapshot {
        /// The archiver.
        archiver: String,
        /// The dataset.
        dataset: DatasetName,
        /// What was asked for.
        wanted: String,
    },
    /// Something is there already, and is not touched.
    #[error("{dataset} exists on this host, and what exists is never touched")]
    Exists {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The dataset above is missing.
    #[error("{dataset} cannot be made: there is no {parent} on this host")]
    NoParent {
        /// The dataset.
        dataset: DatasetName,
        /// The one above it.
        parent: DatasetName,
    },
    /// An interrupted restore of another snapshot is there.
    #[error("{dataset} holds an unfinished restore of {under_way}, not of @{wanted}")]
    OtherUnderWay {
        /// The dataset.
        dataset: DatasetName,
        /// The snapshot that it was for.
        under_way: String,
        /// The snapshot that is asked for.
        wanted: String,
    },
    /// Somebody took snapshots of an unfinished restore, which cannot go on with them there.
    #[error("the interrupted stream into {dataset} cannot go on: it has got snapshots of its own: {}", .snapshots.join(", "))]
    Snapshotted {
        /// The dataset.
        dataset: DatasetName,
        /// The names, `@…`.
        snapshots: Vec<String>,
    },
    /// The archiver cannot go on with an interrupted stream.
    #[error("the archiver cannot go on with the partial receive of {dataset}: {reason}")]
    Stale {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        reason: String,
    },
    /// The archiver sent something other than the stream that it was asked for. An attacker may control it.
    #[error("{dataset}: nothing was received: the archiver {attempt}")]
    Foreign {
        /// The dataset.
        dataset: DatasetName,
        /// What it sent.
        attempt: Foreign,
    },
    /// The archiver says that the dataset is unencrypted, but it was encrypted at home.
    #[error("{dataset} would come back unencrypted from archiver {archiver:?}, but it was encrypted at home")]
    Unencrypted {
        /// The dataset.
        dataset: DatasetName,
        /// The archiver.
        archiver: String,
    },
    /// A stream set properties or made datasets that were not asked for. An attacker may control the archiver.
    #[error("restoring {dataset} left what was not asked for: {}", .found.join(", "))]
    Intruders {
        /// The dataset.
        dataset: DatasetName,
        /// The names of datasets, and properties with their values.
        found: Vec<String>,
    },
    /// Nothing can take the dataset's place.
    #[error("nothing can take the place of {dataset}: {reason}")]
    NoSwap {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        reason: String,
    },
    /// What lies below would lose its place, and nothing is asked to take it.
    #[error("datasets lie below {dataset}, which would go aside with it: {}", .below.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NoSwapBelow {
        /// The dataset.
        dataset: DatasetName,
        /// Those below it.
        below: Vec<DatasetName>,
    },
    /// A path leads out of the dataset.
    #[error("{path:?} is no path below the dataset's root")]
    NotBelow {
        /// The path.
        path: String,
    },
    /// A file is there already, and is not touched.
    #[error("{} exists, and what exists is never touched", .path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Other users could exchange what is in the folder that files go to.
    #[error("cannot put files into {}: {reason}", .path.display())]
    IntoNotOurs {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A zvol has no files.
    #[error("{dataset} is a volume, in which nobody sees files but its user")]
    NoFiles {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The archiver has no key, and so sees no files.
    #[error("the copy of {dataset} is encrypted, and archiver {archiver:?} does not have its key")]
    NoKeyThere {
        /// The archiver.
        archiver: String,
        /// The dataset.
        dataset: DatasetName,
    },
    /// Not all of the files came.
    #[error("not all of that came from the copy of {dataset} on archiver {archiver:?}: {detail}")]
    FilesMissing {
        /// The archiver.
        archiver: String,
        /// The dataset.
        dataset: DatasetName,
        /// What went wrong.
        detail: String,
    },
}

impl Refusal {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotReplicated { .. }
            | Self::Ambiguous { .. }
            | Self::TwoChoices { .. }
            | Self::NoSwap { .. }
            | Self::NoSwapBelow { .. }
            | Self::NotBelow { .. }
            | Self::NoFiles { .. } => Exit::Usage,
            Self::NoCopy { .. }
            | Self::NoSnapshot { .. }
            | Self::NoParent { .. }
            | Self::NoKeyThere { .. }
            | Self::FilesMissing { .. } => Exit::Failed,
            Self::Exists { .. }
            | Self::FileExists { .. }
            | Self::IntoNotOurs { .. }
            | Self::OtherUnderWay { .. }
            | Self::Snapshotted { .. }
            | Self::Stale { .. }
            | Self::Foreign { .. }
            | Self::Unencrypted { .. }
            | Self::Intruders { .. } => Exit::Conflict,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NotReplicated { .. } => {
                "give the name that it has or had at home: one of these, or one below it".to_owned()
            }
            Self::Ambiguous { names, .. } => {
                format!("say which: `--replication {}`", names.first().map_or("", String::as_str))
            }
            Self::TwoChoices { .. } => "leave one of them out".to_owned(),
            Self::NoCopy { .. } | Self::NoSnapshot { .. } => {
                "nothing was changed; `dormouse snapshots` shows what there is".to_owned()
            }
            Self::Exists { dataset } => {
                format!("nothing was changed; bring it back beside that: `--to {}`", beside(dataset))
            }
            Self::NoParent { parent, .. } if parent.parent().is_none() => {
                format!(
                    "nothing was changed; import the pool: `zpool import {parent}`, or make it, or choose another: `--to NAME`"
                )
            }
            Self::NoParent { parent, .. } => {
                format!(
                    "nothing was changed; make it: `zfs create {parent}`, or choose another place: `--to NAME`"
                )
            }
            Self::OtherUnderWay { dataset, .. } => format!(
                "nothing was changed; ask for that one to go on with it, or bring this one back beside it: `--to {}`",
                beside(dataset)
            ),
            Self::Snapshotted { dataset, snapshots } => format!(
                "nothing was changed; if nothing needs them: `zfs destroy {dataset}{}`, then run the \
                 same command again",
                snapshots.first().map_or("", String::as_str)
            ),
            Self::Stale { dataset, .. } => format!(
                "nothing was changed; give the partial data up, which nothing else needs: `zfs receive -A {dataset}`, \
                 then run the same command again"
            ),
            Self::Foreign { .. } => {
                "do not trust this archiver until you know the cause; if its ZFS is intact, report this as a bug"
                    .to_owned()
            }
            Self::Unencrypted { .. } => {
                "nothing was received; an attacker who controls the archiver may have made these data up; if you know \
                 that they were sent plain: `--accept-unencrypted`"
                    .to_owned()
            }
            Self::Intruders { dataset, .. } => format!(
                "mount none of it, and do not trust this archiver; destroy what it left after a look at it: \
                 `zfs list -o name,mountpoint,canmount -r {}`",
                dataset.pool()
            ),
            Self::NotBelow { .. } => {
                "name it as it lies in the dataset: `documents/letter.odt`, not where that is mounted"
                    .to_owned()
            }
            Self::IntoNotOurs { .. } => {
                "nothing was changed; choose a folder that only this user can write to, or a new one: `--into DIR`"
                    .to_owned()
            }
            Self::FileExists { .. } => "nothing was changed; choose another folder: `--into DIR`".to_owned(),
            Self::NoSwap { dataset, .. } => {
                format!("bring it back beside that: `dormouse restore {dataset} --to {}`", beside(dataset))
            }
            Self::NoSwapBelow { dataset, .. } => {
                format!("nothing was changed; bring them back too: `dormouse restore -r {dataset} --swap`")
            }
            Self::NoFiles { dataset } | Self::NoKeyThere { dataset, .. } => format!(
                "bring one snapshot of it back beside that, and look there: `dormouse restore {dataset} --only --to {}`",
                beside(dataset)
            ),
            Self::FilesMissing { dataset, .. } => format!(
                "what exists was not touched; the archiver mounts a snapshot for this, which takes root there; without \
                 that: `dormouse restore {dataset} --only --to {}`",
                beside(dataset)
            ),
        }
    }
}

/// A name that is likely to be free.
#[must_use]
pub fn beside(dataset: &DatasetName) -> String {
    let mark = if dataset.parent().is_some() { "-restored" } else { "/restored" };
    format!("{dataset}{mark}")
}

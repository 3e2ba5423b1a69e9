//! What keeps a drill from being done.

use dormouse_generator::name::DatasetName;

use crate::error::Exit;

/// What keeps a drill from being done. Neither the copies nor what is on the host were touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Only root may mount.
    #[error("a drill mounts snapshots, which only root may")]
    NotRoot,
    /// Nothing can be compared.
    #[error("no dataset can be drilled: it takes a snapshot that both sides have, and a key that is at hand")]
    NoCandidate,
    /// There is nothing to compare with.
    #[error("host and archiver have no snapshot of {dataset} in common")]
    NothingInCommon {
        /// The dataset.
        dataset: DatasetName,
    },
    /// What comes back is encrypted, and its key is one that somebody types.
    #[error("{dataset} comes back encrypted, and zfs asks a person for its key")]
    NoKey {
        /// The dataset.
        dataset: DatasetName,
    },
    /// It did not come back.
    #[error("{dataset} did not come back: {message}")]
    NotBack {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        message: String,
    },
    /// The scratch dataset is still there.
    #[error("the scratch dataset {scratch} is still there: {detail}")]
    Left {
        /// The scratch dataset.
        scratch: DatasetName,
        /// What zfs said.
        detail: String,
    },
}

impl Trouble {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRoot | Self::NoKey { .. } => Exit::Usage,
            Self::NoCandidate | Self::NothingInCommon { .. } | Self::NotBack { .. } | Self::Left { .. } => {
                Exit::Failed
            }
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NotRoot => "ask as root: `sudo dormouse verify --deep`".to_owned(),
            Self::NoCandidate => "name one: `dormouse verify --deep DATASET` says what it lacks".to_owned(),
            Self::NothingInCommon { dataset } => {
                format!(
                    "send one first: `dormouse replicate`; `dormouse snapshots {dataset}` shows what there is"
                )
            }
            Self::NoKey { .. } => {
                "put the key into a file that only root can read: `--key-location file:///root/key`"
                    .to_owned()
            }
            Self::NotBack { .. } => {
                "what is here is intact, and nothing was changed there; how the archiver's pool is: `dormouse verify`"
                    .to_owned()
            }
            Self::Left { scratch, .. } => {
                format!("nothing needs it: `zfs destroy -r {scratch}`")
            }
        }
    }
}

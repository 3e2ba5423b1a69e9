//! Why a dataset did not arrive.

use super::stream::Broken;
use crate::error::Error;
use crate::zfs::plan::Refusal;
use crate::zfs::stderr::Meaning;

/// Why a dataset did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A person has to decide.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A stream broke.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Something around the streams failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Resuming did not end the partial receive.
    #[error("the archiver still keeps a partial receive of it")]
    StillPartial,
}

impl Stop {
    /// Whether the archiver has something else to do with it, which passes.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Broken(Broken::Receive { meaning: Some(Meaning::Busy), .. }))
    }

    /// Whether the archiver sends something back to this host meanwhile. The gate has waited already.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Broken(Broken::Receive { meaning: Some(Meaning::RestoreRunning), .. }))
    }

    /// Whether the archiver may have kept something else by the time that the stream came.
    #[must_use]
    pub fn is_unfit(&self) -> bool {
        matches!(self, Self::Broken(Broken::Receive { meaning: Some(Meaning::Unfit), .. }))
    }
}

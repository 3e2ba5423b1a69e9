//! Why a dataset is not back, and what a person can do about it.

use super::plan::Piece;
use super::refusal::{Refusal, beside};
use crate::error::Error;
use crate::exec;
use crate::replicate::stream::Broken;
use crate::ssh::Endpoint;
use crate::zfs::stderr::{Meaning, meaning};

/// The right that a sending user needs, as `zfs allow` names it. Snapshots are sent one by one, so none is held
/// meanwhile (`gather_holds` in OpenZFS' libzfs_sendrecv.c).
const RIGHTS: &str = "send";

/// Why a dataset is not back.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// What is there now is in the way.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A stream broke.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Something around the streams failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// All was sent, but not all is there.
    #[error("@{0} was sent, but is not seen on this host")]
    Missing(String),
}

impl Stop {
    /// Whether the archiver did what only a compromised one does.
    #[must_use]
    pub fn distrust(&self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal @ (Refusal::Foreign { .. } | Refusal::Intruders { .. })) => {
                Some(refusal.clone())
            }
            Self::Refused(_) | Self::Broken(_) | Self::Failed(_) | Self::Missing(_) => None,
        }
    }

    /// Whether another receive uses the dataset, which passes.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Broken(Broken::Receive { meaning: Some(Meaning::Busy), .. }))
    }
}

impl Stop {
    /// Whether the archiver receives from this host meanwhile. The gate has waited already.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        match self {
            Self::Broken(Broken::Send { text, .. }) => meaning(text) == Some(Meaning::BackupRunning),
            Self::Refused(_) | Self::Broken(_) | Self::Failed(_) | Self::Missing(_) => false,
        }
    }
}

/// What to do next.
#[must_use]
pub fn help(stop: &Stop, piece: &Piece, endpoint: &Endpoint) -> String {
    let again = || "what was received is kept; run the same command again to go on".to_owned();
    match stop {
        Stop::Refused(refusal) => refusal.help(),
        Stop::Broken(Broken::Foreign(attempt)) => {
            Refusal::Foreign { dataset: piece.name.clone(), attempt: attempt.clone() }.help()
        }
        Stop::Failed(error) | Stop::Broken(Broken::Setup(error)) => error.help(),
        Stop::Missing(_)
        | Stop::Broken(Broken::Connection(_) | Broken::Stalled(_) | Broken::Filter { .. }) => again(),
        Stop::Broken(Broken::Send { text, .. }) => match meaning(text) {
            Some(Meaning::PermissionDenied) => format!(
                "as root on the archiver: `{}`, then run the same command again",
                exec::display(
                    &["zfs", "allow", "-u", &endpoint.user, RIGHTS, piece.copy.name.as_str()]
                        .map(str::to_owned)
                )
            ),
            Some(Meaning::BackupRunning) => {
                "a backup of this host is running; run the same command again when it has ended".to_owned()
            }
            Some(Meaning::KeyNotLoaded) => format!(
                "on the archiver, which has the key: `zfs load-key -r {}`, then run the same command again",
                piece.copy.encryption_root.as_deref().unwrap_or(piece.copy.name.as_str())
            ),
            _ => again(),
        },
        Stop::Broken(Broken::Receive { meaning, .. }) => receive(*meaning, piece),
    }
}

fn receive(meaning: Option<Meaning>, piece: &Piece) -> String {
    let (name, pool) = (&piece.name, piece.name.pool());
    match meaning {
        Some(Meaning::NoSpace) => {
            format!("what was received is kept; make room: `zfs list -o space -r {pool}`, then run it again")
        }
        Some(Meaning::PermissionDenied) => "run it as root: `sudo dormouse restore …`".to_owned(),
        Some(Meaning::KeyNotLoaded) => {
            let parent = name.parent().unwrap_or_else(|| name.clone());
            format!("load the key that it would inherit: `zfs load-key -r {parent}`, then run it again")
        }
        Some(Meaning::TargetModified | Meaning::BaseMismatch) => format!(
            "something was written to {name} meanwhile, which stays; bring it back beside that: `--to {}`",
            beside(name)
        ),
        _ => "what was received is kept; run the same command again to go on".to_owned(),
    }
}

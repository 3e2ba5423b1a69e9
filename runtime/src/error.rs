//! What can go wrong; `help` says what to do about it.

mod help;

use std::path::PathBuf;

use crate::drill::trouble::Trouble;
use crate::ec2::failure::Failure;
use crate::ec2::problem::Problem;
use crate::exec;
use crate::report::sink;
use crate::restore::refusal::Refusal;

/// Exit codes, the same for every command; documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or a wrong spec.
    Usage = 2,
    /// Some datasets failed.
    Partial = 3,
    /// A conflict needs a person.
    Conflict = 4,
    /// The archiver could not be reached.
    Unreachable = 5,
    /// An instance may still be running.
    StillRunning = 6,
    /// Another run holds the lock.
    Locked = 7,
}

impl Exit {
    /// What Nagios and its kin call CRITICAL (Monitoring Plugins Development Guidelines, "Plugin
    /// Return Codes"); only `dormouse status --max-age` ends with it.
    pub const CRITICAL: Self = Self::Usage;
}

/// An error that ends a command or a replication.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec is wrong; the text shows where.
    #[error("{0}")]
    Spec(String),
    /// The spec cannot be read.
    #[error("cannot read the spec {}: {source}", .path.display())]
    NoSpec {
        /// Where it should be.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The spec has no such host.
    #[error("the spec {} has no host {host:?}; it has: {}", .spec.display(), .known.join(", "))]
    UnknownHost {
        /// The name asked for.
        host: String,
        /// The names there are.
        known: Vec<String>,
        /// The spec's path.
        spec: PathBuf,
    },
    /// The host has no such replication.
    #[error("host {host:?} has no replication {name:?}; it has: {}", .known.join(", "))]
    UnknownReplication {
        /// The name asked for.
        name: String,
        /// The host.
        host: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The spec has no such archiver.
    #[error("the spec has no archiver {name:?}; it has: {}", .known.join(", "))]
    UnknownArchiver {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The archiver is on all the time.
    #[error("archiver {archiver:?} is static: Dormouse neither sets it up nor wakes it")]
    AlwaysOn {
        /// The archiver.
        archiver: String,
    },
    /// `dormouse proxy` was not started by ssh.
    #[error("`dormouse proxy` connects ssh to archiver {archiver:?}, and its output is not ssh's")]
    NoProxy {
        /// The archiver.
        archiver: String,
    },
    /// A dataset's copy would have a name that ZFS does not take.
    #[error("the copy of {dataset} would have no legal name: {reason}")]
    NoTarget {
        /// The dataset.
        dataset: String,
        /// What is wrong with the name.
        reason: String,
    },
    /// A file that the run needs is not there or cannot be read.
    #[error("cannot read {what} {}: {source}", .path.display())]
    MissingFile {
        /// What it is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// Another run of the same replication is under way.
    #[error("{name:?} is already running ({holder})")]
    Locked {
        /// The replication.
        name: String,
        /// Who runs it.
        holder: String,
    },
    /// The lock's folder cannot be used.
    #[error("cannot use {}: {source}", .path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A folder that other users could have prepared.
    #[error("cannot trust {}: {reason}", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// This user has no folder for state.
    #[error(
        "cannot keep state: this user has no home folder, and neither STATE_DIRECTORY nor XDG_STATE_HOME is set"
    )]
    NoState,
    /// The archiver does not answer.
    #[error("archiver {archiver:?} at {address} cannot be reached: {detail}")]
    Unreachable {
        /// The archiver.
        archiver: String,
        /// Address and port.
        address: String,
        /// What ssh said.
        detail: String,
    },
    /// The machine that answers is not the archiver.
    #[error("the machine at {address} does not have the host key of archiver {archiver:?}: {detail}")]
    HostKey {
        /// The archiver.
        archiver: String,
        /// Address and port.
        address: String,
        /// The file with the expected key.
        known_hosts: PathBuf,
        /// What ssh said.
        detail: String,
    },
    /// The archiver does not accept this host's identity.
    #[error("archiver {archiver:?} does not accept the identity {} for user {user:?}: {detail}", .identity.display())]
    Identity {
        /// The archiver.
        archiver: String,
        /// The user.
        user: String,
        /// The private key's path.
        identity: PathBuf,
        /// What ssh said.
        detail: String,
    },
    /// The archiver's pool is not imported.
    #[error("archiver {archiver:?} has no pool {pool:?}: {detail}")]
    NoPool {
        /// The archiver.
        archiver: String,
        /// The pool.
        pool: String,
        /// What zfs said.
        detail: String,
    },
    /// The archiver's pool is there, and not well.
    #[error("the pool of archiver {archiver:?} is failing: {detail}")]
    Pool {
        /// The archiver.
        archiver: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The source dataset is not there.
    #[error("the source dataset {dataset:?} does not exist on this host")]
    NoSource {
        /// The dataset.
        dataset: String,
    },
    /// The source dataset is kept from being replicated.
    #[error(
        "the property dormouse:replicate of the source dataset {dataset:?} says that it stays on this host"
    )]
    SourceStays {
        /// The dataset.
        dataset: String,
    },
    /// Datasets could not be listed, so nothing is known of them.
    #[error("cannot list {dataset:?} {place}: {detail}")]
    Listing {
        /// The dataset.
        dataset: String,
        /// `on this host` or `on archiver "x"`.
        place: String,
        /// Why.
        detail: String,
    },
    /// The archiver prints something else than what was asked for.
    #[error("archiver {archiver:?} prints what is no listing: {detail}")]
    Chatter {
        /// The archiver.
        archiver: String,
        /// Who logs in there.
        user: String,
        /// What it prints.
        detail: String,
    },
    /// The archiver keeps partial data that no host can go on from, and this user may not give it up.
    #[error("archiver {archiver:?} does not let this host give up the partial data of {dataset:?}: {detail}")]
    Partial {
        /// The archiver.
        archiver: String,
        /// The dataset there.
        dataset: String,
        /// What zfs said.
        detail: String,
    },
    /// The archiver has no retention.
    #[error("the spec says nothing of what archiver {archiver:?} lets go, so it keeps everything")]
    NoRetention {
        /// The archiver.
        archiver: String,
    },
    /// The archiver would decide by another configuration than the spec's.
    #[error("archiver {archiver:?} runs an older configuration, by which it may let go something else")]
    OlderConfiguration {
        /// The archiver.
        archiver: String,
    },
    /// The archiver did not let go what its retention lets go.
    #[error("archiver {archiver:?} did not let everything go: {detail}")]
    NotPruned {
        /// The archiver.
        archiver: String,
        /// What systemd said.
        detail: String,
    },
    /// Something about an archiver on EC2.
    #[error(transparent)]
    Ec2(#[from] Failure),
    /// Something keeps datasets from being brought back.
    #[error(transparent)]
    Restore(#[from] Refusal),
    /// Something keeps a drill from being done.
    #[error(transparent)]
    Drill(#[from] Trouble),
    /// What the service did is not for this user to read.
    #[error("what the service knows lies in {}, which this user cannot read: {source}", .path.display())]
    ServiceState {
        /// The folder.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The spec names nobody who could raise an alarm.
    #[error("the spec names no alarm for this host")]
    NoAlarm,
    /// An alarm cannot be set up.
    #[error("the alarm at {service} cannot be set up: {source}")]
    Alarm {
        /// The service.
        service: &'static str,
        /// Why.
        source: sink::Trouble,
    },
    /// A process could not do its work.
    #[error(transparent)]
    Program(exec::Error),
    /// Something that no command line can carry.
    #[error("an argument holds a NUL byte: {0}")]
    Argument(String),
    /// The operating system refused.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// A signal ended the run.
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Ec2(problem.into())
    }
}

impl Error {
    /// The exit code that tells a caller what kind of end this is.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Spec(_)
            | Self::NoSpec { .. }
            | Self::UnknownHost { .. }
            | Self::UnknownReplication { .. }
            | Self::UnknownArchiver { .. }
            | Self::NoAlarm
            | Self::AlwaysOn { .. }
            | Self::NoProxy { .. }
            | Self::NoTarget { .. }
            | Self::NoRetention { .. } => Exit::Usage,
            Self::Ec2(failure) => failure.exit(),
            Self::Restore(refusal) => refusal.exit(),
            Self::Drill(trouble) => trouble.exit(),
            Self::Locked { .. } => Exit::Locked,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::MissingFile { .. }
            | Self::Folder { .. }
            | Self::NotOurs { .. }
            | Self::NoState
            | Self::HostKey { .. }
            | Self::Identity { .. }
            | Self::NoPool { .. }
            | Self::Pool { .. }
            | Self::NoSource { .. }
            | Self::SourceStays { .. }
            | Self::Listing { .. }
            | Self::Chatter { .. }
            | Self::Partial { .. }
            | Self::OlderConfiguration { .. }
            | Self::NotPruned { .. }
            | Self::ServiceState { .. }
            | Self::Alarm { .. }
            | Self::Program(_)
            | Self::Argument(_)
            | Self::System(_)
            | Self::Interrupted(_) => Exit::Failed,
        }
    }
}

//! What zfs(8) and ssh(1) print when they fail, and what it means.
//!
//! Patterns are matched against text that was captured from OpenZFS 2.3.9 and OpenSSH 9.2/10.0.

/// A known meaning of an error text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The dataset is not there.
    NoSuchDataset,
    /// The target was written to after its last snapshot.
    TargetModified,
    /// The target's newest snapshot is not the increment's base.
    BaseMismatch,
    /// A snapshot of the name is there already.
    Exists,
    /// The pool has no space.
    NoSpace,
    /// A quota of the dataset or of one above it, in a pool that may have space.
    Quota,
    /// A right is missing.
    PermissionDenied,
    /// A raw increment onto a dataset that once received a plain one.
    IvsetMismatch,
    /// The key that the dataset would inherit is not loaded.
    KeyNotLoaded,
    /// An unfinished receive or a hold is in the way.
    Busy,
    /// The stream ended before its end.
    StreamCut,
    /// ZFS takes it for no stream of this dataset (`EINVAL` of a resumable receive): mostly a resumed one that
    /// begins elsewhere than what is kept ends.
    Unfit,
    /// The stream needs a feature that the pool has not enabled (zpool-features(7)).
    PoolTooOld,
    /// The pool has not enabled bookmarks (zpool-features(7), `bookmarks`).
    NoBookmarks,
    /// The pool was imported read-only.
    PoolReadOnly,
    /// The pool takes no more input or output.
    PoolSuspended,
    /// The host key is not the expected one.
    HostKeyMismatch,
    /// The identity was not accepted.
    IdentityRefused,
    /// The machine does not answer.
    Unreachable,
    /// The archiver's gate starts no receive while this host has something sent back.
    RestoreRunning,
    /// The archiver's gate starts no send while it receives from this host.
    BackupRunning,
    /// The program is not installed there.
    CommandMissing,
}

/// Patterns, the more particular first.
const PATTERNS: [(&str, Meaning); 42] = [
    ("a restore is running for this host", Meaning::RestoreRunning),
    ("a backup is running for this host", Meaning::BackupRunning),
    ("IV set guid mismatch", Meaning::IvsetMismatch),
    ("inherited key must be loaded", Meaning::KeyNotLoaded),
    ("encryption key not loaded", Meaning::KeyNotLoaded),
    ("has been modified", Meaning::TargetModified),
    ("does not\nmatch incremental source", Meaning::BaseMismatch),
    ("does not match incremental source", Meaning::BaseMismatch),
    ("does not exist", Meaning::NoSuchDataset),
    ("destination already exists", Meaning::Exists),
    ("dataset already exists", Meaning::Exists),
    ("must specify -F to overwrite", Meaning::Exists),
    ("out of space", Meaning::NoSpace),
    ("No space left on device", Meaning::NoSpace),
    ("quota exceeded", Meaning::Quota),
    ("dataset is busy", Meaning::Busy),
    ("contains partially-complete state", Meaning::Busy),
    ("failed to read from stream", Meaning::StreamCut),
    ("incomplete stream", Meaning::StreamCut),
    ("checksum mismatch or incomplete stream", Meaning::StreamCut),
    ("kernel modules must be upgraded to receive this stream", Meaning::Unfit),
    ("pool must be upgraded to receive this stream", Meaning::PoolTooOld),
    ("bookmark feature not enabled", Meaning::NoBookmarks),
    ("pool is read-only", Meaning::PoolReadOnly),
    ("pool I/O is currently suspended", Meaning::PoolSuspended),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Meaning::HostKeyMismatch),
    ("Host key verification failed", Meaning::HostKeyMismatch),
    ("Permission denied (", Meaning::IdentityRefused),
    ("Too many authentication failures", Meaning::IdentityRefused),
    ("permission denied", Meaning::PermissionDenied),
    ("Could not resolve hostname", Meaning::Unreachable),
    ("Connection refused", Meaning::Unreachable),
    ("Connection timed out", Meaning::Unreachable),
    ("Operation timed out", Meaning::Unreachable),
    ("No route to host", Meaning::Unreachable),
    ("Network is unreachable", Meaning::Unreachable),
    ("Connection closed", Meaning::Unreachable),
    ("Connection reset", Meaning::Unreachable),
    ("Broken pipe", Meaning::Unreachable),
    ("not responding", Meaning::Unreachable),
    ("command not found", Meaning::CommandMissing),
    ("zfs: not found", Meaning::CommandMissing),
];

/// The meaning of an error text, if it is a known one.
#[must_use]
pub fn meaning(text: &str) -> Option<Meaning> {
    PATTERNS.iter().find(|(pattern, _)| text.contains(pattern)).map(|(_, meaning)| *meaning)
}

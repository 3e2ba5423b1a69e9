//! ZFS as Dormouse sees it: datasets with their snapshots and bookmarks.
//!
//! - [`listing`]: `zfs list` output to datasets
//! - [`cursor`]: the bookmarks that remember what an archiver has
//! - [`mark`]: the property that remembers that an archiver has everything
//! - [`begin`]: the first record of a stream, which must be the stream that was asked for
//! - [`token`]: what a resume token says
//! - [`plan`]: two datasets to the streams between them, or a refusal
//! - [`schedule`]: two trees to jobs in order
//! - [`turns`]: which jobs run at the same time
//! - [`recent`]: a listing of snapshots to the few that matter
//! - [`compare`]: two histories to what is not as it should be
//! - [`conflict`]: what is in the way, and where it can go
//! - [`form`]: whether streams are raw
//! - [`names`]: which snapshots are sent, by their names
//! - [`follow`]: which snapshots the archiver need not keep
//! - [`scratch`]: datasets that are ours to destroy
//! - [`properties`]: what was set on a dataset, kept with its copy
//! - [`argv`]: command lines
//! - [`estimate`]: how big a stream will be
//! - [`stderr`]: error text to its meaning
//!
//! Everything below here is pure.

pub mod argv;
pub mod begin;
pub mod compare;
pub mod conflict;
pub mod cursor;
pub mod estimate;
pub mod follow;
pub mod form;
pub mod kept;
pub mod listing;
pub mod mark;
pub mod names;
pub mod plan;
pub mod properties;
pub mod recent;
pub mod retention;
pub mod schedule;
pub mod scratch;
pub mod seal;
pub mod stderr;
pub mod token;
pub mod turns;

use std::fmt;

use dormouse_generator::name::DatasetName;
use serde::{Serialize, Serializer};

/// The identity of a snapshot or dataset, kept by send and receive (zfsprops(7), `guid`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub u64);

impl fmt::Display for Guid {
    /// In decimal, as zfs(8) prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Guid {
    /// As text: a 64-bit number does not survive JSON readers that use doubles.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a dataset is; properties such as `canmount` exist for filesystems only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A filesystem.
    Filesystem,
    /// A zvol.
    Volume,
}

/// A snapshot of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What follows the `@`.
    pub name: String,
    /// Its identity.
    pub guid: Guid,
    /// The transaction group that made it; orders the snapshots of one pool.
    pub createtxg: u64,
    /// When it was made at its origin, in seconds since 1970; 0 where it was not asked for.
    pub creation: i64,
    /// How many holds it has; 0 where it was not asked for.
    pub holds: u64,
    /// How much it refers to, in bytes before compression (zfsprops(7), `logicalreferenced`); none
    /// where it was not asked for.
    pub size: Option<u64>,
}

/// A bookmark of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// What follows the `#`.
    pub name: String,
    /// The identity of the snapshot that it remembers.
    pub guid: Guid,
    /// The transaction group of that snapshot.
    pub createtxg: u64,
    /// When that snapshot was made, in seconds since 1970; 0 where it was not asked for.
    pub creation: i64,
}

/// A filesystem or zvol with its snapshots and bookmarks, each ordered by age, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its full name.
    pub name: DatasetName,
    /// Its identity in its pool, which a rename keeps and a copy does not.
    pub guid: Guid,
    /// What it is.
    pub kind: Kind,
    /// The dataset whose key it is encrypted with, itself or one above it; none if it is not.
    pub encryption_root: Option<String>,
    /// The token of an unfinished receive.
    pub token: Option<String>,
    /// When a snapshot of it last came or went, in seconds since 1970 (zfsprops(7),
    /// `snapshots_changed`); none if it has not happened since ZFS keeps the time.
    pub changed: Option<i64>,
    /// The snapshot that it is a clone of; asked for on the host only.
    pub origin: Option<String>,
    /// Whether a property of it says that it and all below it stay on the host
    /// ([`listing::REPLICATE`]); asked for on the host only.
    pub stays: bool,
    /// Whether nobody writes to it and nothing mounts or shows it by itself; asked for on the archiver only.
    pub is_passive: bool,
    /// Whether snapshots were left out that may be needed; the newest is always there.
    pub partial: bool,
    /// Its snapshots; on the host those that are sent.
    pub snapshots: Vec<Snapshot>,
    /// Its snapshots that are not sent because of their names; one at least if there are any after what
    /// the archiver has.
    pub unsent: Vec<Snapshot>,
    /// Its bookmarks.
    pub bookmarks: Vec<Bookmark>,
}

impl Dataset {
    /// Whether it is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encryption_root.is_some()
    }

    /// The same dataset with some of its snapshots, and without bookmarks.
    #[must_use]
    pub fn only_snapshots(&self, keep: impl Fn(&Snapshot) -> bool) -> Self {
        let kept: Vec<&Snapshot> = self.snapshots.iter().filter(|snapshot| keep(snapshot)).collect();
        Self {
            name: self.name.clone(),
            encryption_root: self.encryption_root.clone(),
            token: self.token.clone(),
            origin: self.origin.clone(),
            snapshots: kept.into_iter().cloned().collect(),
            unsent: vec![],
            bookmarks: vec![],
            ..*self
        }
    }

    /// Its newest snapshot.
    #[must_use]
    pub fn newest(&self) -> Option<&Snapshot> {
        self.snapshots.last()
    }

    /// Its snapshot of this identity, sent or not.
    #[must_use]
    pub fn snapshot(&self, guid: Guid) -> Option<&Snapshot> {
        self.snapshots.iter().chain(&self.unsent).find(|snapshot| snapshot.guid == guid)
    }

    /// Its bookmark of this identity.
    #[must_use]
    pub fn bookmark(&self, guid: Guid) -> Option<&Bookmark> {
        self.bookmarks.iter().find(|bookmark| bookmark.guid == guid)
    }
}

//! From a dataset on the host and its copy on the archiver to the streams between them.

use dormouse_generator::name::{DatasetName, MAX_DATASET_NAME};

use super::{Bookmark, Dataset, Guid, Snapshot};

/// What an increment builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A snapshot that both sides have.
    Snapshot(Snapshot),
    /// A bookmark of a snapshot that only the archiver still has.
    Bookmark(Bookmark),
}

impl Base {
    /// The identity of the snapshot that the archiver has.
    #[must_use]
    pub fn guid(&self) -> Guid {
        match self {
            Self::Snapshot(snapshot) => snapshot.guid,
            Self::Bookmark(bookmark) => bookmark.guid,
        }
    }

    /// Orders it among the host's snapshots.
    #[must_use]
    pub fn createtxg(&self) -> u64 {
        match self {
            Self::Snapshot(snapshot) => snapshot.createtxg,
            Self::Bookmark(bookmark) => bookmark.createtxg,
        }
    }
}

/// One `zfs send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A snapshot by itself.
    Full {
        /// The snapshot.
        to: Snapshot,
    },
    /// From a base to the next snapshot (`-i`).
    Step {
        /// What it builds on.
        from: Base,
        /// The snapshot.
        to: Snapshot,
    },
    /// From a snapshot to a later one with every snapshot between them (`-I`).
    Run {
        /// What it builds on; `zfs send -I` takes no bookmark.
        from: Snapshot,
        /// The last snapshot.
        to: Snapshot,
        /// How many snapshots arrive.
        count: usize,
    },
}

impl Stream {
    /// The snapshot that the archiver has afterwards.
    #[must_use]
    pub fn to(&self) -> &Snapshot {
        match self {
            Self::Full { to } | Self::Step { to, .. } | Self::Run { to, .. } => to,
        }
    }

    /// How many snapshots arrive by it.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Full { .. } | Self::Step { .. } => 1,
            Self::Run { count, .. } => *count,
        }
    }
}

/// What is to be done for a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The host has no snapshot of it.
    NothingToSend,
    /// The host has no snapshot of it, but of datasets below it, which need it on the archiver.
    Placeholder,
    /// The archiver has the newest snapshot, or one that was newer still and is gone here.
    UpToDate(Snapshot),
    /// The archiver keeps part of a snapshot: that comes first, then all is decided anew.
    Resume {
        /// The token.
        token: String,
    },
    /// These streams, in this order.
    Send(Vec<Stream>),
    /// A person has to decide.
    Refused(Refusal),
}

/// Why nothing can be sent without losing something. Nothing was changed on either side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target has no snapshot, so whatever it holds did not come from here.
    #[error("the target exists and has no snapshot, so it was not made by a replication")]
    TargetOccupied,
    /// The copy goes by the name that the dataset had before it was renamed.
    #[error("it was renamed on the host: the archiver has it as {from}")]
    Renamed {
        /// The copy.
        from: DatasetName,
    },
    /// Both sides have snapshots, none in common.
    #[error("host and archiver have no snapshot in common (host: {}; archiver: {})", list(.here), list(.there))]
    NoCommonSnapshot {
        /// Names on the host, oldest first.
        here: Vec<String>,
        /// Names on the archiver, oldest first.
        there: Vec<String>,
    },
    /// The archiver has a snapshot of the same name and another identity.
    #[error("the archiver has another snapshot named @{name} (guid {there} there, {here} here)")]
    NameTaken {
        /// The name.
        name: String,
        /// Identity on the host.
        here: Guid,
        /// Identity on the archiver.
        there: Guid,
    },
    /// The dataset is encrypted, and its copy is not, or the archiver says so; the spec does not say
    /// `raw: "never"`. An attacker who controls the archiver would say so to get plain data.
    #[error(
        "it is encrypted on the host, and the archiver says that its copy is not: only a plain stream could go on from it"
    )]
    PlainCopy,
    /// The copy's name is longer than the host's, and ZFS has no room for it with this snapshot's.
    #[error("the copy of @{name} would have a name of {bytes} bytes, and ZFS takes {MAX_DATASET_NAME}")]
    NameTooLong {
        /// The snapshot.
        name: String,
        /// How long its full name would be on the archiver.
        bytes: usize,
    },
}

/// Names for a message: all when they are few, else the first and the last.
fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [first, .., last] if names.len() > 4 => format!("@{first} … @{last}, {} snapshots", names.len()),
        few => few.iter().map(|name| format!("@{name}")).collect::<Vec<_>>().join(" "),
    }
}

/// Decides what to send. `target` is none when the archiver has no such dataset.
#[must_use]
pub fn decide(source: &Dataset, target: Option<&Dataset>) -> Decision {
    let Some(newest) = source.newest() else {
        return Decision::NothingToSend;
    };
    let Some(target) = target else {
        return Decision::Send(streams(source, None));
    };
    if let Some(token) = &target.token {
        return Decision::Resume { token: token.clone() };
    }
    if target.snapshot(newest.guid).is_some() {
        return Decision::UpToDate(newest.clone());
    }
    match common(source, target) {
        None if target.snapshots.is_empty() => Decision::Refused(Refusal::TargetOccupied),
        None => {
            let names = |dataset: &Dataset| dataset.snapshots.iter().map(|s| s.name.clone()).collect();
            Decision::Refused(Refusal::NoCommonSnapshot { here: names(source), there: names(target) })
        }
        Some(base) => match taken(source, target, &base) {
            Some(refusal) => Decision::Refused(refusal),
            None => match streams(source, Some(base)) {
                none if none.is_empty() => Decision::UpToDate(newest.clone()),
                streams => Decision::Send(streams),
            },
        },
    }
}

/// Decides from what the host knows of the archiver: that its copy is complete up to the snapshot
/// `acknowledged`. None when that is not enough. Should it be wrong, `zfs receive` refuses: an
/// increment carries the identity of its base.
#[must_use]
pub fn decide_by_cursor(source: &Dataset, copy: &Dataset, acknowledged: Guid) -> Option<Decision> {
    let newest = source.newest()?;
    if source.partial || copy.token.is_some() {
        return None;
    }
    let bookmark = source.bookmark(acknowledged)?.clone();
    let base = source.snapshot(acknowledged).cloned().map_or(Base::Bookmark(bookmark), Base::Snapshot);
    let streams = streams(source, Some(base));
    Some(if streams.is_empty() { Decision::UpToDate(newest.clone()) } else { Decision::Send(streams) })
}

/// The newest snapshot that both sides know; a snapshot rather than a bookmark of the same one.
///
/// Snapshots of the archiver newer than it are no obstacle while nothing was written between:
/// `zfs receive` then takes the increment and keeps them. If something was, it refuses by itself.
#[must_use]
pub fn common(source: &Dataset, target: &Dataset) -> Option<Base> {
    target.snapshots.iter().rev().find_map(|theirs| {
        let snapshot = source.snapshot(theirs.guid).cloned().map(Base::Snapshot);
        snapshot.or_else(|| source.bookmark(theirs.guid).cloned().map(Base::Bookmark))
    })
}

/// A snapshot to be sent whose name the archiver uses for another one.
fn taken(source: &Dataset, target: &Dataset, base: &Base) -> Option<Refusal> {
    later(source, base).iter().find_map(|snapshot| {
        let theirs = target.snapshots.iter().find(|theirs| theirs.name == snapshot.name)?;
        Some(Refusal::NameTaken { name: snapshot.name.clone(), here: snapshot.guid, there: theirs.guid })
    })
}

/// A snapshot to be sent whose full name would be too long at `target`.
#[must_use]
pub fn too_long(source: &Dataset, target: &DatasetName, base: Option<&Base>) -> Option<Refusal> {
    let after = base.map_or(0, Base::createtxg);
    let sent = source.snapshots.iter().filter(|snapshot| snapshot.createtxg > after);
    let mut lengths =
        sent.map(|snapshot| (snapshot, target.as_str().len() + "@".len() + snapshot.name.len()));
    let (snapshot, bytes) = lengths.find(|(_, bytes)| *bytes > MAX_DATASET_NAME)?;
    Some(Refusal::NameTooLong { name: snapshot.name.clone(), bytes })
}

/// The snapshots of the host that come after the base.
fn later<'a>(source: &'a Dataset, base: &Base) -> &'a [Snapshot] {
    let start = source.snapshots.partition_point(|snapshot| snapshot.createtxg <= base.createtxg());
    &source.snapshots[start..]
}

/// The fewest streams that bring every later snapshot: a first one if the base is no snapshot
/// (`zfs send -I` refuses bookmarks, openzfs issue 12415), then one run over all the rest; or one for each,
/// where a run could bring snapshots that are not to be sent.
#[must_use]
pub fn streams(source: &Dataset, base: Option<Base>) -> Vec<Stream> {
    let after = base.as_ref().map_or(0, Base::createtxg);
    let is_mixed = source.unsent.iter().any(|unsent| unsent.createtxg > after);
    let (mut streams, from, rest) = match base {
        Some(Base::Snapshot(snapshot)) => {
            let rest = later(source, &Base::Snapshot(snapshot.clone()));
            (vec![], Some(snapshot), rest)
        }
        Some(bookmark @ Base::Bookmark(_)) => match later(source, &bookmark).split_first() {
            Some((to, rest)) => {
                (vec![Stream::Step { from: bookmark, to: to.clone() }], Some(to.clone()), rest)
            }
            None => (vec![], None, &[][..]),
        },
        None => match source.snapshots.split_first() {
            Some((to, rest)) => (vec![Stream::Full { to: to.clone() }], Some(to.clone()), rest),
            None => (vec![], None, &[][..]),
        },
    };
    match (from, rest) {
        (Some(from), [_, _, ..]) if is_mixed => {
            let bases = std::iter::once(&from).chain(rest);
            streams.extend(
                bases
                    .zip(rest)
                    .map(|(from, to)| Stream::Step { from: Base::Snapshot(from.clone()), to: to.clone() }),
            );
        }
        (Some(from), [to]) => streams.push(Stream::Step { from: Base::Snapshot(from), to: to.clone() }),
        (Some(from), [.., to]) => streams.push(Stream::Run { from, to: to.clone(), count: rest.len() }),
        _ => {}
    }
    streams
}

/// The same streams with a step for each snapshot of a run: `zfs send -I` sends a package, which a host does
/// not take from an archiver. `source` has all snapshots of the run.
#[must_use]
pub fn single_steps(source: &Dataset, streams: &[Stream]) -> Vec<Stream> {
    let mut single = Vec::new();
    for stream in streams {
        let Stream::Run { from, to, count } = stream else {
            single.push(stream.clone());
            continue;
        };
        let is_between = |each: &&Snapshot| each.createtxg > from.createtxg && each.createtxg <= to.createtxg;
        debug_assert_eq!(source.snapshots.iter().filter(is_between).count(), *count);
        let mut base = from;
        for to in source.snapshots.iter().filter(is_between) {
            single.push(Stream::Step { from: Base::Snapshot(base.clone()), to: to.clone() });
            base = to;
        }
    }
    single
}

//! The bookmarks that remember, on the host, what an archiver has.
//!
//! A dataset's cursor is a bookmark `dormouse_<spec>_<archiver>_<guid>`. It is made *before* the
//! snapshot is sent and its predecessor goes *after* the archiver was seen to have it. So a single
//! cursor is an acknowledgement; two or more mean that a run ended in between, and the archiver
//! must be asked. The first send has no predecessor; a bookmark `…_pending` stands in for it.
//! A base for the next increment thus exists even if the acknowledgement is lost and the host
//! prunes the snapshot meanwhile.

use super::{Dataset, Guid, Snapshot};

/// Stands in for the predecessor while the first snapshot is under way.
const PENDING: &str = "pending";

/// Names the cursors of one spec and archiver.
#[derive(Clone, Debug)]
pub struct Cursors {
    prefix: String,
}

/// Bookmarks to make, then bookmarks to destroy; each by its name after the `#`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Name of the snapshot and of its new bookmark, in order.
    pub make: Vec<(String, String)>,
    /// Names of bookmarks that have had their day.
    pub destroy: Vec<String>,
}

impl Cursors {
    /// The cursors of this spec and archiver. Their names hold no underscore
    /// (`dormouse_generator::validate`), so prefixes of different pairs never meet.
    #[must_use]
    pub fn new(spec: &str, archiver: &str) -> Self {
        Self { prefix: format!("dormouse_{spec}_{archiver}_") }
    }

    /// Whether a bookmark is a cursor of this spec and archiver.
    #[must_use]
    pub fn is_ours(&self, bookmark: &str) -> bool {
        bookmark.starts_with(&self.prefix)
    }

    /// What the archiver is known to have of this dataset, if that is certain.
    #[must_use]
    pub fn acknowledged(&self, dataset: &Dataset) -> Option<Guid> {
        let mut ours = dataset.bookmarks.iter().filter(|bookmark| self.is_ours(&bookmark.name));
        match (ours.next(), ours.next()) {
            (Some(only), None) if only.name == self.name(only.guid) => Some(only.guid),
            _ => None,
        }
    }

    /// The bookmarks to make before `snapshot` is sent.
    #[must_use]
    pub fn before_send(&self, dataset: &Dataset, snapshot: &Snapshot) -> Changes {
        let cursor = self.name(snapshot.guid);
        let has_other = self.ours(dataset).any(|name| name != cursor);
        let pending = (!has_other).then(|| format!("{}{PENDING}", self.prefix));
        let missing = (!self.ours(dataset).any(|name| name == cursor)).then_some(cursor);
        let make = pending.into_iter().chain(missing).map(|name| (snapshot.name.clone(), name)).collect();
        Changes { make, destroy: Vec::new() }
    }

    /// The bookmarks to make and to destroy once the archiver was seen to have `snapshot`.
    /// `dataset` is as listed when the run began; what [`Self::before_send`] made since is implied.
    #[must_use]
    pub fn after_receive(&self, dataset: &Dataset, snapshot: &Snapshot, made: &Changes) -> Changes {
        let cursor = self.name(snapshot.guid);
        let made: Vec<&str> = made.make.iter().map(|(_, name)| name.as_str()).collect();
        let exists = |name: &str| made.contains(&name) || self.ours(dataset).any(|ours| ours == name);
        let make = if exists(&cursor) { vec![] } else { vec![(snapshot.name.clone(), cursor.clone())] };
        let mut destroy: Vec<String> = self
            .ours(dataset)
            .chain(made.iter().copied())
            .filter(|name| *name != cursor)
            .map(str::to_owned)
            .collect();
        destroy.sort();
        destroy.dedup();
        Changes { make, destroy }
    }

    fn ours<'a>(&'a self, dataset: &'a Dataset) -> impl Iterator<Item = &'a str> {
        dataset.bookmarks.iter().map(|bookmark| bookmark.name.as_str()).filter(|name| self.is_ours(name))
    }

    fn name(&self, guid: Guid) -> String {
        format!("{}{guid}", self.prefix)
    }
}

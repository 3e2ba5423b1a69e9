//! `zfs list` output to datasets.
//!
//! A line that cannot be read is an error: taking an unreadable listing for an empty one would
//! lead to a full send, or worse.

use std::collections::BTreeMap;

use dormouse_generator::name::{DatasetName, check_snapshot};

use super::{Bookmark, Dataset, Guid, Kind, Snapshot};

/// The columns of datasets, in the order in which [`Listing::push`] reads them.
pub const DATASET: &str = "name,type,guid,encryptionroot,receive_resume_token";

/// The column that follows on the host: a property that datasets inherit, by which whoever owns a dataset
/// keeps it from being replicated.
pub const REPLICATE: &str = "dormouse:replicate";

/// What that says then.
const STAYS: [&str; 3] = ["off", "no", "false"];

/// The columns that follow on the archiver.
pub const PASSIVE: &str = "readonly,canmount,volmode";

/// Columns that follow where they are asked for, and then the tree's mark; OpenZFS has the second
/// since 2.2.
pub const CHANGES: &str = "origin,snapshots_changed";

/// The columns of snapshots and bookmarks. These three alone need no look at the snapshot itself
/// (`zfs_list_only_by_fast` in OpenZFS' zfs_main.c), which makes a listing several times faster.
pub const SNAPSHOT: &str = "name,guid,createtxg";

/// The same with what costs a look at each snapshot.
pub const SNAPSHOT_DETAILED: &str = "name,guid,createtxg,creation,userrefs,logicalreferenced";

/// Datasets by name.
pub type Datasets = BTreeMap<DatasetName, Dataset>;

/// A line that is not what `zfs list` prints.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("zfs list printed a line that cannot be read ({reason}): {line:?}")]
pub struct Unreadable {
    line: String,
    reason: String,
}

impl Unreadable {
    pub(super) fn new(line: &str, reason: String) -> Self {
        Self { line: line.to_owned(), reason }
    }
}

/// Collects lines of `zfs list -H -p`.
#[derive(Debug, Default)]
pub struct Listing {
    datasets: Datasets,
    /// The last column of the first dataset, where it was asked for: the tree's mark.
    pub mark: Option<String>,
}

impl Listing {
    /// Goes on with datasets that were listed before; lists their histories anew.
    #[must_use]
    pub fn of(mut datasets: Datasets) -> Self {
        for dataset in datasets.values_mut() {
            (dataset.snapshots, dataset.unsent) = (vec![], vec![]);
            (dataset.bookmarks, dataset.partial) = (vec![], false);
        }
        Self { datasets, mark: None }
    }

    /// The datasets so far.
    pub fn names(&self) -> impl Iterator<Item = &DatasetName> {
        self.datasets.keys()
    }

    /// Reads a whole output.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn read(text: &str) -> Result<Datasets, Unreadable> {
        let mut listing = Self::default();
        text.lines().try_for_each(|line| listing.push(line))?;
        Ok(listing.finish())
    }

    /// Takes one line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn push(&mut self, line: &str) -> Result<(), Unreadable> {
        self.take(line).map_err(|reason| Unreadable::new(line, reason))
    }

    /// The datasets, their snapshots and bookmarks in order of age.
    #[must_use]
    pub fn finish(mut self) -> Datasets {
        for dataset in self.datasets.values_mut() {
            dataset.snapshots.sort_by_key(|snapshot| snapshot.createtxg);
            dataset.bookmarks.sort_by_key(|bookmark| bookmark.createtxg);
        }
        self.datasets
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default();
        let rest: Vec<&str> = fields.collect();
        match name.find(['@', '#']) {
            None => self.dataset(name, &rest),
            Some(at) => {
                let numbers = Numbers::read(&rest)?;
                let (dataset, name) = (&name[..at], &name[at..]);
                check_snapshot(&name[1..])?;
                let dataset = self.owner(dataset)?;
                match name.split_at(1) {
                    ("@", name) => dataset.snapshots.push(numbers.snapshot(name)),
                    (_, name) => dataset.bookmarks.push(numbers.bookmark(name)),
                }
                Ok(())
            }
        }
    }

    fn dataset(&mut self, name: &str, rest: &[&str]) -> Result<(), String> {
        let columns = || format!("{} columns", rest.len() + 1);
        let [kind, guid, root, token, ref more @ ..] = *rest else { return Err(columns()) };
        let name = DatasetName::new(name)?;
        let (mut replicate, mut is_passive, mut rest) = (None, false, [None, None, None]);
        match *more {
            [] => {}
            [stays] => replicate = Some(stays),
            [readonly, canmount, volmode] => {
                // Filesystems have a volmode too, for the zvols below them.
                let is_hidden = match kind {
                    "volume" => volmode == "none",
                    _ => matches!(canmount, "noauto" | "off"),
                };
                is_passive = readonly == "on" && is_hidden;
            }
            [stays, origin, changed, mark] => {
                replicate = Some(stays);
                rest = [origin, changed, mark].map(|text| (text != "-").then(|| text.to_owned()));
            }
            _ => return Err(columns()),
        }
        let [origin, changed, mark] = rest;
        if root != "-" {
            DatasetName::new(root)?;
        }
        if !token.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
            return Err(format!("{token:?} is not a token"));
        }
        let dataset = Dataset {
            name: name.clone(),
            guid: Guid(number(guid)?),
            kind: match kind {
                "filesystem" => Kind::Filesystem,
                "volume" => Kind::Volume,
                other => return Err(format!("unknown type {other:?}")),
            },
            encryption_root: (root != "-").then(|| root.to_owned()),
            token: (token != "-").then(|| token.to_owned()),
            changed: changed.as_deref().map(number).transpose()?,
            origin,
            stays: replicate.is_some_and(|replicate| STAYS.contains(&replicate)),
            is_passive,
            partial: false,
            snapshots: Vec::new(),
            unsent: Vec::new(),
            bookmarks: Vec::new(),
        };
        if self.datasets.is_empty() {
            self.mark = mark;
        }
        match self.datasets.insert(name, dataset) {
            None => Ok(()),
            Some(_) => Err("the dataset is listed twice".to_owned()),
        }
    }

    /// The dataset of a snapshot or bookmark, which is listed before it.
    fn owner(&mut self, dataset: &str) -> Result<&mut Dataset, String> {
        let dataset = DatasetName::new(dataset)?;
        self.datasets.get_mut(&dataset).ok_or_else(|| "its dataset was not listed before it".to_owned())
    }
}

/// The columns of a snapshot or bookmark that follow its name.
pub(super) struct Numbers {
    pub createtxg: u64,
    pub guid: Guid,
    pub creation: i64,
    pub holds: u64,
    pub size: Option<u64>,
}

impl Numbers {
    /// Reads [`SNAPSHOT`] or [`SNAPSHOT_DETAILED`].
    pub fn read(rest: &[&str]) -> Result<Self, String> {
        let (guid, createtxg, creation, holds, size) = match *rest {
            [guid, createtxg] => (guid, createtxg, "0", "-", "-"),
            [guid, createtxg, creation, holds, size] => (guid, createtxg, creation, holds, size),
            _ => return Err(format!("{} columns", rest.len() + 1)),
        };
        // A bookmark cannot be held, and most do not know a size.
        let known = |text: &str| if text == "-" { Ok(None) } else { number(text).map(Some) };
        Ok(Self {
            createtxg: number(createtxg)?,
            guid: Guid(number(guid)?),
            creation: number(creation)?,
            holds: known(holds)?.unwrap_or(0),
            size: known(size)?,
        })
    }

    pub fn snapshot(self, name: &str) -> Snapshot {
        let Self { createtxg, guid, creation, holds, size } = self;
        Snapshot { name: name.to_owned(), guid, createtxg, creation, holds, size }
    }

    pub fn bookmark(self, name: &str) -> Bookmark {
        let Self { createtxg, guid, creation, .. } = self;
        Bookmark { name: name.to_owned(), guid, createtxg, creation }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tank/safe\tfilesystem\t11\t-\t-\t-\t-\t1700000201\t1:abc\n\
        tank/safe/disk\tvolume\t12\ttank\t1-abc\toff\ttank/a@b\t-\t1:abc\n\
        tank/safe@b\t22\t9\t1700000200\t1\t4096\n\
        tank/safe@a b\t21\t7\n\
        tank/safe#m\t21\t7\t1700000100\t-\t-\n";

    #[test]
    fn a_tree_is_read_and_ordered_by_age() {
        let mut listing = Listing::default();
        TREE.lines().for_each(|line| listing.push(line).unwrap());
        assert_eq!(listing.mark.as_deref(), Some("1:abc"));
        let datasets = listing.finish();
        let safe = &datasets[&DatasetName::new("tank/safe").unwrap()];
        assert_eq!(safe.snapshots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a b", "b"]);
        assert_eq!(
            (safe.is_encrypted(), safe.kind, safe.newest().unwrap().holds),
            (false, Kind::Filesystem, 1)
        );
        assert_eq!((safe.newest().unwrap().size, safe.snapshots[0].size), (Some(4096), None));
        assert_eq!((safe.guid, safe.changed), (Guid(11), Some(1_700_000_201)));
        assert_eq!(safe.bookmark(Guid(21)).unwrap().name, "m");
        let disk = &datasets[&DatasetName::new("tank/safe/disk").unwrap()];
        assert_eq!(
            (disk.encryption_root.as_deref(), disk.kind, disk.token.as_deref()),
            (Some("tank"), Kind::Volume, Some("1-abc"))
        );
        assert_eq!((disk.changed, disk.origin.as_deref()), (None, Some("tank/a@b")));
        assert_eq!((safe.stays, disk.stays), (false, true));
    }

    #[test]
    fn a_copy_is_passive_that_nobody_writes_to_and_nothing_shows() {
        let is_passive = |kind: &str, set: &str| {
            let listed = Listing::read(&format!("vault/a\t{kind}\t1\t-\t-\t{set}\n")).unwrap();
            listed.values().all(|dataset| dataset.is_passive && !dataset.stays)
        };
        assert!(is_passive("filesystem", "on\tnoauto\tdefault"));
        assert!(is_passive("volume", "on\t-\tnone"));
        assert!(!is_passive("filesystem", "off\tnoauto\tdefault"));
        assert!(!is_passive("filesystem", "on\ton\tnone"));
        assert!(!is_passive("volume", "on\t-\tdefault"));
        assert!(!is_passive("volume", "off\t-\tnone"));
    }

    #[test]
    fn a_snapshot_has_a_name_that_zfs_allows() {
        let listed = |name: &str| Listing::read(&format!("t\tfilesystem\t1\t-\t-\nt{name}\t1\t2\n"));
        for name in ["@a b", "@zfs-auto-snap_daily-2026-11-25-0000", "#x:y.z"] {
            assert!(listed(name).is_ok(), "{name:?}");
        }
        for name in ["@\x1b]52;c;eA\x07", "@\r", "@\u{9b}2J", "@a@b", "@a#b", "@a/b", "@a%b", "@ä", "@", "#"]
        {
            assert!(listed(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_an_error_and_never_empty() {
        for line in [
            "",
            "tank",
            "tank\tfilesystem\tx\t-\t-",
            "tank\tfilesystem\t1\t-",
            "tank\tfilesystem\t1\t-\t-\t-\t-\tsoon\t-",
            "tank/a@b\t1\t2",
            "t\tshare\t1\t-\t-",
            "t\tfilesystem\t1\t-\t-oencryption=off",
            "t\tfilesystem\t1\t\x1b[2J\t-",
            "t\x1b[2J\tfilesystem\t1\t-\t-",
        ] {
            assert!(Listing::read(&format!("{line}\n")).is_err(), "{line:?}");
        }
    }
}

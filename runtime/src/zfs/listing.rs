//! `zfs list` output to datasets.
//!
//! A line that cannot be read is an error: taking an unreadable listing for an empty one would
//! lead to a full send, or worse.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;

use super::{Bookmark, Dataset, Guid, Kind, Snapshot};

/// The columns asked for, in the order in which [`Listing::push`] reads them.
pub const COLUMNS: &str = "name,type,guid,createtxg,creation,userrefs,encryption,receive_resume_token";

/// Datasets by name.
pub type Datasets = BTreeMap<DatasetName, Dataset>;

/// A line that is not what `zfs list` prints.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("zfs list printed a line that cannot be read ({reason}): {line:?}")]
pub struct Unreadable {
    line: String,
    reason: String,
}

/// Collects lines of `zfs list -H -p`.
#[derive(Debug, Default)]
pub struct Listing {
    datasets: Datasets,
}

impl Listing {
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
        self.take(line).map_err(|reason| Unreadable { line: line.to_owned(), reason })
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
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, kind, guid, createtxg, creation, userrefs, encryption, token] = fields[..] else {
            return Err(format!("{} columns instead of 8", fields.len()));
        };
        let guid = Guid(number(guid)?);
        match kind {
            "filesystem" => self.dataset(name, Kind::Filesystem, encryption, token),
            "volume" => self.dataset(name, Kind::Volume, encryption, token),
            "snapshot" => {
                let (dataset, name) = self.owner(name, '@')?;
                let (createtxg, creation, holds) = (number(createtxg)?, number(creation)?, number(userrefs)?);
                dataset.snapshots.push(Snapshot { name, guid, createtxg, creation, holds });
                Ok(())
            }
            "bookmark" => {
                let (dataset, name) = self.owner(name, '#')?;
                let (createtxg, creation) = (number(createtxg)?, number(creation)?);
                dataset.bookmarks.push(Bookmark { name, guid, createtxg, creation });
                Ok(())
            }
            other => Err(format!("unknown type {other:?}")),
        }
    }

    fn dataset(&mut self, name: &str, kind: Kind, encryption: &str, token: &str) -> Result<(), String> {
        let name = DatasetName::new(name)?;
        let dataset = Dataset {
            name: name.clone(),
            kind,
            encrypted: !matches!(encryption, "off" | "-"),
            token: (token != "-").then(|| token.to_owned()),
            snapshots: Vec::new(),
            bookmarks: Vec::new(),
        };
        match self.datasets.insert(name, dataset) {
            None => Ok(()),
            Some(_) => Err("the dataset is listed twice".to_owned()),
        }
    }

    /// The dataset of `dataset@snapshot`, which `zfs list` prints before its snapshots.
    fn owner(&mut self, full: &str, separator: char) -> Result<(&mut Dataset, String), String> {
        let (dataset, name) =
            full.split_once(separator).ok_or_else(|| format!("no {separator} in the name"))?;
        let dataset = DatasetName::new(dataset)?;
        let dataset = self.datasets.get_mut(&dataset).ok_or("its dataset was not listed before it")?;
        Ok((dataset, name.to_owned()))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tank/safe\tfilesystem\t11\t5\t1700000000\t-\toff\t-\n\
        tank/safe@b\tsnapshot\t22\t9\t1700000200\t1\toff\t-\n\
        tank/safe@a b\tsnapshot\t21\t7\t1700000100\t0\toff\t-\n\
        tank/safe#m\tbookmark\t21\t7\t1700000100\t-\t-\t-\n\
        tank/safe/disk\tvolume\t12\t6\t1700000000\t-\taes-256-gcm\t1-abc\n";

    #[test]
    fn a_tree_is_read_and_ordered_by_age() {
        let datasets = Listing::read(TREE).unwrap();
        let safe = &datasets[&DatasetName::new("tank/safe").unwrap()];
        assert_eq!(safe.snapshots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a b", "b"]);
        assert_eq!((safe.encrypted, safe.kind, safe.newest().unwrap().holds), (false, Kind::Filesystem, 1));
        assert_eq!(safe.bookmark(Guid(21)).unwrap().name, "m");
        let disk = &datasets[&DatasetName::new("tank/safe/disk").unwrap()];
        assert_eq!((disk.encrypted, disk.kind, disk.token.as_deref()), (true, Kind::Volume, Some("1-abc")));
    }

    #[test]
    fn an_unreadable_line_is_an_error_and_never_empty() {
        for line in [
            "",
            "tank",
            "tank\tfilesystem\tx\t5\t1\t-\toff\t-",
            "tank/a@b\tsnapshot\t1\t2\t3\t0\toff\t-",
            "t\tshare\t1\t2\t3\t0\toff\t-",
        ] {
            assert!(Listing::read(&format!("{line}\n")).is_err(), "{line:?}");
        }
    }
}

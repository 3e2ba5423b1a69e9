//! From a listing of all snapshots to the few that matter.
//!
//! A tree may have millions of snapshots. Of a dataset that the archiver is known to have up to
//! some snapshot, that one and the later ones matter; of others the newest alone, until it is their
//! turn and they are listed by themselves.

use dormouse_generator::name::{DatasetName, check_snapshot};

use super::Dataset;
use super::cursor::Cursors;
use super::listing::{Datasets, Numbers, Unreadable};
use super::names::Names;

/// Most snapshots that are kept of a dataset; one that is further behind is listed by itself.
/// (One more is its base.)
pub const MOST: usize = 100;

/// Takes lines of bookmarks, then lines of snapshots.
#[derive(Debug)]
pub struct Recent<'a> {
    cursors: &'a Cursors,
    names: &'a Names,
    datasets: Datasets,
    /// The dataset of the last line: lines of one dataset follow each other.
    last: Option<DatasetName>,
}

impl<'a> Recent<'a> {
    /// For these datasets; lines of others are passed over.
    #[must_use]
    pub fn new(datasets: Datasets, cursors: &'a Cursors, names: &'a Names) -> Self {
        Self { cursors, names, datasets, last: None }
    }

    /// Takes a bookmark. Only ours matter.
    ///
    /// # Errors
    /// When the line cannot be read.
    pub fn bookmark(&mut self, line: &str) -> Result<(), Unreadable> {
        let cursors = self.cursors;
        self.with(line, '#', |dataset, name, numbers| {
            if cursors.is_ours(name) {
                dataset.bookmarks.push(numbers.bookmark(name));
            }
        })
    }

    /// Takes a snapshot, after all bookmarks.
    ///
    /// # Errors
    /// When the line cannot be read.
    pub fn snapshot(&mut self, line: &str) -> Result<(), Unreadable> {
        let (cursors, names) = (self.cursors, self.names);
        self.with(line, '@', |dataset, name, numbers| {
            let from = if dataset.partial { None } else { acknowledged_txg(cursors, dataset) };
            if from.is_some_and(|from| numbers.createtxg < from) {
                return;
            }
            if !names.send(name) {
                // One tells that there are some.
                if from.is_none_or(|from| numbers.createtxg > from) {
                    dataset.unsent = vec![numbers.snapshot(name)];
                }
                return;
            }
            dataset.snapshots.push(numbers.snapshot(name));
            if from.is_none() || dataset.snapshots.len() > MOST {
                dataset.partial = true;
                let newest = dataset.snapshots.drain(..).max_by_key(|snapshot| snapshot.createtxg);
                dataset.snapshots.extend(newest);
            }
        })
    }

    /// The datasets with what was kept, by age.
    #[must_use]
    pub fn finish(mut self) -> Datasets {
        for dataset in self.datasets.values_mut() {
            dataset.snapshots.sort_by_key(|snapshot| snapshot.createtxg);
            dataset.bookmarks.sort_by_key(|bookmark| bookmark.createtxg);
        }
        self.datasets
    }

    fn with(
        &mut self,
        line: &str,
        separator: char,
        keep: impl FnOnce(&mut Dataset, &str, Numbers),
    ) -> Result<(), Unreadable> {
        let mut fields = line.split('\t');
        let full = fields.next().unwrap_or_default();
        let rest: Vec<&str> = fields.collect();
        let parts = full.split_once(separator).ok_or_else(|| format!("no {separator} in the name"));
        let read = parts.and_then(|(dataset, name)| {
            check_snapshot(name)?;
            Ok((dataset, name, Numbers::read(&rest)?))
        });
        let (dataset, name, numbers) = read.map_err(|reason| Unreadable::new(line, reason))?;
        if self.last.as_ref().is_none_or(|last| last.as_str() != dataset) {
            self.last = Some(DatasetName::new(dataset).map_err(|reason| Unreadable::new(line, reason))?);
        }
        let dataset = self.last.as_ref().and_then(|name| self.datasets.get_mut(name));
        if let Some(dataset) = dataset {
            keep(dataset, name, numbers);
        }
        Ok(())
    }
}

/// Orders what the archiver is known to have among the snapshots of its dataset.
fn acknowledged_txg(cursors: &Cursors, dataset: &Dataset) -> Option<u64> {
    let guid = cursors.acknowledged(dataset)?;
    dataset.bookmark(guid).map(|bookmark| bookmark.createtxg)
}

#[cfg(test)]
mod tests {
    use super::super::listing::Listing;
    use super::*;

    fn datasets(count: usize) -> Datasets {
        let line = |n| format!("tank/d{n}\tfilesystem\t{n}\t-\t-\n");
        Listing::read(&(0..count).map(line).collect::<String>()).unwrap()
    }

    fn names_but(excluded: &[&str]) -> Names {
        let excluded: Vec<String> = excluded.iter().map(|name| (*name).to_owned()).collect();
        let replication = serde_json::json!({
            "archiver": "nas", "source": "tank", "target": "vault/tank", "exclude_snapshot_names": excluded
        });
        Names::of(&serde_json::from_value(replication).unwrap())
    }

    fn read(count: usize, bookmarks: &[&str], snapshots: &[&str]) -> Datasets {
        let (cursors, names) = (Cursors::new("home", "nas"), names_but(&["no*"]));
        let mut recent = Recent::new(datasets(count), &cursors, &names);
        bookmarks.iter().for_each(|line| recent.bookmark(line).unwrap());
        snapshots.iter().for_each(|line| recent.snapshot(line).unwrap());
        recent.finish()
    }

    fn names(dataset: &Dataset) -> Vec<&str> {
        dataset.snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect()
    }

    #[test]
    fn what_is_acknowledged_and_what_is_later_is_kept() {
        let snapshots = [
            "tank/d0@a\t1\t10",
            "tank/d0@b\t2\t20",
            "tank/d0@c\t3\t30",
            "tank/d0@not\t6\t25",
            "tank/d1@a\t4\t10",
            "tank/d1@b\t5\t20",
        ];
        let all = read(2, &["tank/d0#x\t1\t10", "tank/d0#dormouse_home_nas_2\t2\t20"], &snapshots);
        let [d0, d1] = [0, 1].map(|n| &all[&DatasetName::new(format!("tank/d{n}")).unwrap()]);
        assert_eq!((names(d0), d0.partial, d0.bookmarks.len()), (vec!["b", "c"], false, 1));
        assert_eq!((d0.unsent.len(), d1.unsent.len()), (1, 0));
        assert_eq!((names(d1), d1.partial), (vec!["b"], true), "nothing is known of it: the newest alone");
    }

    #[test]
    fn a_dataset_that_is_far_behind_is_listed_by_itself() {
        let lines: Vec<String> = (0..200).map(|n| format!("tank/d0@{n}\t{n}\t{}", n + 10)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let cursor = ["tank/d0#dormouse_home_nas_0\t0\t10"];
        let far = read(1, &cursor, &lines);
        let near = read(1, &cursor, &lines[..MOST]);
        let [far, near] = [far, near].map(|all| all.into_values().next().unwrap());
        assert_eq!((names(&far), far.partial), (vec!["199"], true));
        assert_eq!((near.snapshots.len(), near.partial), (MOST, false));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        let (cursors, names) = (Cursors::new("home", "nas"), names_but(&[]));
        for line in ["", "tank/d0", "tank/d0@a", "tank/d0@a\tx\t1", "tank/d0@a\t1"] {
            assert!(Recent::new(datasets(1), &cursors, &names).snapshot(line).is_err(), "{line:?}");
        }
    }
}

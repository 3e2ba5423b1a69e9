//! Two trees of files to what differs between them.

mod facts;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::facts::Facts;
use super::contents::Contents;

/// How many differences are described; more are counted.
const MOST: usize = 20;

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// How many files, directories and the like were compared.
    pub entries: u64,
    /// How many bytes of files were compared.
    pub bytes: u64,
    /// How many differ.
    pub differing: u64,
    /// The first of them, each with what differs.
    pub differences: Vec<String>,
}

/// Compares all that is below two directories: names, types, modes, owners, times of modification,
/// hard links, targets, extended attributes (ACLs are some) and contents.
#[must_use]
pub fn compare(here: &Path, there: &Path) -> Compared {
    let (compared, contents) = (Compared::default(), Contents::default());
    let mut comparing = Comparing { here, there, compared, contents };
    comparing.entry(Path::new("."));
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        open.extend(comparing.directory(&directory));
    }
    let Comparing { compared, contents, .. } = comparing;
    Compared { bytes: contents.bytes, ..compared }
}

struct Comparing<'a> {
    here: &'a Path,
    there: &'a Path,
    compared: Compared,
    contents: Contents,
}

impl Comparing<'_> {
    /// Compares what is in a directory, and returns the directories that are in both.
    fn directory(&mut self, directory: &Path) -> Vec<PathBuf> {
        let (ours, theirs) = (names(&self.here.join(directory)), names(&self.there.join(directory)));
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(error), _) => {
                self.differs(directory, &unread(&error, "here"));
                return vec![];
            }
            (_, Err(error)) => {
                self.differs(directory, &unread(&error, "as brought back"));
                return vec![];
            }
        };
        let mut below = Vec::new();
        for name in ours.union(&theirs) {
            let path = directory.join(name);
            match (ours.contains(name), theirs.contains(name)) {
                (true, false) => self.differs(&path, "it did not come back"),
                (false, _) => self.differs(&path, "it came back and is not here"),
                (true, true) => {
                    if self.entry(&path) {
                        below.push(path);
                    }
                }
            }
        }
        below
    }

    /// Compares an entry, and says whether it is a directory.
    fn entry(&mut self, path: &Path) -> bool {
        self.compared.entries += 1;
        let (here, there) = (self.here.join(path), self.there.join(path));
        let ours = match Facts::read(&here) {
            Ok(facts) => facts,
            Err(error) => {
                self.differs(path, &unread(&error, "here"));
                return false;
            }
        };
        let theirs = match Facts::read(&there) {
            Ok(facts) => facts,
            Err(error) => {
                self.differs(path, &unread(&error, "as brought back"));
                return false;
            }
        };
        if let Some(difference) = ours.difference(&theirs) {
            self.differs(path, difference);
        } else if ours.is_file {
            let opened = File::open(here).and_then(|here| Ok((here, File::open(there)?)));
            match opened.and_then(|(here, there)| self.contents.compare(here, there)) {
                Ok(None) => {}
                Ok(Some(at)) => self.differs(path, &format!("its contents differ from byte {at} on")),
                Err(error) => self.differs(path, &unread(&error, "to its end")),
            }
        }
        ours.is_directory && theirs.is_directory
    }

    fn differs(&mut self, path: &Path, what: &str) {
        self.compared.differing += 1;
        if self.compared.differences.len() < MOST {
            self.compared.differences.push(format!("{}: {what}", path.display()));
        }
    }
}

fn unread(error: &io::Error, place: &str) -> String {
    format!("it cannot be read {place}: {error}")
}

fn names(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use super::super::contents::CHUNK;
    use super::*;

    /// A tree with something of each kind, all of it of one time.
    fn tree(folder: &Path) {
        fs::create_dir_all(folder.join("folder/below")).unwrap();
        fs::write(folder.join("folder/file"), vec![7; CHUNK + 3]).unwrap();
        fs::write(folder.join("empty"), "").unwrap();
        fs::hard_link(folder.join("empty"), folder.join("folder/below/linked")).unwrap();
        symlink("folder/file", folder.join("pointer")).unwrap();
        touch(folder);
    }

    fn touch(folder: &Path) {
        let entries = walk(folder);
        for path in entries.iter().rev() {
            if !path.is_symlink() {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
                File::open(path).unwrap().set_modified(time).unwrap();
            } else {
                let time = rustix::fs::Timespec { tv_sec: 1_700_000_000, tv_nsec: 0 };
                let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
                let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
            }
        }
    }

    fn walk(path: &Path) -> Vec<PathBuf> {
        let mut all = vec![path.to_owned()];
        if path.is_dir() && !path.is_symlink() {
            for name in names(path).unwrap() {
                all.extend(walk(&path.join(name)));
            }
        }
        all
    }

    /// What is found after a change to one of two equal trees.
    fn found(change: impl FnOnce(&Path), touches: bool) -> Vec<String> {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(here.path());
        tree(there.path());
        let same = compare(here.path(), there.path());
        assert_eq!((same.differing, same.entries, same.bytes), (0, 7, CHUNK as u64 + 3), "{same:?}");
        change(there.path());
        if touches {
            touch(there.path());
        }
        let compared = compare(here.path(), there.path());
        assert_eq!(compared.differing as usize, compared.differences.len());
        compared.differences
    }

    #[test]
    fn each_kind_of_difference_is_found_and_nothing_else() {
        let file = |folder: &Path| folder.join("folder/file");
        type Case = (fn(&Path), &'static [&'static str]);
        let cases: [Case; 8] = [
            (|_| {}, &[]),
            (|f| fs::write(f.join("new"), "").unwrap(), &["new: it came back and is not here"]),
            (|f| fs::remove_file(f.join("pointer")).unwrap(), &["pointer: it did not come back"]),
            (
                |f| fs::write(f.join("folder/file"), [&vec![7; CHUNK][..], &[7, 8, 7]].concat()).unwrap(),
                &["folder/file: its contents differ from byte 1048577 on"],
            ),
            (|f| fs::write(f.join("folder/file"), "short").unwrap(), &["folder/file: its size differs"]),
            (
                |f| fs::set_permissions(f.join("folder/file"), fs::Permissions::from_mode(0o700)).unwrap(),
                &["folder/file: its mode differs"],
            ),
            (
                |f| {
                    fs::remove_file(f.join("pointer")).unwrap();
                    symlink("folder", f.join("pointer")).unwrap();
                },
                &["pointer: it points elsewhere"],
            ),
            (
                |f| {
                    fs::remove_file(f.join("empty")).unwrap();
                    fs::write(f.join("empty"), "").unwrap();
                },
                &[
                    "empty: it has another number of hard links",
                    "folder/below/linked: it has another number of hard links",
                ],
            ),
        ];
        for (change, differences) in cases {
            assert_eq!(found(change, true), differences);
        }
        assert_eq!(
            found(|folder| File::open(file(folder)).unwrap().set_modified(SystemTime::now()).unwrap(), false),
            ["folder/file: its time of modification differs"]
        );
    }

    #[test]
    fn many_differences_are_counted_and_some_are_told() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for number in 0..100 {
            fs::write(here.path().join(number.to_string()), "").unwrap();
        }
        touch(here.path());
        touch(there.path());
        let compared = compare(here.path(), there.path());
        assert_eq!((compared.differing, compared.differences.len()), (100, MOST));
    }
}

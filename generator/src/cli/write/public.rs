//! The public folder, exchanged as a whole.
//!
//! The new tree is built beside the old one: files that stay are hard links, so that they keep
//! their inode and time. Files that are not ours stay too; ours are those that the manifest lists.

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use dormouse_generator::artifact::Manifest;
use dormouse_generator::layout::MANIFEST;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{CHANGED, CREATED, Changes, REMOVED};
use crate::cli::failure::{Failure, reason};

/// The files of an earlier run: what the manifest in this folder lists, itself included; nothing
/// when there is none.
pub(in crate::cli) fn owned(out: &Path) -> Result<BTreeSet<String>, Failure> {
    let path = out.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Failure::io("read", &path, &error)),
    };
    // A manifest that someone damaged is written anew; only files that left the spec since then
    // are not recognised and stay.
    let listed =
        serde_json::from_slice::<Manifest>(&text).map(|manifest| manifest.artifacts).unwrap_or_default();
    let is_inside = |path: &String| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    Ok(listed.into_keys().filter(is_inside).chain([MANIFEST.to_owned()]).collect())
}

/// Where the public folder is, and where its successor is built.
pub(super) struct Place {
    parent: PathBuf,
    out: PathBuf,
    staging: PathBuf,
    old: PathBuf,
}

impl Place {
    /// The place of this folder, which may or may not exist, but is nothing else.
    pub(super) fn of(out: &Path) -> Result<Self, Failure> {
        let Some(name) = out.file_name() else {
            let text = format!("--out {} is no folder of its own", out.display());
            return Err(Failure::refused(text, "name one, such as --out generated"));
        };
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if !parent.is_dir() {
            let text = format!("the folder {} that is to hold --out does not exist", parent.display());
            return Err(Failure::failed(text, format!("mkdir -p {}", parent.display())));
        }
        refuse_other_kinds(out)?;
        let beside = |end: &str| parent.join(format!(".{}.{end}", name.to_string_lossy()));
        Ok(Self { out: out.to_path_buf(), staging: beside("new"), old: beside("old"), parent })
    }

    pub(super) fn parent(&self) -> &Path {
        &self.parent
    }

    /// Removes what an interrupted run left, after giving back what it had moved away.
    pub(super) fn recover(&self) -> Result<(), Failure> {
        let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
        if !exists(&self.out) && exists(&self.old) {
            fs::rename(&self.old, &self.out).map_err(|error| Failure::io("restore", &self.out, &error))?;
        }
        for leftover in [&self.staging, &self.old] {
            tree::remove(leftover).map_err(|error| Failure::io("remove", leftover, &error))?;
        }
        Ok(())
    }

    /// Builds the folder's successor, unless the folder is as it should be.
    pub(super) fn stage(
        &self,
        files: &[(&str, &[u8])],
        changes: &mut Changes,
    ) -> Result<Staged<'_>, Failure> {
        let plan = self.plan(files, changes)?;
        let mut staged = Staged { place: self, is_pending: false };
        if plan.is_empty() {
            return Ok(staged);
        }
        staged.is_pending = true;
        tree::copy(&self.out, &self.staging, &plan.gone)
            .and_then(|()| tree::add(&self.staging, &plan.written))
            .map_err(|error| Failure::io("write", &self.out, &error))?;
        Ok(staged)
    }

    fn plan<'a>(&self, files: &[(&'a str, &'a [u8])], changes: &mut Changes) -> Result<Plan<'a>, Failure> {
        let mut plan = Plan::default();
        let mut stale = owned(&self.out)?;
        for (path, contents) in files {
            let place = self.out.join(path);
            stale.remove(*path);
            match fs::read(&place) {
                Ok(found) if found == *contents => {
                    changes.unchanged += 1;
                    continue;
                }
                Ok(_) => changes.note(CHANGED, place),
                Err(error) if error.kind() == io::ErrorKind::NotFound => changes.note(CREATED, place),
                Err(error) => return Err(Failure::io("read", &place, &error)),
            }
            plan.gone.insert(PathBuf::from(path));
            plan.written.insert(path, contents);
        }
        for path in stale {
            if fs::symlink_metadata(self.out.join(&path)).is_ok() {
                changes.note(REMOVED, self.out.join(&path));
                plan.gone.insert(PathBuf::from(path));
            }
        }
        Ok(plan)
    }

    /// Puts the successor in the folder's place: in one step where the file system can.
    fn exchange(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.out).is_err() {
            return fs::rename(&self.staging, &self.out);
        }
        match renameat_with(CWD, &self.staging, CWD, &self.out, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.exchange_in_two_steps(),
            done => done.map_err(io::Error::from),
        }
    }

    /// Between the two the folder is missing; `recover` gives it back.
    fn exchange_in_two_steps(&self) -> io::Result<()> {
        fs::rename(&self.out, &self.old)?;
        fs::rename(&self.staging, &self.out)
    }
}

/// What has to be done to a folder.
#[derive(Default)]
struct Plan<'a> {
    gone: BTreeSet<PathBuf>,
    written: BTreeMap<&'a str, &'a [u8]>,
}

impl Plan<'_> {
    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.written.is_empty()
    }
}

/// A folder's successor, complete and on the disk, not yet in its place.
pub(super) struct Staged<'a> {
    place: &'a Place,
    is_pending: bool,
}

impl Staged<'_> {
    /// Puts it in its place.
    pub(super) fn commit(self) -> Result<(), Failure> {
        if !self.is_pending {
            return Ok(());
        }
        self.place
            .exchange()
            .and_then(|()| File::open(&self.place.parent)?.sync_all())
            .map_err(|error| Failure::io("replace", &self.place.out, &error))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.is_pending {
            // After the exchange this is the old tree. What stays is removed by the next run.
            let _left = tree::remove(&self.place.staging).and_then(|()| tree::remove(&self.place.old));
        }
    }
}

fn refuse_other_kinds(out: &Path) -> Result<(), Failure> {
    let refuse =
        |what: &str, fix: &str| Err(Failure::failed(format!("--out {} is {what}", out.display()), fix));
    match fs::symlink_metadata(out) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(metadata) if metadata.is_symlink() => {
            refuse("a symbolic link, which exchanging would replace", "name the folder that it leads to")
        }
        Ok(_) => refuse("a file, not a folder", "move it away, or name another folder"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => refuse(&format!("out of reach: {}", reason(&error)), "name another folder with --out"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        let place = Place::of(&folder.join("out")).ok().unwrap();
        for (each, text) in [(&place.out, "old"), (&place.staging, "new")] {
            fs::create_dir(each).unwrap();
            fs::write(each.join("file"), text).unwrap();
        }
        place
    }

    #[test]
    fn either_way_of_exchanging_puts_the_new_tree_in_place() {
        for exchange in [Place::exchange, Place::exchange_in_two_steps] {
            let folder = tempfile::tempdir().unwrap();
            let place = place(folder.path());
            exchange(&place).unwrap();
            place.recover().ok().unwrap();
            assert_eq!(fs::read_to_string(place.out.join("file")).unwrap(), "new");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_tree_that_was_moved_away_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        fs::rename(&place.out, &place.old).unwrap();
        place.recover().ok().unwrap();
        assert_eq!(fs::read_to_string(place.out.join("file")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

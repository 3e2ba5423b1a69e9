//! Where single files are unpacked: in a folder of their own, from which they move to their places.
//!
//! The archive comes from an archiver, which may be hostile, and the folder that it goes to may lie among those of
//! other users. Everything here is reached by file descriptors: a folder that is exchanged for a link meanwhile
//! leads nowhere else.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, statat};
use rustix::io::Errno;

use crate::folder::foreign;
use crate::restore::refusal::Refusal;

/// What others must not be allowed in the folder that files go to.
const WRITING: u32 = 0o022;

/// Set-user-ID and set-group-ID: who runs such a file gets the rights of its owner.
const SET_ID: u32 = 0o6000;

/// A folder, opened and not a link.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What keeps files from getting to their places.
#[derive(Debug)]
pub enum Trouble {
    /// Something that the user can choose differently.
    Refused(Refusal),
    /// Something else.
    Failed(String),
}

/// An empty folder within the one that files go to. It goes with this value.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
    into: OwnedFd,
    name: String,
    root: OwnedFd,
}

/// Refuses a folder that another user controls; one that is not there yet is made for this user alone.
///
/// # Errors
/// [`Refusal::IntoNotOurs`].
pub fn check(into: &Path) -> Result<(), Refusal> {
    // A slash at the end would follow a link.
    let path: PathBuf = into.components().collect();
    let reason = path.symlink_metadata().ok().and_then(|found| foreign(&found, WRITING));
    reason.map_or(Ok(()), |reason| Err(Refusal::IntoNotOurs { path, reason }))
}

impl Stage {
    /// Makes it.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn within(into: &Path) -> Result<Self, Trouble> {
        let path: PathBuf = into.components().collect();
        let failed = |error: io::Error| Trouble::Failed(format!("cannot use {}: {error}", path.display()));
        create(&path).map_err(failed)?;
        check(&path).map_err(Trouble::Refused)?;
        let into = open(rustix::fs::CWD, path.as_os_str()).map_err(failed)?;
        // It may have been exchanged between the two.
        let into = File::from(into);
        if let Some(reason) = foreign(&into.metadata().map_err(failed)?, WRITING) {
            return Err(Trouble::Refused(Refusal::IntoNotOurs { path, reason }));
        }
        let into = OwnedFd::from(into);
        let name = format!(".dormouse-{:08x}", rand::random::<u32>());
        // The outer folder stays closed to others, whatever mode the archive gives to the inner one.
        let root = make(into.as_fd(), name.as_ref()).and_then(|outer| make(outer.as_fd(), "files".as_ref()));
        let root = root.map_err(failed)?;
        Ok(Self { path, into, name, root })
    }

    /// The folder to unpack into, for a program that this process starts.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.root.as_raw_fd())
    }

    /// Moves what was unpacked to these paths, which do not exist yet.
    ///
    /// # Errors
    /// [`Trouble`]; what was moved before stays.
    pub fn settle(&self, paths: &[String]) -> Result<(), Trouble> {
        clean(Path::new(&self.folder())).map_err(|error| Trouble::Failed(error.to_string()))?;
        self.places(paths)?.iter().try_for_each(|place| self.settle_one(place))
    }

    /// The paths without `.` in them; for the whole dataset, each of its parts.
    fn places(&self, paths: &[String]) -> Result<Vec<PathBuf>, Trouble> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| plain(path)).collect();
        if paths.iter().any(|path| path.as_os_str().is_empty()) {
            let listed = fs::read_dir(self.folder()).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let parts = listed.map_err(|error| Trouble::Failed(error.to_string()))?;
            return Ok(parts.iter().map(|part| part.file_name().into()).collect());
        }
        Ok(paths)
    }

    fn settle_one(&self, place: &Path) -> Result<(), Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("cannot write {}: {error}", place.display()));
        let Some(name) = place.file_name() else { return Ok(()) };
        let above = place.parent().unwrap_or(Path::new(""));
        let from = descend(&self.root, above, open).map_err(failed)?;
        let to = descend(&self.into, above, |folder, name| match make(folder, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(folder, name),
            result => result,
        });
        let to = to.map_err(failed)?;
        match statat(&to, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => renameat(&from, name, &to, name).map_err(|error| failed(error.into())),
            Err(error) => Err(failed(error.into())),
            Ok(_) => Err(Trouble::Refused(Refusal::FileExists { path: self.path.join(place) })),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let folder = format!("/proc/self/fd/{}", self.into.as_raw_fd());
        // What cannot be removed is named as ours, and closed to others.
        let _ = fs::remove_dir_all(Path::new(&folder).join(&self.name));
    }
}

/// The path without `.` in it.
fn plain(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Makes the folder that files go to, if it is not there, for this user alone.
fn create(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn make(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    mkdirat(folder, name, Mode::RWXU)?;
    open(folder, name)
}

fn open(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(openat(folder, name, FOLDER, Mode::empty())?)
}

/// Goes down a path, folder by folder.
fn descend(
    from: &OwnedFd,
    path: &Path,
    step: impl Fn(BorrowedFd<'_>, &OsStr) -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    path.iter().try_fold(from.try_clone()?, |folder, name| step(folder.as_fd(), name))
}

/// Takes set-user-ID and set-group-ID from everything below a folder that others cannot enter.
fn clean(root: &Path) -> io::Result<()> {
    let mut left = vec![root.join(".")];
    while let Some(path) = left.pop() {
        let found = path.symlink_metadata()?;
        let (kind, mode) = (found.file_type(), found.permissions().mode());
        if kind.is_block_device() || kind.is_char_device() {
            let name = path.strip_prefix(root).unwrap_or(&path);
            return Err(io::Error::other(format!("{} is a device", name.display())));
        }
        if !kind.is_symlink() && mode & SET_ID != 0 {
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777 & !SET_ID))?;
        }
        if kind.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(())
}

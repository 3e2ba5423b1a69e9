//! Folders as wholes: copied by hard links, added to, removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::cli::write::disk;

/// Makes `to` a twin of `from` without the files in `gone`; an empty folder where there is none.
pub(super) fn copy(from: &Path, to: &Path, gone: &BTreeSet<PathBuf>) -> io::Result<()> {
    if fs::symlink_metadata(from).is_err() {
        return DirBuilder::new().create(to);
    }
    copy_folder(from, to, Path::new(""), gone)
}

fn copy_folder(from: &Path, to: &Path, below: &Path, gone: &BTreeSet<PathBuf>) -> io::Result<()> {
    let folder = to.join(below);
    fs::create_dir(&folder)?;
    let mut kept = 0;
    let mut left_out = 0;
    for entry in fs::read_dir(from.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if gone.contains(&path) {
            left_out += 1;
            continue;
        }
        let kind = entry.file_type()?;
        let target = to.join(&path);
        if kind.is_dir() {
            copy_folder(from, to, &path, gone)?;
            kept += usize::from(target.exists());
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
            kept += 1;
        } else if kind.is_file() {
            link_or_copy(&entry.path(), &target)?;
            kept += 1;
        } else {
            let what = format!("{} is neither a file nor a folder", entry.path().display());
            return Err(io::Error::other(what));
        }
    }
    if kept == 0 && left_out > 0 && !below.as_os_str().is_empty() {
        return fs::remove_dir(&folder);
    }
    let permissions: Permissions = fs::metadata(from.join(below))?.permissions();
    fs::set_permissions(&folder, permissions)
}

/// Some file systems know no hard links, or too few of them.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

/// Writes these files into a folder, and the folder to the disk.
pub(super) fn add(folder: &Path, files: &BTreeMap<&str, &[u8]>) -> io::Result<()> {
    let mut written = Vec::new();
    for (path, contents) in files {
        let place = folder.join(path);
        if let Some(parent) = place.parent() {
            DirBuilder::new().recursive(true).create(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(&place)?.write_all(contents)?;
        written.push(place);
    }
    folders(folder, &mut written)?;
    disk::flush(folder, &written)
}

/// Adds a folder and all folders in it.
fn folders(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders(&entry.path(), found)?;
        }
    }
    found.push(folder.to_path_buf());
    Ok(())
}

/// Removes a folder with everything in it, if it is there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

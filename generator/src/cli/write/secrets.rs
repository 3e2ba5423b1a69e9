//! The secrets folder: 0700 folders, 0600 files from the moment they exist.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{CHANGED, CREATED, Changes, REMOVED, disk};
use crate::cli::failure::Failure;
use crate::cli::seed_file::private_folder;

/// What is written for hosts and archivers: the folder, their purpose in a key's comment, the file with that comment,
/// and all files.
const OURS: [(&str, &str, &str, &[&str]); 2] = [
    ("hosts", "host", "id_ed25519.pub", &["id_ed25519", "record_key", "id_ed25519.pub"]),
    (
        "archivers",
        "archiver",
        "ssh_host_ed25519_key.pub",
        &["ssh_host_ed25519_key", "user-data", "ssh_host_ed25519_key.pub"],
    ),
];

/// Where new files wait inside the secrets folder until all of them are there.
const STAGING: &str = ".staging";

/// New files, complete and on the disk, not yet in their places.
pub(super) struct Staged<'a> {
    folder: &'a Path,
    /// Their places below the folder, and where they wait.
    files: Vec<(&'a str, PathBuf)>,
}

/// Makes the folder, or refuses one that others can look into.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    private_folder(folder).map_err(|error| Failure::io("make the secrets folder", folder, &error))?;
    let metadata =
        fs::metadata(folder).map_err(|error| Failure::io("look at the secrets folder", folder, &error))?;
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let mode = metadata.mode() & 0o7777;
    let text = format!("the secrets folder {} is open to others (mode {mode:04o})", folder.display());
    Err(Failure::refused(text, format!("chmod 700 {}", folder.display())))
}

/// Writes what differs from the folder beside it.
pub(super) fn stage<'a>(
    folder: &'a Path,
    files: &[(&'a str, &[u8])],
    changes: &mut Changes,
) -> Result<Staged<'a>, Failure> {
    let staging = folder.join(STAGING);
    clear(&staging).map_err(|error| Failure::io("remove", &staging, &error))?;
    let mut staged = Staged { folder, files: Vec::new() };
    for (path, contents) in files {
        let place = folder.join(path);
        match is_current(&place, contents) {
            Some(true) => {
                changes.unchanged += 1;
                continue;
            }
            Some(false) => changes.note(CHANGED, place.clone()),
            None => changes.note(CREATED, place.clone()),
        }
        let parent = place.parent().unwrap_or(folder);
        private_folders(folder, parent).map_err(|error| Failure::io("make the folder", parent, &error))?;
        // By number, so that no folders have to be made just for this.
        let waiting = staging.join(staged.files.len().to_string());
        write(&waiting, contents).map_err(|error| Failure::io("write", &place, &error))?;
        staged.files.push((path, waiting));
    }
    let written: Vec<PathBuf> = staged.files.iter().map(|(_, waiting)| waiting.clone()).collect();
    disk::flush(folder, &written).map_err(|error| Failure::io("write", folder, &error))?;
    Ok(staged)
}

impl Staged<'_> {
    /// Puts the files in their places, each in one step.
    pub(super) fn commit(&self) -> Result<(), Failure> {
        let mut folders = BTreeSet::new();
        for (path, waiting) in &self.files {
            let place = self.folder.join(path);
            let parent = place.parent().unwrap_or(self.folder).to_path_buf();
            fs::rename(waiting, &place).map_err(|error| Failure::io("write", &place, &error))?;
            folders.extend(
                parent.ancestors().take_while(|each| each.starts_with(self.folder)).map(Path::to_path_buf),
            );
        }
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        disk::flush(self.folder, &folders).map_err(|error| Failure::io("write", self.folder, &error))
    }
}

/// Removes the keys of hosts and archivers that the spec no longer has. They are told by the comment of their
/// public halves, so that nothing of another system's goes, and nothing that we did not write.
pub(super) fn remove_obsolete(
    folder: &Path,
    files: &[(&str, &[u8])],
    spec_name: &str,
    changes: &mut Changes,
) -> Result<(), Failure> {
    let wanted: BTreeSet<PathBuf> = files.iter().map(|(path, _)| folder.join(path)).collect();
    for (section, kind, public, ours) in OURS {
        let Ok(entries) = fs::read_dir(folder.join(section)) else { continue };
        for entry in entries.flatten() {
            let (place, name) = (entry.path(), entry.file_name());
            let comment = format!(" dormouse:{spec_name}:{kind}:{}:", name.to_string_lossy());
            let is_ours = fs::read_to_string(place.join(public)).is_ok_and(|line| line.contains(&comment));
            // A link leads to what is not ours.
            if !is_ours || !entry.file_type().is_ok_and(|found| found.is_dir()) {
                continue;
            }
            // The public half goes last: it tells whose the others are.
            for file in ours.iter().map(|file| place.join(file)).filter(|file| !wanted.contains(file)) {
                match fs::remove_file(&file) {
                    Ok(()) => changes.note(REMOVED, file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Failure::io("remove", &file, &error)),
                }
            }
            // Only if nothing else is in it.
            let _left = fs::remove_dir(&place);
        }
    }
    Ok(())
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // What stays is removed by the next run.
        let _left = clear(&self.folder.join(STAGING));
    }
}

/// Whether the file is this already and nobody else's to read; none when there is no file.
fn is_current(place: &Path, contents: &[u8]) -> Option<bool> {
    let metadata = fs::symlink_metadata(place).ok()?;
    let is_private = metadata.is_file() && metadata.mode() & 0o177 == 0;
    Some(is_private && fs::read(place).map(Zeroizing::new).is_ok_and(|found| found.as_slice() == contents))
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)
}

/// Makes the folders from `root` down to `leaf`, and closes those that are open to others.
fn private_folders(root: &Path, leaf: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(leaf)?;
    let within: Vec<PathBuf> =
        leaf.ancestors().take_while(|folder| *folder != root).map(Path::to_path_buf).collect();
    for folder in within {
        if fs::symlink_metadata(&folder)?.mode() & 0o077 != 0 {
            fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        }
    }
    Ok(())
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

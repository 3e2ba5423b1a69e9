//! Getting files and folders to the disk before something relies on them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// From so many on, the whole file system is flushed once: each flush waits for the disk.
const MANY: usize = 64;

/// Waits until these files and folders, which are on the file system of `folder`, are on the disk.
pub(super) fn flush(folder: &Path, paths: &[PathBuf]) -> io::Result<()> {
    if paths.len() < MANY {
        return paths.iter().try_for_each(|path| File::open(path)?.sync_all());
    }
    rustix::fs::syncfs(File::open(folder)?).map_err(io::Error::from)
}

//! One run at a time for a folder.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::cli::failure::Failure;

/// Waits until no other run works on this folder; the lock goes with the process.
pub(super) fn folder(path: &Path) -> Result<File, Failure> {
    let folder = File::open(path).map_err(|error| Failure::io("open the folder", path, &error))?;
    flock(&folder, FlockOperation::LockExclusive)
        .map_err(|error| Failure::io("lock the folder", path, &error.into()))?;
    Ok(folder)
}

//! One run at a time of each replication.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// An exclusive lock on a file, gone with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a replication, at once or not at all.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::RuntimeDir`] when it cannot be made.
    pub fn take(folder: &Path, spec: &str, replication: &str) -> Result<Self, Error> {
        let path = folder.join(format!("{spec}.{replication}.lock"));
        let failed = |source| Error::RuntimeDir { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| write!(file, "pid {}", std::process::id())).map_err(failed)?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(Error::Locked { replication: replication.to_owned(), holder: holder(&mut file) })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    if read.is_ok() && !text.is_empty() { text } else { "another process".to_owned() }
}

/// The run-time folder: systemd's `RuntimeDirectory=`, `/run/dormouse` for root,
/// else `$XDG_RUNTIME_DIR/dormouse`, else a folder of this user's in the temporary folder.
///
/// # Errors
/// [`Error::RuntimeDir`] when it cannot be made.
pub fn folder() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid();
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = variable("RUNTIME_DIRECTORY")
        .or_else(|| user.is_root().then(|| PathBuf::from("/run/dormouse")))
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|folder| folder.join("dormouse")))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("dormouse-{}", user.as_raw())));
    match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::RuntimeDir { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_hears_who_has_it_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), "home", "safe").unwrap();
        let second = Lock::take(folder.path(), "home", "safe").unwrap_err();
        assert!(second.to_string().contains(&format!("pid {}", std::process::id())), "{second}");
        assert!(Lock::take(folder.path(), "home", "other").is_ok());
        drop(first);
        assert!(Lock::take(folder.path(), "home", "safe").is_ok());
    }
}

//! Locks between the processes of a host.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::error::Error;

/// How often a lock that is waited for is tried.
const RETRY: Duration = Duration::from_millis(200);

/// An exclusive lock on a file, gone with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes a lock of a spec, at once or not at all.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Folder`] when it cannot be made.
    pub fn take(folder: &Path, spec: &str, name: &str) -> Result<Self, Error> {
        let path = folder.join(format!("{spec}.{name}.lock"));
        let failed = |source| Error::Folder { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // A link would make this process truncate what it leads to. (The standard library adds O_CLOEXEC.)
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| write!(file, "pid {}", std::process::id())).map_err(failed)?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(Error::Locked { name: name.to_owned(), holder: holder(&mut file) })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Takes a lock of a spec as soon as it is free.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub async fn wait(folder: &Path, spec: &str, name: &str) -> Result<Self, Error> {
        loop {
            match Self::take(folder, spec, name) {
                Err(Error::Locked { .. }) => tokio::time::sleep(RETRY).await,
                result => return result,
            }
        }
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    if read.is_ok() && !text.is_empty() { text } else { "another process".to_owned() }
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

    #[test]
    fn a_link_in_the_place_of_a_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("precious");
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("home.safe.lock")).unwrap();
        assert!(matches!(Lock::take(folder.path(), "home", "safe"), Err(Error::Folder { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    }

    #[test]
    fn programs_that_are_started_do_not_inherit_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path(), "home", "safe").unwrap();
        let flags = rustix::io::fcntl_getfd(&lock._file).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

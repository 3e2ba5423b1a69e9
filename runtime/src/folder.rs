//! Folders that live on between runs, or until the next boot.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The run-time folder: systemd's `RuntimeDirectory=`, `/run/dormouse` for root,
/// else `$XDG_RUNTIME_DIR/dormouse`, else a folder of this user's in the temporary folder.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made.
pub fn runtime() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid();
    let path = variable("RUNTIME_DIRECTORY")
        .or_else(|| user.is_root().then(|| PathBuf::from("/run/dormouse")))
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|folder| folder.join("dormouse")));
    make(path.unwrap_or_else(|| std::env::temp_dir().join(format!("dormouse-{}", user.as_raw()))))
}

/// The folder of state that must outlive a crash: systemd's `StateDirectory=`,
/// `/var/lib/dormouse` for root, else `$XDG_STATE_HOME/dormouse`.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made.
pub fn state() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid();
    let path = variable("STATE_DIRECTORY")
        .or_else(|| user.is_root().then(|| PathBuf::from("/var/lib/dormouse")))
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("dormouse")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state/dormouse")));
    make(path.unwrap_or_else(|| std::env::temp_dir().join(format!("dormouse-{}", user.as_raw()))))
}

/// The folder of state of the service that the modules and units of this repository set up, which
/// has a user of its own (`StateDirectory=dormouse/service`); for those who look at what it did.
#[must_use]
pub fn service_state() -> PathBuf {
    PathBuf::from("/var/lib/dormouse/service")
}

/// A folder for this process' ssh sockets. Those of processes that were killed are removed.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made.
pub fn sockets() -> Result<PathBuf, Error> {
    let folder = runtime()?.join("ssh");
    let own = make(folder.join(std::process::id().to_string()))?;
    let others = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    for other in others.filter(|other| !Path::new("/proc").join(other.file_name()).exists()) {
        // Somebody else may be removing it at this moment.
        let _ = std::fs::remove_dir_all(other.path());
    }
    Ok(own)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Makes a folder that is its owner's alone.
///
/// # Errors
/// [`Error::Folder`].
pub fn make(path: PathBuf) -> Result<PathBuf, Error> {
    match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Folder { path, source }),
    }
}

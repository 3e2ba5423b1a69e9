//! Folders that live on between runs, or until the next boot.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The run-time folder: systemd's `RuntimeDirectory=`, `/run/dormouse` for root,
/// else `$XDG_RUNTIME_DIR/dormouse`, else a folder of this user's in the temporary folder.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made.
pub fn runtime() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid();
    let path = variable("RUNTIME_DIRECTORY");
    if path.is_none() && user.is_root() {
        return make_shared(PathBuf::from("/run/dormouse"));
    }
    let path = path.or_else(|| variable("XDG_RUNTIME_DIR").map(|folder| folder.join("dormouse")));
    make(path.unwrap_or_else(|| std::env::temp_dir().join(format!("dormouse-{}", user.as_raw()))))
}

/// The folder of state that must outlive a crash: systemd's `StateDirectory=`,
/// `/var/lib/dormouse` for root, else `$XDG_STATE_HOME/dormouse`.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made.
pub fn state() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid();
    let path = variable("STATE_DIRECTORY");
    if path.is_none() && user.is_root() {
        return make_shared(PathBuf::from("/var/lib/dormouse"));
    }
    let path = path
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
    let others = fs::read_dir(&folder).into_iter().flatten().flatten();
    for other in others.filter(|other| !Path::new("/proc").join(other.file_name()).exists()) {
        // Somebody else may be removing it at this moment.
        let _ = fs::remove_dir_all(other.path());
    }
    Ok(own)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Makes a folder that others may enter, with the mode that systemd gives it when it comes first: the
/// service of another user has a folder in it (`StateDirectory=dormouse/service`).
fn make_shared(path: PathBuf) -> Result<PathBuf, Error> {
    let made = match path.is_dir() {
        true => Ok(()),
        // The umask must not decide it.
        false => {
            fs::create_dir_all(&path).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
        }
    };
    match made {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Folder { path, source }),
    }
}

/// Makes a folder that is its owner's alone.
///
/// # Errors
/// [`Error::Folder`].
pub fn make(path: PathBuf) -> Result<PathBuf, Error> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Folder { path, source }),
    }
}

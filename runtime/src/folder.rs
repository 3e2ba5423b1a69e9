//! Folders that live on between runs, or until the next boot.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What others must not be allowed in a folder: to write, or in a place that all users share, anything.
const WRITING: u32 = 0o022;
const ANYTHING: u32 = 0o077;

/// The run-time folder: systemd's `RuntimeDirectory=`, `/run/dormouse` for root,
/// else `$XDG_RUNTIME_DIR/dormouse`, else a folder of this user's in the temporary folder.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made, [`Error::NotOurs`] when others control it.
pub fn runtime() -> Result<PathBuf, Error> {
    let user = rustix::process::geteuid();
    let path = variable("RUNTIME_DIRECTORY");
    if path.is_none() && user.is_root() {
        return make_shared(PathBuf::from("/run/dormouse"));
    }
    match path.or_else(|| variable("XDG_RUNTIME_DIR").map(|folder| folder.join("dormouse"))) {
        Some(path) => make(path),
        None => make_among_others(std::env::temp_dir().join(format!("dormouse-{}", user.as_raw()))),
    }
}

/// The folder of state that must outlive a crash: systemd's `StateDirectory=`,
/// `/var/lib/dormouse` for root, else `$XDG_STATE_HOME/dormouse`. The temporary folder is not a place for it: other
/// users write there, and a boot empties it.
///
/// # Errors
/// [`Error::Folder`] when it cannot be made, [`Error::NotOurs`] when others control it, [`Error::NoState`] when this
/// user has no place for it.
pub fn state() -> Result<PathBuf, Error> {
    let path = variable("STATE_DIRECTORY");
    if path.is_none() && rustix::process::geteuid().is_root() {
        return make_shared(PathBuf::from("/var/lib/dormouse"));
    }
    make(path.or_else(|| state_of(variable("XDG_STATE_HOME"), std::env::home_dir())).ok_or(Error::NoState)?)
}

/// Where a user's state is, by `$XDG_STATE_HOME` and the home folder.
fn state_of(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = home.filter(|home| home.is_absolute()).map(|home| home.join(".local/state"));
    state.or(home).map(|state| state.join("dormouse"))
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
    made.map_err(|source| Error::Folder { path: path.clone(), source })?;
    let found = fs::metadata(&path);
    check(path, WRITING, found)
}

/// Makes a folder that is its owner's alone; takes one that is there if it is this user's and others cannot write
/// to it.
///
/// # Errors
/// [`Error::Folder`], or [`Error::NotOurs`].
pub fn make(path: PathBuf) -> Result<PathBuf, Error> {
    let found = create(&path).and_then(|()| fs::metadata(&path));
    check(path, WRITING, found)
}

/// The same where all users make folders, so that another user may have been first.
fn make_among_others(path: PathBuf) -> Result<PathBuf, Error> {
    let found = create(&path).and_then(|()| path.symlink_metadata());
    check(path, ANYTHING, found)
}

fn create(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Decides by what is there after it was made.
fn check(path: PathBuf, forbidden: u32, found: io::Result<Metadata>) -> Result<PathBuf, Error> {
    match found.map(|found| foreign(&found, forbidden)) {
        Ok(None) => Ok(path),
        Ok(Some(reason)) => Err(Error::NotOurs { path, reason }),
        Err(source) => Err(Error::Folder { path, source }),
    }
}

/// Why a folder is not this user's alone; `forbidden` are the bits of its mode that must not be set.
#[must_use]
pub fn foreign(found: &Metadata, forbidden: u32) -> Option<String> {
    let (user, mode) = (rustix::process::geteuid().as_raw(), found.mode() & 0o7777);
    if found.is_symlink() {
        Some("it is a symbolic link".to_owned())
    } else if !found.is_dir() {
        Some("it is not a folder".to_owned())
    } else if found.uid() != user {
        Some(format!("it belongs to user {}, and this is user {user}", found.uid()))
    } else if mode & forbidden != 0 {
        Some(format!("its mode is {mode:o}: others may use it"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn another_users_folder_a_link_and_an_open_folder_are_refused_in_a_shared_place() {
        let shared = tempfile::tempdir().unwrap();
        let place = |name: &str| shared.path().join(name);
        let made = make_among_others(place("new")).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
        assert!(make_among_others(made.clone()).is_ok());
        symlink(&made, place("link")).unwrap();
        fs::create_dir(place("open")).unwrap();
        fs::set_permissions(place("open"), Permissions::from_mode(0o755)).unwrap();
        for (name, reason) in [("link", "symbolic link"), ("open", "mode is 755")] {
            let refused = make_among_others(place(name)).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(make(place("open")).is_ok(), "others may look into a folder of systemd's");
        fs::set_permissions(place("open"), Permissions::from_mode(0o777)).unwrap();
        assert!(make(place("open")).is_err());
        // The root folder is another user's, or all may look into it.
        assert!(make_among_others("/".into()).is_err());
        std::fs::write(place("file"), "").unwrap();
        assert!(make_among_others(place("file")).is_err());
    }

    #[test]
    fn state_is_never_kept_in_a_shared_place() {
        let dir = |path: &str| Some(PathBuf::from(path));
        assert_eq!(state_of(dir("/s"), dir("/home/me")), dir("/s/dormouse"));
        assert_eq!(state_of(None, dir("/home/me")), dir("/home/me/.local/state/dormouse"));
        assert_eq!(state_of(None, dir("")), None);
        assert_eq!(state_of(None, None), None);
    }
}

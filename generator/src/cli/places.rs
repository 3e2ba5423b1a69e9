//! Where the seed and the secrets are when nobody says.

use std::env;
use std::path::{Component, Path, PathBuf, absolute};

use super::failure::Failure;

/// The seed of the spec of this name.
pub(super) fn seed(spec_name: &str) -> Result<PathBuf, Failure> {
    Ok(state()?.join(spec_name).join("seed"))
}

/// The secrets folder of the spec of this name.
pub(super) fn secrets(spec_name: &str) -> Result<PathBuf, Failure> {
    Ok(state()?.join(spec_name).join("secrets"))
}

/// `$XDG_STATE_HOME/dormouse`; a relative one counts as none (XDG Base Directory Specification).
fn state() -> Result<PathBuf, Failure> {
    let xdg = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = xdg.or_else(|| home().map(|home| home.join(".local/state")));
    folder.map(|folder| folder.join("dormouse")).ok_or_else(|| {
        Failure::refused("neither XDG_STATE_HOME nor HOME is set", "name the files with --seed and --secrets")
    })
}

/// The user's home folder.
fn home() -> Option<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// A folder as a host's spec names it, for this user.
pub(super) fn expand(folder: &str) -> PathBuf {
    match (folder.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(folder),
    }
}

/// The path with its links followed as far as it exists. What does not exist yet must not go
/// through `..`, for nobody knows where that will lead.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    let whole = absolute(path).map_err(|error| Failure::io("find", path, &error))?;
    for existing in whole.ancestors() {
        let Ok(found) = existing.canonicalize() else { continue };
        let rest = whole.strip_prefix(existing).unwrap_or(Path::new(""));
        if rest.components().any(|part| part == Component::ParentDir) {
            break;
        }
        return Ok(if rest.as_os_str().is_empty() { found } else { found.join(rest) });
    }
    Err(Failure::refused(format!("{} leads nowhere", path.display()), "name it without `..`"))
}

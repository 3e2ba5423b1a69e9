//! Where a dataset that comes back may be mounted without a question: the archiver says where.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Directories whose contents control the system: a dataset mounted there takes it over. `/` is one only by itself.
const SYSTEM: &[&str] = &[
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/root", "/run",
    "/sbin", "/sys", "/usr", "/var/lib",
];

/// Why a mount point needs a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It is outside the mount point of the dataset above.
    #[error("it is outside the mount point of the dataset above")]
    Outside,
    /// It is a system directory, or below one.
    #[error("it is a system directory, or below one")]
    System,
    /// Something is there.
    #[error("the directory is not empty")]
    Full,
    /// It leads elsewhere, by a symbolic link or `..`.
    #[error("a symbolic link leads elsewhere")]
    Elsewhere,
}

/// Whether a value mounts a dataset by itself; `none` and `legacy` do not.
#[must_use]
pub fn is_path(value: &str) -> bool {
    !matches!(value, "none" | "legacy")
}

/// Why a mount point needs a confirmation, if it does. `above` is that of the dataset above, if it has one.
#[must_use]
pub fn doubt(value: &str, above: Option<&str>) -> Option<Doubt> {
    let path = Path::new(value);
    if path.components().any(|part| matches!(part, Component::ParentDir | Component::CurDir)) {
        return Some(Doubt::Elsewhere);
    }
    if path == Path::new("/") || SYSTEM.iter().any(|system| path.starts_with(system)) {
        return Some(Doubt::System);
    }
    if !above.is_some_and(|above| path.starts_with(above) && path != Path::new(above)) {
        return Some(Doubt::Outside);
    }
    None
}

/// The same by what is there now.
#[must_use]
pub fn doubt_here(value: &str) -> Option<Doubt> {
    let path = Path::new(value);
    match real(path) {
        Ok(real) if real == path => {}
        Ok(_) | Err(_) => return Some(Doubt::Elsewhere),
    }
    match std::fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Ok(false) | Err(_) => Some(Doubt::Full),
    }
}

/// The path with what exists of it resolved.
fn real(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            // A dangling link is not what it seems either.
            match path.symlink_metadata() {
                Ok(_) => Err(error),
                Err(_) => Ok(real(parent)?.join(name)),
            }
        }
        (result, ..) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_below_that_of_the_dataset_above_is_no_question() {
        assert_eq!(doubt("/tank/safe/a", Some("/tank/safe")), None);
        for (value, above, expected) in [
            ("/srv/a", Some("/tank"), Doubt::Outside),
            ("/srv/a", None, Doubt::Outside),
            ("/tank", Some("/tank"), Doubt::Outside),
            ("/tankard", Some("/tank"), Doubt::Outside),
            ("/", Some("/"), Doubt::System),
            ("/etc", Some("/"), Doubt::System),
            ("/root/.ssh", None, Doubt::System),
            ("/var/lib/x", Some("/var/lib"), Doubt::System),
            ("/lib64", Some("/"), Doubt::System),
            ("/tank/../etc", Some("/tank"), Doubt::Elsewhere),
        ] {
            assert_eq!(doubt(value, above), Some(expected), "{value}");
        }
        assert_eq!(doubt("/library", Some("/")), None);
        assert!(is_path("/a") && !is_path("none") && !is_path("legacy"));
    }

    #[test]
    fn what_is_there_is_seen_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name).to_string_lossy().into_owned();
        std::fs::create_dir(root.join("empty")).unwrap();
        std::fs::create_dir(root.join("full")).unwrap();
        std::fs::write(root.join("full/file"), "x").unwrap();
        for (link, target) in [("link", "empty"), ("dangling", "nothing")] {
            std::os::unix::fs::symlink(root.join(target), root.join(link)).unwrap();
        }
        assert_eq!((doubt_here(&at("empty")), doubt_here(&at("new/below"))), (None, None));
        assert_eq!(doubt_here(&at("full")), Some(Doubt::Full));
        for elsewhere in ["link", "link/below", "dangling", "dangling/below"] {
            assert_eq!(doubt_here(&at(elsewhere)), Some(Doubt::Elsewhere), "{elsewhere}");
        }
    }
}

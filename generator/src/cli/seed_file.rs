//! Reading and making the seed's file: one line of hexadecimal digits, for its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use dormouse_generator::secret::{Secret, Seed};

use super::failure::{Failure, reason};

/// More than any seed file has; the rest of another file is not read.
const LONGEST: usize = 4096;

/// The seed in this file.
pub(super) fn read(path: &Path) -> Result<Seed, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Failure::refused(
            format!("the seed {} is a folder", path.display()),
            "name the file: --seed FILE",
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        let text = format!(
            "the seed {} can be read by others (mode {:04o})",
            path.display(),
            metadata.mode() & 0o7777
        );
        return Err(Failure::refused(text, format!("chmod 600 {}", path.display())));
    }
    // Room for all of it at once: growing would leave parts of it behind in memory.
    let mut text = Vec::with_capacity(LONGEST);
    file.take(LONGEST as u64).read_to_end(&mut text).map_err(|error| unreadable(path, &error))?;
    let text = Secret::new(text);
    Seed::parse(text.expose()).map_err(|reason| {
        let text = format!("{} is no seed: {reason}", path.display());
        Failure::refused(
            text,
            "restore it from your backup; keys that were made with it cannot be made without",
        )
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => {
            "restore it from your backup or name it with --seed FILE; `dormouse-generate init` makes one for a new system"
        }
        _ => "make it readable for you alone, or name another one with --seed FILE",
    };
    Failure::refused(format!("cannot read the seed {}: {}", path.display(), reason(error)), fix)
}

/// Makes a new seed's file; one that exists is never replaced.
pub(super) fn create(path: &Path, seed: &Seed) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        private_folder(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
    }
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(seed.to_line().expose())?;
            file.sync_all()
        });
    written.map_err(|error| Failure::io("make the seed", path, &error))
}

/// Makes a folder for its owner alone, with the folders above it.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

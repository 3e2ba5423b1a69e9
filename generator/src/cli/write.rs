//! All artifacts to their two folders: all or nothing, and only what changed.
//!
//! Everything is staged before anything is replaced, so that a full disk leaves both folders as
//! they were. Then the secrets are renamed into place, then the public folder is exchanged in one
//! step. Whoever is killed in between runs the program again: it starts by removing what an
//! interrupted run left.

mod disk;
mod lock;
mod public;
mod secrets;

use std::path::{Path, PathBuf};

use dormouse_generator::{Artifact, Contents};

use super::failure::Failure;
pub(super) use public::owned;

/// What a run did.
#[derive(Default)]
pub(super) struct Changes {
    entries: Vec<(&'static str, PathBuf)>,
    unchanged: usize,
}

impl Changes {
    /// What happened to each file that was touched.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.entries.iter().map(|(verb, path)| (*verb, path.as_path()))
    }

    /// All of it in one line.
    pub(super) fn summary(&self) -> String {
        let count = |verb: &str| self.entries.iter().filter(|(each, _)| *each == verb).count();
        format!(
            "{} created, {} changed, {} removed, {} unchanged",
            count(CREATED),
            count(CHANGED),
            count(REMOVED),
            self.unchanged
        )
    }

    fn note(&mut self, verb: &'static str, path: PathBuf) {
        self.entries.push((verb, path));
    }
}

const CREATED: &str = "created";
const CHANGED: &str = "changed";
const REMOVED: &str = "removed";

/// Makes both folders hold these artifacts.
pub(super) fn all(
    spec_name: &str,
    artifacts: &[Artifact],
    out: &Path,
    secrets_dir: &Path,
) -> Result<Changes, Failure> {
    let mut public_files = Vec::new();
    let mut secret_files = Vec::new();
    for Artifact { path, contents } in artifacts {
        match contents {
            Contents::Public(text) => public_files.push((path.as_str(), text.as_bytes())),
            Contents::Secret(secret) => secret_files.push((path.as_str(), secret.expose())),
        }
    }
    let place = public::Place::of(out)?;
    secrets::prepare(secrets_dir)?;
    let _one_run_per_out = lock::folder(place.parent())?;
    let _one_run_per_secrets = lock::folder(secrets_dir)?;

    let mut changes = Changes::default();
    place.recover()?;
    let staged_secrets = secrets::stage(secrets_dir, &secret_files, &mut changes)?;
    let staged_public = place.stage(&public_files, &mut changes)?;
    staged_secrets.commit()?;
    staged_public.commit()?;
    secrets::remove_obsolete(secrets_dir, &secret_files, spec_name, &mut changes)?;
    Ok(changes)
}

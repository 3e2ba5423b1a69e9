//! The default: writes all artifacts, and prints what changed.

use std::path::{Path, PathBuf};

use clap::Args;
use dormouse_generator::layout;
use dormouse_generator::parse::Parsed;
use dormouse_generator::problem::Problems;
use dormouse_generator::spec::Spec;
use dormouse_generator::{Artifact, Keyring};

use super::check;
use crate::cli::exposure::refuse_exposed;
use crate::cli::failure::Failure;
use crate::cli::write::{self, Changes};
use crate::cli::{Inputs, complain, places, say, seed_file, spec_file};

/// Files below the secrets folder that git is asked about, one in each of its folders.
const SECRET_FILES: [&str; 3] = [layout::ADMIN_IDENTITY, "archivers/a/user-data", "hosts/h/id_ed25519"];

#[derive(Args)]
#[group(skip)]
pub(in crate::cli) struct Arguments {
    /// Folder for public files; commit it.
    #[arg(long, value_name = "DIR", default_value = layout::DEFAULT_OUT)]
    out: PathBuf,
    /// Folder for secret files [default: $XDG_STATE_HOME/dormouse/<spec name>/secrets].
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// Write nothing; print how --out differs from what the spec says, and exit 1 if it does.
    /// Needs no seed; with --seed, the public keys are checked too.
    #[arg(long)]
    check: bool,
}

impl Arguments {
    /// `--check` before a command would promise to write nothing.
    pub(in crate::cli) fn refuse_check(&self) -> Result<(), Failure> {
        if !self.check {
            return Ok(());
        }
        Err(Failure::refused("--check goes with no command", "leave it out"))
    }

    pub(in crate::cli) fn run(self, inputs: &Inputs) -> Result<(), Failure> {
        let parsed = spec_file::read(&inputs.spec)?;
        if self.check {
            return check::run(parsed, inputs.seed.as_deref(), &self.out);
        }
        let name = &parsed.spec.name.clone();
        let seed = inputs.seed(name)?;
        let secrets = self.secrets.clone().map_or_else(|| places::secrets(name), Ok)?;
        self.refuse_bad_places(&inputs.spec, &seed, &secrets)?;
        let keyring = Keyring::Seed(seed_file::read(&seed)?);
        if let Some(folder) = &self.secrets {
            note_other_secrets_dir(&parsed.spec, folder);
        }
        let artifacts = generate(parsed, &keyring)?;
        let changes = write::all(name, &artifacts, &self.out, &secrets)?;
        report(&changes);
        Ok(())
    }

    /// Secrets in git or in the store, or public files around things that are not generated.
    fn refuse_bad_places(&self, spec: &Path, seed: &Path, secrets: &Path) -> Result<(), Failure> {
        refuse_exposed(seed, spec, "the seed", "--seed", &[])?;
        refuse_exposed(secrets, spec, "the secrets folder", "--secrets", &SECRET_FILES)?;
        let out = places::resolve(&self.out)?;
        let inside = |path: &Path, what: &str| {
            if !places::resolve(path)?.starts_with(&out) {
                return Ok(());
            }
            let text = format!("{what} {} lies inside --out {}", path.display(), self.out.display());
            Err(Failure::refused(text, "name a folder of its own with --out"))
        };
        inside(spec, "the spec")?;
        inside(seed, "the seed")?;
        inside(secrets, "the secrets folder")?;
        inside(Path::new("."), "the working folder")?;
        if out.starts_with(places::resolve(secrets)?) {
            let text = format!("--out {} lies inside the secrets folder", self.out.display());
            return Err(Failure::refused(text, "name another folder with --out"));
        }
        Ok(())
    }
}

/// The artifacts; what only shows in them is drawn in the spec's text.
pub(super) fn generate(parsed: Parsed, keyring: &Keyring) -> Result<Vec<Artifact>, Failure> {
    dormouse_generator::generate(&parsed.spec, keyring)
        .map_err(|problems| Failure::Spec(Problems::new(parsed.source, problems).into()))
}

/// ssh_config looks where the spec says, not where --secrets puts things this time.
fn note_other_secrets_dir(spec: &Spec, folder: &Path) {
    let default = layout::default_secrets_dir(&spec.name);
    let Ok(written) = places::resolve(folder) else { return };
    let expected = spec.hosts.values().map(|host| host.secrets_dir.as_deref().unwrap_or(&default));
    let differs = |expected: &&str| {
        places::resolve(&places::expand(expected)).map_or(true, |expected| expected != written)
    };
    if let Some(expected) = expected.into_iter().find(differs) {
        complain(&format!(
            "note: secrets are written to {}, but the hosts' ssh_config and nixos.nix look for them in {expected}",
            folder.display()
        ));
    }
}

fn report(changes: &Changes) {
    let mut text = String::new();
    for (verb, path) in changes.iter() {
        text.push_str(&format!("{verb} {}\n", path.display()));
    }
    text.push_str(&changes.summary());
    text.push('\n');
    say(&text);
}

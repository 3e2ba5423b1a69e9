//! `rotate`: raises an epoch in the spec's file and leaves everything else in it as it is.

use std::fs;
use std::path::Path;

use clap::Args;
use dormouse_generator::spec::{Provider, Spec};

use crate::cli::failure::Failure;
use crate::cli::{Inputs, say, spec_file};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Name of the archiver or host.
    #[arg(required_unless_present = "admin")]
    name: Option<String>,
    /// The administrator's key, which is root on every EC2 archiver.
    #[arg(long, conflicts_with_all = ["name", "archiver", "host"])]
    admin: bool,
    /// It is an archiver, where a host has the same name.
    #[arg(long, conflicts_with = "host")]
    archiver: bool,
    /// It is a host, where an archiver has the same name.
    #[arg(long)]
    host: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, inputs: &Inputs) -> Result<(), Failure> {
        let parsed = spec_file::read(&inputs.spec)?;
        let (title, epoch) = match &self.name {
            None => ("admin".to_owned(), parsed.spec.admin.epoch),
            Some(name) => {
                let (section, epoch) = self.find(&parsed.spec, name)?;
                (format!("{section}.{name}"), epoch)
            }
        };
        let Some(next) = epoch.checked_add(1) else {
            return Err(Failure::refused("the epoch cannot be raised any further", "choose another name"));
        };
        let edited = match title.split_once('.') {
            Some((section, name)) => parsed.source.with_epoch(section, name, next),
            None => parsed.source.with_admin_epoch(next),
        };
        let text =
            edited.ok_or_else(|| Failure::failed("the spec cannot be edited", "raise the epoch by hand"))?;
        replace(&inputs.spec, &text)?;
        let then = match &self.name {
            None => {
                "now run dormouse-generate, commit, and run `dormouse up` for each EC2 archiver. The old key stays root on \
                 older images, which `dormouse up` removes as its last step\n"
            }
            Some(_) => "now run dormouse-generate, install the new key, and commit\n",
        };
        say(&format!("{title}: epoch {epoch} -> {next}\n{then}"));
        Ok(())
    }

    /// The section that holds the name, and its epoch.
    fn find(&self, spec: &Spec, name: &str) -> Result<(&'static str, u32), Failure> {
        let archiver = spec.archivers.get(name).filter(|_| !self.host);
        let host = spec.hosts.get(name).filter(|_| !self.archiver);
        match (archiver, host) {
            (Some(_), Some(_)) => Err(Failure::refused(
                format!("{name} is both an archiver and a host"),
                "say which: --archiver or --host",
            )),
            (Some(archiver), None) => match &archiver.provider {
                Provider::Static(machine) if machine.host_key.is_some() => Err(Failure::refused(
                    format!("the host key of {name} is its own, given in the spec as host_key"),
                    "change it there, then write the new one to host_key",
                )),
                _ => Ok(("archivers", archiver.epoch)),
            },
            (None, Some(host)) => Ok(("hosts", host.epoch)),
            (None, None) => {
                let known: Vec<&str> =
                    spec.archivers.keys().chain(spec.hosts.keys()).map(String::as_str).collect();
                let text = format!("{name:?} is neither an archiver nor a host of the spec");
                Err(Failure::refused(text, format!("known: {}", known.join(", "))))
            }
        }
    }
}

/// Replaces the spec's file in one step; a link to it stays a link.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io("write", path, error);
    let place = fs::canonicalize(path).map_err(|error| failed(&error))?;
    let folder = place.parent().unwrap_or(Path::new("/"));
    let permissions = fs::metadata(&place).map_err(|error| failed(&error))?.permissions();
    let file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    fs::write(file.path(), text)
        .and_then(|()| file.as_file().set_permissions(permissions))
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    file.persist(&place).map(drop).map_err(|error| failed(&error.error))
}

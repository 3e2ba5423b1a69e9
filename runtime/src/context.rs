//! Where everything is: the spec, this host's part of it, and the folders.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use dormouse_generator::layout;
use dormouse_generator::spec::{Archiver, Host, Replication, Spec};
use indicatif::MultiProgress;
use zeroize::Zeroizing;

use crate::cli::Global;
use crate::error::Error;
use crate::exec::Exec;
use crate::output::out;
use crate::replicate::Run;
use crate::report::clock::Clock;
use crate::zfs::seal::Seal;

/// What every command needs to know.
#[derive(Clone, Debug)]
pub struct Context {
    /// The spec.
    pub spec: Spec,
    /// The spec's path.
    pub spec_path: PathBuf,
    /// This machine's name, which need not be one of the spec's hosts: `up` and `down` may be run
    /// from anywhere.
    pub host_name: String,
    /// The folder of public artifacts.
    pub generated: PathBuf,
    /// The folder of secrets.
    pub secrets: PathBuf,
    /// Where systemd put the secrets of its `LoadCredential=`, unless a folder was named.
    pub credentials: Option<PathBuf>,
    /// The identity, when it does not lie in the folder of secrets.
    pub identity: Option<PathBuf>,
    /// The ssh program.
    pub ssh_program: String,
    /// Whether results are for machines.
    pub json: bool,
    /// Whether somebody watches progress.
    pub shows_progress: bool,
    /// Progress bars of running transfers, on a terminal.
    pub bars: MultiProgress,
    /// Starts processes.
    pub exec: Exec,
    /// How long the phases of a run take.
    pub clock: Clock,
}

impl Context {
    /// Reads the spec.
    ///
    /// # Errors
    /// [`Error::MissingFile`] or [`Error::Spec`].
    pub fn load(global: &Global) -> Result<Self, Error> {
        let path = global.spec.clone();
        let spec = read_spec(&path)?;
        let host_name = global.host.clone().unwrap_or_else(system_name);
        let beside = path.parent().unwrap_or(Path::new("")).join(layout::DEFAULT_OUT);
        let secrets = spec.hosts.get(&host_name).and_then(|host| host.secrets_dir.clone());
        let secrets = secrets.unwrap_or_else(|| layout::default_secrets_dir(&spec.name));
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Ok(Self {
            credentials: credentials.filter(|_| global.secrets.is_none()),
            generated: global.generated.clone().unwrap_or(beside),
            secrets: global.secrets.clone().unwrap_or_else(|| expand_home(&secrets)),
            identity: global.identity.clone(),
            ssh_program: global.ssh.clone(),
            json: global.json,
            shows_progress: !global.json && std::io::stderr().is_terminal(),
            bars: MultiProgress::new(),
            exec: Exec { verbose: global.verbose > 0 },
            clock: Clock::default(),
            spec,
            spec_path: path,
            host_name,
        })
    }

    /// This host's part of the spec.
    ///
    /// # Errors
    /// [`Error::UnknownHost`].
    pub fn host(&self) -> Result<&Host, Error> {
        let known = || self.spec.hosts.keys().cloned().collect();
        let unknown = || Error::UnknownHost {
            host: self.host_name.clone(),
            known: known(),
            spec: self.spec_path.clone(),
        };
        self.spec.hosts.get(&self.host_name).ok_or_else(unknown)
    }

    /// The replications of these names, or all of them when none is named.
    ///
    /// # Errors
    /// [`Error::UnknownHost`] or [`Error::UnknownReplication`], before any of them is run.
    pub fn replications<'a>(&'a self, names: &'a [String]) -> Result<Vec<Run<'a>>, Error> {
        let all = &self.host()?.replications;
        let all = || all.iter().map(|(name, replication)| self.run(name, replication)).collect();
        if names.is_empty() { Ok(all()) } else { names.iter().map(|name| self.replication(name)).collect() }
    }

    fn replication<'a>(&'a self, name: &'a str) -> Result<Run<'a>, Error> {
        let replications = &self.host()?.replications;
        let unknown = || Error::UnknownReplication {
            name: name.to_owned(),
            host: self.host_name.clone(),
            known: replications.keys().cloned().collect(),
        };
        replications.get(name).map(|replication| self.run(name, replication)).ok_or_else(unknown)
    }

    fn run<'a>(&'a self, name: &'a str, replication: &'a Replication) -> Run<'a> {
        Run { context: self, name, replication }
    }

    /// Tells a person how things go; machines get the result only.
    pub fn say(&self, text: &str) {
        if !self.json {
            self.bars.suspend(|| out!("{text}"));
        }
    }

    /// Whether the root of a replication's archiver decides how copies are mounted.
    #[must_use]
    pub fn owns_mounts(&self, replication: &Replication) -> bool {
        self.spec.archivers.get(&replication.archiver).is_some_and(Archiver::owns_mounts)
    }

    /// An archiver of the spec.
    ///
    /// # Errors
    /// [`Error::UnknownArchiver`].
    pub fn archiver(&self, name: &str) -> Result<&Archiver, Error> {
        let known = || self.spec.archivers.keys().cloned().collect();
        let unknown = || Error::UnknownArchiver { name: name.to_owned(), known: known() };
        self.spec.archivers.get(name).ok_or_else(unknown)
    }

    /// This host's private key.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.identity.clone().unwrap_or_else(|| self.secret(&layout::host_identity(&self.host_name)))
    }

    /// What signs this host's records of properties; none without its key, which older secrets lack.
    #[must_use]
    pub fn seal(&self) -> Option<Seal> {
        let text = std::fs::read_to_string(self.secret(&layout::record_key(&self.host_name))).ok()?;
        Seal::read(&Zeroizing::new(text), &self.spec, &self.host_name)
    }

    /// A secret by its path in the folder of secrets: the one that systemd handed over, if it did.
    #[must_use]
    pub fn secret(&self, path: &str) -> PathBuf {
        secret(self.credentials.as_deref(), &self.secrets, path)
    }

    /// The absolute path of a file that can be read.
    ///
    /// # Errors
    /// [`Error::MissingFile`].
    pub fn file(&self, what: &'static str, path: PathBuf) -> Result<PathBuf, Error> {
        let opened = std::fs::File::open(&path).and_then(|_| std::path::absolute(&path));
        opened.map_err(|source| Error::MissingFile { what, path, source })
    }
}

fn read_spec(path: &Path) -> Result<Spec, Error> {
    let missing = |source| Error::NoSpec { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(missing)?.len();
    if size > dormouse_generator::parse::MAX_SPEC_BYTES {
        return Err(Error::Spec(format!("{} is no spec: it has {size} bytes", path.display())));
    }
    let bytes = std::fs::read(path).map_err(missing)?;
    let parsed = Spec::parse(&path.display().to_string(), &bytes);
    parsed.map(|parsed| parsed.spec).map_err(|problems| Error::Spec(problems.to_string()))
}

/// A credential's name holds no slash; systemd puts an underscore for it when it loads a folder
/// (`LoadCredential=` in systemd.exec(5)).
fn secret(credentials: Option<&Path>, secrets: &Path, path: &str) -> PathBuf {
    let handed = credentials.map(|folder| folder.join(path.replace('/', "_")));
    handed.filter(|file| file.exists()).unwrap_or_else(|| secrets.join(path))
}

/// The name that the kernel goes by, up to its first dot.
fn system_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// `~/` is the home folder, as in ssh_config.
fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_systemd_handed_over_is_taken_from_there_and_others_from_their_folder() {
        let credentials = tempfile::tempdir().unwrap();
        let handed = credentials.path().join("hosts_desktop_id_ed25519");
        std::fs::write(&handed, "key").unwrap();
        let found = |path| secret(Some(credentials.path()), Path::new("/secrets"), path);
        assert_eq!(found("hosts/desktop/id_ed25519"), handed);
        assert_eq!(found("archivers/nas/user-data"), Path::new("/secrets/archivers/nas/user-data"));
        assert_eq!(secret(None, Path::new("/secrets"), "a/b"), Path::new("/secrets/a/b"));
    }
}

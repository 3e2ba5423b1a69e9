//! What is done on the archiver, each as one command over ssh.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_generator::name::DatasetName;

use crate::error::Error;
use crate::exec::{self, Exec};
use crate::ssh::{Connection, Endpoint};
use crate::survey::{self, LISTING};
use crate::zfs::conflict::Move;
use crate::zfs::listing::{Datasets, Listing};
use crate::zfs::schedule::Job;
use crate::zfs::stderr::{Meaning, meaning};
use crate::zfs::{Dataset, Guid, Kind, argv};

/// How long a single change may take.
const CHANGE: Duration = Duration::from_secs(600);

/// Most names in one command there. A shell's command line has at most 128 KiB (`MAX_ARG_STRLEN`),
/// and a name at most 255 bytes.
pub const NAMES: usize = 200;

/// The unit of the generated configuration.nix that gives up partial data; its instances are a user and
/// a dataset.
const ABANDON: &str = "--template=dormouse-abandon@.service";

/// An archiver that is connected.
#[derive(Debug)]
pub struct Archiver {
    exec: Exec,
    connection: Connection,
}

impl Archiver {
    /// An archiver at the other end of a connection.
    #[must_use]
    pub fn new(exec: Exec, connection: Connection) -> Self {
        Self { exec, connection }
    }

    /// Lists `root` and, with `recursive`, the datasets below it, without their snapshots; empty
    /// when `root` does not exist in a pool that does.
    ///
    /// # Errors
    /// [`Error::NoPool`], [`Error::Unreachable`] or [`Error::Listing`]: never an empty list for
    /// one that could not be read.
    pub async fn tree(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let argv = self.argv(&argv::list_datasets(root, recursive, None))?;
        let mut listing = Listing::default();
        match survey::lines(self.exec, &argv, |line| listing.push(line)).await {
            Ok(()) => Ok(listing.finish()),
            Err(survey::Failure::Command(error))
                if error.stderr().contains(&format!("'{root}': dataset does not exist")) =>
            {
                self.require_pool(root.pool()).await.map(|()| Datasets::new())
            }
            Err(failure) => Err(self.failure(root, &failure)),
        }
    }

    /// These datasets with all of their snapshots and bookmarks; one that is gone is left out.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn histories(&self, datasets: Datasets) -> Result<Datasets, Error> {
        self.read_histories(datasets, false).await
    }

    async fn read_histories(&self, datasets: Datasets, detailed: bool) -> Result<Datasets, Error> {
        let Some(first) = datasets.keys().next().cloned() else { return Ok(datasets) };
        let argv = self.argv(&argv::list_histories(datasets.keys(), detailed))?;
        let read = survey::read_histories(self.exec, &argv, datasets).await;
        read.map_err(|failure| self.failure(&first, &failure))
    }

    /// Lists `root` and, with `recursive`, the datasets below it, with all of their snapshots.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn list(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let mut all = Datasets::new();
        for part in survey::in_parts(self.tree(root, recursive).await?) {
            all.extend(self.histories(part).await?);
        }
        Ok(all)
    }

    /// As [`Self::list`], with the times at which the snapshots were made.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn list_with_times(&self, root: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
        let mut all = Datasets::new();
        for part in survey::in_parts(self.tree(root, recursive).await?) {
            all.extend(self.read_histories(part, true).await?);
        }
        Ok(all)
    }

    /// A dataset with its snapshots, if it is there.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn dataset(&self, name: &DatasetName) -> Result<Option<Dataset>, Error> {
        Ok(self.list(name, false).await?.remove(name))
    }

    /// Which of these snapshots, given as `dataset@snapshot`, are there, with their identities.
    ///
    /// # Errors
    /// As [`Self::tree`].
    pub async fn which(&self, snapshots: &[String]) -> Result<BTreeMap<String, Guid>, Error> {
        let mut found = BTreeMap::new();
        for batch in snapshots.chunks(NAMES) {
            let argv = self.argv(&argv::list_these(batch))?;
            let listed = self.exec.lines(&argv, LISTING, |line| {
                let mut fields = line.split('\t');
                if let (Some(name), Some(Ok(guid))) = (fields.next(), fields.next().map(str::parse)) {
                    found.insert(name.to_owned(), Guid(guid));
                }
            });
            match listed.await {
                Err(error) if meaning(error.stderr()) != Some(Meaning::NoSuchDataset) => {
                    return Err(self.failure_of(&batch[0], &error));
                }
                // Those that are there are listed, whatever is not.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Proves that a pool is imported.
    ///
    /// # Errors
    /// [`Error::NoPool`], [`Error::Unreachable`] or [`Error::Listing`].
    pub async fn require_pool(&self, pool: &str) -> Result<(), Error> {
        let listed = self.run(&argv::list_pool(pool), CHANGE).await;
        listed.map(|_| ()).map_err(|error| match meaning(error.stderr()) {
            Some(Meaning::NoSuchDataset) => {
                let (archiver, pool) = (self.name().to_owned(), pool.to_owned());
                Error::NoPool { archiver, pool, detail: exec::text(error.stderr()) }
            }
            _ => self.failure_of(pool, &error),
        })
    }

    /// The state of a systemd unit there, as systemd names it: `active`, `activating`, `failed`, …
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn unit_state(&self, unit: &str) -> Result<String, Error> {
        let shown = self.query(&["systemctl", "show", "--property=ActiveState", "--value", unit]).await?;
        Ok(shown.trim_end().to_owned())
    }

    /// Makes the datasets above `dataset` that are missing, from the pool down; with a copy in
    /// the jobs, they are there.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn create_ancestors(&self, dataset: &DatasetName, jobs: &[Job]) -> Result<(), Error> {
        if jobs.iter().any(|job| job.copy.is_some()) {
            return Ok(());
        }
        let mut missing = Vec::new();
        let mut ancestor = dataset.parent();
        while let Some(name) = ancestor {
            if name.parent().is_none() || !self.tree(&name, false).await?.is_empty() {
                break;
            }
            ancestor = name.parent();
            missing.push(name);
        }
        for name in missing.iter().rev() {
            self.create_placeholder(name).await?;
        }
        Ok(())
    }

    /// Makes a dataset that only holds others.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create_placeholder(&self, dataset: &DatasetName) -> Result<(), Error> {
        self.change(&argv::create_placeholder(dataset)).await
    }

    /// Renames a dataset with everything below it, or a snapshot.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub async fn rename(&self, moved: &Move) -> Result<(), Error> {
        self.change(&argv::rename(&moved.from, &moved.to)).await
    }

    /// Gives up the partial data of an interrupted receive. For that zfs asks for the right to destroy,
    /// which no host has on an archiver that we configure: there a unit of root's does it for a host.
    ///
    /// # Errors
    /// [`Error::Partial`] when this user may not, else when zfs refuses.
    pub async fn abandon(&self, dataset: &DatasetName) -> Result<(), Error> {
        let Err(error) = self.exec.run(&self.argv(&argv::abandon(dataset))?, CHANGE).await else {
            return Ok(());
        };
        if meaning(error.stderr()) != Some(Meaning::PermissionDenied) {
            return Err(Error::Program(error));
        }
        let instance = format!("{}:{dataset}", self.endpoint().user);
        let asked = async {
            let unit = self.query(&["systemd-escape", ABANDON, &instance]).await?;
            self.query(&["systemctl", "--no-ask-password", "start", unit.trim_end()]).await
        };
        match asked.await {
            Ok(_) => Ok(()),
            Err(unreachable @ Error::Unreachable { .. }) => Err(unreachable),
            Err(_) => Err(Error::Partial {
                archiver: self.name().to_owned(),
                dataset: dataset.to_string(),
                detail: exec::text(error.stderr()),
            }),
        }
    }

    /// Powers it off unless somebody else has a session; returns how many others there are.
    ///
    /// # Errors
    /// When it cannot be asked, or refuses.
    pub async fn power_off(&self) -> Result<usize, Error> {
        let others = self.other_sessions().await?;
        if others > 0 {
            return Ok(others);
        }
        match self.shut_down().await {
            Ok(()) => Ok(0),
            // It refuses when somebody has come in between: then that one lets it sleep.
            Err(error) => match self.other_sessions().await? {
                0 => Err(error),
                others => Ok(others),
            },
        }
    }

    /// Powers it off.
    ///
    /// # Errors
    /// When it refuses: as a host, because somebody else has a session.
    pub async fn shut_down(&self) -> Result<(), Error> {
        match self.query(&["systemctl", "poweroff"]).await {
            // The connection may go before the answer comes.
            Ok(_) | Err(Error::Unreachable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many sessions there are besides this one.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn other_sessions(&self) -> Result<usize, Error> {
        let listed = self.query(&["loginctl", "list-sessions", "--json=short"]).await?;
        Ok(sessions(&listed)?.saturating_sub(1))
    }

    /// Runs a command there and returns its exit code.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the connection is lost, else [`Error::Program`] when it has none.
    pub async fn exit_code(&self, remote: &[&str]) -> Result<i32, Error> {
        match self.query(remote).await {
            Ok(_) => Ok(0),
            Err(Error::Program(error)) => error.code().ok_or(Error::Program(error)),
            Err(error) => Err(error),
        }
    }

    /// Runs a command there and returns what it prints.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the connection is lost, else [`Error::Program`].
    pub async fn query(&self, remote: &[&str]) -> Result<String, Error> {
        let remote: Vec<String> = remote.iter().map(|word| (*word).to_owned()).collect();
        self.ask(&remote, CHANGE).await
    }

    /// Runs commands there, each when the one before it has succeeded, and returns what they print.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn query_all(&self, remote: &[Vec<String>]) -> Result<String, Error> {
        let argv = self.chain(remote)?;
        self.answer(self.exec.run(&argv, CHANGE).await)
    }

    async fn ask(&self, remote: &[String], deadline: Duration) -> Result<String, Error> {
        self.answer(self.run(remote, deadline).await)
    }

    fn answer(&self, result: Result<String, exec::Error>) -> Result<String, Error> {
        result.map_err(|error| match &error {
            exec::Error::Failed { status, stderr, .. } if status.code() == Some(255) => {
                self.endpoint().refusal(stderr)
            }
            _ => Error::Program(error),
        })
    }

    /// Sends from one dataset there into another.
    ///
    /// # Errors
    /// As [`Archiver::query`].
    pub async fn pipe(&self, send: &[String], receive: &[String], deadline: Duration) -> Result<(), Error> {
        let quote = |argv: &[String]| {
            let words = argv.iter().map(String::as_str);
            shlex::try_join(words).map_err(|_| Error::Argument(format!("{argv:?}")))
        };
        let script = format!("{} | {}", quote(send)?, quote(receive)?);
        let shell = ["bash", "-o", "pipefail", "-c", &script].map(str::to_owned);
        self.ask(&shell, deadline).await.map(|_| ())
    }

    /// Ends a receive into this dataset whose sender is gone without the archiver having heard of
    /// it. The caller's lock says that no sender of ours is left; what was received is kept.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn end_stale_receive(&self, dataset: &DatasetName, kind: Kind) -> Result<(), Error> {
        let line = literal(&argv::receive(dataset, kind).join(" "));
        self.exit_code(&["pkill", "-f", "-x", &line]).await.map(|_| ())
    }

    /// The local command line of a command there.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn argv(&self, remote: &[String]) -> Result<Vec<String>, Error> {
        self.connection.argv(remote)
    }

    /// The local command line of commands there that follow each other while none fails, and share
    /// one stdin.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn chain(&self, remote: &[Vec<String>]) -> Result<Vec<String>, Error> {
        self.connection.chain(remote)
    }

    /// Whether the connection still stands.
    pub fn is_alive(&mut self) -> bool {
        self.connection.is_alive()
    }

    /// Runs a command line of [`argv`] there and returns what it prints.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn command(&self, remote: &[String]) -> Result<String, Error> {
        self.ask(remote, CHANGE).await
    }

    /// How it is reached.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.connection.endpoint()
    }

    fn name(&self) -> &str {
        &self.endpoint().archiver
    }

    async fn change(&self, remote: &[String]) -> Result<(), Error> {
        let argv = self.argv(remote)?;
        self.exec.run(&argv, CHANGE).await.map(|_| ()).map_err(Error::Program)
    }

    /// Runs a command line there and returns what it prints.
    ///
    /// # Errors
    /// As the command ends, or ssh with 255.
    pub async fn run(&self, remote: &[String], deadline: Duration) -> Result<String, exec::Error> {
        match self.argv(remote) {
            Ok(argv) => self.exec.run(&argv, deadline).await,
            Err(error) => {
                Err(exec::Error::Start { program: "ssh".to_owned(), source: std::io::Error::other(error) })
            }
        }
    }

    fn failure(&self, dataset: &DatasetName, failure: &survey::Failure) -> Error {
        match failure {
            survey::Failure::Command(error) => self.failure_of(dataset.as_str(), error),
            survey::Failure::Line(error) => self.unreadable(dataset.as_str(), error.to_string()),
        }
    }

    /// ssh(1) ends with 255 when the connection failed, else as the remote command did.
    fn failure_of(&self, dataset: &str, error: &exec::Error) -> Error {
        match error {
            exec::Error::Failed { status, stderr, .. } if status.code() == Some(255) => {
                self.endpoint().refusal(stderr)
            }
            _ => self.unreadable(dataset, error.to_string()),
        }
    }

    /// The error of a listing that is none.
    #[must_use]
    pub fn unreadable(&self, dataset: &str, detail: String) -> Error {
        Error::Listing {
            dataset: dataset.to_owned(),
            place: format!("on archiver {:?}", self.name()),
            detail,
        }
    }
}

/// A regular expression that matches this text only.
fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, c| {
        if !c.is_ascii_alphanumeric() && !" /-_=:@".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    })
}

/// Counts the sessions of `loginctl list-sessions --json=short`. Since systemd 256 it lists each
/// user's service manager too, which is nobody's session; root's own are of class `user-early`.
fn sessions(json: &str) -> Result<usize, Error> {
    #[derive(serde::Deserialize)]
    struct Session {
        #[serde(default)]
        class: Option<String>,
    }
    let sessions: Vec<Session> = serde_json::from_str(json).map_err(std::io::Error::from)?;
    let is_manager =
        |session: &&Session| session.class.as_deref().is_some_and(|class| class.starts_with("manager"));
    Ok(sessions.iter().filter(|session| !is_manager(session)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_of_users_are_counted() {
        let json = r#"[{"session":"1","uid":0,"user":"root","seat":null,"leader":9,"class":"user","tty":null,"idle":false,"since":null},
            {"session":"2","uid":0,"user":"root","seat":null,"leader":10,"class":"manager-early","tty":null,"idle":false,"since":null},
            {"session":"3","uid":0,"user":"root","seat":null,"leader":11,"class":"user-early","tty":null,"idle":false,"since":null},
            {"session":"4","uid":999,"user":"u","seat":null,"leader":12,"class":"manager","tty":null,"idle":false,"since":null}]"#;
        assert_eq!(sessions(json).unwrap(), 2);
        assert_eq!(sessions(r#"[{"session":"1","uid":0,"user":"root","seat":"","tty":""}]"#).unwrap(), 1);
        assert!(sessions("no sessions").is_err());
    }
}

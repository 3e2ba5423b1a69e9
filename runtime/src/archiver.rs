//! What is done on the archiver, each as one command over ssh.

mod change;
mod listing;
mod power;

use std::time::Duration;

use dormouse_generator::name::DatasetName;

pub use self::listing::listed_snapshot;
use crate::error::Error;
use crate::exec::{self, Exec};
use crate::replicate::stream::Receiving;
use crate::ssh::{Connection, Endpoint, PACK};
use crate::survey;

/// How long a single change may take.
const CHANGE: Duration = Duration::from_secs(600);

/// Most names in one command there. A shell's command line has at most 128 KiB (`MAX_ARG_STRLEN`),
/// and a name at most 255 bytes.
pub const NAMES: usize = 200;

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

    /// What takes streams there, one command for each; packed on their way if that is asked for.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn receiving(&self, commands: &[Vec<String>], packed: bool) -> Result<Receiving, Error> {
        if packed {
            let filter = PACK.map(str::to_owned).to_vec();
            let argv = self.connection.packed_chain(commands)?;
            return Ok(Receiving { filter: Some(filter), ..Receiving::of(argv) });
        }
        Ok(Receiving::of(self.chain(commands)?))
    }

    /// Whether the connection still stands.
    pub fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.connection.close().await;
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
            survey::Failure::Line(error) => Error::Chatter {
                archiver: self.name().to_owned(),
                user: self.endpoint().user.clone(),
                detail: error.to_string(),
            },
        }
    }

    /// ssh(1) ends with 255 when the connection failed, else as the remote command did.
    fn failure_of(&self, dataset: &str, error: &exec::Error) -> Error {
        match error {
            exec::Error::Failed { status, stderr, .. } if status.code() == Some(255) => {
                self.endpoint().refusal(stderr)
            }
            exec::Error::TooMuch { command, bound } => {
                Error::Program(exec::Error::TooMuch { command: command.clone(), bound: *bound })
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

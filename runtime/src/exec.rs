//! The only place that starts processes.
//!
//! Every process gets an argument list and never a shell string, has its stdin closed unless it
//! is fed a stream, is bounded in time, in what it may print ([`printed`]) and in the error text that is kept,
//! and dies with the future that waits for it. Messages of programs are asked for in English, since
//! [`crate::zfs::stderr`] reads them.

pub mod printed;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use self::printed::{Bound, Ended, Lines};
use crate::log;

/// How much of a process' error text is kept, in bytes. Enough for every message of zfs and ssh.
const MAX_STDERR: usize = 64 * 1024;

/// How long the last lines of a process that has ended may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// A process that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot start {program:?}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("`{command}` failed ({}): {}", crate::exec::status(*.status), crate::exec::text(.stderr))]
    Failed {
        /// The command line, for a person.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// It took too long and was killed.
    #[error("`{command}` was killed: it had not ended after {} s", .after.as_secs())]
    Deadline {
        /// The command line, for a person.
        command: String,
        /// How long it was given.
        after: Duration,
    },
    /// It printed more than any listing of ZFS has, and was killed.
    #[error("`{command}` was killed: it printed {bound}")]
    TooMuch {
        /// The command line, for a person.
        command: String,
        /// Which bound it passed.
        bound: Bound,
    },
    /// Its output could not be read.
    #[error("cannot read what `{command}` prints: {source}")]
    Output {
        /// The command line, for a person.
        command: String,
        /// The operating system's word.
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code of the process, if it ended with one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Failed { status, .. } => status.code(),
            Self::Start { .. } | Self::Deadline { .. } | Self::TooMuch { .. } | Self::Output { .. } => None,
        }
    }

    /// What the process said, if it ran.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            Self::Start { .. } | Self::Deadline { .. } | Self::TooMuch { .. } | Self::Output { .. } => "",
        }
    }

    fn ended(command: &str, ended: Ended) -> Self {
        let command = command.to_owned();
        match ended {
            Ended::TooMuch(bound) => Self::TooMuch { command, bound },
            Ended::Unreadable(source) => Self::Output { command, source },
        }
    }
}

/// `exit code 1`, `signal 9`.
#[must_use]
pub fn status(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Error text on one line.
#[must_use]
pub fn text(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "it printed no reason".to_owned() } else { lines.join("; ") }
}

/// Starts processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exec {
    /// Whether each command line is shown on stderr.
    pub verbose: bool,
}

/// What a process left.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said on stderr.
    pub stderr: String,
}

/// A process that runs.
#[derive(Debug)]
pub struct Process {
    command: String,
    child: Child,
    stderr: JoinHandle<String>,
    /// Hands out each line that it prints, where the caller reads them while it runs.
    told: Option<JoinHandle<Result<(), Ended>>>,
}

impl Process {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`Error::TooMuch`], or when the operating system cannot tell.
    pub async fn wait(mut self) -> Result<Finished, Error> {
        let failed = |source| Error::Output { command: self.command.clone(), source };
        let status = self.child.wait().await.map_err(failed)?;
        log::detail(&format!("{}: {}", crate::exec::status(status), self.command));
        if let Some(told) = self.told {
            let told = tokio::time::timeout(LAST_LINES, told).await;
            if let Ok(Ok(Err(ended @ Ended::TooMuch(_)))) = told {
                return Err(Error::ended(&self.command, ended));
            }
        }
        Ok(Finished { status, stderr: self.stderr.await.unwrap_or_default() })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Exec {
    /// Runs a command to its end and returns what it printed.
    ///
    /// # Errors
    /// When it cannot be started, fails, or takes longer than `deadline`.
    pub async fn run(&self, argv: &[String], deadline: Duration) -> Result<String, Error> {
        let mut printed = String::new();
        self.lines(argv, deadline, |line| {
            printed.push_str(line);
            printed.push('\n');
        })
        .await?;
        Ok(printed)
    }

    /// Runs a command that reads a short text, at most the 64 KiB that a pipe takes, to its end.
    ///
    /// # Errors
    /// As [`Exec::run`].
    pub async fn feed(&self, argv: &[String], text: &str, deadline: Duration) -> Result<String, Error> {
        let start = |source| Error::Start { program: argv.first().cloned().unwrap_or_default(), source };
        let (stdin, mut write) = std::io::pipe().map_err(start)?;
        write.write_all(text.as_bytes()).map_err(start)?;
        drop(write);
        let mut printed = String::new();
        self.drain(self.spawn(argv, stdin.into(), Stdio::piped())?, deadline, |line| {
            printed.push_str(line);
            printed.push('\n');
        })
        .await?;
        Ok(printed)
    }

    /// Runs a command to its end and hands out each line that it prints.
    ///
    /// # Errors
    /// As [`Exec::run`].
    pub async fn lines(
        &self,
        argv: &[String],
        deadline: Duration,
        take: impl FnMut(&str),
    ) -> Result<(), Error> {
        self.drain(self.spawn(argv, Stdio::null(), Stdio::piped())?, deadline, take).await
    }

    /// Runs a command that reads a file to its end; what it prints is dropped.
    ///
    /// # Errors
    /// As [`Exec::run`].
    pub async fn feed_file(&self, argv: &[String], stdin: OwnedFd, deadline: Duration) -> Result<(), Error> {
        self.drain(self.spawn(argv, stdin.into(), Stdio::null())?, deadline, |_| ()).await
    }

    async fn drain(
        &self,
        mut process: Process,
        deadline: Duration,
        mut take: impl FnMut(&str),
    ) -> Result<(), Error> {
        let command = process.command.clone();
        let stdout = process.child.stdout.take();
        let work = async {
            if let Some(stdout) = stdout {
                let mut lines = Lines::of(stdout);
                while let Some(line) = lines.next().await.map_err(|ended| Error::ended(&command, ended))? {
                    take(line);
                }
            }
            process.wait().await
        };
        match tokio::time::timeout(deadline, work).await {
            Err(_) => Err(Error::Deadline { command, after: deadline }),
            Ok(finished) => match finished? {
                Finished { status, .. } if status.success() => Ok(()),
                Finished { status, stderr } => Err(Error::Failed { command, status, stderr }),
            },
        }
    }

    /// Starts a command that reads from or writes to a pipe.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn stream(
        &self,
        argv: &[String],
        stdin: Option<OwnedFd>,
        stdout: Option<OwnedFd>,
    ) -> Result<Process, Error> {
        self.spawn(
            argv,
            stdin.map_or_else(Stdio::null, Stdio::from),
            stdout.map_or_else(Stdio::null, Stdio::from),
        )
    }

    /// Starts a command that reads from a pipe, and hands out each line that it prints.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn telling(
        &self,
        argv: &[String],
        stdin: OwnedFd,
        lines: UnboundedSender<String>,
    ) -> Result<Process, Error> {
        let mut process = self.spawn(argv, stdin.into(), Stdio::piped())?;
        // A handle, since a number may be another process' by then; kernels before 5.3 have none, and there
        // the closed pipe has to do.
        let number = process.child.id().and_then(|number| Pid::from_raw(number.cast_signed()));
        let handle = number.and_then(|number| pidfd_open(number, PidfdFlags::empty()).ok());
        process.told = process.child.stdout.take().map(|stdout| tokio::spawn(tell(stdout, lines, handle)));
        Ok(process)
    }

    fn spawn(&self, argv: &[String], stdin: Stdio, stdout: Stdio) -> Result<Process, Error> {
        let command = display(argv);
        if self.verbose {
            log::command(&command);
        }
        let (program, arguments) = argv.split_first().map_or(("", argv), |(program, rest)| (program, rest));
        let mut child = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Start { program: program.to_owned(), source })?;
        let stderr = tokio::spawn(keep_end(child.stderr.take()));
        Ok(Process { command, child, stderr, told: None })
    }
}

/// The command line as one could type it.
#[must_use]
pub fn display(argv: &[String]) -> String {
    shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_else(|_| format!("{argv:?}"))
}

/// Hands out each line, and kills the process when it prints too much. Reads on when the other end is closed, so
/// that the process does not wait for a reader.
async fn tell(
    stdout: impl AsyncRead + Unpin,
    to: UnboundedSender<String>,
    process: Option<OwnedFd>,
) -> Result<(), Ended> {
    let mut lines = Lines::of(stdout);
    loop {
        match lines.next().await {
            Ok(Some(line)) => drop(to.send(line.to_owned())),
            Ok(None) => return Ok(()),
            Err(ended) => {
                process.map(|process| pidfd_send_signal(process, Signal::KILL));
                return Err(ended);
            }
        }
    }
}

/// Reads to the end and keeps the last [`MAX_STDERR`] bytes: the cause of a failure stands last.
async fn keep_end(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * MAX_STDERR {
            kept.drain(..kept.len() - MAX_STDERR);
        }
    }
    let start = kept.len().saturating_sub(MAX_STDERR);
    String::from_utf8_lossy(&kept[start..]).into_owned()
}

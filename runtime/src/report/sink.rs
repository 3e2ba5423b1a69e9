//! Who is told of a run: one file for each kind, and its row here.

pub mod command;
pub mod honeycomb;
pub mod journald;
pub mod otlp;
pub mod ping;
pub mod prometheus;
pub mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use dormouse_generator::spec::{Honeycomb, Otlp, Ping, Prometheus, Report, Webhook};

use super::event::Event;
use super::http;
use crate::exec::{self, Exec};

/// Why somebody could not be told.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A secret cannot be read.
    #[error("cannot read {}: {detail}", .path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The service says no.
    #[error("it answered {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// The service sends the request elsewhere. That is not followed, since the secrets in it are for one server.
    #[error("it answered {status}: the request belongs to another URL")]
    Redirected {
        /// The HTTP status.
        status: u16,
    },
    /// The service says nothing.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The service says something that it should not.
    #[error("it answered what its API does not: {0}")]
    Strange(String),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A program failed.
    #[error(transparent)]
    Program(#[from] exec::Error),
}

impl Trouble {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Secret { .. } => {
                "write the secret into that file, readable for the user that runs dormouse"
            }
            Self::Refused { status: 401 | 403, .. } => {
                "the key is wrong, or may not do this: make another one"
            }
            Self::Refused { status: 404, .. } => "the URL or the name in the spec is wrong: mend it",
            Self::Refused { status: 429 | 500.., .. } | Self::NoAnswer(_) => {
                "it is tried again with the next run; if it stays, is the service up, and the URL right?"
            }
            Self::Redirected { .. } => {
                "redirections are not followed, since the request holds secrets: put the final URL into the file"
            }
            Self::Refused { .. } | Self::Strange(_) => "is the URL that of this kind of service?",
            Self::File { .. } => "make the folder, writable for the user that runs dormouse",
            Self::Program(_) => {
                "run the command by hand, with an event of `dormouse report --json` as its input"
            }
        }
    }

    /// Whether it may well go another time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused { status: 400 | 413 | 422, .. })
    }
}

/// Somebody who is told of runs.
#[derive(Clone, Copy, Debug)]
pub enum Sink<'a> {
    /// Honeycomb's events API.
    Honeycomb(&'a Honeycomb),
    /// OpenTelemetry over HTTP.
    Otlp(&'a Otlp),
    /// Pings.
    Ping(&'a Ping),
    /// Any service that takes JSON.
    Webhook(&'a Webhook),
    /// The node exporter's textfile collector.
    Prometheus(&'a Prometheus, u64),
    /// The journal.
    Journald,
    /// A program.
    Command(&'a [String]),
}

/// The sinks of a spec.
#[must_use]
pub fn all(report: &Report) -> Vec<Sink<'_>> {
    let command = (!report.command.is_empty()).then_some(Sink::Command(&report.command));
    let alert_after = report.alert_after.as_secs();
    [
        report.journald.then_some(Sink::Journald),
        report.prometheus.as_ref().map(|prometheus| Sink::Prometheus(prometheus, alert_after)),
        report.ping.as_ref().map(Sink::Ping),
        report.honeycomb.as_ref().map(Sink::Honeycomb),
        report.otlp.as_ref().map(Sink::Otlp),
        report.webhook.as_ref().map(Sink::Webhook),
        command,
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Sink<'_> {
    /// Its name in the spec.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honeycomb(_) => "honeycomb",
            Self::Otlp(_) => "otlp",
            Self::Ping(_) => "ping",
            Self::Webhook(_) => "webhook",
            Self::Prometheus(..) => "prometheus",
            Self::Journald => "journald",
            Self::Command(_) => "command",
        }
    }

    /// Whether it wants to know how things are now, and not how they were.
    #[must_use]
    pub const fn is_of_the_moment(self) -> bool {
        matches!(self, Self::Ping(_) | Self::Prometheus(..))
    }

    /// Whether it can be told, without telling it anything.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn check(self, deadline: Duration) -> Result<(), Trouble> {
        match self {
            Self::Honeycomb(sink) => honeycomb::check(sink, deadline).await,
            Self::Otlp(sink) => otlp::check(sink, deadline).await,
            Self::Ping(sink) => http::answers(&ping::read(sink)?, deadline).await,
            Self::Webhook(sink) => http::answers(&webhook::url(sink)?, deadline).await,
            Self::Prometheus(sink, _) => prometheus::check(sink),
            Self::Journald => journald::check(journald::SOCKET),
            Self::Command(argv) => command::check(argv),
        }
    }

    /// Tells it of a run.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn send(self, event: &Event, exec: Exec, deadline: Duration) -> Result<(), Trouble> {
        match self {
            Self::Honeycomb(sink) => honeycomb::send(sink, event, deadline).await,
            Self::Otlp(sink) => otlp::send(sink, event, deadline).await,
            Self::Ping(sink) => ping::send(sink, event, deadline).await,
            Self::Webhook(sink) => webhook::send(sink, event, deadline).await,
            Self::Prometheus(sink, alert_after) => prometheus::write(sink, event, alert_after),
            Self::Journald => journald::send(event, journald::SOCKET),
            Self::Command(argv) => command::run(argv, event, exec, deadline).await,
        }
    }
}

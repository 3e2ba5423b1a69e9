//! Dormouse's runtime: the effects.
//!
//! - [`cli`], [`command`]: what can be typed; a command is a file of its own
//! - [`context`]: the spec, this host, the folders
//! - [`survey`]: what the host has
//! - [`replicate`]: one replication from listing to acknowledgement
//! - [`restore`], [`drill`]: datasets come back; trying whether they would
//! - [`archiver`]: what is done on the archiver
//! - [`provider`]: how an archiver is brought up
//! - [`ec2`]: archivers on EC2
//! - [`report`]: every run is told of, whatever becomes of it
//! - [`doctor`]: what a newcomer gets wrong
//! - [`zfs`]: the pure core: listings, plans, command lines
//! - [`ssh`], [`exec`]: the connection; the only place that starts processes
//! - [`lock`], [`folder`]: one run at a time; what outlives one
//! - [`error`], [`output`], [`log`]: what goes wrong; how it is told

#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod archiver;
pub mod cli;
pub mod command;
pub mod context;
pub mod doctor;
pub mod drill;
pub mod ec2;
pub mod error;
pub mod exec;
pub mod folder;
pub mod lock;
pub mod log;
pub mod output;
pub mod provider;
pub mod replicate;
pub mod report;
pub mod restore;
pub mod ssh;
pub mod survey;
pub mod zfs;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Cli;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Exit};

/// Reads the command line, runs the command, reports its error.
#[must_use]
pub fn main() -> Exit {
    let cli = Cli::parse();
    let json = cli.global.json;
    log::start(cli.global.log_format, cli.global.verbose);
    run(&cli).unwrap_or_else(|error| {
        if json {
            let _unwritten = output::print_json(&output::error_json(&error));
        }
        output::print_error(&error, "");
        error.exit()
    })
}

fn run(cli: &Cli) -> Result<Exit, Error> {
    if let Command::Share(arguments) = &cli.command {
        return arguments.run();
    }
    let context = Context::load(&cli.global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(until_signalled(cli.command.run(&context)));
    if let Err(error @ Error::Interrupted(_)) = &result {
        runtime.block_on(report::recorder::interrupted(&context, error));
    }
    // What still moves bytes ends by itself, now that the processes at both ends are gone.
    runtime.shutdown_background();
    result
}

/// Dropping the command's future kills what it started; nothing outlives an interrupted run.
async fn until_signalled(work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => Err(Error::Interrupted("SIGINT")),
        _ = terminate.recv() => Err(Error::Interrupted("SIGTERM")),
    }
}

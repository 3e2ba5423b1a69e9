//! The commands: one file each, its arguments and its `run`.

pub mod plan;
pub mod replicate;
pub mod status;

use clap::Subcommand;

use crate::context::Context;
use crate::error::{Error, Exit};

/// A command of `dormouse`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring what is new to the archivers; the job that timers start
    Replicate(replicate::Arguments),
    /// Show what replicate would do, with sizes; changes nothing
    Plan(plan::Arguments),
    /// Show what is where, from the host's own knowledge; contacts nobody
    Status(status::Arguments),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What ends it.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Replicate(arguments) => arguments.run(context).await,
            Self::Plan(arguments) => arguments.run(context).await,
            Self::Status(arguments) => arguments.run(context).await,
        }
    }
}

//! The commands: one file each, its arguments and its `run`.

pub mod alarm;
pub mod doctor;
pub mod down;
pub mod plan;
pub mod proxy;
pub mod prune;
pub mod replicate;
pub mod report;
pub mod restore;
pub mod share;
pub mod sleep;
pub mod snapshots;
pub mod status;
pub mod up;
pub mod verify;
pub mod wake;

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
    /// List the snapshots on this host and on the archiver; wakes it
    Snapshots(snapshots::Arguments),
    /// Bring datasets back from the archiver, beside everything that exists
    Restore(restore::Arguments),
    /// Compare both sides, with --deep file by file, as brought back; wakes the archiver
    Verify(verify::Arguments),
    /// Let go what the archiver's retention lets go, or say what that is; wakes it
    Prune(prune::Arguments),
    /// Show how things stand, from what was last seen; wakes nobody
    Status(status::Arguments),
    /// Set up or raise the alarm for runs that are missing
    Alarm(alarm::Arguments),
    /// Check everything that has to be right, and say how to mend it; changes nothing
    Doctor(doctor::Arguments),
    /// Report runs that could not do it themselves, and send what is unsent; for ExecStopPost=
    Report(report::Arguments),
    /// Set an archiver on EC2 up: security group, volume, image, pool
    Up(up::Arguments),
    /// Tear an archiver on EC2 down; its volume stays unless you say otherwise
    Down(down::Arguments),
    /// Wake an archiver and wait until its pool is imported
    Wake(wake::Arguments),
    /// Send an archiver to sleep and wait until its instance is gone
    Sleep(sleep::Arguments),
    /// Connect ssh to an archiver that is woken for it; its ProxyCommand
    Proxy(proxy::Arguments),
    /// Write manual pages and shell completions; for packagers
    #[command(hide = true)]
    Share(share::Arguments),
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
            Self::Snapshots(arguments) => arguments.run(context).await,
            Self::Restore(arguments) => arguments.run(context).await,
            Self::Verify(arguments) => arguments.run(context).await,
            Self::Prune(arguments) => arguments.run(context).await,
            Self::Status(arguments) => arguments.run(context).await,
            Self::Alarm(arguments) => arguments.run(context).await,
            Self::Doctor(arguments) => arguments.run(context).await,
            Self::Report(arguments) => arguments.run(context).await,
            Self::Up(arguments) => arguments.run(context).await,
            Self::Down(arguments) => arguments.run(context).await,
            Self::Wake(arguments) => arguments.run(context).await,
            Self::Sleep(arguments) => arguments.run(context).await,
            Self::Proxy(arguments) => arguments.run(context).await,
            Self::Share(arguments) => arguments.run(),
        }
    }
}

//! The commands: each has its arguments and its `run` in one file.

mod check;
pub(super) mod generate;
mod init;
mod rotate;
mod schema;
mod share;

use clap::Subcommand;

use super::Inputs;
use super::failure::Failure;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a spec to start from, unless there is one, and make its seed.
    Init(init::Arguments),
    /// Give an archiver or a host a new key, by raising its epoch in the spec.
    Rotate(rotate::Arguments),
    /// Print the JSON Schema of the spec.
    Schema,
    /// Write manual pages and shell completions; for packagers.
    #[command(hide = true)]
    Share(share::Arguments),
}

impl Command {
    pub(super) fn run(self, inputs: &Inputs) -> Result<(), Failure> {
        match self {
            Self::Init(arguments) => arguments.run(inputs),
            Self::Rotate(arguments) => arguments.run(inputs),
            Self::Schema => schema::run(),
            Self::Share(arguments) => arguments.run(),
        }
    }
}

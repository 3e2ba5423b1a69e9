//! The command line: what is given, and what a run comes to.
//!
//! - [`command`]: one file a command
//! - [`spec_file`], [`seed_file`], [`places`]: where things are read from and written to
//! - [`exposure`]: folders where secrets would be seen
//! - [`write`]: all or nothing, and only what changed

mod command;
mod exposure;
mod failure;
mod places;
mod seed_file;
mod spec_file;
mod write;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser};
use signal_hook::consts::SIGXFSZ;

use failure::Failure;

const AFTER_HELP: &str = "\
Exit codes:
  0  done, or nothing to do
  1  failed; with --check: the folder is not what the spec says
  2  the command line or the spec is wrong; nothing was written";

/// Writes the files that follow from a spec: keys, known_hosts, and the configurations of
/// archivers and hosts. Public ones go to --out, secret ones to --secrets.
#[derive(Parser)]
#[command(name = "dormouse-generate", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    generate: command::generate::Arguments,
    #[command(subcommand)]
    command: Option<command::Command>,
}

/// What every command works on.
#[derive(Args)]
#[group(skip)]
struct Inputs {
    /// The spec.
    #[arg(long, value_name = "FILE", default_value = "dormouse.json", global = true)]
    spec: PathBuf,
    /// The seed [default: $XDG_STATE_HOME/dormouse/<spec name>/seed].
    #[arg(long, value_name = "FILE", global = true)]
    seed: Option<PathBuf>,
}

impl Inputs {
    /// The seed's file, named or at its default place.
    fn seed(&self, spec_name: &str) -> Result<PathBuf, Failure> {
        self.seed.clone().map_or_else(|| places::seed(spec_name), Ok)
    }
}

/// Runs the command, and prints its failure once.
pub(crate) fn run() -> ExitCode {
    let Arguments { inputs, generate, command } = Arguments::parse();
    // A limit on file sizes then fails the write, which is told and cleaned up after; the signal's
    // default would end the program at once.
    let _limit = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let result = match command {
        Some(command) => generate.refuse_check().and_then(|()| command.run(&inputs)),
        None => generate.run(&inputs),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.render(std::io::stderr().is_terminal()));
            ExitCode::from(failure.code())
        }
    }
}

/// Prints to stdout; a reader that has gone away is no failure.
fn say(text: &str) {
    let _gone = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints to stderr.
fn complain(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::command::Command;
use crate::log::Format;

/// ZFS backups onto a machine that sleeps.
///
/// Exit codes: 0 done or nothing to do; 1 failed; 2 wrong usage or spec; 3 some datasets failed;
/// 4 a conflict needs a person; 5 the archiver cannot be reached; 6 an instance may still be
/// running; 7 another run holds the lock.
#[derive(Debug, Parser)]
#[command(name = "dormouse", version, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// The spec
    #[arg(long, global = true, value_name = "FILE", default_value = "dormouse.json", env = "DORMOUSE_SPEC")]
    pub spec: PathBuf,
    /// Folder of generated files [default: `generated` beside the spec]
    #[arg(long, global = true, value_name = "DIR", env = "DORMOUSE_GENERATED")]
    pub generated: Option<PathBuf>,
    /// Folder of secrets [default: the spec's, else ~/.local/state/dormouse/<spec name>/secrets]
    #[arg(long, global = true, value_name = "DIR", env = "DORMOUSE_SECRETS")]
    pub secrets: Option<PathBuf>,
    /// This host's private key [default: `hosts/<host>/id_ed25519` in the folder of secrets]
    #[arg(long, global = true, value_name = "FILE", env = "DORMOUSE_IDENTITY")]
    pub identity: Option<PathBuf>,
    /// This host's name in the spec [default: the system's host name]
    #[arg(long, global = true, value_name = "NAME", env = "DORMOUSE_HOST")]
    pub host: Option<String>,
    /// The ssh program
    #[arg(long, global = true, value_name = "PROGRAM", default_value = "ssh", env = "DORMOUSE_SSH")]
    pub ssh: String,
    /// Print the result as JSON, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// How errors, warnings and what is under way are told on stderr
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        env = "DORMOUSE_LOG_FORMAT"
    )]
    pub log_format: Format,
    /// Show each command line that is run; twice: how each of them ended, too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

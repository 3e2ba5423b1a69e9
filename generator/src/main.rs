//! `dormouse-generate`: reads the spec and the seed, and writes what the library makes of them.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}

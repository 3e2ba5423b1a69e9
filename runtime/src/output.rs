//! How results and errors are printed. Nothing else writes to a terminal, but for [`crate::log`].

mod printable;

use std::io::IsTerminal;

use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

pub use self::printable::{printable, printable_json};
use crate::error::{Error, Exit};
use crate::log;

/// Prints a line for people on stdout, as `println!` would.
macro_rules! out {
    ($($words:tt)*) => { $crate::output::print(&format!($($words)*)) };
}
pub(crate) use out;

/// `12.30 MiB`.
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `3 datasets`, `1 dataset`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How long ago or how long, in the largest unit that fits: `42 s`, `17 min`, `5 h`, `3 d`.
#[must_use]
pub fn human_age(seconds: i64) -> String {
    match seconds.max(0) {
        short @ 0..120 => format!("{short} s"),
        minutes @ 120..7_200 => format!("{} min", minutes / 60),
        hours @ 7_200..172_800 => format!("{} h", hours / 3_600),
        days => format!("{} d", days / 86_400),
    }
}

/// Prints a text for people on stdout, with everything unprintable escaped.
#[allow(clippy::print_stdout, reason = "this is the place that prints")]
pub fn print(text: &str) {
    println!("{}", printable(text));
}

/// Prints a JSON document on stdout.
///
/// # Errors
/// When it cannot be written.
#[allow(clippy::print_stdout, reason = "this is the place that prints")]
pub fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    println!("{}", printable_json(&text));
    Ok(())
}

/// Asks for a yes; without a terminal, only `yes` is one.
///
/// # Errors
/// When the terminal cannot be used.
pub fn confirm(yes: bool, question: &str) -> Result<bool, Error> {
    Ok(yes || matches!(ask(&format!("{question} [y/N]"))?.as_str(), "y" | "yes"))
}

/// Asks on stderr and reads a line; an empty one where there is no terminal to ask.
///
/// # Errors
/// When the terminal cannot be used.
#[allow(clippy::print_stderr, reason = "this is the place that asks")]
pub fn ask(question: &str) -> Result<String, Error> {
    let question = printable(question);
    if !std::io::stdin().is_terminal() {
        eprintln!("{question} nobody can be asked: this is no terminal");
        return Ok(String::new());
    }
    eprint!("{question} ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Prints an error, once, with what to do.
pub fn print_error(error: &Error, context: &str) {
    match error {
        Error::Spec(text) => log::note(text.trim_end()),
        other => log::error(&format!("{context}{other}"), &other.help()),
    }
}

/// An error for machines.
#[must_use]
pub fn error_json(error: &Error) -> serde_json::Value {
    json!({ "error": error.to_string(), "help": error.help(), "exit": error.exit() as u8 })
}

/// The exit code of several replications: the one that most needs attention.
#[must_use]
pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    let urgency = |exit: &Exit| match exit {
        Exit::Done => 0,
        Exit::Locked => 1,
        Exit::Unreachable => 2,
        Exit::Partial => 3,
        Exit::Failed => 4,
        Exit::Usage => 5,
        Exit::Conflict => 6,
        Exit::StillRunning => 7,
    };
    exits.into_iter().max_by_key(urgency).unwrap_or(Exit::Done)
}

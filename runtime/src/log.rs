//! What is told on stderr besides results: text for people, JSON for machines.
//!
//! No secret gets here: those have a type that cannot be printed, and what services answer is
//! cleaned of them in [`crate::report::http`].

use std::sync::OnceLock;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;

use crate::output::{printable, printable_json};

/// How it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object on each line, with `time`, `level`, `message` and, where there is one, `help`.
    Json,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something should be known.
    Warning,
    /// What is under way.
    Note,
    /// A command line, with `-v`.
    Command,
    /// How things ended, with `-vv`.
    Detail,
}

/// What `-v` and `--log-format` say.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    format: Format,
    verbose: u8,
}

/// Set once, before anything is told.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Says how things are told from now on.
pub fn start(format: Format, verbose: u8) {
    let _first = SETTINGS.set(Settings { format, verbose });
}

/// Something failed; `help` is what to do.
pub fn error(message: &str, help: &str) {
    tell(Level::Error, message, Some(help));
}

/// Something should be known.
pub fn warning(message: &str, help: Option<&str>) {
    tell(Level::Warning, message, help);
}

/// What is under way.
pub fn note(message: &str) {
    tell(Level::Note, message, None);
}

/// A command line that is run.
pub fn command(line: &str) {
    tell(Level::Command, line, None);
}

/// How something ended.
pub fn detail(message: &str) {
    tell(Level::Detail, message, None);
}

#[allow(clippy::print_stderr, reason = "this is the place that tells")]
fn tell(level: Level, message: &str, help: Option<&str>) {
    let Settings { format, verbose } = SETTINGS.get().copied().unwrap_or_default();
    if level.needs() <= verbose {
        eprintln!("{}", line(format, level, message, help, Timestamp::now()));
    }
}

fn line(format: Format, level: Level, message: &str, help: Option<&str>, now: Timestamp) -> String {
    match (format, level) {
        (Format::Json, _) => {
            let mut line = json!({ "time": now.to_string(), "level": level.name(), "message": message });
            if let Some(help) = help {
                line["help"] = help.into();
            }
            printable_json(&line.to_string())
        }
        (Format::Text, level) => printable(&text(level, message, help)),
    }
}

fn text(level: Level, message: &str, help: Option<&str>) -> String {
    match level {
        Level::Error | Level::Warning => {
            let help = help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
            format!("{}: {message}{help}", level.name())
        }
        Level::Note => message.to_owned(),
        Level::Command => format!("+ {message}"),
        Level::Detail => format!("= {message}"),
    }
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Command => "command",
            Self::Detail => "detail",
        }
    }

    /// How often `-v` must be given.
    const fn needs(self) -> u8 {
        match self {
            Self::Error | Self::Warning | Self::Note => 0,
            Self::Command => 1,
            Self::Detail => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_text_and_machines_an_object_on_each_line() {
        let now = Timestamp::from_second(0).unwrap();
        let said = |format, level| line(format, level, "it \"broke\"\nhere", Some("mend it"), now);
        assert_eq!(said(Format::Text, Level::Warning), "warning: it \"broke\"\nhere\n  help: mend it");
        assert_eq!(said(Format::Text, Level::Command), "+ it \"broke\"\nhere");
        let json: serde_json::Value = serde_json::from_str(&said(Format::Json, Level::Error)).unwrap();
        assert_eq!((&json["level"], &json["help"]), (&"error".into(), &"mend it".into()));
        assert_eq!(json["time"], "1970-01-01T00:00:00Z");
        assert_eq!(said(Format::Json, Level::Note).lines().count(), 1);
    }

    #[test]
    fn no_escape_sequence_gets_to_a_terminal() {
        for format in [Format::Text, Format::Json] {
            for level in [Level::Error, Level::Warning, Level::Note, Level::Command, Level::Detail] {
                let said =
                    line(format, level, "\x1b[2J\u{9b}2J\r", Some("\x1b]52;c;eA\x07"), Timestamp::now());
                assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
            }
        }
    }
}

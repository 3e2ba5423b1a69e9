//! Why a run ended, and with which exit code.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use dormouse_generator::problem::Problems;

/// The exit code when something outside the command line and the spec is wrong.
const FAILED: u8 = 1;

/// The exit code when the command line or the spec is wrong.
const REFUSED: u8 = 2;

/// Why a run ended without success.
pub(super) enum Failure {
    /// The spec is wrong.
    Spec(Box<Problems>),
    /// One thing is wrong: what, and what to do about it.
    Message { code: u8, text: String, fix: String },
    /// `--check` found differences in this folder, and has printed them.
    Stale(PathBuf),
}

impl Failure {
    /// The command line or a file it names is wrong.
    pub(super) fn refused(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Message { code: REFUSED, text: text.into(), fix: fix.into() }
    }

    /// The command line is fine, but it cannot be done.
    pub(super) fn failed(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Message { code: FAILED, text: text.into(), fix: fix.into() }
    }

    /// The operating system refused: "cannot <doing> <path>: <reason>".
    pub(super) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "run it as a user who may write there, or name another folder"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "make room, then run it again; what was there before is unharmed"
            }
            io::ErrorKind::NotFound => "make the folder, or name another one",
            _ => "what was there before is unharmed; once this is mended, run it again",
        };
        Self::failed(format!("cannot {doing} {}: {}", path.display(), reason(error)), fix)
    }

    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Spec(_) => REFUSED,
            Self::Message { code, .. } => *code,
            Self::Stale(_) => FAILED,
        }
    }

    pub(super) fn render(&self, colour: bool) -> String {
        match self {
            Self::Spec(problems) => problems.render(colour),
            Self::Message { text, fix, .. } if fix.is_empty() => format!("error: {text}"),
            Self::Message { text, fix, .. } => format!("error: {text}\n  = help: {fix}"),
            Self::Stale(out) => format!(
                "error: {} is not what the spec says\n  = help: run dormouse-generate, and commit what it writes",
                out.display()
            ),
        }
    }
}

/// The reason without Rust's "(os error 2)".
pub(super) fn reason(error: &impl Display) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

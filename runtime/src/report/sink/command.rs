//! A program that gets the event as JSON on its stdin.

use std::io::{Seek, Write};
use std::time::Duration;

use super::Trouble;
use crate::exec::{self, Exec};
use crate::report::event::Event;

/// Runs it to its end.
///
/// # Errors
/// [`Trouble::Program`] when it fails or takes longer than `deadline`.
pub async fn run(argv: &[String], event: &Event, exec: Exec, deadline: Duration) -> Result<(), Trouble> {
    let text = serde_json::to_string(event).map_err(|error| Trouble::Strange(error.to_string()))?;
    feed(argv, &format!("{text}\n"), exec, deadline).await
}

/// Whether the program is there.
///
/// # Errors
/// [`Trouble::File`].
pub fn check(argv: &[String]) -> Result<(), Trouble> {
    let program = argv.first().map_or("", String::as_str);
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&places).map(|folder| folder.join(program));
    if places.any(|path| path.is_file()) {
        return Ok(());
    }
    let source = std::io::Error::from(std::io::ErrorKind::NotFound);
    Err(exec::Error::Start { program: program.to_owned(), source }.into())
}

/// Runs a program with a text on its stdin.
///
/// # Errors
/// As [`run`].
pub async fn feed(argv: &[String], text: &str, exec: Exec, deadline: Duration) -> Result<(), Trouble> {
    let file = tempfile::tempfile().and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok(file)
    });
    let file = file.map_err(|source| Trouble::File { path: std::env::temp_dir(), source })?;
    Ok(exec.feed_file(argv, file.into(), deadline).await?)
}

//! `--check`: how the public folder differs from what the spec says. Writes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dormouse_generator::Keyring;
use dormouse_generator::parse::Parsed;
use similar::TextDiff;

use super::generate;
use crate::cli::failure::Failure;
use crate::cli::write::owned;
use crate::cli::{say, seed_file};

pub(super) fn run(parsed: Parsed, seed: Option<&Path>, out: &Path) -> Result<(), Failure> {
    if !out.is_dir() {
        let text = format!("{} is no folder, so nothing was generated there", out.display());
        return Err(Failure::failed(text, "run dormouse-generate, and commit what it writes"));
    }
    let keyring = match seed {
        Some(path) => Keyring::Seed(seed_file::read(path)?),
        None => Keyring::published(&parsed.spec, |path| fs::read_to_string(out.join(path)).ok()),
    };
    let artifacts = generate::generate(parsed, &keyring)?;
    let wanted: BTreeMap<&str, &str> = artifacts
        .iter()
        .filter_map(|artifact| Some((artifact.path.as_str(), artifact.public_text()?)))
        .collect();
    let mut diff = String::new();
    for (path, text) in &wanted {
        diff.push_str(&difference(out, path, Some(text))?);
    }
    for path in owned(out)?.iter().filter(|path| !wanted.contains_key(path.as_str())) {
        diff.push_str(&difference(out, path, None)?);
    }
    if diff.is_empty() {
        say(&format!("{} files in {} are what the spec says\n", wanted.len(), out.display()));
        return Ok(());
    }
    say(&diff);
    Err(Failure::Stale(out.to_path_buf()))
}

/// A unified diff from the file to the text it should have; empty when it has that.
fn difference(out: &Path, path: &str, wanted: Option<&str>) -> Result<String, Failure> {
    let file = out.join(path);
    let found = match fs::read(&file) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::io("read", &file, &error)),
    };
    if found.as_deref() == wanted {
        return Ok(String::new());
    }
    let name = |text: Option<&str>, side: &str| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| format!("{side}/{path}"))
    };
    let (old, new) = (name(found.as_deref(), "found"), name(wanted, "wanted"));
    let diff = TextDiff::from_lines(found.as_deref().unwrap_or_default(), wanted.unwrap_or_default());
    let text = diff.unified_diff().header(&old, &new).to_string();
    // An empty file that is missing has no lines to show.
    Ok(if text.is_empty() { format!("--- {old}\n+++ {new}\n") } else { text })
}

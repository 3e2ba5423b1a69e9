//! Reading the spec's file.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use dormouse_generator::parse::{MAX_SPEC_BYTES, Parsed};
use dormouse_generator::spec::Spec;

use super::complain;
use super::failure::{Failure, reason};

/// The spec in this file; its warnings are printed.
pub(super) fn read(path: &Path) -> Result<Parsed, Failure> {
    let bytes = bytes(path)?;
    let parsed = Spec::parse(&path.display().to_string(), &bytes)
        .map_err(|problems| Failure::Spec(problems.into()))?;
    if !parsed.warnings.is_empty() {
        complain(&parsed.warnings.render(io::stderr().is_terminal()));
    }
    Ok(parsed)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Failure::refused(
            format!("the spec {} is a folder", path.display()),
            "name the file: --spec FILE",
        ));
    }
    // A pipe or a device has no length beforehand: no more than this is ever read.
    let mut bytes = Vec::new();
    let is_too_long = metadata.len() > MAX_SPEC_BYTES || {
        let limit = MAX_SPEC_BYTES + 1;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        bytes.len() as u64 > MAX_SPEC_BYTES
    };
    if is_too_long {
        let text = format!("the spec {} has more than {MAX_SPEC_BYTES} bytes", path.display());
        return Err(Failure::refused(text, "name the spec's file; this is some other file"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "name it with --spec FILE, or make one: dormouse-generate init",
        _ => "make it readable, or name another one with --spec FILE",
    };
    Failure::refused(format!("cannot read the spec {}: {}", path.display(), reason(error)), fix)
}

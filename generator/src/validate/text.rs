//! Rules for strings that end up in files of other programs.

use crate::json_path::JsonPath;
use crate::problem::Problem;

/// Names become file names, unit names, ssh host patterns, Linux users and EC2 tags:
/// the longest that all of them take is a DNS label.
const LONGEST_NAME: usize = 63;

/// A name that is the value at `path`.
pub(super) fn name(name: &str, path: &JsonPath, what: &str) -> Option<Problem> {
    let refuse = |reason: String| {
        let fix = format!("write 1 to {LONGEST_NAME} lower-case letters, digits and inner hyphens");
        Some(Problem::new(path.clone(), reason, fix))
    };
    if name.is_empty() {
        return refuse(format!("{what} is empty"));
    }
    if name.len() > LONGEST_NAME {
        return refuse(format!("{what} has {} bytes", name.len()));
    }
    if let Some(c) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return refuse(format!("{what} cannot hold {c:?}"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return refuse(format!("{what} neither begins nor ends with a hyphen"));
    }
    None
}

/// A name that is the key at the end of `path`.
pub(super) fn key(key: &str, path: &JsonPath, what: &str) -> Option<Problem> {
    name(key, path, what).map(Problem::on_key)
}

/// A string for one line of a configuration file: not empty, no control characters.
pub(super) fn line(value: &str, path: &JsonPath, what: &str) -> Option<Problem> {
    if value.trim().is_empty() {
        return Some(Problem::new(path.clone(), format!("{what} is empty"), "write it, or remove the entry"));
    }
    value.chars().find(|c| c.is_control()).map(|c| {
        Problem::new(path.clone(), format!("{what} cannot hold {c:?}"), "write it on one line, without tabs")
    })
}

/// The absolute path of a secret on a host; `home` also allows `~/`.
pub(super) fn secret_path(value: &str, path: &JsonPath, what: &str, home: bool) -> Option<Problem> {
    rooted(value, path, what, home).or_else(|| {
        (value == "/nix/store" || value.starts_with("/nix/store/")).then(|| {
            let reason = format!("{what} lies in the Nix store, which every user can read");
            Problem::new(path.clone(), reason, "keep it elsewhere, such as below /run/secrets")
        })
    })
}

/// The absolute path of a file or folder on a host.
pub(super) fn absolute(value: &str, path: &JsonPath, what: &str) -> Option<Problem> {
    rooted(value, path, what, false)
}

fn rooted(value: &str, path: &JsonPath, what: &str, home: bool) -> Option<Problem> {
    if let Some(problem) = line(value, path, what) {
        return Some(problem);
    }
    let is_absolute = value.starts_with('/') || home && value.starts_with("~/");
    if !is_absolute {
        let wanted = if home { "a path that begins with / or ~/" } else { "a path that begins with /" };
        return Some(Problem::new(
            path.clone(),
            format!("{what} is not absolute"),
            format!("write {wanted}"),
        ));
    }
    if value.trim_end_matches('/').is_empty() {
        return Some(Problem::new(
            path.clone(),
            format!("{what} is the root folder"),
            "write a folder of its own",
        ));
    }
    if value.split('/').any(|part| part == "..") {
        return Some(Problem::new(
            path.clone(),
            format!("{what} goes through `..`"),
            "write the path itself",
        ));
    }
    None
}

//! Alert rules for Prometheus. A host that is dead has no metric, so that is an alarm too.

use std::path::{Path, PathBuf};

use super::Watched;
use crate::report::sink::Trouble;
use crate::report::sink::prometheus::{LAST_SUCCESS, escape, put};

/// Writes the rules, unless they are there.
///
/// # Errors
/// [`Trouble::File`].
pub fn apply(file: &str, watched: &[Watched<'_>]) -> Result<String, Trouble> {
    let (path, text) = (PathBuf::from(file), rules(watched));
    if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return Ok(format!("{file} is as the spec says"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    put(folder, &path, &text).map_err(|source| Trouble::File { path: path.clone(), source })?;
    Ok(format!("wrote {file}; Prometheus reads it when it is reloaded"))
}

/// The rules in YAML, in which JSON's strings are strings.
#[must_use]
pub fn rules(watched: &[Watched<'_>]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = String::from("# Written by `dormouse alarm apply`.\ngroups:\n");
    for one in watched {
        let labels = [("spec", one.spec), ("host", one.host), ("replication", one.replication)];
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).join(",");
        let metric = format!("{LAST_SUCCESS}{{{labels}}}");
        let expression = format!("time() - {metric} > {} or absent({metric})", one.alert_after);
        text.push_str(&format!(
            "  - name: {}\n    rules:\n      - alert: DormouseStale\n        expr: {}\n        labels:\n          \
             severity: critical\n        annotations:\n          summary: {}\n",
            quoted(&format!("dormouse {}", one.slug())),
            quoted(&expression),
            quoted(&one.text()),
        ));
    }
    text
}

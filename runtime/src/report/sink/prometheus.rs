//! Metrics for the textfile collector of Prometheus' node exporter: one file for each
//! replication, replaced as a whole (node_exporter, "Textfile Collector").

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dormouse_generator::spec::Prometheus;

use super::Trouble;
use crate::report::event::Event;

/// When a run of a replication last succeeded; what alert rules look at.
pub const LAST_SUCCESS: &str = "dormouse_last_success_timestamp_seconds";

/// Writes the metrics of a replication.
///
/// # Errors
/// [`Trouble::File`].
pub fn write(sink: &Prometheus, event: &Event, alert_after: u64) -> Result<(), Trouble> {
    let folder = Path::new(&sink.textfile_dir);
    let path = folder.join(format!("dormouse_{}_{}.prom", event.spec, event.replication));
    put(folder, &path, &metrics(event, alert_after)).map_err(|source| Trouble::File { path, source })
}

/// Whether a file can be written there.
///
/// # Errors
/// [`Trouble::File`].
pub fn check(sink: &Prometheus) -> Result<(), Trouble> {
    let made = tempfile::Builder::new().prefix(".dormouse").suffix(".new").tempfile_in(&sink.textfile_dir);
    made.map(|_| ()).map_err(|source| Trouble::File { path: PathBuf::from(&sink.textfile_dir), source })
}

/// Writes a file that others may read, as a whole. While it is written its name does not end in
/// `.prom`, so that nobody reads half of it.
pub fn put(folder: &Path, path: &PathBuf, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".dormouse").suffix(".new").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// The metrics in Prometheus' text format.
#[must_use]
pub fn metrics(event: &Event, alert_after: u64) -> String {
    let labels = [
        ("spec", event.spec.as_str()),
        ("host", &event.host),
        ("replication", &event.replication),
        ("archiver", &event.archiver),
    ];
    let mut text = String::new();
    let mut one = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            family(&mut text, name, help, &[(labels.to_vec(), value)]);
        }
    };
    one("dormouse_last_run_timestamp_seconds", "When the last run began.", Some(event.started_at as f64));
    one(LAST_SUCCESS, "When a run last succeeded.", Some(event.last_success_at.map_or(0.0, |at| at as f64)));
    one(
        "dormouse_alert_after_seconds",
        "Without a success for this long, an alarm is due.",
        Some(alert_after as f64),
    );
    one(
        "dormouse_last_run_success",
        "Whether the last run succeeded.",
        Some(f64::from(u8::from(event.success))),
    );
    one("dormouse_last_run_exit_code", "Its exit code.", event.exit.map(f64::from));
    one("dormouse_last_run_duration_seconds", "How long it took.", Some(event.seconds));
    one("dormouse_last_run_sent_bytes", "How many bytes it sent.", Some(event.bytes as f64));
    one(
        "dormouse_last_run_instance_seconds",
        "How long it used an instance.",
        event.instance_seconds.map(|seconds| seconds as f64),
    );
    one("dormouse_last_run_cost_dollars", "What that costs by list prices.", event.cost_usd);
    if let Some(pool) = &event.pool {
        one("dormouse_pool_size_bytes", "The size of the archiver's pool.", Some(pool.size as f64));
        one("dormouse_pool_allocated_bytes", "How much of it is in use.", Some(pool.allocated as f64));
        one("dormouse_pool_free_bytes", "How much of it is free.", Some(pool.free as f64));
        one(
            "dormouse_pool_healthy",
            "Whether it is online.",
            Some(f64::from(u8::from(pool.trouble().is_none()))),
        );
    }
    let with = |name: &'static str, value: String| {
        let mut labels: Vec<(&str, String)> =
            labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        labels.push((name, value));
        labels
    };
    let datasets = [("sent", event.sent), ("skipped", event.skipped), ("failed", event.failed)];
    let datasets: Vec<_> = datasets
        .iter()
        .map(|(result, number)| (with("result", (*result).to_owned()), *number as f64))
        .collect();
    family(&mut text, "dormouse_last_run_datasets", "How many datasets fared how.", &datasets);
    let end = event.started_at as f64 + event.seconds;
    let waiting: Vec<_> = event
        .datasets
        .iter()
        .filter_map(|dataset| {
            Some((with("dataset", dataset.dataset.clone()), end - dataset.oldest_unreplicated_s? as f64))
        })
        .collect();
    family(
        &mut text,
        "dormouse_oldest_unreplicated_snapshot_timestamp_seconds",
        "When the oldest snapshot was made that the archiver does not have.",
        &waiting,
    );
    text
}

/// A metric with all its label sets; nothing when there are none.
fn family<S: AsRef<str>>(text: &mut String, name: &str, help: &str, values: &[(Vec<(&str, S)>, f64)]) {
    if values.is_empty() {
        return;
    }
    let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in values {
        let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value.as_ref())));
        let _infallible = writeln!(text, "{name}{{{}}} {value}", labels.collect::<Vec<_>>().join(","));
    }
}

/// A label's value (Prometheus, "Exposition formats").
#[must_use]
pub fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

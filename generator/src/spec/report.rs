//! Who hears of a host's runs, and of runs that are missing.
//!
//! Every secret is named by the file that holds it on the host, since the spec is public. A file
//! named `<table>.<field>`, such as `honeycomb.api_key_file`, among the credentials that systemd
//! gives the service (`LoadCredential=`) takes its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// Who hears of a host's runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Honeycomb's events API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honeycomb: Option<Honeycomb>,
    /// OpenTelemetry over HTTP: a trace for each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// Pings as healthchecks.io takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<Ping>,
    /// Any service that takes JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Metrics for Prometheus' node exporter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
    /// Whether runs go to the journal as structured entries.
    #[serde(default, skip_serializing_if = "is_false")]
    pub journald: bool,
    /// A program and its arguments that gets each run as JSON on its stdin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Without a successful run for this long, an alarm is due.
    #[serde(default = "alert_after")]
    pub alert_after: Duration,
    /// Whom this host itself tells when an alarm is due (`dormouse alarm check`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// Honeycomb's events API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Honeycomb {
    /// Honeycomb dataset that receives the events.
    pub dataset: String,
    /// Absolute path, on the host, of the file that holds the API key.
    pub api_key_file: String,
    /// Where the API is; `https://api.honeycomb.io` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_host: Option<String>,
    /// Who is told by the trigger that `dormouse alarm apply` makes: e-mail addresses, or IDs of
    /// recipients that exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

/// An OpenTelemetry receiver (OTLP over HTTP with JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Base URL, such as `http://localhost:4318`; traces go to `/v1/traces` below it.
    pub endpoint: String,
    /// Absolute path, on the host, of a file with a header (`Name: value`) on each line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_file: Option<String>,
}

/// Pings as healthchecks.io takes them: the URL on success, with `/start` and `/fail` otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Absolute path, on the host, of the file that holds the URL. In it, `{spec}`, `{host}` and
    /// `{replication}` stand for their names, so that each replication has a check of its own.
    pub url_file: String,
    /// Lets `dormouse alarm apply` make the checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthchecks: Option<Healthchecks>,
}

/// The management API of healthchecks.io or of a server of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Healthchecks {
    /// Where the API is; `https://healthchecks.io/api/v3` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Absolute path, on the host, of the file that holds the API key.
    pub api_key_file: String,
}

/// Any service that takes JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Absolute path, on the host, of the file that holds the URL.
    pub url_file: String,
    /// Absolute path, on the host, of a file with a header (`Name: value`) on each line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_file: Option<String>,
}

/// Metrics for Prometheus' node exporter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// The folder of `--collector.textfile.directory`.
    pub textfile_dir: String,
    /// Where `dormouse alarm apply` writes the alert rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_file: Option<String>,
}

/// Whom a host itself tells when an alarm is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// An address for `sendmail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// A topic of ntfy.sh or of a server of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ntfy: Option<Ntfy>,
    /// A program and its arguments that gets the text on its stdin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// A topic of ntfy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ntfy {
    /// Absolute path, on the host, of the file that holds the topic's URL.
    pub url_file: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn alert_after() -> Duration {
    Duration::from_secs(3_600)
}

//! OpenTelemetry over HTTP with JSON: a trace for each run, a span for each phase
//! (OpenTelemetry Protocol Specification, "OTLP/HTTP" and "JSON Protobuf Encoding").

use std::time::Duration;

use dormouse_generator::spec::Otlp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Trouble;
use crate::report::event::Event;
use crate::report::http::Request;
use crate::report::secret::Secret;

/// `SPAN_KIND_INTERNAL`, `STATUS_CODE_OK`, `STATUS_CODE_ERROR` (trace.proto): enums are numbers in
/// OTLP's JSON.
const INTERNAL: u8 = 1;
const OK: u8 = 1;
const ERROR: u8 = 2;

/// Sends a trace.
///
/// # Errors
/// [`Trouble`].
pub async fn send(sink: &Otlp, event: &Event, deadline: Duration) -> Result<(), Trouble> {
    post(sink, &trace(event), deadline).await
}

/// Whether it takes a request without any span.
///
/// # Errors
/// [`Trouble`].
pub async fn check(sink: &Otlp, deadline: Duration) -> Result<(), Trouble> {
    post(sink, &json!({ "resourceSpans": [] }), deadline).await
}

async fn post(sink: &Otlp, body: &Value, deadline: Duration) -> Result<(), Trouble> {
    let headers = match &sink.headers_file {
        Some(path) => Secret::read("otlp.headers_file", path)?.headers(path)?,
        None => Vec::new(),
    };
    let url = format!("{}/v1/traces", sink.endpoint.trim_end_matches('/'));
    let answer = Request::post(url, body).headers(headers).send(deadline).await?;
    accepted(&answer)
}

/// A success may say that it took only a part.
fn accepted(answer: &str) -> Result<(), Trouble> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    match &partial["rejectedSpans"] {
        Value::Null => Ok(()),
        rejected if rejected.as_str().unwrap_or_default() == "0" || rejected.as_u64() == Some(0) => Ok(()),
        rejected => {
            let why = partial["errorMessage"].as_str().unwrap_or_default();
            Err(Trouble::Strange(format!("it rejected {rejected} spans: {why}")))
        }
    }
}

/// The request: the run and its phases.
#[must_use]
pub fn trace(event: &Event) -> Value {
    let root = span_id(event, "run");
    let mut spans = vec![json!({
        "traceId": event.run,
        "spanId": root,
        "name": format!("replicate {}", event.replication),
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(event, 0.0),
        "endTimeUnixNano": nanos(event, event.seconds),
        "attributes": attributes(event),
        "status": match event.success {
            true => json!({ "code": OK }),
            false => json!({ "code": ERROR, "message": event.error.clone().unwrap_or_default() }),
        },
    })];
    spans.extend(event.phases.iter().enumerate().map(|(index, phase)| {
        json!({
            "traceId": event.run,
            "spanId": span_id(event, &format!("{index}")),
            "parentSpanId": root,
            "name": phase.phase.name(),
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(event, phase.start_s),
            "endTimeUnixNano": nanos(event, phase.start_s + phase.seconds),
        })
    }));
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "dormouse"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("host.name", &event.host),
        ] },
        "scopeSpans": [{ "scope": { "name": "dormouse" }, "spans": spans }],
    }] })
}

/// Every field that is a word, a number or a truth.
fn attributes(event: &Event) -> Vec<Value> {
    let value = serde_json::to_value(event).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| attribute(&format!("dormouse.{name}"), value)).collect()
}

fn attribute(key: &str, value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(word) => text(key, word),
        Value::Bool(truth) => json!({ "key": key, "value": { "boolValue": truth } }),
        // 64-bit integers are text in Protobuf's JSON.
        Value::Number(number) if !number.is_f64() => {
            json!({ "key": key, "value": { "intValue": number.to_string() } })
        }
        Value::Number(number) => json!({ "key": key, "value": { "doubleValue": number } }),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 8 bytes in hexadecimal, the same for the same span.
fn span_id(event: &Event, what: &str) -> String {
    let digest = Sha256::digest(format!("{}/{}/{what}", event.run, event.replication));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn nanos(event: &Event, after_s: f64) -> String {
    let start = u128::try_from(event.started_at).unwrap_or(0) * 1_000_000_000;
    (start + Duration::from_secs_f64(after_s.max(0.0)).as_nanos()).to_string()
}

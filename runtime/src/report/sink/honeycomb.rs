//! Honeycomb's events API: `POST /1/events/<dataset>` (Honeycomb API, "Create an Event").

use std::time::Duration;

use dormouse_generator::spec::Honeycomb;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Trouble;
use crate::report::event::Event;
use crate::report::http::Request;
use crate::report::secret::Secret;

/// Where the API is unless the spec says otherwise.
const API: &str = "https://api.honeycomb.io";

/// What a path cannot hold as it is (RFC 3986, "Unreserved Characters").
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request to the API with its key.
///
/// # Errors
/// [`Trouble::Secret`].
pub fn authorized(sink: &Honeycomb, request: Request) -> Result<Request, Trouble> {
    let key = Secret::read("honeycomb.api_key_file", &sink.api_key_file)?;
    Ok(request.header("X-Honeycomb-Team", key.reveal()))
}

/// The address of one of the API's calls for the spec's dataset: `…/1/<call>/<dataset>`.
#[must_use]
pub fn url(sink: &Honeycomb, call: &str) -> String {
    let api = sink.api_host.as_deref().unwrap_or(API).trim_end_matches('/');
    format!("{api}/1/{call}/{}", utf8_percent_encode(&sink.dataset, &RESERVED))
}

/// Sends an event.
///
/// # Errors
/// [`Trouble`].
pub async fn send(sink: &Honeycomb, event: &Event, deadline: Duration) -> Result<(), Trouble> {
    let time = Timestamp::from_second(event.started_at).unwrap_or_default().to_string();
    let request = Request::post(url(sink, "events"), &fields(event)).header("X-Honeycomb-Event-Time", time);
    authorized(sink, request)?.send(deadline).await.map(|_| ())
}

/// Whether the API knows the key (Honeycomb API, "Auth").
///
/// # Errors
/// [`Trouble`].
pub async fn check(sink: &Honeycomb, deadline: Duration) -> Result<(), Trouble> {
    let api = sink.api_host.as_deref().unwrap_or(API).trim_end_matches('/');
    authorized(sink, Request::get(format!("{api}/1/auth")))?.send(deadline).await.map(|_| ())
}

/// One flat object: what is nested would become text that no query can look into.
fn fields(event: &Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for nested in ["phases", "datasets", "pool", "warnings"] {
            fields.remove(nested);
        }
        if let Some(pool) = &event.pool {
            fields.insert("pool_size_bytes".to_owned(), pool.size.into());
            fields.insert("pool_allocated_bytes".to_owned(), pool.allocated.into());
            fields.insert("pool_health".to_owned(), pool.health.clone().into());
        }
        if let Ok(datasets) = serde_json::to_string(&event.datasets) {
            fields.insert("datasets".to_owned(), datasets.into());
        }
        fields.insert("name".to_owned(), "dormouse replicate".into());
        fields.insert("duration_ms".to_owned(), (event.seconds * 1_000.0).round().into());
        fields.retain(|_, value| !value.is_null());
    }
    value
}

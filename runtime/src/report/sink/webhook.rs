//! Any service that takes JSON: a POST of the event as it is.

use std::time::Duration;

use dormouse_generator::spec::Webhook;

use super::Trouble;
use crate::report::event::Event;
use crate::report::http::Request;
use crate::report::secret::Secret;

/// The URL.
///
/// # Errors
/// [`Trouble::Secret`].
pub fn url(sink: &Webhook) -> Result<Secret, Trouble> {
    Secret::read("webhook.url_file", &sink.url_file)
}

/// Sends an event.
///
/// # Errors
/// [`Trouble`].
pub async fn send(sink: &Webhook, event: &Event, deadline: Duration) -> Result<(), Trouble> {
    let url = url(sink)?;
    let headers = match &sink.headers_file {
        Some(path) => Secret::read("webhook.headers_file", path)?.headers(path)?,
        None => Vec::new(),
    };
    let body = serde_json::to_value(event).map_err(|error| Trouble::Strange(error.to_string()))?;
    Request::post(url.reveal(), &body).headers(headers).send(deadline).await.map(|_| ())
}

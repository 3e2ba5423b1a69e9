//! One HTTP request with a deadline. No text that it returns holds the URL or a header, which may
//! be secrets.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request as HttpRequest};

use super::secret::Secret;
use super::sink::Trouble;
use crate::log;

/// How much of an answer is read, in bytes, and how much of a refusal is told, in characters.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;
const MAX_TOLD: usize = 300;

/// Headers that are no secrets.
const PUBLIC: [&str; 5] = ["Content-Type", "Priority", "Tags", "Title", "X-Honeycomb-Event-Time"];

/// Whether the server of a URL answers anything, asked for its front page.
///
/// # Errors
/// [`Trouble::NoAnswer`].
pub async fn answers(url: &Secret, deadline: Duration) -> Result<(), Trouble> {
    let end = url
        .reveal()
        .find("://")
        .and_then(|scheme| url.reveal()[scheme + 3..].find(['/', '?', '#']).map(|end| scheme + 3 + end));
    let origin = &url.reveal()[..end.unwrap_or(url.reveal().len())];
    match Request::get(format!("{origin}/")).send(deadline).await {
        Err(Trouble::NoAnswer(detail)) => Err(Trouble::NoAnswer(detail)),
        _ => Ok(()),
    }
}

/// A request.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: Method::GET, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(url: impl Into<String>, body: &Value) -> Self {
        Self::with_body(Method::POST, url, body.to_string().into_bytes(), "application/json")
    }

    /// A PUT of JSON.
    #[must_use]
    pub fn put(url: impl Into<String>, body: &Value) -> Self {
        Self::with_body(Method::PUT, url, body.to_string().into_bytes(), "application/json")
    }

    /// A POST of text.
    #[must_use]
    pub fn post_text(url: impl Into<String>, text: &str) -> Self {
        Self::with_body(Method::POST, url, text.as_bytes().to_vec(), "text/plain; charset=utf-8")
    }

    fn with_body(method: Method, url: impl Into<String>, body: Vec<u8>, kind: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { method, url: url.into(), headers, body }
    }

    /// With another header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With other headers.
    #[must_use]
    pub fn headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sends it and returns what is answered to a success (2xx).
    ///
    /// # Errors
    /// [`Trouble::Refused`] or [`Trouble::NoAnswer`].
    pub async fn send(self, deadline: Duration) -> Result<String, Trouble> {
        // A thread that is stuck in a lookup of a name does not end with its deadline.
        let asking = tokio::task::spawn_blocking(move || self.ask(deadline));
        match tokio::time::timeout(deadline, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(Trouble::NoAnswer(error.to_string())),
            Err(_) => Err(Trouble::NoAnswer(format!("nothing within {} s", deadline.as_secs_f64().ceil()))),
        }
    }

    fn ask(self, deadline: Duration) -> Result<String, Trouble> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(deadline))
            .http_status_as_error(false)
            // The next server would get headers and a body that are for this one alone. ureq returns the
            // redirection as an answer.
            .max_redirects(0)
            .user_agent(concat!("dormouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let no_answer = |error: &dyn std::fmt::Display| Trouble::NoAnswer(self.clean(&error.to_string()));
        let mut request = HttpRequest::builder().method(self.method.clone()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(self.body.clone()).map_err(|error| no_answer(&error))?;
        let mut answer = agent.run(request).map_err(|error| no_answer(&error))?;
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).lossy_utf8(true).read_to_string();
        let status = answer.status();
        log::detail(&format!("{} was answered with {status}", self.method));
        if status.is_success() {
            return Ok(text.unwrap_or_default());
        }
        if status.is_redirection() {
            return Err(Trouble::Redirected { status: status.as_u16() });
        }
        let detail = self.clean(&text.unwrap_or_default());
        let detail: String = detail.chars().take(MAX_TOLD).collect();
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(Trouble::Refused { status: status.as_u16(), detail })
    }

    /// A text without the URL and the headers: some services repeat what they were asked.
    fn clean(&self, text: &str) -> String {
        let text = text.replace(&self.url, "the URL");
        let path = self.url.splitn(4, '/').nth(3).filter(|path| !path.is_empty());
        let text = path.map_or_else(|| text.clone(), |path| text.replace(path, "…"));
        let secrets = self.headers.iter().filter(|(name, _)| !PUBLIC.contains(&name.as_str()));
        secrets.fold(text, |text, (_, value)| text.replace(value, "…"))
    }
}

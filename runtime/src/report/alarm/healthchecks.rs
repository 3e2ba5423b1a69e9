//! A check of healthchecks.io or of a server of one's own (Healthchecks, "Management API v3").

use std::time::Duration;

use dormouse_generator::spec::{Healthchecks, Ping};
use serde_json::{Value, json};

use super::Watched;
use crate::report::http::Request;
use crate::report::secret::Secret;
use crate::report::sink::{Trouble, ping};

/// Where the API is unless the spec says otherwise.
const API: &str = "https://healthchecks.io/api/v3";

/// The shortest period and grace time of a check, in seconds.
const SHORTEST: u64 = 60;

/// Makes the check, or changes it to what the spec says: the API itself tells by its name which
/// one is meant.
///
/// # Errors
/// [`Trouble`].
pub async fn apply(
    sink: &Ping,
    api: &Healthchecks,
    watched: &Watched<'_>,
    deadline: Duration,
) -> Result<String, Trouble> {
    let key = Secret::read("ping.healthchecks.api_key_file", &api.api_key_file)?;
    let url = format!("{}/checks/", api.api_url.as_deref().unwrap_or(API).trim_end_matches('/'));
    let request = Request::post(url, &check(watched)).header("X-Api-Key", key.reveal());
    let answer: Value = serde_json::from_str(&request.send(deadline).await?)
        .map_err(|_| Trouble::Strange("a check is none".to_owned()))?;
    let slug = watched.slug();
    let names = [watched.spec, watched.host, watched.replication];
    let pinged = ping::url(&ping::read(sink)?, names, "", "");
    let uuid = answer["ping_url"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    if pinged.contains(&slug) || !uuid.is_empty() && pinged.contains(uuid) {
        return Ok(format!("check {slug} is as the spec says"));
    }
    let file = &sink.url_file;
    Ok(format!(
        "check {slug} is as the spec says, but pings go elsewhere: write \
         `https://hc-ping.com/<ping key>/{{spec}}-{{host}}-{{replication}}` into {file}"
    ))
}

/// The check. It goes off when both times are over; the second is also how long a run may take
/// after its `/start`.
#[must_use]
pub fn check(watched: &Watched<'_>) -> Value {
    let timeout = (watched.alert_after / 2).max(SHORTEST);
    let grace = watched.alert_after.saturating_sub(timeout).max(SHORTEST);
    json!({
        "name": format!("dormouse {}", watched.slug()),
        "slug": watched.slug(),
        "desc": watched.text(),
        "tags": "dormouse",
        "timeout": timeout,
        "grace": grace,
        "channels": "*",
        "unique": ["name"],
    })
}

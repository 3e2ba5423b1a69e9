//! Pings as healthchecks.io takes them: the URL itself on success, `/start` before, `/fail`
//! otherwise; `rid` joins the two of a run (Healthchecks, "Pinging API").

use std::time::Duration;

use dormouse_generator::spec::Ping;

use super::Trouble;
use crate::report::event::{Begun, Event, Verdict};
use crate::report::http::Request;
use crate::report::secret::Secret;

/// Says that a run begins.
///
/// # Errors
/// [`Trouble`].
pub async fn start(sink: &Ping, begun: &Begun, deadline: Duration) -> Result<(), Trouble> {
    let names = [begun.spec.as_str(), &begun.host, &begun.replication];
    let url = url(&read(sink)?, names, "/start", &begun.identity.run);
    Request::post_text(url, "").send(deadline).await.map(|_| ())
}

/// Says how a run ended. Of one that found another at work there is nothing to say.
///
/// # Errors
/// [`Trouble`].
pub async fn send(sink: &Ping, event: &Event, deadline: Duration) -> Result<(), Trouble> {
    if event.verdict == Verdict::Locked {
        return Ok(());
    }
    let names = [event.spec.as_str(), &event.host, &event.replication];
    let end = if event.success { "" } else { "/fail" };
    let url = url(&read(sink)?, names, end, &event.run);
    let help = event.help.as_deref().map(|help| format!("\n{help}")).unwrap_or_default();
    Request::post_text(url, &format!("{}{help}\n", event.summary())).send(deadline).await.map(|_| ())
}

/// The URL, with its holes.
///
/// # Errors
/// [`Trouble::Secret`].
pub fn read(sink: &Ping) -> Result<Secret, Trouble> {
    Secret::read("ping.url_file", &sink.url_file)
}

/// The URL for one replication; a query that it has stays behind the path.
#[must_use]
pub fn url(secret: &Secret, [spec, host, replication]: [&str; 3], end: &str, run: &str) -> String {
    let names = [("{spec}", spec), ("{host}", host), ("{replication}", replication)];
    let url = names.iter().fold(secret.reveal().to_owned(), |url, (hole, name)| url.replace(hole, name));
    let (path, query) = url.split_once('?').map_or((url.as_str(), None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("{query}&")).unwrap_or_default();
    format!("{}{end}?{query}rid={}", path.trim_end_matches('/'), uuid(run))
}

/// 32 digits with the hyphens that a UUID has (RFC 9562).
fn uuid(run: &str) -> String {
    let part = |range: std::ops::Range<usize>| run.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

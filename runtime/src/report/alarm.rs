//! The alarm for runs that are missing: set up at services, which notice even a host that is dead,
//! or raised by the host itself.
//!
//! - [`honeycomb`], [`healthchecks`], [`prometheus`]: what watches elsewhere
//! - [`notify`]: whom the host tells

pub mod healthchecks;
pub mod honeycomb;
pub mod notify;
pub mod prometheus;

use std::time::Duration;

use dormouse_generator::spec::Report;

use super::sink::Trouble;

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// A replication that is watched.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// The spec's name.
    pub spec: &'a str,
    /// The host.
    pub host: &'a str,
    /// The replication.
    pub replication: &'a str,
    /// Without a success for this long, in seconds, the alarm goes off.
    pub alert_after: u64,
}

impl Watched<'_> {
    /// What it is called among other alarms: `home-desktop-safe`.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{}-{}-{}", self.spec, self.host, self.replication)
    }

    /// What the alarm says.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { host, replication, alert_after, .. } = self;
        let age = crate::output::human_age(i64::try_from(*alert_after).unwrap_or(i64::MAX));
        format!(
            "No backup of {host}/{replication} has succeeded for {age}: `dormouse status` on {host} says more"
        )
    }
}

/// Sets up every alarm of a host's report; returns what was done or found, by service.
///
/// # Errors
/// [`Trouble`], with the service.
pub async fn apply(
    report: &Report,
    watched: &[Watched<'_>],
) -> Result<Vec<(&'static str, String)>, (&'static str, Trouble)> {
    let mut done = Vec::new();
    if let Some(honeycomb) = report.honeycomb.as_ref().filter(|sink| !sink.recipients.is_empty()) {
        for one in watched {
            let said =
                honeycomb::apply(honeycomb, one, ANSWER).await.map_err(|error| ("honeycomb", error))?;
            done.push(("honeycomb", said));
        }
    }
    if let Some((ping, api)) = report.ping.as_ref().and_then(|ping| Some((ping, ping.healthchecks.as_ref()?)))
    {
        for one in watched {
            let said =
                healthchecks::apply(ping, api, one, ANSWER).await.map_err(|error| ("healthchecks", error))?;
            done.push(("healthchecks", said));
        }
    }
    if let Some(rules) = report.prometheus.as_ref().and_then(|sink| sink.rules_file.as_ref()) {
        done.push(("prometheus", prometheus::apply(rules, watched).map_err(|error| ("prometheus", error))?));
    }
    Ok(done)
}

//! How replications and archivers stand, from what was last seen of them.

use dormouse_generator::spec::{Archiver, Provider, VolumeType};
use serde::Serialize;

use super::event::Event;
use super::known::Known;
use super::recorder;
use super::seen::{LastRun, Sight, Sleep};
use crate::context::Context;
use crate::ec2::price::Prices;
use crate::output::{human_age, human_bytes};
use crate::replicate::Run;

/// How far back growth is measured, in seconds.
const GROWTH: i64 = 62 * 86_400;

/// The shortest time from which growth is told, in seconds; a first backup says nothing of the next.
const SHORTEST: i64 = 86_400;

/// When an alarm would be due on a host without `report`, in seconds; as `alert_after` by itself.
const ALERT_AFTER: u64 = 3_600;

/// A replication.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replication {
    /// Its name.
    pub replication: String,
    /// Its archiver.
    pub archiver: String,
    /// When a run last succeeded, in seconds since 1970.
    pub last_success_at: Option<i64>,
    /// How long ago that is, in seconds.
    pub age_s: Option<i64>,
    /// Without a success for this long, in seconds, an alarm is due.
    pub alert_after_s: u64,
    /// Whether it is.
    pub late: bool,
    /// The last run.
    pub last_run: Option<Event>,
}

/// An archiver.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArchiverHealth {
    /// Its name.
    pub archiver: String,
    /// Whether it sleeps, if it ever does.
    pub sleep: Option<Sleep>,
    /// Its pool.
    pub pool: Option<Sight>,
    /// How many bytes its pool grows in a day.
    pub growth_a_day: Option<f64>,
    /// When the pool is full at that rate, in seconds since 1970.
    pub full_at: Option<i64>,
    /// What instances have cost this host since the month began, in US dollars by list prices.
    pub instances_usd: Option<f64>,
    /// What its volume and image cost a month.
    pub month_usd: Option<f64>,
}

/// How a replication stands at `now`, by what was last seen of it.
#[must_use]
pub fn of(run: &Run<'_>, known: &Known, now: i64) -> Replication {
    let alert_after =
        recorder::report(run.context).map_or(ALERT_AFTER, |report| report.alert_after.as_secs());
    replication(run.name, &run.replication.archiver, known.last_run(run.name), alert_after, now)
}

/// How a replication stands at `now`.
#[must_use]
pub fn replication(
    name: &str,
    archiver: &str,
    last: Option<LastRun>,
    alert_after_s: u64,
    now: i64,
) -> Replication {
    let last_success_at = last.as_ref().and_then(|last| last.last_success_at);
    let age_s = last_success_at.map(|at| (now - at).max(0));
    Replication {
        replication: name.to_owned(),
        archiver: archiver.to_owned(),
        last_success_at,
        age_s,
        alert_after_s,
        late: age_s.is_none_or(|age| age.unsigned_abs() > alert_after_s),
        last_run: last.map(|last| last.event),
    }
}

/// How an archiver stands, from what was last seen and the events that are kept.
#[must_use]
pub fn archiver(context: &Context, known: &Known, name: &str, now: i64) -> Option<ArchiverHealth> {
    let spec = context.archiver(name).ok()?;
    let events = known.since(now - GROWTH);
    let ours: Vec<&Event> = events.iter().filter(|event| event.archiver == name).collect();
    let pool = known.pool(name);
    let growth_a_day = growth(&ours, pool.as_ref());
    let full_at = pool.as_ref().zip(growth_a_day).and_then(|(pool, growth)| full_at(pool, growth));
    let is_ec2 = matches!(spec.provider, Provider::Ec2(_));
    Some(ArchiverHealth {
        archiver: name.to_owned(),
        sleep: known.sleep(name),
        pool,
        growth_a_day,
        full_at,
        instances_usd: is_ec2.then(|| instances(&ours, month_began(now))),
        month_usd: asleep(spec),
    })
}

fn instances(events: &[&Event], since: i64) -> f64 {
    events.iter().filter(|event| event.started_at >= since).filter_map(|event| event.cost_usd).sum()
}

/// When the month began, in UTC, as AWS counts it.
fn month_began(now: i64) -> i64 {
    let now = jiff::Timestamp::from_second(now).unwrap_or_default();
    let now = now.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    now.first_of_month().and_then(|day| day.start_of_day()).map_or(0, |day| day.timestamp().as_second())
}

fn asleep(archiver: &Archiver) -> Option<f64> {
    let Provider::Ec2(ec2) = &archiver.provider else { return None };
    let kind = match archiver.volume.as_ref()?.kind {
        VolumeType::Sc1 => "sc1",
        VolumeType::St1 => "st1",
        VolumeType::Gp3 => "gp3",
    };
    Some(Prices::load().ok()?.cost(archiver, ec2, kind).month)
}

/// Bytes a day between the first sight that is kept and the last.
fn growth(events: &[&Event], last: Option<&Sight>) -> Option<f64> {
    let last = last?;
    let first = events.iter().filter_map(|event| event.pool.as_ref()).min_by_key(|sight| sight.at)?;
    let seconds = last.at - first.at;
    let bytes = last.allocated as f64 - first.allocated as f64;
    (seconds >= SHORTEST).then(|| bytes / seconds as f64 * 86_400.0)
}

fn full_at(pool: &Sight, growth: f64) -> Option<i64> {
    (growth > 0.0).then(|| pool.at.saturating_add((pool.free as f64 / growth * 86_400.0) as i64))
}

impl Replication {
    /// On one line.
    #[must_use]
    pub fn words(&self, now: i64) -> String {
        let alarm = human_age(i64::try_from(self.alert_after_s).unwrap_or(i64::MAX));
        let late = if self.late { "LATE: " } else { "" };
        let success = match self.age_s {
            Some(age) => format!("last success {} ago", human_age(age)),
            None => "no success yet".to_owned(),
        };
        let last = match &self.last_run {
            Some(run) if !run.success => {
                let error =
                    run.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("it failed");
                format!("; last run {} ago: {error}", human_age(now - run.started_at))
            }
            _ => String::new(),
        };
        format!("{} -> {}: {late}{success} (alarm after {alarm}){last}", self.replication, self.archiver)
    }
}

impl ArchiverHealth {
    /// On one line each; none when nothing is known.
    #[must_use]
    pub fn words(&self, now: i64) -> Vec<String> {
        let name = &self.archiver;
        let mut lines = Vec::new();
        if let Some(sleep) = &self.sleep {
            let seen = human_age(now - sleep.at);
            let state = match (&sleep.instance, sleep.launched) {
                (Some(instance), Some(launched)) => {
                    format!("awake since {} ({instance}), as last seen {seen} ago", human_age(now - launched))
                }
                _ => format!("asleep since {seen} ago"),
            };
            lines.push(format!("{name}: {state}{}", self.cost()));
        }
        if let Some(pool) = &self.pool {
            lines.push(format!("{name}: {}", self.pool_words(pool, now)));
        }
        lines
    }

    fn cost(&self) -> String {
        let instances = self.instances_usd.map(|usd| format!("; ${usd:.2} for instances this month"));
        let month = self.month_usd.map(|usd| format!(", ${usd:.2} a month asleep"));
        format!("{}{}", instances.unwrap_or_default(), month.unwrap_or_default())
    }

    fn pool_words(&self, pool: &Sight, now: i64) -> String {
        let percent = 100 * u128::from(pool.allocated) / u128::from(pool.size.max(1));
        let (used, size) = (human_bytes(pool.allocated), human_bytes(pool.size));
        let mut words = format!("{used} of {size} used ({percent} %), {}", pool.health);
        if let (Some(growth), Some(full_at)) = (self.growth_a_day, self.full_at) {
            let (growth, left) = (human_bytes(growth as u64), human_age(full_at - now));
            words.push_str(&format!(", grows {growth} a day: full in {left}"));
        }
        for said in pool.errors.iter().chain(&pool.scan) {
            words.push_str(&format!("; {said}"));
        }
        format!("{words}; as seen {} ago", human_age(now - pool.at))
    }
}

/// Nagios' one line (Monitoring Plugins Development Guidelines, "Plugin Output"), and whether all
/// is well. `max_age` in seconds outranks the spec.
#[must_use]
pub fn nagios(replications: &[Replication], max_age: Option<u64>) -> (String, bool) {
    let limit = |one: &Replication| max_age.unwrap_or(one.alert_after_s);
    let is_late = |one: &&Replication| one.age_s.is_none_or(|age| age.unsigned_abs() > limit(one));
    let late: Vec<&Replication> = replications.iter().filter(is_late).collect();
    let said = |one: &&Replication| {
        let age = one.age_s.map_or_else(|| "never".to_owned(), |age| format!("{} ago", human_age(age)));
        format!("{} succeeded {age}", one.replication)
    };
    let shown: Vec<String> = if late.is_empty() {
        replications.iter().map(|one| said(&one)).collect()
    } else {
        late.iter().map(said).collect()
    };
    let data = replications
        .iter()
        .filter_map(|one| Some(format!("{}_age={}s;;{};0", one.replication, one.age_s?, limit(one))));
    let state = if late.is_empty() { "OK" } else { "CRITICAL" };
    let data = data.collect::<Vec<_>>().join(" ");
    (format!("DORMOUSE {state} - {} | {data}", shown.join(", ")), late.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(success_at: Option<i64>) -> LastRun {
        let begun = crate::report::event::Begun {
            identity: crate::report::run::Identity {
                run: "0".repeat(32),
                trigger: "person".to_owned(),
                is_service: false,
            },
            spec: "home".to_owned(),
            host: "desktop".to_owned(),
            replication: "safe".to_owned(),
            archiver: "archiver".to_owned(),
            audit: false,
            started_at: 9_000,
        };
        let error = Some("archiver \"archiver\" cannot be reached".to_owned());
        LastRun { last_success_at: success_at, event: Event { error, ..Event::begun(&begun) } }
    }

    #[test]
    fn a_replication_is_late_when_its_last_success_is_older_than_the_alarm() {
        let stands = |success_at, now| replication("safe", "archiver", Some(last(success_at)), 3_600, now);
        assert!(!stands(Some(6_400), 10_000).late && stands(Some(6_399), 10_000).late);
        assert!(stands(None, 10_000).late && replication("safe", "archiver", None, 3_600, 0).late);
        assert_eq!(
            stands(Some(1_000), 10_000).words(10_000),
            "safe -> archiver: LATE: last success 2 h ago (alarm after 60 min); last run 16 min ago: \
             archiver \"archiver\" cannot be reached"
        );
    }

    #[test]
    fn nagios_gets_one_line_with_data() {
        let ones = [
            replication("safe", "archiver", Some(last(Some(9_000))), 3_600, 10_000),
            replication("vm", "archiver", None, 60, 10_000),
        ];
        let (line, good) = nagios(&ones, None);
        assert_eq!(
            (line.as_str(), good),
            ("DORMOUSE CRITICAL - vm succeeded never | safe_age=1000s;;3600;0", false)
        );
        let (line, good) = nagios(&ones[..1], None);
        assert_eq!(
            (line.as_str(), good),
            ("DORMOUSE OK - safe succeeded 16 min ago | safe_age=1000s;;3600;0", true)
        );
        assert!(!nagios(&ones[..1], Some(999)).1);
    }

    #[test]
    fn growth_is_measured_between_two_sights_that_are_a_day_apart() {
        let sight = |at, allocated| Sight {
            at,
            size: 1_000,
            allocated,
            free: 1_000 - allocated,
            health: "ONLINE".to_owned(),
            scan: None,
            errors: None,
            damaged: vec![],
        };
        let event = Event { pool: Some(sight(0, 100)), ..last(None).event };
        let now = sight(2 * 86_400, 300);
        assert_eq!(growth(&[&event], Some(&now)), Some(100.0));
        assert_eq!(full_at(&now, 100.0), Some(2 * 86_400 + 7 * 86_400));
        assert_eq!(growth(&[&event], Some(&sight(3_600, 300))), None, "too short to tell");
        assert_eq!(full_at(&now, -1.0), None);
    }

    #[test]
    fn months_begin_as_aws_counts_them() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(month_began(at("2026-11-25T03:00:00Z")), at("2026-11-01T00:00:00Z"));
    }
}

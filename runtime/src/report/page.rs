//! `dormouse report --html`: one page that shows how things were and are, without any script and
//! without anything that lies elsewhere.

pub mod chart;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use self::chart::{Chart, HEIGHT, Line, Span, WIDTH, days, line, timeline};
use super::event::{Event, Verdict};
use super::health::{ArchiverHealth, Replication};
use super::seen::Sight;
use crate::output::{count, human_age, human_bytes};

const TEMPLATE: &str = include_str!("page/page.html.j2");

/// How many runs are listed.
const LISTED: usize = 30;

/// What a page is made of.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The host's name.
    pub host: &'a str,
    /// Its replications.
    pub replications: &'a [Replication],
    /// Their archivers.
    pub archivers: &'a [ArchiverHealth],
    /// The events that are kept, the earliest first.
    pub events: &'a [Event],
}

/// A replication on the page.
#[derive(Debug, Serialize)]
struct Part {
    name: String,
    is_late: bool,
    words: String,
    error: Option<String>,
    charts: Vec<Chart>,
}

/// An archiver on the page.
#[derive(Debug, Serialize)]
struct Vault {
    name: String,
    words: Vec<String>,
    full: Option<String>,
    charts: Vec<Chart>,
}

/// A run in the list.
#[derive(Debug, Serialize)]
struct Row {
    began: String,
    replication: String,
    look: &'static str,
    verdict: &'static str,
    took: String,
    bytes: String,
    words: String,
}

/// The whole page.
#[derive(Debug, Serialize)]
struct Page {
    title: String,
    made: String,
    since: String,
    width: f64,
    height: f64,
    replications: Vec<Part>,
    archivers: Vec<Vault>,
    runs: Vec<Row>,
}

/// The page as HTML; `span` ends now.
///
/// # Errors
/// None with the template that this program was built with, which a test renders.
pub fn render(facts: &Facts<'_>, span: &Span) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // By its name it is escaped as HTML.
    environment.add_template("report.html", TEMPLATE)?;
    let page = Page {
        title: format!("Backups of {}", facts.host),
        made: span.moment(span.to),
        since: span.day(span.from),
        width: WIDTH,
        height: HEIGHT,
        replications: facts.replications.iter().map(|one| part(one, facts.events, span)).collect(),
        archivers: facts.archivers.iter().map(|one| vault(one, facts.events, span)).collect(),
        runs: facts.events.iter().rev().take(LISTED).map(|event| row(event, span)).collect(),
    };
    environment.get_template("report.html")?.render(Serde(page))
}

fn part(one: &Replication, events: &[Event], span: &Span) -> Part {
    let ours: Vec<&Event> = events.iter().filter(|event| event.replication == one.replication).collect();
    let failed = one.last_run.as_ref().filter(|run| !run.success);
    let error = failed.and_then(|run| {
        let help = run.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        run.error.as_ref().map(|error| format!("{error}{help}"))
    });
    let alert_after = one.alert_after_s as f64;
    Part {
        name: one.replication.clone(),
        is_late: one.late,
        // The error stands below it as a whole.
        words: Replication { last_run: None, ..one.clone() }.words(span.to),
        error,
        charts: vec![runs(&ours, span), lag(&ours, alert_after, span), bytes(&ours, span)],
    }
}

fn runs(events: &[&Event], span: &Span) -> Chart {
    let marks: Vec<_> = events
        .iter()
        .map(|event| (event.started_at, look(event.verdict), said(event.verdict).to_owned()))
        .collect();
    let failed = events.iter().filter(|event| !event.success).count();
    Chart {
        title: "Runs".to_owned(),
        times: span.times(),
        bars: timeline(span, &marks),
        words: format!("{}, of which {failed} did not succeed", count(events.len(), "run")),
        ..Chart::default()
    }
}

fn lag(events: &[&Event], alert_after: f64, span: &Span) -> Chart {
    let values: Vec<_> = events
        .iter()
        .map(|event| (event.started_at, event.oldest_unreplicated_s.unwrap_or(0).max(0) as f64))
        .collect();
    let most = values.iter().fold(0.0, |most: f64, (_, lag)| most.max(*lag));
    let top = most.max(alert_after) * 1.05;
    let limit = line(span, "limit", &[(span.from, alert_after), (span.to, alert_after)], top);
    let human = |seconds: f64| human_age(seconds as i64);
    Chart {
        title: "Age of the oldest snapshot that is not archived (dashed: the alarm)".to_owned(),
        top: human(top),
        times: span.times(),
        lines: vec![limit, line(span, "plain", &values, top)],
        words: format!("{} at most; the alarm is due after {}", human(most), human(alert_after)),
        ..Chart::default()
    }
}

fn bytes(events: &[&Event], span: &Span) -> Chart {
    let values: Vec<_> = events.iter().map(|event| (event.started_at, event.bytes as f64)).collect();
    let human = |bytes: f64| human_bytes(bytes as u64);
    let (bars, top) = days(span, &values, human);
    Chart {
        title: "Sent, by day".to_owned(),
        top: human(top),
        times: span.times(),
        words: format!("{} on the day with most", human(top)),
        bars,
        ..Chart::default()
    }
}

fn vault(one: &ArchiverHealth, events: &[Event], span: &Span) -> Vault {
    let ours: Vec<&Event> = events.iter().filter(|event| event.archiver == one.archiver).collect();
    let mut charts = Vec::new();
    charts.extend(one.pool.as_ref().map(|pool| volume(&ours, pool, one.growth_a_day, span)));
    charts.extend(one.instances_usd.map(|_| cost(&ours, span)));
    Vault {
        name: one.archiver.clone(),
        words: one.words(span.to),
        full: one.full_at.map(|at| span.day(at)),
        charts,
    }
}

/// How full the pool was, and how full it will be if it goes on so.
fn volume(events: &[&Event], pool: &Sight, growth_a_day: Option<f64>, span: &Span) -> Chart {
    let span = span.with_future();
    let seen = events.iter().filter_map(|event| event.pool.as_ref());
    let values: Vec<_> = seen.chain([pool]).map(|sight| (sight.at, sight.allocated as f64)).collect();
    let top = pool.size as f64;
    let mut lines = vec![line(&span, "plain", &values, top)];
    if let Some(growth) = growth_a_day {
        lines.push(guess(&span, pool, growth));
    }
    Chart {
        title: "Volume in use (dotted: if it goes on so)".to_owned(),
        top: human_bytes(pool.size),
        times: span.times(),
        lines,
        words: format!("{} of {}", human_bytes(pool.allocated), human_bytes(pool.size)),
        ..Chart::default()
    }
}

fn guess(span: &Span, pool: &Sight, growth_a_day: f64) -> Line {
    let (used, size) = (pool.allocated as f64, pool.size as f64);
    let a_second = growth_a_day / 86_400.0;
    let full = pool.at + ((size - used) / a_second).clamp(0.0, 1e10) as i64;
    let end = if a_second > 0.0 { full.min(span.to) } else { span.to };
    line(span, "guess", &[(pool.at, used), (end, used + a_second * (end - pool.at) as f64)], size)
}

fn cost(events: &[&Event], span: &Span) -> Chart {
    let values: Vec<_> =
        events.iter().map(|event| (event.started_at, event.cost_usd.unwrap_or_default())).collect();
    let human = |usd: f64| format!("${usd:.3}");
    let (bars, top) = days(span, &values, human);
    Chart {
        title: "Cost of instances, by day".to_owned(),
        top: human(top),
        times: span.times(),
        words: format!("{} on the dearest day", human(top)),
        bars,
        ..Chart::default()
    }
}

fn row(event: &Event, span: &Span) -> Row {
    let words = match &event.error {
        Some(error) => error.lines().next().unwrap_or_default().to_owned(),
        None if event.snapshots > 0 => {
            format!("{} of {}", count(event.snapshots, "snapshot"), count(event.sent, "dataset"))
        }
        None => String::new(),
    };
    Row {
        began: span.moment(event.started_at),
        replication: event.replication.clone(),
        look: look(event.verdict).1,
        verdict: said(event.verdict),
        took: human_age(event.seconds.round() as i64),
        bytes: if event.bytes > 0 { human_bytes(event.bytes) } else { String::new() },
        words,
    }
}

/// How bad it is, and how it looks.
const fn look(verdict: Verdict) -> (u8, &'static str) {
    match verdict {
        Verdict::NothingToDo | Verdict::Locked => (0, "idle"),
        Verdict::Sent => (1, "good"),
        Verdict::Partial
        | Verdict::Failed
        | Verdict::Conflict
        | Verdict::Unreachable
        | Verdict::StillRunning
        | Verdict::Killed => (2, "bad"),
    }
}

const fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sent => "sent",
        Verdict::NothingToDo => "nothing to do",
        Verdict::Partial => "some datasets failed",
        Verdict::Failed => "failed",
        Verdict::Conflict => "a conflict",
        Verdict::Unreachable => "unreachable",
        Verdict::StillRunning => "may still be running",
        Verdict::Locked => "another was under way",
        Verdict::Killed => "killed",
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::event::Begun;
    use crate::report::health;
    use crate::report::run::Identity;
    use crate::report::seen::LastRun;

    const DAY: i64 = 86_400;

    fn event(started_at: i64, verdict: Verdict) -> Event {
        let begun = Begun {
            identity: Identity { run: "0".repeat(32), trigger: "person".to_owned(), is_service: false },
            spec: "home".to_owned(),
            host: "desktop".to_owned(),
            replication: "safe".to_owned(),
            archiver: "archiver".to_owned(),
            audit: false,
            started_at,
        };
        let success = matches!(verdict, Verdict::Sent | Verdict::NothingToDo);
        Event { verdict, success, ..Event::begun(&begun) }
    }

    fn sight(at: i64, allocated: u64) -> Sight {
        Sight {
            at,
            size: 1 << 30,
            allocated,
            free: (1 << 30) - allocated,
            health: "ONLINE".to_owned(),
            scan: None,
            errors: None,
            damaged: vec![],
        }
    }

    fn page(events: &[Event], pool: Option<Sight>) -> String {
        let last = events.last().map(|event| LastRun { last_success_at: Some(0), event: event.clone() });
        let archiver = ArchiverHealth {
            archiver: "archiver".to_owned(),
            sleep: None,
            full_at: pool.as_ref().map(|_| 30 * DAY),
            growth_a_day: pool.as_ref().map(|_| 1e8),
            pool,
            instances_usd: Some(0.02),
            month_usd: Some(7.5),
        };
        let facts = Facts {
            host: "desktop",
            replications: &[health::replication("safe", "archiver", last, 3_600, 4 * DAY)],
            archivers: &[archiver],
            events,
        };
        render(&facts, &Span::new(0, 4 * DAY, TimeZone::UTC)).unwrap()
    }

    #[test]
    fn the_page_shows_runs_lag_bytes_volume_cost_and_when_it_is_full() {
        let sent = Event {
            bytes: 3 << 20,
            snapshots: 2,
            sent: 1,
            cost_usd: Some(0.01),
            pool: Some(sight(DAY, 100 << 20)),
            oldest_unreplicated_s: Some(600),
            ..event(DAY, Verdict::Sent)
        };
        let html = page(&[sent, event(2 * DAY, Verdict::NothingToDo)], Some(sight(2 * DAY, 200 << 20)));
        for expected in [
            "2 runs, of which 0 did not succeed",
            "10 min at most",
            "3.00 MiB on the day with most",
            "200.00 MiB of 1.00 GiB",
            "$0.010 on the dearest day",
            "<strong>1970-01-31</strong>",
            "2 snapshots of 1 dataset",
            "class=\"guess\"",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(!html.contains("<script") && !html.contains("http"), "{html}");
    }

    #[test]
    fn what_a_program_said_cannot_become_markup() {
        let error = Some("cannot open '<script>alert(1)</script>'".to_owned());
        let html = page(&[Event { error, ..event(DAY, Verdict::Failed) }], None);
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("1 run, of which 1 did not succeed") && html.contains(">late<"), "{html}");
    }

    #[test]
    fn there_is_a_page_before_the_first_run() {
        let html = page(&[], None);
        assert!(html.contains("no success yet") && html.contains("0 runs"), "{html}");
    }
}

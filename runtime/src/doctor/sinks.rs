//! Who hears of runs.

use std::time::Duration;

use super::finding::Finding;
use crate::context::Context;
use crate::report::known::Known;
use crate::report::recorder::report;
use crate::report::sink;

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

pub(super) async fn examine(context: &Context) -> Vec<Finding> {
    let Some(report) = report(context) else {
        let fix = "set `report` of this host in the spec; a backup that fails silently is found out too late";
        return vec![Finding::note("reports", "nobody hears of runs", fix)];
    };
    let known = Known::of(&context.spec.name).ok();
    let mut findings = Vec::new();
    for sink in sink::all(report) {
        let check = format!("report to {}", sink.name());
        let unsent = match known.as_ref().map_or(0, |known| known.waiting_for(sink.name())) {
            0 => String::new(),
            number => format!("; {} wait for it", crate::output::count(number, "event")),
        };
        findings.push(match sink.check(ANSWER).await {
            Ok(()) => Finding::good(check, format!("can be told{unsent}")),
            Err(trouble) => Finding::bad(check, format!("{trouble}{unsent}"), trouble.help()),
        });
    }
    findings
}

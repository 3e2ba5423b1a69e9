//! Who hears of runs.

use std::time::Duration;

use super::finding::Finding;
use crate::context::Context;
use crate::report::recorder::report;
use crate::report::sink;
use crate::report::spool::Folder;

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

pub(super) async fn examine(context: &Context) -> Vec<Finding> {
    let Some(report) = report(context) else {
        let fix = "set `report` of this host in the spec; a backup that fails silently is found out too late";
        return vec![Finding::note("reports", "nobody hears of runs", fix)];
    };
    let waiting = Folder::of(&context.spec.name).map(|folder| folder.waiting()).unwrap_or_default();
    let mut findings = Vec::new();
    for sink in sink::all(report) {
        let check = format!("report to {}", sink.name());
        let unsent = waiting.iter().filter(|(_, entry)| entry.waiting.iter().any(|name| name == sink.name()));
        let unsent = match unsent.count() {
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

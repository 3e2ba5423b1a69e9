//! `dormouse status`.

use std::collections::BTreeSet;

use clap::Args;
use comfy_table::{Table, presets};
use dormouse_generator::duration::Duration;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::{error_json, human_age, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::report::health;
use crate::report::known::Known;
use crate::report::spool::Folder;
use crate::survey;
use crate::zfs::Dataset;
use crate::zfs::cursor::Cursors;

/// Arguments of `dormouse status`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to show [default: all of this host]
    names: Vec<String>,
    /// Print one line for Nagios and its kin, which is CRITICAL (exit code 2) when the last success of
    /// a replication is older [default: the spec's `alert_after`]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    max_age: Option<Option<Age>>,
    /// Ask the archivers how they are, waking those that sleep
    #[arg(long)]
    wake: bool,
}

/// A time as in the spec, such as `25h`.
#[derive(Clone, Copy, Debug)]
struct Age(Duration);

impl std::str::FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Duration::try_from(text.to_owned()).map(Self)
    }
}

/// What the host knows of one dataset.
#[derive(Debug, Serialize)]
struct Line {
    replication: String,
    archiver: String,
    dataset: String,
    /// The newest snapshot on the host.
    newest: Option<String>,
    /// When it was made, in seconds since 1970.
    newest_at: Option<i64>,
    /// When the newest snapshot that the archiver is known to have was made.
    archived_at: Option<i64>,
    /// How many snapshots the archiver is not known to have.
    behind: usize,
    /// Whether the archiver may keep a part of a stream, which is resumed.
    unfinished: bool,
}

impl Arguments {
    /// Shows each replication, archiver and dataset.
    ///
    /// # Errors
    /// Only what concerns all replications.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let runs = context.replications(&self.names)?;
        let known = match Known::of(&context.spec.name) {
            // The datasets can be shown all the same.
            Err(error @ Error::ServiceState { .. }) if self.max_age.is_none() => {
                print_error(&error, "");
                Known::only(Folder::of(&context.spec.name)?)
            }
            known => known?,
        };
        let mut exits = vec![Exit::Done];
        if self.wake {
            exits.extend(ask(context, &Folder::of(&context.spec.name)?, &runs).await);
        }
        let now = Timestamp::now().as_second();
        let replications: Vec<_> = runs.iter().map(|run| health::of(run, &known, now)).collect();
        if let Some(max_age) = self.max_age {
            let (line, good) = health::nagios(&replications, max_age.map(|Age(age)| age.as_secs()));
            out!("{line}");
            return Ok(if good { Exit::Done } else { Exit::CRITICAL });
        }
        let names: BTreeSet<&str> = runs.iter().map(|run| run.replication.archiver.as_str()).collect();
        let archivers: Vec<_> =
            names.iter().filter_map(|name| health::archiver(context, &known, name, now)).collect();
        let (mut lines, mut errors) = (Vec::new(), Vec::new());
        for run in &runs {
            match lines_of(run, &known).await {
                Ok(more) => lines.extend(more),
                Err(error) => {
                    exits.push(error.exit());
                    if context.json {
                        errors.push(json!({ "replication": run.name, "error": error_json(&error) }));
                    } else {
                        print_error(&error, &format!("replication {}: ", run.name));
                    }
                }
            }
        }
        if context.json {
            print_json(&json!({
                "host": context.host_name,
                "replications": replications,
                "archivers": archivers,
                "datasets": lines,
                "errors": errors,
            }))?;
        } else {
            replications.iter().for_each(|one| out!("{}", one.words(now)));
            archivers.iter().flat_map(|one| one.words(now)).for_each(|line| out!("{line}"));
            out!("{}", table(&lines, now));
        }
        Ok(worst(exits))
    }
}

/// Wakes the archivers, looks at their pools and lets them sleep again.
async fn ask<'a>(context: &'a Context, folder: &Folder, runs: &[Run<'a>]) -> Vec<Exit> {
    let (mut sessions, mut exits) = (Sessions::new(context), Vec::new());
    let mut failed = |archiver: &str, error: &Error| {
        print_error(error, &format!("archiver {archiver}: "));
        exits.push(error.exit());
    };
    let names: BTreeSet<&str> = runs.iter().map(|run| run.replication.archiver.as_str()).collect();
    for name in names {
        if let Err(error) = sessions.get(name).await {
            failed(name, &error);
        }
    }
    for (name, sight) in sessions.look().await {
        if let Err(error) = folder.see_pool(name, &sight) {
            failed(name, &error);
        }
    }
    for closing in sessions.close().await {
        if let Some(error) = &closing.error {
            failed(closing.archiver, error);
        }
    }
    exits
}

async fn lines_of(run: &Run<'_>, known: &Known) -> Result<Vec<Line>, Error> {
    let cursors = run.cursors();
    let (exec, replication) = (run.context.exec, run.replication);
    let last = known.last_run(run.name).map(|last| last.event.datasets).unwrap_or_default();
    let unfinished: BTreeSet<String> =
        last.into_iter().filter(|dataset| dataset.unfinished).map(|dataset| dataset.dataset).collect();
    let line = |dataset: &Dataset| Line {
        unfinished: unfinished.contains(dataset.name.as_str()),
        ..line(run, dataset, &cursors)
    };
    let tree = survey::tree(exec, replication, &run.mark_property()).await?;
    let mut lines = Vec::new();
    for some in survey::in_parts(tree.datasets) {
        let datasets = survey::histories(exec, replication, some).await?;
        lines.extend(datasets.values().map(line));
    }
    Ok(lines)
}

fn line(run: &Run<'_>, dataset: &Dataset, cursors: &Cursors) -> Line {
    let acknowledged = cursors.acknowledged(dataset).and_then(|guid| dataset.bookmark(guid));
    Line {
        replication: run.name.to_owned(),
        archiver: run.replication.archiver.clone(),
        dataset: dataset.name.to_string(),
        newest: dataset.newest().map(|snapshot| snapshot.name.clone()),
        newest_at: dataset.newest().map(|snapshot| snapshot.creation),
        archived_at: acknowledged.map(|bookmark| bookmark.creation),
        behind: survey::behind(dataset, cursors),
        unfinished: false,
    }
}

/// A table; ages are counted from `now`, in seconds since 1970.
fn table(lines: &[Line], now: i64) -> Table {
    let age =
        |at: Option<i64>| at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", human_age(now - at)));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["REPLICATION", "DATASET", "NEWEST SNAPSHOT", "MADE", "ARCHIVED UP TO", "BEHIND"]);
    for line in lines {
        let newest = line.newest.as_ref().map_or_else(|| "none".to_owned(), |name| format!("@{name}"));
        let behind = match (line.behind, line.unfinished) {
            (0, _) => "-".to_owned(),
            (behind, false) => behind.to_string(),
            (behind, true) => format!("{behind}, resumable"),
        };
        let made = if line.newest.is_some() { age(line.newest_at) } else { "-".to_owned() };
        table.add_row([&line.replication, &line.dataset, &newest, &made, &age(line.archived_at), &behind]);
    }
    table
}

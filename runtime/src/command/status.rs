//! `dormouse status`.

use clap::Args;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::{error_json, human_age, print_error, print_json, worst};
use crate::replicate::Run;
use crate::survey;
use crate::zfs::Dataset;
use crate::zfs::cursor::Cursors;

/// Arguments of `dormouse status`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to show [default: all of this host]
    names: Vec<String>,
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
}

impl Arguments {
    /// Shows each dataset.
    ///
    /// # Errors
    /// Only what concerns all replications.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let (mut exits, mut lines, mut errors) = (vec![Exit::Done], Vec::new(), Vec::new());
        for run in context.replications(&self.names)? {
            match lines_of(&run).await {
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
            print_json(&json!({ "host": context.host_name, "datasets": lines, "errors": errors }))?;
        } else {
            println!("{}", table(&lines, Timestamp::now().as_second()));
        }
        Ok(worst(exits))
    }
}

async fn lines_of(run: &Run<'_>) -> Result<Vec<Line>, Error> {
    let cursors = run.cursors();
    let (exec, replication) = (run.context.exec, run.replication);
    let tree = survey::tree(exec, replication, &run.mark_property()).await?;
    let mut lines = Vec::new();
    for some in survey::in_parts(tree.datasets) {
        let datasets = survey::histories(exec, replication, some).await?;
        lines.extend(datasets.values().map(|dataset| line(run, dataset, &cursors)));
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
        let behind = if line.behind == 0 { "-".to_owned() } else { line.behind.to_string() };
        let made = if line.newest.is_some() { age(line.newest_at) } else { "-".to_owned() };
        table.add_row([&line.replication, &line.dataset, &newest, &made, &age(line.archived_at), &behind]);
    }
    table
}

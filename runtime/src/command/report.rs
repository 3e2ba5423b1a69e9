//! `dormouse report`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::{out, print_json};
use crate::replicate::Run;
use crate::report::event::{Begun, Event};
use crate::report::known::Known;
use crate::report::page::chart::Span;
use crate::report::page::{self, Facts};
use crate::report::recorder::{conclude, lags_of, reap, report};
use crate::report::run::{Identity, ServiceEnd};
use crate::report::spool::Folder;
use crate::report::{deliver, health, sink};

/// Arguments of `dormouse report`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to report [default: all of this host]
    names: Vec<String>,
    /// Put runs that could not report on the disk and tell nobody yet: for `ExecStopPost=`, to which
    /// systemd hands no credentials
    #[arg(long, conflicts_with = "html")]
    keep: bool,
    /// Write a page for a browser instead: runs, lag, bytes, how the volume fills, and what it costs
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Arguments {
    /// Reports runs that could not do it themselves, and sends what is still unsent. As
    /// `ExecStopPost=` it never fails, since that would fail the service.
    ///
    /// # Errors
    /// When the spec has no such host or replication, or an event cannot be written.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let runs = context.replications(&self.names)?;
        if let Some(path) = &self.html {
            return write_page(context, &runs, path);
        }
        let folder = Folder::of(&context.spec.name)?;
        let ended = ServiceEnd::from(|name| std::env::var(name).ok());
        reap(context, &folder, ended.as_ref()).await?;
        if let Some((invocation, end)) = &ended {
            for run in &runs {
                if !folder.has(run.name, invocation) {
                    let lags = lags_of(context, run.name).await;
                    let begun = never_began(context, run.name, &run.replication.archiver, invocation);
                    let event = Event::killed(&begun, end.clone(), &lags, begun.started_at);
                    conclude(context, &folder, event)?;
                }
            }
        }
        let troubles = match self.keep {
            true => Vec::new(),
            false => deliver::flush(&folder, report(context), &context.spec.name, context.exec).await,
        };
        let waiting = folder.waiting().len();
        let last: Vec<_> = runs.iter().filter_map(|run| folder.last_run(run.name)).collect();
        if context.json {
            let events: Vec<_> = last.iter().map(|last| &last.event).collect();
            let trouble = |(name, trouble): &(&str, sink::Trouble)| json!({ "sink": name, "error": trouble.to_string(), "help": trouble.help() });
            let troubles: Vec<_> = troubles.iter().map(trouble).collect();
            print_json(&json!({ "events": events, "unsent": waiting, "troubles": troubles }))?;
        } else {
            deliver::warn(&troubles);
            last.iter().for_each(|last| out!("{}", last.event.summary()));
        }
        Ok(if ended.is_none() && !troubles.is_empty() { Exit::Failed } else { Exit::Done })
    }
}

/// For how many seconds back a page tells of runs: as long as events are kept.
const SHOWN: i64 = 62 * 86_400;

fn write_page(context: &Context, runs: &[Run<'_>], path: &Path) -> Result<Exit, Error> {
    let (known, now) = (Known::of(&context.spec.name)?, Timestamp::now().as_second());
    let is_ours = |event: &Event| runs.iter().any(|run| run.name == event.replication);
    let events: Vec<Event> = known.since(now - SHOWN).into_iter().filter(is_ours).collect();
    let archivers: BTreeSet<&str> = runs.iter().map(|run| run.replication.archiver.as_str()).collect();
    let facts = Facts {
        host: &context.host_name,
        replications: &runs.iter().map(|run| health::of(run, &known, now)).collect::<Vec<_>>(),
        archivers: &archivers
            .iter()
            .filter_map(|name| health::archiver(context, &known, name, now))
            .collect::<Vec<_>>(),
        events: &events,
    };
    let from = events.first().map_or(now, |event| event.started_at);
    let html = page::render(&facts, &Span::new(from, now, TimeZone::system()));
    let written = html.map_err(std::io::Error::other).and_then(|html| std::fs::write(path, html));
    written.map_err(|source| Error::Folder { path: path.to_owned(), source })?;
    context.say(&format!("written: {}", path.display()));
    Ok(Exit::Done)
}

/// A run that ended before `dormouse replicate` could note that it began.
fn never_began(context: &Context, replication: &str, archiver: &str, invocation: &str) -> Begun {
    let trigger = std::env::var("TRIGGER_UNIT").unwrap_or_else(|_| "systemd".to_owned());
    Begun {
        identity: Identity { run: invocation.to_owned(), trigger, is_service: true },
        spec: context.spec.name.clone(),
        host: context.host_name.clone(),
        replication: replication.to_owned(),
        archiver: archiver.to_owned(),
        audit: false,
        started_at: Timestamp::now().as_second(),
    }
}

//! `dormouse report`.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::print_json;
use crate::report::event::{Begun, Event};
use crate::report::recorder::{conclude, lags_of, reap, report};
use crate::report::run::{Identity, ServiceEnd};
use crate::report::spool::Folder;
use crate::report::{deliver, sink};

/// Arguments of `dormouse report`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to report [default: all of this host]
    names: Vec<String>,
}

impl Arguments {
    /// Reports runs that could not do it themselves, and sends what is still unsent. As
    /// `ExecStopPost=` it never fails, since that would fail the service.
    ///
    /// # Errors
    /// When the spec has no such host or replication, or an event cannot be written.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let runs = context.replications(&self.names)?;
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
        let troubles = deliver::flush(&folder, report(context), &context.spec.name, context.exec).await;
        let waiting = folder.waiting().len();
        let last: Vec<_> = runs.iter().filter_map(|run| folder.last_run(run.name)).collect();
        if context.json {
            let events: Vec<_> = last.iter().map(|last| &last.event).collect();
            let trouble = |(name, trouble): &(&str, sink::Trouble)| json!({ "sink": name, "error": trouble.to_string(), "help": trouble.help() });
            let troubles: Vec<_> = troubles.iter().map(trouble).collect();
            print_json(&json!({ "events": events, "unsent": waiting, "troubles": troubles }))?;
        } else {
            deliver::warn(&troubles);
            last.iter().for_each(|last| println!("{}", last.event.summary()));
        }
        Ok(if ended.is_none() && !troubles.is_empty() { Exit::Failed } else { Exit::Done })
    }
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

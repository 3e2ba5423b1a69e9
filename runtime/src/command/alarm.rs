//! `dormouse alarm`.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::print_json;
use crate::report::alarm::notify::{self, Told};
use crate::report::alarm::{self, Watched};
use crate::report::known::Known;
use crate::report::spool::Folder;
use crate::report::{deliver, health, recorder};

/// Arguments of `dormouse alarm`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Set up what watches from elsewhere: a trigger at Honeycomb, checks at healthchecks.io, rules for
    /// Prometheus, as the spec says
    Apply,
    /// Tell those whom the spec's `notify` names if a replication is late; for a timer. Exits with 1
    /// when one is
    Check,
}

impl Arguments {
    /// Sets alarms up, or raises them.
    ///
    /// # Errors
    /// When the host has no report, or a service refuses.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::Apply => apply(context).await,
            Command::Check => check(context).await,
        }
    }
}

async fn apply(context: &Context) -> Result<Exit, Error> {
    let replications = &context.host()?.replications;
    let report = recorder::report(context).ok_or(Error::NoAlarm)?;
    let watched: Vec<Watched<'_>> = replications
        .keys()
        .map(|replication| Watched {
            spec: &context.spec.name,
            host: &context.host_name,
            replication,
            alert_after: report.alert_after.as_secs(),
        })
        .collect();
    let failed = |(service, source)| Error::Alarm { service, source };
    let done = alarm::apply(report, &watched).await.map_err(failed)?;
    if done.is_empty() {
        return Err(Error::NoAlarm);
    }
    if context.json {
        let done: Vec<_> =
            done.iter().map(|(service, said)| json!({ "service": service, "done": said })).collect();
        print_json(&json!({ "alarms": done }))?;
    }
    done.iter().for_each(|(service, said)| context.say(&format!("{service}: {said}")));
    Ok(Exit::Done)
}

async fn check(context: &Context) -> Result<Exit, Error> {
    let (folder, now) = (Folder::of(&context.spec.name)?, Timestamp::now().as_second());
    let (runs, known) = (context.replications(&[])?, Known::of(&context.spec.name)?);
    let notify = recorder::report(context).and_then(|report| report.notify.as_ref());
    let stands: Vec<_> = runs.iter().map(|run| health::of(run, &known, now)).collect();
    for one in &stands {
        context.say(&one.words(now));
        let told = folder.told(&one.replication);
        let (Some(notify), Some(message)) = (notify, notify::message(&context.host_name, one, told, now))
        else {
            continue;
        };
        let troubles = notify::tell(notify, &message, context.exec).await;
        deliver::warn(&troubles);
        // Unsaid to somebody, it is said to all of them again.
        if troubles.is_empty() {
            folder.see_told(&one.replication, one.late.then_some(Told { at: now }))?;
        }
    }
    if context.json {
        print_json(&json!({ "host": context.host_name, "replications": stands }))?;
    }
    Ok(if stands.iter().any(|one| one.late) { Exit::Failed } else { Exit::Done })
}

//! `dormouse replicate`.

use std::sync::Arc;

use clap::Args;
use dormouse_generator::duration::Duration;
use serde_json::{Value, json};

use super::plan;
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::log;
use crate::output::{count, error_json, human_age, human_bytes, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::limit::Limit;
use crate::replicate::outcome::{Outcome, Result as Fate};
use crate::replicate::stream::Bounds;
use crate::report::recorder::Recorder;

/// Arguments of `dormouse replicate`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to run [default: all of this host]
    names: Vec<String>,
    /// Ask the archiver even if the host knows that it has everything
    #[arg(long)]
    audit: bool,
    /// Only show what would be done, as `dormouse plan` does
    #[arg(long, conflicts_with = "audit")]
    dry_run: bool,
    /// Send at most this much a second
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    limit_mib: Option<u64>,
    /// Give a transfer up when nothing has moved for this long
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = |text: &str| Duration::try_from(text.to_owned()))]
    patience: Duration,
}

impl Arguments {
    /// Runs each replication, whatever came of the ones before.
    ///
    /// # Errors
    /// Only what concerns all of them.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        if self.dry_run {
            return plan::Arguments { names: self.names.clone() }.run(context).await;
        }
        let (mut exits, mut documents) = (Vec::new(), Vec::new());
        let runs = context.replications(&self.names)?;
        let (mut sessions, mut recorder) = (Sessions::new(context), Recorder::new(context).await);
        let bounds = Bounds {
            patience: std::time::Duration::from_secs(self.patience.as_secs()),
            limit: self.limit_mib.map(|mib| Arc::new(Limit::new(mib << 20))),
        };
        for run in runs {
            let begun = recorder.begin(&run, self.audit);
            let result = run.replicate(&mut sessions, self.audit, &bounds).await;
            recorder.end(&run, begun, &result).await;
            match result {
                Ok(outcome) => {
                    if !context.json {
                        print(&outcome);
                    }
                    exits.push(outcome.exit());
                    documents.push(document(&outcome)?);
                }
                Err(error) => {
                    if !context.json {
                        print_error(&error, &format!("replication {}: ", run.name));
                    }
                    exits.push(error.exit());
                    documents.push(with_name(run.name, error_json(&error)));
                }
            }
        }
        let sights = sessions.look().await;
        for (archiver, sight) in &sights {
            let Some(error) = sight.failing(archiver) else { continue };
            print_error(&error, "");
            exits.push(error.exit());
            documents.push(json!({ "archiver": archiver, "error": error_json(&error) }));
        }
        let closings = sessions.close().await;
        for closing in &closings {
            let Some(error) = &closing.error else { continue };
            print_error(error, &format!("archiver {}: ", closing.archiver));
            exits.push(error.exit());
            documents.push(json!({ "archiver": closing.archiver, "error": error_json(error) }));
        }
        recorder.finish(&sights, &closings).await;
        if context.json {
            print_json(&json!({ "host": context.host_name, "replications": documents }))?;
        }
        Ok(worst(exits))
    }
}

fn document(outcome: &Outcome) -> Result<Value, Error> {
    let value = serde_json::to_value(outcome).map_err(std::io::Error::from)?;
    Ok(with_exit(value, outcome.exit()))
}

fn with_exit(mut value: Value, exit: Exit) -> Value {
    value["exit"] = json!(exit as u8);
    value
}

fn with_name(name: &str, mut value: Value) -> Value {
    value["replication"] = json!(name);
    value
}

fn print(outcome: &Outcome) {
    for dataset in &outcome.datasets {
        if matches!(dataset.result, Fate::Failed | Fate::Locked | Fate::Refused) {
            let message = dataset.message.as_deref().unwrap_or("it failed");
            let help = dataset.help.as_deref().unwrap_or("run it again");
            log::error(&format!("{} -> {}: {message}", dataset.dataset, dataset.target), help);
        }
    }
    outcome.warnings.iter().for_each(|warning| log::warning(warning, None));
    out!("{}: {}", outcome.replication, summary(outcome));
}

fn summary(outcome: &Outcome) -> String {
    let number = |fate| outcome.datasets.iter().filter(|dataset| dataset.result == fate).count();
    let all = count(outcome.datasets.len(), "dataset");
    let bad = number(Fate::Failed) + number(Fate::Locked) + number(Fate::Refused);
    if !outcome.contacted && bad == 0 {
        return format!("nothing to do: {} has the newest snapshot of {all}", outcome.archiver);
    }
    let failed = if bad > 0 { format!(", {bad} failed") } else { String::new() };
    let seconds = human_age(outcome.seconds.ceil() as i64);
    format!(
        "{} of {all} sent to {}{failed}, {} in {seconds}",
        number(Fate::Sent),
        outcome.archiver,
        human_bytes(outcome.bytes)
    )
}

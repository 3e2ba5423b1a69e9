//! `dormouse plan`.

use clap::Args;
use dormouse_generator::spec::OnConflict;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::output::{count, error_json, human_bytes, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::replicate::dataset::ESTIMATE;
use crate::zfs::conflict::{self, Move};
use crate::zfs::plan::{Base, Decision, Stream};
use crate::zfs::schedule::Job;
use crate::zfs::{argv, estimate, form};

/// Arguments of `dormouse plan`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Replications to plan [default: all of this host]
    pub names: Vec<String>,
}

/// What would be done for a dataset, in words, and how many bytes that is.
struct Step {
    job: Job,
    words: String,
    bytes: Option<u64>,
}

impl Arguments {
    /// Shows what each replication would do.
    ///
    /// # Errors
    /// Only what concerns all of them.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let (mut exits, mut documents) = (Vec::new(), Vec::new());
        let mut sessions = Sessions::new(context);
        for run in context.replications(&self.names)? {
            match run.plan(&mut sessions).await {
                Ok(jobs) => {
                    let steps = steps(&run, jobs).await;
                    if !context.json {
                        print(&run, &steps);
                    }
                    exits.push(exit(&run, &steps));
                    documents.push(document(&run, &steps));
                }
                Err(error) => {
                    if !context.json {
                        print_error(&error, &format!("replication {}: ", run.name));
                    }
                    exits.push(error.exit());
                    documents.push(json!({ "replication": run.name, "error": error_json(&error) }));
                }
            }
        }
        exits.extend(sessions.close_telling().await);
        if context.json {
            print_json(&json!({ "host": context.host_name, "replications": documents }))?;
        }
        Ok(worst(exits))
    }
}

fn exit(run: &Run<'_>, steps: &[Step]) -> Exit {
    let sets_aside = run.replication.on_conflict == OnConflict::SetAside;
    let stays =
        |step: &Step| matches!(step.job.decision, Decision::Refused(_)) && !step.job.sends(sets_aside);
    if steps.iter().any(stays) { Exit::Conflict } else { Exit::Done }
}

/// The jobs that do something.
async fn steps(run: &Run<'_>, jobs: Vec<Job>) -> Vec<Step> {
    let mut steps = Vec::new();
    for job in jobs {
        let Some(words) = words(run, &job) else { continue };
        let bytes = size(run, &job).await;
        steps.push(Step { job, words, bytes });
    }
    steps
}

fn words(run: &Run<'_>, job: &Job) -> Option<String> {
    match &job.decision {
        Decision::NothingToSend | Decision::UpToDate(_) => None,
        Decision::Placeholder => Some("make an empty dataset to hold those below".to_owned()),
        Decision::Resume { .. } => Some("resume an interrupted transfer, then send the rest".to_owned()),
        Decision::Refused(refusal) => {
            let sets_aside = run.replication.on_conflict == OnConflict::SetAside;
            let moved = sets_aside.then(|| conflict::way_out(refusal, &job.target, "…")).flatten();
            Some(match moved {
                Some(Move { from, to }) => format!("{refusal}; rename {from} to {to}, then send"),
                None => format!("refused: {refusal}"),
            })
        }
        Decision::Send(streams) => Some(streams.iter().map(stream_words).collect::<Vec<_>>().join(", then ")),
    }
}

fn stream_words(stream: &Stream) -> String {
    match stream {
        Stream::Full { to } => format!("all of @{}", to.name),
        Stream::Step { from: Base::Snapshot(from), to } => format!("@{} to @{}", from.name, to.name),
        Stream::Step { from: Base::Bookmark(from), to } => format!("#{} to @{}", from.name, to.name),
        Stream::Run { from, to, count: number } => {
            format!("@{} to @{} ({})", from.name, to.name, count(*number, "snapshot"))
        }
    }
}

/// The estimated size of everything that a job sends; none when ZFS cannot tell.
async fn size(run: &Run<'_>, job: &Job) -> Option<u64> {
    let commands: Vec<Vec<String>> = match &job.decision {
        Decision::Send(streams) => {
            let (root, wanted) = (&run.replication.target, run.replication.raw);
            let raw = form::are_raw(streams, &job.source, job.copy.as_ref(), root, wanted);
            streams.iter().map(|stream| argv::estimate(&job.source.name, stream, raw)).collect()
        }
        Decision::Resume { token } => vec![argv::inspect_token(token)],
        Decision::NothingToSend | Decision::Placeholder | Decision::UpToDate(_) | Decision::Refused(_) => {
            return None;
        }
    };
    let mut sizes = vec![];
    for command in commands {
        sizes.push(estimate::read(&run.context.exec.run(&command, ESTIMATE).await.ok()?)?);
    }
    Some(estimate::total(sizes))
}

fn print(run: &Run<'_>, steps: &[Step]) {
    for step in steps {
        let bytes = step.bytes.map(|bytes| format!(", about {}", human_bytes(bytes))).unwrap_or_default();
        out!("  {} -> {}: {}{bytes}", step.job.source.name, step.job.target, step.words);
    }
    let total = estimate::total(steps.iter().filter_map(|step| step.bytes));
    match steps.len() {
        0 => out!("{}: nothing to do", run.name),
        number => out!(
            "{}: {} to {}, about {}",
            run.name,
            count(number, "dataset"),
            run.replication.archiver,
            human_bytes(total)
        ),
    }
}

fn document(run: &Run<'_>, steps: &[Step]) -> Value {
    let step = |step: &Step| {
        json!({
            "dataset": step.job.source.name.as_str(),
            "target": step.job.target.as_str(),
            "action": action(&step.job.decision),
            "words": step.words,
            "bytes": step.bytes,
        })
    };
    let total = estimate::total(steps.iter().filter_map(|step| step.bytes));
    json!({
        "replication": run.name,
        "archiver": run.replication.archiver,
        "bytes": total,
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn action(decision: &Decision) -> &'static str {
    match decision {
        Decision::NothingToSend | Decision::UpToDate(_) => "none",
        Decision::Placeholder => "create",
        Decision::Resume { .. } => "resume",
        Decision::Send(_) => "send",
        Decision::Refused(_) => "refused",
    }
}

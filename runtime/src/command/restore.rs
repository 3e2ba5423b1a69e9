//! `dormouse restore`.

use std::path::PathBuf;

use clap::Args;
use dormouse_generator::name::DatasetName;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::log;
use crate::output::{count, human_age, human_bytes, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::dataset::ESTIMATE;
use crate::replicate::stream::Bounds;
use crate::restore::choice::{self, Place, Wanted};
use crate::restore::files::Files;
use crate::restore::outcome::{Outcome, Result as Fate};
use crate::restore::plan::{Piece, Plan, Request, Step};
use crate::restore::refusal::Refusal;
use crate::restore::swap::Swap;
use crate::restore::{Restore, place};
use crate::zfs::{argv, estimate};

/// Arguments of `dormouse restore`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The dataset by its name at home, and perhaps the snapshot [default: the newest]
    #[arg(value_name = "DATASET[@SNAPSHOT]")]
    place: Place,
    /// The newest snapshot that is not younger than this, such as "2026-11-01 12:00"
    #[arg(long, value_name = "TIME", value_parser = choice::time)]
    at: Option<Timestamp>,
    /// What it is called here [default: its name at home]; must not exist
    #[arg(long, value_name = "DATASET", value_parser = |text: &str| DatasetName::new(text))]
    to: Option<DatasetName>,
    /// Bring it back beside what is there, then let it take its place: what is there is renamed
    #[arg(long, conflicts_with = "to")]
    swap: bool,
    /// Also all datasets below it, each up to its snapshot of that name or time
    #[arg(short, long)]
    recursive: bool,
    /// Only the one snapshot, without those before it
    #[arg(long)]
    only: bool,
    /// Only this file or folder, by its path below the dataset's root; may be given again
    #[arg(long, value_name = "PATH", conflicts_with_all = ["to", "swap", "recursive", "only", "dry_run"])]
    file: Vec<String>,
    /// The folder where files go
    #[arg(long, value_name = "DIR", default_value = ".", requires = "file")]
    into: PathBuf,
    /// Also data that come back unencrypted though they were encrypted at home
    #[arg(long)]
    accept_unencrypted: bool,
    /// Set properties from a record on the archiver that this host did not sign
    #[arg(long)]
    accept_properties: bool,
    /// Set this mount point though it is outside that of the dataset above, at a system directory or at a directory
    /// that is not empty; may be given again
    #[arg(long, value_name = "PATH")]
    accept_mountpoint: Vec<String>,
    /// The replication, where several cover the dataset
    #[arg(long, value_name = "NAME")]
    replication: Option<String>,
    /// Only show what would be brought back
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// Brings datasets back, or shows which.
    ///
    /// # Errors
    /// What keeps it from beginning.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let restore = self.restore(context)?;
        if !self.file.is_empty() {
            return self.files(restore).await;
        }
        let mut sessions = Sessions::new(context);
        let result = match self.dry_run {
            true => self.show(&restore, &mut sessions).await,
            false => self.bring(&restore, &mut sessions).await,
        };
        let mut exits = sessions.close_telling().await;
        match result {
            Ok(exit) => exits.push(exit),
            Err(error) if exits.is_empty() => return Err(error),
            // What may still run is more urgent.
            Err(error) => {
                print_error(&error, "");
                exits.push(error.exit());
            }
        }
        Ok(worst(exits))
    }

    async fn files(&self, restore: Restore<'_>) -> Result<Exit, Error> {
        let Restore { run, request, .. } = restore;
        let Request { dataset, wanted, .. } = request;
        let files = Files { run, dataset, wanted, paths: self.file.clone(), into: self.into.clone() };
        let fetched = files.fetch(&Bounds::default()).await?;
        if run.context.json {
            print_json(&fetched)?;
        } else {
            let (bytes, seconds) = (human_bytes(fetched.bytes), human_age(fetched.seconds.ceil() as i64));
            for file in &fetched.files {
                out!("{}, as of {}@{}", file.display(), files.dataset, fetched.snapshot);
            }
            out!("{}: {bytes} from {} in {seconds}", run.name, run.replication.archiver);
        }
        Ok(Exit::Done)
    }

    fn restore<'a>(&self, context: &'a Context) -> Result<Restore<'a>, Error> {
        let Place { dataset, snapshot } = self.place.clone();
        let wanted = match (snapshot, self.at) {
            (Some(snapshot), Some(_)) => return Err(Refusal::TwoChoices { snapshot }.into()),
            (Some(name), None) => Wanted::Named(name),
            (None, Some(time)) => Wanted::At(time),
            (None, None) => Wanted::Newest,
        };
        let run = place::only(context, &dataset, self.replication.as_deref())?;
        let swap = self.swap.then(|| Swap::of(&dataset)).transpose()?;
        let beside = swap.as_ref().map(|swap| swap.beside.clone());
        let request = Request {
            archiver: run.replication.archiver.clone(),
            copy: run.target(&dataset)?,
            root: run.replication.target.clone(),
            to: self.to.clone().or(beside).unwrap_or_else(|| dataset.clone()),
            wanted,
            only: self.only,
            raw: run.replication.raw,
            accepts_unencrypted: self.accept_unencrypted,
            dataset,
        };
        Ok(Restore {
            run,
            request,
            recursive: self.recursive,
            sets_properties: true,
            accepts_properties: self.accept_properties,
            mountpoints: self.accept_mountpoint.clone(),
            swap,
        })
    }

    async fn bring<'a>(&self, restore: &Restore<'a>, sessions: &mut Sessions<'a>) -> Result<Exit, Error> {
        let outcome = restore.restore(sessions, &Bounds::default()).await?;
        if restore.run.context.json {
            let mut value = serde_json::to_value(&outcome).map_err(std::io::Error::from)?;
            value["exit"] = json!(outcome.exit() as u8);
            print_json(&value)?;
        } else {
            print(&outcome);
        }
        Ok(outcome.exit())
    }

    async fn show<'a>(&self, restore: &Restore<'a>, sessions: &mut Sessions<'a>) -> Result<Exit, Error> {
        let plan = restore.plan(sessions).await?;
        plan.warnings.iter().for_each(|warning| log::warning(warning, None));
        let archiver = sessions.get(&restore.run.replication.archiver).await?;
        let mut steps = Vec::new();
        for piece in &plan.pieces {
            steps.push((piece, size(restore, archiver, piece).await));
        }
        if restore.run.context.json {
            print_json(&document(restore, &plan, &steps))?;
            return Ok(Exit::Done);
        }
        for (piece, bytes) in &steps {
            let bytes = bytes.map_or_else(String::new, |bytes| format!(", about {}", human_bytes(bytes)));
            out!("  {} -> {}: {}{bytes}", piece.copy.name, piece.name, words(piece));
        }
        for holder in &plan.holders {
            out!("  {}: made to hold others", holder.name);
        }
        for left in &plan.left {
            out!("  not {}: {}", left.name, left.why);
        }
        Ok(Exit::Done)
    }
}

fn words(piece: &Piece) -> String {
    let history = || {
        let snapshots = count(piece.copy.snapshots.len(), "snapshot");
        format!("{snapshots} up to @{}{}", piece.chosen.name, if piece.raw { ", raw" } else { "" })
    };
    match piece.step {
        Step::Streams(_) => history(),
        Step::Resume(_) => format!("go on with an interrupted restore of {}", history()),
        Step::Done => "nothing: it is back".to_owned(),
    }
}

/// The estimated size of all that comes over; none when ZFS cannot tell.
pub(super) async fn size(restore: &Restore<'_>, archiver: &Archiver, piece: &Piece) -> Option<u64> {
    let commands: Vec<Vec<String>> = match &piece.step {
        Step::Streams(streams) => {
            streams.iter().map(|stream| argv::estimate(&piece.copy.name, stream, piece.raw)).collect()
        }
        Step::Resume(token) => vec![argv::inspect_token(token)],
        Step::Done => vec![],
    };
    let mut sizes = vec![];
    for command in commands {
        let argv = archiver.argv(&command).ok()?;
        let said = restore.run.context.exec.run(&argv, ESTIMATE).await.ok()?;
        sizes.push(estimate::read(&said)?);
    }
    (!sizes.is_empty()).then(|| estimate::total(sizes))
}

fn document(restore: &Restore<'_>, plan: &Plan, steps: &[(&Piece, Option<u64>)]) -> Value {
    let step = |(piece, bytes): &(&Piece, Option<u64>)| {
        json!({
            "dataset": piece.name,
            "copy": piece.copy.name,
            "snapshot": piece.chosen.name,
            "guid": piece.chosen.guid,
            "snapshots": piece.copy.snapshots.len(),
            "raw": piece.raw,
            "action": words(piece),
            "bytes": bytes,
        })
    };
    let left: Vec<Value> = plan
        .left
        .iter()
        .map(|left| json!({ "dataset": left.name, "reason": left.why.to_string() }))
        .collect();
    json!({
        "replication": restore.run.name,
        "archiver": restore.request.archiver,
        "datasets": steps.iter().map(step).collect::<Vec<_>>(),
        "holders": plan.holders.iter().map(|holder| &holder.name).collect::<Vec<_>>(),
        "left": left,
    })
}

fn print(outcome: &Outcome) {
    for dataset in &outcome.datasets {
        let message = dataset.message.as_deref().unwrap_or("it is not back");
        match dataset.result {
            Fate::Restored => {}
            Fate::Left => log::warning(&format!("{} stays away: {message}", dataset.dataset), None),
            Fate::Failed | Fate::Locked => {
                let help = dataset.help.as_deref().unwrap_or("run the same command again");
                log::error(&format!("{}: {message}", dataset.dataset), help);
            }
        }
    }
    outcome.warnings.iter().for_each(|warning| log::warning(warning, None));
    let number = |fate| outcome.datasets.iter().filter(|dataset| dataset.result == fate).count();
    let failed = match number(Fate::Failed) + number(Fate::Locked) {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let all = count(number(Fate::Restored), "dataset");
    let seconds = human_age(outcome.seconds.ceil() as i64);
    let bytes = human_bytes(outcome.bytes);
    out!("{}: {all} restored from {}{failed}, {bytes} in {seconds}", outcome.replication, outcome.archiver);
    if let Some(aside) = &outcome.aside {
        let alone = match &outcome.alone[..] {
            [] => String::new(),
            alone => format!(
                "; only there: {}",
                alone.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        out!("what was there is {aside} now, neither mounted nor replicated{alone}");
    }
    if !outcome.next.is_empty() {
        out!("not mounted yet; next: {}", outcome.next.join(" && "));
    }
}

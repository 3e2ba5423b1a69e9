//! `dormouse prune`.

use std::collections::BTreeMap;

use clap::Args;
use comfy_table::{Table, presets};
use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::{Provider, Retention};
use serde_json::json;

use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::exec;
use crate::output::{confirm, count, out, print_json};
use crate::provider::session::Session;
use crate::provider::{self, Identity};
use crate::zfs::argv;
use crate::zfs::retention::{Verdict, decide};

/// The unit of the generated configuration.nix that lets snapshots go, and what it writes.
const UNIT: &str = "dormouse-prune.service";
const RECORD: &str = "/run/dormouse-prune/record";

/// Arguments of `dormouse prune`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
    /// Only say what the spec's retention lets go, and why; the archiver need not have it yet
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Arguments {
    /// Shows what the retention lets go, asks, and has the archiver do it, which it also does by
    /// itself whenever it wakes.
    ///
    /// # Errors
    /// [`Error::NoRetention`], [`Error::OlderConfiguration`], or whatever keeps it from being asked or done.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let name = self.archiver.as_str();
        let archiver = context.archiver(name)?;
        if matches!(archiver.provider, Provider::Static(_)) {
            return Err(Error::AlwaysOn { archiver: name.to_owned() });
        }
        let missing = || Error::NoRetention { archiver: name.to_owned() };
        let retention = archiver.retention.as_ref().ok_or_else(missing)?;
        let session = provider::connect(context, name, Identity::Admin, true).await?;
        let done = self.prune(context, &session, retention).await;
        let closed = session.close().await;
        let exit = done?;
        closed.map(|()| exit)
    }

    async fn prune(
        &self,
        context: &Context,
        session: &Session<'_>,
        retention: &Retention,
    ) -> Result<Exit, Error> {
        let mut verdicts = self.verdicts(context, &session.archiver, retention).await?;
        if !context.json {
            out!("{}", table(&verdicts));
        }
        if !self.dry_run && verdicts.iter().any(|verdict| verdict.destroy) {
            // It decides by its own configuration, which has to be the one that was shown.
            if !session.is_up_to_date()? {
                return Err(Error::OlderConfiguration { archiver: self.archiver.clone() });
            }
            if !confirm(self.yes, "Let them go?")? {
                return Ok(Exit::Failed);
            }
            verdicts = record(&session.archiver, &self.archiver).await?;
            let gone = verdicts.iter().filter(|verdict| verdict.destroy).count();
            context.say(&format!("{} let {} go", self.archiver, count(gone, "snapshot")));
        }
        if context.json {
            let done = !self.dry_run;
            print_json(&json!({ "archiver": self.archiver, "done": done, "snapshots": verdicts }))?;
        }
        Ok(Exit::Done)
    }

    /// What the spec's retention says of each snapshot there.
    async fn verdicts(
        &self,
        context: &Context,
        archiver: &Archiver,
        retention: &Retention,
    ) -> Result<Vec<Verdict>, Error> {
        let mut verdicts = Vec::new();
        for target in targets(context, &self.archiver) {
            if archiver.tree(&target, false).await?.is_empty() {
                continue;
            }
            let listing = archiver.command(&argv::list_for_retention(&target)).await?;
            let decided = decide(&listing, retention, jiff::Timestamp::now().as_second());
            verdicts
                .extend(decided.map_err(|error| archiver.unreadable(target.as_str(), error.to_string()))?);
        }
        Ok(verdicts)
    }
}

/// The datasets that hosts replicate to an archiver.
fn targets(context: &Context, archiver: &str) -> Vec<DatasetName> {
    let replications = context.spec.hosts.values().flat_map(|host| host.replications.values());
    replications.filter(|each| each.archiver == archiver).map(|each| each.target.clone()).collect()
}

/// Has the archiver do it by its own decision, and reads what became of each snapshot.
async fn record(archiver: &Archiver, name: &str) -> Result<Vec<Verdict>, Error> {
    if let Err(error) = archiver.query(&["systemctl", "restart", UNIT]).await {
        let Error::Program(error) = error else { return Err(error) };
        // Its journal ends with the instance.
        let log = ["journalctl", "--unit", UNIT, "--lines=20", "--output=cat"];
        let said = archiver.query(&log).await.unwrap_or_default();
        return Err(Error::NotPruned {
            archiver: name.to_owned(),
            detail: format!("{error}; {}", exec::text(&said)),
        });
    }
    let record = archiver.query(&["cat", RECORD]).await?;
    let verdicts = record.lines().filter_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (what, snapshot, reason) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Verdict { snapshot: snapshot.to_owned(), destroy: what == "destroy", reason: reason.to_owned() })
    });
    Ok(verdicts.collect())
}

/// Each snapshot that goes, and how many stay for which reason.
fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["WHAT", "SNAPSHOT", "WHY"]);
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for verdict in verdicts {
        if verdict.destroy {
            table.add_row(["let go", &verdict.snapshot, &verdict.reason]);
        } else {
            *kept.entry(&verdict.reason).or_default() += 1;
        }
    }
    for (reason, number) in kept {
        table.add_row(["keep", &count(number, "snapshot"), reason]);
    }
    table
}

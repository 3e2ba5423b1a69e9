//! `dormouse verify`.

use clap::Args;
use comfy_table::{Table, presets};
use dormouse_generator::name::DatasetName;
use rand::seq::IndexedRandom;
use serde::Serialize;
use serde_json::{Value, json};

use super::restore::size;
use crate::context::Context;
use crate::drill::trouble::Trouble;
use crate::drill::{self, Drill, Drilled};
use crate::error::{Error, Exit};
use crate::log;
use crate::output::{confirm, count, error_json, human_bytes, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::report::seen::Sight;
use crate::restore::choice::backdated;
use crate::restore::place;
use crate::zfs::Kind;
use crate::zfs::compare::{Comparison, compare};
use crate::zfs::conflict::former_copy;
use crate::zfs::listing::Datasets;
use crate::zfs::names::Names;

/// Arguments of `dormouse verify`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Only this dataset of the host, and those below it [default: all that are replicated]
    #[arg(value_parser = |text: &str| DatasetName::new(text))]
    dataset: Option<DatasetName>,
    /// Also bring the dataset back, or any if none is named, into a scratch dataset, and compare every
    /// file; only root may
    #[arg(long)]
    deep: bool,
    /// Where the key of an encrypted dataset is [default: its `keylocation`]
    #[arg(long, value_name = "URL", requires = "deep")]
    key_location: Option<String>,
    /// Do not ask before fetching
    #[arg(short, long, requires = "deep")]
    yes: bool,
}

/// A dataset that was compared with its copy.
#[derive(Debug)]
struct Verified<'a> {
    run: Run<'a>,
    dataset: DatasetName,
    copy: String,
    nameless: Option<Error>,
    kind: Kind,
    is_encrypted: bool,
    comparison: Comparison,
}

/// All that was seen, for machines.
#[derive(Default, Serialize)]
struct Seen<'a> {
    host: &'a str,
    datasets: Vec<Line<'a>>,
    archivers: Vec<Value>,
    drill: Option<Drilled>,
    errors: Vec<Value>,
    exit: u8,
}

/// A dataset, for machines.
#[derive(Serialize)]
struct Line<'a> {
    replication: &'a str,
    archiver: &'a str,
    dataset: &'a DatasetName,
    copy: &'a str,
    here: usize,
    there: usize,
    both: usize,
    behind: usize,
    newest_on_both: Option<&'a str>,
    findings: Vec<String>,
}

impl Arguments {
    /// Compares both sides, and drills.
    ///
    /// # Errors
    /// Only what concerns all replications; what is found is in the exit code.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        if self.deep && !rustix::process::geteuid().is_root() {
            return Err(Trouble::NotRoot.into());
        }
        let runs = match &self.dataset {
            Some(dataset) => place::covering(context, dataset)?,
            None => context.replications(&[])?,
        };
        let (mut sessions, mut exits) = (Sessions::new(context), Vec::new());
        let mut all = Vec::new();
        let mut seen = Seen { host: &context.host_name, ..Seen::default() };
        for run in runs {
            match self.verify(run, &mut sessions).await {
                Ok(verified) => all.extend(verified),
                Err(error) => {
                    print_error(&error, &format!("replication {}: ", run.name));
                    seen.errors.push(json!({ "replication": run.name, "error": error_json(&error) }));
                    exits.push(error.exit());
                }
            }
        }
        if !context.json {
            out!("{}", table(&all));
        }
        exits.extend(all.iter().map(tell));
        for (archiver, pool) in sessions.look().await {
            exits.push(tell_health(archiver, &pool));
            seen.archivers.push(json!({ "archiver": archiver, "pool": pool }));
        }
        if self.deep {
            match self.drill(context, &mut sessions, &all).await {
                Ok(drilled) => {
                    exits.push(drilled.as_ref().map_or(Exit::Failed, tell_drill));
                    seen.drill = drilled;
                }
                Err(error) => {
                    print_error(&error, "");
                    seen.errors.push(json!({ "drill": self.dataset, "error": error_json(&error) }));
                    exits.push(error.exit());
                }
            }
        }
        exits.extend(sessions.close_telling().await);
        let exit = worst(exits);
        if context.json {
            seen.datasets = all.iter().map(line).collect();
            seen.exit = exit as u8;
            print_json(&seen)?;
        }
        Ok(exit)
    }

    async fn verify<'a>(
        &self,
        run: Run<'a>,
        sessions: &mut Sessions<'a>,
    ) -> Result<Vec<Verified<'a>>, Error> {
        let root = self.dataset.as_ref().unwrap_or(&run.replication.source);
        let sides = run.sides(root, sessions).await?;
        let copies = sides.iter().filter_map(|sides| sides.there.as_ref());
        copies.flat_map(backdated).for_each(|warning| log::warning(&warning, None));
        let alone = sides.iter().filter(|sides| sides.here.is_none());
        let orphans: Datasets =
            alone.filter_map(|s| s.there.clone()).map(|copy| (copy.name.clone(), copy)).collect();
        let verified = sides.into_iter().filter_map(|sides| {
            // A copy of what is gone here is a backup, and nothing to compare.
            let mut here = sides.here?;
            Names::of(run.replication).sort_out_of(&mut here);
            Some(Verified {
                run,
                kind: here.kind,
                is_encrypted: here.is_encrypted(),
                comparison: compare(
                    &here,
                    sides.there.as_ref(),
                    former_copy(&here, &orphans),
                    &run.cursors(),
                ),
                dataset: sides.name,
                copy: sides.target,
                nameless: sides.nameless,
            })
        });
        Ok(verified.collect())
    }

    /// None when the person does not want it.
    async fn drill<'a>(
        &self,
        context: &'a Context,
        sessions: &mut Sessions<'a>,
        all: &[Verified<'a>],
    ) -> Result<Option<Drilled>, Error> {
        let chosen = self.choose(context, all).await?;
        for left in drill::leftovers(context.exec, chosen.dataset.pool()).await? {
            let help = format!("nothing needs it: `zfs destroy -r {left}`");
            log::warning(&format!("an interrupted drill has left {left}"), Some(&help));
        }
        let Verified { run, dataset, kind, comparison, .. } = chosen;
        let drill = Drill::new(*run, dataset, *kind, comparison.newest.as_ref())?;
        drill.prepare().await?;
        let drilled = self.drill_prepared(&drill, *run, sessions).await;
        drill.clear().await;
        drilled
    }

    async fn drill_prepared<'a>(
        &self,
        drill: &Drill<'a>,
        run: Run<'a>,
        sessions: &mut Sessions<'a>,
    ) -> Result<Option<Drilled>, Error> {
        let dataset = &drill.dataset;
        let restore = drill.restore()?;
        let plan = restore.plan(sessions).await?;
        let Some(piece) = plan.pieces.first() else {
            return Err(Trouble::NothingInCommon { dataset: dataset.clone() }.into());
        };
        let key = drill.key(piece, self.key_location.as_deref()).await?;
        let archiver = sessions.get(&run.replication.archiver).await?;
        let bytes = size(&restore, archiver, piece).await.map_or_else(|| "?".to_owned(), human_bytes);
        let (snapshot, archiver) = (&drill.snapshot.name, &run.replication.archiver);
        let question =
            format!("Fetch {dataset}@{snapshot} from {archiver}, about {bytes}, into {}?", drill.scratch);
        if !confirm(self.yes, &question)? {
            return Ok(None);
        }
        drill.run(sessions, key.as_deref()).await.map(Some)
    }

    /// The dataset that is named, or any that can be compared.
    async fn choose<'b, 'a>(
        &self,
        context: &Context,
        all: &'b [Verified<'a>],
    ) -> Result<&'b Verified<'a>, Error> {
        if let Some(wanted) = &self.dataset {
            let named = all.iter().find(|verified| verified.dataset == *wanted);
            let missing = || Trouble::NothingInCommon { dataset: wanted.clone() }.into();
            return named.ok_or_else(missing);
        }
        let mut able = Vec::new();
        for verified in all {
            let is_able = verified.comparison.newest.is_some();
            let has_key = !verified.is_encrypted
                || self.key_location.is_some()
                || drill::location(context.exec, &verified.dataset).await?.is_some();
            if is_able && has_key {
                able.push(verified);
            }
        }
        able.choose(&mut rand::rng()).copied().ok_or_else(|| Trouble::NoCandidate.into())
    }
}

fn line<'a>(verified: &'a Verified<'_>) -> Line<'a> {
    let Verified { run, dataset, copy, comparison, nameless, .. } = verified;
    let nameless = nameless.iter().map(ToString::to_string);
    Line {
        replication: run.name,
        archiver: &run.replication.archiver,
        dataset,
        copy,
        here: comparison.here,
        there: comparison.there,
        both: comparison.both,
        behind: comparison.behind,
        newest_on_both: comparison.newest.as_ref().map(|snapshot| snapshot.name.as_str()),
        findings: nameless.chain(comparison.findings.iter().map(ToString::to_string)).collect(),
    }
}

fn table(all: &[Verified<'_>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["DATASET", "ARCHIVER", "HERE", "THERE", "BOTH", "NEWEST ON BOTH", "VERDICT"]);
    for verified in all {
        let line = line(verified);
        let newest = line.newest_on_both.map_or_else(|| "-".to_owned(), |name| format!("@{name}"));
        let verdict = match (line.findings.len(), line.behind) {
            (0, 0) => "ok".to_owned(),
            (0, behind) => format!("ok, {behind} to send"),
            (found, _) => count(found, "finding"),
        };
        let [here, there, both] = [line.here, line.there, line.both].map(|number| number.to_string());
        table.add_row([line.dataset.as_str(), line.archiver, &here, &there, &both, &newest, &verdict]);
    }
    table
}

fn tell(verified: &Verified<'_>) -> Exit {
    let Verified { run, dataset, copy, comparison, nameless, .. } = verified;
    let archiver = &run.replication.archiver;
    let help = format!(
        "nothing was changed; compare `dormouse snapshots {dataset}`, and `dormouse plan {}` says what the next run \
         would do",
        run.name
    );
    for finding in &comparison.findings {
        log::error(&format!("{dataset} and {copy} on {archiver}: {finding}"), &help);
    }
    if let Some(error) = nameless {
        print_error(error, "");
    }
    if comparison.findings.is_empty() && nameless.is_none() { Exit::Done } else { Exit::Conflict }
}

fn tell_health(archiver: &str, sight: &Sight) -> Exit {
    let Some(error) = sight.failing(archiver) else { return Exit::Done };
    print_error(&error, "");
    Exit::Conflict
}

fn tell_drill(drilled: &Drilled) -> Exit {
    let Drilled { dataset, snapshot, fetched, compared } = drilled;
    let place = format!("{dataset}@{snapshot}");
    let (entries, bytes) = (compared.entries, human_bytes(compared.bytes));
    log::note(&format!(
        "{place}: {} brought back, {entries} files and directories with {bytes} compared",
        human_bytes(*fetched)
    ));
    for difference in &compared.differences {
        log::error(
            &format!("{place}: {difference}"),
            "nothing was changed; what is here and what is there are kept",
        );
    }
    match compared.differing {
        0 => log::note(&format!("{place}: nothing differs")),
        all => log::note(&format!("{place}: {} in all", count(all as usize, "difference"))),
    }
    if compared.differing == 0 { Exit::Done } else { Exit::Conflict }
}

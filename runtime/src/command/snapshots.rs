//! `dormouse snapshots`.

use std::collections::BTreeMap;

use clap::Args;
use comfy_table::{Table, presets};
use dormouse_generator::name::DatasetName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::log;
use crate::output::{error_json, out, print_error, print_json, worst};
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::replicate::sides::Sides;
use crate::restore::choice::backdated;
use crate::restore::place;
use crate::zfs::{Dataset, Guid};

/// Arguments of `dormouse snapshots`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Only this dataset of the host, and those below it [default: all that are replicated]
    #[arg(value_parser = |text: &str| DatasetName::new(text))]
    dataset: Option<DatasetName>,
}

/// A dataset and its snapshots on both sides.
#[derive(Debug, Serialize)]
struct Listed {
    replication: String,
    archiver: String,
    dataset: DatasetName,
    copy: String,
    snapshots: Vec<Line>,
}

/// A snapshot, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Line {
    name: String,
    guid: Guid,
    /// In seconds since 1970.
    created: i64,
    here: bool,
    there: bool,
}

impl Arguments {
    /// Lists what both sides have.
    ///
    /// # Errors
    /// Only what concerns all replications.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let runs = match &self.dataset {
            Some(dataset) => place::covering(context, dataset)?,
            None => context.replications(&[])?,
        };
        let (mut sessions, mut exits) = (Sessions::new(context), Vec::new());
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        for run in &runs {
            match self.sides(run, &mut sessions).await {
                Ok(sides) => all.extend(sides),
                Err(error) => {
                    print_error(&error, &format!("replication {}: ", run.name));
                    errors.push(json!({ "replication": run.name, "error": error_json(&error) }));
                    exits.push(error.exit());
                }
            }
        }
        exits.extend(sessions.close_telling().await);
        if context.json {
            print_json(&json!({ "host": context.host_name, "datasets": all, "errors": errors }))?;
        } else {
            out!("{}", table(&all, &TimeZone::system()));
        }
        Ok(worst(exits))
    }

    async fn sides<'a>(&self, run: &Run<'a>, sessions: &mut Sessions<'a>) -> Result<Vec<Listed>, Error> {
        let root = self.dataset.as_ref().unwrap_or(&run.replication.source);
        let sides = run.sides(root, sessions).await?;
        let copies = sides.iter().filter_map(|sides| sides.there.as_ref());
        copies.flat_map(backdated).for_each(|warning| log::warning(&warning, None));
        let shown = |sides: Sides| Listed {
            replication: run.name.to_owned(),
            archiver: run.replication.archiver.clone(),
            snapshots: merge(sides.here.as_ref(), sides.there.as_ref()),
            dataset: sides.name,
            copy: sides.target,
        };
        Ok(sides.into_iter().map(shown).collect())
    }
}

/// The snapshots of both sides, oldest first. The GUID says whether two are the same.
fn merge(here: Option<&Dataset>, there: Option<&Dataset>) -> Vec<Line> {
    let mut lines: BTreeMap<Guid, Line> = BTreeMap::new();
    for (side, is_here) in [(here, true), (there, false)] {
        for snapshot in side.into_iter().flat_map(|dataset| &dataset.snapshots) {
            let line = lines.entry(snapshot.guid).or_insert_with(|| Line {
                name: snapshot.name.clone(),
                guid: snapshot.guid,
                created: snapshot.creation,
                here: false,
                there: false,
            });
            if is_here { line.here = true } else { line.there = true }
        }
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    lines.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    lines
}

/// A table; times are those of this place.
fn table(all: &[Listed], zone: &TimeZone) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["DATASET", "SNAPSHOT", "MADE", "WHERE"]);
    for Listed { dataset, archiver, snapshots, .. } in all {
        for line in snapshots {
            let made = Timestamp::from_second(line.created)
                .map(|time| time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
            let place = match (line.here, line.there) {
                (true, true) => format!("here, {archiver}"),
                (true, false) => "here only".to_owned(),
                (false, _) => format!("{archiver} only"),
            };
            let name = format!("@{}", line.name);
            table.add_row([dataset.as_str(), &name, made.as_deref().unwrap_or("-"), &place]);
        }
        if snapshots.is_empty() {
            table.add_row([dataset.as_str(), "none", "-", "-"]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::listing::Listing;

    fn dataset(name: &str, snapshots: &[(&str, u64)]) -> Dataset {
        let lines: String =
            snapshots.iter().map(|(snap, id)| format!("{name}@{snap}\t{id}\t{id}\t{id}00\t0\t1\n")).collect();
        let text = format!("{name}\tfilesystem\t1\t-\t-\n{lines}");
        Listing::read(&text).unwrap().into_values().next().unwrap()
    }

    #[test]
    fn a_snapshot_is_the_same_by_its_guid_and_not_by_its_name() {
        let here = dataset("tank/a", &[("two", 2), ("three", 3), ("four", 5)]);
        let there = dataset("vault/a", &[("one", 1), ("two", 2), ("four", 4)]);
        let lines = merge(Some(&here), Some(&there));
        let seen: Vec<_> = lines.iter().map(|l| (l.name.as_str(), l.guid.0, l.here, l.there)).collect();
        let wanted = [
            ("one", 1, false, true),
            ("two", 2, true, true),
            ("three", 3, true, false),
            ("four", 4, false, true),
            ("four", 5, true, false),
        ];
        assert_eq!(seen, wanted);
        assert!(merge(None, Some(&there)).iter().all(|line| line.there && !line.here));
        let name = |text: &str| DatasetName::new(text).unwrap();
        let (replication, archiver) = ("safe".to_owned(), "nas".to_owned());
        let listed = Listed {
            replication,
            archiver,
            dataset: name("tank/a"),
            copy: "vault/a".to_owned(),
            snapshots: lines,
        };
        let text = table(&[listed], &TimeZone::UTC).to_string();
        assert!(
            text.contains("@two") && text.contains("1970-01-01 00:03:20") && text.contains("nas only"),
            "{text}"
        );
    }
}

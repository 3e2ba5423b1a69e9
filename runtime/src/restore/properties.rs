//! Sets on a dataset that is back what was set on it when it was sent.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;

use super::Restore;
use super::host::LOOK;
use super::plan::Piece;
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::exec;
use crate::zfs::argv;
use crate::zfs::properties::{Record, mounts};

/// What the archiver keeps of the datasets that are brought back, by their names here.
#[derive(Debug, Default)]
pub struct Properties {
    assignments: BTreeMap<DatasetName, Vec<String>>,
}

impl Properties {
    /// Asks the archiver.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn of(archiver: &Archiver, restore: &Restore<'_>, pieces: &[Piece]) -> Result<Self, Error> {
        let Restore { request, swap, .. } = restore;
        let kept = archiver.records(pieces.iter().map(|piece| &piece.copy.name)).await?;
        let assignments = pieces.iter().filter_map(|piece| {
            let relative = piece.name.relative_to(&request.to)?;
            let of = request.dataset.join(relative).ok()?;
            let record = Record::parse(kept.get(&piece.copy.name)?, &of)?;
            Some((piece.name.clone(), record.assignments(swap.is_some() || of == piece.name)))
        });
        Ok(Self { assignments: assignments.collect() })
    }

    /// Sets what was set on a dataset, each by itself if not all together can be; returns what could not be
    /// set, and why. A person sees it, and before anything is mounted: it is the archiver that says it.
    pub async fn set(&self, context: &Context, name: &DatasetName) -> Vec<String> {
        let all = self.assignments.get(name).map_or(&[][..], Vec::as_slice);
        if all.is_empty() {
            return vec![];
        }
        context.say(&format!("  {name}: setting {}", all.join(", ")));
        if context.exec.run(&argv::set_all(name, all), LOOK).await.is_ok() {
            return vec![];
        }
        let mut failed = Vec::new();
        for one in all {
            let argv = match mounts(one) {
                true => argv::set_all(name, std::slice::from_ref(one)),
                false => argv::set_one(name, one),
            };
            match context.exec.run(&argv, LOOK).await {
                // `zfs set -u` came with 2.2.
                Err(error) if error.stderr().contains("invalid option 'u'") => failed.push(format!(
                    "{name}: {one} is not set, for this ZFS mounts what gets it; when that is wanted: `{}`",
                    exec::display(&argv::set_one(name, one))
                )),
                Err(error) => failed.push(format!("{name}: {one} is not set: {error}")),
                Ok(_) => {}
            }
        }
        failed
    }
}

//! Deletes on the archiver what the host has deleted, where the spec says so.

use dormouse_generator::name::DatasetName;

use super::{Run, now};
use crate::archiver::{Archiver, NAMES};
use crate::error::Error;
use crate::output::count;
use crate::survey;
use crate::zfs::argv;
use crate::zfs::follow::{self, Steps};
use crate::zfs::listing::Datasets;

impl Run<'_> {
    /// Notes what is missed, and destroys what was missed for long enough. `complete` are datasets of
    /// which the archiver has everything. Both sides are listed anew: what cannot be listed is not
    /// missed.
    ///
    /// # Errors
    /// Where something cannot be listed, noted or destroyed; the rest is then left for a later run.
    pub(super) async fn follow_deletes(&self, archiver: &Archiver, complete: Datasets) -> Result<(), Error> {
        let copies = archiver.tree(&self.replication.target, self.replication.recursive).await?;
        for part in survey::in_parts(complete) {
            let here = survey::histories(self.context.exec, self.replication, part).await?;
            let mut there = Datasets::new();
            for name in here.keys() {
                let copy = copies.get_key_value(&self.target(name)?);
                there.extend(copy.map(|(name, copy)| (name.clone(), copy.clone())));
            }
            let there = archiver.histories(there).await?;
            for source in here.values() {
                let target = self.target(&source.name)?;
                let Some(copy) = there.get(&target) else { continue };
                let missed = follow::missed(source, copy, &self.replication.follow_delete_names);
                let names: Vec<String> =
                    missed.iter().map(|snapshot| format!("{target}@{}", snapshot.name)).collect();
                self.follow_dataset(archiver, &target, &names).await?;
            }
        }
        Ok(())
    }

    async fn follow_dataset(
        &self,
        archiver: &Archiver,
        target: &DatasetName,
        missed: &[String],
    ) -> Result<(), Error> {
        let mut destroyed = 0;
        for some in missed.chunks(NAMES) {
            let text = archiver.command(&argv::notes(some)).await?;
            let unreadable = || Error::Listing {
                dataset: target.to_string(),
                place: format!("on archiver {:?}", self.replication.archiver),
                detail: "zfs get printed a line that cannot be read".to_owned(),
            };
            let missed = follow::read(&text).ok_or_else(unreadable)?;
            let grace = self.replication.follow_delete_after.as_secs();
            let Steps { note, destroy } = follow::steps(&missed, now(), grace);
            if !note.is_empty() {
                archiver.command(&argv::note(&note, now())).await?;
            }
            for name in &destroy {
                let snapshot = name.rsplit_once('@').map(|(_, snapshot)| snapshot).unwrap_or_default();
                archiver.command(&argv::destroy_snapshot(target, snapshot)).await?;
                destroyed += 1;
            }
        }
        if destroyed > 0 {
            self.context
                .say(&format!("  {target}: {} deleted, as on the host", count(destroyed, "snapshot")));
        }
        Ok(())
    }
}

//! What has arrived: seen on the archiver, released on the host, remembered by its bookmark.

use std::collections::{BTreeMap, BTreeSet};

use super::marks::{self, Holds};
use super::outcome::Result as Fate;
use super::{Done, Run, unacknowledged};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::zfs::Guid;

impl Run<'_> {
    /// Looks at the archiver once more: a snapshot counts only when its GUID is seen there. Then
    /// what has arrived is released, and acknowledged by its bookmark.
    pub(super) async fn acknowledge(
        &self,
        archiver: &Archiver,
        done: &mut [Done],
        holds: &mut Holds,
        warnings: &mut Vec<String>,
    ) {
        let seen = self.seen(archiver, done).await.unwrap_or_else(|error| {
            warnings.push(format!("what has arrived could not be checked: {error}"));
            BTreeMap::new()
        });
        let mut changes = Vec::new();
        for done in done.iter_mut() {
            let Some((name, newest)) = done.job.arrival() else { continue };
            let arrived = done.acknowledged || done.job.arrived || seen.get(&name) == Some(&newest.guid);
            let made = done.made.as_ref();
            let after = made.map(|made| self.cursors().after_receive(&done.job.source, newest, made));
            done.outcome.confirm(arrived);
            let partial = done.job.copy.as_ref().is_some_and(|copy| copy.token.is_some());
            done.outcome.unfinished = !done.outcome.is_complete() && (partial || done.outcome.bytes > 0);
            if arrived && !done.acknowledged && done.outcome.result != Fate::Refused {
                changes.extend(after.map(|after| (done.job.source.name.clone(), after)));
            }
        }
        self.release(holds, done, warnings).await;
        let errors = marks::apply_all(self.context.exec, changes).await;
        warnings.extend(unacknowledged(errors.into_values()));
    }

    async fn seen(&self, archiver: &Archiver, done: &[Done]) -> Result<BTreeMap<String, Guid>, Error> {
        let is_open =
            |done: &&Done| !done.acknowledged && matches!(done.outcome.result, Fate::Sent | Fate::Failed);
        let names: Vec<String> =
            done.iter().filter(is_open).filter_map(|done| Some(done.job.arrival()?.0)).collect();
        if archiver.is_alive() { archiver.which(&names).await } else { Ok(BTreeMap::new()) }
    }

    /// Keeps the holds of failed datasets, which a later run resumes.
    async fn release(&self, holds: &mut Holds, done: &[Done], warnings: &mut Vec<String>) {
        let failed = done.iter().filter(|done| done.outcome.result == Fate::Failed);
        let failed: BTreeSet<&str> = failed.map(|done| done.outcome.dataset.as_str()).collect();
        if let Err(error) = holds.release(|dataset| !failed.contains(dataset)).await {
            warnings.push(format!("snapshots stay held: {error}"));
        }
    }
}

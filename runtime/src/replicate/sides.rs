//! All that both sides have, for commands that show or verify it.

use std::collections::BTreeSet;

use dormouse_generator::name::DatasetName;

use super::Run;
use crate::error::Error;
use crate::provider::session::Sessions;
use crate::restore::refusal::Refusal;
use crate::survey;
use crate::zfs::Dataset;

/// A dataset and its copy; one of them at least is there.
#[derive(Debug)]
pub struct Sides {
    /// The dataset's name on the host.
    pub name: DatasetName,
    /// Where its copy belongs, whether that is a legal name or not.
    pub target: String,
    /// [`Error::NoTarget`] when it is none.
    pub nameless: Option<Error>,
    /// The dataset, with all of its snapshots.
    pub here: Option<Dataset>,
    /// The copy, with all of its snapshots.
    pub there: Option<Dataset>,
}

impl<'a> Run<'a> {
    /// What both sides have at `root` and, if the replication is recursive, below it.
    ///
    /// # Errors
    /// What keeps either side from being seen; [`Refusal::NoCopy`] when there is nothing on either.
    pub async fn sides(&self, root: &DatasetName, sessions: &mut Sessions<'a>) -> Result<Vec<Sides>, Error> {
        let replication = self.replication;
        let target = self.target(root)?;
        let mut here = survey::all(self.context.exec, root, replication.recursive).await?;
        survey::leave_out(&mut here, replication);
        let archiver = sessions.get(&replication.archiver).await?;
        let mut there = archiver.list_with_times(&target, replication.recursive).await?;
        let mut names: BTreeSet<DatasetName> = here.keys().cloned().collect();
        names.extend(there.keys().filter_map(|copy| root.join(copy.relative_to(&target)?).ok()));
        if names.is_empty() {
            let (archiver, dataset) = (replication.archiver.clone(), root.clone());
            return Err(Refusal::NoCopy { archiver, dataset, copy: target }.into());
        }
        let sides = names.into_iter().map(|name| {
            let target = self.target(&name);
            let here = here.remove(&name);
            let there = target.as_ref().ok().and_then(|target| there.remove(target));
            Sides { target: self.would_be(&name), name, nameless: target.err(), here, there }
        });
        Ok(sides.collect())
    }
}

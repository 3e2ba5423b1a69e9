//! All that both sides have, for commands that show or verify it.

use std::collections::BTreeSet;

use dormouse_generator::name::DatasetName;

use super::Run;
use crate::error::Error;
use crate::log;
use crate::provider::session::Sessions;
use crate::restore::refusal::Refusal;
use crate::survey;
use crate::zfs::Dataset;

/// A dataset and its copy; one of them at least is there.
#[derive(Clone, Debug)]
pub struct Sides {
    /// The dataset's name on the host.
    pub name: DatasetName,
    /// Where its copy belongs.
    pub target: DatasetName,
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
        let mut sides = Vec::with_capacity(names.len());
        for name in names {
            let target = match self.target(&name) {
                Ok(target) => target,
                Err(error) => {
                    log::warning(&error.to_string(), Some(&error.help()));
                    continue;
                }
            };
            let (here, there) = (here.remove(&name), there.remove(&target));
            sides.push(Sides { name, target, here, there });
        }
        Ok(sides)
    }
}
